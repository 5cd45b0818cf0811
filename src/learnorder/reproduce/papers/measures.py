"""What papers' claims measure: recorded quantities of arms, at the end or over some epochs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from learnorder.reproduce.evidence import Evidence, Need
from learnorder.statistics import (
    PER_CENT,
    POINTS,
    SHARE,
    SHARE_DIFFERENCE,
    Range,
    Unit,
    range_of,
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
class Recorded:
    """A recorded quantity of an arm, by seed: one of the ``SeedValues`` of claims.

    Attributes:
        experiment: The experiment.
        arm: The arm, in words.
        quantity: The quantity.
        epochs: First and last epoch of a mean; None: the value after the last epoch.
    """

    experiment: str
    arm: str
    quantity: Quantity
    epochs: tuple[int, int] | None = None

    @property
    def needs(self) -> tuple[Need, ...]:
        """The arm."""
        return ((self.experiment, self.arm),)

    @property
    def arm_words(self) -> str:
        """The arm, in words."""
        return self.arm

    @property
    def within(self) -> Range:
        """The range of possible values."""
        return self.quantity.within

    def what(self) -> str:
        """Return what is measured; "%s" stands for the arm."""
        words = self.quantity.words.replace("%", "%%")
        if self.epochs is None:
            return f"final {words} of %s"
        first, last = self.epochs
        when = f"after epoch {first}" if first == last else f"in epochs {first} to {last}"
        return f"{words} of %s {when}"

    def place(self) -> str:
        """Return the experiment as a qualifier."""
        return f"in {self.experiment}"

    def by_seed(self, evidence: Evidence) -> dict[int, float]:
        """Return the values of finished runs; empty if the arm has none."""
        results = evidence.networks(self.experiment, self.arm)
        if results is None:
            return {}
        q = self.quantity
        series = results.series(self.arm, q.set, q.name, q.group)
        if self.epochs is None:
            return {seed: values[max(values)] for seed, values in series.items()}
        first, last = self.epochs
        chosen = {
            seed: [v for epoch, v in values.items() if first <= epoch <= last]
            for seed, values in series.items()
        }
        return {seed: math.fsum(some) / len(some) for seed, some in chosen.items() if some}
