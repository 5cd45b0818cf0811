"""What the benchmarks share: paired timing, the machine's matrix-product rate, the last line."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import torch
from rich.console import Console
from rich.table import Table

from learnorder.execution.machine import library_settings


def seconds(work: Callable[[], object]) -> float:
    """Return how long one call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def paired(a: Callable[[], object], b: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Return the median seconds of a and of b, timed in turn after one warm-up of each.

    The machine's speed drifts; taken in turn, both see the same drift.
    """
    a()
    b()
    times = [(seconds(a), seconds(b)) for _ in range(rounds)]
    return statistics.median(t[0] for t in times), statistics.median(t[1] for t in times)


def begun_together(command: Sequence[str], processes: int) -> list[float]:
    """Return what some processes print, a number each, that begin at once when all are ready.

    Args:
        command: Prints a line when it is ready, reads one, and prints its number.
        processes: How many of it.
    """
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    for process in started:
        assert process.stdout is not None
        process.stdout.readline()
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return [float(process.communicate()[0]) for process in started]


def as_in_runs() -> None:
    """Start this script again with the environment of the processes of runs, if it is not set.

    OpenMP and malloc read it when a process starts. Both sides of a comparison have it.
    """
    if unset := library_settings():
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **unset})


def matmul_rate(size: int = 2048, rounds: int = 5) -> float:
    """Return the best float32 matrix-product rate in FLOP/s at the current number of threads."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    torch.mm(a, b)
    return 2 * size**3 / min(seconds(lambda: torch.mm(a, b)) for _ in range(rounds))


def kind(source: str) -> str:
    """Return what the images were, without the place they lay in."""
    return "random pixels" if source == "random" else f"from {source.partition(':')[0]}"


def finish(title: str, rows: list[tuple[str, str]], figures: dict[str, float]) -> None:
    """Print a table, then the figures as one line of JSON."""
    table = Table(title=title, title_justify="left", show_header=False)
    for row in rows:
        table.add_row(*row)
    Console(width=100).print(table)
    print(json.dumps({name: float(f"{value:.4g}") for name, value in figures.items()}))
