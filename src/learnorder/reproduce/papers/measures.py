"""What papers' claims measure: recorded quantities of an arm."""

from __future__ import annotations

import math
from dataclasses import dataclass

from learnorder.reproduce.evidence import Evidence, Need
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
    proportion,
    range_of,
    sign_p,
)


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
        """The range of possible values."""
        return range_of(self.name)

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
        epochs: First and last epoch of a mean; None: the value after the last epoch.
    """

    epochs: tuple[int, int] | None = None

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


def values_of(
    results: Results | TaskResults,
    arm: str,
    quantity: Quantity,
    epochs: tuple[int, int] | None = None,
) -> dict[int, float]:
    """Return a quantity of an arm's finished runs by seed.

    Args:
        results: The results.
        arm: The arm.
        quantity: The quantity.
        epochs: First and last epoch of a mean; None: the value after the last epoch.
    """
    series = results.series(arm, quantity.set, quantity.name, quantity.group)
    if epochs is None:
        return {seed: values[max(values)] for seed, values in series.items()}
    first, last = epochs
    chosen = {
        seed: [v for epoch, v in values.items() if first <= epoch <= last]
        for seed, values in series.items()
    }
    return {seed: math.fsum(some) / len(some) for seed, some in chosen.items() if some}


def when(epochs: tuple[int, int]) -> str:
    """Return an interval of epochs, in words."""
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
        unit = self.quantity.level_unit
        least = f"{unit.scale * self.level:g} {unit.name}".rstrip()
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
