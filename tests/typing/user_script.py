"""A user's script, as the pages of the documentation have it, for a type checker: it is not run.

It uses every public name; ``tests/test_typing.py`` checks that, and what ``reveal_type`` says.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import learnorder
from learnorder.noise import ActivationNoise, find_activations
from learnorder.planters import (
    FaintPlanter,
    ImagePlanter,
    Planter,
    SeriesPlanter,
    TablePlanter,
    TextPlanter,
    TokenPlanter,
    check_planter,
)
from learnorder.theory import AlgorithmConfig, DistributionConfig, TheoryConfig
from learnorder.theory.simulation import LimitSimulation

if TYPE_CHECKING:
    from typing import assert_type, reveal_type

    import numpy as np
    from numpy.typing import NDArray


def patch_experiment() -> learnorder.Results:
    experiment: learnorder.ImageExperiment = learnorder.recipe("demo")
    experiment = replace(experiment, patch=replace(experiment.patch, contrast=0.5), seeds=3)
    execution = learnorder.Execution(workers=2, threads=1, quiet=True)
    results = learnorder.run_patch(experiment, "runs/mine", execution=execution)
    reveal_type(results)  # Results
    difference = results.final_difference("large", "small", "clean", "accuracy")
    reveal_type(difference)  # Estimate
    print(difference.mean, difference.low, difference.high, difference.n, difference.format(100))
    reveal_type(results.learned("large", "patch"))  # dict[int, int | None]
    reveal_type(results.final_estimate("small", "conflict", "reliance"))  # Estimate
    reveal_type(results.figure("patch_only"))  # Figure
    reveal_type(results.frame())  # DataFrame
    reveal_type(results.folders[0].config.patch.contrast)  # float
    reveal_type(results.last_layers("small"))  # dict[int, LastLayer]
    plain = learnorder.run_plain("demo", "runs/plain", execution=execution)
    learnorder.write_report(plain, "plain.html")
    reveal_type(learnorder.retrain("runs/mine", quiet=True))  # Results | TaskResults
    change = results.last_layer_change("small", "worst_group_accuracy", "group")
    reveal_type(change)  # Estimate
    return results


def own_settings() -> None:
    config = learnorder.RunConfig(
        learnorder.DataConfig("folder:photos", resolution=32),
        learnorder.ModelConfig("WideResNet", {"depth": 16}),
        learnorder.PatchConfig(eligible_share=0.8),
        learnorder.TrainingConfig(epochs=20, batch_size=64),
        learnorder.Schedule(0.1, step_epochs=(30,), step_factor=0.04),
        learnorder.NoiseConfig(learnorder.Schedule(0.4, decay=0.97)),
        seed=1,
    )
    reveal_type(learnorder.run_train(config, "runs/train"))  # Results
    grid = {"learning_rate.initial": [0.1, 0.3]}
    swept = learnorder.run_sweep({"large": config}, grid, range(3), "runs/sweep")
    reveal_type(swept)  # Results
    of_theory = learnorder.run_sweep({"": TheoryConfig()}, {"distribution.s": [10, 30]}, [0])
    reveal_type(of_theory)  # TheoryResults


def reading() -> None:
    either = learnorder.open_runs("runs/a", "runs/b")
    reveal_type(either.final_difference("small", "large", "clean", "accuracy"))  # Estimate
    reveal_type(learnorder.open_runs("runs/a", of=learnorder.Results))  # Results
    theory = learnorder.open_runs("runs/theory", of=learnorder.TheoryResults)
    reveal_type(theory.final_ratio("S", "L-S", "p_only", "error"))  # Estimate
    score = learnorder.open_runs("runs/tasks", of=learnorder.TaskResults).score()
    reveal_type(score)  # tuple[str, bool]
    kept = learnorder.open_runs("runs/tasks", of=learnorder.TaskResults).dynamics()
    reveal_type(kept)  # DataFrame
    statuses = learnorder.query("SELECT status, count(*) AS n FROM runs GROUP BY 1", "runs")
    reveal_type(statuses)  # DataFrame
    reveal_type(learnorder.connect("runs/a", "runs/b"))  # DuckDBPyConnection


def reproduction() -> learnorder.ReproductionResult:
    found = learnorder.reproduce("demo", "runs/demo", only=["final-accuracy"])
    reveal_type(found["final-accuracy"].verdict)  # Literal['holds', 'does_not_hold', 'undecided']
    estimate: learnorder.Estimate = found["final-accuracy"].measured.estimate
    print(estimate)
    later = learnorder.reproduce_paper("you2019", "runs/you2019", seeds=5)
    reveal_type(later)  # ReproductionResult
    return found


def probe() -> learnorder.ProbeResult:
    probed = learnorder.run_probe(learnorder.Probe(seeds=5), "runs/probe", minutes=10)
    reveal_type(probed.calibration.contrast)  # float
    arm = probed.arm("annealed", 0.1)
    reveal_type(arm)  # str | None
    if arm is not None:
        reveal_type(probed.results.final_estimate(arm, "conflict", "reliance"))  # Estimate
    return probed


def accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs.argmax(1) == targets).float()


def advice() -> learnorder.Advice:
    data = TensorDataset(torch.randn(100, 8), torch.arange(100) % 4)
    score = learnorder.BatchMean(accuracy)
    domains = learnorder.Groups(["tweet", "review"] * 50, name="domain")
    task = learnorder.Task(
        lambda: nn.Linear(8, 4), data, score=score, groups=domains, show=lambda item: str(item[0])
    )
    training = learnorder.TrainingConfig(epochs=20, batch_size=64, dynamics=True)
    search = learnorder.LRSearch(training=training, learning_rates=(0.001, 0.003), seeds=3)
    found = learnorder.run_advise(search, "runs/advise", task=task)
    reveal_type(found)  # Advice
    reveal_type(found.band())  # list[float]
    reveal_type(found.best())  # float
    reveal_type(found.gain(found.arm(0.003), found.arm(0.001)))  # Estimate
    return found


def train(learning_rate: float, seed: int) -> float:
    return learning_rate * seed


def script_advice() -> float:
    script = learnorder.ScriptConfig("python train.py --lr {learning_rate} --seed {seed}")
    search = learnorder.LRSearch(script=script, learning_rates=(0.001, 0.003), rungs=1)
    learnorder.run_advise(search, force=True)
    return learnorder.run_advise(learnorder.LRSearch(rungs=1), function=train).best()


def existing_runs() -> learnorder.JudgedRuns:
    judged = learnorder.judge_runs(
        "runs.csv", "runs/judged", columns={"score": "val_acc", "state": None}, where={"wd": [0, 1]}
    )
    reveal_type(judged)  # JudgedRuns
    reveal_type(judged.band())  # list[float]
    reveal_type(judged.gain(0.1, 0.01))  # Estimate
    reveal_type(judged.suggestions()[0].seeds)  # int
    opened: learnorder.JudgedRuns = learnorder.open_runs("runs/judged", of=learnorder.JudgedRuns)
    return opened


def adamw(model: nn.Module, rate: float) -> torch.optim.Optimizer:
    slow = [{"params": model.parameters(), "lr": 0.1 * rate}]
    return torch.optim.AdamW(slow, lr=rate)


def muon(model: nn.Module, rate: float) -> list[torch.optim.Optimizer]:
    matrices = [p for p in model.parameters() if p.dim() == 2]
    others = [p for p in model.parameters() if p.dim() != 2]
    return [torch.optim.Muon(matrices, lr=rate), torch.optim.AdamW(others, lr=rate)]


def falling(optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
    return torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=steps)


def some(generator: torch.Generator) -> Tensor:
    return torch.randperm(100, generator=generator)[:50]


def own_training() -> learnorder.Advice:
    data = TensorDataset(torch.randn(100, 8), torch.arange(100) % 4)
    weighted = learnorder.Task(nn.Linear(8, 4), data, optimizer=adamw, sampler=[1.0] * 100)
    training = learnorder.TrainingConfig(epochs=20, batch_size=64, accumulate=4, clip_norm=1.0)
    rates = (0.001, 0.003)
    search = learnorder.LRSearch(
        training=training, learning_rates=rates, anneal="wsd", plateau=0.8, warmup=0.05
    )
    learnorder.run_advise(search, "runs/wsd", task=weighted)
    task = learnorder.Task(
        nn.Linear(8, 4), data, data, optimizer=muon, scheduler=falling, sampler=some
    )
    return learnorder.run_advise(replace(search, anneal="task", warmup=0.0), task=task)


def along_widths() -> learnorder.AlongResult:
    search = learnorder.LRSearch(learning_rates=(0.01, 0.1, 1.0), rungs=1)
    moved = learnorder.run_along({"training.epochs": [10, 20]}, search, predict=80)
    reveal_type(moved)  # AlongResult
    reveal_type(moved.optimum(10))  # Estimate
    if moved.drift is not None:
        reveal_type(moved.drift.factor)  # Estimate
    reveal_type(moved.predict(40))  # Estimate | None
    return learnorder.open_runs("runs/along", of=learnorder.AlongResult)


def with_weight_decay() -> learnorder.JointResult:
    decays = {"training.weight_decay": [0, 0.001, 0.01]}
    pairs = learnorder.run_jointly(decays, baseline=0.001)
    reveal_type(pairs.gain())  # Estimate | None
    reveal_type(pairs.slope())  # Estimate | None
    return learnorder.open_runs("runs/jointly", of=learnorder.JointResult)


def old_head(model: nn.Module, inputs: Tensor) -> Tensor:
    return model(inputs)[:, :2]


def fine_tuning(results: learnorder.TaskResults) -> learnorder.Task:
    old = TensorDataset(torch.randn(50, 8), torch.arange(50) % 2)
    keep = learnorder.Keep(old, name="movie reviews", outputs=old_head)
    data = TensorDataset(torch.randn(100, 8), torch.arange(100) % 4)
    forgetting = results.forgetting()
    if forgetting is not None:
        reveal_type(forgetting.losses("all"))  # dict[int, float]
        reveal_type(forgetting.gain("all"))  # Estimate
        reveal_type(forgetting.forgetting_difference("head", "all"))  # Estimate
    return learnorder.Task(model=nn.Linear(8, 4), train=data, keep=keep)


def theory() -> None:
    scaled = learnorder.paper_scaling(100, 0.5)
    experiment = learnorder.TheoryExperiment(distribution=scaled.distribution, arms=("L-S", "S"))
    results = learnorder.run_theory(experiment, "runs/theory")
    reveal_type(results.half_learned("S", "Q"))  # dict[int, float | None]
    reveal_type(results.second_difference_ratio())  # dict[int, float]
    phase = learnorder.run_phase(grid={"distribution.s": [1, 2], "distribution.r": [1, 2]})
    reveal_type(phase)  # TheoryResults
    config = TheoryConfig(DistributionConfig(d=100), algorithm=AlgorithmConfig(eta1=0.3))
    outcome = LimitSimulation(config).run()
    if outcome is not None:
        reveal_type(outcome.reason)  # str


def own_loop(model: nn.Module, inputs: Tensor, labels: Tensor) -> None:
    data = learnorder.IndexedDataset(TensorDataset(inputs, labels))
    order = learnorder.LearningOrder(len(data), groups=["easy"] * len(data), dynamics=True)
    with learnorder.activation_noise(model, learnorder.Schedule(0.4, decay=0.97), seed=0) as noise:
        reveal_type(noise)  # ActivationNoise
        for batch, targets, index in DataLoader(data, batch_size=64):
            logits: Tensor = model(batch)
            order.update(index, logits, targets, epoch=1)
        noise.level = 0.0
    assert_type(order.first_learned, NDArray[np.int32])
    reveal_type(order.curve("easy"))  # dict[int, Estimate]
    reveal_type(order.agreement(order).tau)  # float
    assert_type(order.aum, NDArray[np.float64])
    reveal_type(learnorder.data_map(order, most=1000, symbols=True))  # Figure
    reveal_type(learnorder.write_examples(order, "looks", show=str, labels=labels))  # Path
    names = [name for name in find_activations(model) if ".se." not in name]
    handle = ActivationNoise(model, 0.4, modules=names)
    handle.remove()

    product, size = learnorder.hessian(model, lambda: nn.functional.mse_loss(model(inputs), labels))
    found = learnorder.largest_eigenvalue(product, size, torch.Generator().manual_seed(0))
    reveal_type(found.stability_ratio(0.1))  # float
    losses = [lambda: nn.functional.mse_loss(model(inputs), labels)]
    reveal_type(learnorder.gradient_curvature(model, losses[0]))  # float
    reveal_type(learnorder.batch_sharpness(model, losses))  # float
    reveal_type(learnorder.feature_statistics(inputs).rank)  # int
    with learnorder.pruned(model, 0.9):
        model(inputs)
    curve = learnorder.pruning_curve(model, lambda model: float(model(inputs).mean()), [0.5])
    reveal_type(curve)  # dict[float, float]
    reveal_type(learnorder.count_spikes([1.0, 2.0]))  # int
    reveal_type(learnorder.count_catapults([1.0, 2.0]))  # int
    agop = learnorder.average_gradient_outer_product(model, inputs)
    reveal_type(agop)  # Tensor
    reveal_type(learnorder.agop_alignment(agop, agop))  # float


class Offset:
    strengths = (0.5, 1.0)

    def draw(self, num_classes: int, generator: torch.Generator) -> Tensor:
        return torch.rand(num_classes, generator=generator)

    def plant(
        self,
        inputs: Tensor,
        patterns: Tensor,
        label: int,
        strength: float,
        generator: torch.Generator,
    ) -> Tensor:
        return inputs + strength * (1 + patterns[label])

    def blank(self, inputs: Tensor) -> Tensor:
        return torch.zeros_like(inputs)


def planters(inputs: Tensor) -> list[Planter]:
    tokens = TokenPlanter(rare_tokens=(990, 991, 992), shared=True, padding=0, key="input_ids")
    table = TablePlanter.fit(inputs, columns=[0, 3])
    reveal_type(table)  # TablePlanter
    faint: list[FaintPlanter] = [tokens, ImagePlanter(size=5), SeriesPlanter(length=20, add=False)]
    for planter in faint:
        check_planter(planter, [inputs[0]], [0], 2, planter.strengths[-1], faint_strength=0.1)
    print(learnorder.planters.__doc__)
    return [Offset(), table, TextPlanter(place="end"), *faint]


def errors() -> None:
    try:
        learnorder.recipe("no such scale")
    except learnorder.errors.ConfigError as error:
        reveal_type(error.field)  # str
    except learnorder.LearnOrderError as error:
        print(error)
    print(learnorder.models.WideResNet(depth=16), learnorder.theory.THEORY_ARMS, learnorder.noise)
