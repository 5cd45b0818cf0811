"""When arms are compared while their seeds come in, and at which level.

An arm that stops because its interval happens to be narrow, or to exclude 0, has looked several
times, and a 95 % interval would miss more than 5 % of the time. Here look k has an interval of
level 1 − α_k, with Σ α_k = 0.05 (Bonferroni; *alpha spending* that ignores the correlation of the
looks: Lan and DeMets, *Discrete sequential boundaries for clinical trials*, Biometrika 1983;
Jennison and Turnbull, *Group Sequential Methods with Applications to Clinical Trials*, 2000). By
the union bound, all intervals of a pair of arms that is named beforehand cover the true difference
at once in at least 95 % of searches, so the one that is shown does, whatever the rule by which the
arm stopped. The best arm is chosen on the same seeds, which makes the others look worse than they
are, with or without a race: of five equal arms, intervals against the best covered 94 % in a
simulation of races after three and five seeds, and 92 % where all had five.

The sum needs nothing but paired t intervals that are right at each number of seeds, and little is
lost: with looks at 3 and 5 seeds the two miss in 4.5 % of cases together. Bounds that are valid
after every seed, with no last look (e-values; Wang and Ramdas, *Anytime-valid t-tests and
confidence sequences for Gaussian means with unknown variance*), cost much more at so few seeds: the
t statistic has to pass 5.4 after five with the best of the mixtures that we tried, in place of 3.3
here and 2.8 with one look.
"""

from __future__ import annotations

from dataclasses import dataclass

from learnorder.statistics import FEWEST_SEEDS

_ALPHA = 0.05
_LAST = 0.6
"""Share of the error that the last look may make; the earlier ones share the rest equally."""
_GROWTH = 5 / 3
"""Factor between the numbers of seeds of two looks, before rounding."""
_LEAST_GROWTH = 1.3
"""Smallest factor between the last two looks."""


@dataclass(frozen=True)
class Looks:
    """The numbers of seeds after which arms are compared, in increasing order.

    Attributes:
        counts: The numbers of seeds.
    """

    counts: tuple[int, ...]

    @staticmethod
    def up_to(seeds: int) -> Looks:
        """Return looks that end with a number of seeds: 3, 5, 8 and so on.

        >>> [Looks.up_to(seeds).counts for seeds in (2, 3, 5, 6, 10)]
        [(2,), (3,), (3, 5), (3, 6), (3, 5, 10)]
        """
        counts, count = list[int](), FEWEST_SEEDS
        while count * _LEAST_GROWTH <= seeds:
            counts.append(count)
            count = round(count * _GROWTH)
        return Looks((*counts, seeds))

    def confidence(self, count: int) -> float:
        """Return the level of intervals after a number of seeds: that of the look it belongs to.

        >>> [round(Looks((3, 5)).confidence(count), 6) for count in (3, 5)]
        [0.98, 0.97]
        >>> Looks((5,)).confidence(5)
        0.95
        """
        if len(self.counts) == 1:
            return 1 - _ALPHA
        if count > self.counts[-2]:
            return 1 - _ALPHA * _LAST
        return 1 - _ALPHA * (1 - _LAST) / (len(self.counts) - 1)

    def after(self, count: int) -> int | None:
        """Return the next number of seeds after one; None after the last."""
        return next((look for look in self.counts if look > count), None)
