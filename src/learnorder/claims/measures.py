"""What decides a claim: a number for each seed, its mean with an interval, and a bound.

Each measure is data: it names the arms it needs, says in words what it is, and is measured on
:class:`~learnorder.claims.evidence.Evidence`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from learnorder.claims.evidence import TITLES, Evidence
from learnorder.order import PATCH_LEVEL
from learnorder.statistics import (
    Estimate,
    estimate,
    paired_difference,
    proportion,
    ratio_of_means,
)

Need = tuple[str, str]
"""An experiment and one of its arms."""


@dataclass(frozen=True)
class Unit:
    """How numbers of a measure are shown: times ``scale``, with ``digits``, in ``name``."""

    name: str
    scale: float = 1.0
    digits: int = 1

    def show(self, e: Estimate) -> str:
        """Return "mean [low, high] unit"."""
        text = e.format(self.scale, self.digits).replace("inf", "∞").replace("nan", "–")
        return text if text == "–" else f"{text} {self.name}".rstrip()


POINTS = Unit("points", 100)
PER_CENT = Unit("%", 100)


@dataclass(frozen=True)
class Measured:
    """A measure on some runs.

    Attributes:
        estimate: Mean with its 95 % interval.
        bound: What the interval is compared with.
        unit: Of both.
        by_seed: The number of each seed, where there is one for each.
        note: What the reader must know of how it was found.
    """

    estimate: Estimate
    bound: float
    unit: Unit
    by_seed: Mapping[int, float] = field(default_factory=dict)
    note: str = ""


class Measure(Protocol):
    """A number that decides a claim, or stands beside it."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """The arms it is measured on."""
        ...

    def words(self) -> str:
        """What is measured."""
        ...

    def measured(self, evidence: Evidence) -> Measured:
        """Measure it; with n = 0 where an arm was not run."""
        ...


NOTHING = Estimate(math.nan, math.nan, math.nan, 0)

_QUANTITIES = {
    ("clean", "accuracy"): "accuracy on clean images",
    ("train", "accuracy"): "training accuracy",
    ("patch_only", "accuracy"): "patch-only accuracy",
    ("conflict", "reliance"): "reliance on the patch",
    ("p_only", "error"): "error on P-only test examples",
}
_PLACES = {
    "plain": "without a patch",
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

    def words(self, *, short: bool = False) -> str:
        """What it is; the arm alone where ``short``."""
        arm = TITLES[self.arm]
        if short:
            return arm
        when = "final" if self.when == "final" else "before the anneal,"
        return f"{when} {_QUANTITIES[self.set, self.quantity]} of {arm}"

    def by_seed(self, evidence: Evidence) -> dict[int, float]:
        """Return the numbers; empty where the arm was not run."""
        arms = [arm for _, arm in self.needs]
        if self.when == "final":
            images = evidence.images(self.experiment, *arms)
            theory = evidence.theory(self.experiment, *arms)
            found = images or theory
            return {} if found is None else found.final(self.arm, self.set, self.quantity)
        images, phase = evidence.images(self.experiment, *arms), evidence.phase(self.experiment)
        if images is None or phase is None:
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
        return _distinct(self.a, self.b)

    def words(self) -> str:
        """What is measured."""
        if (self.a.experiment, self.a.set, self.a.when) == (
            self.b.experiment,
            self.b.set,
            self.b.when,
        ):
            return f"{self.a.words()}, less that of {self.b.words(short=True)}"
        if self.a.arm == self.b.arm and self.a.experiment != self.b.experiment:
            places = f"{_PLACES[self.a.experiment]}, less that {_PLACES[self.b.experiment]}"
            return f"{self.a.words()} {places}"
        return f"{self.a.words()}, less {self.b.words()}"

    def measured(self, evidence: Evidence) -> Measured:
        """Return the paired t interval, to be compared with 0."""
        a, b = self.a.by_seed(evidence), self.b.by_seed(evidence)
        seeds = {seed: a[seed] - b[seed] for seed in sorted(a.keys() & b.keys())}
        return Measured(paired_difference(a, b), 0.0, self.unit, seeds)


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

    def measured(self, evidence: Evidence) -> Measured:
        """Return the t interval of the mean."""
        seeds = self.value.by_seed(evidence)
        chance = evidence.chance(self.value.experiment)
        twice = math.nan if chance is None else 2 * chance
        bound = twice if self.bound is None else self.bound
        return Measured(estimate(list(seeds.values())), bound, self.unit, seeds)


@dataclass(frozen=True)
class Share:
    """How much of the gap c − b the difference a − b makes up: (a − b) / (c − b)."""

    a: Value
    b: Value
    c: Value

    @property
    def needs(self) -> tuple[Need, ...]:
        """The arms of all three."""
        return _distinct(self.a, self.b, self.c)

    def words(self) -> str:
        """What is measured."""
        a, b, c = (value.words(short=True) for value in (self.a, self.b, self.c))
        return f"share of the gap from {b} to {c} that {a} closes"

    def measured(self, evidence: Evidence) -> Measured:
        """Return the ratio of means with Fieller's interval."""
        a, b, c = (value.by_seed(evidence) for value in (self.a, self.b, self.c))
        seeds = a.keys() & b.keys() & c.keys()
        closed, gap = {s: a[s] - b[s] for s in seeds}, {s: c[s] - b[s] for s in seeds}
        return Measured(ratio_of_means(closed, gap), 0.0, Unit("% of the gap", 100, 0))


@dataclass(frozen=True)
class Ratio:
    """The ratio a / b of two means."""

    a: Value
    b: Value

    @property
    def needs(self) -> tuple[Need, ...]:
        """The arms of both."""
        return _distinct(self.a, self.b)

    def words(self) -> str:
        """What is measured."""
        return f"{self.a.words()}, over that of {self.b.words(short=True)}"

    def measured(self, evidence: Evidence) -> Measured:
        """Return the ratio of means with Fieller's interval, to be compared with 1."""
        a, b = self.a.by_seed(evidence), self.b.by_seed(evidence)
        return Measured(ratio_of_means(a, b), 1.0, Unit("times"))


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
        return f"first epoch of {TITLES[self.arm]} with {100 * PATCH_LEVEL:.0f} % on the patch"

    def epochs(self, evidence: Evidence) -> dict[int, int | None]:
        """Return the epochs by seed, None where it never is."""
        found = evidence.images(self.experiment, self.arm)
        return {} if found is None else found.learned(self.arm, "patch")

    def measured(self, evidence: Evidence) -> Measured:
        """Return the mean over the seeds that get there, and how many do not."""
        found = self.epochs(evidence)
        reached = {seed: float(epoch) for seed, epoch in found.items() if epoch is not None}
        never = len(found) - len(reached)
        note = f"{never} of {len(found)} seeds never" if never else ""
        mean = estimate(list(reached.values()))
        return Measured(mean, math.nan, Unit("(epoch)"), reached, note)


@dataclass(frozen=True)
class Later:
    """How many epochs later arm ``a`` has the patch than arm ``b``.

    A paired t interval, compared with 0. Where a run never gets there its epoch is censored, and
    the sign test stands in: the share of the seeds in which a is later, with the exact binomial
    interval, compared with one half. Ties, and seeds in which neither gets there, count for none.
    """

    a: Learned
    b: Learned

    @property
    def needs(self) -> tuple[Need, ...]:
        """The arms of both."""
        return _distinct(self.a, self.b)

    def words(self) -> str:
        """What is measured."""
        return f"{self.a.words()}, less that of {TITLES[self.b.arm]}"

    def measured(self, evidence: Evidence) -> Measured:
        """Return the difference, or the sign test."""
        a, b = self.a.epochs(evidence), self.b.epochs(evidence)
        pairs = {seed: (a[seed], b[seed]) for seed in sorted(a.keys() & b.keys())}
        never = sum(None in pair for pair in pairs.values())
        late = {
            seed: (math.inf if x is None else x, math.inf if y is None else y)
            for seed, (x, y) in pairs.items()
        }
        if not never:
            seeds = {seed: x - y for seed, (x, y) in late.items()}
            return Measured(estimate(list(seeds.values())), 0.0, Unit("epochs"), seeds)
        untied = [x > y for x, y in late.values() if x != y]
        share = proportion(sum(untied), len(untied))
        note = (
            f"{never} of {len(pairs)} pairs have a run that never gets there: sign test, share of "
            "the seeds in which the first is later, against one half"
        )
        return Measured(share, 0.5, Unit("% of seeds", 100, 0), note=note)


def _distinct(*parts: Value | Learned) -> tuple[Need, ...]:
    return tuple(dict.fromkeys(need for part in parts for need in part.needs))
