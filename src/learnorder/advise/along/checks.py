"""Checks that every value of the setting that varies has an effect on the runs."""

from __future__ import annotations

from learnorder.advise.along.settings import AlongSettings
from learnorder.advise.settings import LRSearch
from learnorder.errors import ConfigError
from learnorder.runs import setting_words


def check_effect(settings: AlongSettings) -> None:
    """Check that the runs at each value differ from those at the others.

    Raises:
        ConfigError: It is a batch size above the number of training examples, or a setting of the
            optimiser, and the task has its own.
    """
    if settings.setting == "training.batch_size":
        _check_batch_size(settings)
    if settings.search.is_task:
        _check_optimizer(settings)


def _check_batch_size(settings: AlongSettings) -> None:
    examples, largest = _train_examples(settings.search), settings.values[-1]
    if examples is not None and largest > examples:
        raise ConfigError(
            f"along.{settings.setting}", largest, f"There are {examples:,} training examples, so a "
            "larger batch has the same ones. Give batch sizes up to that.",
        )  # fmt: skip


def _train_examples(search: LRSearch) -> int | None:
    """Return the number of training examples; None for a script."""
    if search.is_script:
        return None
    if search.is_task:
        from learnorder.training.task import load_task, splits

        return len(splits(load_task(search.task))[0])  # pyright: ignore[reportArgumentType]
    from learnorder.data import load_images

    return len(load_images(search.data).train.labels)


def _check_optimizer(settings: AlongSettings) -> None:
    from learnorder.training.own_optimizer import REPLACED
    from learnorder.training.task import load_task

    section, _, name = settings.setting.rpartition(".")
    if section != "training" or name not in REPLACED:
        return
    if load_task(settings.search.task).optimizer is not None:
        words = ", ".join(map(setting_words, settings.values))
        raise ConfigError(
            f"along.{settings.setting}", words, "The task has its own optimizer, which ignores it. "
            f"Let the function that --task names take {name} as an argument, and vary "
            f"task.arguments.{name}.",
        )  # fmt: skip
