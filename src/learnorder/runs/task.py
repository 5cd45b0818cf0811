"""The work of a run of a task: training, with its checkpoints and records."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from learnorder.config import TaskRunConfig
from learnorder.runs.checkpoint import load_checkpoint
from learnorder.runs.folder import RunFolder
from learnorder.runs.kinds import EndStatus, Workload
from learnorder.runs.process import process_kept
from learnorder.runs.training import measure_steps, train
from learnorder.task import load_task
from learnorder.training.task_problem import TaskProblem, task_trainer


def check(configs: Sequence[TaskRunConfig], processes: int = 1) -> None:
    """Build each distinct model once, and take one step, so that what is unfit is refused."""
    for config in {_essence(config): config for config in configs}.values():
        with process_kept():
            trainer = task_trainer(config, load_task(config.task))
            trainer.train_step(next(trainer.problem.epoch(1)))
            trainer.check_processes(processes)


def _essence(config: TaskRunConfig) -> str:
    """The parts of a configuration that decide whether it can be run."""
    noisy = config.noise.level.initial > 0
    training = config.training
    how = (training.precision, training.optimizer, training.optimizer_arguments)
    return repr((config.task, noisy, how))


def work(
    folder: RunFolder[TaskRunConfig], stop: Callable[[], bool]
) -> tuple[EndStatus, str] | None:
    """Train the folder's run to its end; see :class:`~learnorder.runs.kinds.Work`."""
    state = load_checkpoint(folder)
    with process_kept():
        trainer = task_trainer(folder.config, load_task(folder.config.task), state)
        folder.update(data=_describe(trainer.problem))
        return train(folder, trainer, stop)


def _describe(problem: TaskProblem) -> dict[str, object]:
    """What the manifest says of the data and of what models are judged by."""
    return {
        "train_examples": problem.sizes[0],
        "evaluation_examples": problem.sizes[1],
        "score": problem.score.name,
        "higher_is_better": problem.score.higher_is_better,
        "unseen_classes": problem.unseen_classes,
    }


def workload_key(config: TaskRunConfig) -> str:
    """Return what runs that take as long have in common."""
    return repr((config.task, config.training, config.noise.level.initial > 0))


def measure(config: TaskRunConfig) -> Workload:
    """Time a few steps of training."""
    with process_kept():
        trainer = task_trainer(config, load_task(config.task))
        trained_on, judged_on = trainer.problem.sizes
        return measure_steps(trainer, judged_on / trained_on)
