"""Learning rates along a setting: optima, drift, their intervals, and whole experiments."""

import json
import math
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_1samp

import learnorder
from learnorder import AlongResult, LRSearch, ModelConfig, ScriptConfig, TrainingConfig
from learnorder.advise.along.drift import factor_bounds, find_drift, predict, shape_bounds
from learnorder.advise.along.optimum import Slopes, find_optimum, fit, slopes_of, zero_of
from learnorder.advise.along.page import to_json
from learnorder.advise.along.references import references_for
from learnorder.advise.along.settings import AlongSettings
from learnorder.advise.scores import ArmScores
from learnorder.cli.main import main
from learnorder.config.settings import TaskConfig
from learnorder.errors import ConfigError, Interrupted, RunFolderError
from learnorder.execution.settings import Execution
from learnorder.runs import find_runs

QUIET = Execution(workers=1, quiet=True)
GRID = tuple(10.0 ** (-3 + 0.3 * i) for i in range(9))
STEP = 0.3


def scored(tables, rates=GRID, higher=True):
    """Scores from an array of seeds × learning rates; nan is a run without one."""
    by_rate = {
        rate: {s: float(v) for s, v in enumerate(column) if not math.isnan(v)}
        for rate, column in zip(rates, np.asarray(tables).T, strict=True)
    }
    return ArmScores(by_rate, dict.fromkeys(rates, range(len(tables))), "score", higher)


def parabola(top, generator, noise, seeds=5, rates=GRID):
    """Scores of a parabola whose drop is 1 a step from its top, with seeds of different level."""
    x = (np.log10(rates) - top) / STEP
    level = generator.normal(0, 2 * noise, (seeds, 1))
    return -(x**2)[None] + level + noise * generator.normal(size=(seeds, len(rates)))


# One optimum.


def test_the_vertex_of_a_parabola_on_an_uneven_grid():
    rates = (0.01, 0.02, 0.05, 0.1, 0.2)
    level = np.array([[0.0], [0.5], [-0.3]])
    tables = level - 0.7 * (np.log10(rates) + 1.37)[None] ** 2
    for sign in (1, -1):  # also if a lower score is better
        optimum = find_optimum(scored(sign * tables, rates, higher=sign == 1))
        assert (optimum.standing, optimum.best) == ("inside", 0.05)
        assert math.log10(optimum.at.mean) == pytest.approx(-1.37)
        assert optimum.top == pytest.approx(sign * level.mean())


def test_the_interval_inverts_a_t_test():
    generator = np.random.default_rng(3)
    tables = parabola(-1.9, generator, 0.1)
    optimum = find_optimum(scored(tables))
    index = int(tables.mean(axis=0).argmax())
    x, y = np.log10(GRID)[index - 1 : index + 2], tables[:, index - 1 : index + 2]
    coefficients = [np.polyfit(x, row, 2) for row in y]

    def p(at):
        return ttest_1samp([2 * c[0] * at + c[1] for c in coefficients], 0).pvalue

    mean = np.polyfit(x, y.mean(axis=0), 2)
    assert math.log10(optimum.at.mean) == pytest.approx(-mean[1] / (2 * mean[0]))
    assert optimum.bounded
    for end in (optimum.at.low, optimum.at.high):
        assert p(math.log10(end)) == pytest.approx(0.05)
    assert p(math.log10(optimum.at.low) + 0.01) > 0.05 > p(math.log10(optimum.at.high) + 0.01)


def test_chance_is_seldom_a_top():
    """Of scores without any top, few have a bounded interval, although the best looks like one."""
    generator = np.random.default_rng(0)
    optima = [find_optimum(scored(generator.normal(size=(5, 9)))) for _ in range(200)]
    inside = [optimum for optimum in optima if optimum.standing == "inside"]
    assert len(inside) > 100
    assert sum(optimum.bounded for optimum in inside) < 0.15 * len(inside)


@pytest.mark.parametrize(
    ("top", "standing", "above", "below"),
    [
        (-3.4, "smallest", 0.0, GRID[1]),
        (-0.2, "largest", GRID[-2], math.inf),
    ],
)
def test_an_end_of_the_grid_is_never_an_optimum(top, standing, above, below):
    optimum = find_optimum(scored(parabola(top, np.random.default_rng(1), 0.05)))
    assert optimum.standing == standing
    assert math.isnan(optimum.at.mean)
    assert (optimum.above, optimum.below) == (above, below)


def test_a_neighbour_that_diverges_leaves_no_parabola():
    tables = parabola(-1.8, np.random.default_rng(1), 0.05)
    tables[0, 5] = math.nan
    optimum = find_optimum(scored(tables))
    assert (optimum.standing, optimum.best) == ("diverged", GRID[4])
    assert (optimum.above, optimum.below) == (GRID[3], GRID[5])


def test_three_equal_means_are_a_tie():
    tables = np.array([[0.0, 1, 1, 1, 0], [0.0, 1, 1, 1, 0], [0.0, 1, 1, 1, 0]])
    optimum = find_optimum(scored(tables, (1.0, 2.0, 4.0, 8.0, 16.0)))
    assert optimum.best == 2.0
    assert optimum.standing == "inside"  # the neighbour below is worse: the vertex is at a half
    tied = find_optimum(scored(np.ones((3, 3)) * [[1.0], [2.0], [3.0]], (1.0, 2.0, 4.0)))
    assert tied.standing in ("smallest", "tied")


def test_equal_curves_on_three_seeds_are_not_significantly_lopsided():
    rates, curve = (1.0, 2.0, 4.0, 8.0, 16.0), np.array([-3.0, -1.0, 0.0, -5.0, -9.0])
    noise = 0.01 * np.random.default_rng(3).normal(size=(3, 5))
    assert not find_optimum(scored([curve] * 3, rates)).lopsided
    assert find_optimum(scored([curve] * 6, rates)).lopsided
    assert find_optimum(scored(curve + noise, rates)).lopsided
    curve[3] = -9.5
    assert find_optimum(scored([curve] * 3, rates)).lopsided, "by a factor of more than 9"


def test_a_cliff_is_lopsided_and_a_parabola_is_not():
    """Beyond a cliff at −1.3 every vertex is in the middle below the best, wherever the top is."""
    generator = np.random.default_rng(2)
    x = np.log10(GRID)
    cliff = np.where(x < -1.3, -0.1 * (x + 1.4) ** 2, -5.0) + 0.001 * generator.normal(size=(5, 9))
    optimum = find_optimum(scored(cliff))
    assert optimum.lopsided
    assert optimum.best == GRID[5]
    assert math.log10(optimum.at.mean) == pytest.approx(-1.65, abs=0.01)
    assert optimum.neighbours == (GRID[4], GRID[6])
    tops = np.linspace(-1.95, -1.65, 31)
    even = [find_optimum(scored(parabola(top, generator, 0.2))) for top in tops]
    assert sum(optimum.lopsided for optimum in even) <= 1
    low, high = shape_bounds({1: optimum, 2: even[0], 4: even[1]})
    assert low < high == pytest.approx(low * 10 ** (0.6 / 2))
    assert shape_bounds({1: even[0], 2: even[1]}) is None


@pytest.mark.parametrize("noise", [1.0, 0.5])
def test_the_interval_covers_the_optimum(noise):
    """In 95 % of the cases with 5 seeds, where a t interval of the vertices by seed does not."""
    generator, covered, naive, n = np.random.default_rng(0), 0, 0, 500
    for _ in range(n):
        top = -1.8 + STEP * generator.uniform(-0.5, 0.5)
        optimum = find_optimum(scored(parabola(top, generator, noise)))
        assert optimum.slopes is not None
        covered += optimum.at.low <= 10**top <= optimum.at.high
        vertices = [-a / b for a, b in zip(optimum.slopes.a, optimum.slopes.b, strict=True)]
        naive += ttest_1samp(vertices, top).pvalue > 0.05
    assert 0.93 <= covered / n <= 0.97
    assert noise < 1 or naive / n < 0.92


# The drift.


def moving(tops, generator, noises):
    """The optima at values 1, 2, 4 …"""
    tables = [parabola(top, generator, s) for top, s in zip(tops, noises, strict=True)]
    return {2**i: find_optimum(scored(table)) for i, table in enumerate(tables)}


def test_the_drift_of_exact_optima_is_exact():
    optima = moving([-1.5, -1.7, -1.9], np.random.default_rng(0), [1e-6] * 3)
    drift = find_drift(optima)
    assert drift is not None
    assert drift.bend is not None
    assert drift.factor.mean == pytest.approx(10**-0.2, rel=1e-4)
    assert drift.bend.mean == pytest.approx(0, abs=1e-4)
    assert drift.bounded
    predicted = predict(optima, 32)
    assert predicted is not None
    assert math.log10(predicted.mean) == pytest.approx(-2.5, abs=1e-4)


def test_the_fit_is_weighted_least_squares():
    """Against the normal equations written out, with curvatures and shares of noise as weights."""
    generator = np.random.default_rng(1)
    slopes = [
        Slopes(tuple(a), tuple(b))
        for a, b in generator.normal([[-6.0], [-3.0]], [[1.0], [0.3]], (4, 2, 5))
    ]
    design = np.stack([np.ones(4), np.arange(4.0), np.arange(4.0) ** 2], axis=1)
    a, b = (np.array([getattr(s, name) for s in slopes]) for name in "ab")
    spread = b.std(axis=1, ddof=1)
    weight = -b.mean(axis=1) / np.maximum(spread, np.median(spread)) ** 2
    root = np.sqrt(weight)
    vertices = -a.mean(axis=1) / b.mean(axis=1)
    expected = np.linalg.lstsq(design * root[:, None], vertices * root, rcond=None)[0]
    for index in range(3):
        assert fit(slopes, design, index).mean == pytest.approx(expected[index])


@pytest.mark.parametrize(("noises", "low"), [((0.5,) * 3, 0.925), ((0.2, 4.0, 0.2, 0.2), 0.92)])
def test_the_intervals_cover_the_drift_and_the_extrapolation(noises, low):
    generator, n = np.random.default_rng(5), 200
    slope_covered = extrapolated = growing = 0
    for _ in range(n):
        beta, middle = -0.15, -1.8 + STEP * generator.uniform(-0.5, 0.5)
        tops = [middle + beta * i for i in range(len(noises))]
        optima = moving(tops, generator, noises)
        drift, far, near = find_drift(optima), predict(optima, 64), predict(optima, 16)
        assert drift is not None
        assert far is not None
        assert near is not None
        slope_covered += drift.factor.low <= 10**beta <= drift.factor.high
        extrapolated += far.low <= 10 ** (middle + 6 * beta) <= far.high
        growing += far.high / max(far.low, 1e-300) > near.high / max(near.low, 1e-300)
    assert low <= slope_covered / n <= 0.98
    assert low <= extrapolated / n <= 0.98
    assert growing / n > 0.9


def test_a_bend_is_seen():
    optima = moving([-1.2, -1.5, -1.5, -1.2], np.random.default_rng(0), [0.05] * 4)
    drift = find_drift(optima)
    assert drift is not None
    assert drift.bend is not None
    assert drift.bend.low > 0


def test_ends_of_the_grid_bound_the_drift():
    """Values 1 and 4: optima below 0.1 and above 0.4, so the factor is at least √4 = 2."""
    low = replace(find_optimum(scored(np.zeros((3, 9)))), above=0.0, below=0.1)
    high = replace(low, above=0.4, below=math.inf)
    assert factor_bounds({1: low, 4: high}) == (pytest.approx(2.0), math.inf)
    assert factor_bounds({1: high, 4: low}) == (0.0, pytest.approx(0.5))
    assert factor_bounds({1: low, 4: low}) == (0.0, math.inf)
    assert find_drift({1: low, 4: high}) is None


def test_slopes_of_a_line_have_no_curvature():
    slopes = slopes_of([0.0, 1.0, 3.0], [{0: 0.0}, {0: 2.0}, {0: 6.0}])
    assert slopes == Slopes((2.0,), (0.0,))
    assert zero_of(np.array([1.0, 3.0]), np.array([1.0, -2.0])).low == -math.inf


# Whole experiments, of a function.


def train(learning_rate: float, seed: int, width: int) -> float:
    """Scores whose top moves with width^(−1/2)."""
    noise = np.random.default_rng([seed, width, round(1e6 * learning_rate)]).normal()
    top = 0.1 * (64 / width) ** 0.5
    return 0.9 - 0.2 * math.log10(learning_rate / top) ** 2 + 0.01 * seed + 0.004 * float(noise)


WIDTHS = {"script.values.width": [64, 128, 256]}
SEARCH = LRSearch(learning_rates=(0.01, 0.03, 0.1, 0.3), seeds=5)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("along") / "out"
    return out, learnorder.run_along(
        WIDTHS, SEARCH, out, function=train, predict=1024, execution=QUIET
    )


def test_a_known_drift_is_found(made):
    out, result = made
    assert result.drift.factor.low < 0.5**0.5 < result.drift.factor.high < 0.8
    predicted = result.predict(1024)
    assert predicted.low < 0.025 < predicted.high
    first, *_ = result.findings()
    assert first.startswith("The best learning rate falls with width: ×0.7")
    assert any("Extrapolated to width 1,024" in each for each in result.findings())
    kept = json.loads((out / "along.json").read_text())
    assert kept["factor_per_doubling"]["mean"] == result.drift.factor.mean
    assert [each["value"] for each in kept["values"]] == [64, 128, 256]
    assert kept["extrapolated"]["value"] == 1024
    assert "Does the best learning rate move with width?" in (out / "report.html").read_text()


def test_it_opens_as_it_was_returned(made, capsys):
    out, result = made
    opened = learnorder.open_runs(out, of=AlongResult)
    assert (opened.settings, opened.scored) == (result.settings, result.scored)
    assert opened.findings() == result.findings()
    (out / "report.html").unlink()
    assert main(["report", str(out)]) == 0
    assert (out / "report.html").exists()


def test_more_values_rates_and_seeds_are_added(tmp_path):
    out, calls = tmp_path / "out", tmp_path / "calls"

    def counted(learning_rate: float, seed: int, width: int) -> float:
        with calls.open("a") as file:
            file.write(f"{learning_rate} {seed} {width}\n")
        return train(learning_rate, seed, width)

    def lines() -> list[str]:
        return calls.read_text().splitlines()

    few = replace(SEARCH, learning_rates=(0.01, 0.03, 0.1), seeds=3)
    widths = {"script.values.width": [128, 256]}
    learnorder.run_along(widths, few, out, function=counted, execution=QUIET)
    assert len(lines()) == 18
    more = replace(SEARCH, learning_rates=(0.01, 0.03, 0.1, 0.3), seeds=4)
    result = learnorder.run_along(WIDTHS, more, out, function=counted, execution=QUIET)
    assert len(lines()) == len(set(lines())) == 48
    assert result.optima[64].standing == "inside"
    for other in (
        replace(more, learning_rates=(0.003, 0.01, 0.03, 0.1, 0.3)),
        replace(more, first_seed=1),
        few,
    ):
        with pytest.raises(RunFolderError, match="contains other runs"):
            learnorder.run_along(WIDTHS, other, out, function=counted, execution=QUIET)
    with pytest.raises(RunFolderError, match="learning rates along a setting"):
        learnorder.run_advise(replace(few, rungs=1), out, function=lambda learning_rate, seed: 1.0)


def test_a_stop_loses_nothing(tmp_path):
    out, calls = tmp_path / "out", tmp_path / "calls"

    def lines() -> list[str]:
        return calls.read_text().splitlines()

    def stopping(learning_rate: float, seed: int, width: int) -> float:
        with calls.open("a") as file:
            file.write(f"{learning_rate} {seed} {width}\n")
        if len(calls.read_text().splitlines()) == 5:
            signal.raise_signal(signal.SIGINT)
        return train(learning_rate, seed, width)

    search = replace(SEARCH, seeds=3)
    with pytest.raises(Interrupted):
        learnorder.run_along(WIDTHS, search, out, function=stopping, execution=QUIET)
    done = len(lines())
    with pytest.raises(RunFolderError, match=r"does not exist|pending|interrupted"):
        learnorder.open_runs(out, of=AlongResult)
    result = learnorder.run_along(WIDTHS, search, out, function=stopping, execution=QUIET)
    assert done == 5
    assert len(lines()) in (36, 37)
    whole = learnorder.run_along(WIDTHS, search, tmp_path / "w", function=train, execution=QUIET)
    assert result.scored == whole.scored


def test_ends_of_the_grid_are_said(tmp_path):
    search = replace(SEARCH, learning_rates=(0.1, 0.3, 1.0), seeds=3)
    result = learnorder.run_along(WIDTHS, search, tmp_path, function=train, predict=512,
                                  execution=QUIET)  # fmt: skip
    assert [each.standing for each in result.optima.values()] == ["smallest"] * 3
    assert result.drift is None
    text = " ".join(result.findings())
    assert "not determined: only 0 of 3 optima" in text
    assert "the best is the smallest: the optimum may be smaller" in text
    assert "Nothing is predicted for width 512" in text


def test_lopsided_curves_leave_the_drift_open():
    """Three cliffs, each below the same learning rate: the vertices agree, and say nothing."""
    x, generator = np.log10(GRID), np.random.default_rng(0)
    values, tables = (64, 128, 256), dict[float, dict[float, dict[int, float]]]()
    for value in values:
        noise = 0.001 * generator.normal(size=(3, 9))
        edge = -1.3 if value < 256 else -1.0
        table = np.where(x < edge, -0.1 * (x - edge + 0.1) ** 2, -5.0) + noise
        tables[value] = {
            r: dict(enumerate(map(float, y))) for r, y in zip(GRID, table.T, strict=True)
        }
    search = replace(LRSearch(), learning_rates=GRID, seeds=3)
    settings = AlongSettings.of(search, {"model.arguments.width": values}, 1024)
    result = AlongResult(settings, tables, "score", True, ())
    assert all(optimum.lopsided for optimum in result.optima.values())
    assert result.drift.factor.low > 1
    assert result.shape_bounds()[0] < 1 < result.shape_bounds()[1]
    first, *others = result.findings()
    assert first.startswith("Whether the best learning rate moves is not determined")
    assert "too lopsided" in first
    text = " ".join(others)
    assert "much more steeply on one side of its top at width 64, width 128, width 256" in text
    assert "Nothing is predicted for width 1,024 by a power law: curves are lopsided" in text
    assert "×1.00 (maximal update parametrisation (μP)) is inside" in text


def test_open_ends_are_infinite_in_json():
    """The best is the largest of the grid at 64 and the smallest at 128."""
    rates = (1.0, 2.0, 4.0)
    rising = {rate: {seed: rate * (1 + seed / 100) for seed in range(3)} for rate in rates}
    falling = {rate: {seed: -x for seed, x in scores.items()} for rate, scores in rising.items()}
    search = replace(LRSearch(), learning_rates=rates, seeds=3)
    settings = AlongSettings.of(search, {"model.arguments.width": (64, 128)})
    result = AlongResult(settings, {64: rising, 128: falling}, "score", True, ())
    written = json.loads(to_json(result))
    largest, smallest = written["values"]
    assert (largest["above"], largest["below"]) == (2.0, "inf")
    assert (smallest["above"], smallest["below"]) == (0.0, 2.0)
    assert written["factor_bounds"] == {"low": 0.0, "high": 1.0}


def test_a_function_that_ignores_the_setting_is_refused(tmp_path):
    def ignores(learning_rate: float, seed: int, width: int) -> float:
        return train(learning_rate, seed, 64)

    with pytest.raises(ConfigError, match="so the runs ignore it"):
        learnorder.run_along(WIDTHS, SEARCH, tmp_path, function=ignores, execution=QUIET)


# Settings.


@pytest.mark.parametrize(
    ("along", "changes", "field", "words"),
    [
        ({}, {}, "along", "one setting"),
        ({"training.epochs": [1, 2], "training.batch_size": [1, 2]}, {}, "along", "one setting"),
        ({"training.epochs": [10]}, {}, "along.training.epochs", "at least two"),
        ({"training.epochs": [20, 10]}, {}, "along.training.epochs", "increasing"),
        ({"training.epochs": [0, 10]}, {}, "along.training.epochs", "above 0"),
        ({"training.epochs": ["a", "b"]}, {}, "along.training.epochs", "numbers"),
        ({"training.epochs": [True, 2]}, {}, "along.training.epochs", "numbers"),
        ({"training.epochs": [10, 20.5]}, {}, "training.epochs", "At training.epochs 20.5"),
        ({"training.epoch": [10, 20]}, {}, "along.training.epoch", "Did you mean training.epochs"),
        ({"seeds": [3, 5]}, {}, "along.seeds", "one of the runs"),
        ({"learning_rates": [3, 5]}, {}, "along.learning_rates", "one of the runs"),
        ({"task.arguments.width": [3, 5]}, {}, "along.task.arguments.width", "there is none"),
        ({"script.values.width": [3, 5]}, {}, "along.script.values.width", "--command"),
        ({"training.epochs": [4, 8]}, {"rungs": 3}, "rungs", "no rungs"),
        ({"training.epochs": [4, 8]}, {"noise": 0.3}, "noise", "full length"),
        ({"training.epochs": [4, 8]}, {"screening_seeds": 3}, "screening_seeds", "full length"),
        ({"training.epochs": [4, 8]}, {"shorter_plateaus": (0.2,)}, "shorter_plateaus", "length"),
        ({"training.epochs": [4, 8]}, {"seeds": 2}, "seeds", "at least 3"),
        ({"training.epochs": [4, 8]}, {"learning_rates": (1.0, 2.0)}, "learning_rates", "three"),
        ({"model.arguments.d": [4, 8]}, {"task": TaskConfig("a.b")}, "along.model.arguments.d",
         "task.arguments"),
    ],
)  # fmt: skip
def test_wrong_settings_are_refused(along, changes, field, words):
    with pytest.raises(ConfigError) as error:
        AlongSettings.of(replace(LRSearch(), **changes), along)
    assert error.value.field == field
    assert words in str(error.value)


def test_what_to_predict_is_beyond_the_values():
    with pytest.raises(ConfigError, match="above 20"):
        AlongSettings.of(LRSearch(), {"training.epochs": [10, 20]}, 15)


def test_a_script_has_to_take_the_setting():
    script = ScriptConfig("t {learning_rate} {seed}")
    search = replace(SEARCH, rungs=1, script=script)
    for name, words in (("training.epochs", "{epochs}"), ("script.values.width", "take {width}")):
        with pytest.raises(ConfigError, match=words.replace("{", r"\{")):
            AlongSettings.of(search, {name: [10, 20]})
    with pytest.raises(ConfigError, match="The script decides it"):
        AlongSettings.of(search, {"training.batch_size": [16, 64]})


def test_each_value_is_in_the_configuration_of_its_runs():
    settings = AlongSettings.of(LRSearch(), {"model.arguments.widen_factor": [1, 2]})
    assert settings.at(2).model == ModelConfig("WideResNet", {"depth": 10, "widen_factor": 2})
    assert (settings.search.rungs, settings.search.noise, settings.search.tests_range) == (1, 0, 0)
    settings = AlongSettings.of(LRSearch(), {"training.epochs": [4, 8]})
    assert settings.at(8).training.epochs == 8


def test_rules_are_shown_where_they_are_about_the_setting():
    adam = replace(LRSearch(), training=TrainingConfig(optimizer="AdamW"))

    def factors(search, name):
        return [rule.factor for rule in references_for(search, name)]

    assert factors(LRSearch(), "model.arguments.widen_factor") == [1.0]
    assert factors(adam, "model.arguments.width") == [1.0, 0.5]
    assert factors(LRSearch(), "training.batch_size") == [2.0]
    assert factors(adam, "training.batch_size") == [2**0.5]
    assert factors(adam, "training.epochs") == []


# The command.


def test_the_command_runs_a_script(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(
        "import math, sys\n"
        "lr, seed, width = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])\n"
        "print(0.9 - math.log10(lr * width / 6) ** 2 + 0.01 * seed"
        " + 0.001 * ((seed * 7 + width + round(100 * lr)) % 5))\n"
    )
    command = f"{sys.executable} train.py {{learning_rate}} {{seed}} {{width}}"
    words = ["advise", "--command", command, "--learning_rates", "[0.01, 0.05, 0.25]",
             "--along", "{script.values.width: [64, 128]}", "--seeds", "3", "--quiet"]  # fmt: skip
    assert main([*words, "--rungs", "3"]) == 2
    assert "rungs" in capsys.readouterr().err
    assert main([*words, "--minutes", "5"]) == 2
    assert "--dry-run shows the time" in capsys.readouterr().err
    assert main([*words, "--predict", "100"]) == 2
    assert not Path("runs").exists()
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "The best learning rate falls with width: ×0.5" in printed
    assert len(find_runs("runs/along")) == 18
    assert main(["advise", "--predict", "100"]) == 2
    assert "needs --along" in capsys.readouterr().err
