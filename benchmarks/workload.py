"""The workload of the benchmarks: the paper's patch experiment at 32×32, on a narrow network."""

from __future__ import annotations

from dataclasses import replace

import torch

from learnorder.config import DataConfig, ModelConfig, RunConfig
from learnorder.data import ImageData, Images, load_images
from learnorder.data.images import CIFAR_MEAN, CIFAR_STD
from learnorder.recipes.patch import paper


def paper_run(source: str, images: int, side: int = 32) -> tuple[RunConfig, ImageData]:
    """Return the published recipe on WRN-16-1, and ``images`` images of ``side`` pixels a side.

    Args:
        source: "random" for random pixels (speed does not depend on them), or a data source.
        images: How many.
        side: Their size; smaller ones take a quarter of it as the patch.
    """
    config = paper().run("large", seed=0)
    config = replace(config, model=ModelConfig("WideResNet", {"depth": 16, "widen_factor": 1}))
    if side < 32:
        config = replace(config, patch=replace(config.patch, size=max(1, side // 4)))
    if source != "random":
        wanted = DataConfig(
            source=source, train_examples=images, evaluation_examples=100, resolution=side
        )
        return config, load_images(wanted)
    drawing = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (images, side, side, 3), dtype=torch.uint8, generator=drawing)
    labels = torch.randint(0, 10, (images,), generator=drawing)
    names = tuple(str(value) for value in range(10))
    few = Images(pixels[:100], labels[:100])
    return config, ImageData(Images(pixels, labels), few, names, CIFAR_MEAN, CIFAR_STD)
