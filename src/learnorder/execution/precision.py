"""What bf16 would save, and ``training.precision: auto``, which is decided before the first run.

In the settings of an experiment ``auto`` is replaced by fp32 or bf16 before its runs are planned.
So every run has one of the two in its configuration, and experiment.json has what was taken: an
experiment that continues takes it again, and measures nothing.
"""

from __future__ import annotations

import operator
import statistics
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar, cast

from learnorder.config.settings import RunConfig, TaskRunConfig
from learnorder.errors import ConfigError, LearnOrderError
from learnorder.execution.driver import Plan, check, cores_for, in_precision
from learnorder.execution.log_lines import note, phase
from learnorder.execution.settings import Execution
from learnorder.execution.workloads import some_workloads
from learnorder.runs.experiment import read_experiment
from learnorder.runs.kinds import kind_of
from learnorder.runs.manifest import find_manifests, read_manifest
from learnorder.values import to_plain

Precision: TypeAlias = Literal["fp32", "bf16"]
SettingsT = TypeVar("SettingsT")
_Place: TypeAlias = tuple[str, ...]
"""Names from the whole settings down to one of them."""

PAYS = 1.5
"""``auto`` takes bf16 if it is at least this many times as fast as fp32."""
_PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16")
_ROUNDS, _SECONDS, _FEWEST_STEPS = 3, 0.5, 2
"""Rounds in which the two take turns; seconds of a round, and its fewest steps, of which the first
only warms up."""


@dataclass(frozen=True)
class PrecisionTimes:
    """The time of training in bf16, measured beside that in fp32.

    Attributes:
        ratio: Time of a step in bf16 over that in fp32; None if bf16 cannot be used.
        steps: Number of steps timed in each.
        why_not: Why bf16 cannot be used, in a sentence.
    """

    ratio: float | None
    steps: int = 0
    why_not: str = ""

    @property
    def best(self) -> Precision:
        """What ``auto`` takes: bf16 if ``ratio`` ≤ 1/1.5, else fp32."""
        return "bf16" if self.ratio is not None and self.ratio <= 1 / PAYS else "fp32"

    def taken_words(self) -> str:
        """Return what ``auto`` takes, and why, in a sentence."""
        if self.ratio is None:
            return f"training.precision auto takes fp32: bf16 cannot be used here. {self.why_not}"
        rule = "" if self.best == "bf16" else f"; it takes bf16 up to {1 / PAYS:.2f} times"
        return (
            f"training.precision auto takes {self.best}: bf16 takes {self.ratio:.2f} times the "
            f"time of fp32 here ({self._measured()}){rule}."
        )

    def advice(self, precisions: Collection[str]) -> str:
        """Return what bf16 would save or saves, in a sentence.

        Args:
            precisions: Those of the planned runs.
        """
        if self.ratio is None:
            return f"bf16 cannot be used here. {self.why_not}"
        if "fp32" not in precisions:
            return f"bf16 takes {self.ratio:.2f} times the time of fp32 here ({self._measured()})."
        would = f"bf16 would take {self.ratio:.2f} times the time here ({self._measured()})"
        if self.best == "bf16":
            return f"{would}; --training.precision bf16 or auto takes it."
        return f"{would}; auto takes it up to {1 / PAYS:.2f} times, so it stays with fp32."

    def _measured(self) -> str:
        return f"measured on {self.steps} steps"


def with_precision(
    settings: SettingsT,
    plan: Callable[[SettingsT], Mapping[str, Plan[Any]]],
    out: Path,
    execution: Execution = Execution(),
) -> SettingsT:
    """Return an experiment's settings with fp32 or bf16 in place of ``training.precision: auto``.

    What is taken is printed, except if ``execution`` is quiet. Nothing is written.

    Args:
        settings: A dataclass, or a mapping of names to dataclasses or mappings.
        plan: Returns the runs of settings without auto.
        out: The folder of the experiment. If it has been begun there, what was taken then is taken.
        execution: How the runs are executed; steps are timed with the threads of a run.

    Raises:
        LearnOrderError: A planned run cannot be trained in fp32.
    """
    settled, words = settle(settings, plan, out, execution)
    if words:
        note(words, quiet=execution.quiet)
    return settled


def settle(
    settings: SettingsT,
    plan: Callable[[SettingsT], Mapping[str, Plan[Any]]],
    out: Path,
    execution: Execution,
) -> tuple[SettingsT, str]:
    """Return the settings of :func:`with_precision`, and what is taken; empty without auto."""
    places = [place for place, value in _precisions(to_plain(settings)) if value == "auto"]
    if not places:
        return settings, ""
    if (kept := _begun_with(out, places)) is not None:
        return _replaced(settings, places, kept), (
            f"training.precision auto: {kept}, as when the runs in {out} were begun."
        )
    times = compare_precisions(plan(_replaced(settings, places, "fp32")), execution)
    if times is None:
        return _replaced(settings, places, "fp32"), ""
    return _replaced(settings, places, times.best), times.taken_words()


def saving(plans: Mapping[str, Plan[Any]], execution: Execution) -> str:
    """Return what bf16 would save in planned runs, in a sentence; empty if none trains a network.

    Raises:
        LearnOrderError: A planned run cannot be trained in fp32.
    """
    times = compare_precisions(plans, execution)
    configs = _networks(plans)
    return "" if times is None else times.advice({c.training.precision for c in configs.values()})


def compare_precisions(
    plans: Mapping[str, Plan[Any]], execution: Execution
) -> PrecisionTimes | None:
    """Time steps of planned runs in both precisions; None if no run trains a network here.

    The two take turns, so that a busy machine slows both. If the runs differ in their workload, at
    most three of them are timed, spread evenly over the plans.

    Raises:
        LearnOrderError: A planned run cannot be trained in fp32.
    """
    from learnorder.runs.execute import arithmetic

    networks = _networks(plans)
    if not networks:
        return None
    plans32, plans16 = (
        {name: Plan(in_precision(config, precision), {}) for name, config in networks.items()}
        for precision in _PRECISIONS
    )
    check(plans32, execution.engine)
    try:
        check(plans16, execution.engine)
    except LearnOrderError as error:
        why = error.remedy if isinstance(error, ConfigError) else str(error)
        return PrecisionTimes(None, why_not=why.removesuffix(" Give fp32."))
    configs = [plan.config for plan in plans32.values()]
    threads = cores_for(configs, execution).threads
    timing = phase("timing a few steps in fp32 and in bf16", quiet=execution.quiet)
    with arithmetic(threads), timing:
        return _timed(some_workloads(configs))


def _networks(plans: Mapping[str, Plan[Any]]) -> dict[str, RunConfig | TaskRunConfig]:
    """Return the configurations of the planned runs that train a network here, by name."""
    configs = {name: plan.config for name, plan in plans.items()}
    return {n: c for n, c in configs.items() if isinstance(c, RunConfig | TaskRunConfig)}


def _timed(configs: Sequence[RunConfig | TaskRunConfig]) -> PrecisionTimes:
    """Return the time of bf16 over that of fp32, of one step of each configuration.

    A step is the same in all rounds, and the shortest of its times counts: others may have been
    longer because another process had the core.
    """
    seconds, steps = dict.fromkeys(_PRECISIONS, 0.0), 0
    for config in configs:
        timed = step_seconds([in_precision(config, p) for _ in range(_ROUNDS) for p in _PRECISIONS])
        fp32, bf16 = (
            [min(times) for times in zip(*timed[i :: len(_PRECISIONS)], strict=False)][1:]
            for i in range(len(_PRECISIONS))
        )
        usual = statistics.median(fp32)
        seconds["fp32"] += usual
        seconds["bf16"] += usual * statistics.median(map(operator.truediv, bf16, fp32))
        steps += _ROUNDS * min(len(fp32), len(bf16))
    return PrecisionTimes(seconds["bf16"] / seconds["fp32"], steps)


def step_seconds(configs: Sequence[RunConfig | TaskRunConfig]) -> list[list[float]]:
    """Return the seconds of a few training steps of each configuration, of one kind of run."""
    backend = cast("Any", kind_of(configs[0]).load_backend())  # only those that train networks
    return backend.step_seconds(configs, _SECONDS, _FEWEST_STEPS)


def _precisions(values: Any, place: _Place = ()) -> Iterator[tuple[_Place, str]]:
    """Yield every ``training.precision`` in nested mappings, with its place."""
    if not isinstance(values, Mapping):
        return
    for name, value in values.items():
        if name == "precision" and place[-1:] == ("training",):
            yield (*place, name), value
        else:
            yield from _precisions(value, (*place, name))


def _begun_with(out: Path, places: Sequence[_Place]) -> Precision | None:
    """Return the precision that an experiment in a folder has at one of some places."""
    begun = read_experiment(out) if out.is_dir() else None
    if begun is None:
        return None
    settings: list[Any] = [begun.settings]
    if begun.settings is None:  # a single run, or a folder of an older version
        settings = [read_manifest(each.parent)["config"] for each in find_manifests(out)]
    for values in settings:
        for there, value in _precisions(values):
            if value in _PRECISIONS and any(there[-len(place) :] == place for place in places):
                return value
    return None


def _replaced(settings: Any, places: Sequence[_Place], precision: Precision) -> Any:
    """Return settings with a precision at some places."""
    for place in places:
        settings = _with(settings, place, precision)
    return settings


def _with(settings: Any, place: Sequence[str], value: str) -> Any:
    if not place:
        return value
    name, *below = place
    if isinstance(settings, Mapping):
        return {**settings, name: _with(settings[name], below, value)}
    return replace(settings, **{name: _with(getattr(settings, name), below, value)})
