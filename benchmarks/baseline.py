"""The straightforward way: one image at a time through a DataLoader, as published code does it."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from learnorder.config.settings import PatchConfig
from learnorder.data import ImageData
from learnorder.patterns import Patch


class PerItem(Dataset):
    """Item access, tensor conversion, normalisation, patch: each image on its own."""

    def __init__(self, data: ImageData, patch: Patch, config: PatchConfig) -> None:
        self.pixels = data.train.pixels.numpy()
        self.labels = data.train.labels.tolist()
        self.mean = torch.tensor(data.mean).view(3, 1, 1)
        self.std = torch.tensor(data.std).view(3, 1, 1)
        self.patch, self.config = patch, config
        self.eligible = np.random.default_rng(0).random(len(self.labels)) < config.eligible_share

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        picture = Image.fromarray(self.pixels[index])
        image = torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous().float().div(255)
        image.sub_(self.mean).div_(self.std)
        label = self.labels[index]
        if self.eligible[index]:
            amplitude = 1.0
            if np.random.random() < self.config.patch_only_share:
                image[:] = 0
                amplitude = self.config.patch_only_amplitude * np.random.random()
            sign = -1 if np.random.random() < 0.5 else 1
            size, top, left = self.config.size, self.patch.top, self.patch.left
            image[:, top : top + size, left : left + size] = (
                self.patch.z + sign * amplitude * self.patch.zeta[label]
            )
        return image, label


def loader(data: ImageData, patch: Patch, config: PatchConfig, batch_size: int) -> DataLoader:
    """Return a shuffling loader with one worker process."""
    items = PerItem(data, patch, config)
    return DataLoader(
        items, batch_size=batch_size, shuffle=True, num_workers=1, persistent_workers=True
    )
