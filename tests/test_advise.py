"""Advice on learning rates: rungs, the band, what is compared, the range test, whole searches."""

import json
import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from learnorder import Advice, LRSearch, Task
from learnorder.advise.figures import gain_figure, rates_figure
from learnorder.advise.page import comparison_table, rung_table, to_json, write_advice
from learnorder.advise.plans import next_rate, rung_plans, search_plans, why_no_noise
from learnorder.advise.range_rules import RangeTest, Restart
from learnorder.advise.result import Rung, near
from learnorder.advise.run import SearchRunner, run_advise
from learnorder.advise.settings import Candidate
from learnorder.advise.start import StartedSearch
from learnorder.advise.words import advice_findings
from learnorder.cli.main import main
from learnorder.config.settings import DataConfig, ModelConfig, TaskConfig
from learnorder.config.training import TrainingConfig
from learnorder.errors import ConfigError, RunFolderError
from learnorder.execution.settings import Execution
from learnorder.runs import RunFolder, find_runs
from learnorder.runs.opening import open_runs
from learnorder.runs.results import TaskResults
from learnorder.training.task_evaluation import validate

from .conftest import html_sentences
from .test_task import blobs, network

SEEDS = range(5)


def linear_task(**arguments: object) -> Task:
    """A regression whose loss has the identity as its Hessian: η > 2 diverges."""
    x = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).repeat(20, 1)
    data = TensorDataset(x, x @ torch.tensor([[1.0], [-1.0]]))
    return Task(lambda: nn.Linear(2, 1, bias=False), data, data, loss=nn.MSELoss(), **arguments)  # pyright: ignore


def small_task() -> Task:
    return Task(network, blobs(60))


def fake(
    scores: dict[Candidate, list[float]], rungs: tuple[Rung, ...] = (), **changes: object
) -> Advice:
    """Return advice made of scores alone."""
    search = LRSearch(training=TrainingConfig(epochs=20), rungs=len(rungs) + 1)
    arms = {arm: dict(enumerate(values)) for arm, values in scores.items()}
    plain = {a.learning_rate: s for a, s in arms.items() if a.plateau == 0.5 and not a.noise}
    last = Rung(20, tuple(SEEDS), plain)
    values = {
        "search": search, "score": "accuracy", "higher_is_better": True, "rungs": (*rungs, last),
        "arms": arms, "range_test": None, "no_noise": "", "unseen_classes": (),
        "folders": (),
    }  # fmt: skip
    return Advice(**{**values, **changes})  # pyright: ignore


def falling_at(*rates: float) -> RangeTest:
    """A range test whose restarts fall most steeply around these rates, and rise from 10 times."""
    tried = tuple(10 ** (k / 12.5 - 7) for k in range(101))
    restarts = []
    for seed, rate in enumerate(rates):
        logs = [math.log10(each / rate) for each in tried]
        losses = tuple(2 - math.atan(4 * log) + max(0, log - 1) for log in logs)
        restarts.append(Restart(seed, tried, losses, "finished"))
    return RangeTest(tuple(restarts))


def around(mean: float, spread: float = 0.002) -> list[float]:
    """Five scores around a mean, the same deviations each time but for a little of their own."""
    drawing = torch.Generator().manual_seed(round(1e6 * mean))
    own = torch.randn(5, generator=drawing, dtype=torch.float64) * spread
    return [mean + float(d) for d in own - own.mean()]


def test_every_run_is_a_whole_schedule_of_its_rung():
    search = LRSearch(training=TrainingConfig(epochs=40), rungs=3)
    for rung, epochs in enumerate((10, 20, 40)):
        plans = rung_plans(search, [Candidate(0.5, 0.5), Candidate(0.01, 0.5)], 0.01, rung)
        for plan in plans.values():
            assert plan.config.training.epochs == epochs
            rate = plan.config.learning_rate
            assert rate.at(epochs, epochs=epochs) == pytest.approx(0.01)
            assert rate.at(epochs // 2, epochs=epochs) == rate.initial


def test_a_cosine_ends_at_nothing_and_has_no_shorter_phases():
    search = LRSearch(training=TrainingConfig(epochs=8), anneal="cosine")
    config = next(iter(rung_plans(search, [Candidate(0.5, 0.5)], 0.01, 1).values())).config
    assert config.learning_rate.at(8, 9, 10, epochs=8) < 0.01
    assert search.distinct_plateaus() == ()


def test_no_seed_serves_two_rungs():
    search = LRSearch(first_seed=7, rungs=3, screening_seeds=3, seeds=4)
    seeds = [seed for rung in range(search.rungs) for seed in search.rung_seeds(rung)]
    assert seeds == list(range(7, 7 + 3 + 3 + 4))


def test_the_arms_of_a_seed_share_all_but_the_treatment():
    search = LRSearch()
    arms = [Candidate(0.1, 0.5), Candidate(0.1, 0.25), Candidate(0.01, 0.5, noise=0.4)]
    plans = rung_plans(search, arms, 0.01, 1)
    assert len(plans) == 3 * search.seeds
    of_one = [p.config for p in plans.values() if p.config.seed == search.rung_seeds(1)[0]]
    for name in ("data", "model", "patch", "training", "seed"):
        assert len({repr(getattr(config, name)) for config in of_one}) == 1


def test_phases_that_come_to_the_same_epochs_are_tried_once():
    search = LRSearch(training=TrainingConfig(epochs=8), shorter_plateaus=(0.1, 0.12, 0.25, 0.49))
    assert [search.plateau_epochs(plateau, 8) for plateau in search.distinct_plateaus()] == [1, 2]


def test_fine_tuning_begins_lower():
    assert LRSearch().rates(fine_tunes=True)[0] == 0.001
    assert LRSearch(learning_rates=(0.1, 0.2)).rates(fine_tunes=True) == (0.1, 0.2)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"training": TrainingConfig(epochs=3)}, "at least 4 epochs, or fewer --rungs"),
        ({"data": DataConfig()}, "evaluate_on"),
        ({"learning_rates": (0.1,)}, "at least two"),
        ({"learning_rates": (0.2, 0.1)}, "increasing"),
        ({"shorter_plateaus": (0.25, 0.6)}, "below plateau"),
        ({"plateau": 1.0}, "plateau"),
        ({"seeds": 1}, "at least 2"),
        ({"tolerance": -1.0}, "tolerance"),
        ({"rungs": 0}, "rungs"),
        ({"keep": 0.0}, "keep"),
        ({"first_seed": -1}, "first_seed"),
        ({"learning_rates": (0.1, 0.10001)}, "10 % apart"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        LRSearch(**settings)


def test_the_band_has_what_is_not_significantly_worse():
    advice = fake({
        Candidate(0.01, 0.5): around(0.90), Candidate(0.1, 0.5): around(0.95),
        Candidate(0.2, 0.5): around(0.951), Candidate(1.0, 0.5): around(0.93),
    })  # fmt: skip
    assert advice.band() == [0.1, 0.2]
    assert not advice.found_no_difference()
    said = " ".join(advice_findings(advice))
    assert "Best after annealing: 0.2 (" in said
    assert "Not significantly worse: 0.1." in said
    assert "Significantly worse than 0.2: 1 by 2.1 points" in said
    assert "against the smallest, 0.01 (constant): better by 5.1 points" in said


def test_where_nothing_differs_that_is_said():
    advice = fake({Candidate(rate, 0.5): around(0.9, 0.02) for rate in (0.01, 0.1, 0.2)})
    assert advice.found_no_difference()
    said = advice_findings(advice)
    assert said[0].startswith("No difference found at this budget")
    assert any("largest learning rate tried" in sentence for sentence in said)
    assert any("smallest learning rate tried" in sentence for sentence in said)


def test_the_best_has_the_best_mean_at_full_length():
    arms = {
        Candidate(0.01, 0.5): around(0.8),
        Candidate(0.1, 0.5): around(0.90, 0.01),
        Candidate(0.5, 0.5): around(0.903, 0.01),
    }
    assert fake(arms).best() == 0.5
    assert fake(arms).band() == [0.1, 0.5]


def test_a_large_learning_rate_left_out_on_short_runs_comes_back(tmp_path, monkeypatch):
    """Short runs speak for the small ones; at full length the larger, the better, up to 0.4."""
    final = {0.01: 0.5, 0.05: 0.6, 0.1: 0.7, 0.2: 0.8, 0.4: 0.9, 0.8: 0.7, 1.6: 0.1}
    made = RunFolder.create(tmp_path / "run", LRSearch().run(Candidate(0.1, 0.5), 0.1, 4, 0), {})
    trained = list[tuple[float, int]]()

    def train(self, counts, rung):
        found = {}
        for arm, count in counts.items():
            rate = arm.learning_rate
            seeds = self.search.rung_seeds(rung)[:count]
            score = final[rate] if rung == self.search.rungs - 1 else 1 - rate / 4
            lost = rate == 1.6 and rung == 0
            trained.append((rate, rung))
            found[arm] = {} if lost else {seed: score + 0.001 * seed for seed in seeds}
        return found, [RunFolder(made.path)]

    monkeypatch.setattr("learnorder.advise.run.SearchRunner.train", train)
    search = LRSearch(
        learning_rates=tuple(final), rungs=3, keep=0.5, noise=0, shorter_plateaus=(),
        range_test=False, training=TrainingConfig(epochs=20),
    )  # fmt: skip
    begun = StartedSearch(search, tuple(final), no_noise="left out")
    advice = SearchRunner(begun, tmp_path).run()
    assert advice.rungs[0].kept == (0.01, 0.05, 0.1, 0.2)
    assert advice.rungs[1].kept == (0.01, 0.05, 0.1)
    assert advice.finalists() == [0.01, 0.05, 0.1, 0.2, 0.4, 0.8]
    assert advice.best() == 0.4
    assert (1.6, 2) not in trained
    said = " ".join(advice_findings(advice))
    assert (
        "trained at full length, because the largest remaining learning rate was the best: 0.2"
        in said
    )
    assert "added back" in write_advice(advice, tmp_path).read_text()


def test_a_learning_rate_that_diverges_is_too_large_and_not_in_the_band():
    lost = {
        Candidate(0.1, 0.5): around(0.9),
        Candidate(0.01, 0.5): around(0.8),
        Candidate(2.0, 0.5): [0.99],
    }
    advice = fake(lost)
    assert advice.verdict(Candidate(2.0, 0.5), Candidate(0.1, 0.5)) == "diverged"
    assert advice.band() == [0.1]
    assert "Too large at 20 epochs: 2 (diverged in 4 of 5 runs)." in advice_findings(advice)
    none = fake({**lost, Candidate(2.0, 0.5): []})
    assert none.best() == 0.1
    assert json.loads(to_json(none))["learning_rate"] == 0.1


def test_what_diverges_on_a_seed_gives_way(tmp_path):
    partly = {
        Candidate(0.01, 0.5): around(0.8), Candidate(0.1, 0.5): around(0.9)[:4],
        Candidate(0.2, 0.5): around(0.85),
    }  # fmt: skip
    advice = fake(partly)
    assert advice.best() == 0.2
    assert advice.band() == [0.2]
    said = " ".join(advice_findings(advice))
    assert "Best after annealing: 0.2. All others" in said
    assert "0.1 (diverged in 1 of 5 runs)" in said
    assert "–" not in said
    assert "orse than 0.2: 0.1" not in said
    all_but_one = {arm: scores[:4] for arm, scores in partly.items()}
    advice = fake(all_but_one)
    assert advice.best() == 0.1
    assert 0.1 in advice.band()
    first = advice_findings(advice)[0]
    assert first.startswith("No learning rate trains on every seed. Of those that fail on the few")
    assert "0.1 has the best mean (0.1 ends at" in first
    assert "1 of 5 diverged" in first
    largest = fake({Candidate(0.1, 0.5): around(0.8)[:4], Candidate(0.2, 0.5): around(0.9)[:4]})
    assert largest.best() == 0.2
    assert "larger ones may be as good" not in " ".join(advice_findings(largest))


def test_what_diverged_is_hollow_and_stays_on_the_picture():
    arms = {
        Candidate(0.01, 0.5): around(0.8), Candidate(0.1, 0.5): around(0.9),
        Candidate(0.5, 0.5): around(0.95)[:3], Candidate(2.0, 0.5): [],
    }  # fmt: skip
    advice = fake(arms)
    figure = rates_figure(advice)
    means = figure.data[0]
    assert means.marker.symbol == ("circle", "circle", "circle-open")
    said = [note.text for note in figure.layout.annotations]
    assert said == ["✕ 2 of 5 diverged", "✕ 5 of 5 diverged"]
    gains = gain_figure(advice)
    assert "0.5 against 0.1 (2 of 5 diverged)" in gains.layout.yaxis.ticktext
    assert [len(trace.x) for trace in gains.data[::2]] == [5, 3, 0], "a dot for each seed"
    standing = [row[4] for row in comparison_table(advice).rows]
    assert standing == ["significantly worse", "diverged", "diverged"]


def test_many_comparisons_are_adjusted_and_two_seeds_decide_nothing():
    rates = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
    advice = fake({Candidate(rate, 0.5): around(0.8 + rate / 10) for rate in rates})
    table = comparison_table(advice)
    assert table.columns[-1] == "p (Holm)"
    assert "not adjusted for multiple comparisons" in table.note
    few = fake({Candidate(rate, 0.5): around(0.8 + rate / 10)[:2] for rate in rates[:3]})
    few = replace(few, search=replace(few.search, seeds=2))
    assert few.found_no_difference()
    assert advice_findings(few)[0].startswith("2 seeds are too few: a verdict needs at least 3.")


def test_what_diverges_is_said_in_place_of_a_difference():
    arms = {
        Candidate(0.01, 0.5): around(0.8)[:3], Candidate(0.1, 0.5): around(0.95),
        Candidate(0.1, 0.25): around(0.94)[:2], Candidate(0.01, 0.5, 0.4): [],
    }  # fmt: skip
    said = " ".join(advice_findings(fake(arms)))
    assert "(constant): the other diverged in 2 of 5 runs" in said
    assert "5 epochs: it diverged in 3 of 5 runs" in said
    assert "without noise: it diverged in 5 of 5 runs" in said
    assert "nan" not in said


def test_a_difference_within_the_tolerance_does_not_matter():
    arms = {Candidate(0.01, 0.5): around(0.80), Candidate(0.1, 0.5): around(0.95, 0.0005),
            Candidate(0.2, 0.5): around(0.947, 0.0005)}  # fmt: skip
    advice = fake(arms)
    assert advice.gain(advice.arm(0.2), advice.arm(0.1)).high < 0
    assert advice.band() == [0.1, 0.2]


def test_a_smallest_learning_rate_that_leads_has_no_phases():
    arms = {Candidate(0.01, 0.5): around(0.9), Candidate(0.1, 0.5): around(0.8),
            Candidate(0.01, 0.25): around(0.9)}  # fmt: skip
    advice = fake(arms)
    assert advice.shorter_plateaus() == []
    assert advice.shortest_plateau() is None


def test_the_shortest_phase_is_one_shown_as_good():
    arms = {Candidate(0.01, 0.5): around(0.8), Candidate(0.1, 0.5): around(0.95)}
    bad, good = Candidate(0.1, 0.1), Candidate(0.1, 0.25)
    advice = fake({**arms, bad: around(0.92), good: around(0.949)})
    assert advice.shortest_plateau() == 0.25
    assert "shortest plateau shown to be as good within 1 point is 5 epochs" in " ".join(
        advice_findings(advice)
    )
    wide = fake({**arms, bad: around(0.95, 0.05), good: around(0.949, 0.05)})
    assert wide.verdict(good, Candidate(0.1, 0.5)) == "undecided"
    assert wide.shortest_plateau() is None
    assert "No shorter plateau is shown" in " ".join(advice_findings(wide))


def test_noise_and_the_pick_are_compared_with_the_best():
    picked = falling_at(0.001, 0.0005, 0.0015)
    pick = picked.pick or 0
    advice = fake(
        {
            Candidate(0.01, 0.5): around(0.8),
            Candidate(0.1, 0.5): around(0.95),
            Candidate(0.01, 0.5, 0.4): around(0.951),
            Candidate(pick, 0.5): around(0.75),
        },
        range_test=picked,
    )
    advice.rungs[-1].scores.pop(pick)
    said = " ".join(advice_findings(advice))
    assert "Activation noise (0.4, falling to 0.16) at 0.01 is as good as 0.1" in said
    low, high = picked.picks()[0], picked.picks()[-1]
    assert f"picks {pick:.2g} (median of 3 restarts, {low:.2g} to {high:.2g})" in said
    assert ". Kept constant, because it is below the grid" in said
    assert "worse by 20.0 points" in said
    assert [row[-1] for row in comparison_table(advice).rows] == [
        "significantly worse", "as good", "significantly better", "significantly worse",
    ]  # fmt: skip


def test_a_pick_that_does_better_than_the_best_of_the_grid_is_told_first():
    seen = falling_at(0.2)
    pick = seen.pick or 0
    scores = {0.01: 0.8, 0.1: 0.9, pick: 0.95}
    advice = fake(
        {Candidate(rate, 0.5): around(score) for rate, score in scores.items()}, range_test=seen
    )
    advice.rungs[-1].scores.pop(pick)
    said = advice_findings(advice)
    assert said[1].startswith(
        f"However, {pick:.2g}, the range test's pick, is significantly better than 0.1: better by"
    )


def test_a_lower_loss_is_a_better_one():
    arms = {
        Candidate(0.01, 0.5): around(0.8),
        Candidate(0.1, 0.5): around(0.5),
        Candidate(0.2, 0.5): around(0.6),
    }
    advice = fake(arms, score="loss", higher_is_better=False)
    assert advice.band() == [0.1]
    assert advice.tolerance == pytest.approx(0.01)
    said = " ".join(advice_findings(advice))
    assert "Significantly worse than 0.1: 0.2 by 0.1000" in said
    assert "0.5000" in said


def test_how_rungs_agree_is_counted_in_pairs():
    first = Rung(5, (0, 1), {0.01: {0: 0.5, 1: 0.5}, 0.1: {0: 0.8, 1: 0.8}, 1.0: {0: 0.1, 1: 0.1}},
                 (0.01, 0.1, 1.0))  # fmt: skip
    arms = {
        Candidate(0.01, 0.5): around(0.9),
        Candidate(0.1, 0.5): around(0.8),
        Candidate(1.0, 0.5): around(0.1),
    }
    advice = fake(arms, rungs=(first,))
    (found,) = advice.agreements()
    assert (found.agree, found.pairs) == (2, 3)
    assert "2 of 3 pairs" in " ".join(advice_findings(advice))
    assert rung_table(advice).rows[0][1] == "50.0"


def test_the_grid_goes_on_by_1_2_5():
    rates = [0.1]
    for _ in range(5):
        rates.append(next_rate(rates[-1]))
    assert rates == [0.1, 0.2, 0.5, 1.0, 2.0, 5.0]
    assert near(0.21, [0.1, 0.2]) == 0.2
    assert near(0.3, [0.1, 0.2]) == 0.3


@pytest.fixture
def quick() -> LRSearch:
    """Seconds: a task in this process."""
    return LRSearch(
        training=TrainingConfig(epochs=4, batch_size=16),
        learning_rates=(0.01, 0.05, 0.2, 30.0),
        rungs=2,
        screening_seeds=1,
        seeds=2,
    )


def test_a_whole_search_of_a_model_in_this_process(tmp_path, quick):
    model = network()
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    advice = run_advise(quick, tmp_path, task=Task(model, blobs()), execution=Execution(quiet=True))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, weights[n]) for n, value in model.state_dict().items())
    assert advice.best() in advice.band()
    assert advice.finalists() == sorted({0.01, *advice.rungs[0].kept})
    assert 30.0 not in advice.band()
    written = json.loads((tmp_path / "advice.json").read_text())
    table = advice._repr_html_()
    assert html_sentences(table) == advice.findings() == written["findings"]
    assert table.count("<td>best</td>") == 1
    assert table.count("<td>yes</td>") == len(advice.band()) - 1
    assert written["band"] == advice.band()
    page = (tmp_path / "report.html").read_text()
    assert "Which initial learning rate?" in page
    records = {f.path: f.records() for f in find_runs(tmp_path)}
    again = run_advise(quick, tmp_path, task=Task(model, blobs()), execution=Execution(quiet=True))
    assert again.arms == advice.arms
    assert {f.path: f.records() for f in find_runs(tmp_path)} == records
    results = open_runs(tmp_path / "epochs-4")
    assert isinstance(results, TaskResults)
    assert html_sentences(results._repr_html_()) == results.findings()
    assert results.score() == ("accuracy", True)


def test_a_folder_is_about_one_search(tmp_path, quick):
    run_advise(quick, tmp_path, task=small_task(), execution=Execution(quiet=True))
    other = replace(quick, training=replace(quick.training, epochs=6, batch_size=8))
    with pytest.raises(RunFolderError, match="contains another search"):
        run_advise(other, tmp_path, task=small_task(), execution=Execution(quiet=True))
    with pytest.raises(RunFolderError, match="training data"):
        run_advise(quick, tmp_path, task=Task(network, blobs(90)), execution=Execution(quiet=True))


def test_learning_rates_that_are_too_large_are_a_result(tmp_path):
    """The linear task diverges from η = 2 on; at 10⁴ it is not finite within the run."""
    training = TrainingConfig(
        epochs=60, batch_size=40, momentum=0.0, nesterov=False, weight_decay=0.0
    )
    search = LRSearch(
        training=training, learning_rates=(0.005, 0.3, 1e4), rungs=1, seeds=5, noise=0
    )
    advice = run_advise(search, tmp_path, task=linear_task(), execution=Execution(quiet=True))
    assert advice.rungs[0].too_large(1e4) == "diverged in 3 of 3 runs"
    assert advice.band() == [0.3]
    assert "Too large" in " ".join(advice_findings(advice))
    wrong = replace(search, learning_rates=(1e4, 1e5))
    with pytest.raises(ConfigError, match="diverges at all"):
        run_advise(wrong, tmp_path / "b", task=linear_task(), execution=Execution(quiet=True))


def test_the_grid_is_extended_while_the_largest_is_among_the_better(tmp_path, monkeypatch):
    monkeypatch.setattr("learnorder.advise.settings._RATES", {"SGD": (0.001, 0.002, 0.005)})
    search = LRSearch(
        training=TrainingConfig(epochs=4, batch_size=16), rungs=2, screening_seeds=1, seeds=2,
        noise=0, range_test=False, shorter_plateaus=(),
    )  # fmt: skip
    advice = run_advise(
        search,
        tmp_path,
        task=Task(lambda: nn.Linear(3, 3), blobs()),
        execution=Execution(quiet=True),
    )
    assert advice.grid()[-1] > 0.005
    assert len(advice.grid()) <= 3 + 4


def test_noise_is_left_out_where_it_has_no_place(tmp_path, quick):
    class Straight(nn.Module):
        """Whether it calls an activation is seen when it is called."""

        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def forward(self, x):
            return self.layer(x)

    advice = run_advise(
        quick, tmp_path, task=Task(Straight, blobs()), execution=Execution(quiet=True)
    )
    assert "torch.nn.functional.relu" in advice.no_noise
    assert any("was not tried" in sentence for sentence in advice_findings(advice))
    assert advice.noisy() is None


def test_the_command_on_a_task_by_its_path(tmp_path, capsys):
    command = [
        "advise", "--task", "tests.test_advise.small_task", "--training.epochs", "4", "--rungs",
        "2", "--training.batch_size", "16", "--learning_rates", "[0.01, 0.1, 0.3]", "--seeds", "2",
        "--screening_seeds", "1", "--out", str(tmp_path), "--quiet",
    ]  # fmt: skip
    assert main([*command, "--dry-run"]) == 0
    assert "runs of up to" in capsys.readouterr().out
    assert not (tmp_path / "report.html").exists()
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "Rung by rung" in said
    assert "range test" in said
    assert (tmp_path / "report.html").exists()


def test_the_command_on_images(tmp_path, capsys):
    command = [
        "advise", "--data.train_examples", "100", "--model.name", "MLP", "--training.epochs", "4",
        "--rungs", "2", "--learning_rates", "[0.01, 0.1, 0.3]", "--seeds", "2", "--screening_seeds",
        "1", "--noise", "0", "--out", str(tmp_path), "--quiet",
    ]  # fmt: skip
    assert main(command) == 0
    written = json.loads((tmp_path / "advice.json").read_text())
    assert written["score"] == "accuracy"
    assert math.isfinite(written["range_test_pick"])


def test_a_score_that_is_not_a_number_ends_the_run(tmp_path):
    def broken(outputs, targets):
        return float("nan") if outputs.abs().max() > 3 else 0.5

    training = TrainingConfig(epochs=2, batch_size=16)
    search = LRSearch(training=training, learning_rates=(0.001, 1.0), rungs=1, seeds=2, noise=0,
                    range_test=False, shorter_plateaus=())  # fmt: skip
    task = Task(network, blobs(60), score=broken, score_name="f1")
    advice = run_advise(search, tmp_path, task=task, execution=Execution(quiet=True))
    assert advice.rungs[0].too_large(1.0)
    json.loads((tmp_path / "advice.json").read_text())


def test_a_task_and_images_are_not_both_given(capsys):
    assert main(["advise", "--task", "a.b", "--data", "digits"]) == 2
    assert "not both" in capsys.readouterr().err


def test_a_budget_too_small_says_what_to_give(tmp_path, quick):
    with pytest.raises(ConfigError, match="epochs, the minimum"):
        run_advise(
            quick, tmp_path, task=small_task(), minutes=0.01, execution=Execution(quiet=True)
        )
    longer = replace(quick, training=replace(quick.training, epochs=10_000))
    from learnorder.advise.start import start_search
    from learnorder.training.task import register_task

    with register_task(small_task()) as named:
        asked = replace(longer, task=named)
        cores = Execution(1, 1)
        bought = start_search(asked, tmp_path, 1.0, cores)
        assert 4 <= bought.search.training.epochs < 10_000
        again = start_search(asked, tmp_path, 1.0, cores)
        shorter = replace(asked, training=replace(asked.training, epochs=4))
        assert start_search(shorter, tmp_path / "shorter", 1.0, cores).search == shorter
        kept = (tmp_path / "budget.json").read_bytes()
        with pytest.raises(RunFolderError, match="contains another search"):
            start_search(replace(asked, noise=0.1), tmp_path, 1.0, cores)
        assert (tmp_path / "budget.json").read_bytes() == kept
    assert again == bought


def test_a_dry_run_counts_no_noise_that_has_no_place():
    search = LRSearch(model=ModelConfig("MLP", {"widths": [8]}), learning_rates=(0.01, 0.1, 0.3))
    assert why_no_noise(search) == ""
    assert any("noise" in name for name in search_plans(search))
    assert not any("noise" in name for name in search_plans(replace(search, noise=0)))
    linear = replace(search, model=ModelConfig("tests.test_advise.flat_model"))
    assert "torch.nn.functional.relu" in why_no_noise(linear)
    assert not any("noise" in name for name in search_plans(linear))


def flat_model(num_classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(num_classes))


def test_where_nothing_was_learned_no_learning_rate_is_named():
    arms = {Candidate(rate, 0.5): around(0.1, 0.02) for rate in (0.01, 0.1, 1.0)}
    chance = dict.fromkeys(SEEDS, 0.1)
    advice = fake(arms, unlearned=chance)
    assert advice.learned_nothing()
    said = advice_findings(advice)
    assert said[0].startswith("No arm is shown to have learned anything: each is at chance (10.0 %")
    assert not any("Best after" in sentence or "No difference" in sentence for sentence in said)
    found = json.loads(to_json(advice))
    assert (found["learning_rate"], found["band"]) == (None, [])
    one = {**arms, Candidate(1.0, 0.5): around(0.2, 0.02)}
    assert not fake(one, unlearned=chance).learned_nothing()
    assert not fake(arms).learned_nothing(), "older runs do not say what chance is"
    below = {arm: around(0.05, 0.0001) for arm in arms}
    assert fake(below, unlearned=chance).learned_nothing()
    losses = {Candidate(rate, 0.5): around(2.3, 0.02) for rate in (0.01, 0.1)}
    start = dict.fromkeys(SEEDS, 2.3)
    wrong = fake(losses, unlearned=start, score="loss", higher_is_better=False)
    assert "the level of the initial network (2.3" in advice_findings(wrong)[0]
    better = {arm: around(1.3, 0.02) for arm in losses}
    assert not fake(better, unlearned=start, score="loss", higher_is_better=False).learned_nothing()


def test_losses_that_fall_from_different_levels_were_learned():
    start = dict(zip(SEEDS, (0.4, 1.2, 3.0, 0.1, 6.0), strict=True))

    def ends_at(share):
        arms = {Candidate(0.1, 0.5): [share * loss + 0.001 * s for s, loss in start.items()]}
        return fake(arms, unlearned=start, score="loss", higher_is_better=False)

    assert not ends_at(0.2).learned_nothing()
    assert ends_at(1.0).learned_nothing()


class Dead(nn.Module):
    """Its outputs do not depend on its inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x):
        return self.bias.expand(len(x), 3)


def test_a_model_that_cannot_learn_is_found_out(tmp_path, quick):
    search = replace(quick, seeds=3, rungs=1)
    advice = run_advise(
        search, tmp_path, task=Task(Dead, blobs(90)), execution=Execution(quiet=True)
    )
    assert advice.unlearned == dict.fromkeys(advice.rungs[-1].seeds, pytest.approx(1 / 3))
    said = advice_findings(advice)[0]
    assert said.startswith("No arm is shown to have learned anything: each is at chance")


def test_other_scores_are_held_against_the_initial_network(tmp_path):
    from learnorder.tasks.backend import describe
    from learnorder.training.task_problem import task_trainer

    from .test_task import config_of

    trainer = task_trainer(config_of(TaskConfig()), linear_task())
    described = describe(trainer, None)
    assert described["unlearned"] == validate(trainer.problem, trainer.network).loss
