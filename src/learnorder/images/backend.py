"""The work of a run on images: training, with its checkpoints, records and example images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import lru_cache
from pathlib import Path

from learnorder.config.importing import import_object
from learnorder.config.settings import RunConfig
from learnorder.data import ImageData, load_images
from learnorder.data.samples import sample_images
from learnorder.errors import ConfigError, refusing
from learnorder.patterns import Patch, draw_gallery
from learnorder.runs.checkpoint import load_checkpoint
from learnorder.runs.files import atomic_write
from learnorder.runs.folder import RunFolder
from learnorder.runs.kinds import CostEstimate, EndStatus
from learnorder.runs.process import free_memory, process_kept
from learnorder.runs.training import check_run, distinct_training, measure_steps, train
from learnorder.training.identity import Identity, Reader, files_token
from learnorder.training.image_problem import image_trainer, network_of

_MOST_SIZES = 4
"""Sizes of images that are counted each for itself."""

load_once = lru_cache(maxsize=1)(load_images)
"""Most runs of a worker share their images, which are then read for the first of them."""


def check(configs: Sequence[RunConfig], processes: int = 1) -> None:
    """Try each distinct data set, patch, network and optimiser, so that what is unfit is refused.

    The network is built again after it was trained for a step: one that is not made anew is found.
    """
    distinct = {_distinct_setup(config): config for config in configs}
    data = {repr(config.data): config.data for config in distinct.values()}
    loaded = {key: load_images(config) for key, config in data.items()}
    for config in distinct.values():
        _check(config, loaded[repr(config.data)], processes)
    free_memory()


def _check(config: RunConfig, data: ImageData, processes: int) -> None:
    name = config.model.name
    failed = refusing(lambda why: ConfigError("model.name", name, f"It failed: {why}."))
    with process_kept(), failed, closing(image_trainer(config, data)) as trainer:
        check_run(trainer, processes)
        network_of(config, data)


def _distinct_setup(config: RunConfig) -> str:
    """Return what decides whether a configuration can be run."""
    return repr((config.data, config.model, config.patch, distinct_training(config)))


def identify(configs: Sequence[RunConfig]) -> list[Identity]:
    """Return what is the user's own of each one's network and data, as digests."""
    found: dict[str, Identity] = {}
    for config in configs:
        key = repr((config.model, config.data))
        if key not in found:
            found[key] = _identity(config)
    return [found[repr((config.model, config.data))] for config in configs]


def _identity(config: RunConfig) -> Identity:
    """Read the code that import paths name, and the names and sizes of the images' files."""
    reader, data = Reader(), config.data
    kind, _, place = data.source.partition(":")
    paths = {
        "model.name": config.model.name if "." in config.model.name else None,
        "data.augmentation": data.augmentation,
        "data.source": place if kind == "function" else None,
    }
    for field, path in paths.items():
        if path is not None:
            reader.add(field, import_object(path, field, "Give an import path."))
    if kind in ("folder", "parquet") and Path(place).is_dir():
        reader.add("files of data.source", files_token(Path(place)))
    return reader.parts if len(reader.parts) > 1 else {}


def run(folder: RunFolder[RunConfig], stop: Callable[[], bool]) -> tuple[EndStatus, str] | None:
    """Train the folder's run to its end; see :class:`~learnorder.runs.kinds.Backend`."""
    folder.begin(*identify([folder.config]))
    state = load_checkpoint(folder)
    data = load_once(folder.config.data)
    with closing(image_trainer(folder.config, data, state)) as trainer:
        folder.update(data={**_describe(data), "shown": _save_samples(folder, data)})
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
        "classes": {
            name: [int((images.labels == label).sum()) for images in (data.train, data.evaluation)]
            for label, name in enumerate(data.class_names)
        },
        "modes": dict(data.modes),
        "sizes": size_counts(data.sizes),
        "converted": dict(data.converted),
        "skipped": dict(data.skipped),
        "repeated": data.repeated,
        "relabeled": data.relabeled,
    }


def size_counts(sizes: Mapping[tuple[int, int], int]) -> dict[str, int]:
    """Return images by size in words: the most frequent sizes, and all others together.

    >>> size_counts({(32, 32): 5})
    {'32×32': 5}
    >>> size_counts({(side, 10): side for side in range(1, 8)})
    {'7×10': 7, '6×10': 6, '5×10': 5, '4×10': 4, '3 other sizes': 6}
    """
    falling = sorted(sizes.items(), key=lambda item: -item[1])
    shown, others = falling[:_MOST_SIZES], falling[_MOST_SIZES:]
    found = {f"{width}×{height}": count for (width, height), count in shown}
    if others:
        plural = "s" if len(others) > 1 else ""
        found[f"{len(others)} other size{plural}"] = sum(count for _, count in others)
    return found


def _save_samples(folder: RunFolder, data: ImageData) -> dict[str, list[str]]:
    """Write some images of each class as they were decoded; return its rows and columns."""
    samples = sample_images(data)
    if not folder.read_only:
        with atomic_write(folder.file("images.png")) as temporary:
            samples.sheet.save(temporary, format="PNG")
    return {"rows": list(samples.rows), "columns": list(samples.columns)}


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


def cost_key(config: RunConfig) -> str:
    """Return what runs that take as long have in common."""
    noisy = config.noise.level.initial > 0
    return repr((config.data, config.model, config.patch.planted, config.training, noisy))


def measure(config: RunConfig) -> CostEstimate:
    """Time a few steps of training."""
    data = load_images(config.data)
    with process_kept(), closing(image_trainer(config, data)) as trainer:
        evaluated = sum(len(chosen.pattern_labels) for chosen in trainer.problem.sets)
        return measure_steps(trainer, evaluated / len(trainer.problem.batches.eligible))
