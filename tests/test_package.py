"""The public surface, and the wheel that carries it."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import learnorder

ROOT = Path(__file__).parents[1]


def test_public_names_exist_in_order():
    assert learnorder.__all__ == sorted(learnorder.__all__)
    for name in learnorder.__all__:
        assert getattr(learnorder, name).__doc__, name
    assert set(learnorder.__all__) <= set(dir(learnorder))
    with pytest.raises(AttributeError):
        learnorder.no_such_name  # noqa: B018


@pytest.mark.parametrize(
    "name", ["claims", "data", "models", "order", "patterns", "runs", "sweep", "theory"]
)
def test_subpackages_export_what_they_say(name):
    module = importlib.import_module(f"learnorder.{name}")
    assert all(hasattr(module, exported) for exported in module.__all__)


def test_arrows_between_rooms_go_one_way():
    """Theory and training know nothing of reports; nobody imports the command line."""
    forbidden = {
        "data": {"patterns", "training", "runs", "sweep", "report", "cli"},
        "models": {"data", "training", "runs", "sweep", "report", "cli"},
        "patterns": {"training", "runs", "sweep", "report", "cli"},
        "theory": {"data", "models", "training", "runs", "sweep", "report", "cli"},
        "training": {"theory", "runs", "sweep", "report", "cli"},
        "order": {"training", "runs", "sweep", "report", "cli"},
        "runs": {"sweep", "report", "cli"},
        "sweep": {"report", "cli"},
        "recipes": {"training", "runs", "claims", "sweep", "report", "cli"},
        "claims": {"training", "sweep", "report", "cli"},
        "report": {"sweep", "cli"},
    }
    source = Path(learnorder.__file__).parent
    for room, others in forbidden.items():
        for file in (source / room).glob("**/*.py"):
            text = file.read_text()
            found = {other for other in others if f"learnorder.{other}" in text}
            assert not found, f"{file} imports {found}"


def test_the_wheel_installs_and_runs(tmp_path):
    """Built from the checkout, unpacked elsewhere, it runs without the checkout."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", str(ROOT), "-w", str(tmp_path)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("learnorder-*.whl")
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
