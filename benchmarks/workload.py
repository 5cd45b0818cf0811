"""The workload of the benchmarks: the paper's patch experiment, on a network of any width."""

from __future__ import annotations

from dataclasses import replace

import torch

from learnorder.config.settings import DataConfig, ModelConfig, RunConfig
from learnorder.data import ImageData, Images, load_images
from learnorder.data.images import CIFAR_MEAN, CIFAR_STD
from learnorder.images.patch import laptop, paper


def paper_run(
    source: str, images: int, side: int = 32, widen_factor: int = 1
) -> tuple[RunConfig, ImageData]:
    """Return the published recipe on a thinner network, and ``images`` images of ``side`` pixels.

    Args:
        source: "random" for random pixels (speed does not depend on them), or a data source.
        images: How many.
        side: Their size; smaller ones take a quarter of it as the patch.
        widen_factor: Of the network; the paper's is 10.
    """
    config = paper().run("large", seed=0)
    network = ModelConfig("WideResNet", {"depth": 16, "widen_factor": widen_factor})
    config = replace(config, model=network)
    if side < 32:
        config = replace(config, patch=replace(config.patch, size=max(1, side // 4)))
    if source != "random":
        wanted = DataConfig(
            source=source, train_examples=images, evaluation_examples=100, resolution=side
        )
        return config, load_images(wanted)
    return config, random_images(images, side)


def laptop_run(images: int) -> tuple[RunConfig, ImageData]:
    """Return the recipe of a laptop (WRN-16-1, 16×16), and random images for it."""
    return laptop().run("large", seed=0), random_images(images, 16)


def random_images(images: int, side: int) -> ImageData:
    """Return images of random pixels, the first 100 to evaluate on, too."""
    drawing = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (images, side, side, 3), dtype=torch.uint8, generator=drawing)
    labels = torch.randint(0, 10, (images,), generator=drawing)
    names = tuple(str(value) for value in range(10))
    few = Images(pixels[:100], labels[:100])
    return ImageData(Images(pixels, labels), few, names, CIFAR_MEAN, CIFAR_STD)
