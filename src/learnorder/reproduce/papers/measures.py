"""What papers' claims measure: recorded quantities of an arm."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from learnorder.reproduce.evidence import Evidence, Need
from learnorder.reproduce.measures import SeedValues, needs_of
from learnorder.runs.results import Results, TaskResults
from learnorder.statistics import (
    PER_CENT,
    POINTS,
    POSITIVE,
    SHARE,
    SHARE_DIFFERENCE,
    Measured,
    Range,
    Unit,
    differences,
    proportion,
    range_of,
    sign_p,
)

Epochs: TypeAlias = tuple[int, int] | Literal["second half"]
"""Epochs over which a mean is taken: the first and the last, or the second half of each run."""


@dataclass(frozen=True)
class Quantity:
    """A quantity in the records of runs.

    Attributes:
        set: The set, e.g. validation, train or run.
        name: The quantity, e.g. accuracy.
        words: What it is, e.g. "accuracy on flipped labels".
        group: The group of examples within the set.
    """

    set: str
    name: str
    words: str
    group: str = "all"

    @property
    def within(self) -> Range:
        """The range of possible values; the losses are cross-entropies and squared errors."""
        return range_of(self.name, loss=POSITIVE)

    @property
    def is_share(self) -> bool:
        """Whether it is shown in per cent."""
        return self.within in (SHARE, SHARE_DIFFERENCE)

    @property
    def level_unit(self) -> Unit:
        """The unit of its values."""
        return PER_CENT if self.is_share else Unit("", digits=3)

    @property
    def difference_unit(self) -> Unit:
        """The unit of differences."""
        return POINTS if self.is_share else Unit("", digits=3)


@dataclass(frozen=True)
class _OfArm:
    """What measures of one arm share.

    Attributes:
        experiment: The experiment.
        arm: The arm, in words.
        quantity: The quantity.
    """

    experiment: str
    arm: str
    quantity: Quantity

    @property
    def needs(self) -> tuple[Need, ...]:
        """The arm."""
        return ((self.experiment, self.arm),)

    @property
    def arm_words(self) -> str:
        """The arm, in words."""
        return self.arm

    def place(self) -> str:
        """Return the experiment as a qualifier."""
        return f"in {self.experiment}"


@dataclass(frozen=True)
class Recorded(_OfArm):
    """A recorded quantity of an arm, by seed: one of the ``SeedValues`` of claims.

    Attributes:
        epochs: The epochs of a mean; None: the value after the last epoch.
    """

    epochs: Epochs | None = None

    @property
    def within(self) -> Range:
        """The range of possible values."""
        return self.quantity.within

    def what(self) -> str:
        """Return what is measured; "%s" stands for the arm."""
        words = self.quantity.words.replace("%", "%%")
        return (
            f"final {words} of %s" if self.epochs is None else f"{words} of %s {when(self.epochs)}"
        )

    def by_seed(self, evidence: Evidence) -> dict[int, float]:
        """Return the values of finished runs; empty if the arm has none."""
        results = evidence.networks(self.experiment, self.arm)
        if results is None:
            return {}
        return values_of(results, self.arm, self.quantity, self.epochs)


@dataclass(frozen=True)
class Total(_OfArm):
    """The sum of a counted quantity of an arm over epochs, by seed.

    Attributes:
        epochs: The first and the last epoch; None: all of each run.
    """

    epochs: tuple[int, int] | None = None

    @property
    def within(self) -> Range:
        """The range of possible sums: not negative."""
        return POSITIVE

    def what(self) -> str:
        """Return what is measured; "%s" stands for the arm."""
        words = f"total {self.quantity.words.replace('%', '%%')} of %s"
        return words if self.epochs is None else f"{words} {when(self.epochs)}"

    def by_seed(self, evidence: Evidence) -> dict[int, float]:
        """Return the sums of finished runs; empty if the arm has none."""
        results, q = evidence.networks(self.experiment, self.arm), self.quantity
        if results is None:
            return {}
        series = results.series(self.arm, q.set, q.name, q.group)
        first, last = self.epochs or (1, math.inf)
        return {
            seed: math.fsum(value for epoch, value in values.items() if first <= epoch <= last)
            for seed, values in series.items()
        }


@dataclass(frozen=True)
class Gain:
    """How far one arm of an experiment is ahead of another, by seed: a − b.

    The gains of two experiments are compared by a difference, paired by seed.

    Attributes:
        a: The value of the arm that gains.
        b: The value of the other arm.
    """

    a: SeedValues
    b: SeedValues

    @property
    def needs(self) -> tuple[Need, ...]:
        """The arms of both."""
        return needs_of(self.a, self.b)

    @property
    def experiment(self) -> str:
        """The experiment of both arms."""
        return self.a.experiment

    @property
    def arm_words(self) -> str:
        """Both arms, in words."""
        return f"{self.a.arm_words} over {self.b.arm_words}"

    @property
    def within(self) -> Range:
        """The range of possible gains."""
        return self.a.within.difference()

    def what(self) -> str:
        """Return what is measured; "%s" stands for the arms."""
        return f"gain in {self.a.what()}"

    def place(self) -> str:
        """Return the experiment as a qualifier."""
        return self.a.place()

    def by_seed(self, evidence: Evidence) -> dict[int, float]:
        """Return the gains on the seeds that both arms have finished."""
        return differences(self.a.by_seed(evidence), self.b.by_seed(evidence))


@dataclass(frozen=True)
class Distance(_OfArm):
    """The distance of a recorded quantity from a target, |value − target|, by seed.

    Attributes:
        epochs: The epochs of a mean; None: the value after the last epoch.
        target: The target.
    """

    epochs: Epochs | None = None
    target: float = 1.0

    @property
    def within(self) -> Range:
        """The range of possible distances: not negative."""
        return POSITIVE

    @property
    def _value(self) -> Recorded:
        return Recorded(self.experiment, self.arm, self.quantity, self.epochs)

    def what(self) -> str:
        """Return what is measured; "%s" stands for the arm."""
        return f"distance from {self.target:g} of {self._value.what()}"

    def by_seed(self, evidence: Evidence) -> dict[int, float]:
        """Return the distances of finished runs; empty if the arm has none."""
        return {seed: abs(v - self.target) for seed, v in self._value.by_seed(evidence).items()}


@dataclass(frozen=True)
class Fall(_OfArm):
    """By which share of itself a positive quantity falls between two means: 1 − later / earlier.

    Negative if it rises.

    Attributes:
        earlier: The epochs of the first mean.
        later: The epochs of the second.
    """

    earlier: tuple[int, int]
    later: tuple[int, int]

    @property
    def within(self) -> Range:
        """The range of possible values: at most 1."""
        return Range(high=1.0)

    def what(self) -> str:
        """Return what is measured; "%s" stands for the arm."""
        words = self.quantity.words.replace("%", "%%")
        return f"fall of the {words} of %s from {_from(self.earlier)} to {_from(self.later)}"

    def by_seed(self, evidence: Evidence) -> dict[int, float]:
        """Return the shares of finished runs; empty if the arm has none."""
        earlier, later = (
            Recorded(self.experiment, self.arm, self.quantity, epochs).by_seed(evidence)
            for epochs in (self.earlier, self.later)
        )
        return {seed: 1 - later[seed] / earlier[seed] for seed in earlier.keys() & later.keys()}


def _from(epochs: tuple[int, int]) -> str:
    """Return an interval of epochs as its mean's place, e.g. "epochs 1 to 5"."""
    return when(epochs).removeprefix("in ")


def values_of(
    results: Results | TaskResults,
    arm: str,
    quantity: Quantity,
    epochs: Epochs | None = None,
) -> dict[int, float]:
    """Return a quantity of an arm's finished runs by seed.

    Args:
        results: The results.
        arm: The arm.
        quantity: The quantity.
        epochs: The epochs of a mean; None: the value after the last epoch.
    """
    series = results.series(arm, quantity.set, quantity.name, quantity.group)
    if epochs is None:
        return {seed: values[max(values)] for seed, values in series.items()}
    chosen = {seed: _during(values, epochs) for seed, values in series.items()}
    return {seed: math.fsum(some) / len(some) for seed, some in chosen.items() if some}


def _during(values: Mapping[int, float], epochs: Epochs) -> list[float]:
    """Return the values of some epochs; the second half is that of the measured epochs."""
    first, last = (max(values) / 2 + 0.5, max(values)) if epochs == "second half" else epochs
    return [value for epoch, value in values.items() if first <= epoch <= last]


def when(epochs: Epochs) -> str:
    """Return the epochs of a mean, in words."""
    if epochs == "second half":
        return "in the second half of the epochs"
    first, last = epochs
    return f"after epoch {first}" if first == last else f"in epochs {first} to {last}"


@dataclass(frozen=True)
class Growth(_OfArm):
    """log10 of the largest value of a quantity over the epochs, relative to that of the first.

    Training losses are those before an epoch's steps if an epoch is a single step. Diverged runs
    have no value. The quantity is positive.
    """

    @property
    def within(self) -> Range:
        """The range of possible values: not negative."""
        return POSITIVE

    def what(self) -> str:
        """Return what is measured; "%s" stands for the arm."""
        words = self.quantity.words.replace("%", "%%")
        return f"log10 of the largest {words} of %s over that at the start"

    def by_seed(self, evidence: Evidence) -> dict[int, float]:
        """Return the logarithms of finished runs; empty if the arm has none."""
        results, q = evidence.networks(self.experiment, self.arm), self.quantity
        if results is None:
            return {}
        series = results.series(self.arm, q.set, q.name, q.group)
        return {
            seed: math.log10(max(values.values()) / values[min(values)])
            for seed, values in series.items()
        }


@dataclass(frozen=True)
class ShareTrained(_OfArm):
    """The share of runs that train, compared with one half.

    A run trains if it does not diverge, and the final quantity is at least a level.

    Attributes:
        level: The level.
    """

    level: float

    def words(self) -> str:
        """Return a description."""
        least = self.quantity.level_unit.show_value(self.level)
        return f"share of runs with final {self.quantity.words} of at least {least}: {self.arm}"

    def bound_words(self) -> str:
        """Return the bound, in words."""
        return "50 %"

    def measured(self, evidence: Evidence) -> Measured:
        """Return the share with its binomial interval, and the p-value of the sign test.

        Runs that have not ended are left out.
        """
        results, q = evidence.networks(self.experiment, self.arm), self.quantity
        by_seed = dict[int, float]()
        if results is not None:
            final = results.final(self.arm, q.set, q.name, q.group)
            by_seed = {seed: float(value >= self.level) for seed, value in final.items()}
            by_seed |= dict.fromkeys(results.diverged(self.arm), 0.0)
        count = round(sum(by_seed.values()))
        p = sign_p(count, len(by_seed)) if by_seed else math.nan
        return Measured(proportion(count, len(by_seed)), 0.5, PER_CENT, by_seed, p=p)
