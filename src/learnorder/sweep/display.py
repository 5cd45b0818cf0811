"""Progress of many runs in the terminal: the parent process alone draws."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from learnorder.runs import ENDED, RunFolder
from learnorder.sweep.engine import Cores
from learnorder.sweep.pool import PoolState


class Display:
    """Bars for all runs and each active one; plain lines where there is no terminal.

    Args:
        folders: All runs.
        cores: How they share the machine.
        title: What the runs are of, where several experiments follow each other.
        quiet: Draw nothing.
    """

    def __init__(
        self,
        folders: Sequence[RunFolder],
        cores: Cores,
        *,
        title: str = "",
        quiet: bool = False,
    ) -> None:
        self._title = f"{title}: " if title else ""
        self._console = Console(stderr=True, quiet=quiet)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
            console=self._console,
            disable=quiet or not self._console.is_terminal,
        )
        self._count = len(folders)
        self._seen: dict[RunFolder, float] = {}
        self._tasks: dict[RunFolder, TaskID] = {}
        self._told: set[RunFolder] = {f for f in folders if f.status in ENDED}
        self._cores = cores
        self._all: TaskID | None = None
        self._base = float(len(self._told))

    def __enter__(self) -> Display:
        left = self._count - len(self._told)
        if left:
            threads = f"{self._cores.threads} thread{'s' * (self._cores.threads > 1)}"
            self._console.print(
                f"{self._title}{left} of {self._count} runs to do, {self._cores.workers} at once "
                f"with {threads} each"
            )
        self._bars.start()
        self._all = self._bars.add_task("all runs", total=float(left), note="")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def update(self, state: PoolState) -> None:
        """Draw the state of the pool."""
        done = len(state.ended) - self._base
        done += sum(self._done(f) for f in (*state.active, *state.failed))
        for folder in state.active:
            self._active(folder)
        for folder in (*state.ended, *state.failed):
            self._finished(folder)
        assert self._all is not None
        note = "saving checkpoints …" if state.signals else f"{len(state.ended)}/{self._count} runs"
        self._bars.update(self._all, completed=done, note=note)

    def _done(self, folder: RunFolder) -> float:
        """How far a run is that has not ended."""
        if (progress := folder.progress()) is not None:
            self._seen[folder] = progress.share
        return self._seen.get(folder, 0.0)  # a run that has just ended reports no more

    def _active(self, folder: RunFolder) -> None:
        if folder not in self._tasks:
            self._tasks[folder] = self._bars.add_task(
                escape(folder.name), total=1.0, note="starting"
            )
        if (progress := folder.progress()) is not None:
            self._bars.update(self._tasks[folder], completed=progress.share, note=progress.note)

    def _finished(self, folder: RunFolder) -> None:
        if folder in self._told:
            return
        self._told.add(folder)
        if folder in self._tasks:
            self._bars.remove_task(self._tasks.pop(folder))
        manifest = folder.manifest
        reason = f": {manifest['reason']}" if manifest["reason"] else ""
        self._bars.console.print(
            f"{folder.name} {manifest['status']}{reason} ({len(self._told)}/{self._count})",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
