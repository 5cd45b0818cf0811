"""The recipes: the paper's exactly, and the others derived from it."""

from dataclasses import replace

import pytest
import torch

from learnorder.data import ImageData, Images
from learnorder.data.images import CIFAR_MEAN, CIFAR_STD
from learnorder.images.patch import SCALES, paper, thin
from learnorder.patterns import Group
from learnorder.schedules import Schedule
from learnorder.training.batches import Batches
from learnorder.training.image_problem import image_trainer


@pytest.fixture
def like_cifar():
    """50,000 images of CIFAR-10's shape."""
    drawing = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (1, 32, 32, 3), dtype=torch.uint8, generator=drawing)
    labels = torch.arange(10).repeat(5000)
    train = Images(pixels.expand(50_000, -1, -1, -1), labels)
    names = tuple(map(str, range(10)))
    return ImageData(train, Images(pixels, labels[:1]), names, CIFAR_MEAN, CIFAR_STD)


def test_the_paper_as_published():
    experiment = paper()
    runs = {arm: experiment.run(arm, 0) for arm in ("large", "small", "small_noise")}
    assert runs["large"].learning_rate == Schedule(0.1, (30,), 0.04)
    assert runs["small"].learning_rate == runs["small_noise"].learning_rate == Schedule(0.004)
    noise = runs["small_noise"].noise
    assert noise.shared
    assert [noise.level.at(epoch) for epoch in (1, 29, 30, 60)] == [0.4, 0.4, 0.0, 0.0]
    large = runs["large"]
    assert (large.training.epochs, large.training.batch_size) == (60, 128)
    assert (large.training.momentum, large.training.nesterov) == (0.9, True)
    assert large.training.weight_decay == 5e-4
    assert (large.patch.size, large.patch.z_scale, large.patch.contrast) == (7, 1.25, 0.1)
    assert large.data.train_examples is None


def test_thin_differs_from_the_paper_in_width_and_precision_alone():
    for arm in ("large", "small", "small_noise", "small_annealed"):
        published, narrow = paper().run(arm, 0), thin().run(arm, 0)
        assert narrow.model.arguments == {"depth": 16, "widen_factor": 1}
        assert narrow.training.precision == "bf16"
        training = replace(narrow.training, precision=published.training.precision)
        assert replace(narrow, model=published.model, training=training) == published


def test_the_papers_steps_and_groups(like_cifar):
    batches = Batches(paper().run("large", 0), like_cifar, torch.device("cpu"))
    assert batches.steps == 391
    groups = torch.bincount(batches.draws(1).group, minlength=3) / 50_000
    assert groups[Group.CLEAN].item() == pytest.approx(0.20, abs=0.01)
    assert groups[Group.PATCH_ONLY].item() == pytest.approx(0.16, abs=0.01)
    assert groups[Group.BOTH].item() == pytest.approx(0.64, abs=0.01)


@pytest.mark.slow
def test_two_steps_at_the_papers_scale(like_cifar):
    """About a minute: WRN-16-10, batch size 128, 32×32, with noise."""
    torch.set_num_threads(2)
    trainer = image_trainer(paper().run("small_noise", 0), like_cifar)
    assert sum(p.numel() for p in trainer.network.parameters()) == 17_116_634
    assert trainer.noise is not None
    assert len(trainer.noise.sites) == 13
    before = trainer.network.get_parameter("classifier.weight").clone()
    trainer.run(lambda t: t.step == 2, lambda t: None)
    assert trainer.step == 2
    assert not torch.equal(trainer.network.get_parameter("classifier.weight"), before)


@pytest.mark.parametrize("scale", SCALES)
def test_arms_of_a_recipe_differ_in_the_treatment_alone(scale):
    experiment = SCALES[scale]()
    large = experiment.run("large", 3)
    for arm in ("small", "small_noise"):
        other = experiment.run(arm, 3)
        assert replace(other, learning_rate=large.learning_rate, noise=large.noise) == large
    assert (
        experiment.arms.large.learning_rate.initial
        > 4 * experiment.arms.small.learning_rate.initial
    )
