"""What papers' claims measure: recorded quantities of arms, and of arms over a setting."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from learnorder.reproduce.evidence import Evidence, Need
from learnorder.runs.results import Results, TaskResults
from learnorder.statistics import (
    PER_CENT,
    POINTS,
    POSITIVE,
    REAL,
    SHARE,
    SHARE_DIFFERENCE,
    Measured,
    Range,
    Unit,
    proportion,
    range_of,
    sign_p,
    slope,
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
        return (
            f"final {words} of %s" if self.epochs is None else f"{words} of %s {_when(self.epochs)}"
        )

    def place(self) -> str:
        """Return the experiment as a qualifier."""
        return f"in {self.experiment}"

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


def _when(epochs: tuple[int, int]) -> str:
    first, last = epochs
    return f"after epoch {first}" if first == last else f"in epochs {first} to {last}"


@dataclass(frozen=True)
class Growth:
    """log10 of the largest value of a quantity over the epochs, relative to that of the first.

    Training losses are those before an epoch's steps if an epoch is a single step. Diverged runs
    have no value.

    Attributes:
        experiment: The experiment.
        arm: The arm, in words.
        quantity: The quantity, which is positive.
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

    @property
    def within(self) -> Range:
        """The range of possible values: not negative."""
        return POSITIVE

    def what(self) -> str:
        """Return what is measured; "%s" stands for the arm."""
        words = self.quantity.words.replace("%", "%%")
        return f"log10 of the largest {words} of %s over that at the start"

    def place(self) -> str:
        """Return the experiment as a qualifier."""
        return f"in {self.experiment}"

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
class ShareTrained:
    """The share of runs that train, compared with one half.

    A run trains if it does not diverge, and the final quantity is at least a level.

    Attributes:
        experiment: The experiment.
        arm: The arm, in words.
        quantity: The quantity.
        level: The level.
    """

    experiment: str
    arm: str
    quantity: Quantity
    level: float

    @property
    def needs(self) -> tuple[Need, ...]:
        """The arm."""
        return ((self.experiment, self.arm),)

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


@dataclass(frozen=True)
class Grid:
    """Arms over a setting such as the learning rate, with a quantity of each.

    Attributes:
        experiment: The experiment.
        title: The arms in words, e.g. "cross-entropy, width 256".
        arms: The arms by their value of the setting.
        quantity: What is measured at each.
        epochs: First and last epoch of a mean; None: the value after the last epoch.
    """

    experiment: str
    title: str
    arms: Mapping[float, str]
    quantity: Quantity
    epochs: tuple[int, int] | None = None

    @property
    def needs(self) -> tuple[Need, ...]:
        """The arms."""
        return tuple((self.experiment, arm) for arm in self.arms.values())

    def by_seed(self, evidence: Evidence) -> dict[int, dict[float, float]]:
        """Return the values by seed and setting; runs without a result are absent."""
        table: dict[int, dict[float, float]] = {}
        for setting, arm in self.arms.items():
            results = evidence.networks(self.experiment, arm)
            if results is None:
                return {}
            for run in results.runs_of(arm):
                table.setdefault(run.config.seed, {})
            for seed, value in values_of(results, arm, self.quantity, self.epochs).items():
                table[seed][setting] = value
        return table

    def literal(self) -> str:
        """Return what is measured, for a template in which "%s" stands for the arms."""
        words = self.quantity.words
        words = f"final {words}" if self.epochs is None else f"{words} {_when(self.epochs)}"
        return words.replace("%", "%%")


@dataclass(frozen=True)
class _OfGrid:
    grid: Grid

    @property
    def needs(self) -> tuple[Need, ...]:
        """The arms of the grid."""
        return self.grid.needs

    @property
    def experiment(self) -> str:
        """The experiment."""
        return self.grid.experiment

    @property
    def arm_words(self) -> str:
        """The arms in words."""
        return self.grid.title

    def place(self) -> str:
        """Return the experiment as a qualifier."""
        return f"in {self.grid.experiment}"


@dataclass(frozen=True)
class Trend(_OfGrid):
    """The slope of the quantity over log10 of the setting, by least squares, for each seed.

    Seeds with a run without a result are left out.
    """

    within: Range = REAL

    def what(self) -> str:
        """Return what is measured; "%s" stands for the arms."""
        return f"change of {self.grid.literal()} per factor of 10 in the setting of %s"

    def by_seed(self, evidence: Evidence) -> dict[int, float]:
        """Return the slopes."""
        settings = self.grid.arms.keys()
        return {
            seed: slope([(math.log10(x), y) for x, y in values.items()])
            for seed, values in self.grid.by_seed(evidence).items()
            if values.keys() == settings
        }


@dataclass(frozen=True)
class Best(_OfGrid):
    """log10 of the setting at which the quantity is best, for each seed.

    Runs without a result are worse than all others. A seed without any result is left out.

    Attributes:
        higher_is_better: Whether higher values of the quantity are better.
    """

    higher_is_better: bool = True
    within: Range = REAL

    def what(self) -> str:
        """Return what is measured; "%s" stands for the arms."""
        return f"log10 of the setting with the best {self.grid.literal()} of %s"

    def by_seed(self, evidence: Evidence) -> dict[int, float]:
        """Return the logarithms; of equally good settings the smallest counts."""
        sign = 1 if self.higher_is_better else -1
        return {
            seed: math.log10(max(sorted(values), key=lambda x, v=values: sign * v[x]))
            for seed, values in self.grid.by_seed(evidence).items()
            if values
        }


@dataclass(frozen=True)
class LargestTrained(_OfGrid):
    """log10 of the largest setting that trains, for each seed: the quantity is at least a level.

    Diverged runs do not train. A seed on which no setting does is left out.

    Attributes:
        level: The level.
    """

    level: float = 0.0
    within: Range = REAL

    def what(self) -> str:
        """Return what is measured; "%s" stands for the arms."""
        unit = self.grid.quantity.level_unit
        least = f"{unit.scale * self.level:g} {unit.name}".rstrip().replace("%", "%%")
        q = self.grid.literal()
        return f"log10 of the largest setting with {q} of at least {least} of %s"

    def by_seed(self, evidence: Evidence) -> dict[int, float]:
        """Return the logarithms."""
        reached = {
            seed: [x for x, value in values.items() if value >= self.level]
            for seed, values in self.grid.by_seed(evidence).items()
        }
        return {seed: math.log10(max(settings)) for seed, settings in reached.items() if settings}


@dataclass(frozen=True)
class Spread(_OfGrid):
    """The largest minus the smallest value of the quantity over the arms, for each seed.

    Seeds with a run without a result are left out.
    """

    @property
    def within(self) -> Range:
        """The range of possible values: not negative."""
        return Range(0.0, self.grid.quantity.within.difference().high)

    def what(self) -> str:
        """Return what is measured; "%s" stands for the arms."""
        return f"largest minus smallest {self.grid.literal()} over %s"

    def by_seed(self, evidence: Evidence) -> dict[int, float]:
        """Return the differences."""
        settings = self.grid.arms.keys()
        return {
            seed: max(values.values()) - min(values.values())
            for seed, values in self.grid.by_seed(evidence).items()
            if values.keys() == settings
        }


@dataclass(frozen=True)
class Exponent:
    """The exponent with which a setting grows with the width, for each seed.

    The slope, by least squares, of log10 of the best or the largest setting over log10 of the
    width. Seeds without a value at one of the widths are left out.

    Attributes:
        title: The arms in words, e.g. "cross-entropy".
        by_width: log10 of the setting, by width.
    """

    title: str
    by_width: Mapping[int, Best | LargestTrained]
    within: Range = REAL

    @property
    def needs(self) -> tuple[Need, ...]:
        """The arms at all widths."""
        return tuple(need for part in self.by_width.values() for need in part.needs)

    @property
    def _first(self) -> Best | LargestTrained:
        return next(iter(self.by_width.values()))

    @property
    def experiment(self) -> str:
        """The experiment."""
        return self._first.experiment

    @property
    def arm_words(self) -> str:
        """The arms in words."""
        return self.title

    def place(self) -> str:
        """Return the experiment as a qualifier."""
        return self._first.place()

    def what(self) -> str:
        """Return what is measured; "%s" stands for the arms."""
        return f"slope over log10 of the width of the {self._first.what()}"

    def by_seed(self, evidence: Evidence) -> dict[int, float]:
        """Return the exponents."""
        values = {math.log10(w): part.by_seed(evidence) for w, part in self.by_width.items()}
        seeds = set.intersection(*({*each} for each in values.values()))
        return {
            seed: slope([(x, each[seed]) for x, each in values.items()]) for seed in sorted(seeds)
        }
