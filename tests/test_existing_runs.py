"""Runs that exist already: what is taken from a table, what is refused, and the judgement."""

import csv
import json
import math

import pandas as pd
import pytest
from scipy.stats import ttest_ind, ttest_rel

from learnorder import JudgedRuns, judge_runs, open_runs
from learnorder.advise.existing.page import judged_comparisons, next_table, rate_table, score_figure
from learnorder.advise.existing.table import read_table
from learnorder.cli.main import main
from learnorder.errors import ConfigError, DataError, LearnOrderError, RunFolderError
from learnorder.runs.experiment import Experiment
from learnorder.statistics import independent_difference, independent_p

from .conftest import html_sentences

SCORES = {
    0.01: [0.80, 0.83, 0.81, 0.84, 0.82],
    0.1: [0.90, 0.93, 0.92, 0.94, 0.91],
    0.3: [0.895, 0.926, 0.912, 0.935, 0.907],
    1.0: [0.70, 0.73, 0.71, 0.75, 0.71],
}


def runs(scores=SCORES, score="val_acc", **columns):
    """A data frame with a row for each score, and further columns of one value each."""
    rows = [(rate, seed, s) for rate, each in scores.items() for seed, s in enumerate(each)]
    frame = pd.DataFrame(rows, columns=["lr", "seed", score])
    return frame.assign(**columns)


def said(judged):
    return " ".join(judged.findings())


def write(path, header, rows):
    with path.open("w", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([header, *rows])
    return path


# The judgement


def test_known_means_intervals_and_verdicts():
    judged = judge_runs(runs())
    assert judged.best() == 0.1
    assert judged.band() == [0.1, 0.3], "0.3 loses less than a point"
    assert judged.mean(0.1).mean == pytest.approx(0.92)
    reference = ttest_rel(SCORES[0.3], SCORES[0.1]).confidence_interval()
    gain = judged.gain(0.3, 0.1)
    assert (gain.low, gain.high) == (pytest.approx(reference.low), pytest.approx(reference.high))
    assert judged.compare(0.3, 0.1).p == pytest.approx(ttest_rel(SCORES[0.3], SCORES[0.1]).pvalue)
    assert judged.verdict(0.3, 0.1) == "as_good"
    assert judged.verdict(1.0, 0.1) == "worse"
    assert judged.findings()[0] == (
        "Best: 0.1 (92.0 % [90.0, 94.0] accuracy; n = 5). Not significantly worse: 0.3."
    )
    assert "nothing is needed to choose among these" in said(judged)


def test_a_lower_loss_is_better():
    judged = judge_runs(runs({rate: [1 - s for s in each] for rate, each in SCORES.items()},
                             "val_loss"))  # fmt: skip
    assert judged.best() == 0.1
    assert judged.gain(0.01, 0.1).mean == pytest.approx(-0.10)
    assert judged.tolerance == pytest.approx(0.08 / 50)
    assert "A lower val_loss is taken as better, by its name" in said(judged)


def test_other_seeds_are_independent_samples():
    frame = runs({0.1: [0.91, 0.93, 0.92, 0.95], 0.2: [0.88, 0.90, 0.93]})
    frame.loc[frame["lr"] == 0.2, "seed"] += 100
    judged = judge_runs(frame)
    assert not judged.paired(0.2, 0.1)
    reference = ttest_ind([0.88, 0.90, 0.93], [0.91, 0.93, 0.92, 0.95], equal_var=False)
    interval, gain = reference.confidence_interval(), judged.gain(0.2, 0.1)
    assert (gain.low, gain.high) == (pytest.approx(interval.low), pytest.approx(interval.high))
    assert judged.compare(0.2, 0.1).p == pytest.approx(reference.pvalue)
    assert "0.2 has fewer than 3 seeds in common with 0.1" in said(judged)
    assert judged_comparisons(judged).rows[0][1] == "3 and 4 runs"


def test_learning_rates_are_paired_on_the_seeds_that_both_have():
    frame = runs({0.1: [0.91, 0.93, 0.92, 0.95, 0.96], 0.2: [0.90, 0.92, 0.91, 0.935]})
    frame.loc[(frame["lr"] == 0.2) & (frame["seed"] == 3), "seed"] = 100
    judged = judge_runs(frame)
    assert judged.gain(0.2, 0.1).mean == pytest.approx(-0.01)
    assert judged.gain(0.2, 0.1).n == 3
    assert "Compared with 0.1 on the seeds that both have: 0.2 on 3 (3 runs left out)" in said(
        judged
    )
    frame.loc[(frame["lr"] == 0.2) & (frame["seed"] == 2), "seed"] = 101
    judged = judge_runs(frame)
    assert not judged.paired(0.2, 0.1)
    assert "0.2 has fewer than 3 seeds in common with 0.1" in said(judged)


def test_welchs_test_of_equal_values():
    equal = independent_difference([1.0] * 3, [2.0] * 4)
    assert equal.identical
    assert not equal.has_interval
    assert equal.mean == -1.0
    assert independent_p([1.0] * 3, [2.0] * 4) == pytest.approx(2 / math.comb(7, 3))
    assert independent_p([1.0, 1.0], [1.0, 1.0]) == 1.0
    assert math.isnan(independent_p([1.0], [1.0, 2.0]))


def test_the_best_need_not_have_the_most_seeds():
    judged = judge_runs(runs({0.1: [0.8, 0.81, 0.82, 0.81], 0.2: [0.9, 0.91, 0.92]}))
    assert judged.best() == 0.2


def test_of_many_worse_ones_the_nearest_are_listed():
    scores = {rate / 10: [(1 - rate / 20) * s for s in SCORES[0.01]] for rate in range(1, 9)}
    worse = next(each for each in judge_runs(runs(scores)).findings() if "Significantly" in each)
    assert worse.startswith("Significantly worse than 0.1: 0.2 by ")
    assert worse.endswith("; and 1 other by more.")


def test_more_than_five_comparisons_have_adjusted_p_values():
    scores = {
        rate: [s + rate / 10 for s in SCORES[0.01]] for rate in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    }
    assert judged_comparisons(judge_runs(runs(scores))).columns[-1] != "p (Holm)"
    table = judged_comparisons(judge_runs(runs({**scores, 0.7: SCORES[0.3]})))
    assert table.columns[-1] == "p (Holm)"
    assert "not adjusted for multiple comparisons" in table.note
    lost = runs({**scores, 0.7: [*SCORES[0.3][:4], math.nan]})
    assert judged_comparisons(judge_runs(lost)).columns[-1] == "p (Holm)", "a test was planned"


@pytest.mark.parametrize("score", [math.nan, math.inf, None])
def test_runs_without_a_score_are_counted_and_their_rate_is_not_judged(score):
    frame = runs({**SCORES, 2.0: [0.99] * 5})
    frame.loc[frame.index[-1], "val_acc"] = score
    judged = judge_runs(frame)
    assert 2.0 not in judged.judged()
    assert judged.best() == 0.1, "the mean of the others is not the rate's"
    assert judged.missing(2.0) == 1
    assert "Without a final score: 2 (1 of 5 runs: 1 " in said(judged)
    assert rate_table(judged).rows[-1][1:] == ["99.0 (4 equal values), no score: 1 of 5",
                                              "not judged"]  # fmt: skip
    assert score_figure(judged).layout.annotations[0].text == "✕ no score: 1 of 5"


def test_two_seeds_decide_nothing_and_are_suggested_if_they_look_good():
    judged = judge_runs(runs({**SCORES, 0.2: [0.95, 0.96]}))
    assert judged.band() == [0.1, 0.3]
    assert "Not judged, on fewer than 3 seeds: 0.2 (95.5 %, 2 runs)." in said(judged)
    assert (0.2,) in [each.learning_rates for each in judged.suggestions()]


def test_one_run_each_gives_a_ranking_and_what_to_run():
    judged = judge_runs(pd.DataFrame({"lr": [0.01, 0.1, 1.0], "val_acc": [0.8, 0.9, 0.7]}))
    assert (judged.best(), judged.band(), judged.judged()) == (None, [], [])
    assert judged.ranking() == [0.1, 0.01, 1.0]
    first = judged.findings()[0]
    assert first.startswith("No verdict: each learning rate has one run")
    assert "0.1 (90.0 %), 0.01 (80.0 %), 1 (70.0 %), which may be chance" in first
    (suggestion,) = judged.suggestions()
    assert (suggestion.learning_rates, suggestion.seeds) == ((0.01, 0.1, 1.0), 5)
    assert "[" not in "".join(cell for row in rate_table(judged).rows for cell in row)


def test_the_seeds_to_decide_make_the_interval_as_short_as_the_tolerance():
    """Differences of standard deviation 0.02: 2 · t(n − 1) · 0.02 / √n ≤ 0.02 first at n = 18."""
    d = 0.02 * math.sqrt(2 / 3)
    base = [0.90, 0.90, 0.90, 0.90]
    other = [0.895 + d * sign * math.sqrt(9 / 8) for sign in (1, -1, 1, -1)]
    judged = judge_runs(runs({0.1: base, 0.2: other, 0.05: [0.5, 0.51, 0.5, 0.51],
                             0.4: [0.5, 0.51, 0.5, 0.51]}), tolerance=0.02)  # fmt: skip
    s = 0.02 * math.sqrt(2 / 3 * 9 / 8 * 4 / 3)
    assert s == pytest.approx(0.02)
    assert judged.verdict(0.2, 0.1) == "undecided"
    assert judged.seeds_needed(0.2, 0.1) == 18
    (suggestion,) = judged.suggestions()
    assert (suggestion.learning_rates, suggestion.seeds) == ((0.1, 0.2), 18)
    assert "Run next: 0.1, 0.2 on 18 seeds, the same for all (now 4)" in said(judged)
    assert next_table(judged).rows[0][:3] == ["0.1", "4", "18"]
    tight = judge_runs(runs({0.1: base, 0.2: other}), tolerance=0.001)
    assert tight.seeds_needed(0.2, 0.1) is None
    assert "More than 100 seeds would be needed" in said(tight)


def test_a_band_at_the_end_of_the_grid_is_extended():
    judged = judge_runs(runs({rate: SCORES[rate] for rate in (0.01, 0.1)}))
    assert judged.suggestions()[-1].learning_rates == (0.2,)
    assert "0.1 is the largest learning rate tried" in said(judged)
    judged = judge_runs(runs({rate: SCORES[rate] for rate in (0.1, 1.0)}))
    assert judged.suggestions()[-1].learning_rates == (0.05,)


def test_lengths_are_judged_separately_and_their_ranking_compared():
    short = {0.01: SCORES[0.1], 0.1: SCORES[0.01], 1.0: SCORES[1.0]}
    long = {rate: SCORES[rate] for rate in short}
    frame = pd.concat([runs(short, epochs=10), runs(long, epochs=40)])
    judged = judge_runs(frame)
    assert judged.lengths() == [10, 40]
    assert judged.best() == 0.1
    assert judged.scores(10).best() == 0.01
    (agreement,) = judged.agreements()
    assert (agreement.agree, agreement.pairs) == (2, 3)
    assert "10 and 40 epochs rank 2 of 3 pairs in the same order" in said(judged)
    assert rate_table(judged).columns[1:3] == ["40 epochs", "10 epochs"]
    steps = judge_runs(frame.rename(columns={"epochs": "max_steps"}))
    assert "10 and 40 steps" in said(steps)


# What is taken


def test_learning_rates_that_differ_by_rounding_are_one():
    frame = runs()
    frame.loc[frame["seed"] == 0, "lr"] *= 1 + 1e-9
    judged = judge_runs(frame)
    assert judged.learning_rates() == [0.01, 0.1, 0.3, 1.0]
    assert "same six significant digits count as one" in said(judged)
    assert "six significant digits" not in said(judge_runs(runs()))


def test_accuracies_in_per_cent():
    frame = runs()
    frame["val_acc"] *= 100
    judged = judge_runs(frame)
    assert judged.gain(0.01, 0.1).mean == pytest.approx(-0.1)
    assert "val_acc is taken as per cent" in said(judged)


def test_shares_that_reach_1_by_rounding_are_not_per_cent():
    frame = runs()
    frame.loc[0, "val_acc"] = 1.0000001
    assert judge_runs(frame).mean(1.0).mean == judge_runs(runs()).mean(1.0).mean
    assert judge_runs(frame).taken.runs[0].score == 1.0


def test_shares_among_accuracies_in_per_cent_are_refused():
    frame = runs()
    frame.loc[frame["lr"] == 1.0, "val_acc"] *= 100
    with pytest.raises(DataError, match=r"row 1: val_acc is 0.* shares and per cent"):
        judge_runs(frame)


def test_seeds_may_be_texts_and_are_numbered():
    frame = runs()
    frame["seed"] = "run-" + frame["seed"].astype(str)
    judged = judge_runs(frame)
    assert judged.paired(0.01, 0.1)
    assert "numbered from 0" in said(judged)


def test_a_score_of_test_data_or_of_the_best_epoch_is_named():
    assert "of test data" in said(judge_runs(runs(score="test_acc"), columns={"score": "test_acc"}))
    assert "best of a run's epochs" in said(judge_runs(runs(score="best_val_acc")))


def test_other_settings_are_refused_selected_or_ignored():
    frame = pd.concat([runs(weight_decay=0.1), runs(weight_decay=0.0)])
    with pytest.raises(ConfigError, match=r"weight_decay \(0.1, 0\) varies"):
        judge_runs(frame)
    judged = judge_runs(frame, where={"weight_decay": 0})
    assert judged.taken.left_out == 20
    assert judged == judge_runs(frame, where={"weight_decay": ["0.0"]}) or judged.best() == 0.1
    varied = runs().assign(clip_at=lambda f: f["lr"] > 0.2)
    with pytest.raises(ConfigError, match="clip_at"):
        judge_runs(varied)
    assert judge_runs(varied, ignore=["clip*"]).best() == 0.1
    fold = runs().assign(fold=lambda f: f["seed"], minutes=list(range(20)), eval_loss=0.5)
    assert judge_runs(fold, columns={"score": "val_acc"}).best() == 0.1


def test_the_same_setting_twice_is_taken_once():
    frame = runs().assign(learning_rate=lambda f: f["lr"])
    assert judge_runs(frame).taken.columns["learning_rate"] == "lr"
    frame["learning_rate"] /= 100
    with pytest.raises(ConfigError, match="lr and learning_rate could both be the learning rate"):
        judge_runs(frame)
    assert judge_runs(frame, columns={"learning_rate": "lr"}).best() == 0.1


@pytest.mark.parametrize(
    ("score", "better"),
    [
        ("val_acc", True),
        ("eval/loss", False),
        ("valid_perplexity", False),
        ("dev_f1", True),
        ("val_top-1-acc", True),
        ("val/5-shot-acc", True),
        ("val-loss", False),
    ],
)
def test_the_direction_of_names_with_one_meaning(score, better):
    assert judge_runs(runs(score=score)).higher_is_better is better
    assert judge_runs(runs(score=score), higher_is_better=not better).higher_is_better is not better


@pytest.mark.parametrize(
    "score",
    ["value", "neg_mse", "objective", "val_loss_scale", "-val_loss", "1-val_acc", "1 - acc",
     "eval/-loss", "1/loss", "inverse_loss"],
)  # fmt: skip
def test_another_direction_has_to_be_said(score):
    with pytest.raises(ConfigError, match="whether a higher"):
        judge_runs(runs(score=score), columns={"score": score})
    judged = judge_runs(runs(score=score), columns={"score": score}, higher_is_better=True)
    assert (judged.score, judged.best()) == (score, 0.1)


REFUSED = {
    "no rates": (lambda: runs().rename(columns={"lr": "x"}), {}, "learning_rate: params_lr"),
    "no score": (lambda: runs(score="y"), {}, "No column has the usual name of a validation"),
    "two scores": (lambda: runs(val_loss=0.5), {}, "val_acc, val_loss could each be the score"),
    "unknown role": (runs, {"columns": {"lr": "lr"}}, "columns: got 'lr'. .*learning_rate"),
    "unknown column": (runs, {"columns": {"score": "val_ac"}}, "Did you mean val_acc"),
    "column twice": (runs, {"columns": {"seed": "lr", "learning_rate": "lr"}}, "named twice"),
    "epochs and steps": (
        lambda: runs(a=1, b=2), {"columns": {"epochs": "a", "steps": "b"}}, "not both",
    ),
    "where": (runs, {"where": {"wd": 1}}, "where: got 'wd'. There are the columns lr, seed"),
    "where nothing": (runs, {"where": {"seed": 9}}, "No run has these values"),
    "ignore": (runs, {"ignore": ["clip"]}, "ignore: got 'clip'"),
    "tolerance": (runs, {"tolerance": -1}, "tolerance"),
    "negative rate": (lambda: runs({-0.1: [0.5] * 3}), {}, "row 1: lr is -0.1"),
    "text rate": (lambda: runs().assign(lr="big"), {}, "row 1: lr is 'big'"),
    "no rate": (lambda: runs().assign(lr=[None] + [0.1] * 19), {}, "row 1: it has a score but no"),
    "text score": (lambda: runs().assign(val_acc="high"), {"columns": {"score": "val_acc"}},
                   "row 1: val_acc is 'high'"),
    "no seed": (lambda: runs().assign(seed=[None] + [1.0] * 19), {}, "row 1: .*no seed"),
    "no length": (lambda: runs().assign(epochs=[None] + [1.0] * 19), {}, "epochs: null"),
    "state": (lambda: runs(state="fine"), {}, "state is 'fine', which is not known"),
    "copies": (
        lambda: runs().assign(seed=0), {}, "row 1; row 2; .* have the same learning rate, 0.01",
    ),
    "no seeds": (lambda: runs().drop(columns="seed"), {}, "--columns '{seed: Name}'"),
    "all failed": (lambda: runs(state="failed"), {}, r"no run has a final score .*20 failed"),
    "empty": (lambda: runs().iloc[:0], {}, "it has 0 rows"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_clear_is_refused_by_name(name):
    make, arguments, words = REFUSED[name]
    with pytest.raises(LearnOrderError, match=words):
        judge_runs(make(), **arguments)


# Files of trackers

WANDB = [
    "Name", "Agent", "State", "Notes", "User", "Tags", "Created", "Runtime", "Sweep", "batch_size",
    "epochs", "optimizer.lr", "optimizer.name", "seed", "_step", "epoch", "lr_now", "train/loss",
    "val_acc",
]  # fmt: skip


def wandb_row(index, rate, seed, acc, state="finished"):
    start = "2025-11-13T09:48:11.000Z"
    return [
        f"sunny-{index}", "", state, "-", "ann", "", start, str(600 + index), "1wfhjnkh", "128",
        "60", str(rate), "SGD", str(seed), str(1000 + index), "60", "0.0001", f"0.{index}1", acc,
    ]  # fmt: skip


def wandb_rows():
    rows = [(rate, seed, f"{s}") for rate, each in SCORES.items() for seed, s in enumerate(each)]
    return [wandb_row(i, *row) for i, row in enumerate(rows)]


def test_the_runs_table_of_weights_and_biases(tmp_path):
    rows = wandb_rows()
    rows[16][2], rows[16][-1] = "failed", ""
    rows[17][-1] = "NaN"
    rows.append(wandb_row(20, 0.1, 0, "0.3", "crashed"))  # a score of a run that did not end
    rows.append([*wandb_row(21, "", "", "", "crashed")])
    judged = judge_runs(write(tmp_path / "wandb.csv", WANDB, rows))
    assert judged.taken.columns == {
        "learning_rate": "optimizer.lr", "score": "val_acc", "seed": "seed", "epochs": "epochs",
        "state": "State",
    }  # fmt: skip
    assert judged.band() == [0.1, 0.3]
    assert judged.mean(0.1).mean == pytest.approx(0.92), "the crashed run's score does not count"
    text = said(judged)
    assert "1 (2 of 5 runs: 1 failed, 1 score nan)" in text
    assert "Runs that stopped and were repeated are left out: row 21 (sunny-20), crashed." in text
    assert "without a learning rate and without a score are left out: row 22 (sunny-21)" in text
    assert "Columns that vary but are not taken as settings: train/loss." in text


def test_a_failed_run_and_its_repetition_are_refused(tmp_path):
    """It may have failed because it diverged; a repetition that did not is no fair stand-in."""
    rows = [*wandb_rows(), wandb_row(20, 0.1, 0, "", "failed")]
    with pytest.raises(DataError, match=r"row 6 \(sunny-5\) and row 21 \(sunny-20\), failed have"):
        judge_runs(write(tmp_path / "wandb.csv", WANDB, rows))


def test_nested_settings_of_the_api_of_weights_and_biases(tmp_path):
    """Its documented export has columns of mappings, which a CSV file has as Python prints them."""
    frame = runs()
    nested = pd.DataFrame({
        "summary": [{"val_acc": acc, "_step": 10} for acc in frame["val_acc"]],
        "config": [
            {"optimizer": {"lr": lr, "wd": 0.1}, "seed": {"value": seed, "desc": None}}
            for lr, seed in zip(frame["lr"], frame["seed"], strict=True)
        ],
        "name": [f"sunny-{i}" for i in frame.index],
    })  # fmt: skip
    nested.at[0, "summary"] = {"val_acc": math.nan}
    path = tmp_path / "project.csv"
    nested.to_csv(path)
    for table in (nested, path):
        judged = judge_runs(table)
        assert judged.taken.columns["learning_rate"] == "config.optimizer.lr"
        assert judged.band() == [0.1, 0.3]
        assert "0.01 (1 of 5 runs: 1 score nan)" in said(judged)


OPTUNA = [
    "", "number", "value", "datetime_start", "datetime_complete", "duration", "params_lr",
    "user_attrs_seed", "system_attrs_fixed_params", "state",
]  # fmt: skip


def trial(number, value, rate, seed, state="COMPLETE"):
    start, end = "2026-11-27 04:56:41.474832", "2026-11-27 04:56:41.503255"
    return [str(number), str(number), value, start, end, "0 days 00:00:00.028423", rate, seed, "",
            state]  # fmt: skip


def test_the_trials_of_optuna(tmp_path):
    """A pruned trial has a value: its last intermediate one, which is not final."""
    rows = [
        trial(i, str(s), str(rate), f"{i % 5}.0")
        for i, (rate, s) in enumerate((rate, s) for rate, each in SCORES.items() for s in each)
    ]
    rows += [trial(20, "0.99", "2.0", "0.0", "PRUNED"), trial(21, "", "2.0", "1.0", "FAIL"),
             trial(22, "", "", "", "WAITING")]  # fmt: skip
    path = write(tmp_path / "trials.csv", OPTUNA, rows)
    with pytest.raises(ConfigError, match="whether a higher value is better"):
        judge_runs(path)
    judged = judge_runs(path, higher_is_better=True)
    assert judged.taken.columns["score"] == "value"
    assert judged.band() == [0.1, 0.3]
    assert 2.0 not in judged.ranking()
    text = said(judged)
    assert "Without a final score: 2 (2 of 2 runs: 1 fail, 1 pruned)" in text
    assert "a large learning rate looks worse until it is annealed" in text
    assert "left out: trial 22, waiting" in text


def test_settings_of_optuna_vary(tmp_path):
    rows = [[*trial(i, "0.9", "0.1", str(i)), str(i / 10)] for i in range(3)]
    path = write(tmp_path / "trials.csv", [*OPTUNA, "params_momentum"], rows)
    with pytest.raises(ConfigError, match=r"params_momentum \(0.0, 0.1, 0.2\) varies"):
        judge_runs(path, higher_is_better=True)


def test_runs_of_mlflow():
    frame = runs().rename(columns={"lr": "params.lr", "seed": "params.seed",
                                   "val_acc": "metrics.val_acc"})  # fmt: skip
    frame["params.lr"] = frame["params.lr"].astype(str)
    frame = frame.assign(run_id=[f"{i:x}" for i in range(20)], status="FINISHED")
    frame["metrics.lr"] = frame.index / 1000
    assert judge_runs(frame).band() == [0.1, 0.3]


def test_files_of_all_kinds_are_the_same(tmp_path):
    frame = runs()
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_csv(tmp_path / "b.tsv", index=False, sep="\t")
    frame.to_parquet(tmp_path / "c.parquet")
    (tmp_path / "d.csv").write_bytes(b"\xef\xbb\xbf" + (tmp_path / "a.csv").read_bytes())
    tables = [read_table(path).columns for path in sorted(tmp_path.iterdir())]
    judged = [judge_runs(path).taken.runs for path in sorted(tmp_path.iterdir())]
    assert [list(columns) for columns in tables] == [["lr", "seed", "val_acc"]] * 4
    assert judged == [judge_runs(frame).taken.runs] * 4


def test_files_that_cannot_be_read(tmp_path):
    for name, content, words in (
        ("a.xlsx", b"", r"\.csv, \.tsv or \.parquet"),
        ("b.csv", b"lr,seed\n0.1\n", "row 1: it has 1 cells, and there are 2"),
        ("c.csv", b"lr,lr\n0.1,0.2\n", "two columns are called 'lr'"),
        ("d.csv", b"\xff\xfe\n", "cannot be read"),
        ("e.csv", b"", "0 rows"),
        ("f.parquet", b"PAR", "cannot be read"),
        ("g.csv", b'lr\n"0.1', "cannot be read"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(LearnOrderError, match=words):
            judge_runs(tmp_path / name)
    with pytest.raises(DataError, match="cannot be read"):
        judge_runs(tmp_path / "missing.csv")


# The command, its folder and its page


def test_the_command_writes_a_page_that_opens_again(tmp_path, capsys):
    runs(epochs=30, note="<b>&").to_csv(tmp_path / "runs.csv", index=False)
    out = tmp_path / "out"
    command = ["advise", "--from", str(tmp_path / "runs.csv"), "--out", str(out)]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "- Best: 0.1 (92.0 % [90.0, 94.0] accuracy; 30 epochs; n = 5)" in printed
    written = json.loads((out / "judged.json").read_text())
    opened = open_runs(out, of=JudgedRuns)
    assert html_sentences(opened._repr_html_()) == opened.findings() == written["findings"]
    assert opened._repr_html_().count("<td>best</td>") == 1
    assert (written["learning_rate"], written["band"]) == (0.1, [0.1, 0.3])
    page = (out / "report.html").read_text()
    assert "column val_acc; higher is better" in page
    assert main(command) == 0, "a table is judged again in its folder"
    with pytest.raises(RunFolderError, match="contains a judgement of existing runs"):
        Experiment("advise").check(out)


def test_the_options_of_a_table_and_of_a_search_do_not_mix(tmp_path, capsys):
    runs(score="y").to_csv(tmp_path / "runs.csv", index=False)
    command = ["advise", "--from", str(tmp_path / "runs.csv"), "--out", str(tmp_path / "out")]
    for option, value, name in (
        ("--minutes", "5", "minutes"), ("--task", "a.b", "task.path"), ("--seeds", "9", "seeds"),
        ("--training.epochs", "3", "training.epochs"), ("--workers", "2", "workers"),
    ):  # fmt: skip
        assert main([*command, option, value]) == 2
        assert f"{name}: got" in capsys.readouterr().err
    assert main([*command, "--dry-run"]) == 2
    assert "--from judges runs that exist already" in capsys.readouterr().err
    for option, value in (("--where", "{a: 1}"), ("--columns", "{score: y}"), ("--ignore", "[a]")):
        assert main(["advise", option, value]) == 2
        assert "give --from too" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    named = ["--columns", "{score: y}", "--higher_is_better", "true", "--tolerance", "0.02"]
    assert main([*command, *named]) == 0


def test_names_of_columns_are_shown_and_not_obeyed(tmp_path):
    hostile = "<b>val</b>\x1b[31m acc"
    judge_runs(runs(score=hostile), tmp_path, columns={"score": hostile})
    page = (tmp_path / "report.html").read_text()
    assert "&lt;b&gt;val&lt;/b&gt;" in page
    assert "\x1b" not in page
    assert "<b>val" not in page
