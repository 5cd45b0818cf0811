"""The patch against its definition (paper, section 6.2), pixel by pixel and in distribution."""

import pytest
import torch
from scipy import stats

from learnorder.config.settings import PatchConfig
from learnorder.errors import ConfigError
from learnorder.images.patch import paper
from learnorder.patterns import (
    Draw,
    Group,
    Patch,
    draw_accesses,
    draw_eligible,
    draw_gallery,
    evaluation_sets,
    measure_reliance,
)
from learnorder.seeding import generator

PAPER = paper().patch


def draw_paper_patch(config=PAPER, seed=0, size=(32, 32)):
    return Patch.draw(
        config, channels=3, num_classes=10, image_size=size, generator=generator(seed, "pattern")
    )


def test_groups_come_with_the_published_shares():
    """20 % clean, 16 % pattern alone, 64 % both, within four standard errors."""
    count = 200_000
    eligible = draw_eligible(PAPER, count, generator(0, "eligible"))
    draw = draw_accesses(PAPER, eligible, generator(0, "accesses", 1))
    for group, share in ((Group.CLEAN, 0.2), (Group.PATCH_ONLY, 0.16), (Group.BOTH, 0.64)):
        found = (draw.group == group).double().mean().item()
        assert abs(found - share) < 4 * (share * (1 - share) / count) ** 0.5


def test_eligibility_is_fixed_and_accesses_vary():
    eligible = draw_eligible(PAPER, 1000, generator(0, "eligible"))
    first, second = (draw_accesses(PAPER, eligible, generator(0, "accesses", e)) for e in (1, 2))
    assert torch.equal(first.group == Group.CLEAN, second.group == Group.CLEAN)
    assert torch.equal(first.group == Group.CLEAN, ~eligible)
    assert not torch.equal(first.group, second.group)


def test_amplitudes():
    """±1 on images; ±1.75·U[0, 1] alone; 0 on clean; signs even."""
    draw = draw_accesses(PAPER, torch.ones(50_000, dtype=torch.bool), generator(0, "a"))
    both = draw.amplitude[draw.group == Group.BOTH]
    assert set(both.tolist()) == {-1.0, 1.0}
    assert stats.binomtest(int((both > 0).sum()), len(both)).pvalue > 1e-3
    alone = draw.amplitude[draw.group == Group.PATCH_ONLY].abs()
    assert stats.kstest(alone.numpy(), "uniform", args=(0, 1.75)).pvalue > 1e-3
    nothing = draw_accesses(PAPER, torch.zeros(10, dtype=torch.bool), generator(0, "a"))
    assert not nothing.amplitude.any()


def test_pattern_distributions():
    patches = [draw_paper_patch(seed=s) for s in range(40)]
    z = torch.cat([p.z.flatten() for p in patches])
    zeta = torch.cat([p.zeta.flatten() for p in patches])
    assert stats.kstest(z.numpy(), "norm", args=(0, 1.25)).pvalue > 1e-3
    assert stats.kstest(zeta.numpy(), "uniform", args=(-0.1, 0.2)).pvalue > 1e-3


def test_the_paper_plants_rows_and_columns_12_to_18():
    patch = draw_paper_patch()
    assert (patch.top, patch.left, patch.z.shape) == (12, 12, (3, 7, 7))


def plant_slowly(patch, image, label, group, amplitude):
    """The definition, one pixel at a time."""
    out = image.clone()
    if group == Group.PATCH_ONLY:
        out.zero_()
    if group != Group.CLEAN:
        for channel in range(3):
            for i in range(patch.z.shape[1]):
                for j in range(patch.z.shape[2]):
                    out[channel, patch.top + i, patch.left + j] = (
                        patch.z[channel, i, j] + amplitude * patch.zeta[label, channel, i, j]
                    )
    return out


@pytest.mark.parametrize("channels_last", [False, True])
def test_planting_equals_the_definition(channels_last):
    drawing = generator(1, "images")
    images = torch.randn(24, 3, 12, 10, generator=drawing)
    labels = torch.randint(0, 10, (24,), generator=drawing)
    config = PatchConfig(eligible_share=0.6, patch_only_share=0.4, size=4, top=1, left=5)
    patch = draw_paper_patch(config, size=(12, 10))
    draw = draw_accesses(config, draw_eligible(config, 24, drawing), drawing)
    assert len(draw.group.unique()) == 3
    expected = torch.stack(
        [
            plant_slowly(patch, images[i], labels[i], draw.group[i], draw.amplitude[i])
            for i in range(24)
        ]
    )
    if channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(patch.plant(images, labels, draw), expected)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"size": 9}, "patch.size"),
        ({"size": 4, "top": 5}, "patch.top"),
        ({"left": -1}, "patch.left"),
    ],
)
def test_a_patch_beyond_the_image_is_refused(fields, named):
    with pytest.raises(ConfigError, match=named):
        draw_paper_patch(PatchConfig(**{"size": 3, **fields}), size=(8, 8))


def test_evaluation_sets():
    labels = torch.arange(10).repeat(400)
    sets = {s.name: s for s in evaluation_sets(PAPER, labels, 10, seed=0)}
    assert list(sets) == ["clean", "mixed", "patch_only", "conflict"]
    assert (sets["clean"].draw.group == Group.CLEAN).all()
    mixed = sets["mixed"].draw.group
    assert (mixed == Group.CLEAN).double().mean().item() == pytest.approx(0.2, abs=0.03)
    alone = sets["patch_only"]
    assert (alone.draw.group == Group.PATCH_ONLY).all()
    whole = (alone.draw.amplitude.abs() == 1).double().mean().item()
    assert whole == pytest.approx(0.8, abs=0.03)
    conflict = sets["conflict"]
    assert (conflict.draw.group == Group.BOTH).all()
    assert (conflict.pattern_labels != labels).all()
    counts = torch.bincount(conflict.pattern_labels[labels == 0], minlength=10)[1:]
    assert stats.chisquare(counts.numpy()).pvalue > 1e-3
    again = {s.name: s for s in evaluation_sets(PAPER, labels, 10, seed=0)}
    for name, chosen in sets.items():
        assert torch.equal(chosen.draw.amplitude, again[name].draw.amplitude)


def test_only_clean_without_a_patch():
    sets = evaluation_sets(PatchConfig(), torch.arange(10), 10, seed=0)
    assert [s.name for s in sets] == ["clean"]


def test_reliance_of_models_with_known_answers():
    """Models that follow the pattern alone, the content alone, or guess."""
    drawing = generator(0, "labels")
    labels = torch.randint(0, 10, (20_000,), generator=drawing)
    patterns = (labels + torch.randint(1, 10, labels.shape, generator=drawing)) % 10
    guess = torch.randint(0, 10, labels.shape, generator=drawing)
    follows_pattern = measure_reliance(patterns, labels, labels, patterns)
    assert (follows_pattern.pattern, follows_pattern.reliance) == (1, 1)
    follows_content = measure_reliance(labels, labels, labels, patterns)
    assert (follows_content.content, follows_content.reliance) == (1, 0)
    guessing = measure_reliance(guess, guess, labels, patterns)
    assert guessing.reliance == 0
    assert guessing.neither == pytest.approx(0.8, abs=0.02)


def test_no_share_is_negative():
    labels, patterns = torch.zeros(10, dtype=torch.int64), torch.ones(10, dtype=torch.int64)
    for followed in range(11):
        predicted = torch.where(torch.arange(10) < followed, patterns, labels)
        assert measure_reliance(predicted, labels, labels, patterns).neither == 0


def test_gallery_shows_the_patch():
    images = torch.full((4, 8, 8, 3), 100, dtype=torch.uint8)
    config = PatchConfig(eligible_share=1, size=2)
    patch = Patch.draw(
        config, channels=3, num_classes=2, image_size=(8, 8), generator=generator(0, "p")
    )
    gallery = draw_gallery(
        images,
        torch.tensor([0, 1, 0, 1]),
        patch,
        class_names=("a", "b"),
        mean=(0.4, 0.4, 0.4),
        std=(0.2, 0.2, 0.2),
    )
    assert gallery.pixels.shape == (5, 2, 8, 8, 3)
    clean, plus = gallery.pixels[0], gallery.pixels[1]
    assert (clean == 100).all()
    assert ((clean != plus).any(-1)[0].nonzero() >= 3).all()
    assert (clean != plus)[:, 3:5, 3:5].any()


def test_draws_can_be_indexed():
    draw = Draw(torch.tensor([0, 1, 2]), torch.tensor([0.0, 1.0, -1.0]))
    assert draw[torch.tensor([2, 0])].group.tolist() == [2, 0]
