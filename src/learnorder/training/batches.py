"""Batches of a run: order, patches and normalisation, assembled on the device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from learnorder.config.settings import RunConfig
from learnorder.data import Augmentation, ImageData, Images
from learnorder.patterns import Draw, EvaluationSet, Patch, draw_accesses, draw_eligible
from learnorder.seeding import generator
from learnorder.training.process_group import ProcessGroup

_EVALUATED_AT_ONCE = 512


@dataclass(frozen=True)
class Batch:
    """A batch of images.

    Attributes:
        images: Normalised images with patterns, float32 [B, C, H, W] in channels-last memory order.
        labels: Classes, int64 [B].
        group: What each example shows, values of ``Group``, int64 [B].
        indices: Positions of the images in their set, int64 [B].
    """

    images: Tensor
    labels: Tensor
    group: Tensor
    indices: Tensor

    def __getitem__(self, rows: slice) -> Batch:
        """Return some rows of it."""
        return Batch(self.images[rows], self.labels[rows], self.group[rows], self.indices[rows])


class Batches:
    """All batches of a run, fixed by its configuration and seed.

    The order and the draws of an epoch depend only on the seed and the epoch. So arms with the same
    seed see the same images with the same patterns in the same order, and a run can continue at
    any step.

    Args:
        config: The run.
        data: Its images.
        device: Device on which batches are assembled.
    """

    def __init__(self, config: RunConfig, data: ImageData, device: torch.device) -> None:
        self._seed = config.seed
        self._batch_size = config.training.batch_size
        self._patch_config = config.patch
        self._device = device
        self._train = Images(data.train.pixels.to(device), data.train.labels.to(device))
        self._evaluation = Images(
            data.evaluation.pixels.to(device), data.evaluation.labels.to(device)
        )
        mean, std = torch.tensor(data.mean), torch.tensor(data.std)
        height, width = data.image_size  # one factor per pixel: broadcasting 3 channels is slow
        self._scale = (1 / (255 * std)).repeat(height * width).to(device)
        self._shift = (-mean / std).repeat(height * width).to(device)
        self.patch = draw_patch(config, data).to(device) if config.patch.planted else None
        path = config.data.augmentation
        self._augment = None if path is None else Augmentation(path)
        self.eligible = draw_eligible(
            config.patch, len(data.train), generator(config.seed, "eligible")
        )

    @property
    def steps(self) -> int:
        """Steps in an epoch."""
        return -(-len(self._train) // self._batch_size)

    def examples(self, step: int) -> int:
        """Return the number of examples of a step."""
        return min(self._batch_size, len(self._train) - step * self._batch_size)

    def draws(self, epoch: int) -> Draw:
        """Return the draws that determine what each training example shows in an epoch."""
        return draw_accesses(
            self._patch_config, self.eligible, generator(self._seed, "accesses", epoch)
        )

    def epoch(
        self, epoch: int, start: int = 0, group: ProcessGroup | None = None
    ) -> Iterator[Batch]:
        """Yield the training batches of an epoch, from step ``start`` on.

        Args:
            epoch: Counted from 1.
            start: Counted from 0.
            group: Process group whose process's rows are yielded; None yields all rows.
        """
        order = torch.randperm(len(self._train), generator=generator(self._seed, "order", epoch))
        order = order.to(self._device)
        draw = self.draws(epoch).to(self._device)[order]
        for first in range(start * self._batch_size, len(order), self._batch_size):
            step = first // self._batch_size
            shard = slice(None) if group is None else group.shard(self.examples(step))
            indices = order[first : first + self._batch_size]
            shown = draw[first : first + self._batch_size][shard]
            if (augment := self._augment) is None:
                pixels = self._train.pixels.index_select(0, indices[shard])
            else:  # its random draws are for the whole batch
                images = self._train.pixels.index_select(0, indices).permute(0, 3, 1, 2)
                images = augment(images, self._seed, epoch, step)[shard]
                pixels = images.permute(0, 2, 3, 1).contiguous()
            indices = indices[shard]
            yield self._assemble(pixels, self._train.labels[indices], indices, shown)

    @property
    def evaluation_labels(self) -> Tensor:
        """Classes of the evaluation images, int64 [N]."""
        return self._evaluation.labels

    def evaluation_rows(self) -> tuple[Tensor, ...]:
        """Return the row indices of the evaluation images, split into batches."""
        return torch.arange(len(self._evaluation)).split(_EVALUATED_AT_ONCE)

    def evaluation(self, chosen: EvaluationSet) -> Iterator[Batch]:
        """Yield the evaluation images as shown in an evaluation set."""
        for rows in self.evaluation_rows():
            yield self.shown(chosen, rows)

    def shown(self, chosen: EvaluationSet, rows: Tensor) -> Batch:
        """Return some of the evaluation images as shown in an evaluation set."""
        draw, labels = chosen.draw[rows].to(self._device), chosen.pattern_labels[rows]
        rows = rows.to(self._device)
        images = self._evaluation.pixels.index_select(0, rows)
        truth = self._evaluation.labels[rows]
        return self._assemble(images, truth, rows, draw, labels.to(self._device))

    def _assemble(
        self,
        pixels: Tensor,
        labels: Tensor,
        indices: Tensor,
        draw: Draw,
        pattern_labels: Tensor | None = None,
    ) -> Batch:
        """Normalise images, uint8 [B, H, W, C], and plant the patterns."""
        flat = pixels.flatten(1).float()
        torch.addcmul(self._shift, flat, self._scale, out=flat)
        planted = flat.view(pixels.shape).permute(0, 3, 1, 2)
        if self.patch is not None:
            self.patch.plant(planted, labels if pattern_labels is None else pattern_labels, draw)
        return Batch(planted, labels, draw.group, indices)


def draw_patch(config: RunConfig, data: ImageData) -> Patch:
    """Return the pattern of a run, which all arms with the same seed share."""
    return Patch.draw(
        config.patch,
        channels=data.channels,
        num_classes=data.num_classes,
        image_size=data.image_size,
        generator=generator(config.seed, "pattern"),
    )
