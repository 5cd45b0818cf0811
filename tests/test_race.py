"""Racing: looks and levels, who stops when, coverage after stopping, interrupted searches."""

import json
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from learnorder import LRSearch
from learnorder.advise.looks import Looks
from learnorder.advise.page import comparison_table, rung_table, to_json
from learnorder.advise.race import Race
from learnorder.advise.run import open_search, run_advise
from learnorder.advise.scores import ArmScores, agreements_of
from learnorder.advise.start import StartedSearch, start_search
from learnorder.config.training import TrainingConfig
from learnorder.errors import RunFolderError
from learnorder.execution.settings import Execution
from learnorder.runs import find_runs
from learnorder.runs.experiment import read_experiment
from learnorder.statistics import POINTS, measure_mean
from learnorder.values import to_dict

from .test_advise import small_task

QUIET = Execution(quiet=True)


def race_of(table: np.ndarray, looks: Looks, log: list | None = None) -> Race[int]:
    """Return a race of arms with a row of scores by seed each; nan diverges."""

    def train(counts: Mapping[int, int]):
        if log is not None:
            log.append(dict(counts))
        return {
            arm: {s: float(v) for s, v in enumerate(table[arm][:n]) if np.isfinite(v)}
            for arm, n in counts.items()
        }

    def judge(scores, counts):
        seeds = {arm: range(counts[arm]) for arm in scores}
        return ArmScores(scores, seeds, "accuracy", True, 0.01, looks)

    return Race(looks, train, judge)


def test_the_levels_of_all_looks_add_up_to_five_per_cent():
    for seeds in (2, 3, 4, 5, 8, 10, 20, 100):
        looks = Looks.up_to(seeds)
        assert looks.counts[-1] == seeds
        assert sum(1 - looks.confidence(n) for n in looks.counts) == pytest.approx(0.05)


def test_an_arm_stops_once_it_is_worse_as_good_or_beyond_a_verdict():
    noise = np.array([0.0, 0.004, -0.003, 0.002, -0.002])
    best = 0.9 + 0.02 * noise
    table = np.array([
        best, best - 0.2 + 0.1 * noise, best - 0.001 + 0.1 * noise, best - 0.011 + 6 * noise,
        best - 0.012 + 1.2 * noise,
    ])  # fmt: skip
    log = list[dict[int, int]]()
    race = race_of(table, Looks.up_to(5), log)
    assert race.run(range(5)) == 0
    assert race.counts == {0: 5, 1: 3, 2: 3, 3: 3, 4: 5}
    assert log == [dict.fromkeys(range(5), 3), {0: 5, 4: 5}]


def test_the_tolerance_is_that_of_the_best_rival_as_in_the_advice():
    """A loss 2 % above the best learning rate's is acceptable, however good an arm with noise."""

    def judge(scores, counts):
        seeds = {arm: range(counts[arm]) for arm in scores}
        return ArmScores(scores, seeds, "loss", False, None, Looks.up_to(3))

    table = {arm: dict.fromkeys(range(3), value) for arm, value in enumerate((1.0, 1.015, 0.5))}
    race = Race(Looks.up_to(3), lambda counts: {arm: table[arm] for arm in counts}, judge)
    race.run([0, 1], [2])
    assert race.compare([0, 1, 2], [0, 1]).tolerance == pytest.approx(0.02)
    assert judge(race.scores, race.counts).tolerance == pytest.approx(0.01)


def test_a_new_best_calls_back_those_that_it_leaves_undecided():
    """Arm 1 overtakes after three seeds; arm 2, as good as arm 0, is compared with it on all."""
    table = np.array([
        [0.900, 0.900, 0.900, 0.5, 0.5], [0.897, 0.8955, 0.9005, 0.9, 0.9],
        [0.8980, 0.8981, 0.8979, 0.9, 0.4],
    ])  # fmt: skip
    race = race_of(table, Looks.up_to(5))
    assert race.run(range(3)) == 1
    assert race.counts == {0: 5, 1: 5, 2: 5}


def test_a_best_that_diverges_late_gives_way():
    table = np.array([
        [0.90, 0.91, 0.90, np.nan, 0.9], [0.70, 0.71, 0.70, 0.70, 0.7],
        [0.89, 0.93, 0.885, 0.9, 0.9],
    ])  # fmt: skip
    race = race_of(table, Looks.up_to(5))
    assert race.run(range(3)) == 2
    assert race.judge(race.scores, race.counts).verdict(1, 2) == "worse"


def test_p_is_below_5_per_cent_where_the_wider_interval_excludes_0():
    rng = np.random.default_rng(0)
    for _ in range(200):
        values = dict(enumerate(rng.normal(2, 1, 3)))
        measured = measure_mean(values, 0.0, POINTS, confidence=0.98)
        assert (measured.p < 0.05) == (measured.estimate.low > 0 or measured.estimate.high < 0)


def test_rankings_of_a_race_are_compared_on_shared_seeds():
    """The second rate has the easy seeds only, and is worse on them."""
    long = {0.1: {0: 0.9, 1: 0.9, 2: 0.5}, 0.2: {0: 0.8, 1: 0.8}}
    short = {0.1: {9: 0.6}, 0.2: {9: 0.5}}
    (raced,) = agreements_of([(1, short), (2, long)], True, raced=True)
    (plain,) = agreements_of([(1, short), (2, long)], True)
    assert (raced.agree, plain.agree, raced.pairs) == (1, 0, 1)


def missed(searches: int, looks: Looks, draws, seed: int = 0) -> tuple[float, float]:
    """Return how often the interval of an arm against another misses 0, and the mean seeds."""
    rng, misses, used = np.random.default_rng(seed), 0, 0
    for _ in range(searches):
        table = np.array([np.zeros(5), draws(rng, 5)]) + 0.5
        race = race_of(table, looks)
        race.run([0], [1])
        gain = race.judge(race.scores, race.counts).compare(1, 0).estimate
        misses += not gain.low <= 0 <= gain.high
        used += race.counts[1]
    return misses / searches, used / searches


NORMAL = {
    spread: (lambda rng, n, spread=spread: rng.normal(0, spread, n))
    for spread in (0.002, 0.006, 0.03)
}


def test_intervals_cover_after_an_early_stop():
    for draws in NORMAL.values():
        miss, seeds = missed(400, Looks.up_to(5), draws)
        assert miss < 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5
        assert seeds < 5


@pytest.mark.slow
def test_intervals_cover_after_an_early_stop_in_many_searches():
    """Missed of 5 %, at spreads of 0.2, 0.6 and 3 tolerances, and with heavy tails (t, 3)."""
    heavy = {"t3": lambda rng, n: 0.005 * rng.standard_t(3, n)}
    for name, draws in {**NORMAL, **heavy}.items():
        miss, seeds = missed(4_000, Looks.up_to(5), draws, seed=1)
        print(f"{name}: missed {100 * miss:.2f} %, {seeds:.2f} seeds")
        assert miss < 0.05 + 3 * (0.05 * 0.95 / 4_000) ** 0.5


@pytest.fixture
def raced() -> LRSearch:
    return LRSearch(
        training=TrainingConfig(epochs=4, batch_size=16), learning_rates=(0.001, 0.05, 0.2),
        noise=0.0, range_test=False, seeds=4, target="loss", tolerance=50.0,
    )  # fmt: skip


def test_a_race_is_repeated_and_continued_to_the_same_advice(tmp_path, raced):
    advice = run_advise(raced, tmp_path, task=small_task(), execution=QUIET)
    assert {advice.count(arm) for arm in advice.arms} == {3}, "all are within the tolerance"
    assert advice.full_runs_saved() == len(advice.arms)
    written = (tmp_path / "advice.json").read_text()
    values = json.loads(written)
    assert values["full_runs"] == 3 * 0.5 + 3 * len(advice.arms)
    assert {arm["stopped"] for arm in values["arms"]} <= {"as_good", "better"}
    assert any("racing saved" in sentence for sentence in values["findings"])
    assert rung_table(advice).columns[-1] == "seeds at full length"
    assert {row[1] for row in comparison_table(advice).rows} == {"3"}
    experiment = read_experiment(tmp_path)
    assert experiment is not None
    assert experiment.settings is not None
    assert to_json(open_search(tmp_path, experiment.settings)) == written
    runs = sorted(find_runs(tmp_path / "epochs-4"), key=lambda run: run.name)
    for path in sorted(runs[-1].path.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    runs[-1].path.rmdir()
    with pytest.raises(RunFolderError, match="does not exist yet"):
        open_search(tmp_path, experiment.settings)
    again = run_advise(raced, tmp_path, task=small_task(), execution=QUIET)
    assert to_json(again) == written


def test_a_search_of_before_goes_on_without_a_race(tmp_path):
    """Its experiment.json has no race and no keep; the same command continues it as it was."""
    old = LRSearch(rungs=3, screening_seeds=2, keep=0.5, race=False)
    settings = to_dict(StartedSearch(old, old.rates(), ""))
    for name in ("race", "keep"):
        settings["search"].pop(name)
    from learnorder.runs.experiment import Experiment

    Experiment("advise", settings).write(tmp_path)
    assert start_search(LRSearch(), tmp_path, None, QUIET).search == old
    with pytest.raises(RunFolderError, match="another search"):
        start_search(replace(LRSearch(), seeds=6), tmp_path, None, QUIET)
