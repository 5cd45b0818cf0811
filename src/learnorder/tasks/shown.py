"""What pages show of a task's training examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PIL import Image
from torch.utils.data import Subset

from learnorder.errors import ConfigError, DataError, refusing
from learnorder.report.thumbnails import small_example
from learnorder.seeding import random_state_kept, seed_everything
from learnorder.training.task import Task
from learnorder.training.task_batches import split_batch
from learnorder.training.task_problem import TaskProblem


def task_indices(problem: TaskProblem) -> Sequence[int]:
    """Return the position in ``Task.train`` of each training example, [N]."""
    if problem.task.validation is None and isinstance(problem.train, Subset):
        return problem.train.indices
    return range(problem.sizes[0])


def shower(task: Task) -> Callable[[int], object] | None:
    """Return a function from a position in ``Task.train`` to what is shown of the example.

    It is the task's, or returns the text or PIL image that is the example's only input. None if
    nothing can be shown.
    """
    data: Any = task.train
    if (show := task.show) is not None:
        return lambda index: show(data[index])
    with random_state_kept():
        seed_everything(0, "shown")
        if _input_of(data[0]) is None:
            return None
    return lambda index: _input_of(data[index])


def check_show(task: Task) -> None:
    """Try the task's function ``show`` on the first and the last training example.

    Raises:
        ConfigError: It fails, or returns something that cannot be shown.
    """
    if (show := task.show) is None:
        return
    data: Any = task.train
    name = getattr(show, "__name__", show)
    with (
        random_state_kept(),
        refusing(lambda why: ConfigError("task.show", name, f"It failed: {why}.")),
    ):
        for index in (0, len(data) - 1):
            try:
                small_example(show(data[index]), index)
            except DataError as error:
                raise ConfigError("task.show", name, str(error)) from error


def _input_of(item: Any) -> object:
    """Return the only input of an item if it is a text or a PIL image, else None."""
    try:
        inputs, _ = split_batch(item)
    except DataError:
        return None
    if isinstance(inputs, Mapping) and len(inputs) == 1:
        inputs = next(iter(inputs.values()))
    return inputs if isinstance(inputs, str | Image.Image) else None
