"""What decides a claim: a number for each seed, its mean with an interval, and a bound.

Each measure is data: it names the arms it needs, says in words what it is, and is measured on
:class:`~learnorder.reproduce.evidence.Evidence`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import Literal, Protocol

from learnorder.config.arm_titles import ARM_WORDS
from learnorder.reproduce.evidence import Evidence, Need
from learnorder.statistics import (
    PER_CENT,
    POINTS,
    POSITIVE,
    Estimate,
    Measured,
    Unit,
    compare_times,
    measure_difference,
    measure_mean,
    range_of,
    ratio_of_means,
    ratio_p,
)
from learnorder.statistics.learned import PATCH_LEVEL


class Measure(Protocol):
    """A number that decides a claim, or stands beside it."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """The arms it is measured on."""
        ...

    def words(self) -> str:
        """What is measured."""
        ...

    def bound_words(self) -> str:
        """What the interval is compared with."""
        ...

    def measured(self, evidence: Evidence) -> Measured:
        """Measure it; n = 0 where there is nothing to measure."""
        ...


_QUANTITIES = {
    ("clean", "accuracy"): "accuracy on clean images",
    ("train", "accuracy"): "training accuracy",
    ("patch_only", "accuracy"): "patch-only accuracy",
    ("conflict", "reliance"): "reliance on the patch",
    ("p_only", "error"): "error on P-only test examples",
}
_PLACES = {
    "plain": "without a patch",
    "unpatched": "without it",
    "patch": "with the patch",
    "convolution": "with shared filters",
}


@dataclass(frozen=True)
class Value:
    """A quantity of an arm, one number for each seed.

    Attributes:
        experiment: Its name.
        arm: Its name there.
        set: Evaluation set or train.
        quantity: Recorded quantity.
        when: After the last epoch (or at the end of training), or the mean over the second half of
            the large-LR phase.
    """

    experiment: str
    arm: str
    set: str = "clean"
    quantity: str = "accuracy"
    when: Literal["final", "before_anneal"] = "final"

    @property
    def needs(self) -> tuple[Need, ...]:
        """The arm; and the large one, which says when the anneal is."""
        own = (self.experiment, self.arm)
        large = (self.experiment, "large")
        return (own,) if self.when == "final" or own == large else (own, large)

    def words(self) -> str:
        """What it is."""
        when = "final" if self.when == "final" else "before the anneal,"
        return f"{when} {_QUANTITIES[self.set, self.quantity]} of {ARM_WORDS[self.arm]}"

    def by_seed(self, evidence: Evidence) -> dict[int, float]:
        """Return the numbers; empty where the arm was not run or has no such phase."""
        found = evidence.results(self.experiment, self.arm)
        if found is None:
            return {}
        if self.when == "final":
            return found.final(self.arm, self.set, self.quantity)
        phase, images = evidence.phase(self.experiment), evidence.images(self.experiment, self.arm)
        if phase is None or images is None:
            return {}
        series = images.series(self.arm, self.set, self.quantity)
        return {s: math.fsum(v[e] for e in phase) / len(phase) for s, v in series.items()}


@dataclass(frozen=True)
class Difference:
    """A paired difference a − b over the seeds that both have."""

    a: Value
    b: Value
    unit: Unit = POINTS

    @property
    def needs(self) -> tuple[Need, ...]:
        """The arms of both."""
        return needs_of(self.a, self.b)

    def words(self) -> str:
        """What is measured."""
        a, b = self.a, self.b
        if (a.set, a.quantity, a.when) != (b.set, b.quantity, b.when) or (
            a.arm != b.arm and a.experiment != b.experiment
        ):
            return f"{a.words()}, less {b.words()}"
        if a.experiment == b.experiment and a.arm != b.arm:
            return f"{a.words()}, less that of {ARM_WORDS[b.arm]}"
        return f"{a.words()} {_PLACES[a.experiment]}, less that {_PLACES[b.experiment]}"

    def bound_words(self) -> str:
        """What the interval is compared with."""
        return "0"

    def measured(self, evidence: Evidence) -> Measured:
        """Return the paired t interval, to be compared with 0."""
        a, b = self.a.by_seed(evidence), self.b.by_seed(evidence)
        return measure_difference(a, b, self.unit, within=range_of(self.a.quantity))


@dataclass(frozen=True)
class Level:
    """A value beside a bound: a number, or twice the accuracy of guessing (None)."""

    value: Value
    bound: float | None = None
    unit: Unit = PER_CENT

    @property
    def needs(self) -> tuple[Need, ...]:
        """The value's arms."""
        return self.value.needs

    def words(self) -> str:
        """What is measured."""
        return self.value.words()

    def bound_words(self) -> str:
        """What the interval is compared with."""
        return "twice chance" if self.bound is None else f"{self.bound * self.unit.scale:.4g} %"

    def measured(self, evidence: Evidence) -> Measured:
        """Return the t interval of the mean."""
        seeds = self.value.by_seed(evidence)
        chance = evidence.chance(self.value.experiment)
        twice = math.nan if chance is None else 2 * chance
        bound = twice if self.bound is None else self.bound
        return measure_mean(seeds, bound, self.unit, within=range_of(self.value.quantity))


@dataclass(frozen=True)
class Share:
    """How much of the gap c − b the difference a − b makes up: (a − b) / (c − b)."""

    a: Value
    b: Value
    c: Value

    @property
    def needs(self) -> tuple[Need, ...]:
        """The arms of all three."""
        return needs_of(self.a, self.b, self.c)

    def words(self) -> str:
        """What is measured."""
        a, b, c = (ARM_WORDS[value.arm] for value in (self.a, self.b, self.c))
        what = _QUANTITIES[self.a.set, self.a.quantity]
        return f"share of the gap in final {what} from {b} to {c} that {a} closes"

    def bound_words(self) -> str:
        """What the interval is compared with."""
        return "0"

    def measured(self, evidence: Evidence) -> Measured:
        """Return the ratio of means with Fieller's interval."""
        a, b, c = (value.by_seed(evidence) for value in (self.a, self.b, self.c))
        seeds = a.keys() & b.keys() & c.keys()
        closed, gap = {s: a[s] - b[s] for s in seeds}, {s: c[s] - b[s] for s in seeds}
        found = ratio_of_means(closed, gap)
        return Measured(found, 0.0, Unit("% of the gap", 100, 0), p=ratio_p(closed, gap, 0.0))


@dataclass(frozen=True)
class Ratio:
    """The ratio a / b of two means."""

    a: Value
    b: Value

    @property
    def needs(self) -> tuple[Need, ...]:
        """The arms of both."""
        return needs_of(self.a, self.b)

    def words(self) -> str:
        """What is measured."""
        return f"{self.a.words()}, over that of {ARM_WORDS[self.b.arm]}"

    def bound_words(self) -> str:
        """What the interval is compared with."""
        return "1"

    def measured(self, evidence: Evidence) -> Measured:
        """Return the ratio of means with Fieller's interval, to be compared with 1."""
        a, b = self.a.by_seed(evidence), self.b.by_seed(evidence)
        found = ratio_of_means(a, b, within=POSITIVE)
        return Measured(found, 1.0, Unit("times"), p=ratio_p(a, b, 1.0))


@dataclass(frozen=True)
class Learned:
    """The first epoch at which an arm has the patch: patch-only accuracy of 90 %."""

    arm: str
    experiment: str = "patch"

    @property
    def needs(self) -> tuple[Need, ...]:
        """The arm."""
        return ((self.experiment, self.arm),)

    def words(self) -> str:
        """What is measured."""
        return f"first epoch of {ARM_WORDS[self.arm]} with {100 * PATCH_LEVEL:.0f} % on the patch"

    def bound_words(self) -> str:
        """It is compared with nothing."""
        return "–"

    def by_seed(self, evidence: Evidence) -> dict[int, float | None]:
        """Return the epochs, None where it never is."""
        found = evidence.images(self.experiment, self.arm)
        if found is None:
            return {}
        return {
            seed: None if epoch is None else float(epoch)
            for seed, epoch in found.learned(self.arm, "patch").items()
        }

    def measured(self, evidence: Evidence) -> Measured:
        """Return the median, never counted as later than all, and how many never get there."""
        found = self.by_seed(evidence)
        reached = {seed: epoch for seed, epoch in found.items() if epoch is not None}
        never = len(found) - len(reached)
        note = f"{never} of {len(found)} seeds never" if never else ""
        middle = median(math.inf if e is None else e for e in found.values()) if found else math.nan
        e = Estimate(middle, math.nan, math.nan, len(found))
        return Measured(e, math.nan, Unit("(median)"), reached, note)


@dataclass(frozen=True)
class Later:
    """How many epochs later arm ``a`` has the patch than arm ``b``.

    A paired t interval, compared with 0; or, where a run never gets there, the sign test of
    :func:`~learnorder.statistics.compare_times`.
    """

    a: Learned
    b: Learned

    @property
    def needs(self) -> tuple[Need, ...]:
        """The arms of both."""
        return needs_of(self.a, self.b)

    def words(self) -> str:
        """What is measured."""
        return f"{self.a.words()}, less that of {ARM_WORDS[self.b.arm]}"

    def bound_words(self) -> str:
        """What the interval is compared with."""
        return (
            "0 epochs (where a run never gets there, the sign test: the share of the seeds in "
            "which the first is later, 50 %)"
        )

    def measured(self, evidence: Evidence) -> Measured:
        """Return the difference, or the sign test."""
        a, b = self.a.by_seed(evidence), self.b.by_seed(evidence)
        return compare_times(a, b, Unit("epochs"))


def needs_of(*parts: Value | Learned) -> tuple[Need, ...]:
    """Return the arms of several parts, each once."""
    return tuple(dict.fromkeys(need for part in parts for need in part.needs))
