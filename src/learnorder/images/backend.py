"""The backend of runs on images: training, checkpoints, records and example images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import lru_cache
from hashlib import blake2b

from learnorder.config.importing import import_object
from learnorder.config.settings import RunConfig
from learnorder.data import ImageData, load_images
from learnorder.data.attributes import find_metadata
from learnorder.data.folders import local_folder
from learnorder.data.groups import Grouping
from learnorder.data.samples import sample_images
from learnorder.errors import ConfigError, refusing
from learnorder.images.kept_snapshots import picture_bytes, save_snapshots
from learnorder.patterns import Patch, draw_gallery
from learnorder.report.kept_examples import save_dynamics
from learnorder.runs.checkpoint import load_checkpoint
from learnorder.runs.files import atomic_write
from learnorder.runs.folder import RunFolder
from learnorder.runs.kinds import CostEstimate, EndStatus
from learnorder.runs.process import process_kept, release_memory
from learnorder.runs.training import check_run, distinct_training, measure_steps, time_each, train
from learnorder.training.identity import Identity, Reader, files_token
from learnorder.training.image_problem import ImageProblem, image_trainer, network_of
from learnorder.training.trainer import Trainer

_MOST_SIZES = 4
"""The number of image sizes that are listed separately."""

load_once = lru_cache(maxsize=1)(load_images)
"""Cached, because most runs of a worker share their images."""


def check(configs: Sequence[RunConfig], processes: int = 1) -> None:
    """Train each distinct setup for one step, so that errors show before the runs start.

    The network is then built again, to detect constructors that return a trained network.
    """
    distinct = {_setup(config): config for config in configs}
    data = {repr(config.data): config.data for config in distinct.values()}
    loaded = {key: load_images(config) for key, config in data.items()}
    for config in distinct.values():
        _check(config, loaded[repr(config.data)], processes)
    release_memory()


def _check(config: RunConfig, data: ImageData, processes: int) -> None:
    name = config.model.name
    failed = refusing(lambda why: ConfigError("model.name", name, f"It failed: {why}."))
    with process_kept(), failed, closing(image_trainer(config, data)) as trainer:
        check_run(trainer, processes)
        network_of(config, data)


def _setup(config: RunConfig) -> str:
    """Return the settings that determine whether a configuration can be run."""
    return repr((config.data, config.model, config.patch, distinct_training(config)))


def identify(configs: Sequence[RunConfig]) -> list[Identity]:
    """Return digests of the user's code and data that each configuration refers to."""
    keys = [repr((config.model, config.data)) for config in configs]
    distinct = dict(zip(keys, configs, strict=True))
    identities = {key: _identity(config) for key, config in distinct.items()}
    return [identities[key] for key in keys]


def _identity(config: RunConfig) -> Identity:
    """Return digests of the code behind import paths, and of the images' file names and sizes."""
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
    if (folder := local_folder(data.source)) is not None:
        reader.add("files of data.source", files_token(folder))
        if kind == "hub" or (kind == "folder" and data.group_column is not None):
            for file in find_metadata(folder):
                reader.add("metadata of data.source", blake2b(file.read_bytes()).hexdigest())
    return reader.parts if len(reader.parts) > 1 else {}


def run(folder: RunFolder[RunConfig], stop: Callable[[], bool]) -> tuple[EndStatus, str] | None:
    """Train the run in a folder; see :class:`~learnorder.runs.kinds.Backend`."""
    folder.begin(*identify([folder.config]))
    state = load_checkpoint(folder)
    data = load_once(folder.config.data)
    with closing(image_trainer(folder.config, data, state)) as trainer:
        folder.update(data={**_describe(data), "shown": _save_samples(folder, data)})
        if trainer.problem.batches.patch is not None and not folder.read_only:
            _save_examples(folder, data, trainer.problem.batches.patch)
        outcome = train(folder, trainer, stop)
        if outcome is not None and (kept := trainer.problem.dynamics) is not None:
            indices, pixels = range(len(data.train)), data.train.pixels
            save_dynamics(folder, kept, indices, data.groups, lambda index: pixels[index])
        if outcome is not None and (snapshots := trainer.problem.snapshots) is not None:
            save_snapshots(folder, snapshots, trainer.problem.sets, data)
        return outcome


def _describe(data: ImageData) -> dict[str, object]:
    """Return the manifest's description of the images."""
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
        **_describe_groups(data.groups),
    }


def _describe_groups(grouping: Grouping | None) -> dict[str, object]:
    if grouping is None:
        return {}
    return {
        "attribute": grouping.attribute,
        "groups": {name: list(sizes) for name, sizes in grouping.sizes().items()},
        "group_score": "accuracy",
        "spurious": grouping.aligned is not None,
    }


def size_counts(sizes: Mapping[tuple[int, int], int]) -> dict[str, int]:
    """Return the number of images by size: the most frequent sizes, then all others together.

    >>> size_counts({(32, 32): 5})
    {'32×32': 5}
    >>> size_counts({(side, 10): side for side in range(1, 8)})
    {'7×10': 7, '6×10': 6, '5×10': 5, '4×10': 4, '3 other sizes': 6}
    """
    by_count = sorted(sizes.items(), key=lambda item: -item[1])
    frequent, others = by_count[:_MOST_SIZES], by_count[_MOST_SIZES:]
    counts = {f"{width}×{height}": count for (width, height), count in frequent}
    if others:
        plural = "s" if len(others) > 1 else ""
        counts[f"{len(others)} other size{plural}"] = sum(count for _, count in others)
    return counts


def _save_samples(folder: RunFolder, data: ImageData) -> dict[str, list[str]]:
    """Write a sheet of decoded images of each class; return the titles of its rows and columns."""
    samples = sample_images(data)
    if not folder.read_only:
        with atomic_write(folder.file("images.png")) as temporary:
            samples.sheet.save(temporary, format="PNG")
    return {"rows": list(samples.rows), "columns": list(samples.columns)}


def _save_examples(folder: RunFolder, data: ImageData, patch: Patch) -> None:
    """Write a sheet of images with the patch, and the titles of its rows and columns."""
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
    """Return the settings that determine how long a run takes."""
    noisy, measured = config.noise.level.initial > 0, (config.sharpness, config.diagnostics)
    planted = config.patch.planted
    return repr((config.data, config.model, planted, config.training, noisy, *measured))


@contextmanager
def new_trainer(
    config: RunConfig, data: ImageData | None = None
) -> Iterator[Trainer[ImageProblem]]:
    """Yield a trainer of a run, for timing; global state is restored after the ``with`` block.

    Args:
        config: Of the run.
        data: Its images; None loads them.
    """
    data = load_images(config.data) if data is None else data
    with process_kept(), closing(image_trainer(config, data)) as trainer:
        yield trainer


def measure(config: RunConfig) -> CostEstimate:
    """Return the cost of a run, estimated from a few training steps."""
    with new_trainer(config) as trainer:
        evaluated = sum(len(subset.pattern_labels) for subset in trainer.problem.sets)
        cost = measure_steps(trainer, evaluated / len(trainer.problem.batches.eligible))
        if (snapshots := trainer.problem.snapshots) is None:
            return cost
        kept = config.training.epochs * snapshots.bytes_of_an_epoch(trainer.network)
        return replace(cost, disk_bytes=cost.disk_bytes + kept + picture_bytes(snapshots))


def step_seconds(configs: Sequence[RunConfig], seconds: float, fewest: int) -> list[list[float]]:
    """Return the seconds of some training steps of configurations, timed one after another."""
    data = {repr(config.data): config.data for config in configs}
    loaded = {key: load_images(each) for key, each in data.items()}
    trainers = (new_trainer(config, loaded[repr(config.data)]) for config in configs)
    return time_each(trainers, seconds, fewest)
