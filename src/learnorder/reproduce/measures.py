"""Measures of claims: a number for each seed, its mean with an interval, and a bound.

A measure lists the arms it needs, describes itself in words, and is evaluated on
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
    Range,
    Unit,
    compare_times,
    differences,
    measure_difference,
    measure_mean,
    range_of,
    ratio_of_means,
    ratio_p,
)
from learnorder.statistics.learned import PATCH_LEVEL


class Measure(Protocol):
    """A primary or secondary measure of a claim."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """The experiments and arms that it uses."""
        ...

    def words(self) -> str:
        """Return a description."""
        ...

    def bound_words(self) -> str:
        """Return the bound, in words."""
        ...

    def measured(self, evidence: Evidence) -> Measured:
        """Return the estimate with its interval; n = 0 without runs to measure."""
        ...


class SeedValues(Protocol):
    """A number for each seed of an arm, which measures average or compare."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """The experiments and arms that it uses."""
        ...

    @property
    def experiment(self) -> str:
        """The experiment of the arm."""
        ...

    @property
    def arm_words(self) -> str:
        """The arm, in words."""
        ...

    @property
    def within(self) -> Range:
        """The range of possible numbers."""
        ...

    def what(self) -> str:
        """Return what is measured, in words that hold for any arm: "%s" stands for the arm."""
        ...

    def place(self) -> str:
        """Return the experiment as a qualifier, e.g. "with the patch"."""
        ...

    def by_seed(self, evidence: Evidence) -> dict[int, float]:
        """Return the numbers; empty without runs."""
        ...


_QUANTITIES = {
    ("clean", "accuracy"): "accuracy on clean images",
    ("train", "accuracy"): "training accuracy",
    ("patch_only", "accuracy"): "patch-only accuracy",
    ("conflict", "reliance"): "reliance on the patch",
    ("all", "loss"): "test loss",
    ("p_only", "loss"): "loss on P-only test examples",
    ("p_only", "error"): "error on P-only test examples",
}
_PLACES = {
    "plain": "without a patch",
    "unpatched": "without it",
    "patch": "with the patch",
    "convolution": "with shared filters",
    "unaugmented": "without augmentation",
    "augmented": "with augmentation",
    "normalised": "with batch norm",
    "normalised_twice": "with batch norm",
    "unnormalised": "without batch norm",
}


@dataclass(frozen=True)
class Value:
    """A quantity of an arm, one number for each seed.

    Attributes:
        experiment: Name of the experiment.
        arm: Name of the arm.
        set: Evaluation set, or train.
        quantity: Recorded quantity.
        when: ``final`` is the value at the end of training, ``before_anneal`` the mean over
            :meth:`Evidence.plateau <learnorder.reproduce.evidence.Evidence.plateau>`.
    """

    experiment: str
    arm: str
    set: str = "clean"
    quantity: str = "accuracy"
    when: Literal["final", "before_anneal"] = "final"

    @property
    def needs(self) -> tuple[Need, ...]:
        """The arm; before the anneal also the large arm, which defines the anneal's epoch."""
        arm = (self.experiment, self.arm)
        large = (self.experiment, "large")
        return (arm,) if self.when == "final" or arm == large else (arm, large)

    @property
    def arm_words(self) -> str:
        """The arm, in words."""
        return ARM_WORDS[self.arm]

    @property
    def within(self) -> Range:
        """The range of possible numbers."""
        return range_of(self.quantity)

    def what(self) -> str:
        """Return what is measured; "%s" stands for the arm."""
        words = f"{_QUANTITIES[self.set, self.quantity]} of %s"
        return f"final {words}" if self.when == "final" else f"{words} before the anneal"

    def place(self) -> str:
        """Return the experiment as a qualifier."""
        return _PLACES[self.experiment]

    def by_seed(self, evidence: Evidence) -> dict[int, float]:
        """Return the numbers; empty if the arm has no runs, or the large arm no anneal."""
        results = evidence.results(self.experiment, self.arm)
        if results is None:
            return {}
        if self.when == "final":
            return results.final(self.arm, self.set, self.quantity)
        epochs, images = (
            evidence.plateau(self.experiment),
            evidence.images(self.experiment, self.arm),
        )
        if epochs is None or images is None:
            return {}
        series = images.series(self.arm, self.set, self.quantity)
        return {s: math.fsum(v[e] for e in epochs) / len(epochs) for s, v in series.items()}


@dataclass(frozen=True)
class Difference:
    """A paired difference a − b over the seeds that both have.

    Attributes:
        a: The first value.
        b: The second value.
        unit: Unit of the difference.
        bound: The bound; with a negative one, "above" tests that a is not inferior to b by more.
    """

    a: SeedValues
    b: SeedValues
    unit: Unit = POINTS
    bound: float = 0.0

    @property
    def needs(self) -> tuple[Need, ...]:
        """The arms of both."""
        return needs_of(self.a, self.b)

    def words(self) -> str:
        """Return a description."""
        a, b = self.a, self.b
        alike, one_arm = a.experiment == b.experiment, a.arm_words == b.arm_words
        if a.what() != b.what() or alike == one_arm:
            return f"{words_of(a)}, minus {words_of(b)}"
        if alike:
            return f"{words_of(a)}, minus that of {b.arm_words}"
        return f"{words_of(a)} {a.place()}, minus that {b.place()}"

    def bound_words(self) -> str:
        """Return the bound, in words."""
        return self.unit.show_value(self.bound) if self.bound else "0"

    def measured(self, evidence: Evidence) -> Measured:
        """Return the mean of a − b with its paired t interval."""
        a, b = self.a.by_seed(evidence), self.b.by_seed(evidence)
        return measure_difference(a, b, self.unit, within=self.a.within, bound=self.bound)


@dataclass(frozen=True)
class Level:
    """A value compared with a bound: a number, or None for twice the accuracy of a random guess."""

    value: SeedValues
    bound: float | None = None
    unit: Unit = PER_CENT

    @property
    def needs(self) -> tuple[Need, ...]:
        """The value's arms."""
        return self.value.needs

    def words(self) -> str:
        """Return a description."""
        return words_of(self.value)

    def bound_words(self) -> str:
        """Return the bound, in words."""
        if self.bound is None:
            return "twice chance"
        return self.unit.show_value(self.bound)

    def measured(self, evidence: Evidence) -> Measured:
        """Return the t interval of the mean."""
        chance = evidence.chance(self.value.experiment)
        twice = math.nan if chance is None else 2 * chance
        bound = twice if self.bound is None else self.bound
        values, limits = self.value.by_seed(evidence), self.value.within
        return measure_mean(values, bound, self.unit, within=limits)


@dataclass(frozen=True)
class Share:
    """The share of the gap c − b that a closes: (a − b) / (c − b)."""

    a: Value
    b: Value
    c: Value

    @property
    def needs(self) -> tuple[Need, ...]:
        """The arms of all three."""
        return needs_of(self.a, self.b, self.c)

    def words(self) -> str:
        """Return a description."""
        a, b, c = (ARM_WORDS[value.arm] for value in (self.a, self.b, self.c))
        quantity = _QUANTITIES[self.a.set, self.a.quantity]
        return f"share of the gap in final {quantity} from {b} to {c} that {a} closes"

    def bound_words(self) -> str:
        """Return the bound, in words."""
        return "0"

    def measured(self, evidence: Evidence) -> Measured:
        """Return the ratio of means with Fieller's interval; the bound is 0."""
        a, b, c = (value.by_seed(evidence) for value in (self.a, self.b, self.c))
        closed, gap = differences(a, b), differences(c, b)
        share = ratio_of_means(closed, gap)
        return Measured(share, 0.0, Unit("% of the gap", 100, 0), p=ratio_p(closed, gap, 0.0))


@dataclass(frozen=True)
class Ratio:
    """The ratio a / b of two means."""

    a: SeedValues
    b: SeedValues

    @property
    def needs(self) -> tuple[Need, ...]:
        """The arms of both."""
        return needs_of(self.a, self.b)

    def words(self) -> str:
        """Return a description."""
        return f"{words_of(self.a)}, divided by that of {self.b.arm_words}"

    def bound_words(self) -> str:
        """Return the bound, in words."""
        return "1"

    def measured(self, evidence: Evidence) -> Measured:
        """Return the ratio of means with Fieller's interval; the bound is 1."""
        a, b = self.a.by_seed(evidence), self.b.by_seed(evidence)
        ratio = ratio_of_means(a, b, within=POSITIVE)
        return Measured(ratio, 1.0, Unit("times"), p=ratio_p(a, b, 1.0))


@dataclass(frozen=True)
class Learned:
    """The first epoch at which an arm has learned the patch: patch-only accuracy ≥ 90 %."""

    arm: str
    experiment: str = "patch"

    @property
    def needs(self) -> tuple[Need, ...]:
        """The arm."""
        return ((self.experiment, self.arm),)

    def words(self) -> str:
        """Return a description."""
        return f"first epoch of {ARM_WORDS[self.arm]} with {100 * PATCH_LEVEL:.0f} % on the patch"

    def bound_words(self) -> str:
        """Return a dash: it is not compared with a bound."""
        return "–"

    def by_seed(self, evidence: Evidence) -> dict[int, float | None]:
        """Return the epochs; None for a run that never learns the patch."""
        results = evidence.images(self.experiment, self.arm)
        epochs = {} if results is None else results.learned(self.arm, "patch")
        return {seed: None if e is None else float(e) for seed, e in epochs.items()}

    def measured(self, evidence: Evidence) -> Measured:
        """Return the median, with never as infinity, and a note on the seeds that never do."""
        epochs = self.by_seed(evidence)
        reached = {seed: epoch for seed, epoch in epochs.items() if epoch is not None}
        never, n = len(epochs) - len(reached), len(epochs)
        note = f"{never} of {n} seeds never" if never else ""
        middle = median(math.inf if e is None else e for e in epochs.values()) if n else math.nan
        return Measured(
            Estimate(middle, math.nan, math.nan, n), math.nan, Unit("(median)"), reached, note
        )


@dataclass(frozen=True)
class Later:
    """How many epochs later arm ``a`` learns the patch than arm ``b``.

    A paired t interval, compared with 0. If a run never learns the patch, the sign test of
    :func:`~learnorder.statistics.compare_times`.
    """

    a: Learned
    b: Learned

    @property
    def needs(self) -> tuple[Need, ...]:
        """The arms of both."""
        return needs_of(self.a, self.b)

    def words(self) -> str:
        """Return a description."""
        return f"{self.a.words()}, minus that of {ARM_WORDS[self.b.arm]}"

    def bound_words(self) -> str:
        """Return the bound, in words."""
        return (
            "0 epochs (if a run never learns it, a sign test: the first arm is later on 50 % of "
            "the seeds)"
        )

    def measured(self, evidence: Evidence) -> Measured:
        """Return the mean difference in epochs, or the share of seeds in the sign test."""
        a, b = self.a.by_seed(evidence), self.b.by_seed(evidence)
        return compare_times(a, b, Unit("epochs"))


def words_of(value: SeedValues) -> str:
    """Return a description of an arm's numbers."""
    return value.what() % value.arm_words


def needs_of(*parts: SeedValues | Learned) -> tuple[Need, ...]:
    """Return the distinct experiments and arms of several values."""
    return tuple(dict.fromkeys(need for part in parts for need in part.needs))
