"""Verdicts: the rule, each measure against a known answer, and a whole reproduction."""

import json
import math
import re
from dataclasses import replace

import pytest

from learnorder.cli.main import main
from learnorder.errors import ConfigError, RunFolderError
from learnorder.execution.settings import Execution
from learnorder.images.experiment import Arm, Arms, ImageExperiment
from learnorder.report.page import render_page
from learnorder.reproduce.claim import judge
from learnorder.reproduce.claims import CLAIMS, claims_named
from learnorder.reproduce.evidence import Evidence
from learnorder.reproduce.measures import Difference, Later, Learned, Level, Ratio, Share, Value
from learnorder.reproduce.page import claims_content, summary
from learnorder.reproduce.reasons import reason
from learnorder.reproduce.result import ReproductionResult
from learnorder.reproduce.run import judge_runs, reproduce, reproduction_plans
from learnorder.reproduce.scales import SCALES, Reproduction
from learnorder.reproduce.theory_measures import FirstPattern, Slope
from learnorder.runs.results import Results
from learnorder.schedules import Schedule
from learnorder.statistics import (
    POINTS,
    Estimate,
    Measured,
    Unit,
    compare_times,
    measure_mean,
    verdict,
)
from learnorder.theory import DistributionConfig, MeasureConfig, NetworkConfig
from learnorder.theory.experiment import TheoryExperiment

from .conftest import changed, fake_run, html_sentences

EPOCHS = 10
ANNEALED = 7
"""Epochs 1 to 6 are of the large LR; 4 to 6 are their second half."""


@pytest.mark.parametrize(
    ("low", "high", "above", "below"),
    [
        (0.1, 0.3, "holds", "does_not_hold"),
        (-0.3, -0.1, "does_not_hold", "holds"),
        (-0.1, 0.1, "undecided", "undecided"),
        (0.0, 0.2, "undecided", "undecided"),
        (math.nan, math.nan, "undecided", "undecided"),
    ],
)
def test_the_rule(low, high, above, below):
    found = Measured(Estimate((low + high) / 2, low, high, 5), 0.0, POINTS)
    assert verdict(found, "above") == above
    assert verdict(found, "below") == below


@pytest.mark.parametrize(("n", "expected"), [(3, "undecided"), (5, "undecided"), (6, "holds")])
def test_without_spread_it_takes_as_many_seeds_as_a_sign_test(n, expected):
    """Three seeds one epoch apart each say nothing about the spread."""
    assert verdict(measure_mean(dict.fromkeys(range(n), 1.0), 0.0, POINTS), "above") == expected


def test_one_seed_decides_nothing():
    assert verdict(Measured(Estimate(1.0, 0.9, 1.1, 1), 0.0, POINTS), "above") == "undecided"


def _annealed(config):
    config = changed(config, training={"epochs": EPOCHS})
    return replace(config, learning_rate=Schedule(0.1, (ANNEALED,), 0.1))


@pytest.fixture
def digits(tiny):
    return _annealed(changed(tiny, data={"source": "digits"}))


@pytest.fixture
def evidence(tiny, tmp_path):
    """Build evidence on images from what each arm measured: {experiment: {arm: [by seed]}}."""
    config = _annealed(tiny)

    def build(experiments, config=config):
        found, root = {}, tmp_path / str(len(list(tmp_path.iterdir())))
        for name, arms in experiments.items():
            folders = [
                fake_run(
                    root / name / f"{arm}-seed{seed}",
                    replace(config, seed=seed),
                    {"experiment": name, "arm": arm},
                    **{"patch_only": [0.1] * EPOCHS, **measured},
                )
                for arm, seeds in arms.items()
                for seed, measured in enumerate(seeds)
            ]
            found[name] = Results(folders)
        return Evidence(found)

    return build


def test_final_and_before_the_anneal(evidence):
    """Before the anneal is the mean over epochs 4 to 6; final is epoch 10."""
    early = [0.0, 0.0, 0.0, 0.1, 0.2, 0.6, 0.9, 0.9, 0.9]
    found = evidence(
        {"plain": {"large": [{"clean": [*early, 0.7 + s / 100]} for s in range(3)],
                   "small": [{"clean": [0.5] * 10}] * 3}}
    )  # fmt: skip
    assert found.plateau("plain") == range(4, 7)
    before = Value("plain", "large", when="before_anneal").by_seed(found)
    assert before == {seed: pytest.approx(0.3) for seed in range(3)}
    measure = Difference(Value("plain", "large"), Value("plain", "small"))
    measured = measure.measured(found)
    assert measured.by_seed == {s: pytest.approx(0.2 + s / 100) for s in range(3)}
    assert measured.estimate.mean == pytest.approx(0.21)
    assert judge(claims_named(["final-accuracy"])[0], found).verdict == "holds"
    alike = judge(claims_named(["small-ahead-in-test"])[0], found)
    assert alike.verdict == "undecided", "0.2 in each of three seeds, but for rounding"
    assert "identical values" in alike.reason


def test_the_share_of_a_gap_and_ratios(evidence):
    found = evidence(
        {"plain": {"large": [{"clean": 0.8}, {"clean": 0.84}],
                   "small": [{"clean": 0.6}, {"clean": 0.64}],
                   "small_noise": [{"clean": 0.75}, {"clean": 0.79}]}}
    )  # fmt: skip
    large, small, noise = (Value("plain", arm) for arm in ("large", "small", "small_noise"))
    assert Share(noise, small, large).measured(found).estimate.mean == pytest.approx(0.75)
    assert Ratio(large, small).measured(found).estimate.mean == pytest.approx(0.82 / 0.62)


def test_ignoring_is_less_than_twice_chance(evidence):
    """With ten classes the bound is 20 %, and only epochs 4 to 6 count."""
    curve = [0.9, 0.9, 0.9, 0.12, 0.12, 0.12, 0.9, 0.9, 0.9, 0.9]
    other = [0.9, 0.9, 0.9, 0.12, 0.13, 0.12, 0.9, 0.9, 0.9, 0.9]
    seeds = [{"patch_only": values} for values in (curve, other, curve)]
    found = evidence({"patch": {"large": seeds}})
    measured = Level(Value("patch", "large", "patch_only", when="before_anneal")).measured(found)
    assert (measured.estimate.mean, measured.bound) == (
        pytest.approx(0.12 + 0.01 / 9),
        pytest.approx(0.2),
    )
    assert judge(claims_named(["large-ignores-patch"])[0], found).verdict == "holds"


def test_seeds_on_either_side_of_a_level_are_counted(evidence):
    """A mean of 14.9 % hides that one seed of six has the pattern."""
    seeds = [{"patch_only": [value] * EPOCHS} for value in (0.1, 0.1, 0.1, 0.1, 0.1, 0.9)]
    found = evidence({"patch": {"large": seeds}})
    judgement = judge(claims_named(["large-ignores-patch"])[0], found)
    assert judgement.verdict == "undecided"
    assert judgement.shown() == "23.3 [0.0, 57.6] % (5 of 6 seeds below 20 %)"
    against = judge(claims_named(["patch-final-accuracy"])[0], found)
    assert not against.seed_count()


def _learned_at(epoch):
    return {"patch_only": [0.1 if epoch is None or e < epoch else 0.95 for e in range(1, 11)]}


def test_epochs_are_compared_in_pairs(evidence):
    found = evidence(
        {"patch": {"large": [_learned_at(e) for e in (8, 9, 8)],
                   "small": [_learned_at(e) for e in (1, 2, 2)]}}
    )  # fmt: skip
    measured = Later(Learned("large"), Learned("small")).measured(found)
    assert measured.by_seed == {0: 7, 1: 7, 2: 6}
    assert (measured.bound, measured.unit.name) == (0.0, "epochs")


@pytest.mark.parametrize(("seeds", "expected"), [(6, "holds"), (5, "undecided")])
def test_a_run_that_never_learns_is_censored(evidence, seeds, expected):
    """The sign test needs six seeds of one sign: 2 · (1/2)^5 > 0.05 > 2 · (1/2)^6."""
    found = evidence(
        {"patch": {"large": [_learned_at(None), *[_learned_at(9)] * (seeds - 1)],
                   "small": [_learned_at(2)] * seeds}}
    )  # fmt: skip
    judgement = judge(claims_named(["patch-order"])[0], found)
    assert judgement.verdict == expected
    assert judgement.measured.bound == 0.5
    assert f"1 of {seeds} pairs" in judgement.measured.note
    assert judgement.also[1].note == f"1 of {seeds} seeds never"


def test_seeds_in_which_nobody_learns_count_for_none(evidence):
    found = evidence(
        {"patch": {"large": [_learned_at(None), _learned_at(None), _learned_at(3)],
                   "small": [_learned_at(None), _learned_at(2), _learned_at(3)]}}
    )  # fmt: skip
    assert Later(Learned("large"), Learned("small")).measured(found).estimate.n == 1


def test_experiments_are_compared_over_shared_seeds(evidence):
    found = evidence(
        {"plain": {"small": [{"clean": 0.9}, {"clean": 0.9}]},
         "patch": {"small": [{"clean": 0.7}, {"clean": 0.8}, {"clean": 0.1}]}}
    )  # fmt: skip
    found = Evidence({**found.experiments, "unpatched": found.experiments["plain"]})
    judgement = judge(claims_named(["patch-costs-small"])[0], found)
    assert judgement.measured.by_seed == {0: pytest.approx(-0.2), 1: pytest.approx(-0.1)}
    assert "with the patch, minus that without it" in judgement.claim.measure.words()


def test_what_was_not_run_is_undecided(evidence):
    found = evidence({"plain": {"small": [{}, {}]}})
    for claim in CLAIMS:
        judgement = judge(claim, found)
        assert judgement.verdict == "undecided"
        assert judgement.measured.estimate.n == 0
        assert judgement.reason == "some of its arms have no runs"
        json.dumps(judgement.to_dict(), allow_nan=False)


def test_a_claim_without_runs_is_said_to_be_not_run(evidence):
    found = evidence({"plain": {"small": [{}, {}]}})
    judged = judge(claims_named(["theory-error-gap"])[0], found)
    assert judged.verdict_words() == "– not run"
    reproduced = ReproductionResult(found, (judged,), "demo")
    assert set(reproduced.counts().values()) == {0}
    assert summary(reproduced) == ["Of 1 claim: 0 hold, 0 do not, 0 undecided, 1 not run."]


def test_each_figure_stands_on_the_page_once(evidence):
    """The effect is said and drawn first; claims are grouped by figure, reasons beside verdicts."""
    found = evidence(
        {
            "patch": {
                "large": [{**_learned_at(None), "clean": 0.5 - s / 100} for s in range(5)],
                "small": [_learned_at(2)] * 5,
            }
        }
    )
    judged = tuple(judge(claim, found) for claim in CLAIMS if claim.figure[0] == "patch")
    content = claims_content(ReproductionResult(found, judged, "demo"))
    assert content.findings[0].startswith("The small learning rate memorises the patch by epoch 2")
    few = evidence({"patch": {"large": [_learned_at(None)] * 3, "small": [_learned_at(2)] * 3}})
    begins = claims_content(ReproductionResult(few, judged, "demo"))
    assert begins.findings[0].startswith("Of "), "three seeds are too few for a headline"
    assert begins.lead[0].title == "The effect"
    parts = [*content.lead, *content.sections]
    titles = [figure.layout.title.text for part in parts for figure in (*part.panels, *part.wide)]
    assert titles[0] == "Pattern alone"
    assert len(set(titles)) == len(titles)
    for part in parts:
        lines = {t.name for figure in part.panels for t in figure.data if t.name}
        assert lines <= {title for title, _, _ in part.key}, "the legend says what is drawn"
    cards = [card.anchor for part in parts for card in part.cards]
    assert sorted(cards) == sorted(f"claim-{each.claim.name}" for each in judged)
    (at_a_glance,) = [part.forest for part in parts if part.forest]
    assert {row.name.to for row in at_a_glance} == {
        f"#claim-{each.claim.name}" for each in judged if each.has_runs
    }
    for row in at_a_glance:
        if row.mean is not None:
            assert -1 <= row.low <= row.mean <= row.high <= 1
            assert (row.low > 0) == (row.verdict == "holds") or row.verdict == "undecided"
    assert not any(sentence.startswith("Does not hold") for sentence in content.findings)
    (learns,) = [row for row in at_a_glance if "large-learns" in row.name.to]
    assert learns.verdict != "holds"
    assert not learns.reason, "these are not the digits"


def test_claims_name_the_rows_of_their_table(evidence):
    """A screen reader says the claim before its numbers, not its verdict."""
    found = evidence({"patch": {"large": [_learned_at(8)] * 3, "small": [_learned_at(2)] * 3}})
    judged = tuple(judge(claim, found) for claim in CLAIMS if claim.figure[0] == "patch")
    page = render_page(claims_content(ReproductionResult(found, judged, "demo")))
    named = re.findall(r'<th role=rowheader[^>]* data-label="(\w+)"', page)
    assert named.count("claim") == len(judged)
    assert "verdict" not in named


def test_reasons_are_about_digits_and_their_numbers_are_of_the_results(evidence, digits):
    """What is said of an arm is measured on it, and left out if it is not so."""

    def reasons(experiments, name, scale="demo"):
        found = evidence(experiments, digits)
        return reason(judge(claims_named([name])[0], found), found, scale)

    plain = {"plain": {"large": [{"clean": 0.95}] * 3, "small": [{"clean": 0.97}] * 3}}
    assert "lowest mean final accuracy of an arm is 95 %" in reasons(plain, "final-accuracy")
    assert not reasons(plain, "final-accuracy", "custom")
    plain["plain"]["large"] = [{"clean": 0.7}] * 3
    assert not reasons(plain, "final-accuracy"), "that is not too easy"
    flat, late = [0.1] * EPOCHS, [*[0.1] * 8, 0.4, 0.6]
    rising = reasons(
        {"patch": {"large": [{"patch_only": late}] * 3}}, "large-learns-patch-after-anneal"
    )
    assert "from 10 % to 60 %" in rising
    assert not reasons(
        {"patch": {"large": [{"patch_only": flat}] * 3}}, "large-learns-patch-after-anneal"
    )
    early = {"large": [{"patch_only": [0.3] * EPOCHS}, *[{"patch_only": flat}] * 2]}
    assert "is 30 %" in reasons({"patch": early}, "large-ignores-patch")


def test_claims_are_well_formed():
    names = [claim.name for claim in CLAIMS]
    assert len(set(names)) == len(names)
    for claim in CLAIMS:
        assert claim.statement.endswith(".")
        assert claim.criterion()
        assert claim.measure.bound_words() != "–"
        assert not (claim.reported == "–" and claim.checked)
    with pytest.raises(ConfigError, match="final-accuracy"):
        claims_named(["final-acuracy"])
    with pytest.raises(ConfigError):
        claims_named([])


@pytest.mark.parametrize("scale", SCALES)
def test_every_scale_has_the_runs_that_claims_need(scale):
    plans = reproduction_plans(SCALES[scale](), None, scale)
    arms = {name: {p.labels["arm"] for p in found.values()} for name, found in plans.items()}
    if "unpatched" not in arms:
        arms["unpatched"] = arms["plain"]
    left_out = {"final-accuracy-annealed", "patch-final-accuracy-annealed"}
    for claim in CLAIMS:
        there = all(arm in arms[name] for name, arm in claim.needs)
        assert there != (scale == "demo" and claim.name in left_out), claim.name
    seeds = {p.config.seed for p in plans["patch"].values()}
    assert seeds == set(range(6)), "selection used seeds from 1000 on"


@pytest.mark.parametrize("scale", SCALES)
def test_the_patch_alone_tells_its_runs_from_those_without(scale):
    made = SCALES[scale]()
    for arm in ("large", "small", "small_noise"):
        with_patch, without = made.patch.run(arm, 3), (made.unpatched or made.plain).run(arm, 3)
        assert with_patch.patch.planted
        assert not without.patch.planted
        assert replace(with_patch, patch=without.patch) == without


def test_one_claim_takes_only_its_runs():
    plans = reproduction_plans(SCALES["demo"](), ["small-relies-on-patch"])
    assert list(plans) == ["patch"]
    assert {p.labels["arm"] for p in plans["patch"].values()} == {"large", "small"}


@pytest.fixture
def small_reproduction(tiny):
    """A reproduction of seconds: two epochs, a little theory."""
    noise = replace(tiny.noise, level=Schedule(0.4, (3,), 0.0))
    annealed = Arm(Schedule(0.01, (3,), 0.1))
    arms = Arms(Arm(tiny.learning_rate), Arm(Schedule(0.01)), Arm(Schedule(0.01), noise), annealed)
    patch = ImageExperiment(tiny.data, tiny.model, tiny.patch, tiny.training, arms, seeds=2)
    theory = TheoryExperiment(
        DistributionConfig(d=40, num_train=60),
        seeds=2,
        measure=MeasureConfig(test_examples=200, per_decade=2),
    )
    kappa = replace(theory, arms=("L-S", "S"), distribution=DistributionConfig(d=40, p0=None))
    return Reproduction(
        plain=replace(patch, patch=replace(tiny.patch, eligible_share=0.0)),
        patch=patch,
        unpatched=None,
        theory=theory,
        convolution=replace(theory, network=NetworkConfig("convolution")),
        kappa=kappa,
        kappas=(0.8, 1.0),
        steps=replace(kappa, arms=("L-S",)),
        dimensions=(20, 40),
        thresholds=(0.12, 0.24),
    )


def test_a_whole_reproduction(small_reproduction, tmp_path):
    found = reproduce(small_reproduction, tmp_path, execution=Execution(quiet=True))
    assert len(found.judgements) == len(CLAIMS)
    assert sum(found.counts().values()) == len(CLAIMS)
    assert html_sentences(found._repr_html_()) == found.findings()
    assert found.findings()[0].startswith(f"Of {len(CLAIMS)} claims: ")
    assert found._repr_html_().count("<tr>") == 1 + len(CLAIMS)
    unmeasured = {j.claim.name for j in found.judgements if not j.measured.estimate.n}
    assert unmeasured <= {"patch-order"}, "in three epochs nobody learns the patch"
    written = json.loads((tmp_path / "claims.json").read_text())
    assert {"claim", "verdict", "estimate", "interval", "n"} <= set(written[0])
    assert written == found.to_list()
    assert {"p", "p_holm"} <= set(written[0])
    page = (tmp_path / "report.html").read_text()
    anchors = set(re.findall(r'id="([^"]+)"', page))
    links = re.findall(r'href="#([^"]+)"', page)
    assert set(links) <= anchors
    assert {f"claim-{claim.name}" for claim in CLAIMS} <= anchors
    assert 'id="effect"' in page
    for experiment in ("plain", "patch", "theory", "kappa", "steps", "convolution"):
        assert (tmp_path / experiment / "report.html").exists()
    assert not (tmp_path / "unpatched").exists()
    assert "there is nothing to compare" in " ".join(summary(found))

    times = {p: p.stat().st_mtime_ns for p in tmp_path.glob("*/*/records.parquet")}
    again = reproduce(small_reproduction, tmp_path, make_runs=False)
    assert again.to_list() == found.to_list()
    assert times == {p: p.stat().st_mtime_ns for p in times}
    with pytest.raises(KeyError, match="final-accuracy"):
        again["no-such-claim"]

    only = judge_runs(small_reproduction, tmp_path, only=["theory-mitigation"])
    assert only.to_list() == found.to_list(), "what is there is judged, whatever was asked for"


def test_one_claim_judges_what_its_runs_decide(small_reproduction, tmp_path):
    found = reproduce(
        small_reproduction, tmp_path, only=["theory-error-gap"], execution=Execution(quiet=True)
    )
    judged = {judgement.claim.name for judgement in found.judgements}
    assert "theory-small-learns-q-first" in judged
    assert "theory-mitigation" not in judged, "S+noise was not run"
    assert not (tmp_path / "patch").exists()


def test_seeds_added_from_python_join_those_that_are_there(small_reproduction, tmp_path):
    """Runs made under a recipe's name and under none are of the same arms."""
    only = ["theory-error-gap", "final-accuracy"]
    reproduce(
        small_reproduction, tmp_path, only=only, scale="demo", execution=Execution(quiet=True)
    )
    more = small_reproduction.seeded(3, None)
    found = reproduce(more, tmp_path, only=only, execution=Execution(quiet=True))
    assert found["final-accuracy"].measured.estimate.n == 3
    assert found["theory-error-gap"].measured.estimate.n == 3


def test_diverged_and_pending_runs_are_named(evidence):
    lost = [*[_learned_at(9)] * 4, {**_learned_at(9), "status": "diverged"}]
    found = evidence({"patch": {"large": lost, "small": [_learned_at(2)] * 5}})
    judgement = judge(claims_named(["patch-order"])[0], found)
    assert judgement.verdict == "undecided"
    assert judgement.reason == "left out: 1 diverged of large LR + anneal"
    assert math.isnan(judgement.measured.p), "it is in no family of tests"
    pending = [*({"clean": c} for c in (0.9, 0.89, 0.9)), {"clean": 0.9, "status": "interrupted"}]
    found = evidence({"plain": {"large": pending, "small": [{"clean": 0.1}] * 3}})
    judgement = judge(claims_named(["final-accuracy"])[0], found)
    assert judgement.verdict == "holds"
    assert judgement.reason == "left out: 1 interrupted of large LR + anneal"


def test_theory_measures(small_reproduction, tmp_path):
    """Each against what the records say, worked out here in another way."""
    only = [
        "theory-error-gap",
        "theory-kappa",
        "theory-small-learns-q-first",
        "theory-steps-epsilon",
    ]
    found = reproduce(
        small_reproduction, tmp_path, only=only, execution=Execution(quiet=True)
    ).evidence
    theory, kappa = found.theory("theory"), found.theory("kappa")
    assert theory is not None
    assert kappa is not None
    order = FirstPattern("theory", "S", "Q").measured(found)
    for seed, value in order.by_seed.items():
        p, q = theory.half_learned("S", "P")[seed], theory.half_learned("S", "Q")[seed]
        assert p is not None
        assert q is not None
        assert value == pytest.approx(math.log10(p) - math.log10(q))
    opposite = FirstPattern("theory", "S", "P").measured(found)
    assert opposite.estimate.mean == pytest.approx(-order.estimate.mean)
    slopes = Slope("kappa", "S").measured(found)
    frame = kappa.finished
    for seed, value in slopes.by_seed.items():
        rows = frame[(frame["seed"] == seed) & (frame["quantity"] == "error_gaussian")]
        ends = {}
        for arm in kappa.arms:
            labels = kappa.labels(arm)
            mine = rows[(rows["arm"] == arm) & (rows["set"] == "p_only")]
            if labels["arm"] == "S":
                ends[float(labels["distribution.kappa"])] = mine["value"].iloc[-1]
        expected = math.log(ends[1.0] / ends[0.8]) / math.log(1.0 / 0.8)
        assert value == pytest.approx(expected)
    less = Slope("kappa", "L-S", minus="S").measured(found)
    assert less.estimate.mean == pytest.approx(
        Slope("kappa", "L-S").measured(found).estimate.mean - slopes.estimate.mean
    )
    steps, times = found.theory("steps"), dict[tuple[int, str, str], float]()
    assert steps is not None
    for arm in steps.arms:
        at = steps.labels(arm)
        for seed, time in steps.annealed(arm).items():
            times[seed, at["distribution.d"], at["algorithm.epsilon1"]] = time
    by_dimension, by_threshold = (
        Slope("steps", "L-S", quantity="anneal", setting=name).measured(found).by_seed
        for name in ("distribution.d", "algorithm.epsilon1")
    )
    for seed in (0, 1):  # on two values of each, the mean of the logarithms' differences
        log = {(d, e): math.log(times[seed, d, e]) for d in ("20", "40") for e in ("0.12", "0.24")}
        rise = (log["40", "0.12"] + log["40", "0.24"] - log["20", "0.12"] - log["20", "0.24"]) / 2
        assert by_dimension[seed] == pytest.approx(rise / math.log(2))
        rise = (log["20", "0.24"] + log["40", "0.24"] - log["20", "0.12"] - log["40", "0.12"]) / 2
        assert by_threshold[seed] == pytest.approx(rise / math.log(2))
    assert len(steps.figure("anneal_by_setting").data) >= 2, "a line for each ε1"
    next(f for f in kappa.folders if f.labels["arm"] == "S").update(status="out_of_steps")
    again = judge_runs(small_reproduction, tmp_path, only=only).evidence
    lost = Slope("kappa", "S").measured(again)
    assert lost.note == (
        "1 of 2 seeds are left out: no finished run, or no positive value, at some κ"
    )


def test_nothing_to_judge(small_reproduction, tmp_path):
    with pytest.raises(RunFolderError, match="Leave out --judge-only"):
        reproduce(small_reproduction, tmp_path, make_runs=False)


def test_other_images_are_refused_where_the_recipe_would_not_fit():
    with pytest.raises(ConfigError, match="--scale laptop"):
        SCALES["demo"]().on("parquet:somewhere")
    moved = SCALES["paper"]().on("parquet:somewhere")
    assert moved.unpatched is not None
    sources = {e.data.source for e in (moved.plain, moved.patch, moved.unpatched)}
    assert sources == {"parquet:somewhere"}


def test_times_that_never_come_are_censored():
    """Compared by sign: log ratios only where all times are known."""
    unit = Unit("in log10")
    known = compare_times({0: 100.0, 1: 10.0}, {0: 1.0, 1: 1.0}, unit, logarithmic=True)
    assert known.by_seed == {0: 2.0, 1: 1.0}
    six = dict.fromkeys(range(6), 1.0)
    never = compare_times(dict.fromkeys(range(6)), six, unit, logarithmic=True)
    assert (never.estimate.mean, never.bound) == (1.0, 0.5)
    assert verdict(never, "above") == "holds"
    assert compare_times(six, dict.fromkeys(range(6)), unit).estimate.mean == 0.0
    assert compare_times({0: None}, {0: None}, unit).estimate.n == 0


def test_the_command(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["reproduce", "--list"]) == 0
    listed = capsys.readouterr().out
    assert all(claim.name in listed for claim in CLAIMS)
    line = ["reproduce", "--only", "theory-error-gap", "--seeds", "2", "--workers", "1"]
    assert main([*line, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Two-layer theory: 4 runs of")
    assert "All of them: about" in out
    assert not (tmp_path / "runs").exists()
    assert main([*line, "--quiet"]) == 0
    assert "S has a higher error than L-S" in capsys.readouterr().out
    assert (tmp_path / "runs" / "reproduce-demo" / "claims.json").exists()
    assert main(["reproduce", "--only", "nonsense"]) == 2
    assert "--list" in capsys.readouterr().err
    assert main(["reproduce", "--data", "parquet:cifar"]) == 2
    assert "--scale laptop" in capsys.readouterr().err
    assert main([*line, "--first_seed", "7", "--out", "other", "--quiet"]) == 0
    capsys.readouterr()
    assert main(["reproduce", "--judge-only", "--out", "other"]) == 0
    judged = json.loads((tmp_path / "other" / "claims.json").read_text())
    decided = next(each for each in judged if each["claim"] == "theory-error-gap")
    assert list(decided["by_seed"]) == ["7", "8"], "judged on the seeds that are there"
    assert main([*line, "--out", "other/theory"]) == 2
    assert "another command" in capsys.readouterr().err
    assert main(["reproduce", "--judge-only", "--out", "empty"]) != 0
    assert "Leave out --judge-only" in capsys.readouterr().err
    assert main(["reproduce", "--seeds", "0"]) == 2
    assert "at least 1" in capsys.readouterr().err
