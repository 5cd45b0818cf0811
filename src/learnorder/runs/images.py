"""The work of a run on images: training, with its checkpoints, records and example images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from learnorder.config import RunConfig
from learnorder.data import ImageData, load_images
from learnorder.patterns import Patch, draw_gallery
from learnorder.runs.checkpoint import load_checkpoint
from learnorder.runs.files import atomic_write
from learnorder.runs.folder import RunFolder
from learnorder.runs.kinds import EndStatus, Workload
from learnorder.runs.training import measure_steps, train
from learnorder.training import image_trainer

_load_once = lru_cache(maxsize=1)(load_images)
"""Most runs of a worker share their images, which are then read for the first of them."""


def check(configs: Sequence[RunConfig], processes: int = 1) -> None:
    """Build each distinct data set, patch and network once, so that what is unfit is refused."""
    distinct = {_essence(config): config for config in configs}
    loaded = {repr(c.data): load_images(c.data) for c in distinct.values()}
    for config in distinct.values():
        trainer = image_trainer(config, loaded[repr(config.data)])
        trainer.check_processes(processes)
        if config.data.augmentation is not None:
            next(trainer.problem.batches.epoch(1))


def _essence(config: RunConfig) -> str:
    """The parts of a configuration that decide whether it can be built."""
    noisy = config.noise.level.initial > 0
    training = config.training
    how = (training.precision, training.optimizer, training.optimizer_arguments)
    return repr((config.data, config.model, config.patch, noisy, how))


def work(folder: RunFolder[RunConfig], stop: Callable[[], bool]) -> tuple[EndStatus, str] | None:
    """Train the folder's run to its end; see :class:`~learnorder.runs.kinds.Work`."""
    state = load_checkpoint(folder)
    data = _load_once(folder.config.data)
    trainer = image_trainer(folder.config, data, state)
    folder.update(data=_describe(data))
    if trainer.problem.batches.patch is not None and not folder.read_only:
        _save_examples(folder, data, trainer.problem.batches.patch)
    return train(folder, trainer, stop)


def _describe(data: ImageData) -> dict[str, object]:
    """What the manifest says of the images."""
    return {
        "num_classes": data.num_classes,
        "image_size": list(data.image_size),
        "train_examples": len(data.train),
        "evaluation_examples": len(data.evaluation),
        "mean": list(data.mean),
        "std": list(data.std),
    }


def _save_examples(folder: RunFolder, data: ImageData, patch: Patch) -> None:
    """Write a sheet of planted images, and what its rows and columns are."""
    from PIL import Image

    gallery = draw_gallery(
        data.train.pixels,
        data.train.labels,
        patch.to(data.train.pixels.device),
        class_names=data.class_names,
        mean=data.mean,
        std=data.std,
    )
    rows, columns, height, width, _ = gallery.pixels.shape
    sheet = gallery.pixels.permute(0, 2, 1, 3, 4).reshape(rows * height, columns * width, 3)
    with atomic_write(folder.file("examples.png")) as temporary:
        Image.fromarray(sheet.numpy()).save(temporary, format="PNG")
    folder.update(examples={"rows": gallery.rows, "columns": gallery.columns})


def workload_key(config: RunConfig) -> str:
    """Return what runs that take as long have in common."""
    noisy = config.noise.level.initial > 0
    return repr((config.data, config.model, config.patch.planted, config.training, noisy))


def measure(config: RunConfig) -> Workload:
    """Time a few steps of training."""
    trainer = image_trainer(config, load_images(config.data))
    evaluated = sum(len(chosen.pattern_labels) for chosen in trainer.problem.sets)
    return measure_steps(trainer, evaluated / len(trainer.problem.batches.eligible))
