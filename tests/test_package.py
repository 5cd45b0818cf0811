"""The public surface, and the wheel that carries it."""

import ast
import importlib
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import learnorder

ROOT = Path(__file__).parents[1]


def test_the_public_names_are_those_of_the_stub():
    stub = Path(learnorder.__file__).with_suffix(".pyi").read_text(encoding="ascii")
    imported = [node for node in ast.parse(stub).body if isinstance(node, ast.ImportFrom)]
    names = [alias.asname for node in imported for alias in node.names]
    assert sorted(names) == learnorder.__all__ == dir(learnorder)
    for name in names:
        assert getattr(learnorder, name).__doc__, name


def test_what_is_not_public_is_said_with_what_is_near():
    with pytest.raises(AttributeError, match=r"'run_pach'\. Did you mean run_patch"):
        learnorder.run_pach  # noqa: B018
    with pytest.raises(AttributeError, match=r"dir\(learnorder\)"):
        learnorder.Zzz  # noqa: B018


def test_the_reference_lists_no_private_module():
    """Public modules are those of the stub, parts that pages use, and those for others' loops."""
    pages = "".join(page.read_text() for page in (ROOT / "docs" / "reference").glob("*.md"))
    listed = set(re.findall(r"automodule:: learnorder\.([\w.]+)", pages))
    loops = {"toolkit.lightning", "toolkit.transformers"}
    modules = {"errors", "models", "planters", "noise", "theory", "theory.simulation"}
    assert listed == modules | loops
    for name in re.findall(r"auto(?:class|function):: ([\w.]+)", pages):
        module, _, attribute = name.rpartition(".")
        assert getattr(importlib.import_module(module), attribute).__doc__, name
        assert not any(part.startswith("_") for part in name.split("."))


def test_results_import_nothing_that_draws():
    script = """import sys
import learnorder.runs.results, learnorder.theory.results, learnorder.advise.result
import learnorder.probe.result, learnorder.reproduce.result
print(sorted({"plotly", "jinja2", "learnorder.report"} & set(sys.modules)))"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_importing_the_package_imports_nothing_heavy():
    script = """import sys, learnorder
dir(learnorder), learnorder.Execution, learnorder.errors, learnorder.Schedule
print(sorted({"torch", "numpy", "pandas", "plotly", "rich"} & set(sys.modules)))"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def imports(tree):
    """The modules of the package that a module imports, but for type checkers."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("learnorder."):
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.startswith("learnorder."))
        yield from imports(node)


def test_no_circle_among_rooms_and_root_modules():
    """Imports within functions count, too; the layers themselves are in pyproject.toml."""
    source, needs = Path(learnorder.__file__).parent, {}
    for file in source.glob("**/*.py"):
        room = file.relative_to(source).parts[0].removesuffix(".py")
        found = {module.split(".")[1] for module in imports(ast.parse(file.read_text("utf-8")))}
        needs.setdefault(room, set()).update(found - {room})
    while free := [room for room, others in needs.items() if not others & needs.keys()]:
        for room in free:
            del needs[room]
    assert not needs, f"These import each other, or what does: {needs}"


def test_the_root_has_few_modules():
    source = Path(learnorder.__file__).parent
    assert len(list(source.glob("*.py"))) <= 6


def test_the_wheel_installs_and_runs(tmp_path):
    """Built from the checkout, unpacked elsewhere, it runs without the checkout."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", str(ROOT), "-w", str(tmp_path)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("learnorder-*.whl")
    with zipfile.ZipFile(wheel) as packed:
        assert {"learnorder/py.typed", "learnorder/__init__.pyi"} <= set(packed.namelist())
    place = tmp_path / "installed"
    subprocess.run([*pip, "install", "--no-deps", "--target", str(place), str(wheel)], check=True)
    environment = {**os.environ, "PYTHONPATH": str(place)}
    script = "import learnorder, sys; print(learnorder.__file__); sys.exit()"
    located = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert located.stdout.startswith(str(place))
    done = subprocess.run(
        [sys.executable, "-m", "learnorder", "train", "--arm", "small", "--training.epochs", "1",
         "--data.train_examples", "100", "--quiet"],
        cwd=tmp_path, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs" / "train" / "report.html").exists()
