"""Images as one uint8 tensor with labels, and the splits an experiment uses."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from learnorder.config.settings import DataConfig
from learnorder.data.sources import ONE_CLASS, RawImages, load_source
from learnorder.data.splits import stratified_order
from learnorder.errors import ConfigError, DataError

CIFAR_MEAN = tuple(value / 255 for value in (125.3, 123.0, 113.9))
CIFAR_STD = tuple(value / 255 for value in (63.0, 62.1, 66.7))
CIFAR_CLASSES = {("airplane", "automobile", "bird"), ("apple", "aquarium_fish", "baby")}
"""First classes of CIFAR-10 and CIFAR-100, by which they are known."""


@dataclass(frozen=True)
class Images:
    """Images and their labels.

    Attributes:
        pixels: uint8 [N, H, W, C].
        labels: int64 [N], from 0.
    """

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class ImageData:
    """The images of an experiment: trained on, and evaluated on.

    Attributes:
        train: Training images.
        evaluation: Images of the test or the validation split.
        class_names: Name of each label.
        mean: Channel means in [0, 1], for normalisation.
        std: Channel standard deviations in [0, 1].
        modes: Images by Pillow's mode, as the files have it.
        sizes: Images by (width, height), as the files have them.
        converted: Images by what was done to show them as a viewer does.
        skipped: Files that were left out, by reason.
        repeated: Images evaluated on that are also trained on, pixel for pixel.
        relabeled: How many of these have other labels where they are trained on.
    """

    train: Images
    evaluation: Images
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    modes: Mapping[str, int] = field(default_factory=dict)
    sizes: Mapping[tuple[int, int], int] = field(default_factory=dict)
    converted: Mapping[str, int] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)
    repeated: int = 0
    relabeled: int = 0

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def channels(self) -> int:
        """Number of channels, C."""
        return self.train.pixels.shape[3]

    @property
    def image_size(self) -> tuple[int, int]:
        """(H, W)."""
        return (self.train.pixels.shape[1], self.train.pixels.shape[2])


def load_images(config: DataConfig) -> ImageData:
    """Read, split and cut the images of a configuration.

    The training images are put in one stratified random order: the subset trained on is its
    beginning and the validation split its end, so that a run judged on validation and a run judged
    on test train on the same images where both fit.

    Raises:
        DataError: Missing, unreadable or unfit data.
        ConfigError: Sizes that the data cannot meet.
    """
    raw = load_source(config)
    free, held_out = _train_orders(config, raw)
    train = free[: _size("train_examples", config.train_examples, len(free))]
    if config.evaluate_on == "validation":
        pool = held_out
        split = "train"
    else:
        pool = stratified_order(raw.test_labels, config.subset_seed)
        split = "test"
    evaluation = pool[: _size("evaluation_examples", config.evaluation_examples, len(pool))]

    train_images = Images(raw.decode("train", train), raw.train_labels[train])
    labels = (raw.train_labels if split == "train" else raw.test_labels)[evaluation]
    evaluation_images = Images(raw.decode(split, evaluation), labels)
    _check_sizes(raw, train_images, evaluation_images)
    _check_labels(raw, train_images, evaluation_images)
    _check_classes(config, raw, train_images, evaluation_images)
    mean, std = _statistics(config, train_images.pixels, raw.class_names)
    repeated, relabeled = count_repeated(train_images, evaluation_images)
    return ImageData(
        train_images,
        evaluation_images,
        raw.class_names,
        mean,
        std,
        modes=dict(raw.decoded.modes),
        sizes=dict(raw.decoded.sizes),
        converted=dict(raw.decoded.converted),
        skipped=dict(raw.skipped),
        repeated=repeated,
        relabeled=relabeled,
    )


def count_repeated(train: Images, evaluation: Images) -> tuple[int, int]:
    """Return how many images evaluated on are also trained on, pixel for pixel, as decoded.

    Returns:
        Their number, and how many of them no training image of the same class equals.
    """
    judged = list(_digests(evaluation))
    trained: dict[bytes, set[int]] = {digest: set() for digest, _ in judged}
    for digest, label in _digests(train):
        if digest in trained:
            trained[digest].add(label)
    alike = [label in trained[digest] for digest, label in judged if trained[digest]]
    return len(alike), alike.count(False)


def _digests(images: Images) -> Iterator[tuple[bytes, int]]:
    """Yield a digest of each image's pixels, and its label."""
    for pixels, label in zip(images.pixels.numpy(), images.labels.tolist(), strict=True):
        yield hashlib.blake2b(pixels.tobytes(), digest_size=16).digest(), label


def load_unseen(config: DataConfig, most: int) -> Images | None:
    """Return training images that a run is neither trained nor judged on; None where it has all.

    Args:
        config: The run's images.
        most: How many at most; they are stratified.

    Raises:
        DataError: Missing, unreadable or unfit data.
    """
    raw = load_source(config)
    free, _ = _train_orders(config, raw)
    used = len(free) if config.train_examples is None else config.train_examples
    chosen = free[used : used + most]
    if not len(chosen):
        return None
    return Images(raw.decode("train", chosen), raw.train_labels[chosen])


def _train_orders(config: DataConfig, raw: RawImages) -> tuple[Tensor, Tensor]:
    """Return the stratified order of the images to train on, and of the validation split."""
    order = stratified_order(raw.train_labels, config.subset_seed)
    free = len(order) - round(config.validation_share * len(order))
    return order[:free], order[free:]


def _size(field: str, wanted: int | None, available: int) -> int:
    if wanted is not None and wanted > available:
        raise ConfigError(
            f"data.{field}",
            wanted,
            f"The data has {available} images for it (after what validation_share holds out): "
            f"give at most {available}, or null for all.",
        )
    return available if wanted is None else wanted


def _check_sizes(raw: RawImages, train: Images, evaluation: Images) -> None:
    """Refuse images to evaluate on that are of another size than those to train on."""
    height, width, channels = train.pixels.shape[1:]
    other_height, other_width, other_channels = evaluation.pixels.shape[1:]
    if (other_height, other_width) != (height, width):
        raise DataError(
            f"{raw.name}: images to train on are {height}×{width} pixels and those to evaluate on "
            f"{other_height}×{other_width}. Bring all to one size, e.g. --data.resolution "
            f"{min(height, width)}."
        )
    if other_channels != channels:
        raise DataError(
            f"{raw.name}: images to train on have {channels} channels and those to evaluate on "
            f"{other_channels}. Give both as many."
        )


def _check_labels(raw: RawImages, train: Images, evaluation: Images) -> None:
    classes = len(raw.class_names)
    if classes < 2 or len(train.labels.unique()) < 2:
        raise DataError(f"{raw.name}: {ONE_CLASS}")
    if not raw.named and len(raw.train_labels.unique()) < classes:
        raise DataError(
            f"{raw.name}: labels run to {classes - 1} but some numbers below do not occur in the "
            "training images. Number the classes from 0 without gaps."
        )
    for images in (train, evaluation):
        low, high = int(images.labels.min()), int(images.labels.max())
        if low < 0 or high >= classes:
            raise DataError(
                f"{raw.name}: labels run from {low} to {high} but there are {classes} class "
                f"names. Labels must be whole numbers from 0 to {classes - 1}."
            )


def _check_classes(config: DataConfig, raw: RawImages, train: Images, evaluation: Images) -> None:
    """Refuse subsets and splits that leave a class without examples."""
    there = set(raw.train_labels.unique().tolist())
    judged = there if config.evaluate_on == "validation" else set(raw.test_labels.unique().tolist())
    held_out = config.evaluate_on == "validation"
    for name, images, classes in (
        ("train_examples", train, there),
        ("evaluation_examples", evaluation, judged),
    ):
        missing = sorted(classes - set(images.labels.unique().tolist()))
        if missing:
            named = ", ".join(raw.class_names[label] for label in missing[:5])
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            share = name == "evaluation_examples" and held_out
            raise ConfigError(
                f"data.{name}",
                len(images.labels),
                f"No image is left of class {named}{more}. Give more than that"
                + (", or a larger data.validation_share." if share else "."),
            )


def _statistics(
    config: DataConfig, pixels: Tensor, class_names: tuple[str, ...]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if config.normalization == "cifar" or (
        config.normalization == "auto" and class_names[:3] in CIFAR_CLASSES
    ):
        return CIFAR_MEAN, CIFAR_STD
    count = pixels[..., 0].numel()
    mean, std = [], []
    for channel in range(pixels.shape[3]):
        histogram = torch.bincount(pixels[..., channel].flatten().long(), minlength=256).double()
        values = torch.arange(256, dtype=torch.float64) / 255
        mu = (histogram @ values / count).item()
        variance = (histogram @ (values - mu) ** 2 / count).item()
        mean.append(mu)
        std.append(max(variance**0.5, 1 / 255))
    return tuple(mean), tuple(std)
