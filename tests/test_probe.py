"""The probe: calibration, arms, budget, and a whole small one."""

import json
import math
from dataclasses import replace

import pytest

from learnorder import Probe
from learnorder.cli.main import main
from learnorder.config.settings import DataConfig, ModelConfig
from learnorder.config.training import TrainingConfig
from learnorder.errors import ConfigError
from learnorder.execution.budget import Budget
from learnorder.execution.settings import Execution
from learnorder.probe import ArmNumbers, Calibration, ProbeResult, Statement, judge_arms, run_probe
from learnorder.probe.page import advice_words, calibration_table, calibration_words, probe_findings
from learnorder.probe.result import calibrate
from learnorder.probe.run import arm_plans, with_budget
from learnorder.probe.settings import FEWEST_EPOCHS
from learnorder.runs.last_layer import LastLayer, LastLayerScores, write_last_layer
from learnorder.runs.opening import open_runs
from learnorder.runs.results import Results
from learnorder.runs.sealed import read_sealed
from learnorder.statistics import POINTS, Estimate, Measured, side_of

from .conftest import POOLED, fake_run, html_sentences


@pytest.fixture
def probe():
    """Seconds: two learning rates, two contrasts, the stronger of which is memorised, one seed."""
    return Probe(
        data=DataConfig(
            train_examples=200,
            evaluation_examples=60,
            evaluate_on="validation",
            validation_share=0.2,
        ),
        model=ModelConfig("ConvNet", {"widths": [8, 16]}),
        training=TrainingConfig(epochs=12, batch_size=16),
        anneal_at=0.8,
        learning_rates=(0.05, 0.3),
        contrasts=(0.1, 3.0),
        pattern_size=4,
        seeds=1,
    )


def test_the_calibration_takes_the_faintest_that_is_memorised(probe):
    found = calibrate(probe, {0.1: 0.2, 0.4: 0.93, 0.8: 0.99}, {0.1: 0.5, 0.4: 0.3, 0.8: 0.2}, 0.1)
    assert (found.contrast, found.tried) == (0.4, True)
    assert "faintest" in calibration_words(found, 0.05)


def test_guessing_the_commonest_class_memorises_no_pattern(probe):
    """It is right on 95 % of the patterns where that class has 95 % of the examples."""
    clean = {0.1: 0.95, 0.4: 0.97}
    found = calibrate(probe, {0.1: 0.95, 0.4: 0.98}, clean, 0.95)
    assert (found.contrast, found.level) == (0.4, 0.975)
    assert "97.5 % counts as memorised" in calibration_table(found).note
    with pytest.raises(ConfigError, match=r"but 97\.5 % is needed"):
        calibrate(probe, {0.1: 0.95, 0.4: 0.96}, clean, 0.95)
    arm = ArmNumbers({0: 0.95}, {0: 0.95}, {}, {}, {"¼": {}}, 9, 0.95, 0, 1)
    assert arm.undertrained().endswith("where 96.2 and 97.5 % count as learned")


def test_a_pattern_that_is_memorised_at_no_contrast_stops_the_probe(probe):
    with pytest.raises(ConfigError) as raised:
        calibrate(probe, {0.1: 0.2, 0.4: 0.5}, {0.1: 0.5, 0.4: 0.5}, 0.1)
    assert "20 % at 0.1, 50 % at 0.4" in str(raised.value)
    assert "Give stronger contrasts, a larger pattern_size" in str(raised.value)


@pytest.mark.parametrize(("chance", "clean", "stops"), [
    (0.1, 0.18, True), (0.1, 0.2, False), (0.5, 0.54, True), (0.5, 0.56, False), (None, 0.0, False),
])  # fmt: skip
def test_content_that_is_learned_at_no_contrast_stops_the_probe(probe, chance, clean, stops):
    """A tenth of the way from guessing to perfect is next to nothing: 19 % of ten, 55 % of two."""
    accuracies = {0.1: 0.1, 0.4: 0.95}, {0.1: clean, 0.4: 0.0}, chance
    if not stops:
        assert calibrate(probe, *accuracies).contrast == 0.4
        return
    with pytest.raises(ConfigError, match="learns the content at no contrast"):
        calibrate(probe, *accuracies)


def test_a_probe_whose_calibration_fails_trains_no_arm(probe, tmp_path):
    faint = replace(probe, contrasts=(0.01, 0.02))
    with pytest.raises(ConfigError, match="memorises the pattern at none"):
        run_probe(faint, tmp_path, execution=Execution(quiet=True))
    assert (tmp_path / "calibration").exists()
    assert not (tmp_path / "arms").exists()
    assert not (tmp_path / "report.html").exists()


def test_the_arms_of_a_seed_share_all_but_the_treatment(probe):
    plans = arm_plans(replace(probe, seeds=2), 0.4, (8, 8))
    assert len(plans) == 2 * (2 + 1) * 2
    of_one_seed = [p.config for p in plans.values() if p.config.seed == 0]
    for name in ("data", "model", "patch", "training", "seed"):
        assert len({repr(getattr(config, name)) for config in of_one_seed}) == 1
    annealed = plans["annealed-0.3-seed0"].config
    assert annealed.learning_rate.at(probe.anneal_epoch - 1) == 0.3
    assert annealed.learning_rate.at(probe.anneal_epoch) == pytest.approx(0.05)
    noisy = plans["constant_noise-0.05-seed0"].config.noise.level
    assert noisy.at(1) == 0.8
    assert noisy.at(13) == pytest.approx(0.4 * 0.8)
    assert "annealed-0.05-seed0" not in plans, "it is the constant one"
    quiet = arm_plans(replace(probe, noise=0), 0.4, (8, 8))
    assert set(quiet) == {"constant-0.05-seed0", "constant-0.3-seed0", "annealed-0.3-seed0"}


def test_the_calibration_is_the_small_arm_up_to_the_anneal_on_a_seed_of_its_own(probe):
    found = probe.calibration(3.0, (8, 8))
    assert found.training.epochs == probe.anneal_epoch - 1
    assert found.seed not in probe.seed_range()
    assert found.learning_rate.initial == 0.05
    assert found.patch.contrast == 3.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"learning_rates": (0.1,)},
        {"learning_rates": (0.3, 0.1)},
        {"contrasts": ()},
        {"contrasts": (0.0, 0.1)},
        {"anneal_at": 1.0},
        {"noise": -1.0},
        {"eligible_share": 0.0},
        {"seeds": 0},
        {"training": TrainingConfig(epochs=FEWEST_EPOCHS - 1)},
    ],
)
def test_what_makes_no_sense_is_refused(probe, wrong):
    with pytest.raises(ConfigError):
        replace(probe, **wrong)


def test_other_optimisers_have_other_rates():
    assert Probe().rates == (0.02, 0.1, 0.5)
    assert Probe(training=TrainingConfig(epochs=20, optimizer="AdamW")).rates[-1] < 0.02


def test_a_whole_probe(probe, tmp_path):
    result = run_probe(probe, tmp_path, execution=Execution(quiet=True))
    assert set(result.calibration.accuracy) == {0.1, 3.0}
    assert result.calibration.contrast == 3.0
    assert set(result.calibration.clean) == {0.1, 3.0}
    patches = {f.config.patch.contrast for f in result.results.folders}
    assert patches == {result.calibration.contrast}
    assert {f.read_status() for f in result.results.folders} == {"finished"}
    assert html_sentences(result._repr_html_()) == result.findings() == probe_findings(result)
    assert result._repr_html_().count("<td>1 finished</td>") == 6
    written = json.loads((tmp_path / "probe.json").read_text())
    assert len(written["arms"]) == len(probe.arms()) == 6
    small = result.arm("constant", 0.05)
    row = next(
        a for a in written["arms"]
        if (a["arm"], a["learning_rate.initial"]) == ("constant", "0.05")
    )  # fmt: skip
    assert row["clean"]["mean"] == result.results.final_estimate(small, "clean", "accuracy").mean
    assert row["last_layer"]["0"]["before"]["clean"] == pytest.approx(row["clean"]["mean"])
    page = (tmp_path / "report.html").read_text()
    for title in ("Over the learning rates", "Not learned, or learned but unused?", "The pattern"):
        assert title in page
    undecided = [s for s in probe_findings(result) if s.startswith("? undecided: ")]
    assert len(undecided) == len(written["statements"]) == 6, "one seed decides nothing"
    assert set(row["content_learned_at"]) == {"¼", "½", "¾"}
    assert "p (Holm)" in page, "six statements stand in one table"

    assert len(open_runs(tmp_path).arms) == 6, "the calibration is left out"
    times = {p: p.stat().st_mtime_ns for p in tmp_path.glob("*/*/records.parquet")}
    run_probe(probe, tmp_path, execution=Execution(quiet=True))
    assert times == {p: p.stat().st_mtime_ns for p in times}, "what is done is read"


def test_an_arm_that_diverges_is_a_result(probe, tmp_path):
    wild = replace(probe, learning_rates=(0.05, 1e9), noise=0.0, contrasts=(3.0,))
    result = run_probe(wild, tmp_path, execution=Execution(quiet=True))
    assert not result.calibration.tried
    statuses = {f.name: f.read_status() for f in result.results.folders}
    assert statuses["constant-1e+09-seed0"] == "diverged"
    assert statuses["constant-0.05-seed0"] == "finished"
    assert "Too large: LR 1e+09, constant, diverged in 1 of 1 runs" in " ".join(
        probe_findings(result)
    )


def test_a_network_without_a_last_layer_is_probed_without_that_step(probe, tmp_path):
    pooled = replace(probe, model=ModelConfig(POOLED), noise=0.0, contrasts=(3.0,))
    result = run_probe(pooled, tmp_path, execution=Execution(quiet=True))
    assert "there is no last linear layer" in " ".join(probe_findings(result))
    assert (tmp_path / "probe.json").exists()


@pytest.mark.parametrize(
    ("clean", "reliance", "words"),
    [
        ("holds", "undecided", "favour LR 0.3"),
        ("undecided", "holds", "relies less on the pattern"),
        ("does_not_hold", "undecided", "favour LR 0.05"),
        ("holds", "does_not_hold", "trade"),
        ("undecided", "undecided", "favour no learning rate"),
    ],
)
def test_the_advice_follows_the_verdicts(probe, tiny, tmp_path, clean, reliance, words):
    run = fake_run(
        tmp_path / "run", tiny, {"arm": "constant", "learning_rate.initial": "0.05"}, [0.5] * 3
    )
    result = ProbeResult(probe, Calibration({}, 3.0), Results([run]))

    def found(seeds):
        measured = Measured(Estimate(0.1, 0.1, 0.1, seeds), 0.0, POINTS)
        return [
            Statement("more accurate", "annealed", "clean", measured, clean),
            Statement("relies less", "annealed", "reliance", measured, reliance),
            Statement("noise: relies less", "noise", "reliance", measured, "holds"),
        ]

    assert words in advice_words(result, found(5))
    few = advice_words(result, found(3))
    assert ("3 seeds are too few for a headline" in few) == ("favour no" not in words)


@pytest.mark.parametrize(
    ("clean", "reliance", "lost", "words"),
    [
        (0.1, 0.0, 0, "was learned but unused"),
        (-0.1, -0.2, 0, "Reliance falls, but accuracy is not shown to rise"),
        (0.0, 0.0, 0, "No improvement is shown"),
        (0.1, -0.2, 1, "(n = 3; a verdict needs a result of every run). No improvement is shown"),
    ],
)
def test_what_a_new_layer_recovers_is_in_the_accuracy(
    probe, tiny, tmp_path, clean, reliance, lost, words
):
    folders = []
    for seed in range(3 + lost):
        labels = {"arm": "constant", "learning_rate.initial": "0.05"}
        status = "finished" if seed < 3 else "diverged"
        path, config = tmp_path / str(seed), replace(tiny, seed=seed)
        folders.append(fake_run(path, config, labels, [0.5] * 3, status=status))
    for seed, folder in enumerate(folders[:3]):
        jitter = 0.01 * (-1) ** seed
        after = LastLayerScores(0.6 + clean + jitter, 0.5, 0.4 + reliance + jitter)
        write_last_layer(folder, LastLayer(LastLayerScores(0.6, 0.5, 0.4), after, 10, True))
    result = ProbeResult(probe, Calibration({}, 3.0), Results(folders))
    (said,) = (text for text in probe_findings(result) if "last layer retrained" in text)
    assert words in said


def test_a_small_lr_that_diverges_says_what_to_change(probe, tmp_path):
    with pytest.raises(ConfigError, match="Give smaller ones"):
        run_probe(
            replace(probe, learning_rates=(1e9, 2e9)), tmp_path, execution=Execution(quiet=True)
        )


def test_the_budget_buys_epochs_once(probe, tmp_path):
    longest = replace(probe, training=replace(probe.training, epochs=10_000), contrasts=(3.0,))
    with pytest.raises(ConfigError, match="Give that, or fewer"):
        run_probe(longest, tmp_path, minutes=1e-6, execution=Execution(quiet=True))
    bought = with_budget(longest, tmp_path, 5.0, Execution(1, 1))
    assert FEWEST_EPOCHS <= bought.training.epochs < 10_000
    kept = read_sealed(tmp_path / "budget.json", Budget)
    replace(kept, epochs=6).keep(tmp_path)
    result = run_probe(longest, tmp_path, minutes=5.0, execution=Execution(quiet=True))
    assert result.probe.training.epochs == 6
    assert {f.config.training.epochs for f in result.results.folders} == {6}


def test_the_verb(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    line = [
        "probe", "--data.train_examples", "200", "--data.evaluation_examples", "60",
        "--model.name", "ConvNet", "--model.arguments", "{widths: [8, 16]}",
        "--training.epochs", "6", "--learning_rates", "[0.02, 0.3]", "--contrasts", "[3.0]",
        "--noise", "0", "--seeds", "1", "--workers", "1",
    ]  # fmt: skip
    assert main([*line, "--dry-run"]) == 0
    assert "3 runs of" in capsys.readouterr().out
    assert not (tmp_path / "runs").exists()
    assert main([*line, "--quiet"]) == 0
    out = capsys.readouterr().out
    assert "The pattern's contrast is 3, as given" in out
    assert (tmp_path / "runs" / "probe" / "report.html").exists()
    assert main(["probe", "--minutes", "0"]) == 2
    assert "above 0" in capsys.readouterr().err


def arm(clean=0.6, patch_only=0.95, reliance=0.5, pattern=4, content=2, diverged=0, seeds=6):
    """An arm whose seeds differ a little."""

    def spread(value):
        return {seed: value + 0.01 * seed * (-1) ** seed for seed in range(seeds)}

    return ArmNumbers(
        spread(clean), spread(patch_only), spread(reliance),
        dict.fromkeys(range(seeds), pattern), {"¼": dict.fromkeys(range(seeds), content)},
        20, 0.1, diverged, seeds + diverged,
    )  # fmt: skip


def judged(small, large):
    found = judge_arms(0.02, 0.5, small, {"annealed": large})
    return {statement.quantity: statement for statement in found}


def test_low_reliance_of_an_arm_that_learned_nothing_is_no_robustness():
    small, large = arm(), arm(clean=0.25, patch_only=0.4, reliance=0.0)
    assert "24 % on clean images and 40 % on the pattern alone" in large.undertrained()
    reliance = judged(small, large)["reliance"]
    assert side_of(reliance.measured.estimate) == "below"
    assert (reliance.verdict, reliance.reason) == ("undecided", "the large LR is undertrained")
    assert not arm(clean=0.25).undertrained(), "it has the pattern"
    assert judged(small, arm(reliance=0.0))["reliance"].verdict == "holds"


def test_an_arm_that_diverged_is_not_judged_by_what_is_left():
    found = judged(arm(), arm(clean=0.8, diverged=1))
    assert {each.verdict for each in found.values()} == {"undecided"}
    assert found["clean"].reason == "the large LR: 1 of 7 diverged"
    assert math.isnan(found["clean"].measured.p)


@pytest.mark.parametrize(("seeds", "expected"), [(3, "undecided"), (5, "undecided"), (6, "holds")])
def test_an_order_that_is_censored_is_decided_by_the_sign_test(seeds, expected):
    """The small LR never learns the content: three of three seeds are inconclusive."""
    never = arm(pattern=2, content=None, seeds=seeds)
    order = judged(never, arm(pattern=9, content=4, seeds=seeds))["order"]
    assert order.verdict == expected
    assert f"the small LR: content never in {seeds} of {seeds} seeds" in order.measured.note


def test_two_seeds_give_no_verdict():
    assert {s.verdict for s in judged(arm(seeds=2), arm(clean=0.9, seeds=2)).values()} == {
        "undecided"
    }
