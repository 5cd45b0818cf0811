"""Images as data sets of normalised tensors, for tasks."""

from __future__ import annotations

import torch
from torch.utils.data import TensorDataset

from learnorder.config.settings import DataConfig
from learnorder.data import Images, load_images


def image_sets(config: DataConfig) -> tuple[TensorDataset, TensorDataset]:
    """Return training and validation images, normalised by channel, with their classes."""
    data = load_images(config)
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (data.mean, data.std))

    def dataset(part: Images) -> TensorDataset:
        return TensorDataset((part.pixels.movedim(3, 1) / 255 - mean) / std, part.labels)

    return dataset(data.train), dataset(data.evaluation)
