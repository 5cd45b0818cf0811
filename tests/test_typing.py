"""A type checker knows what the public names are, and the script uses every one of them."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import learnorder

SCRIPT = Path(__file__).parent / "typing" / "user_script.py"
CHECKS = {
    "include": [SCRIPT.name],
    "pythonVersion": "3.11",
    "typeCheckingMode": "strict",  # what is Any or unknown to the checker is an error
}


def test_the_script_uses_every_public_name():
    used = {
        node.attr
        for node in ast.walk(ast.parse(SCRIPT.read_text()))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "learnorder"
    }
    assert used == set(learnorder.__all__)


def test_a_users_script_has_real_types(tmp_path):
    beside = Path(sys.executable).parent
    pyright = shutil.which("pyright", path=beside) or shutil.which("pyright")
    if pyright is None:
        pytest.skip("pyright is not installed: pip install 'learnorder[dev]', or make check")
    shutil.copy(SCRIPT, tmp_path)
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(CHECKS))
    command = [pyright, "--pythonpath", sys.executable, "-p", str(tmp_path), "--outputjson"]
    installed = {**os.environ, "PYTHONPATH": str(Path(learnorder.__file__).parents[1])}
    checked = subprocess.run(command, capture_output=True, text=True, env=installed)
    assert checked.stdout.startswith("{"), checked.stdout + checked.stderr
    said = json.loads(checked.stdout)["generalDiagnostics"]
    assert not [each for each in said if each["severity"] != "information"]
    revealed = {
        each["range"]["start"]["line"]: re.sub(r'^Type of ".*" is "(.*)"$', r"\1", each["message"])
        for each in said
    }
    lines = enumerate(SCRIPT.read_text().splitlines())
    expected = {n: line.split("  # ")[1] for n, line in lines if "reveal_type(" in line}
    assert revealed == expected
    assert len(expected) > 25
