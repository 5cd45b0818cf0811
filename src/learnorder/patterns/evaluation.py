"""Fixed sets that measure what a model has learned: the content, the pattern, and reliance."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from learnorder.config.settings import PatchConfig
from learnorder.patterns.patch import Draw, Group, draw_accesses, draw_eligible
from learnorder.seeding import generator


@dataclass(frozen=True)
class EvaluationSet:
    """One set of evaluation images, fixed for a seed.

    Attributes:
        name: clean, mixed, patch_only or conflict.
        draw: The group and pattern amplitude of each image.
        pattern_labels: Class of each image's pattern, int64 [N].
    """

    name: str
    draw: Draw
    pattern_labels: Tensor


def evaluation_sets(
    config: PatchConfig, labels: Tensor, num_classes: int, seed: int
) -> list[EvaluationSet]:
    """Return the fixed sets over the evaluation images.

    - clean: the images without a patch. It is the only set if the patch is not planted.
    - mixed: the training rule (eligible share, patch-only share) applied once.
    - patch_only: zeros with the pattern of the image's class, as in the published code. The
      amplitude is ±1, as on images, or with probability patch_only_share
      ±patch_only_amplitude · U[0, 1], as for the pattern alone in training.
    - conflict: images of class i with the pattern of a class j ≠ i, drawn uniformly, at amplitude
      ±1.

    Args:
        config: The patch.
        labels: Classes of the images, int64 [N].
        num_classes: Number of classes.
        seed: The run's seed.
    """
    count = len(labels)
    clean = Draw(torch.full((count,), int(Group.CLEAN)), torch.zeros(count))
    sets = [EvaluationSet("clean", clean, labels)]
    if not config.planted:
        return sets
    eligible = draw_eligible(config, count, generator(seed, "evaluation", "eligible"))
    mixed = draw_accesses(config, eligible, generator(seed, "evaluation", "mixed"))
    all_eligible = torch.ones(count, dtype=torch.bool)
    accesses = draw_accesses(config, all_eligible, generator(seed, "evaluation", "patch_only"))
    patch_only = Draw(torch.full((count,), int(Group.PATCH_ONLY)), accesses.amplitude)
    rng = generator(seed, "evaluation", "conflict")
    shift = torch.randint(1, num_classes, (count,), generator=rng)
    sign = 1.0 - 2.0 * torch.randint(0, 2, (count,), generator=rng)
    conflict = Draw(torch.full((count,), int(Group.BOTH)), sign)
    return [
        *sets,
        EvaluationSet("mixed", mixed, labels),
        EvaluationSet("patch_only", patch_only, labels),
        EvaluationSet("conflict", conflict, (labels + shift) % num_classes),
    ]


@dataclass(frozen=True)
class Reliance:
    """Whether a model follows the pattern or the content if they disagree.

    Attributes:
        content: Fraction of conflict images predicted as the image's class.
        pattern: Fraction predicted as the pattern's class.
        neither: Fraction predicted as another class.
        baseline: Fraction of the same images, without a pattern, predicted as the pattern's class.
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
        without_pattern: Predicted classes on the same images without a pattern, int64 [N].
        labels: Classes of the images, int64 [N].
        pattern_labels: Classes of the patterns, int64 [N], each different from the image's.

    >>> labels, patterns = torch.tensor([0, 0, 0, 0]), torch.tensor([1, 1, 2, 2])
    >>> clean = torch.tensor([0, 1, 0, 0])
    >>> measure_reliance(torch.tensor([1, 1, 2, 0]), clean, labels, patterns).reliance
    0.5
    """
    content, pattern = conflict == labels, conflict == pattern_labels
    shares = (content, pattern, ~(content | pattern), without_pattern == pattern_labels)
    return Reliance(*(where.double().mean().item() for where in shares))
