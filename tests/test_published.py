"""Ours against numbers measured on the paper's published code (``results/published.json``).

``studies/published/measure.py`` measured them; it has the formula of the weights too.
"""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from scipy.stats import chi2_contingency, kstest

from learnorder.data import load_images
from learnorder.images.patch import paper
from learnorder.models import WideResNet
from learnorder.noise import activation_noise
from learnorder.patterns import evaluation_sets
from learnorder.patterns.patch import Group, Patch, draw_accesses, draw_eligible
from learnorder.seeding import generator
from studies.published import measure as script

ROOT = Path(__file__).parents[1]
PUBLISHED = json.loads((ROOT / "results" / "published.json").read_text())
THEIRS, NETWORK = PUBLISHED["patch"], PUBLISHED["network"]
CONFIG = paper().patch
LEVEL = 1e-3
"""Seeds are fixed, so a test passes or fails for good; a wrong distribution is far below this."""


def alike(ours, their_quantiles, n_theirs):
    """Whether a sample fits the distribution that has these quantiles, itself known from n draws.

    A Kolmogorov–Smirnov statistic at the inner quantiles, against its bound at ``LEVEL`` for two
    samples: √(−ln(LEVEL/2)/2 · (1/n + 1/m)).
    """
    ours = torch.as_tensor(ours).flatten().sort().values
    inner = torch.tensor(their_quantiles[1:-1])
    levels = torch.arange(1, len(their_quantiles) - 1) / (len(their_quantiles) - 1)
    below = torch.searchsorted(ours, inner) / len(ours)
    bound = math.sqrt(-math.log(LEVEL / 2) / 2 * (1 / len(ours) + 1 / n_theirs))
    return float((below - levels).abs().max()) < bound


@pytest.fixture(scope="module")
def accesses():
    """Two accesses of 20,000 images, as theirs."""
    eligible = draw_eligible(CONFIG, 20_000, generator(5, "eligible"))
    drawn = [draw_accesses(CONFIG, eligible, generator(5, "access", i)) for i in range(2)]
    return torch.cat([d.group for d in drawn]), torch.cat([d.amplitude for d in drawn])


def test_group_shares(accesses):
    group, _ = accesses
    ours = [int((group == member).sum()) for member in Group]
    theirs = [THEIRS["groups"][member.label] for member in Group]
    assert sum(ours) == sum(theirs)
    assert chi2_contingency([ours, theirs]).pvalue > LEVEL
    wrong = [ours[0] + 1000, ours[1], ours[2] - 1000]
    assert chi2_contingency([wrong, theirs]).pvalue < LEVEL, "the test has power"
    assert THEIRS["eligible_are_the_same"]
    assert ours[0] % 2 == 0, "eligible images are fixed, and clean comes in twos"


def test_amplitudes(accesses):
    group, amplitude = accesses
    alone = amplitude[group == Group.PATCH_ONLY]
    assert alike(alone, THEIRS["patch_only_amplitude"], THEIRS["groups"]["patch_only"])
    assert not alike(0.9 * alone, THEIRS["patch_only_amplitude"], THEIRS["groups"]["patch_only"])
    both = amplitude[group == Group.BOTH]
    assert set(both.tolist()) == {-1.0, 1.0}
    positive = [int((both > 0).sum()), int((both < 0).sum())]
    theirs = [THEIRS["both_positive"], THEIRS["groups"]["both"] - THEIRS["both_positive"]]
    assert chi2_contingency([positive, theirs]).pvalue > LEVEL


def test_the_set_of_patterns_alone():
    labels = torch.arange(10).repeat(2000)
    sets = {s.name: s for s in evaluation_sets(CONFIG, labels, 10, seed=3)}
    amplitude = sets["patch_only"].draw.amplitude
    n = THEIRS["evaluated"]
    whole = int((amplitude.abs() == 1).sum())
    counts = [[whole, n - whole], [THEIRS["evaluated_whole"], n - THEIRS["evaluated_whole"]]]
    assert chi2_contingency(counts).pvalue > LEVEL
    partial = amplitude[amplitude.abs() != 1]
    assert kstest(partial.numpy(), "uniform", (-1.75, 3.5)).pvalue > LEVEL


def test_patterns():
    patches = [
        Patch.draw(
            CONFIG,
            channels=3,
            num_classes=10,
            image_size=(32, 32),
            generator=generator(seed, "pattern"),
        )
        for seed in range(100)
    ]
    z = torch.stack([p.z for p in patches])
    zeta = torch.stack([p.zeta for p in patches])
    assert alike(z, THEIRS["z"], z.numel())
    assert not alike(1.1 * z, THEIRS["z"], z.numel())
    assert alike(zeta, THEIRS["zeta"], zeta.numel())
    assert {(p.top, p.top + CONFIG.size - 1) for p in patches} == {
        (THEIRS["first_row"], THEIRS["last_row"])
    }


def test_noise():
    """Thirteen maps of these sizes a step, one for all images and channels, of this spread."""
    level = NETWORK["noise"]["level"]
    model = WideResNet(16, 1, 10).train()
    images = script.formula_images()
    seen: dict[str, torch.Tensor] = {}
    with activation_noise(model, level) as noise, torch.no_grad():
        sites = [site.name for site in noise.sites]
        assert len(sites) == len(NETWORK["noise"]["draws"]) == 13

        def keep(site):
            def hook(_, inputs):
                seen[site] = inputs[0].clone()

            return hook

        for site in sites:
            model.get_submodule(site).register_forward_pre_hook(keep(site))
        model(images)
        assert {site.draws for site in noise.sites} == {1}
        sizes = [list(seen[site].shape[2:]) for site in sites]
        assert sizes == NETWORK["noise"]["draws"]
        maps = []
        for step in range(200):
            noise.level, found = 0.0, []
            for value in (0.0, level):
                noise.level = value
                noise.reseed(step)
                seen.clear()
                model(images)
                found.append(seen[sites[0]])
            maps.append(found[1] - found[0])
    drawn = torch.stack(maps)
    assert float((drawn - drawn[:, :1, :1]).abs().max()) < 1e-5
    assert NETWORK["noise"]["spread_over_images_and_channels"] < 1e-5
    one = drawn[:, 0, 0]
    assert alike(one, NETWORK["noise"]["quantiles"], one.numel())
    assert not alike(1.05 * one, NETWORK["noise"]["quantiles"], one.numel())


@pytest.mark.parametrize("widen", [1, 10])
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_the_network(widen, mode):
    """The same weights, the same logits."""
    model = WideResNet(16, widen, 10)
    script.formula_(model)
    getattr(model, mode)()
    with torch.no_grad():
        logits = model(script.formula_images())
    expected = torch.tensor(NETWORK[f"wrn16_{widen}_{mode}"]["logits"])
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)


def test_normalised_pixels(cifar):
    """Ours are theirs to rounding, where CIFAR-10 is as they were measured."""
    data = load_images(replace(cifar, train_examples=None, resolution=None))
    mean, std = torch.tensor(data.mean), torch.tensor(data.std)
    first = ((data.train.pixels[0].float() / 255 - mean) / std).permute(2, 0, 1)
    expected = torch.tensor(THEIRS["first_pixels"])
    torch.testing.assert_close(first.flatten()[:8], expected, rtol=0, atol=1e-5)
