"""The results of runs of the theory: what its commands return and its reports are drawn from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

from learnorder.config.arm_titles import THEORY_ARMS
from learnorder.runs import RunFolder
from learnorder.runs.arms import AXES
from learnorder.runs.results import RunSet
from learnorder.statistics import POSITIVE, Estimate, estimate, range_of, ratio_of_means
from learnorder.theory import TheoryConfig
from learnorder.theory.order import half_time, learned_for_good

if TYPE_CHECKING:
    import plotly.graph_objects as go

Pattern = Literal["P", "Q"]

ERROR_SETS = {"p_only": "P-only", "q_only": "Q-only", "both": "both", "all": "all"}
"""Kinds of test examples, with their names."""
_OWN_SET = {"P": "p_only", "Q": "q_only"}


class _Row(NamedTuple):
    """A value and its moment."""

    grid: int
    phase: int
    time: float
    value: float
    examples: int


class TheoryResults(RunSet[RunFolder[TheoryConfig]]):
    """Records of runs of the two-layer theory, by arm and seed.

    Times are η·t. Runs that diverged, ran out of steps or have not finished are in :meth:`frame`,
    and out of every mean.
    """

    def __init__(self, folders: Iterable[RunFolder[TheoryConfig]]) -> None:
        super().__init__(folders)
        order = list(THEORY_ARMS)  # within the same settings, the paper's order
        first = {arm: next(f for f in self.folders if self.arm_of(f) == arm) for arm in self.arms}
        self.arms.sort(key=lambda arm: order.index(first[arm].config.arm))

    def figure(self, name: str = "order") -> go.Figure:
        """Return a figure.

        Args:
            name: order, loss, error, p_error, q_error, p_margin, second_difference,
                p_only_error_final,
                or, of a phase diagram, first_S, first_L-S, ratio or p_error_by_setting.

        Raises:
            KeyError: There is no figure of this name.
        """
        return self._draw(name)

    @property
    def is_phase(self) -> bool:
        """Whether they are the runs of a phase diagram."""
        return any(AXES in folder.labels for folder in self.folders)

    @cached_property
    def _measured(self) -> set[tuple[str, str]]:
        """What was measured: sets with their quantities."""
        return {key[1:] for key in self._index}

    @cached_property
    def _index(self) -> dict[tuple[str, str, str], dict[int, list[_Row]]]:
        """Rows of finished runs, by (arm, set, quantity) and seed."""
        index: dict[tuple[str, str, str], dict[int, list[_Row]]] = {}
        for folder in self.folders:
            if self._status[folder] != "finished":
                continue
            arm, seed = self.arm_of(folder), folder.config.seed
            for row in folder.records().to_pylist():
                seeds = index.setdefault((arm, row["set"], row["quantity"]), {})
                kept = _Row(row["grid"], row["phase"], row["time"], row["value"], row["examples"])
                seeds.setdefault(seed, []).append(kept)
        return index

    def _rows(self, arm: str, set_: str, quantity: str) -> dict[int, list[_Row]]:
        if arm not in self.arms:
            raise KeyError(f"{arm!r} is no arm; there are {self.arms}.")
        if self._measured and (set_, quantity) not in self._measured:
            measured = sorted(self._measured)
            raise KeyError(f"{(set_, quantity)} was not measured; there are {measured}.")
        return self._index.get((arm, set_, quantity), {})

    def trace(self, arm: str, set_: str, quantity: str) -> dict[int, dict[float, float]]:
        """Return a quantity of an arm's finished runs, whole: {seed: {η·t: value}}.

        Args:
            arm: Its name, one of ``arms``.
            set_: What it was measured on, e.g. p_only, q_only, both, all, q or train.
            quantity: E.g. error, margin, loss or second_difference; errors are in [0, 1].

        Raises:
            KeyError: There is no such arm, or it was not measured.
        """
        found = self._rows(arm, set_, quantity)
        return {seed: {row.time: row.value for row in rows} for seed, rows in found.items()}

    def curve(self, arm: str, set_: str, quantity: str) -> dict[float, Estimate]:
        """Return the mean over seeds with its 95 % interval, by η·t.

        It is at the moments of the grid and wherever a seed's phase ends. Between its moments a
        seed's value is linear in log time; after its end it stays at the last.
        """
        found = self.trace(arm, set_, quantity)
        times = sorted({time for trace in found.values() for time in trace})
        by_seed = [_interpolated(trace, times) for trace in found.values()]
        values = zip(*by_seed, strict=True)
        within = range_of(quantity)
        return {time: estimate(at, within=within) for time, at in zip(times, values, strict=True)}

    def final(self, arm: str, set_: str, quantity: str) -> dict[int, float]:
        """Return a quantity at the end of training, by seed."""
        return {seed: rows[-1].value for seed, rows in self._rows(arm, set_, quantity).items()}

    def final_ratio(self, arm: str, baseline: str, set_: str, quantity: str) -> Estimate:
        """Return the ratio arm / baseline of a final quantity's means, with Fieller's interval."""
        ours, theirs = (self.final(each, set_, quantity) for each in (arm, baseline))
        return ratio_of_means(ours, theirs, within=POSITIVE)

    def quantities(self) -> list[tuple[str, str, str]]:
        """Return test errors, by kind of example."""
        return [(set_, "error", f"{name}, test error") for set_, name in ERROR_SETS.items()]

    def examples(self, arm: str, set_: str, quantity: str) -> int:
        """Return on how many examples, over all seeds, a final quantity was measured."""
        found = self._rows(arm, set_, quantity)
        return sum(rows[-1].examples for rows in found.values())

    def learned(self, arm: str, pattern: Pattern) -> dict[int, float | None]:
        """Return by seed from when accuracy on P-only or Q-only examples stays above 95 %."""

        def when(times: Sequence[float], errors: Sequence[float]) -> float | None:
            return learned_for_good(times, [1 - error for error in errors])

        return self._when(arm, pattern, "error", when)

    def half_learned(self, arm: str, pattern: Pattern) -> dict[int, float | None]:
        """Return by seed when the mean margin on a pattern's own examples was half its final."""
        return self._when(arm, pattern, "margin", half_time)

    def _when(
        self,
        arm: str,
        pattern: Pattern,
        quantity: str,
        when: Callable[[Sequence[float], Sequence[float]], float | None],
    ) -> dict[int, float | None]:
        if pattern not in _OWN_SET:
            raise KeyError(f"{pattern!r} is no pattern; there are P and Q.")
        found = self.trace(arm, _OWN_SET[pattern], quantity)
        return {seed: when(list(v), list(v.values())) for seed, v in found.items()}

    def annealed(self, arm: str) -> dict[int, float]:
        """Return by seed when the learning rate, or the noise, was annealed."""
        found = self._rows(arm, "train", "loss")
        ends = {s: [row for row in rows if row.grid < 0] for s, rows in found.items()}
        return {seed: rows[0].time for seed, rows in ends.items() if len(rows) > 1}

    def held_down(self, arm: str = "L-S", baseline: str = "S") -> dict[int, float]:
        """Return by seed how far Q's second difference got before the anneal, beside S's.

        The largest size of g₊ + g₋ − 2g₀ in ``arm``, over that in ``baseline`` at the same η·t, of
        all moments before the arm's anneal at which the baseline's exceeds a tenth of its final.
        """
        found = {}
        annealed = self.annealed(arm)
        own = self.trace(arm, "q", "second_difference")
        other = self.trace(baseline, "q", "second_difference")
        for seed in own.keys() & other.keys() & annealed.keys():
            times = [time for time in own[seed] if time < annealed[seed]]
            beside = _interpolated(other[seed], times)
            final = abs(list(other[seed].values())[-1])
            shares = [
                abs(own[seed][time] / there)
                for time, there in zip(times, beside, strict=True)
                if abs(there) > final / 10
            ]
            if shares:
                found[seed] = max(shares)
        return found


def _interpolated(trace: dict[float, float], times: Sequence[float]) -> list[float]:
    """Return a trace's values at other times: linear in log time, constant beyond its ends."""
    import numpy as np

    at = np.log(list(trace))
    return np.interp(np.log(times), at, list(trace.values())).tolist()
