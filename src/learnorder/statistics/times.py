"""Times that may never come: censored numbers, and how they are compared.

A run that has not learned something when it ends would have learned it later, or never. Its time is
*censored*: only a bound is known. Replacing it by a number, for instance by the epoch after the
last, and computing means and t intervals of such numbers gives intervals of nothing that was
measured. Here a censored time keeps its bound (:class:`Span`), and pairs in which one is censored
are compared by their order alone, with the exact sign test (Dixon and Mood, The statistical sign
test, JASA 41, 1946). With n seeds that can all be ordered its smallest two-sided p-value is
2 · (1/2)ⁿ: fewer than six seeds are always inconclusive.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from learnorder.statistics.intervals import proportion
from learnorder.statistics.measured import Measured, Unit, measure_mean
from learnorder.statistics.pvalues import sign_p


@dataclass(frozen=True)
class Span:
    """A number of which bounds are known: it is measured where they are equal, else censored.

    Attributes:
        low: It is at least this.
        high: It is at most this.

    >>> Span(2.0, 2.0).known, Span(2.0, float("inf")).known
    (True, False)
    """

    low: float
    high: float

    @classmethod
    def at(cls, value: float) -> Span:
        """Return a number that is known."""
        return cls(value, value)

    @property
    def known(self) -> bool:
        """Whether it was measured."""
        return self.low == self.high and math.isfinite(self.low)

    def above(self, other: Span) -> bool | None:
        """Return whether it is larger than another; None where that is open, or they are equal.

        >>> Span(1.0, math.inf).above(Span.at(0.5)), Span(1.0, math.inf).above(Span.at(2.0))
        (True, None)
        """
        if self.low > other.high:
            return True
        return False if self.high < other.low else None


def median_span(spans: Iterable[Span]) -> Span:
    """Return the bounds of the median: the medians of the lower and of the upper bounds.

    >>> median_span([Span.at(1.0), Span.at(2.0), Span(3.0, math.inf)])
    Span(low=2.0, high=2.0)
    >>> median_span([Span.at(1.0), Span(3.0, math.inf)])
    Span(low=2.0, high=inf)
    """
    found = list(spans)
    return Span(median(span.low for span in found), median(span.high for span in found))


def compare_spans(
    a: Mapping[int, Span], b: Mapping[int, Span], unit: Unit, *, more: str = "later"
) -> Measured:
    """Return how much larger a is than b over shared seeds, where some are censored.

    With all numbers known: the mean of a − b with its paired t interval, compared with 0. Else the
    sign test stands in: the share of the seeds in which a is larger, with the exact binomial
    interval, compared with one half. A pair counts where its order is known: of a ≥ 3 and b = 2 it
    is, of a ≥ 3 and b = 4 it is not. Within a pair both are censored at the same time, so that an
    order that remains open favours neither. Ties count for neither side.

    Args:
        a: Numbers by seed.
        b: Numbers by seed.
        unit: Of the difference.
        more: What a larger number means, in words.

    >>> never = Span(1.0, math.inf)
    >>> found = compare_spans({0: never, 1: Span.at(0.3)}, {0: Span.at(0.1), 1: Span.at(0.2)},
    ...                       Unit("in log10"))
    >>> found.shown(), found.bound
    ('100 [16, 100] % of seeds', 0.5)
    """
    pairs = {seed: (a[seed], b[seed]) for seed in sorted(a.keys() & b.keys())}
    censored = sum(not (x.known and y.known) for x, y in pairs.values())
    if not censored:
        seeds = {seed: x.low - y.low for seed, (x, y) in pairs.items()}
        return measure_mean(seeds, 0.0, unit)
    ordered = [above for x, y in pairs.values() if (above := x.above(y)) is not None]
    note = (
        f"{censored} of {len(pairs)} pairs have a run that never gets there: sign test, the share "
        f"of the seeds in which the first is {more}, against one half"
    )
    if lost := len(pairs) - len(ordered):
        note += f"; {lost} of {len(pairs)} tied or open"
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
    """Return how much later a is than b over shared seeds, where None is never.

    A time that never comes is later than any that does; see :func:`compare_spans`.

    Args:
        a: Times by seed.
        b: Times by seed.
        unit: Of the difference.
        logarithmic: Whether times are compared by their ratio, as log10(a/b).
    """

    def spans(times: Mapping[int, float | None]) -> dict[int, Span]:
        scaled = {
            seed: math.inf if time is None else math.log10(time) if logarithmic else time
            for seed, time in times.items()
        }
        return {seed: Span.at(time) for seed, time in scaled.items()}

    return compare_spans(spans(a), spans(b), unit)
