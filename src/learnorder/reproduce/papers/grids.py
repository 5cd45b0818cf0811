"""What papers' claims measure of several arms: over a setting such as the learning rate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeAlias

from learnorder.reproduce.evidence import Evidence, Need
from learnorder.reproduce.measures import Difference, Level, SeedValues
from learnorder.reproduce.papers.measures import Epochs, Quantity, values_of, when
from learnorder.statistics import FEWEST_ALIKE, REAL, Measured, Range, slope
from learnorder.statistics.pvalues import mean_p


@dataclass(frozen=True)
class Grid:
    """Arms over a setting such as the learning rate, with a quantity of each.

    Attributes:
        experiment: The experiment.
        title: The arms in words, e.g. "cross-entropy, width 256".
        arms: The arms by their value of the setting.
        quantity: What is measured at each.
        epochs: The epochs of a mean; None: the value after the last epoch.
    """

    experiment: str
    title: str
    arms: Mapping[float, str]
    quantity: Quantity
    epochs: Epochs | None = None

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

    def complete(self, evidence: Evidence) -> dict[int, dict[float, float]]:
        """Return the values of seeds with a result at every setting."""
        by_seed = self.by_seed(evidence).items()
        return {seed: values for seed, values in by_seed if values.keys() == self.arms.keys()}

    @property
    def spacing(self) -> float:
        """log10 of the largest factor between neighbouring settings."""
        return max(math.log10(b / a) for a, b in pairwise(sorted(self.arms)))

    def literal(self) -> str:
        """Return what is measured, for a template in which "%s" stands for the arms."""
        words = self.quantity.words
        words = f"final {words}" if self.epochs is None else f"{words} {when(self.epochs)}"
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
        complete = self.grid.complete(evidence).items()
        return {s: slope([(math.log10(x), y) for x, y in v.items()]) for s, v in complete}


@dataclass(frozen=True)
class Best(_OfGrid):
    """log10 of the setting at which the quantity is best, for each seed.

    Runs without a result are worse than all others. A seed without any result is left out.

    Attributes:
        higher_is_better: Whether higher values of the quantity are better.
    """

    higher_is_better: bool = True
    within: Range = REAL

    def rounding(self, evidence: Evidence) -> tuple[float, float]:
        """Return how far below and above its value the best setting may be, between the grid's."""
        return (-self.grid.spacing / 2, self.grid.spacing / 2)

    def what(self) -> str:
        """Return what is measured; "%s" stands for the arms."""
        return f"log10 of the setting with the best {self.grid.literal()} of %s"

    def by_seed(self, evidence: Evidence) -> dict[int, float]:
        """Return the logarithms; of equally good settings the smallest counts."""
        return {
            seed: math.log10(best_setting(values, self.higher_is_better))
            for seed, values in self.grid.by_seed(evidence).items()
            if values
        }


def best_setting(values: Mapping[float, float], higher_is_better: bool) -> float:
    """Return the setting with the best value; of equally good settings the smallest.

    >>> best_setting({1.0: 0.9, 0.1: 0.9, 0.01: 0.5}, higher_is_better=True)
    0.1
    """
    best = (max if higher_is_better else min)(values.values())
    return min(setting for setting, value in values.items() if value == best)


@dataclass(frozen=True)
class LargestTrained(_OfGrid):
    """log10 of the largest setting that trains, for each seed: the quantity is at least a level.

    Diverged runs do not train. A seed on which no setting does counts with the smallest setting,
    and the interval is then open below.

    Attributes:
        level: The level.
    """

    level: float = 0.0
    within: Range = REAL

    def rounding(self, evidence: Evidence) -> tuple[float, float]:
        """Return how far below and above its value the largest setting may be: up to the next one.

        Where the last setting of the grid trains, nothing is known above it, and where none does
        nothing below the first.
        """
        trained, last = self._trained(evidence).values(), max(self.grid.arms)
        above = math.inf if any(last in settings for settings in trained) else self.grid.spacing
        return (0.0 if all(trained) else -math.inf, above)

    def what(self) -> str:
        """Return what is measured; "%s" stands for the arms."""
        least = self.grid.quantity.level_unit.show_value(self.level).replace("%", "%%")
        q = self.grid.literal()
        return f"log10 of the largest setting with {q} of at least {least} of %s"

    def by_seed(self, evidence: Evidence) -> dict[int, float]:
        """Return the logarithms."""
        trained, first = self._trained(evidence).items(), min(self.grid.arms)
        return {seed: math.log10(max(settings, default=first)) for seed, settings in trained}

    def _trained(self, evidence: Evidence) -> dict[int, list[float]]:
        """Return the settings that train, by seed."""
        return {
            seed: [x for x, value in values.items() if value >= self.level]
            for seed, values in self.grid.by_seed(evidence).items()
        }


@dataclass(frozen=True)
class Carried(_OfGrid):
    """The quantity at the setting that is best on another grid, for each seed.

    Seeds with a run without a result are left out.

    Attributes:
        other: The other grid, with the same settings.
        higher_is_better: Whether higher values of the quantity are better.
    """

    other: Grid
    higher_is_better: bool = True

    @property
    def needs(self) -> tuple[Need, ...]:
        """The arms of both grids."""
        return (*self.grid.needs, *self.other.needs)

    @property
    def within(self) -> Range:
        """The range of possible values."""
        return self.grid.quantity.within

    def what(self) -> str:
        """Return what is measured; "%s" stands for the arms."""
        other = self.other.title.replace("%", "%%")
        return f"{self.grid.literal()} of %s at the best setting of {other}"

    def by_seed(self, evidence: Evidence) -> dict[int, float]:
        """Return the values; of equally good settings on the other grid the smallest counts."""
        here, there = (grid.complete(evidence) for grid in (self.grid, self.other))
        return {
            seed: here[seed][best_setting(there[seed], self.higher_is_better)]
            for seed in sorted(here.keys() & there.keys())
        }


@dataclass(frozen=True)
class Regret(Carried):
    """How much worse the quantity is at the setting that is best on another grid, for each seed.

    It is compared with the best value on this grid, and is not negative: how well the setting
    carries over, not how good the quantity is there, which is :class:`Carried`.
    """

    @property
    def within(self) -> Range:
        """The range of possible values: not negative."""
        return Range(0.0, self.grid.quantity.within.difference().high)

    def what(self) -> str:
        """Return what is measured; "%s" stands for the arms."""
        return f"regret in {super().what()}"

    def by_seed(self, evidence: Evidence) -> dict[int, float]:
        """Return the regrets."""
        best, values = max if self.higher_is_better else min, self.grid.complete(evidence)
        carried = super().by_seed(evidence)
        return {seed: abs(best(values[seed].values()) - value) for seed, value in carried.items()}


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
        complete = self.grid.complete(evidence).items()
        return {seed: max(values.values()) - min(values.values()) for seed, values in complete}


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

    def rounding(self, evidence: Evidence) -> tuple[float, float]:
        """Return how far below and above its value the exponent may be, with settings on grids."""
        widths = [math.log10(width) for width in self.by_width]
        low, high = list[float](), list[float]()
        for width, part in zip(widths, self.by_width.values(), strict=True):
            weight = slope([(x, float(x == width)) for x in widths])
            if not math.isclose(weight, 0, abs_tol=1e-12):  # the middle may be unknown
                ends = [weight * end for end in part.rounding(evidence)]
                low.append(min(ends))
                high.append(max(ends))
        return math.fsum(low), math.fsum(high)

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


OnGrid: TypeAlias = Best | LargestTrained | Exponent
"""Values that are known up to the spacing of a grid."""


@dataclass(frozen=True)
class UpToSpacing:
    """A measure of settings on a grid, whose interval also covers the spacing of the grid.

    The spacing is the same for all seeds, so more seeds do not reduce what it hides. The ends of
    the t interval are moved by the most that it may hide, and p is that of the t test after the
    mean was moved towards the bound by as much.

    Attributes:
        measure: The difference of two values on grids, or a level of one.
    """

    measure: Difference | Level

    @property
    def needs(self) -> tuple[Need, ...]:
        """The measure's arms."""
        return self.measure.needs

    def words(self) -> str:
        """Return a description."""
        return f"{self.measure.words()}, with the spacing of the grid in the interval"

    def bound_words(self) -> str:
        """Return the bound, in words."""
        return self.measure.bound_words()

    def measured(self, evidence: Evidence) -> Measured:
        """Return the t interval, widened."""
        found, (low, high) = self.measure.measured(evidence), self._rounding(evidence)
        e, bound = found.estimate, found.bound
        if not e.n or (e.identical and e.n < FEWEST_ALIKE):
            return found
        widened = replace(e, low=e.lowest + low, high=e.highest + high, identical=False)
        shift = max(low, bound - e.mean) if e.mean > bound else min(high, bound - e.mean)
        p = mean_p([value + shift for value in found.by_seed.values()], bound)
        return replace(found, estimate=widened, p=p)

    def _rounding(self, evidence: Evidence) -> tuple[float, float]:
        """Return how far below and above its mean the true value may be."""
        if isinstance(self.measure, Level):
            return _on_grid(self.measure.value).rounding(evidence)
        a, b = (_on_grid(value).rounding(evidence) for value in (self.measure.a, self.measure.b))
        return a[0] - b[1], a[1] - b[0]


def _on_grid(value: SeedValues) -> OnGrid:
    if not isinstance(value, Best | LargestTrained | Exponent):
        raise TypeError(f"{value!r} is not on a grid.")
    return value
