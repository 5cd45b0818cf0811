"""The tasks of the experiments on later papers' claims."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from learnorder.config.settings import DataConfig
from learnorder.data.images import load_images
from learnorder.models import MLP, ConvNet, WideResNet
from learnorder.reproduce.papers.groups import FLIPPED, KEPT
from learnorder.reproduce.papers.invariant import InvariantConvNet
from learnorder.reproduce.papers.networks import HiddenPixels, KernelMLP
from learnorder.seeding import generator
from learnorder.training.groups import Groups
from learnorder.training.task import Task

Network = Literal["mlp", "convnet", "wrn", "unnormalised convnet", "invariant convnet"]
Loss = Literal["cross-entropy", "squared error"]
_HELD_OUT = 0.4
"""Share of the digits that is held out."""
_WIDTHS = (16, 32, 64)
"""Channels of convolutional networks."""


def noisy_labels(
    network: Network = "mlp",
    noise: float = 0.3,
    draw: int = 0,
    source: str = "digits",
    size: int | None = None,
    examples: int | None = None,
) -> Task:
    """Return the classification of images of which some have a wrong label.

    In the training and the validation data, a share of the labels is replaced by one of the other
    classes at random. The groups are the examples with a correct and with a wrong label.

    Args:
        network: mlp, convnet, wrn, or unnormalised convnet (without batch norm).
        noise: Share of the labels that are wrong.
        draw: Seed of the validation split and of the wrong labels.
        source: Location of the images.
        size: Height and width to which they are scaled; None keeps them.
        examples: Number of training images; None takes all.
    """
    train, validation, classes = split_images(source, draw, size, examples)
    parts, groups = list[TensorDataset](), list[list[str]]()
    drawing = generator(draw, "wrong labels")
    for images, labels in (train, validation):
        wrong = torch.rand(len(labels), generator=drawing) < noise
        shift = torch.randint(1, classes, (len(labels),), generator=drawing)
        parts.append(TensorDataset(images, torch.where(wrong, (labels + shift) % classes, labels)))
        groups.append([FLIPPED if flag else KEPT for flag in wrong.tolist()])
    return Task(
        model=network_of(network, train[0], classes),
        train=parts[0],
        validation=parts[1],
        groups=Groups(groups[0], groups[1], name="label", spurious=False),
    )


def labelled_images(
    network: Network = "convnet",
    loss: Loss = "cross-entropy",
    draw: int = 0,
    source: str = "digits",
    size: int | None = None,
    examples: int | None = None,
) -> Task:
    """Return the classification of images.

    Args:
        network: mlp, convnet, wrn, unnormalised convnet (without batch norm), or invariant convnet
            (:class:`~learnorder.reproduce.papers.invariant.InvariantConvNet`).
        loss: cross-entropy, or :func:`half_squared_error`.
        draw: Seed of the validation split.
        source: Location of the images.
        size: Height and width to which they are scaled; None keeps them.
        examples: Number of training images; None takes all.
    """
    train, validation, classes = split_images(source, draw, size, examples)
    return Task(
        model=network_of(network, train[0], classes),
        train=TensorDataset(*train),
        validation=TensorDataset(*validation),
        loss=_LOSSES[loss],
    )


def hidden_pixels(
    network: Network = "convnet",
    share: float = 0.6,
    draw: int = 0,
    source: str = "digits",
    size: int | None = None,
    examples: int | None = None,
) -> Task:
    """Return the classification of images of which each step sees other pixels.

    An image is hardly ever the same twice, as in a single pass over much data, and its class
    remains uncertain, so that the training loss does not reach 0.

    Args:
        network: mlp, convnet or wrn.
        share: Share of the pixels that are hidden in training; see
            :class:`~learnorder.reproduce.papers.networks.HiddenPixels`.
        draw: Seed of the validation split.
        source: Location of the images.
        size: Height and width to which they are scaled; None keeps them.
        examples: Number of training images; None takes all.
    """
    train, validation, classes = split_images(source, draw, size, examples)
    make = network_of(network, train[0], classes)
    return Task(
        model=lambda: HiddenPixels(make(), share),
        train=TensorDataset(*train),
        validation=TensorDataset(*validation),
    )


def wide_mlp(
    width: int = 256,
    loss: Loss = "cross-entropy",
    draw: int = 0,
    source: str = "digits",
    size: int | None = None,
    examples: int | None = None,
) -> Task:
    """Return the classification of images by a perceptron in the standard parametrisation.

    There are two hidden layers. Initially the weights are N(0, 2 / fan-in) (He) and the biases 0.

    Both losses have the gradient "prediction minus target" with respect to the outputs: the
    probabilities minus the one-hot label for cross-entropy, the outputs minus it for
    :func:`half_squared_error`. Their curvatures differ: with K classes and equal outputs, the
    Hessian with respect to the outputs has the eigenvalue 1/K for cross-entropy, and 1 for the
    squared error.

    Args:
        width: Units of each hidden layer.
        loss: cross-entropy, or squared error.
        draw: Seed of the validation split.
        source: Location of the images.
        size: Height and width to which they are scaled; None keeps them.
        examples: Number of training images; None takes all.
    """
    train, validation, classes = split_images(source, draw, size, examples)
    channels, *shape = train[0].shape[1:]
    return Task(
        model=lambda: _he(MLP(classes, (shape[0], shape[1]), (width, width), channels)),
        train=TensorDataset(*train),
        validation=TensorDataset(*validation),
        loss=_LOSSES[loss],
    )


def _he(model: nn.Module) -> nn.Module:
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
    return model


def squared_error(
    widths: Sequence[int] = (512,),
    draw: int = 0,
    source: str = "digits",
    size: int | None = None,
    examples: int | None = None,
) -> Task:
    """Return the classification of images by a :class:`KernelMLP` with a squared error.

    Args:
        widths: Units of each hidden layer.
        draw: Seed of the validation split.
        source: Location of the images.
        size: Height and width to which they are scaled; None keeps them.
        examples: Number of training images; None takes all.
    """
    train, validation, classes = split_images(source, draw, size, examples)
    inputs = train[0][0].numel()
    return Task(
        model=lambda: KernelMLP(classes, inputs, widths),
        train=TensorDataset(*train),
        validation=TensorDataset(*validation),
        loss=half_squared_error,
    )


def half_squared_error(outputs: Tensor, labels: Tensor) -> Tensor:
    """Return ½ Σ_c (f_c − 1[c = y])² of each example [B], for outputs [B, C] and labels [B].

    >>> half_squared_error(torch.tensor([[1.0, 0.0], [2.0, 0.0]]), torch.tensor([0, 1]))
    tensor([0.0000, 2.5000])
    """
    targets = F.one_hot(labels, outputs.shape[1]).to(outputs.dtype)
    return (outputs - targets).square().sum(1) / 2


_LOSSES: dict[Loss, Callable[[Tensor, Tensor], Tensor]] = {
    "cross-entropy": F.cross_entropy,
    "squared error": half_squared_error,
}


def network_of(name: Network, images: Tensor, classes: int) -> Callable[[], nn.Module]:
    """Return a function that makes a network for images [N, C, H, W]."""
    channels, size = images.shape[1], (images.shape[2], images.shape[3])
    if name == "mlp":
        return lambda: MLP(classes, size, (256, 256), channels)
    if name == "convnet":
        return lambda: ConvNet(classes, _WIDTHS, channels)
    if name == "unnormalised convnet":
        return lambda: ConvNet(classes, _WIDTHS, channels, normalised=False)
    if name == "invariant convnet":
        return lambda: InvariantConvNet(classes, _WIDTHS, channels)
    return lambda: WideResNet(16, 4, classes, channels)


Labelled = tuple[Tensor, Tensor]
"""Images, float [N, C, H, W], normalised, and their labels."""


def split_images(
    source: str, draw: int, size: int | None, examples: int | None
) -> tuple[Labelled, Labelled, int]:
    """Return training and validation images with their labels, and the number of classes."""
    config = DataConfig(
        source=source,
        resolution=size,
        train_examples=examples,
        subset_seed=draw,
        evaluate_on="validation",
        validation_share=_HELD_OUT,
    )
    data = load_images(config)

    def labelled(images: Tensor, labels: Tensor) -> Labelled:
        pixels = images.permute(0, 3, 1, 2).float() / 255
        mean, std = (torch.tensor(v).view(1, -1, 1, 1) for v in (data.mean, data.std))
        return (pixels - mean) / std, labels

    train = labelled(data.train.pixels, data.train.labels)
    return train, labelled(data.evaluation.pixels, data.evaluation.labels), data.num_classes


def passes_over(count: int, passes: int) -> Callable[[torch.Generator], Tensor]:
    """Return a function from a generator to permutations of ``count`` examples, one after another.

    >>> passes_over(3, 2)(torch.Generator()).sort().values
    tensor([0, 0, 1, 1, 2, 2])
    """

    def positions(generator: torch.Generator) -> Tensor:
        return torch.cat([torch.randperm(count, generator=generator) for _ in range(passes)])

    return positions
