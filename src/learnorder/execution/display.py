"""Progress of many runs, in a terminal or in a log; only the parent process prints it."""

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
from learnorder.runs import RunFolder
from learnorder.runs.lock_file import Owner
from learnorder.runs.plain_text import plain, visible

_FEWEST_DONE = 0.1
"""Runs done here, fractions included, before the time left is estimated."""


class Display:
    """Progress bars of all runs together and of each active run, with the time left.

    Without a terminal, as in a job's log or a notebook, it prints a line for each run that ends,
    and a summary every minute.

    Args:
        folders: All runs.
        cores: How they share the machine.
        title: Name of the experiment, if several follow each other.
        quiet: Print only which runs of other processes are waited for.
        console: Where to print; None is stderr.
        seconds: Time between two summaries in a log.
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
        self._shares: dict[RunFolder[Any], float] = {}  # of runs that have begun and not ended
        self._tasks: dict[RunFolder[Any], TaskID] = {}
        self._reported: set[RunFolder[Any]] = {f for f in folders if f.has_ended()}
        self._awaited = set[RunFolder[Any]]()
        self._cores = cores
        self._all: TaskID | None = None
        self._base = float(len(self._reported))
        self._started, self._done_now, self._made = time.monotonic(), 0.0, 0.0
        for folder in folders:
            if folder not in self._reported and folder.read_outcome()[0] != "pending":
                self._note_share(folder)
        self._before = dict(self._shares)
        self._summary = f"{len(self._reported)}/{self._count} runs"
        self._seconds, self._log = seconds, ExitStack()

    def __enter__(self) -> Display:
        left = self._count - len(self._reported)
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
        """Show the state of the pool."""
        under_way = (*state.active, *state.held)
        # nothing is left to do for them here
        over = (*state.ended, *state.failed, *state.stopped, *state.elsewhere)
        for folder in under_way:
            self._note_share(folder)
        for folder in over:
            self._shares.pop(folder, None)
        self._done_now = len(over) - self._base + sum(self._shares.values())
        before = sum(self._before[f] for f in self._before.keys() - set(state.elsewhere))
        self._made = self._done_now - len(state.elsewhere) - before
        for folder in under_way:
            self._active(folder)
        for folder, lock in state.held.items():
            self._wait_for(folder, lock.owner)
        ended = f"{len(state.ended)}/{self._count}{self._left()}"
        for folder in (*state.ended, *state.failed, *state.stopped):
            self._finished(folder, ended)
        for folder in state.elsewhere:
            self._finished(folder, ended, "is running in another process")
        for folder in state.waiting:  # its worker was killed, or another process left it
            if folder in self._tasks:
                self._bars.update(self._tasks[folder], note="waiting to continue")
        assert self._all is not None
        note = "saving checkpoints …" if state.signals else self._counts(state)
        self._bars.update(self._all, completed=self._done_now, note=note)
        self._summary = f"{self._counts(state, running=len(state.active))}{self._left()}"

    def _words(self) -> str:
        return f"{self._title}{self._summary}"

    def _counts(self, state: PoolState, running: int = 0) -> str:
        counts = {
            "running": running,
            "failed": len(state.failed),
            "running elsewhere": len(state.held) + len(state.elsewhere),
            "killed and restarted": sum(state.deaths.values()),
        }
        others = [f"{count} {words}" for words, count in counts.items() if count]
        return ", ".join([f"{len(state.ended)}/{self._count} runs", *others])

    def _left(self) -> str:
        """Return the estimated time left in words; empty if too little is done to estimate it."""
        total, done = self._count - self._base, self._done_now
        if self._made < _FEWEST_DONE or done >= total:
            return ""
        seconds = (time.monotonic() - self._started) * (total - done) / self._made
        return f", about {duration(seconds)} left"

    def _note_share(self, folder: RunFolder[Any]) -> None:
        """Note how much of a run is done; one that has just ended has no progress file."""
        if (progress := folder.progress()) is not None:
            self._shares[folder] = progress.share

    def _active(self, folder: RunFolder[Any]) -> None:
        if folder not in self._tasks:
            self._tasks[folder] = self._bars.add_task(
                self._name(folder), total=1.0, note="starting"
            )
        if (progress := folder.progress()) is not None:
            note = visible(progress.note)
            self._bars.update(self._tasks[folder], completed=progress.share, note=note)

    def _wait_for(self, folder: RunFolder[Any], owner: Owner | None) -> None:
        """Print once that a run of another process is waited for."""
        if folder in self._awaited:
            return
        self._awaited.add(folder)
        by = f" ({owner})" if owner else ""
        self._notices.print(
            f"{self._name(folder)}: waiting for another process that is working on it{by}. Ctrl-C "
            "stops waiting.",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )

    def _name(self, folder: RunFolder[Any]) -> str:
        """Return a run's printable path, relative to the common parent of all runs."""
        return visible(folder.path.relative_to(self._root))

    def _finished(self, folder: RunFolder[Any], ended: str, how: str = "") -> None:
        """Print once that a run needs no more work here: ``how``, or its status."""
        if folder in self._reported:
            return
        self._reported.add(folder)
        if folder in self._tasks:
            self._bars.remove_task(self._tasks.pop(folder))
        if not how:
            how = ": ".join(filter(None, folder.read_outcome()))
        line = plain(f"{self._name(folder)} {how} ({ended})")
        self._bars.console.print(line, soft_wrap=True)
