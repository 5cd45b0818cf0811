"""Progress of many runs, in a terminal or in a log: the parent process alone draws."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from learnorder.execution.engine import Cores
from learnorder.execution.log_lines import LOG_SECONDS, duration, log_lines
from learnorder.execution.pool import PoolState
from learnorder.runs import ENDED, RunFolder
from learnorder.runs.lock_file import Owner
from learnorder.runs.plain_text import plain, visible

_FEWEST_DONE = 0.1
"""Runs, of which parts count, from which the time left can be told."""


class Display:
    """A table of all runs and each active one, with bars and the time left.

    Where there is no terminal, as in a job's log or a notebook, a line for each run that ends, and
    every minute one that says how all of them stand.

    Args:
        folders: All runs.
        cores: How they share the machine.
        title: What the runs are of, where several experiments follow each other.
        quiet: Draw nothing, and say only which runs are waited for.
        console: Where to draw; None is stderr.
        seconds: Between two lines of a log that say how all runs stand.
    """

    def __init__(
        self,
        folders: Sequence[RunFolder[Any]],
        cores: Cores,
        *,
        title: str = "",
        quiet: bool = False,
        console: Console | None = None,
        seconds: float = LOG_SECONDS,
    ) -> None:
        self._title = f"{visible(title)}: " if title else ""
        self._console = console or Console(stderr=True, quiet=quiet)
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[note]}", markup=False),
            TimeRemainingColumn(),
            console=self._console,
            disable=quiet or not self._console.is_terminal,
        )
        self._count = len(folders)
        parents = [str(folder.path.parent) for folder in folders]
        self._root = Path(os.path.commonpath(parents)) if parents else Path()
        self._notices = Console(stderr=True) if quiet else self._bars.console
        self._seen: dict[RunFolder[Any], float] = {}
        self._tasks: dict[RunFolder[Any], TaskID] = {}
        self._told: set[RunFolder[Any]] = {f for f in folders if f.status in ENDED}
        self._awaited = set[RunFolder[Any]]()
        self._cores = cores
        self._all: TaskID | None = None
        self._base = float(len(self._told))
        self._started, self._done_now = time.monotonic(), 0.0
        self._standing = f"{len(self._told)}/{self._count} runs"
        self._seconds, self._log = seconds, ExitStack()

    def __enter__(self) -> Display:
        left = self._count - len(self._told)
        if left:
            threads = f"{self._cores.threads} thread{'s' * (self._cores.threads > 1)}"
            self._console.print(
                f"{self._title}{left} of {self._count} runs to do, {self._cores.workers} at once "
                f"with {threads} each",
                markup=False,
                emoji=False,
            )
        self._bars.start()
        self._log.enter_context(log_lines(self._words, self._console, self._seconds))
        self._all = self._bars.add_task("all runs", total=float(left), note="")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._log.close()
        self._bars.stop()

    def update(self, state: PoolState) -> None:
        """Draw the state of the pool."""
        under_way = (*state.active, *state.held)
        self._done_now = len(state.ended) - self._base + sum(map(self._done, under_way))
        self._done_now += len(state.failed) + len(state.elsewhere)  # nothing is left to do for them
        for folder in under_way:
            self._active(folder)
        for folder, lock in state.held.items():
            self._wait_for(folder, lock.owner)
        ended = f"{len(state.ended)}/{self._count}{self._left()}"
        for folder in (*state.ended, *state.failed):
            self._finished(folder, ended)
        for folder in state.elsewhere:
            self._finished(folder, ended, "is made by another process")
        for folder in state.waiting:  # its worker was killed, or another process left it
            if folder in self._tasks:
                self._bars.update(self._tasks[folder], note="waiting to go on")
        assert self._all is not None
        note = "saving checkpoints …" if state.signals else self._counts(state)
        self._bars.update(self._all, completed=self._done_now, note=note)
        self._standing = f"{self._counts(state, running=len(state.active))}{self._left()}"

    def _words(self) -> str:
        return f"{self._title}{self._standing}"

    def _counts(self, state: PoolState, running: int = 0) -> str:
        counts = {
            "running": running,
            "failed": len(state.failed),
            "made elsewhere": len(state.held) + len(state.elsewhere),
            "killed and begun again": sum(state.deaths.values()),
        }
        told = [f"{count} {words}" for words, count in counts.items() if count]
        return ", ".join([f"{len(state.ended)}/{self._count} runs", *told])

    def _left(self) -> str:
        """Return the time left in words; nothing where there is too little to tell it by."""
        total, done = self._count - self._base, self._done_now
        if done < _FEWEST_DONE or done >= total:
            return ""
        seconds = (time.monotonic() - self._started) * (total - done) / done
        return f", about {duration(seconds)} left"

    def _done(self, folder: RunFolder[Any]) -> float:
        """How far a run is that has not ended."""
        if (progress := folder.progress()) is not None:
            self._seen[folder] = progress.share
        return self._seen.get(folder, 0.0)  # a run that has just ended reports no more

    def _active(self, folder: RunFolder[Any]) -> None:
        if folder not in self._tasks:
            self._tasks[folder] = self._bars.add_task(
                self._name(folder), total=1.0, note="starting"
            )
        if (progress := folder.progress()) is not None:
            note = visible(progress.note)
            self._bars.update(self._tasks[folder], completed=progress.share, note=note)

    def _wait_for(self, folder: RunFolder[Any], owner: Owner | None) -> None:
        """Say once that a run is waited for."""
        if folder in self._awaited:
            return
        self._awaited.add(folder)
        by = f" ({owner})" if owner else ""
        self._notices.print(
            f"{self._name(folder)}: another process works on it{by}; waiting for it. Ctrl-C stops "
            "waiting.",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )

    def _name(self, folder: RunFolder[Any]) -> str:
        """A run's path below what all of them have in common, as it can be printed."""
        return visible(folder.path.relative_to(self._root))

    def _finished(self, folder: RunFolder[Any], ended: str, how: str = "") -> None:
        """Say once that nothing is left to do here for a run: how, or its status."""
        if folder in self._told:
            return
        self._told.add(folder)
        if folder in self._tasks:
            self._bars.remove_task(self._tasks.pop(folder))
        if not how:
            manifest = folder.manifest
            how = ": ".join(filter(None, (manifest["status"], manifest["reason"])))
        line = plain(f"{self._name(folder)} {how} ({ended})")
        self._bars.console.print(line, soft_wrap=True)
