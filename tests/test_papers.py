"""Later papers: their registry, their measures against known answers, and a whole reproduction."""

import json
import math
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy

import learnorder
from learnorder.cli.main import main
from learnorder.errors import ConfigError, RunFolderError
from learnorder.execution.driver import Plan, check
from learnorder.reproduce.claim import Claim, judge
from learnorder.reproduce.evidence import Evidence
from learnorder.reproduce.measures import Difference, Level, words_of
from learnorder.reproduce.papers.features import (
    BOTH,
    WEAK,
    PatchNetwork,
    patches,
    patterned_digits,
    signed_squared_error,
)
from learnorder.reproduce.papers.figures import Finals
from learnorder.reproduce.papers.full_batch import add_penalty_gradient, in_passes
from learnorder.reproduce.papers.grids import (
    Best,
    Carried,
    Exponent,
    Grid,
    LargestTrained,
    OnGrid,
    Regret,
    Spread,
    Trend,
    UpToSpacing,
)
from learnorder.reproduce.papers.language import trigrams
from learnorder.reproduce.papers.literature import (
    geiping2021,
    li2019_settings,
    mohtashami2022,
    wen2024,
    you2019,
)
from learnorder.reproduce.papers.measures import (
    Distance,
    Fall,
    Growth,
    Quantity,
    Recorded,
    ShareTrained,
    Total,
)
from learnorder.reproduce.papers.networks import HiddenPixels, KernelMLP
from learnorder.reproduce.papers.registry import PAPERS, paper_named
from learnorder.reproduce.papers.run import experiments_of
from learnorder.reproduce.papers.tasks import (
    FLIPPED,
    half_squared_error,
    labelled_images,
    noisy_labels,
    squared_error,
    wide_mlp,
)
from learnorder.reproduce.result import ReproductionResult
from learnorder.runs.kinds import kind_named
from learnorder.runs.opening import open_runs
from learnorder.statistics import POINTS, Unit
from tests.conftest import INSTEAD_OF_CIFAR

LATER = [paper for paper in PAPERS.values() if paper.scales]
IMAGE_FIGURES = kind_named("images").present().FIGURES
QUIET = learnorder.Execution(workers=1, threads=1, quiet=True)
SCALES = [(paper, scale) for paper in LATER for scale in paper.scales]
NAMES = [f"{paper.name}-{scale}" for paper, scale in SCALES]


def test_papers_are_found_by_name_and_number():
    assert paper_named("you2019") is paper_named("1908.01878") is you2019.PAPER
    assert paper_named("1907.04595").name == "li2019", "its own claims, not those elsewhere"
    with pytest.raises(ConfigError, match="Did you mean you2019") as refused:
        paper_named("you2020")
    assert "li2019" in str(refused.value)


@pytest.mark.parametrize(("paper", "scale"), SCALES, ids=NAMES)
def test_each_claim_has_its_arms_and_its_figure(paper, scale):
    experiments = paper.experiments(scale)
    arms = {(name, arm) for name, each in experiments.items() for arm in each.arms}
    assert experiments.keys() == paper.titles.keys()
    for claim in paper.claims:
        needed = {*claim.needs, *(need for measure in claim.also for need in measure.needs)}
        assert needed <= arms, claim.name
        assert claim.figure[0] in paper.titles
        assert claim.figure[1] in (paper.figures or IMAGE_FIGURES)
        assert claim.criterion()
        assert all(measure.words() for measure in (claim.measure, *claim.also))
        assert claim.of
    names = [claim.name for claim in paper.claims]
    assert len(set(names)) == len(names)
    assert all(each.seeds >= 5 for each in experiments.values()), "five seeds for a headline"


@pytest.mark.parametrize("paper", LATER, ids=lambda paper: paper.name)
def test_intervals_of_settings_on_grids_cover_the_spacing(paper):
    """A verdict on the best or largest setting must not rest on where the grid has its points."""
    for claim in paper.claims:
        for measure in (claim.measure, *claim.also):
            values = [getattr(measure, name, None) for name in ("a", "b", "value")]
            assert not any(isinstance(value, OnGrid) for value in values), claim.name


@pytest.mark.parametrize("paper", LATER, ids=lambda paper: paper.name)
@pytest.mark.usefixtures("mlxtend")
def test_every_arm_can_be_trained(paper):
    """Each distinct task takes a step, at the first scale; random images stand for CIFAR-10."""
    experiments = paper.experiments()
    if paper is li2019_settings.PAPER:
        experiments = experiments_of(paper, source=INSTEAD_OF_CIFAR)
    check({
        f"{name}/{arm}": Plan(config, {})
        for name, each in experiments.items()
        for arm, config in each.arms.items()
    })  # fmt: skip


def test_the_list_of_papers_does_not_wait_for_torch():
    script = "import sys, learnorder.reproduce.papers.registry; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


def test_wrong_labels_are_as_many_as_asked_for_and_fixed_by_the_draw():
    tasks = [noisy_labels(noise=0.3, draw=draw) for draw in (0, 0, 1)]
    for task in tasks:
        share = sum(value == FLIPPED for value in task.groups.train) / len(task.groups.train)
        assert 0.25 < share < 0.35
    first, same, other = (task.train.tensors[1].tolist() for task in tasks)
    assert first == same != other
    clean = noisy_labels(noise=0.001, draw=0)
    wrong = [a != b for a, b in zip(first, clean.train.tensors[1].tolist(), strict=True)]
    flipped = [value == FLIPPED for value in tasks[0].groups.train]
    differ = sum(a != b for a, b in zip(wrong, flipped, strict=True))
    assert differ <= 3, "a label is wrong exactly where its group says so"


def test_the_kernel_parametrisation():
    """The outputs are those of scaled weights, and a wide network keeps the images' variance."""
    torch.manual_seed(0)
    images = torch.randn(50, 3, 2, 2)
    network = KernelMLP(2, 12, (5,))
    first, last = network.weights
    expected = (images.flatten(1) @ first.T * (2 / 12) ** 0.5).clamp(min=0) @ last.T / 5**0.5
    assert torch.allclose(network(images), expected, atol=1e-6)
    wide = KernelMLP(1000, 12, (2000, 2000))(images)
    assert wide.var(1).mean().item() == pytest.approx(images.square().mean().item(), rel=0.1)


def test_the_squared_error_is_summed_over_classes_and_scored_by_accuracy():
    task = squared_error(widths=[4])
    images, labels = (t[:8] for t in task.train.tensors)
    outputs = task.model()(images)
    targets = torch.eye(10)[labels]
    expected = [0.5 * ((o - t) ** 2).sum().item() for o, t in zip(outputs, targets, strict=True)]
    assert task.loss(outputs, labels).tolist() == pytest.approx(expected)


def test_hidden_pixels_are_others_at_each_step_and_all_seen_in_evaluation():
    network = HiddenPixels(torch.nn.Identity(), 0.6)
    images = torch.ones(200, 3, 8, 8)
    first, second = (network(images) for _ in range(2))
    assert sorted(first.unique().tolist()) == pytest.approx([0.0, 2.5])
    assert first.mean().item() == pytest.approx(1.0, abs=0.05), "the mean is kept"
    assert torch.equal(first[:, :1].expand_as(first), first), "the same in all channels"
    assert not torch.equal(first, second)
    assert torch.equal(network.eval()(images), images)


def test_a_language_has_frequent_tokens_and_followers_of_both():
    task = trigrams(tokens=4, triples=40_000, shown=100)
    pairs, following = task.train.tensors
    frequency = torch.bincount(pairs.flatten()) / pairs.numel()
    zipf = torch.tensor([12, 6, 4, 3]) / 25
    assert torch.allclose(frequency, zipf, atol=0.01)
    counts = torch.zeros(4, 4, 4).index_put_(
        (*pairs.T, following), torch.ones(len(pairs)), accumulate=True
    )
    shares = counts / counts.sum(2, keepdim=True)
    assert min(float(shares.std(token).max()) for token in (0, 1)) > 0.05, "either token matters"
    assert callable(task.sampler)
    assert len(task.sampler(torch.Generator())) == 100
    assert task.model()(pairs[:5]).shape == (5, 4)
    again, other = (trigrams(tokens=4, triples=9, shown=4, draw=d) for d in (0, 1))
    assert not torch.equal(again.train.tensors[0], other.train.tensors[0])


def test_the_patch_network_sums_squared_activations_over_patches_and_filters():
    network = PatchNetwork(size=2, filters=2)
    with torch.no_grad():
        network.filters[:] = torch.tensor([[[1.0, 0], [0, 1]], [[2, 0], [-1, 0]]])
    outputs = network(torch.tensor([[[3.0, -1], [1, 2]]]))
    assert outputs.tolist() == [[(9 + 1 + 4) / 2, (36 + 4) / 2]]


def test_the_signed_squared_error_moves_the_difference_of_outputs_to_the_sign():
    outputs = torch.tensor([[0.5, 2.0], [0.5, 2.0]], requires_grad=True)
    signed_squared_error(outputs, torch.tensor([1, 0])).sum().backward()
    assert outputs.grad.tolist() == [[-0.5, 0.5], [-2.5, 2.5]]


def test_patches_hold_a_strong_feature_in_most_examples_and_a_weak_one_in_all():
    task = patches(examples=20, size=2000, share=0.9, weak=0.3)
    values, labels = task.train.tensors
    signs = 2.0 * labels - 1
    with_both = torch.tensor([name == BOTH for name in task.groups.train])
    assert int(with_both.sum()) == 18
    assert torch.equal(values[:, 0, 0], signs * with_both)
    assert torch.allclose(values[:, 1].sum(1), 0.3 * signs)
    assert values[:, 2].square().sum(1).mean().item() == pytest.approx(1.0, rel=0.05)
    assert not values[:, 2, :2].any(), "orthogonal to both features"
    assert callable(task.sampler)
    assert task.sampler(torch.Generator()).bincount().tolist() == [10] * 20
    held = task.groups.validation
    assert isinstance(held, list)
    assert (held.count(WEAK), held.count(BOTH)) == (100, 100)


def test_digits_stand_below_the_pattern_of_their_class_or_nothing():
    task = patterned_digits(share=0.9)
    images, labels = task.train.tensors
    patterns, digits = images.split(8, dim=2)
    assert torch.equal(digits, labelled_images().train.tensors[0]), "no digit is changed"
    seen = torch.tensor([name == BOTH for name in task.groups.train])
    assert int(seen.sum()) == round(0.9 * len(seen))
    assert torch.equal(patterns[seen].abs(), torch.full_like(patterns[seen], 2.0))
    assert not patterns[~seen].any()
    assert all(len(patterns[seen & (labels == c)].unique(dim=0)) == 1 for c in range(10))
    assert len(patterns[seen].unique(dim=0)) == 10


@pytest.mark.parametrize("scale", ["laptop", "gpu"])
def test_plateaus_are_the_same_until_their_decay(scale):
    for experiment in wen2024.PAPER.experiments(scale).values():
        large = experiment.arms[wen2024.LARGE]
        decayed = [c for arm, c in experiment.arms.items() if arm.startswith("large LR, decayed")]
        lengths = []
        for config in decayed:
            epochs, schedule = config.training.epochs, config.learning_rate
            length = round(schedule.linear_after * epochs)
            rates = [
                schedule.at(e, s, 7, epochs=epochs) for e in range(1, length + 1) for s in (0, 6)
            ]
            assert set(rates) == {large.learning_rate.initial}
            assert schedule.at(length + 1, 1, 7, epochs=epochs) < large.learning_rate.initial
            lengths.append((length, epochs - length))
        assert len({decay for _, decay in lengths}) == 1, "the decay is as long for all"
        assert max(length + decay for length, decay in lengths) == large.training.epochs


def test_claims_of_a_paper_from_the_command_line(tmp_path, capsys):
    out = tmp_path / "out"
    line = ["reproduce", "--paper", "you2019", "--out", str(out), "--only", "noise-suppressed-mlp"]
    assert main([*line, "--seeds", "2", "--quiet"]) == 0
    assert "Before the anneal a large LR fits fewer" in capsys.readouterr().out
    entries = json.loads((out / "claims.json").read_text("utf-8"))
    judged = [entry["claim"] for entry in entries]
    assert judged == ["noise-suppressed-mlp", "annealed-better-mlp", "noise-stays-out-mlp"], (
        "those that the same runs test"
    )
    assert entries[0]["paper"] == "you2019"
    assert entries[0]["n"] == 2
    assert entries[0]["verdict"] == "undecided", "two seeds decide nothing"
    runs = sorted(path.parent.name for path in out.glob("*/*/manifest.json"))
    assert len(runs) == 4, "the constant arm is not needed"
    page = (out / "report.html").read_text("utf-8")
    assert "You et al. (2019)" in page
    assert "Li, Wei and Ma" not in page.partition("<footer")[0].partition("<body")[2][:3000]
    opened = open_runs(out, of=ReproductionResult)
    assert opened.paper is you2019.PAPER
    assert opened.to_json() == (out / "claims.json").read_text("utf-8")


def test_what_a_paper_costs_and_lists(tmp_path, capsys):
    line = ["reproduce", "--paper", "1908.01878", "--out", str(tmp_path)]
    assert main([*line, "--list"]) == 0
    assert "decay-helps-convnet" in capsys.readouterr().out
    assert main([*line, "--dry-run", "--only", "noise-suppressed-mlp", "--seeds", "1"]) == 0
    assert "All of them: about" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
    assert main(["reproduce", "--list"]) == 0
    assert "you2019" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--paper", "yuo2019"], "you2019"),
        (["--paper", "you2019", "--scale", "demo"], "laptop"),
        (["--paper", "you2019", "--only", "noise-supressed-mlp"], "noise-suppressed-mlp"),
        (["--paper", "you2019", "--data", "parquet:there"], "uses no other data"),
        (["--paper", "you2019", "--judge-only"], "contains no runs of you2019"),
    ],
)
def test_bad_input_is_refused_before_anything_runs(tmp_path, capsys, options, words):
    out = tmp_path / "out"
    assert main(["reproduce", *options, "--out", str(out)]) == 2
    assert words in capsys.readouterr().err
    assert not out.exists()


def test_runs_of_another_paper_scale_or_version_are_not_judged(tmp_path, monkeypatch):
    out = tmp_path / "out"
    learnorder.reproduce_paper(
        "you2019", out, only=["noise-suppressed-mlp"], seeds=1, execution=QUIET
    )
    with pytest.raises(RunFolderError, match="contains runs of you2019 at scale laptop"):
        learnorder.reproduce_paper("prieto2025", out, execution=QUIET)
    with pytest.raises(RunFolderError, match="contains runs of you2019 at scale laptop"):
        learnorder.reproduce_paper("you2019", out, scale="gpu", make_runs=False)
    monkeypatch.setattr(you2019, "EPOCHS", you2019.EPOCHS + 1)
    with pytest.raises(RunFolderError, match="not those of you2019"):
        open_runs(out, of=ReproductionResult)
    with pytest.raises(ConfigError, match=r"tested by learnorder\.reproduce"):
        learnorder.reproduce_paper("li2019", tmp_path / "li")


def test_another_copy_of_the_images():
    moved = experiments_of(you2019.PAPER, "gpu", source="parquet:here")
    tasks = {c.task.arguments["source"] for each in moved.values() for c in each.arms.values()}
    assert tasks == {"parquet:here"}


# --- measures -----------------------------------------------------------------------------------

VALUE = Quantity("validation", "accuracy", "accuracy")
RATES = {0.1: "low", 1.0: "middle", 10.0: "high"}


class Fake:
    """Results of runs with given final values: {arm: {seed: value}}; None where a run diverged."""

    def __init__(self, values):
        self.values = values
        self.folders = [type("F", (), {"labels": {"arm": arm}}) for arm in values]
        self.arms = list(values)

    def runs_of(self, arm):
        def run(seed):
            return type("R", (), {"config": type("C", (), {"seed": seed})})

        return [run(seed) for seed in self.values[arm]]

    def diverged(self, arm):
        return [seed for seed, value in self.values[arm].items() if value is None]

    def lost(self, arm):
        lost = self.diverged(arm)
        return f"{len(lost)} of {len(self.values[arm])} diverged" if lost else ""

    def unfinished(self, arm):
        lost = self.diverged(arm)
        return {"diverged": len(lost)} if lost else {}

    def final(self, arm, set_, quantity, group="all"):
        return {seed: v for seed, v in self.values[arm].items() if v is not None}

    def series(self, arm, set_, quantity, group="all"):
        return {s: {1: 0.0, 2: v / 2, 3: v} for s, v in self.final(arm, set_, quantity).items()}


def evidence(**values):
    return Evidence({"e": Fake(values)})


def grid(quantity=VALUE):
    return Grid("e", "the arms", RATES, quantity)


def test_a_recorded_quantity_at_the_end_and_over_epochs():
    found = evidence(low={0: 0.4, 1: 0.8})
    assert Recorded("e", "low", VALUE).by_seed(found) == {0: 0.4, 1: 0.8}
    middle = Recorded("e", "low", VALUE, (2, 3))
    assert middle.by_seed(found) == pytest.approx({0: 0.3, 1: 0.6})
    assert words_of(middle) == "accuracy of low in epochs 2 to 3"
    assert Recorded("e", "none", VALUE).by_seed(found) == {}


def test_the_second_half_of_the_epochs():
    """With 3 measured epochs from the second on, with 4 from the third on."""
    found = evidence(low={0: 0.4})
    late = Recorded("e", "low", VALUE, "second half")
    assert late.by_seed(found) == pytest.approx({0: 0.3})
    found.experiments["e"].series = lambda *_: {0: {1: 0.0, 2: 9.0, 3: 1.0, 4: 2.0}}
    assert late.by_seed(found) == {0: 1.5}
    assert words_of(late) == "accuracy of low in the second half of the epochs"


def test_the_distance_from_a_target_has_no_sign():
    found = evidence(low={0: 0.4, 1: 1.6, 2: None})
    distance = Distance("e", "low", VALUE)
    assert distance.by_seed(found) == pytest.approx({0: 0.6, 1: 0.6})
    assert words_of(distance) == "distance from 1 of final accuracy of low"
    assert Distance("e", "low", VALUE, (2, 2), 0.2).by_seed(found) == pytest.approx({0: 0, 1: 0.6})


def test_the_fall_is_relative_to_the_earlier_mean():
    found = evidence(low={0: 0.4, 1: None})
    found.experiments["e"].series = lambda *_: {0: {1: 4.0, 2: 8.0, 3: 3.0}, 1: {1: 1.0, 2: 1.0}}
    fall = Fall("e", "low", VALUE, (1, 2), (3, 3))
    assert fall.by_seed(found) == {0: 0.5}, "seed 1 has no later epoch"
    assert words_of(fall) == "fall of the accuracy of low from epochs 1 to 2 to after epoch 3"


def test_the_total_is_summed_over_epochs():
    found = evidence(low={0: 4.0, 1: None})
    total = Total("e", "low", VALUE)
    assert total.by_seed(found) == {0: 6.0}
    assert Total("e", "low", VALUE, (1, 2)).by_seed(found) == {0: 2.0}
    assert Total("e", "none", VALUE).by_seed(found) == {}
    assert words_of(total) == "total accuracy of low"
    assert words_of(replace(total, epochs=(1, 2))) == "total accuracy of low in epochs 1 to 2"


def test_a_difference_names_what_is_compared_once():
    low, high = (Recorded("e", arm, VALUE) for arm in ("low", "high"))
    assert Difference(low, high).words() == "final accuracy of low, minus that of high"
    found = Difference(low, high).measured(evidence(low={0: 0.5, 1: 0.6}, high={0: 0.4, 1: 0.3}))
    assert found.estimate.mean == pytest.approx(0.2)
    assert found.unit == POINTS


def test_a_margin_moves_the_bound_of_a_difference():
    """A difference of −0.5 points is not inferior by 1 point, and is behind without the margin."""
    low, high = (Recorded("e", arm, VALUE) for arm in ("low", "high"))
    found = evidence(low={s: 0.895 + s / 1e4 for s in range(6)}, high=dict.fromkeys(range(6), 0.9))
    margin = Difference(low, high, bound=-0.01)
    claim = Claim("c", "s", "–", margin, "above", ("e", "f"))
    judged = judge(claim, found)
    assert (judged.verdict, judged.measured.bound) == ("holds", -0.01)
    assert judged.bound() == "−1 points"
    assert judged.seed_count() == "6 of 6 seeds above −1 points"
    assert claim.criterion().endswith("holds if entirely above −1 points")
    plain = replace(claim, measure=Difference(low, high))
    assert judge(plain, found).verdict == "does_not_hold"
    assert plain.criterion().endswith("above 0")


def test_final_values_have_a_row_for_each_arm():
    figure = Finals(VALUE).draw(Fake({"low": {0: 0.5, 1: 0.7}, "high": {0: 0.9, 1: None}}))
    assert list(figure.layout.yaxis.ticktext) == ["low", "high"]
    seeds, mean, _, lost = figure.data
    assert list(seeds.x) == pytest.approx([50, 70])
    assert list(mean.x) == pytest.approx([60])
    assert (mean.marker.symbol, lost.marker.symbol) == ("diamond", "diamond-open")
    assert figure.layout.title.text == "Accuracy at the end"


def test_the_trend_is_the_slope_per_decade():
    found = evidence(low={0: 0.1, 1: 0.5}, middle={0: 0.2, 1: 0.4}, high={0: 0.3, 1: None})
    assert Trend(grid()).by_seed(found) == pytest.approx({0: 0.1}), "seed 1 has a diverged run"


def test_a_grid_may_take_means_over_epochs():
    found = evidence(low={0: 0.4}, middle={0: 0.8}, high={0: 1.0})
    late = Grid("e", "the arms", RATES, VALUE, (2, 3))
    assert late.by_seed(found)[0] == pytest.approx({0.1: 0.3, 1.0: 0.6, 10.0: 0.75})
    assert words_of(Spread(late)).endswith("accuracy in epochs 2 to 3 over the arms")


def test_the_best_setting_counts_diverged_runs_as_worst():
    found = evidence(low={0: 0.1, 1: None}, middle={0: 0.9, 1: 0.2}, high={0: None, 1: 0.3})
    assert Best(grid()).by_seed(found) == {0: 0.0, 1: 1.0}
    assert Best(grid(), higher_is_better=False).by_seed(found) == {0: -1.0, 1: 0.0}


def test_the_largest_setting_that_trains():
    found = evidence(low={0: 0.9, 1: 0.9}, middle={0: 0.9, 1: 0.5}, high={0: None, 1: 0.5})
    assert LargestTrained(grid(), level=0.8).by_seed(found) == {0: 0.0, 1: -1.0}
    assert LargestTrained(grid(), level=0.8).rounding(found) == (0.0, pytest.approx(1.0))
    none = LargestTrained(grid(), level=0.95)
    assert none.by_seed(found) == {0: -1.0, 1: -1.0}
    assert none.rounding(found)[0] == -math.inf, "it may be below the smallest setting"


def test_growth_is_the_peak_over_the_start():
    found = evidence(low={0: 1.0, 1: None})
    peaks = {0: {1: 2.0, 2: 200.0, 3: 1.0}, 1: {1: 3.0, 2: 1.0, 3: 0.5}}
    found.experiments["e"].series = lambda *_: peaks
    assert Growth("e", "low", VALUE).by_seed(found) == pytest.approx({0: 2.0, 1: 0.0})
    words = "log10 of the largest accuracy of low over that at the start"
    assert words_of(Growth("e", "low", VALUE)) == words
    assert Growth("e", "none", VALUE).by_seed(found) == {}


def test_the_share_that_trains_counts_diverged_runs():
    found = evidence(low=dict.fromkeys(range(4), 0.9) | {4: 0.1, 5: None}, high={0: None, 1: None})
    low = ShareTrained("e", "low", VALUE, 0.5).measured(found)
    assert (low.estimate.mean, low.estimate.n) == (pytest.approx(4 / 6), 6)
    assert (low.by_seed[4], low.by_seed[5]) == (0.0, 0.0)
    assert low.p == pytest.approx(2 * (1 + 6 + 15) / 64), "the sign test of 4 of 6"
    assert ShareTrained("e", "high", VALUE, 0.5).measured(found).estimate.mean == 0.0
    none = ShareTrained("e", "none", VALUE, 0.5)
    assert none.measured(found).estimate.n == 0
    assert none.words() == "share of runs with final accuracy of at least 50 %: none"


def test_the_spread_over_arms():
    found = evidence(low={0: 0.1}, middle={0: 0.4}, high={0: 0.3})
    spread = Spread(grid())
    assert spread.by_seed(found) == pytest.approx({0: 0.3})
    assert (spread.within.low, spread.within.high) == (0.0, 1.0)
    assert math.isinf(Spread(grid(Quantity("run", "sharpness", "sharpness"))).within.high)


def test_the_regret_is_that_of_the_setting_which_is_best_elsewhere():
    """On seed 0 the middle is best elsewhere, at a cost of 0.2; on seed 1 the same one is best."""
    other = Grid("e", "the others", {0.1: "a", 1.0: "b", 10.0: "c"}, VALUE)
    found = evidence(
        low={0: 0.9, 1: 0.1, 2: 0.5}, middle={0: 0.7, 1: 0.5, 2: 0.5},
        high={0: 0.1, 1: 0.2, 2: 0.5},
        a={0: 0.3, 1: 0.3, 2: 0.5}, b={0: 0.6, 1: 0.6, 2: None}, c={0: 0.5, 1: 0.5, 2: 0.5},
    )  # fmt: skip
    assert Regret(grid(), other).by_seed(found) == pytest.approx({0: 0.2, 1: 0.0})
    lower = Regret(grid(), other, higher_is_better=False)
    assert lower.by_seed(found) == pytest.approx({0: 0.8, 1: 0.0}), "low is the best elsewhere"
    assert {arm for _, arm in lower.needs} == {"low", "middle", "high", "a", "b", "c"}
    assert words_of(lower).endswith("of the arms at the best setting of the others")
    carried = Carried(grid(), other)
    assert carried.by_seed(found) == pytest.approx({0: 0.7, 1: 0.5}), "the values there"
    assert carried.needs == lower.needs
    assert carried.within == VALUE.within
    assert words_of(lower) == f"regret in {words_of(carried)}"


def test_the_exponent_of_a_setting_in_the_width():
    """The largest setting falls as 1/width on seed 0, not on seed 1; nothing wide trains on 2."""
    narrow = Grid("e", "width 10", {1.0: "a", 10.0: "b"}, VALUE)
    wide = Grid("e", "width 100", {1.0: "c", 10.0: "d"}, VALUE)
    found = evidence(
        a={0: 0.9, 1: 0.9, 2: 0.9}, b={0: 0.9, 1: None, 2: 0.9},
        c={0: 0.9, 1: 0.9, 2: None}, d={0: None, 1: 0.2, 2: None},
    )  # fmt: skip
    by_width = {10: LargestTrained(narrow, level=0.5), 100: LargestTrained(wide, level=0.5)}
    exponent = Exponent("all widths", by_width)
    assert exponent.by_seed(found) == pytest.approx({0: -1.0, 1: 0.0, 2: -1.0})
    assert exponent.rounding(found)[0] == -math.inf
    assert exponent.needs == (("e", "a"), ("e", "b"), ("e", "c"), ("e", "d"))
    assert words_of(exponent).endswith("accuracy of at least 50 % of all widths")


def test_intervals_of_settings_on_a_grid_cover_its_spacing():
    """On a grid in factors of 10 the largest LR is known up to a decade, as is a difference."""
    low, high = (
        Grid("e", name, {1.0: f"{name}1", 10.0: f"{name}10", 100.0: f"{name}100"}, VALUE)
        for name in "ab"
    )
    seeds = range(6)
    trained, diverged = dict.fromkeys(seeds, 0.9), dict[int, float | None].fromkeys(seeds)
    found = evidence(
        a1=trained, a10=diverged, a100=diverged, b1=trained, b10=trained, b100=diverged
    )
    higher, lower = (LargestTrained(each, level=0.5) for each in (high, low))
    unit = Unit("decades")
    apart = UpToSpacing(Difference(higher, lower, unit)).measured(found)
    assert (apart.estimate.mean, apart.estimate.low, apart.estimate.high) == (1.0, 0.0, 2.0)
    assert apart.p == 1.0, "the largest LRs may be the same"
    further = UpToSpacing(Difference(higher, lower, unit, bound=-0.5)).measured(found)
    assert further.estimate.low > further.bound
    assert further.p == 2 / 2**6, "the sign test"
    level = UpToSpacing(Level(lower, 0.5, unit)).measured(found)
    assert (level.estimate.low, level.estimate.high) == (0.0, 1.0), "at least 1, less than 10"
    assert level.p == 1.0
    top = evidence(a1=trained, a10=trained, a100=trained)
    assert UpToSpacing(Level(lower, 0.5, unit)).measured(top).estimate.high == math.inf
    two = evidence(**{name: dict(list(runs.items())[:2]) for name, runs in {
        "a1": trained, "a10": diverged, "b1": trained, "b10": trained
    }.items()})  # fmt: skip
    few = UpToSpacing(Difference(higher, lower, unit)).measured(two)
    assert math.isnan(few.estimate.low), "two equal values have no interval"
    with pytest.raises(TypeError, match="not on a grid"):
        UpToSpacing(Level(Recorded("e", "a1", VALUE), 0.5)).measured(found)


def test_the_rounding_of_an_exponent():
    """Between the widths 10 and 1000, a decade of doubt at either end is half a unit of slope."""
    decades = Grid("e", "", {1.0: "a", 10.0: "b"}, VALUE)
    parts = {width: LargestTrained(decades, level=0.5) for width in (10, 100, 1000)}
    found, top = evidence(a={0: 0.9}, b={0: None}), evidence(a={0: 0.9}, b={0: 0.9})
    assert Exponent("", parts).rounding(found) == pytest.approx((-0.5, 0.5))
    assert Exponent("", parts).rounding(top) == (-math.inf, math.inf)
    best = {width: Best(part.grid) for width, part in parts.items()}
    assert Exponent("", best).rounding(found) == pytest.approx((-0.5, 0.5))


def test_the_squared_error_has_the_gradient_prediction_minus_target():
    outputs = torch.tensor([[0.5, -1.0, 2.0]], requires_grad=True)
    half_squared_error(outputs, torch.tensor([2])).mean().backward()
    assert outputs.grad.tolist() == [[0.5, -1.0, 1.0]]


def test_images_may_be_fitted_with_a_squared_error():
    outputs, labels = torch.randn(3, 10), torch.tensor([0, 4, 9])
    for loss, expected in (
        ("squared error", half_squared_error(outputs, labels)),
        ("cross-entropy", torch.nn.functional.cross_entropy(outputs, labels)),
    ):
        task = labelled_images("mlp", loss=loss)
        assert task.loss(outputs, labels).equal(expected)


def test_wide_networks_begin_with_activations_of_the_same_size():
    """He initialisation: the variance of the weights is 2 / fan-in at each width."""
    for width in (64, 1024):
        torch.manual_seed(0)
        hidden = wide_mlp(width).model().layers[3]
        assert float(hidden.weight.detach().var()) == pytest.approx(2 / width, rel=0.05)
        assert not hidden.bias.any()


def test_the_invariant_network_ignores_the_length_of_its_weights():
    torch.manual_seed(0)
    network = labelled_images("invariant convnet").model()
    images = torch.randn(32, 3, 8, 8)
    before = network(images)
    assert {name.partition(".")[0] for name, _ in network.named_parameters()} == {"features"}
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(5)
    assert torch.allclose(network(images), before, atol=1e-2)
    plain = labelled_images("unnormalised convnet").model()
    assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in plain.modules())


def test_the_penalty_is_a_quarter_of_the_mean_squared_gradient():
    """Its gradient is that of (α/4) · mean_B ‖∇L_B‖², by central differences."""
    torch.manual_seed(0)
    network = torch.nn.Linear(3, 2).double()
    batches = [(torch.randn(4, 3).double(), torch.randint(2, (4,))) for _ in range(3)]

    def penalty():
        gradients = [
            torch.autograd.grad(cross_entropy(network(x), y), [*network.parameters()])
            for x, y in batches
        ]
        return 0.7 / 4 * sum(float(g.square().sum()) for each in gradients for g in each) / 3

    network.weight.grad = torch.full_like(network.weight, 5.0)
    add_penalty_gradient(network, batches, 0.7)
    for place in ((0, 0), (1, 2)):
        ends = []
        for step in (1e-5, -1e-5):
            with torch.no_grad():
                network.weight[place] += step
            ends.append(penalty())
            with torch.no_grad():
                network.weight[place] -= step
        slope = (ends[0] - ends[1]) / 2e-5
        assert float(network.weight.grad[place]) == pytest.approx(5 + slope, rel=1e-6)


def test_a_penalised_step_adds_the_penalty_to_the_gradient():
    task = in_passes("mlp", penalised=24, examples=240)
    network, images, labels = task.model(), *task.train[:]
    batches = list(zip(images.split(24), labels.split(24), strict=True))
    before = network.layers[1].weight.detach().clone()
    make = task.optimizer
    assert make is not None
    optimizer = make(network, 0.1)
    cross_entropy(network(images), labels).backward()
    add_penalty_gradient(network, batches, 0.1)
    expected = before - 0.1 * network.layers[1].weight.grad
    optimizer.zero_grad()
    cross_entropy(network(images), labels).backward()
    optimizer.step()
    assert torch.allclose(network.layers[1].weight, expected, atol=1e-7)


@pytest.mark.parametrize("paper", [geiping2021.PAPER, mohtashami2022.PAPER], ids=lambda p: p.name)
def test_arms_with_and_without_gradient_noise_are_trained_alike(paper):
    """Epochs of all arms have the same LR × steps, and full batches are the training images."""
    for experiment in paper.experiments().values():
        progress = set()
        for arm, config in experiment.arms.items():
            batch, arguments = config.training.batch_size, config.task.arguments
            count = arguments["examples"]
            assert (batch == count) == arm.startswith("full batch")
            steps = arguments["passes"] * count / batch
            progress.add(round(steps * config.learning_rate.initial, 9))
        assert len(progress) == 1
