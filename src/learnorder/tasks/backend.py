"""The backend of task runs: training, with checkpoints and records."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager

from torch import nn

from learnorder.config.settings import TaskRunConfig
from learnorder.errors import ConfigError, refusing
from learnorder.report.kept_examples import save_dynamics
from learnorder.runs.checkpoint import load_checkpoint
from learnorder.runs.descriptions import KeepDescription, TaskDescription
from learnorder.runs.folder import RunFolder
from learnorder.runs.kinds import CostEstimate, EndStatus
from learnorder.runs.process import process_kept, release_memory
from learnorder.runs.training import check_run, distinct_training, measure_steps, time_each, train
from learnorder.tasks.shown import check_show, shower, task_indices
from learnorder.training.identity import Identity
from learnorder.training.scores import is_from_zero
from learnorder.training.task import build_network, identity_of, load_task
from learnorder.training.task_evaluation import validate
from learnorder.training.task_problem import TaskProblem, task_trainer
from learnorder.training.trainer import Trainer


def check(configs: Sequence[TaskRunConfig], processes: int = 1) -> None:
    """Train each distinct task and optimiser for a step, to find invalid ones early.

    The model is then built again, to find functions that return the same module twice.

    Raises:
        ConfigError: A task or a setting is not valid.
    """
    for config in {_distinct_setup(config): config for config in configs}.values():
        _check(config, processes)
    release_memory()


def _check(config: TaskRunConfig, processes: int) -> None:
    task = load_task(config.task)
    failed = refusing(lambda why: ConfigError("task.model", task.model, f"It failed: {why}."))
    with process_kept(), failed, closing(task_trainer(config, task)) as trainer:
        if trainer.problem.patterns is not None:
            trainer.problem.patterns.check(task.collate)
        check_run(trainer, processes)
        if trainer.problem.dynamics is not None:
            check_show(task)
        network = build_network(task, config.seed).to(trainer.accelerator.device)
        if trainer.problem.score.batch is None:  # such a score gets the outputs of all examples
            with trainer.accelerator.autocast():
                validate(trainer.problem, network)
        if trainer.problem.kept is not None:
            with trainer.accelerator.autocast():
                _before(trainer.problem, network)


def _distinct_setup(config: TaskRunConfig) -> str:
    """Return the settings on which the validity of a configuration depends, as a key."""
    return repr((config.task, config.pattern, distinct_training(config)))


def identify(configs: Sequence[TaskRunConfig]) -> list[Identity]:
    """Return the identity of each task; see :func:`learnorder.training.task.identity_of`."""
    return [identity_of(config.task) for config in configs]


def run(folder: RunFolder[TaskRunConfig], stop: Callable[[], bool]) -> tuple[EndStatus, str] | None:
    """Train the folder's run to its end; see :class:`~learnorder.runs.kinds.Backend`."""
    state = load_checkpoint(folder)
    folder.begin(identity_of(folder.config.task))
    task = load_task(folder.config.task)
    with process_kept(), closing(task_trainer(folder.config, task, state)) as trainer:
        folder.update(data=describe(trainer, folder.data()))
        outcome = train(folder, trainer, stop)
        if outcome is not None and (kept := trainer.problem.dynamics) is not None:
            indices, groups = task_indices(trainer.problem), trainer.problem.groups
            save_dynamics(folder, kept, indices, groups, shower(task))
        return outcome


def describe(trainer: Trainer[TaskProblem], before: TaskDescription | None) -> dict[str, object]:
    """Return the manifest's description of the data and the score.

    Args:
        trainer: At the beginning of the run, or where it continues.
        before: The description from the beginning, if the run continues.
    """
    problem = trainer.problem
    unlearned = None if before is None else before.unlearned
    commonest = None if before is None else before.commonest
    untrained = (trainer.epoch, trainer.step) == (1, 0)
    if unlearned is None and untrained:
        with trainer.accelerator.autocast():
            unlearned = problem.unlearned()
    if commonest is None and untrained and problem.num_classes is not None:
        commonest = problem.commonest()
    kept = None if before is None else before.keep
    if kept is None and problem.kept is not None and untrained:
        with trainer.accelerator.autocast():
            kept = _before(problem, trainer.network)
    grouping = problem.groups
    groups = {} if grouping is None else {
        "attribute": grouping.attribute,
        "groups": {name: list(sizes) for name, sizes in grouping.sizes().items()},
        "group_score": problem.group_score,
        "spurious": grouping.aligned is not None,
    }  # fmt: skip
    examples = {} if problem.patterns is None else problem.patterns.example()
    return {
        **groups,
        "examples": examples,
        "train_examples": problem.sizes[0],
        "evaluation_examples": problem.sizes[1],
        "score": problem.score.name,
        "higher_is_better": problem.score.higher_is_better,
        "num_classes": problem.num_classes,
        "unseen_classes": problem.unseen_classes,
        "keep": None if kept is None else vars(kept),
        "own_loss": not is_from_zero(problem.task.loss),
        "optimizer": str(trainer.optimizer) if trainer.optimizer.is_own else "",
        "sampler": _sampler_words(problem),
        "scheduler": "".join(type(s).__name__ for s in trainer.optimizer.schedulers[:1]),
        "unlearned": _finite(unlearned),
        "commonest": _finite(commonest),
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _sampler_words(problem: TaskProblem) -> str:
    """Return which examples an epoch shows; empty if it shows each once."""
    if (sampler := problem.task.sampler) is None:
        return ""
    how = "chosen by the task's function" if callable(sampler) else "drawn by the task's weights"
    return f"{problem.shown:,} examples in an epoch, {how}"


def _before(problem: TaskProblem, network: nn.Module) -> KeepDescription:
    """Return the description of the old task, with the scores of a network before training.

    Raises:
        ConfigError: A score is not finite.
    """
    assert problem.kept is not None
    kept, scores = problem.kept, problem.kept.before(network)
    new = validate(problem, network, grouped=False).score
    if not math.isfinite(new):
        raise problem.refusal(
            "score", f"Before training it is {new:g}, so the gain cannot be measured."
        )
    return KeepDescription(
        name=kept.keep.name,
        examples=kept.examples,
        score=kept.score.name,
        higher_is_better=kept.score.higher_is_better,
        before=scores.score,
        loss_before=scores.loss,
        validation_before=new,
    )


def cost_key(config: TaskRunConfig) -> str:
    """Return a key that is equal for runs of equal cost."""
    noisy, measured = config.noise.level.initial > 0, (config.sharpness, config.diagnostics)
    return repr((config.task, config.pattern.planted, config.training, noisy, *measured))


@contextmanager
def new_trainer(config: TaskRunConfig) -> Iterator[Trainer[TaskProblem]]:
    """Yield a trainer of a run, for timing; global state is restored after the ``with`` block."""
    with process_kept(), closing(task_trainer(config, load_task(config.task))) as trainer:
        yield trainer


def measure(config: TaskRunConfig) -> CostEstimate:
    """Time a few steps of training."""
    with new_trainer(config) as trainer:
        trained_on, judged_on = trainer.problem.shown, trainer.problem.sizes[1]
        if trainer.problem.kept is not None:
            judged_on += trainer.problem.kept.examples
        return measure_steps(trainer, judged_on / trained_on)


def step_seconds(
    configs: Sequence[TaskRunConfig], seconds: float, fewest: int
) -> list[list[float]]:
    """Return the seconds of some training steps of configurations, timed one after another."""
    return time_each(map(new_trainer, configs), seconds, fewest)
