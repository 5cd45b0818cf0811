"""Fixed sets that ask what a model has learned: the content, the pattern, and which it follows."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from learnorder.config.settings import PatchConfig
from learnorder.patterns.patch import Draw, Group, draw_accesses, draw_eligible
from learnorder.seeding import generator


@dataclass(frozen=True)
class EvaluationSet:
    """The evaluation images as one set shows them, fixed for a seed.

    Attributes:
        name: clean, mixed, patch_only or conflict.
        draw: What each image shows.
        pattern_labels: Class of each image's pattern, int64 [N].
    """

    name: str
    draw: Draw
    pattern_labels: Tensor


def evaluation_sets(
    config: PatchConfig, labels: Tensor, num_classes: int, seed: int
) -> list[EvaluationSet]:
    """Return the fixed sets over the evaluation images.

    - clean: the images as they are; the only set where no patch is planted.
    - mixed: the training rule (eligible share, patch-only share) applied once.
    - patch_only: zeros with the pattern of the image's class at amplitude ±1, as it stands on
      images, or with probability patch_only_share at ±patch_only_amplitude · U[0, 1], as it stands
      alone in training. So the published code evaluates it.
    - conflict: each image of class i whole, with the pattern of a class j ≠ i drawn uniformly,
      at amplitude ±1.

    Args:
        config: The patch.
        labels: int64 [N].
        num_classes: Number of classes.
        seed: The run's seed.
    """
    count = len(labels)
    nothing = Draw(torch.full((count,), int(Group.CLEAN)), torch.zeros(count))
    sets = [EvaluationSet("clean", nothing, labels)]
    if not config.planted:
        return sets
    eligible = draw_eligible(config, count, generator(seed, "evaluation", "eligible"))
    mixed = draw_accesses(config, eligible, generator(seed, "evaluation", "mixed"))
    everyone = torch.ones(count, dtype=torch.bool)
    alone = draw_accesses(config, everyone, generator(seed, "evaluation", "patch_only"))
    alone = Draw(torch.full((count,), int(Group.PATCH_ONLY)), alone.amplitude)
    drawing = generator(seed, "evaluation", "conflict")
    shift = torch.randint(1, num_classes, (count,), generator=drawing)
    sign = 1.0 - 2.0 * torch.randint(0, 2, (count,), generator=drawing)
    conflict = Draw(torch.full((count,), int(Group.BOTH)), sign)
    return [
        *sets,
        EvaluationSet("mixed", mixed, labels),
        EvaluationSet("patch_only", alone, labels),
        EvaluationSet("conflict", conflict, (labels + shift) % num_classes),
    ]


@dataclass(frozen=True)
class Reliance:
    """Whether a model follows the pattern or the content where they disagree.

    Attributes:
        content: Share of conflict images predicted as the image's class.
        pattern: Share predicted as the pattern's class.
        neither: Share predicted as another class.
        baseline: Share of the same images, without a pattern, predicted as the pattern's class.
    """

    content: float
    pattern: float
    neither: float
    baseline: float

    @property
    def reliance(self) -> float:
        """P(prediction = pattern's class | conflict) − the same without a pattern, in [−1, 1]."""
        return self.pattern - self.baseline


def measure_reliance(
    conflict: Tensor, without_pattern: Tensor, labels: Tensor, pattern_labels: Tensor
) -> Reliance:
    """Compare predictions on conflict images with those on the same images without a pattern.

    Args:
        conflict: Predicted classes on the conflict images, int64 [N].
        without_pattern: Predicted classes on the same images as they are, int64 [N].
        labels: The images' classes, int64 [N].
        pattern_labels: The patterns' classes, int64 [N], each unlike the image's.

    >>> labels, patterns = torch.tensor([0, 0, 0, 0]), torch.tensor([1, 1, 2, 2])
    >>> clean = torch.tensor([0, 1, 0, 0])
    >>> measure_reliance(torch.tensor([1, 1, 2, 0]), clean, labels, patterns).reliance
    0.5
    """

    def share(predictions: Tensor, classes: Tensor) -> float:
        return (predictions == classes).double().mean().item()

    content, pattern = share(conflict, labels), share(conflict, pattern_labels)
    return Reliance(content, pattern, 1 - content - pattern, share(without_pattern, pattern_labels))
