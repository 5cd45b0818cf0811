"""A task's own optimiser: parameter groups, several optimisers, schedule-free, Prodigy."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, AdamW, Muon, Optimizer
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
)
from torch.utils.data import TensorDataset

from learnorder import LRSearch, Probe, Task, TrainingConfig, run_advise, run_probe, write_report
from learnorder.config.settings import TaskConfig, TaskRunConfig
from learnorder.config.training import SharpnessConfig
from learnorder.errors import ConfigError
from learnorder.execution.driver import Plan, run_plans
from learnorder.execution.settings import Execution
from learnorder.report.schedule_titles import arm_words
from learnorder.runs.opening import results_of
from learnorder.schedules import Schedule
from learnorder.tasks.backend import check, describe
from learnorder.training.identity import whole
from learnorder.training.task import identify, register_task
from learnorder.training.task_problem import task_trainer
from learnorder.training.trainer import Trainer

Made = Optimizer | Sequence[Optimizer]


def data(n: int = 60, classes: int = 3) -> TensorDataset:
    drawing = torch.Generator().manual_seed(0)
    labels = torch.arange(n) % classes
    x = 3 * nn.functional.one_hot(labels, classes) + torch.randn(n, classes, generator=drawing)
    return TensorDataset(x, labels)


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 3))


def with_groups(model: nn.Module, rate: float) -> Optimizer:
    """No decay of norms and biases; the last layer three times as fast."""
    decayed = [p for name, p in model.named_parameters() if p.dim() > 1 and "3." not in name]
    other = [p for p in model.parameters() if p.dim() == 1]
    groups = [
        {"params": decayed},
        {"params": [model[3].weight], "lr": 3 * rate},
        {"params": other, "weight_decay": 0.0},
    ]
    return AdamW(groups, lr=rate, weight_decay=0.1)


def muon_and_adamw(model: nn.Module, rate: float) -> list[Optimizer]:
    matrices = [p for p in model.parameters() if p.dim() == 2]
    others = [p for p in model.parameters() if p.dim() != 2]
    return [Muon(matrices, lr=rate), AdamW(others, lr=0.1 * rate)]


def schedule_free(model: nn.Module, rate: float) -> Optimizer:
    schedulefree = pytest.importorskip("schedulefree", reason="extra optimizers")
    return schedulefree.AdamWScheduleFree(model.parameters(), lr=rate, warmup_steps=3)


def prodigy(model: nn.Module, coefficient: float) -> Optimizer:
    """The number is Prodigy's d_coef; lr stays 1."""
    prodigyopt = pytest.importorskip("prodigyopt", reason="extra optimizers")
    return prodigyopt.Prodigy(model.parameters(), lr=1.0, d_coef=coefficient)


FACTORIES: list[Callable[[nn.Module, float], Any]] = [
    with_groups, muon_and_adamw, schedule_free, prodigy,
]  # fmt: skip


NO_TASK = TaskConfig()


def config_of(task: TaskConfig = NO_TASK, **settings: Any) -> TaskRunConfig:
    training = TrainingConfig(epochs=3, batch_size=16)
    schedule = Schedule(0.02, step_epochs=(3,), step_factor=0.1)
    return replace(TaskRunConfig(task, training, schedule), **settings)


def train(config: TaskRunConfig, task: Task, state: dict[str, Any] | None = None) -> Trainer[Any]:
    trainer = task_trainer(config, task, state)
    assert trainer.run(lambda _: False, lambda _: None).status == "finished"
    return trainer


def same_weights(a: nn.Module, b: nn.Module) -> bool:
    pairs = zip(a.parameters(), b.parameters(), strict=True)
    return all(torch.equal(*pair) for pair in pairs)


@pytest.mark.parametrize("factory", FACTORIES)
def test_own_optimisers_learn_and_are_checked_before_a_run(factory):
    task = Task(network, data(), optimizer=factory)
    with register_task(task) as given:
        config = config_of(given, learning_rate=Schedule(0.05))
        longer = replace(config, training=replace(config.training, epochs=20))
        check([longer])
    assert train(longer, task).records.last("validation", "accuracy") > 0.8


@pytest.mark.parametrize("factory", FACTORIES)
def test_a_run_continued_within_or_after_an_epoch_ends_as_one_never_stopped(factory):
    task, config, kept = Task(network, data(), optimizer=factory), config_of(), []

    def keep(trainer: Trainer[Any]) -> None:
        if (trainer.epoch, trainer.step) in ((2, 0), (2, 2)):
            kept.append(copy.deepcopy(trainer.state()))

    whole = task_trainer(config, task)
    assert whole.run(keep, keep).status == "finished"  # pyright: ignore[reportArgumentType]
    assert len(kept) == 2
    for state in kept:
        continued = train(config, task, state)
        assert continued.records.columns == whole.records.columns
        assert same_weights(continued.network, whole.network)


def test_a_schedule_multiplies_the_rate_of_each_group():
    trainer = train(config_of(), Task(network, data(), optimizer=with_groups))
    assert [g["lr"] for g in trainer.optimizer.param_groups] == pytest.approx([0.002, 0.006, 0.002])
    assert trainer.records.last("run", "learning_rate") == pytest.approx(0.002)


def test_a_function_equal_to_the_settings_gives_the_same_run():
    settings = TrainingConfig(epochs=3, batch_size=16, momentum=0.8, weight_decay=1e-3)
    named = train(config_of(training=settings), Task(network, data()))

    def same(model: nn.Module, rate: float) -> Optimizer:
        how = {"momentum": 0.8, "nesterov": True, "weight_decay": 1e-3, "fused": True}
        return SGD(model.parameters(), lr=rate, **how)  # pyright: ignore[reportArgumentType]

    own = train(config_of(), Task(network, data(), optimizer=same))
    assert own.records.columns == named.records.columns
    assert same_weights(own.network, named.network)


def test_the_number_of_prodigy_is_not_written_over_its_lr():
    trainer = train(config_of(), Task(network, data(), optimizer=prodigy))
    (group,) = trainer.optimizer.param_groups
    assert (group["d_coef"], group["lr"]) == (0.02, pytest.approx(0.1))


@pytest.mark.parametrize("optimizer", [None, *FACTORIES])
def test_bf16_trains_a_task_and_continues_it(optimizer):
    task = Task(network, data(), optimizer=optimizer)
    settings, kept = TrainingConfig(epochs=3, batch_size=16, precision="bf16"), []
    with register_task(task) as given:
        check([config_of(given, training=settings)])
    config = config_of(training=settings)
    whole = task_trainer(config, task)

    def keep(trainer: Trainer[Any]) -> bool:
        if (trainer.epoch, trainer.step) == (2, 2):
            kept.append(copy.deepcopy(trainer.state()))
        return False

    assert whole.run(keep, lambda _: None).status == "finished"
    assert {p.dtype for p in whole.network.parameters()} == {torch.float32}
    continued = train(config, task, kept[0])
    assert continued.records.columns == whole.records.columns
    assert same_weights(continued.network, whole.network)
    assert not same_weights(train(config_of(), task).network, whole.network)


class Nested(nn.Module):
    """Outputs logits within containers."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = network()

    def forward(self, x: torch.Tensor) -> dict[str, tuple[torch.Tensor, ...]]:
        return {"parts": (self.layers(x), x)}


def test_losses_of_outputs_in_containers_are_in_float32():
    kinds = set()

    def loss(outputs: Any, targets: torch.Tensor) -> torch.Tensor:
        logits, _ = outputs["parts"]
        kinds.add(logits.dtype)
        return nn.functional.cross_entropy(logits, targets)

    settings = TrainingConfig(epochs=3, batch_size=16, precision="bf16")
    train(config_of(training=settings), Task(Nested, data(), loss=loss))
    assert kinds == {torch.float32}


class Averaging(SGD):
    """Evaluated at the mean of the weights at the start and now."""

    def __init__(self, parameters: Any, lr: float) -> None:
        super().__init__(parameters, lr=lr)
        self.param_groups[0]["averaged"] = False
        self.calls: list[str] = []

    def _swap(self, averaged: bool) -> None:
        group = self.param_groups[0]
        self.calls.append("eval" if averaged else "train")
        if group["averaged"] != averaged:
            for p in group["params"]:
                p.data.mul_(0.5 if averaged else 2.0)
        group["averaged"] = averaged

    def train(self) -> None:
        self._swap(False)

    def eval(self) -> None:
        self._swap(True)


def averaging(model: nn.Module, rate: float) -> Optimizer:
    return Averaging(model.parameters(), rate)


def test_the_network_is_evaluated_and_left_with_the_weights_of_evaluation():
    task = Task(network, data(), optimizer=averaging)
    averaged = train(config_of(), task)
    (part,) = averaged.optimizer.parts
    assert part.calls == (["train"] * 3 + ["eval"]) * 3  # three steps in each of three epochs
    plain = train(config_of(), replace(task, optimizer=lambda m, r: SGD(m.parameters(), lr=r)))
    assert all(
        torch.equal(2 * a, b)
        for a, b in zip(averaged.network.parameters(), plain.network.parameters(), strict=True)
    )
    losses = [t.records.last("validation", "loss") for t in (averaged, plain)]
    assert losses[0] != losses[1]


def test_batch_norm_does_not_fit_weights_of_evaluation():
    def normed() -> nn.Module:
        return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))

    task = Task(normed, data(), optimizer=averaging)
    with pytest.raises(ConfigError, match=r"1 would be evaluated with running statistics"):
        task_trainer(config_of(), task)
    frozen = normed()
    frozen[1].eval()
    train(config_of(), Task(frozen, data(), optimizer=averaging))


class Forgetful(SGD):
    """Counts its steps outside its state."""

    count = 0

    def step(self, closure: Any = None) -> None:
        self.count += 1
        for p in self.param_groups[0]["params"]:
            p.data.sub_(p.grad, alpha=self.param_groups[0]["lr"] / self.count)


def cached(model: nn.Module, rate: float, kept: list[Optimizer] = []) -> Optimizer:  # noqa: B006
    if not kept:
        kept.append(SGD(model.parameters(), lr=rate))
    return kept[0]


OTHER = network()

REFUSED: list[tuple[Callable[[nn.Module, float], Any], str]] = [
    (lambda m, r: r, r"It returned a float, not a torch\.optim\.Optimizer"),
    (lambda m, r: [], "It returned no optimiser"),
    (lambda m, r: m.missing, r"It failed for the learning rate 0\.02: AttributeError"),
    (lambda m, r: SGD(m[0].parameters(), lr=r), r"1\.weight, 1\.bias, 3\.weight and 1 more: 4 tr"),
    (lambda m, r: SGD(OTHER.parameters(), lr=r), "6 of its parameters are not of the network"),
    (lambda m, r: [SGD(m.parameters(), lr=r)] * 2, r"0\.weight, .* 6 parameters have two"),
    (lambda m, r: torch.optim.LBFGS(m.parameters(), lr=r), "A step of LBFGS needs closure"),
    (lambda m, r: Muon(m.parameters(), lr=r), "It failed .* Muon only supports 2D"),
    (lambda m, r: Forgetful(m.parameters(), lr=r), "A step after a checkpoint differs"),
    (lambda m, r: torch.optim.SparseAdam(m.parameters(), lr=r), "Its step cannot be computed"),
]


@pytest.mark.parametrize(("factory", "words"), REFUSED)
def test_what_is_no_optimiser_of_the_network_is_refused_before_a_run(factory, words):
    with (
        register_task(Task(network, data(), optimizer=factory)) as given,
        pytest.raises(ConfigError, match=words) as error,
    ):
        check([config_of(given)])
    assert error.value.field == "task.optimizer"


def test_an_optimiser_made_once_is_refused():
    task = Task(network, data(), optimizer=cached)
    task_trainer(config_of(), task)
    with pytest.raises(ConfigError, match="the same SGD as at an earlier call"):
        task_trainer(config_of(), task)


@pytest.mark.parametrize(
    "settings", [{"optimizer": "AdamW"}, {"momentum": 0.8}, {"weight_decay": 0.1}]
)
def test_settings_without_effect_are_refused(settings):
    (name,) = settings
    config = config_of(training=TrainingConfig(epochs=3, batch_size=16, **settings))
    with pytest.raises(ConfigError, match=f"training.{name}: .* would have no effect"):
        task_trainer(config, Task(network, data(), optimizer=with_groups))


def test_the_function_is_part_of_the_identity():
    def factory(momentum: float) -> Callable[[nn.Module, float], Optimizer]:
        return lambda model, rate: SGD(model.parameters(), lr=rate, momentum=momentum)

    task = Task(network, data())
    own = [replace(task, optimizer=factory(m)) for m in (0.5, 0.9)]
    assert len({whole(identify(t)) for t in (task, *own)}) == 3
    assert whole(identify(own[0])) == whole(identify(replace(task, optimizer=factory(0.5))))


def test_no_rate_of_steps_is_claimed_beside_the_sharpness():
    measured = SharpnessConfig(examples=8)
    for factory, expected in ((None, True), (with_groups, False)):
        trainer = train(config_of(sharpness=measured), Task(network, data(), optimizer=factory))
        quantities = set(trainer.records.columns["quantity"])
        assert ("edge" in quantities, "sharpness" in quantities) == (expected, True)


def test_pages_name_the_optimiser(tmp_path):
    with register_task(Task(network, data(), optimizer=muon_and_adamw)) as task:
        plans = {"run": Plan(config_of(task), {"experiment": "task"})}
        execution = Execution(threads=1, quiet=True)
        folders = run_plans(plans, tmp_path, execution=execution, here=True)
    assert folders[0].data().optimizer == "Muon and AdamW"
    page = write_report(results_of(folders), tmp_path / "page.html").read_text()
    assert "Muon and AdamW as the task makes it" in page
    assert "Nesterov" not in page


def test_the_description_of_other_tasks_names_none():
    assert describe(task_trainer(config_of(), Task(network, data())), None)["optimizer"] == ""


def one_cycle(optimizer: Optimizer, steps: int) -> LRScheduler:
    highest = [group["lr"] for group in optimizer.param_groups]
    return OneCycleLR(optimizer, max_lr=highest, total_steps=steps, cycle_momentum=False)


def warm_then_cosine(optimizer: Optimizer, steps: int) -> LRScheduler:
    warm = LinearLR(optimizer, start_factor=0.25, total_iters=2)
    return SequentialLR(optimizer, [warm, CosineAnnealingLR(optimizer, steps - 2)], [2])


def fall(optimizer: Optimizer, steps: int) -> LRScheduler:
    return LambdaLR(optimizer, lambda step: 1 - step / steps)


CONSTANT = Schedule(0.02)


@pytest.mark.parametrize("optimizer", [None, with_groups, muon_and_adamw, schedule_free])
@pytest.mark.parametrize("scheduler", [one_cycle, warm_then_cosine, fall])
def test_own_schedulers_are_stepped_and_continued(scheduler, optimizer):
    task = Task(network, data(), optimizer=optimizer, scheduler=scheduler)
    config, kept = config_of(learning_rate=CONSTANT), []
    with register_task(task) as given:
        check([replace(config, task=given)])

    def keep(trainer: Trainer[Any]) -> None:
        if (trainer.epoch, trainer.step) in ((2, 0), (2, 2)):
            kept.append(copy.deepcopy(trainer.state()))

    whole = task_trainer(config, task)
    whole.run(keep, keep)  # pyright: ignore[reportArgumentType]
    for state in kept:
        continued = train(config, task, state)
        assert continued.records.columns == whole.records.columns
        assert same_weights(continued.network, whole.network)


def test_the_rates_of_a_scheduler_are_recorded_by_epoch():
    """3 epochs of 3 steps: the number of the function times 1 − step/9, at steps 0, 3 and 6."""
    task = Task(network, data(), optimizer=with_groups, scheduler=fall)
    trainer = train(config_of(learning_rate=CONSTANT), task)
    columns = trainer.records.columns
    rates = [
        value
        for quantity, value in zip(columns["quantity"], columns["value"], strict=True)
        if quantity == "learning_rate"
    ]
    assert rates == pytest.approx([0.02, 0.02 * 6 / 9, 0.02 * 3 / 9])
    assert trainer.optimizer.param_groups[1]["lr"] == pytest.approx(0.0)


def test_a_scheduler_gives_the_run_of_the_same_schedule():
    own = Task(network, data(), scheduler=fall)
    scheduled = train(config_of(learning_rate=CONSTANT), own)
    linear = Schedule(0.02, linear_after=0.0)
    named = train(config_of(learning_rate=linear), replace(own, scheduler=None))
    assert all(
        torch.allclose(a, b, atol=1e-6)
        for a, b in zip(scheduled.network.parameters(), named.network.parameters(), strict=True)
    )


class Secret(LambdaLR):
    """Keeps what its rate depends on to itself."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.taken = [0]
        super().__init__(optimizer, lambda _: 1 / (1 + self.taken[0]))

    def step(self, epoch: int | None = None) -> None:
        self.taken[0] += 1
        super().step()

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        del state_dict


@pytest.mark.parametrize(
    ("scheduler", "words"),
    [
        (lambda o, n: o, "It returned a SGD, not a scheduler"),
        (lambda o, n: ReduceLROnPlateau(o), "A step of ReduceLROnPlateau needs metrics"),
        (lambda o, n: o.missing, "It failed for 9 steps: AttributeError"),
        (lambda o, n: fall(SGD(OTHER.parameters(), lr=0.1), n), "a LambdaLR of another optimizer"),
        (lambda o, n: Secret(o), "A step after a checkpoint differs"),
    ],
)
def test_what_is_no_scheduler_of_the_optimiser_is_refused_before_a_run(scheduler, words):
    with (
        register_task(Task(network, data(), scheduler=scheduler)) as given,
        pytest.raises(ConfigError, match=words) as error,
    ):
        check([config_of(given, learning_rate=CONSTANT)])
    assert error.value.field == "task.scheduler"


def test_a_schedule_and_a_scheduler_contradict_each_other():
    with pytest.raises(ConfigError, match=r"learning_rate: .* has its own scheduler"):
        task_trainer(config_of(), Task(network, data(), scheduler=fall))


SEARCH = LRSearch(
    training=TrainingConfig(epochs=4, batch_size=16),
    learning_rates=(0.005, 0.02),
    rungs=1,
    seeds=2,
    noise=0.0,
    shorter_plateaus=(),
)


def test_advice_is_in_the_units_of_the_function(tmp_path):
    task = Task(network, data(), optimizer=with_groups)
    quiet = Execution(threads=1, quiet=True)
    advice = run_advise(SEARCH, tmp_path, task=task, execution=quiet)
    assert set(advice.grid()) == {0.005, 0.02}
    assert advice.range_test is not None
    assert len(advice.range_test.restarts) == 5


def test_a_search_needs_rates_and_an_optimiser_that_a_range_test_can_raise(tmp_path):
    constant = Task(network, data(), optimizer=lambda m, r: SGD(m.parameters(), lr=0.1))
    for search, words in (
        (replace(SEARCH, learning_rates=None), "learning_rates: got None. The task has its own"),
        (SEARCH, "range_test: got True. The lr of the task's optimizer is not proportional"),
    ):
        with pytest.raises(ConfigError, match=words):
            run_advise(search, tmp_path / "advise", task=constant, execution=Execution(quiet=True))
    with pytest.raises(ConfigError, match=r"learning_rates: got None\. The task has its own"):
        run_probe(Probe(contrasts=(0.5,)), tmp_path, task=constant, execution=Execution(quiet=True))
    assert not (tmp_path / "advise").exists()


@pytest.mark.parametrize("scheduler", [None, fall])
def test_a_search_leaves_the_anneal_to_a_task_with_a_scheduler(tmp_path, scheduler):
    task = Task(network, data(), scheduler=scheduler)
    quiet = Execution(threads=1, quiet=True)
    for anneal in ("step", "task"):
        search = replace(SEARCH, anneal=anneal)
        if (anneal == "task") == (scheduler is not None):
            advice = run_advise(search, tmp_path / anneal, task=task, execution=quiet)
            assert not advice.shorter_plateaus()
            page = (tmp_path / anneal / "report.html").read_text()
            assert ("scheduler; shorter plateaus are not tried" in page) == (anneal == "task")
        else:
            with pytest.raises(ConfigError, match=f"anneal: got '{anneal}'"):
                run_advise(search, tmp_path / anneal, task=task, execution=quiet)


def test_pages_of_constant_learning_rates_do_not_speak_of_an_anneal(tmp_path):
    task = Task(network, data(), optimizer=schedule_free)
    search = replace(SEARCH, anneal="constant", range_test=False)
    quiet = Execution(threads=1, quiet=True)
    advice = run_advise(search, tmp_path, task=task, execution=quiet)
    text = " ".join(advice.findings()) + advice._repr_html_()
    assert "anneal" not in text
    assert "annealed LR" not in (tmp_path / "report.html").read_text()
    assert not advice.shorter_plateaus()


def test_the_code_of_the_guide_can_be_trained():
    guide = Path(__file__).parents[1] / "docs" / "how-to" / "training.md"
    blocks = re.findall(r"```python\n(.*?)```", guide.read_text(), re.DOTALL)
    code: dict[str, Any] = {}
    exec("\n".join(blocks), code)
    task = code["make"]()
    labels = task.train.tensors[1]
    for name in ("groups", "muon", "schedule_free", "prodigy"):
        if name in ("schedule_free", "prodigy"):
            pytest.importorskip(name.replace("_", "").replace("prodigy", "prodigyopt"))
        for own in (
            {"sampler": code["balanced"](labels), "scheduler": code["one_cycle"]},
            {"sampler": code["hundred"], "validation": task.train},
        ):
            tried = replace(task, optimizer=code[name], **own)
            with register_task(tried) as given:
                check([config_of(given, learning_rate=CONSTANT)])


def test_titles_of_arms_have_the_schedule_of_their_runs(tmp_path):
    """The smallest learning rate has no lower one to be annealed to; a task may have its own."""
    quiet = Execution(threads=1, quiet=True)
    search = replace(SEARCH, anneal="step", range_test=False)
    small, *others = sorted(search.learning_rates or ())
    for task, by_rate in (
        (Task(network, data()), {small: "constant LR"} | dict.fromkeys(others, "annealed LR")),
        (Task(network, data(), scheduler=fall), {}),
    ):
        own = task.scheduler is not None
        advice = run_advise(
            replace(search, anneal="task" if own else "step"),
            tmp_path / str(own),
            task=task,
            execution=quiet,
        )
        for folder in advice.folders:
            words = arm_words("annealed", folder)
            rate = folder.config.learning_rate.initial
            assert words == by_rate.get(rate, "LR scheduled by the task")
            assert arm_words("annealed_noise", folder) == f"{words} + noise"
            assert arm_words("noise", folder) == "noise"
        said = " ".join(advice.findings()) + advice._repr_html_()
        assert not (own and "anneal" in said)
