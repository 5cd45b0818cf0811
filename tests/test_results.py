"""The committed verdicts follow from the committed records, by the tests as they stand."""

import json

import pytest

from learnorder.reproduce.run import judge_runs, reproduction_recipe
from learnorder.runs import find_runs
from learnorder.runs.descriptions import ImagesDescription, TaskDescription
from learnorder.runs.judged import chance_of
from learnorder.statistics import FEWEST_HEADLINE, p_words
from studies.common import RESULTS, ROOT

HEADLINES = (
    "final-accuracy", "final-accuracy-annealed", "noise-accuracy", "patch-order",
    "patch-final-accuracy", "theory-error-gap",
)  # fmt: skip
"""The claims that README shows."""


@pytest.fixture(scope="module")
def judged(recorded):
    recipe = reproduction_recipe("laptop").on("parquet:data/cifar10")
    return judge_runs(recipe, recorded / "laptop", scale="laptop")


def test_verdicts_follow_from_the_records(judged):
    assert judged.to_list() == json.loads((RESULTS / "claims.json").read_text(encoding="utf-8"))


def test_the_page_and_readme_say_them(judged):
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for judgement, p in zip(judged.judgements, judged.adjusted(), strict=True):
        claim, n = judgement.claim, judgement.measured.estimate.n
        says = [p_words(p), claim.marked(), judgement.shown()]
        row = " | ".join([*says, f"{claim.side} {judgement.bound()}", f"{n} |"])
        assert f"{judgement.verdict_words()} | {row}" in page
        cells = [judgement.headline(), claim.marked(), judgement.shown(), p_words(p), f"{n} |"]
        assert (" | ".join(cells) in readme) == (claim.name in HEADLINES)
    counts = judged.counts()
    said = f"{counts['holds']} hold, {counts['undecided']} are undecided"
    assert said in readme.replace("\n", " ")


def test_headlines_rest_on_five_seeds_and_say_where_they_are_rescaled(judged):
    for judgement in judged.judgements:
        assert judgement.verdict == "undecided" or judgement.measured.estimate.n >= FEWEST_HEADLINE
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = [j for j in judged.judgements if j.claim.name in HEADLINES]
    assert readme.count(" † |") == sum(j.claim.rescaled for j in shown) == 1
    assert "† The theory's setting is rescaled: s = 1000" in readme.replace("\n", " ")


def test_probes_with_epochs_that_never_came_are_decided_by_no_t_test():
    """The page of probes has each statement as the sign test, or the t test, leaves it."""
    text = (ROOT / "docs" / "probes.md").read_text(encoding="utf-8")
    page = text.partition("## Texts, a table, series")[0]
    rows = [line for line in page.splitlines() if "order towards the content first |" in line]
    assert len(rows) == 2
    assert not any("✓" in row or "✗" in row for row in rows)


def test_every_arm_on_images_has_its_seeds(judged):
    for name in ("plain", "patch"):
        results = judged.evidence.experiments[name]
        assert {arm: results.counts(arm) for arm in results.arms} == {
            arm: {"finished": 6} for arm in ("large", "small", "small_noise", "small_annealed")
        }


def test_reported_runs_use_nothing_that_settings_were_chosen_on(recorded):
    """Seeds below 1000, the test split, and training images that no validation split has."""
    for scale in ("laptop", "demo"):
        for experiment in ("plain", "patch"):
            for run in find_runs(recorded / scale / experiment):
                assert run.config.seed < 1000
                assert run.config.data.evaluate_on == "test"
                held_out = 0.25
                if scale == "laptop":
                    assert run.config.data.train_examples <= (1 - held_out) * 50_000


@pytest.mark.parametrize(
    ("described", "chance"),
    [
        (TaskDescription(10, 10, "accuracy", True, unlearned=0.63, num_classes=2), 0.63),
        (TaskDescription(10, 10, "accuracy", True, unlearned=0.52, num_classes=2), 0.5),
        (TaskDescription(10, 10, "F1", True, unlearned=0.9, num_classes=2), 0.5),
        (
            TaskDescription(10, 10, "F1", True, unlearned=0.1, num_classes=2, commonest=0.95),
            0.95,
        ),
        (TaskDescription(10, 10, "loss", False, unlearned=0.9), None),
        (ImagesDescription(2, (8, 8), 10, 10, classes={"a": (5, 9), "b": (5, 1)}), 0.9),
        (ImagesDescription(2, (8, 8), 10, 10, classes={"a": (9, 5), "b": (1, 5)}), 0.5),
    ],
)
def test_chance_is_the_commonest_class_of_imbalanced_data(described, chance):
    assert chance_of(described) == chance
