"""Results of runs of the theory: returned by its commands and shown in its reports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

from learnorder.config.arm_titles import THEORY_ARMS
from learnorder.runs import RunFolder
from learnorder.runs.arms import AXES
from learnorder.runs.results import RunSet
from learnorder.statistics import POSITIVE, Estimate, Range, estimate, ratio_of_means
from learnorder.theory import TheoryConfig
from learnorder.theory.order import half_time, learned_for_good

if TYPE_CHECKING:
    import plotly.graph_objects as go

Pattern = Literal["P", "Q"]
PointQuantity = Literal["error", "loss", "anneal"]
"""What is compared over the points of a phase diagram; see :meth:`TheoryResults.at_point`."""

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

    Times are η·t. Means leave out runs that diverged, ran out of steps or have not finished;
    :meth:`frame` lists them.
    """

    def __init__(self, folders: Iterable[RunFolder[TheoryConfig]]) -> None:
        super().__init__(folders)
        order = list(THEORY_ARMS)  # within the same settings, the paper's order
        self.arms.sort(key=lambda arm: order.index(self.runs_of(arm)[0].config.arm))

    @property
    def loss_range(self) -> Range:
        """The range of the loss, a logistic one."""
        return POSITIVE

    def figure(self, name: str = "order") -> go.Figure:
        """Return a figure.

        Args:
            name: order, loss, test_loss, error, p_error, q_error, p_margin, second_difference or
                p_only_error_final; for a phase diagram first_S, first_L-S, ratio,
                p_error_by_setting, p_loss_by_setting or anneal_by_setting.

        Raises:
            KeyError: There is no figure of this name.
        """
        return self._draw(name)

    @property
    def is_phase(self) -> bool:
        """Whether the runs form a phase diagram."""
        return any(AXES in folder.labels for folder in self.folders)

    @cached_property
    def _measured(self) -> set[tuple[str, str]]:
        """The measured (set, quantity) pairs."""
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
                measured = _Row(
                    row["grid"], row["phase"], row["time"], row["value"], row["examples"]
                )
                seeds.setdefault(seed, []).append(measured)
        return index

    def _rows(self, arm: str, set_: str, quantity: str) -> dict[int, list[_Row]]:
        if arm not in self.arms:
            raise KeyError(f"no arm {arm!r}; there are {self.arms}.")
        if self._measured and (set_, quantity) not in self._measured:
            measured = sorted(self._measured)
            raise KeyError(f"{(set_, quantity)} was not measured; there are {measured}.")
        return self._index.get((arm, set_, quantity), {})

    def trace(self, arm: str, set_: str, quantity: str) -> dict[int, dict[float, float]]:
        """Return all values of a quantity in an arm's finished runs: {seed: {η·t: value}}.

        Args:
            arm: Name of the arm, one of ``arms``.
            set_: Examples it was measured on, e.g. p_only, q_only, both, all, q or train.
            quantity: E.g. error, margin, loss or second_difference; errors are in [0, 1].

        Raises:
            KeyError: There is no such arm, or the quantity was not measured.
        """
        by_seed = self._rows(arm, set_, quantity)
        return {seed: {row.time: row.value for row in rows} for seed, rows in by_seed.items()}

    def curve(self, arm: str, set_: str, quantity: str) -> dict[float, Estimate]:
        """Return the mean over seeds with its 95 % interval, by η·t.

        The times are those of the grid and of the ends of each seed's phases. A seed's values are
        interpolated linearly in log time; after its end the last value is kept. Arguments and
        errors are those of :meth:`trace`.
        """
        traces = self.trace(arm, set_, quantity).values()
        times = sorted({time for trace in traces for time in trace})
        by_seed = [_interpolated(trace, times) for trace in traces]
        values = zip(*by_seed, strict=True)
        within = self.range_of(quantity)
        return {time: estimate(at, within=within) for time, at in zip(times, values, strict=True)}

    def final(self, arm: str, set_: str, quantity: str) -> dict[int, float]:
        """Return a quantity at the end of training: {seed: value}."""
        return {seed: rows[-1].value for seed, rows in self._rows(arm, set_, quantity).items()}

    def final_ratio(self, arm: str, baseline: str, set_: str, quantity: str) -> Estimate:
        """Return the ratio arm / baseline of a final quantity's means, with Fieller's interval."""
        finals, baselines = (self.final(name, set_, quantity) for name in (arm, baseline))
        return ratio_of_means(finals, baselines, within=POSITIVE)

    def quantities(self) -> list[tuple[str, str, str]]:
        """Return the test errors as (set, quantity, title), one per kind of example."""
        return [(set_, "error", f"{name}, test error") for set_, name in ERROR_SETS.items()]

    def examples(self, arm: str, set_: str, quantity: str) -> int:
        """Return the number of examples, over all seeds, of a final quantity."""
        return sum(rows[-1].examples for rows in self._rows(arm, set_, quantity).values())

    def learned(self, arm: str, pattern: Pattern) -> dict[int, float | None]:
        """Return by seed η·t from which accuracy on P- or Q-only examples stays > 95 %, or None."""

        def when(times: Sequence[float], errors: Sequence[float]) -> float | None:
            return learned_for_good(times, [1 - error for error in errors])

        return self._when(arm, pattern, "error", when)

    def half_learned(self, arm: str, pattern: Pattern) -> dict[int, float | None]:
        """Return by seed η·t at half the final mean margin on P- or Q-only examples, or None."""
        return self._when(arm, pattern, "margin", half_time)

    def _when(
        self,
        arm: str,
        pattern: Pattern,
        quantity: str,
        when: Callable[[Sequence[float], Sequence[float]], float | None],
    ) -> dict[int, float | None]:
        if pattern not in _OWN_SET:
            raise KeyError(f"no pattern {pattern!r}; there are P and Q.")
        traces = self.trace(arm, _OWN_SET[pattern], quantity)
        return {seed: when(list(v), list(v.values())) for seed, v in traces.items()}

    def annealed(self, arm: str) -> dict[int, float]:
        """Return, by seed, η·t at which the learning rate, or the noise, was annealed."""
        losses = self._rows(arm, "train", "loss")
        ends = {s: [row for row in rows if row.grid < 0] for s, rows in losses.items()}
        return {seed: rows[0].time for seed, rows in ends.items() if len(rows) > 1}

    def at_point(self, arm: str, quantity: PointQuantity) -> dict[int, float]:
        """Return, by seed, what is compared over the points of a phase diagram.

        Args:
            arm: Name of the arm.
            quantity: The final error on P-only test examples, in the closed form for a Gaussian
                margin; the final loss on them; or η·t at the anneal.
        """
        if quantity == "anneal":
            return self.annealed(arm)
        return self.final(arm, "p_only", "error_gaussian" if quantity == "error" else quantity)

    def second_difference_ratio(self, arm: str = "L-S", baseline: str = "S") -> dict[int, float]:
        """Return, by seed, the largest relative size of Q's second difference before the anneal.

        The ratio of abs(g₊ + g₋ − 2g₀) in ``arm`` to that in ``baseline`` at the same η·t, over all
        times before the arm's anneal at which the baseline's exceeds a tenth of its final value.
        """
        largest = {}
        annealed = self.annealed(arm)
        traces = self.trace(arm, "q", "second_difference")
        baselines = self.trace(baseline, "q", "second_difference")
        for seed in traces.keys() & baselines.keys() & annealed.keys():
            times = [time for time in traces[seed] if time < annealed[seed]]
            references = _interpolated(baselines[seed], times)
            final = abs(list(baselines[seed].values())[-1])
            ratios = [
                abs(traces[seed][time] / reference)
                for time, reference in zip(times, references, strict=True)
                if abs(reference) > final / 10
            ]
            if ratios:
                largest[seed] = max(ratios)
        return largest


def _interpolated(trace: dict[float, float], times: Sequence[float]) -> list[float]:
    """Return a trace's values at other times: linear in log time, constant beyond its ends."""
    import numpy as np

    at = np.log(list(trace))
    return np.interp(np.log(times), at, list(trace.values())).tolist()
