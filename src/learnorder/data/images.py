"""Images as one uint8 tensor with labels, and the splits an experiment uses."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from learnorder.config.settings import DataConfig
from learnorder.data.groups import Grouping
from learnorder.data.image_groups import Chosen, group_images, train_groups
from learnorder.data.sources import ONE_CLASS, RawImages, load_source
from learnorder.data.splits import stratified_order
from learnorder.errors import ConfigError, DataError

CIFAR_MEAN = tuple(value / 255 for value in (125.3, 123.0, 113.9))
CIFAR_STD = tuple(value / 255 for value in (63.0, 62.1, 66.7))
CIFAR_CLASSES = {("airplane", "automobile", "bird"), ("apple", "aquarium_fish", "baby")}
"""The first classes of CIFAR-10 and CIFAR-100, which identify these data sets."""


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
    """The training and evaluation images of an experiment.

    Attributes:
        train: Training images.
        evaluation: Images of the test or the validation split.
        class_names: Name of each label.
        mean: Channel means in [0, 1], for normalisation.
        std: Channel standard deviations in [0, 1].
        modes: Number of images by Pillow mode of the files.
        sizes: Number of images by (width, height) of the files.
        converted: Number of images by conversion to RGB; see :func:`~learnorder.data.rgb.to_rgb`.
        skipped: Number of skipped files by reason.
        repeated: Number of evaluation images that are pixel for pixel training images.
        relabeled: Number of these that have another label in the training set.
        groups: The known groups of the images; None without ``data.group_column``.
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
    groups: Grouping | None = None

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
    """Load the training and evaluation images of a configuration.

    Training images are put in a stratified random order. Its start is the training subset and its
    end the validation split, so runs evaluated on validation and on test images share their
    training images if both fit. Strata are classes, and with ``group_column`` each class's values.

    Raises:
        DataError: The data are missing, unreadable or unsuitable.
        ConfigError: The data have fewer images than the settings require.
    """
    raw = load_source(config)
    free, held_out = _train_orders(config, raw)
    train = free[: _size("train_examples", config.train_examples, len(free))]
    if config.evaluate_on == "validation":
        pool = held_out
        split = "train"
    else:
        pool = stratified_order(raw.strata("test"), config.subset_seed)
        split = "test"
    evaluation = pool[: _size("evaluation_examples", config.evaluation_examples, len(pool))]

    train_labels, evaluation_labels = raw.train_labels[train], raw.labels(split)[evaluation]
    _check_labels(raw, train_labels, evaluation_labels)
    chosen = Chosen(train, evaluation, free, pool, split)
    _check_classes(config, raw, chosen)
    groups = group_images(config, raw, chosen)
    train_images = Images(raw.decode("train", train), train_labels)
    evaluation_images = Images(raw.decode(split, evaluation), evaluation_labels)
    _check_sizes(raw, train_images, evaluation_images)
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
        groups=groups,
    )


def count_repeated(train: Images, evaluation: Images) -> tuple[int, int]:
    """Count the evaluation images that are, as decoded, pixel for pixel training images.

    Returns:
        Their number, and the number of those that equal no training image of their own class.
    """
    evaluated = list(_digests(evaluation))
    train_labels: dict[bytes, set[int]] = {digest: set() for digest, _ in evaluated}
    for digest, label in _digests(train):
        if digest in train_labels:
            train_labels[digest].add(label)
    same_label = [label in known for digest, label in evaluated if (known := train_labels[digest])]
    return len(same_label), same_label.count(False)


def _digests(images: Images) -> Iterator[tuple[bytes, int]]:
    """Yield a digest of the pixels and the label of each image."""
    for pixels, label in zip(images.pixels.numpy(), images.labels.tolist(), strict=True):
        yield hashlib.blake2b(pixels.tobytes(), digest_size=16).digest(), label


def load_unseen(config: DataConfig, most: int) -> tuple[Images, Tensor | None] | None:
    """Return images of the training split that a run neither trains nor is evaluated on.

    Args:
        config: Settings of the run's data.
        most: The largest number of images, which are stratified.

    Returns:
        The images, and the group of each as in :func:`load_images`, int64 [N], None without groups.
        None if the run uses all images.

    Raises:
        DataError: The data are missing, unreadable or unsuitable.
    """
    raw = load_source(config)
    free, _ = _train_orders(config, raw)
    used = len(free) if config.train_examples is None else config.train_examples
    chosen = free[used : used + most]
    if not len(chosen):
        return None
    images = Images(raw.decode("train", chosen), raw.train_labels[chosen])
    split = "train" if config.evaluate_on == "validation" else "test"
    return images, train_groups(config, raw, split, chosen)


def _train_orders(config: DataConfig, raw: RawImages) -> tuple[Tensor, Tensor]:
    """Return stratified orders of the training images and of the validation split."""
    order = stratified_order(raw.strata("train"), config.subset_seed)
    free = len(order) - round(config.validation_share * len(order))
    return order[:free], order[free:]


def _size(field: str, wanted: int | None, available: int) -> int:
    if wanted is not None and wanted > available:
        raise ConfigError(
            f"data.{field}",
            wanted,
            f"There are {available} images for it (without those of the validation split). Give "
            f"at most {available}, or null for all.",
        )
    return available if wanted is None else wanted


def _check_sizes(raw: RawImages, train: Images, evaluation: Images) -> None:
    """Refuse evaluation images whose size differs from that of the training images."""
    height, width, channels = train.pixels.shape[1:]
    other_height, other_width, other_channels = evaluation.pixels.shape[1:]
    if (other_height, other_width) != (height, width):
        raise DataError(
            f"{raw.name}: training images have {height}×{width} pixels and evaluation images "
            f"{other_height}×{other_width}. Resize all images, e.g. with --data.resolution "
            f"{min(height, width)}."
        )
    if other_channels != channels:
        raise DataError(
            f"{raw.name}: training images have {channels} channels and evaluation images "
            f"{other_channels}. Use the same number for both."
        )


def _check_labels(raw: RawImages, train: Tensor, evaluation: Tensor) -> None:
    classes = len(raw.class_names)
    if not (len(train) and len(evaluation)):
        raise DataError(f"{raw.name}: a split contains no images. Add images to it.")
    if classes < 2 or len(train.unique()) < 2:
        raise DataError(f"{raw.name}: {ONE_CLASS}")
    if not raw.named and len(raw.train_labels.unique()) < classes:
        raise DataError(
            f"{raw.name}: the largest label is {classes - 1}, but some smaller labels do not occur "
            "in the training images. Number the classes from 0 without gaps."
        )
    for labels in (train, evaluation):
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= classes:
            raise DataError(
                f"{raw.name}: labels range from {low} to {high} but there are {classes} class "
                f"names. Labels must be integers from 0 to {classes - 1}."
            )


def _check_classes(config: DataConfig, raw: RawImages, chosen: Chosen) -> None:
    """Refuse subsets and splits that leave a class without examples."""
    subset = "The subset contains no image of class {}. Increase data.{}."
    cut = "It leaves no training image of class {}. Decrease data.{}."
    held = "The validation split contains no image of class {}. Increase data.{}."
    for name, split, index, pool, words in (
        ("train_examples", "train", chosen.train, chosen.train_pool, cut),
        ("evaluation_examples", chosen.split, chosen.evaluation, chosen.evaluation_pool, held),
    ):
        labels = raw.labels(split)
        missing = _classes(labels) - _classes(labels[index])
        if not missing:
            continue
        in_pool = missing & _classes(labels[pool])
        names = [raw.class_names[label] for label in sorted(in_pool or missing)]
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        setting, words = (name, subset) if in_pool else ("validation_share", words)
        remedy = words.format(", ".join(names[:5]) + more, setting)
        raise ConfigError(f"data.{setting}", getattr(config, setting), remedy)


def _classes(labels: Tensor) -> set[int]:
    return set(labels.unique().tolist())


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
