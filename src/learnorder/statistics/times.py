"""Censored times and how they are compared.

If a run ends before it has learned something, the time is *censored*: only a lower bound is known.
Replacing it by a number, such as the epoch after the last, would give means and t intervals of
values that were not measured. Here a censored time keeps its bound (:class:`Span`), and pairs with
a censored time are compared by their order alone, with the exact sign test (Dixon and Mood, The
statistical sign test, JASA 41, 1946). The smallest two-sided p-value of n pairs is 2 · (1/2)ⁿ, so
fewer than six seeds are always inconclusive.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from learnorder.statistics.intervals import proportion
from learnorder.statistics.measured import Measured, Unit, measure_difference
from learnorder.statistics.pvalues import sign_p


@dataclass(frozen=True)
class Span:
    """Bounds of a number: it is known if they are equal, else censored.

    Attributes:
        low: Lower bound.
        high: Upper bound.

    >>> Span(2.0, 2.0).known, Span(2.0, float("inf")).known
    (True, False)
    """

    low: float
    high: float

    @classmethod
    def at(cls, value: float) -> Span:
        """Return the span of a known number."""
        return cls(value, value)

    @property
    def known(self) -> bool:
        """Whether the bounds are equal and finite."""
        return self.low == self.high and math.isfinite(self.low)

    def above(self, other: Span) -> bool | None:
        """Return whether it is larger than another; None if the bounds overlap or are equal.

        >>> Span(1.0, math.inf).above(Span.at(0.5)), Span(1.0, math.inf).above(Span.at(2.0))
        (True, None)
        """
        if self.low > other.high:
            return True
        return False if self.high < other.low else None


def median_span(spans: Iterable[Span]) -> Span:
    """Return bounds of the median: the medians of the lower and of the upper bounds.

    >>> median_span([Span.at(1.0), Span.at(2.0), Span(3.0, math.inf)])
    Span(low=2.0, high=2.0)
    >>> median_span([Span.at(1.0), Span(3.0, math.inf)])
    Span(low=2.0, high=inf)
    """
    spans = list(spans)
    return Span(median(span.low for span in spans), median(span.high for span in spans))


def compare_spans(
    a: Mapping[int, Span], b: Mapping[int, Span], unit: Unit, *, more: str = "later"
) -> Measured:
    """Return how much larger a is than b over shared seeds, where some may be censored.

    If all numbers are known, this is the mean of a − b with its paired t interval, compared with 0.
    Otherwise it is a sign test: the share of seeds in which a is larger, with its exact binomial
    interval, compared with one half. A pair is counted if its order is known: it is for a ≥ 3 and
    b = 2, but not for a ≥ 3 and b = 4. Both numbers of a pair are censored at the same time, so
    pairs of unknown order favour neither side. Ties are not counted.

    Args:
        a: Numbers by seed.
        b: Numbers by seed.
        unit: Unit of the difference.
        more: Meaning of a larger number, in words.

    >>> never = Span(1.0, math.inf)
    >>> found = compare_spans({0: never, 1: Span.at(0.3)}, {0: Span.at(0.1), 1: Span.at(0.2)},
    ...                       Unit("in log10"))
    >>> found.shown(), found.bound
    ('100 [16, 100] % of seeds', 0.5)
    """
    pairs = {seed: (a[seed], b[seed]) for seed in sorted(a.keys() & b.keys())}
    censored = sum(not (x.known and y.known) for x, y in pairs.values())
    if not censored:
        first, second = ({seed: pair[i].low for seed, pair in pairs.items()} for i in (0, 1))
        return measure_difference(first, second, unit)
    ordered = [above for x, y in pairs.values() if (above := x.above(y)) is not None]
    note = (
        f"{censored} of {len(pairs)} pairs are censored: sign test of the share of seeds in which "
        f"the first is {more}, against one half"
    )
    if left_out := len(pairs) - len(ordered):
        note += f"; {left_out} of {len(pairs)} pairs are tied or of unknown order"
    larger, n = sum(ordered), len(ordered)
    unit = Unit("% of seeds", 100, 0)
    return Measured(proportion(larger, n), 0.5, unit, note=note, p=sign_p(larger, n))


def compare_times(
    a: Mapping[int, float | None],
    b: Mapping[int, float | None],
    unit: Unit,
    *,
    logarithmic: bool = False,
) -> Measured:
    """Return how much later a is than b over shared seeds; None means never.

    Never is later than any time; see :func:`compare_spans`.

    Args:
        a: Times by seed.
        b: Times by seed.
        unit: Unit of the difference.
        logarithmic: Whether to compare times by their ratio, as log10(a/b).
    """

    def spans(times: Mapping[int, float | None]) -> dict[int, Span]:
        scaled = {
            seed: math.inf if time is None else math.log10(time) if logarithmic else time
            for seed, time in times.items()
        }
        return {seed: Span.at(time) for seed, time in scaled.items()}

    return compare_spans(spans(a), spans(b), unit)
