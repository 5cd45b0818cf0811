"""A learning rate and another setting, jointly: the design, whole experiments, the command."""

import json
import math
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

import learnorder
from learnorder import JointResult, LRSearch, TrainingConfig
from learnorder.advise.jointly.design import first_slope, next_pairs, usual_pairs
from learnorder.advise.jointly.result import slope_of
from learnorder.advise.jointly.settings import JointSettings
from learnorder.cli.main import main
from learnorder.errors import ConfigError, Interrupted, RunFolderError
from learnorder.execution.settings import Execution
from learnorder.runs import find_runs
from learnorder.runs.experiment import read_experiment
from studies.ridge.designs import of_pairs, searched
from studies.ridge.simulate import RATES, SLOPES, VALUES, settings, simulate

QUIET = Execution(workers=1, quiet=True)
DECAYS = {"script.values.weight_decay": [0.001, 0.003, 0.01, 0.03]}
GRID = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
SEARCH = LRSearch(learning_rates=GRID, seeds=4)


def noise(*numbers: float) -> float:
    return float(np.random.default_rng([round(1e6 * n) for n in numbers]).normal())


def train(learning_rate: float, seed: int, weight_decay: float) -> float:
    """The top has a constant product of 0.001; a weight decay of 0.01 is the best."""
    across = math.log10(learning_rate * weight_decay / 0.001)
    along = math.log10(weight_decay / 0.01)
    spread = 0.005 * noise(seed, learning_rate, weight_decay) + 0.01 * seed
    return 0.9 - 0.2 * across**2 - 0.1 * along**2 + spread


# The design.


@pytest.mark.parametrize("name", ["-1", "-0.5", "0"])
def test_the_ridge_is_found_at_half_the_cost(name):
    """On simulated surfaces; the numbers of docs/how-to/jointly.md are of more repetitions."""
    row = simulate(SLOPES[name], 0.5, VALUES[2], 40, seed=3)
    assert row["pairs"] < 0.55 * row["all_pairs"]
    assert row["same_pair"] >= 0.95
    assert row["regret"] <= row["full_regret"] + 0.02
    assert row["covered"] >= 0.8
    assert row["bounded"] >= 0.9


def exact(top, values=VALUES):
    """Scores without noise, but with seeds of different curvature, whose tops are known."""
    return {
        (value, rate): {s: -(1 + 0.1 * s) * (math.log10(rate) - top(value)) ** 2 for s in range(5)}
        for value in values
        for rate in RATES
    }


def test_three_rates_are_enough_where_the_rule_holds():
    joint = settings(VALUES[2])
    found = searched(joint, exact(lambda value: -5.05 - math.log10(value)), "score")
    assert {value: len(found.scored[value]) for value in VALUES} == {
        value: len(RATES) if value == VALUES[2] else 3 for value in VALUES
    }
    assert sum(map(len, found.scored.values())) == usual_pairs(joint)
    slope = slope_of(found.drift.factor)
    assert slope.mean == pytest.approx(-1, abs=1e-6)


def test_a_wrong_rule_costs_runs_but_no_optimum():
    """With slope 1, the product rule predicts two steps beside the optimum."""
    joint = settings(VALUES[0])
    found = searched(joint, exact(lambda value: 0.3 + math.log10(value)), "score")
    optima = {value: math.log10(found.optimum(value).mean) for value in VALUES}
    assert optima == pytest.approx({v: 0.3 + math.log10(v) for v in VALUES})
    assert usual_pairs(joint) < sum(map(len, found.scored.values())) <= usual_pairs(joint) + 4


def test_values_come_from_the_baseline_outwards():
    joint, scores = settings(VALUES[1]), exact(lambda value: -2.0)
    known, order = {}, []
    while pairs := next_pairs(joint, of_pairs(joint.along, known, "score")):
        order.append(sorted({value for value, _ in pairs}))
        known |= {pair: scores[pair] for pair in pairs}
    nearest = [each for i, each in enumerate(order) if each not in order[:i]]
    assert nearest[0] == [VALUES[1]]
    assert nearest[1] == [VALUES[0], VALUES[2]]
    assert nearest[-1] == [VALUES[4]]


def test_where_training_diverges_smaller_rates_are_tried():
    joint, scores = settings(VALUES[0]), exact(lambda value: -2.0)
    broken = {p: {} if p[0] > VALUES[0] and p[1] > RATES[3] else s for p, s in scores.items()}
    found = searched(joint, broken, "score")
    assert min(found.scored[VALUES[4]]) <= RATES[3]
    assert found.best(VALUES[4]) == RATES[3]


def test_zero_is_compared_and_not_on_the_line():
    joint = JointSettings.of(
        LRSearch(learning_rates=RATES, seeds=5), {"training.weight_decay": (0, *VALUES)}, VALUES[2]
    )
    scores = exact(lambda value: -5.0 - math.log10(value or 1e-4), (0, *VALUES))
    found = searched(joint, scores, "score")
    assert found.optima[0].standing == "inside"
    assert found.drift.values == VALUES
    assert slope_of(found.drift.factor).mean == pytest.approx(-1, abs=1e-6)


def test_the_first_step_follows_the_published_rule():
    def of(name, **training):
        search = LRSearch(learning_rates=GRID, training=TrainingConfig(epochs=8, **training))
        return first_slope(JointSettings.of(search, {name: [16, 32]}))

    assert of("training.weight_decay") == -1
    assert of("training.weight_decay", optimizer="AdamW") == -1
    assert of("training.weight_decay", optimizer="Adam") == 0
    assert of("training.batch_size") == 1
    assert of("training.batch_size", optimizer="AdamW") == pytest.approx(0.5)
    assert of("training.epochs") == 0


# Whole experiments, of a function.


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("jointly") / "out"
    return out, learnorder.run_jointly(
        DECAYS, SEARCH, out, function=train, baseline=0.001, execution=QUIET
    )


def test_the_best_pair_is_found_and_judged_on_new_seeds(made):
    out, result = made
    assert result.best() == (0.01, 0.1)
    assert result.baseline == (0.001, 1.0)
    assert result.advised() == (0.01, 0.1)
    assert {seed for by_seed in result.judged.values() for seed in by_seed} == {4, 5, 6, 7}
    gain, true = result.gain(), 0.1
    assert 0 < gain.low < true < gain.high
    slope = result.slope()
    assert slope.low < -1 < slope.high < 0
    runs, every = result.counts()
    assert runs == len(find_runs(out)) == (7 + 3 * 3) * 4 + 8
    assert every == 7 * 4 * 4 + 8
    first, *others = result.findings()
    assert first.startswith("Use learning_rate 0.1 and weight_decay 0.01: on 4 new seeds")
    text = " ".join(others)
    assert "excludes 0 (no move), includes −1 (a constant product" in text
    assert f"It took {runs} runs instead of {every}" in text
    kept = json.loads((out / "jointly.json").read_text())
    assert kept["advised"] == {"value": 0.01, "learning_rate": 0.1}
    assert kept["slope"]["mean"] == slope.mean
    assert kept["gain_on_new_seeds"]["mean"] == gain.mean
    page = (out / "report.html").read_text()
    assert "Which learning rate and weight decay are best together?" in page


def test_equal_gains_on_few_seeds_exclude_nothing(made):
    """The spread of three equal gains is unknown; six of them decide by the sign test."""
    _, result = made
    for seeds, words in ((4, "is not excluded"), (6, "or more is excluded")):
        search = replace(result.settings.along.search, seeds=seeds)
        along = replace(result.settings.along, search=search)
        new = replace(result.settings, along=along)
        judged = {pair: dict.fromkeys(new.new_seeds, 0.9) for pair in result.judged}
        equal = replace(result, settings=new, judged=judged)
        assert words in equal.findings()[0]


def test_it_opens_as_it_was_returned(made):
    out, result = made
    opened = learnorder.open_runs(out, of=JointResult)
    assert (opened.settings, opened.searched.scored) == (result.settings, result.searched.scored)
    assert (opened.judged, opened.findings()) == (result.judged, result.findings())
    (out / "report.html").unlink()
    assert main(["report", str(out)]) == 0
    assert (out / "report.html").exists()


def test_a_folder_can_have_other_values_and_nothing_else(made, tmp_path):
    out, result = made
    more = {"script.values.weight_decay": [0.0003, 0.001, 0.003, 0.01, 0.03]}
    kept = read_experiment(out)
    search = kept.settings["along"]["search"]  # as versions wrote it that did not race
    del search["race"], search["keep"]
    search["screening_seeds"] = 2
    kept.write(out)
    before = len(find_runs(out))
    again = learnorder.run_jointly(
        more, SEARCH, out, function=train, baseline=0.001, execution=QUIET
    )
    assert again.best() == result.best()
    assert len(find_runs(out)) == before + 3 * 4
    for other in (replace(SEARCH, seeds=5), replace(SEARCH, learning_rates=GRID[1:])):
        with pytest.raises(RunFolderError, match="contains other runs"):
            learnorder.run_jointly(more, other, out, function=train, execution=QUIET)
    with pytest.raises(RunFolderError, match="a learning rate and another setting"):
        learnorder.run_along(more, SEARCH, out, function=train, execution=QUIET)


def test_a_stop_loses_nothing(tmp_path, made):
    calls = tmp_path / "calls"

    def stopping(learning_rate: float, seed: int, weight_decay: float) -> float:
        with calls.open("a") as file:
            file.write(f"{learning_rate} {seed} {weight_decay}\n")
        if len(calls.read_text().splitlines()) in (5, 40, 66):
            signal.raise_signal(signal.SIGINT)
        return train(learning_rate, seed, weight_decay)

    def run():
        return learnorder.run_jointly(
            DECAYS, SEARCH, tmp_path / "out", function=stopping, baseline=0.001, execution=QUIET
        )

    for _ in range(3):
        with pytest.raises(Interrupted):
            run()
        with pytest.raises(RunFolderError, match=r"does not exist|pending|interrupted"):
            learnorder.open_runs(tmp_path / "out", of=JointResult)
    result, (_, whole) = run(), made
    assert result.searched.scored == whole.searched.scored
    assert result.judged == whole.judged
    assert len(set(calls.read_text().splitlines())) == result.counts()[0]


def test_no_difference_is_said(tmp_path):
    def flat(learning_rate: float, seed: int, weight_decay: float) -> float:
        spread = 0.005 * noise(seed, learning_rate, weight_decay)
        return 0.9 - 0.2 * math.log10(learning_rate / 0.09) ** 2 + spread

    result = learnorder.run_jointly(DECAYS, SEARCH, tmp_path, function=flat, execution=QUIET)
    assert result.settings.baseline == 0.003  # the middle: the settings have no value of it
    assert result.advised() == result.baseline
    slope = result.slope()
    assert slope.low < 0 < slope.high
    assert slope.low > -1
    first, *others = result.findings()
    assert first.startswith("Keep learning_rate 0.1 and weight_decay 0.003: ")
    assert "includes 0 (no move), excludes −1" in " ".join(others)
    assert f"baseline {result.settings.baseline:g}" in (tmp_path / "report.html").read_text()


def test_a_function_that_ignores_the_setting_is_refused_early(tmp_path):
    def ignores(learning_rate: float, seed: int, weight_decay: float) -> float:
        return train(learning_rate, seed, 0.003)

    with pytest.raises(ConfigError, match="so the runs ignore it"):
        learnorder.run_jointly(DECAYS, SEARCH, tmp_path, function=ignores, execution=QUIET)
    assert len(find_runs(tmp_path)) == (7 + 2 * 3) * 4


def test_a_value_at_which_all_diverges_is_named(tmp_path):
    def breaks(learning_rate: float, seed: int, weight_decay: float) -> float:
        return math.nan if weight_decay > 0.02 else train(learning_rate, seed, weight_decay)

    with pytest.raises(ConfigError, match="None of 16 runs ended with a score"):
        learnorder.run_jointly(DECAYS, SEARCH, tmp_path, function=breaks, execution=QUIET)


# Tasks and images.


def task(optimizer=None):
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(60, 4, generator=generator)
    data = TensorDataset(inputs, (inputs[:, 0] > 0).long())
    return learnorder.Task(model=lambda: nn.Linear(4, 2), train=data, optimizer=optimizer)


def few(**training):
    return LRSearch(
        learning_rates=(0.01, 0.03, 0.1, 0.3), seeds=3, rungs=1, target="loss",
        training=TrainingConfig(epochs=2, batch_size=16, **training),
    )  # fmt: skip


def test_a_task_with_a_weight_decay_of_0(tmp_path):
    along = {"training.weight_decay": [0, 0.001, 0.01]}
    result = learnorder.run_jointly(along, few(), tmp_path, task=task(), execution=QUIET)
    assert result.settings.baseline == 0.001  # 0.0005 is not among them
    assert set(result.searched.scored) == {0, 0.001, 0.01}
    assert learnorder.open_runs(tmp_path, of=JointResult).findings() == result.findings()


def test_an_optimizer_of_its_own_ignores_weight_decay(tmp_path):
    own = task(lambda network, rate: torch.optim.SGD(network.parameters(), rate))
    for run in (learnorder.run_jointly, learnorder.run_along):
        with pytest.raises(ConfigError, match=r"vary task\.arguments\.weight_decay"):
            run({"training.weight_decay": [0.0005, 0.01]}, few(), tmp_path, task=own)
    assert not find_runs(tmp_path)


def test_a_batch_has_at_most_all_examples(tmp_path):
    along = {"training.batch_size": [16, 32, 64]}
    with pytest.raises(ConfigError, match="There are 48 training examples"):
        learnorder.run_jointly(along, few(), tmp_path, task=task())
    with pytest.raises(ConfigError, match="There are 600 training examples"):
        learnorder.run_along({"training.batch_size": [16, 601]}, few(), tmp_path)
    assert not find_runs(tmp_path)


# Settings and the command.


@pytest.mark.parametrize(
    ("along", "changes", "baseline", "field", "words"),
    [
        ({"training.epochs": [10]}, {}, None, "along.training.epochs", "at least two"),
        ({"training.weight_decay": [0, 0.1]}, {}, None, "along.training.weight_decay", "above 0"),
        ({"training.weight_decay": [0.1, 0.01]}, {}, None, "along.training.weight_decay",
         "increasing"),
        ({"training.weight_decay": [-1, 0.1, 1]}, {}, None, "along.training.weight_decay", "or 0"),
        ({"training.weight_decay": [0.01, 0.1]}, {}, 0.02, "baseline", "one of the values"),
        ({"training.weight_decay": [0.01, 0.1]}, {"learning_rates": (0.1, 0.2, 0.4)}, None,
         "learning_rates", "at least 4"),
        ({"training.weight_decay": [0.01, 0.1]}, {"rungs": 3}, None, "rungs", "no rungs"),
        ({"training.weight_decay": [0.01, 0.1]}, {"seeds": 2}, None, "seeds", "at least 3"),
        ({"training.weight_decay": [0.01, 0.1], "training.epochs": [4, 8]}, {}, None, "along",
         "one setting"),
    ],
)  # fmt: skip
def test_wrong_settings_are_refused(along, changes, baseline, field, words):
    with pytest.raises(ConfigError) as error:
        JointSettings.of(replace(LRSearch(), **changes), along, baseline)
    assert error.value.field == field
    assert words in str(error.value)


def test_the_command_runs_a_script(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(
        "import math, sys\n"
        "lr, seed, wd = float(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])\n"
        "print(0.9 - 0.3 * math.log10(lr * wd / 1e-3) ** 2 - 0.2 * math.log10(wd / 0.03) ** 2"
        " + 0.01 * seed + 0.002 * ((seed * round(1e3 * lr) + seed * seed * round(1e4 * wd)) % 7))\n"
    )
    command = f"{sys.executable} train.py {{learning_rate}} {{seed}} {{weight_decay}}"
    words = ["advise", "--command", command, "--learning_rates", "[0.01, 0.03, 0.1, 0.3, 1.0]",
             "--along", "{script.values.weight_decay: [0.003, 0.01, 0.03]}", "--jointly",
             "--seeds", "3", "--quiet"]  # fmt: skip
    assert main([*words, "--predict", "0.1"]) == 2
    assert main([*words, "--minutes", "5"]) == 2
    assert main([*words, "--baseline", "0.02"]) == 2
    assert not Path("runs").exists()
    assert main([*words, "--baseline", "0.003"]) == 0
    printed = capsys.readouterr().out
    assert "Use learning_rate 0.03 and weight_decay 0.03: on 3 new seeds" in printed
    assert len(find_runs("runs/jointly")) == 39
    assert main(["advise", "--jointly"]) == 2
    assert "Give the second setting" in capsys.readouterr().err
    assert main(["advise", "--along", "{training.epochs: [4, 8]}", "--baseline", "4"]) == 2
    assert "needs --jointly" in capsys.readouterr().err


def test_a_dry_run_says_the_most_and_the_usual(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    along = "{training.batch_size: [16, 32, 64]}"
    assert main(["advise", "--along", along, "--jointly", "--training.epochs", "2", "--seeds", "3",
                 "--model.name", "MLP", "--model.arguments", "{widths: [8]}",
                 "--dry-run"]) == 0  # fmt: skip
    printed = capsys.readouterr().out
    assert printed.startswith("78 runs of up to")
    assert "Usually about 48 of the 78 runs" in printed
    assert not list(tmp_path.iterdir())
