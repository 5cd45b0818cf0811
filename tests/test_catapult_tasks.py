"""The tasks of papers on catapults: learning rates in units of 2/λ₀, and the AGOP alignment."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from learnorder.config.settings import TaskConfig, TaskRunConfig
from learnorder.config.training import SharpnessConfig, TrainingConfig
from learnorder.reproduce.papers.catapults import ALIGNMENT, grey_images, product_of_two
from learnorder.reproduce.papers.critical_rate import critical_sgd, with_sharpness
from learnorder.reproduce.papers.literature import lewkowycz2020, zhu2023
from learnorder.schedules import Schedule
from learnorder.tasks.backend import check
from learnorder.training.curvature import Curvature
from learnorder.training.task import load_task
from learnorder.training.task_problem import task_trainer


def test_the_learning_rate_is_a_multiple_of_the_critical_one():
    """L = (w · x)² / 2 at x = (3, 0): λ₀ = 9, wherever w is."""
    loss = lambda outputs, targets: (outputs - targets).square().sum(1) / 2  # noqa: E731
    inputs, targets = torch.tensor([[3.0, 0.0]]), torch.zeros(1, 1)
    make = with_sharpness(lambda: nn.Linear(2, 1, bias=False), inputs, targets, loss)
    network = make()
    assert float(network.initial_sharpness) == pytest.approx(9.0, rel=1e-3)
    optimizer = critical_sgd(network, 0.9)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.2, rel=1e-3)
    assert "initial_sharpness" in network.state_dict(), "a continued run has the same LR"


def test_gradient_descent_is_stable_below_the_critical_rate_and_not_above():
    for rate, grows in ((0.9, False), (1.8, True)):
        config = TaskRunConfig(TaskConfig(), TrainingConfig(2, 256), Schedule(rate))
        trainer = task_trainer(config, product_of_two(passes=3))
        losses, step = [], trainer.train_step
        trainer.train_step = lambda b, s=step, to=losses: to.append(float(loss := s(b))) or loss
        trainer.run(lambda _: False, lambda _: None)
        assert (losses[-1] > losses[0]) is grows


def test_the_product_is_compared_with_the_true_agop():
    task = product_of_two(dimensions=5, examples=50)
    inputs, targets = task.train[:]
    assert torch.equal(targets[:, 0], inputs[:, 0] * inputs[:, 1])
    assert task.validation is not None
    assert len(task.validation) == 500

    class True_(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))

        def forward(self, x):
            return self.scale * x[:, :1] * x[:, 1:2]

    alignment = task.measures[ALIGNMENT]
    assert alignment(True_()) > 0.98, "up to the sample of 50"
    other = nn.Linear(5, 1, bias=False)
    other.weight.data[:] = torch.tensor([[0.0, 0, 1, 0, 0]])
    assert alignment(other) == 0.0


def test_grey_images_are_compared_with_a_good_predictor():
    task = grey_images(examples=40)
    images = task.train[:][0]
    assert images.shape == (40, 1, 8, 8)
    torch.manual_seed(0)
    alignment = task.measures[ALIGNMENT](task.model())
    assert 0 < alignment < 0.5, "a network that has learned nothing"


def test_epochs_of_all_batch_sizes_have_as_many_steps():
    for experiment in zhu2023.PAPER.experiments().values():
        steps, progress = set(), dict[float, float]()
        for config in experiment.arms.values():
            arguments, batch = config.task.arguments, config.training.batch_size
            assert config.diagnostics.catapult_examples == arguments["examples"]
            each = arguments["passes"] * arguments["examples"] // batch
            steps.add(each)
            rate = config.learning_rate.initial
            progress[rate] = rate * each * config.training.epochs
        assert steps == {64}
        assert progress[zhu2023.BELOW] == progress[zhu2023.ABOVE]
        finer, base, *_ = sorted(progress)
        assert base == pytest.approx(zhu2023.FINER * finer)
        assert progress[finer] == pytest.approx(progress[base])


def test_each_network_has_the_multiple_of_its_own_sharpness():
    """Two seeds have another λ₀, but ηλ₀ is that of the arm; settings are otherwise the same."""
    experiments = lewkowycz2020.PAPER.experiments()
    own, mean = experiments[lewkowycz2020.OWN].arms, experiments["four"].arms
    assert own.keys() == mean.keys()
    for arm, config in own.items():
        assert config.training.epochs == mean[arm].training.epochs
        assert config.sharpness == mean[arm].sharpness
    rates = {}
    for seed in (0, 1):
        config = replace(own[lewkowycz2020.CATAPULT], seed=seed)
        trainer = task_trainer(config, load_task(config.task))
        curvature = Curvature(SharpnessConfig(720), trainer.problem, seed)
        eigenvalue = curvature.measure(trainer.network, 1)
        assert eigenvalue is not None
        (rates[seed],) = (group["lr"] for group in trainer.optimizer.param_groups)
        assert rates[seed] * eigenvalue.value == pytest.approx(4.0, rel=0.02)
    assert rates[0] != pytest.approx(rates[1], rel=0.01)


def test_a_run_continues_from_a_checkpoint():
    """The optimiser, made again for other weights, has the rate of the initial ones."""
    arms = zhu2023.PAPER.experiments()["product"].arms
    check([config for arm, config in arms.items() if arm.startswith("full")])
