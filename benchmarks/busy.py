"""What a busy neighbour costs: runs beside other processes that never rest, against runs alone.

``python benchmarks/busy.py`` runs the theory (L-S, S and S + noise on three seeds, d = 250) and a
training run on digits with all threads, each as the command that a user gives, alone and beside one
busy process for each core, in turn. A scheduler that shares each core equally among two processes
makes it 2 times. Threads that spin while they wait for each other make it much worse: the last work
is the training run with OpenMP's spinning, which learnorder turns off; others have other times of
spinning before threads sleep. The last line is JSON, with the medians over the rounds: the ratios
``busy_ratio_theory``, ``busy_ratio_training``, ``busy_ratio_two_runs`` (two training runs at once)
and those of the others, and the seconds alone and beside the busy processes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from common import finish, seconds
from learnorder.execution.machine import usable_cores

LEARNORDER = (sys.executable, "-m", "learnorder")
TRAIN = ("--quiet",)
WORKS = {
    "theory": ("theory", "run", "--distribution.d", "250", "--seeds", "3", "--quiet"),
    "training": ("train", *TRAIN),
    "two_runs": (
        "sweep", "--experiment", "train", *TRAIN, "--seeds", "2",
        "--grid", "{learning_rate.initial: [0.1]}",
    ),
    "spinning": ("train", *TRAIN),
    "sleeping": ("train", *TRAIN),
    "patient": ("train", *TRAIN),
}  # fmt: skip
TITLES = {
    "theory": "theory, 9 runs at d = 250",
    "training": "one training run, all threads",
    "two_runs": "two training runs at once",
    "spinning": "one training run, threads that spin",
    "sleeping": "one training run, threads that sleep at once",
    "patient": "one training run, threads that spin ten times as long before they sleep",
}
ENVIRONMENT = {
    "spinning": {"GOMP_SPINCOUNT": "300000", "KMP_BLOCKTIME": "200"},
    "sleeping": {"GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"},
    "patient": {"GOMP_SPINCOUNT": "10000", "KMP_BLOCKTIME": "0"},
}
"""The first has the defaults of GNU's and of Intel's OpenMP."""


@contextmanager
def neighbours(count: int) -> Iterator[None]:
    """Keep some cores busy with processes that never wait."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def run(name: str) -> None:
    """Run a work in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [*LEARNORDER, *WORKS[name], "--out", str(Path(folder) / "out")],
            check=True, stdout=subprocess.DEVNULL, env={**os.environ, **ENVIRONMENT.get(name, {})},
        )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds, cores = parser.parse_args().rounds, usable_cores()
    rows, figures = list[tuple[str, str]](), dict[str, float]()
    for name, title in TITLES.items():
        run(name)  # what is cached on disk is read once
        alone, beside = list[float](), list[float]()
        for _ in range(rounds):
            alone.append(seconds(lambda name=name: run(name)))
            with neighbours(cores):
                beside.append(seconds(lambda name=name: run(name)))
        ratio = median(b / a for a, b in zip(alone, beside, strict=True))
        shown = f"{median(alone):.1f} s alone, {median(beside):.1f} s beside {cores}"
        rows.append((title, f"{shown} busy processes: {ratio:.2f} times"))
        figures[f"busy_ratio_{name}"] = ratio
        figures |= {f"alone_s_{name}": median(alone), f"beside_s_{name}": median(beside)}
    finish("beside busy processes", rows, figures)


if __name__ == "__main__":
    main()
