"""Censored numbers, intervals inside the range, tests and verdicts."""

import math
from dataclasses import replace

import plotly.graph_objects as go
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import binomtest, ttest_1samp

from learnorder.report.parts import add_band, error_bars
from learnorder.report.score_words import ScoreWords
from learnorder.runs.results import Results
from learnorder.statistics import (
    PER_CENT,
    POSITIVE,
    SHARE,
    SHARE_DIFFERENCE,
    Estimate,
    Unit,
    adjusted_p,
    compare_spans,
    compare_times,
    estimate,
    holm,
    mean_p,
    measure_difference,
    measure_independent,
    measure_mean,
    median_span,
    paired_difference,
    range_of,
    ratio_of_means,
    ratio_p,
    side_of,
    sign_p,
    spread,
    verdict,
    why_inconclusive,
)
from learnorder.statistics.as_json import json_estimate
from learnorder.statistics.intervals import independent_difference, share_of_examples
from learnorder.statistics.learned import order_ratio

from .conftest import fake_run

ORDER = Unit("in log10")
times = st.none() | st.integers(1, 30)
"""An epoch of 30, or never."""


def orders(pairs):
    return {seed: order_ratio(patch, content, 30) for seed, (patch, content) in enumerate(pairs)}


def test_with_all_epochs_known_it_is_the_paired_t_interval():
    a, b = orders([(20, 2), (10, 1), (30, 3)]), orders([(2, 2), (1, 1), (6, 3)])
    found = compare_spans(a, b, ORDER)
    assert found.by_seed == {0: pytest.approx(1.0), 1: pytest.approx(1.0),
                             2: pytest.approx(math.log10(5))}  # fmt: skip
    assert found.bound == 0
    assert not found.note


def test_an_order_is_counted_where_bounds_tell_it():
    """Never against 3 in 30 epochs is at least 31/3; what that says depends on the other arm."""
    never = orders([(None, 3)])
    assert compare_spans(never, orders([(20, 2)]), ORDER).estimate.mean == 1.0
    assert compare_spans(never, orders([(22, 2)]), ORDER).estimate.n == 0, "11 may be less or more"
    assert compare_spans(never, orders([(None, 3)]), ORDER).estimate.n == 0
    assert compare_spans(orders([(None, None)]), orders([(2, 2)]), ORDER).estimate.n == 0
    assert compare_spans(orders([(2, None)]), orders([(2, 2)]), ORDER).estimate.mean == 0.0


@pytest.mark.parametrize(("seeds", "expected"), [(3, "undecided"), (5, "undecided"), (6, "holds")])
def test_three_of_three_seeds_are_inconclusive(seeds, expected):
    found = compare_spans(orders([(None, 3)] * seeds), orders([(2, 3)] * seeds), ORDER)
    assert (found.estimate.mean, found.estimate.n, found.bound) == (1.0, seeds, 0.5)
    assert verdict(found, "above") == expected


@given(st.lists(st.tuples(times, times), min_size=1, max_size=6).map(orders))
def test_nothing_is_later_than_itself(a):
    found = compare_spans(a, a, ORDER)
    assert verdict(found, "above") == "undecided"
    assert found.estimate.n == 0 or found.estimate.mean == 0


@given(st.lists(st.tuples(times, times, times, times), min_size=1, max_size=9))
def test_the_bounds_say_what_any_completion_would(pairs):
    """Whatever epochs after the last are put for never, the ordered pairs keep their order."""
    a = orders([(p, c) for p, c, _, _ in pairs])
    b = orders([(p, c) for _, _, p, c in pairs])
    for seed, (p, c, q, d) in enumerate(pairs):
        above = a[seed].above(b[seed])
        for late in (31, 32, 100, 10**6):
            if above is None or (p is None and c is None) or (q is None and d is None):
                continue
            one = math.log10((p or late) / (c or late))
            other = math.log10((q or 31) / (d or 31))
            assert (one > other) == above or math.isclose(one, other)


@given(st.lists(st.tuples(times, times), min_size=1, max_size=9))
def test_the_median_lies_between_its_bounds(pairs):
    found = median_span(orders(pairs).values())
    assert found.low <= found.high
    if all(None not in pair for pair in pairs):
        assert found.known


@pytest.mark.parametrize(("later", "n"), [(6, 6), (7, 8), (5, 5), (3, 6)])
def test_the_interval_is_that_of_the_exact_sign_test(later, n):
    a = {seed: None if seed < later else 1.0 for seed in range(n)}
    found = compare_times(a, dict.fromkeys(range(n), 2.0), Unit("epochs"))
    assert found.estimate.mean == later / n
    rejected = found.estimate.low > 0.5 or found.estimate.high < 0.5
    assert rejected == (binomtest(later, n).pvalue < 0.05)


shares = st.floats(0, 1, allow_subnormal=False)
by_seed = st.dictionaries(st.integers(0, 9), shares, min_size=1, max_size=8)


def inside(e, within):
    """Its mean and, where there is an interval, both ends are values that can be."""
    ends = [end for end in (e.low, e.high) if not math.isnan(end)]
    return within.contains([e.mean, *ends]) and sorted([*ends[:1], e.mean, *ends[1:]]) == [
        *ends[:1], e.mean, *ends[1:]
    ]  # fmt: skip


@given(by_seed, by_seed, st.sampled_from([0.5, 0.95, 0.999]))
def test_intervals_are_inside_the_range_for_any_data(a, b, confidence):
    assert inside(estimate(list(a.values()), confidence, within=SHARE), SHARE)
    difference = paired_difference(a, b, confidence, within=SHARE)
    assert difference.n == 0 or inside(difference, SHARE_DIFFERENCE)
    reliance = {seed: 2 * value - 1 for seed, value in a.items()}
    assert inside(estimate(list(reliance.values()), within=range_of("reliance")), SHARE_DIFFERENCE)
    losses = [1e3 * value for value in a.values()]
    assert inside(estimate(losses, within=range_of("loss", loss=POSITIVE)), POSITIVE)
    ratio = ratio_of_means(a, {seed: value + 0.01 for seed, value in b.items()}, within=POSITIVE)
    assert ratio.n == 0 or math.isnan(ratio.low) or (ratio.low >= 0 and ratio.high >= ratio.low)


@given(by_seed)
def test_cutting_off_keeps_what_the_whole_interval_holds(a):
    """A true mean is a share: the interval has it exactly where the whole one has."""
    whole, cut = estimate(list(a.values())), estimate(list(a.values()), within=SHARE)
    for truth in (0.0, 0.1, 0.5, 0.9, 1.0):
        assert (whole.low <= truth <= whole.high) == (cut.low <= truth <= cut.high)


def test_data_outside_a_range_are_not_cut():
    """A score called accuracy, in per cent; a loss that may be negative."""
    assert estimate([97.0, 98.0, 99.0], within=SHARE) == estimate([97.0, 98.0, 99.0])
    assert estimate([-0.1, 0.1, 0.3], within=POSITIVE).low < -0.1


def test_a_spread_of_rounding_is_none():
    e = estimate([0.9 - 0.8, 0.8 - 0.7, 0.7 - 0.6])
    assert e.identical
    assert not e.has_interval


@given(st.lists(st.floats(1.0, 1.5), min_size=3, max_size=9), st.floats(0.1, 3))
def test_ratios_that_are_equal_up_to_rounding_have_no_interval(values, ratio):
    b = dict(enumerate(values))
    a = {seed: ratio * value for seed, value in b.items()}
    found = ratio_of_means(a, b, within=POSITIVE)
    assert found.identical or found.high == math.inf
    assert ratio_p(a, b, ratio) == 1.0
    assert side_of(found, ratio) == "inconclusive"


def test_a_mean_at_the_bound_up_to_rounding_is_on_neither_side():
    for n in (3, 6):
        a, b = dict.fromkeys(range(n), 0.1 + 0.2), dict.fromkeys(range(n), 0.3)
        a[0], b[1] = 0.5, 0.3 + 1e-16
        b[0] = 0.5 - 1e-16
        found = measure_difference(a, b)
        assert found.by_seed == dict.fromkeys(range(n), 0.0)
        assert (found.p, side_of(found.estimate)) == (1.0, "inconclusive")
    at_bound = measure_mean(dict.fromkeys(range(6), 0.1 + 0.2), 0.3, ORDER)
    assert (at_bound.p, verdict(at_bound, "above")) == (1.0, "undecided")
    means = measure_independent([0.1 + 0.2] * 6, [0.3] * 6)
    assert (means.p, verdict(means, "above")) == (1.0, "undecided")


@pytest.mark.parametrize("n", [2, 5, 6])
def test_equal_values_have_no_interval(n):
    """The observed standard deviation is 0, which does not make the true mean certain."""
    perfect = dict.fromkeys(range(n), 1.0)
    for e in (
        estimate(list(perfect.values()), within=SHARE),
        paired_difference(perfect, dict.fromkeys(range(n), 0.0)),
        independent_difference([1.0] * n, [0.0] * n),
        ratio_of_means(perfect, perfect),
    ):
        assert e.identical
        assert math.isnan(e.low)
        assert math.isnan(e.high)
        assert e.format() == f"1.0 ({n} equal values)"
        assert (-e).format() == f"−1.0 ({n} equal values)"
        assert bool(why_inconclusive(e)) == (n < 6)
    assert PER_CENT.show(estimate([1.0] * n)) == f"100.0 % ({n} equal values)"
    assert ScoreWords("accuracy").value(estimate([1.0] * n)) == f"100.0 % ({n} equal values)"
    assert ScoreWords("accuracy").mean(estimate([1.0] * n)) == "100.0 %"
    assert json_estimate(estimate([1.0] * n)) == {"mean": 1.0, "low": None, "high": None, "n": n}
    half_open = Estimate(2.0, 0.0, math.inf, n)
    assert json_estimate(half_open) == {"mean": 2.0, "low": 0.0, "high": "inf", "n": n}
    # of a known number of examples they have one: Clopper–Pearson, here the rule of three
    share = share_of_examples([1.0] * n, 100)
    assert not share.identical
    assert share.low == pytest.approx(0.025 ** (1 / 100))
    assert share.high == 1


def test_bands_have_gaps_where_there_is_no_interval():
    figure = go.Figure()
    known, equal = Estimate(1.0, 0.5, 1.5, 3), estimate([2.0, 2.0])
    add_band(figure, dict(enumerate([known, known, equal, known, known], 1)), "#000", 10, 1)
    (band,) = figure.data
    assert list(band.x) == [1, 2, 2, 1, None, 4, 5, 5, 4]  # pyright: ignore
    assert list(band.y) == [15, 15, 5, 5, None, 15, 15, 5, 5]  # pyright: ignore
    add_band(figure, {1: equal, 2: equal}, "#000", 10, 1)
    assert len(figure.data) == 1  # pyright: ignore
    assert error_bars([known, equal], "#000", 1)["array"] == [0.5, 0]


def test_results_end_where_shares_end(tiny, tmp_path):
    folders = [
        fake_run(tmp_path / f"{arm}{seed}", replace(tiny, seed=seed), {"arm": arm}, [value], value)
        for seed, (a, b) in enumerate([(1.0, 0.2), (0.5, 0.0), (1.0, 0.1)])
        for arm, value in (("large", a), ("small", b))
    ]
    results = Results(folders)
    assert results.final_estimate("large", "clean", "accuracy").high == 1.0
    assert results.final_estimate("small", "clean", "accuracy").low == 0.0
    assert results.final_difference("large", "small", "clean", "accuracy").high == 1.0
    assert results.curve("large", "clean", "accuracy")[1].high == 1.0


@pytest.mark.parametrize(("n", "expected"), [(1, "undecided"), (2, "undecided"), (3, "holds")])
def test_a_verdict_takes_three_seeds(n, expected):
    """However narrow the interval of two is."""
    found = measure_mean({seed: 1.0 + 1e-3 * seed for seed in range(n)}, 0.0, ORDER)
    assert verdict(found, "above") == expected


def test_two_equal_seeds_decide_nothing():
    assert verdict(measure_mean({0: 0.1, 1: 0.1}, 0.0, ORDER), "above") == "undecided"
    assert why_inconclusive(estimate([0.1, 0.1])) == "a verdict needs at least 3 seeds"
    assert why_inconclusive(estimate([0.1] * 5)).startswith("identical values")
    assert side_of(estimate([0.1] * 6)) == "above"


@given(
    st.lists(st.floats(-1, 1, allow_subnormal=False), min_size=3, max_size=9),
    st.floats(-1, 1, allow_subnormal=False),
)
def test_p_is_below_5_per_cent_where_the_interval_leaves_the_bound_out(values, bound):
    found = measure_mean(dict(enumerate(values)), bound, ORDER)
    if abs(found.p - 0.05) > 1e-6 and not why_inconclusive(found.estimate):
        assert (found.p < 0.05) == (side_of(found.estimate, bound) != "inconclusive")


@example([(0.43514901807441897, 0.75)] * 3, 1.0)  # the interval's ends differed by rounding
@given(st.lists(st.tuples(shares, shares), min_size=3, max_size=9), st.floats(0.1, 3))
def test_the_p_of_a_ratio_is_that_of_fiellers_interval(pairs, bound):
    a, b = (dict(enumerate(x)) for x in zip(*pairs, strict=True))
    b = {seed: value + 1 for seed, value in b.items()}
    e, p = ratio_of_means(a, b), ratio_p(a, b, bound)
    spreads = spread([a[seed] - bound * b[seed] for seed in a]) > 0  # else p is the sign test's
    if spreads and abs(p - 0.05) > 1e-6 and -math.inf < e.low < e.high < math.inf:
        assert (p < 0.05) == (not e.low <= bound <= e.high)


@pytest.mark.parametrize(("larger", "n"), [(0, 3), (3, 3), (6, 6), (7, 9), (4, 8), (1, 12)])
def test_p_values_are_those_of_scipy(larger, n):
    assert sign_p(larger, n) == pytest.approx(binomtest(larger, n).pvalue)
    values = [0.1, 0.4, 0.2, 0.15]
    assert mean_p(values, 0.1) == pytest.approx(ttest_1samp(values, 0.1).pvalue)


def test_holm_against_known_values():
    """As R's p.adjust(c(0.01, 0.02, 0.03, 0.04, 0.05), "holm") has them."""
    assert holm([0.01, 0.02, 0.03, 0.04, 0.05]) == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09])
    assert holm([0.04, math.nan, 0.01]) == [0.04, pytest.approx(math.nan, nan_ok=True), 0.02]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_keeps_the_order_and_is_between_p_and_bonferroni(p):
    found = holm(p)
    for raw, adjusted in zip(p, found, strict=True):
        assert raw <= adjusted <= min(1.0, len(p) * raw) + 1e-12
    assert sorted(found) == [found[i] for i in sorted(range(len(p)), key=lambda i: p[i])]


def test_tests_that_drop_out_by_their_outcome_still_count():
    """Equal values on five seeds, a diverged run, and diverged runs on all but two or all seeds."""
    many = measure_mean({0: 1.0, 1: 1.1, 2: 1.2}, 0.0, ORDER)
    alike = measure_mean(dict.fromkeys(range(5), 0.0), 0.0, ORDER)
    diverged = replace(many, p=math.nan)
    few, none = (measure_mean(dict.fromkeys(range(n), 1.0), 0.0, ORDER) for n in (2, 0))
    adjusted = adjusted_p([alike, many, diverged, few, none])
    assert adjusted[1] == pytest.approx(5 * many.p)
    assert all(math.isnan(adjusted[i]) for i in (0, 2, 3, 4))
    assert adjusted_p([many], planned=3) == [pytest.approx(3 * many.p)]
