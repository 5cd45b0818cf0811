"""How many runs share a GPU: as many as fit into its memory and together take the most steps.

A small network leaves most of a GPU idle while its kernels are launched, so several runs at once
finish earlier. This is measured on the planned runs: one process, then two, four, and so on train
at once, until more no longer pay or the memory is full.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import IO, Any, Literal

from learnorder.config.memory import size_words
from learnorder.config.settings import RunConfig, TaskRunConfig
from learnorder.execution.engine import Cores
from learnorder.execution.log_lines import note, phase
from learnorder.execution.machine import usable_cores
from learnorder.execution.processes import Processes, environment_on
from learnorder.execution.settings import Execution
from learnorder.execution.workloads import some_workloads
from learnorder.runs.stepper import StepCount, decode_count, encode_request

_SECONDS = 2.0
"""Time in which steps are counted."""
_LEAST_GAIN = 1.1
"""Twice as many runs at once are tried as long as that was worth this factor in steps."""
_NEAR_BEST = 0.95
"""The fewest runs at once are taken whose rate is at least this share of the best."""
_MEMORY_SHARE = 0.9
"""Share of a GPU's free memory that runs may take."""


@dataclass(frozen=True)
class Sharing:
    """How many runs share a GPU.

    Attributes:
        count: Runs at once on each GPU.
        rates: Steps per second of all runs together, by the number of runs at once; empty if only
            the memory was measured.
        fitting: Number of runs that fit into the memory.
        used_bytes: Memory that one of them needs, at most.
    """

    count: int
    rates: Mapping[int, float]
    fitting: int
    used_bytes: float

    @property
    def speed_up(self) -> float | None:
        """Steps per second relative to those of one run at a time; None if not measured."""
        return self.rates[self.count] / self.rates[1] if self.count in self.rates else None

    def words(self, asked: int | Literal["auto"]) -> str:
        """Return what was found, in a sentence.

        Args:
            asked: The setting ``runs_per_device``.
        """
        fit = f"{self.fitting} fit into the memory at {size_words(self.used_bytes)} each"
        if asked == "auto":
            rates = ", ".join(f"{rate:,.0f} with {k}" for k, rate in sorted(self.rates.items()))
            return (
                f"runs_per_device auto takes {self.count}: a GPU takes {rates} "
                f"run{'s' * (max(self.rates) > 1)} at once in steps per second; {fit}."
            )
        if self.fitting < asked:
            return f"{asked} runs at once are too many for a GPU: {fit}. It takes {self.count}."
        return f"{self.count} runs at once on each GPU; {fit}."


def share_devices(
    configs: Iterable[Any], execution: Execution, cores: Cores, *, timed: bool = False
) -> Cores:
    """Return how runs share the machine, after a trial of how many of them share a GPU.

    The trial is made if the engine's ``runs_per_device`` is not 1 and there are more runs than
    GPUs; for auto also only if there are two cores for each GPU. Its result is printed, unless
    ``execution`` is quiet and the number stays as given, and becomes the engine's
    ``runs_per_device``. If the trial fails, auto becomes 1, and a number stays as it is.

    Args:
        configs: Configurations of the runs to do, which have been checked; read only for a trial.
        execution: How they are executed.
        cores: How they share the machine without a trial.
        timed: Measure what several runs at once save even if their number is given.
    """
    engine = execution.engine
    if not isinstance(engine, Processes) or engine.runs_per_device == 1 or engine.measured:
        return cores
    configs = list(configs)
    networks = [c for c in configs if isinstance(c, RunConfig | TaskRunConfig)]
    devices, asked = max(1, len(engine.devices)), engine.runs_per_device
    runs = -(-len(networks) // devices)
    per_device = max(1, usable_cores() // devices)
    most = min(runs, per_device if asked == "auto" else asked)
    if most < 2:
        if runs > 1:
            engine.runs_per_device, engine.measured = 1, True
            why = (
                f"there are {usable_cores()} cores for {devices} GPUs"
                if devices > 1
                else "there is one core"
            )
            note(f"runs_per_device auto takes 1: {why}.", quiet=execution.quiet)
        return cores
    threads = execution.threads or max(1, per_device // most)
    trial = _Trial(some_workloads(networks), threads, next(iter(engine.devices), None))
    try:
        with phase("measuring how many runs share a GPU", quiet=execution.quiet), trial:
            found = trial.sharing(asked, most, timed=timed)
    except _EndedError as error:
        note(f"How many runs share a GPU could not be measured: {error}", quiet=execution.quiet)
        return cores
    reduced = asked != "auto" and found.fitting < asked
    note(found.words(asked), quiet=execution.quiet and not reduced)
    each = found.count if asked == "auto" else min(asked, found.fitting)
    if asked != "auto" or each < runs:  # else more runs of a later stage may take more
        engine.runs_per_device, engine.measured = each, True
    shared = Processes(engine.devices, each).cores(
        len(configs), None, execution.threads, accelerated=True
    )
    gain = found.speed_up
    return replace(shared, speed_up=None if gain is None else gain * devices)


def best_count(rates: Mapping[int, float]) -> int:
    """Return the fewest runs at once whose rate is close to the best.

    Args:
        rates: Steps per second of all runs together, by the number of runs at once.

    >>> best_count({1: 100, 2: 190, 4: 300, 8: 310}), best_count({1: 100, 2: 103})
    (4, 1)
    """
    best = max(rates.values())
    return min(count for count, rate in rates.items() if rate >= _NEAR_BEST * best)


def fitting_count(used: float, free: float) -> int:
    """Return how many runs fit into a memory, at least 1.

    Args:
        used: Bytes that one run needs, and has at present.
        free: Bytes that are left beside it.

    >>> fitting_count(2e9, 78e9), fitting_count(2e9, 1e9)
    (36, 1)
    """
    return max(1, int(_MEMORY_SHARE * (used + free) / used))


class _EndedError(Exception):
    """A process of the trial has ended, e.g. because the memory is full; its last words."""


class _Trial:
    """Processes that train at once on one GPU; they are stopped after the ``with`` block.

    Args:
        workloads: Configurations of different workloads; that with the most memory is timed.
        threads: Threads of each process.
        device: The GPU, as CUDA_VISIBLE_DEVICES; None is the default one.
    """

    def __init__(
        self, workloads: Sequence[RunConfig | TaskRunConfig], threads: int, device: str | None
    ) -> None:
        self._workloads, self._threads, self._device = workloads, threads, device
        self._started = ExitStack()

    def __enter__(self) -> _Trial:
        return self

    def __exit__(self, *_: object) -> None:
        self._started.close()

    def sharing(self, asked: int | Literal["auto"], most: int, *, timed: bool) -> Sharing:
        """Return how many runs share the GPU, at most ``most``.

        Raises:
            _EndedError: A single process could not take steps.
        """
        config, first = self._largest()
        found = first.next_count()
        fitting = fitting_count(found.used_bytes, found.free_bytes)
        most, processes, rates = min(most, fitting), [first], dict[int, float]()
        counts = _doubled(most) if asked == "auto" else [1, most] if timed else []
        for count in dict.fromkeys(counts):
            try:
                processes += [self._start(config) for _ in range(count - len(processes))]
                for process in processes:
                    process.next_count()
                rate = _rate(processes)
            except _EndedError:
                if not rates:
                    raise
                fitting = most = max(rates)
                break
            pays = not rates or rate >= _LEAST_GAIN * rates[max(rates)]
            rates[count] = rate
            if not pays:
                break
        taken = best_count(rates) if asked == "auto" else most
        return Sharing(taken, rates, fitting, found.used_bytes)

    def _largest(self) -> tuple[RunConfig | TaskRunConfig, _Stepper]:
        """Return the workload that needs the most memory, and a process that trains on it."""
        needs = list[float]()
        for config in self._workloads[1:]:
            with _Stepper(config, self._threads, self._device) as process:
                needs.append(process.next_count().used_bytes)
        first = self._start(self._workloads[0])
        needs.insert(0, first.next_count().used_bytes)
        largest = self._workloads[needs.index(max(needs))]
        if largest is self._workloads[0]:
            return largest, first
        first.stop()
        return largest, self._start(largest)

    def _start(self, config: RunConfig | TaskRunConfig) -> _Stepper:
        return self._started.enter_context(_Stepper(config, self._threads, self._device))


def _doubled(most: int) -> list[int]:
    """Return 1, 2, 4, 8, … and at the end ``most``.

    >>> _doubled(6), _doubled(1)
    ([1, 2, 4, 6], [1])
    """
    counts = [1]
    while counts[-1] < most:
        counts.append(min(2 * counts[-1], most))
    return counts


def _rate(processes: Sequence[_Stepper]) -> float:
    """Return the steps per second of processes that are all training, within the next seconds."""
    begun = time.monotonic()
    return sum(process.rate(begun, begun + _SECONDS) for process in processes)


class _Stepper:
    """A process of :mod:`learnorder.runs.stepper`, which is killed after the ``with`` block."""

    def __init__(self, config: RunConfig | TaskRunConfig, threads: int, device: str | None) -> None:
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - stop() closes it
        self._process = subprocess.Popen(
            [sys.executable, "-m", "learnorder.runs.stepper", "--threads", str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment_on(threads, device),
            start_new_session=True,
        )
        assert self._process.stdin is not None
        with suppress(BrokenPipeError), self._process.stdin as requests:  # next_count() says why
            requests.write(encode_request(config))

    def __enter__(self) -> _Stepper:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._errors.close()

    def next_count(self) -> StepCount:
        """Wait for the next count of steps.

        Raises:
            _EndedError: The process has ended.
        """
        assert self._process.stdout is not None
        if line := self._process.stdout.readline():
            return decode_count(line)
        self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").split("\n")
        raise _EndedError(next((line for line in reversed(lines) if line.strip()), "it was killed"))

    def rate(self, begin: float, end: float) -> float:
        """Return the steps per second between two times of ``time.monotonic``, about."""
        steps, seconds = 0, 0.0
        while (count := self.next_count()).ended < end or not steps:
            if count.begun >= begin:
                steps += count.steps
                seconds += count.ended - count.begun
        return steps / seconds
