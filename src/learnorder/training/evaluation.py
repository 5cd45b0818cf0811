"""Evaluation of a model on a run's evaluation sets."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from learnorder.data.groups import Grouping
from learnorder.models.modes import evaluation_mode
from learnorder.patterns import EvaluationSet, Reliance, measure_reliance
from learnorder.training.batches import Batches
from learnorder.training.group_scores import class_scores, mean_losses
from learnorder.training.process_group import ProcessGroup
from learnorder.training.records import Records


@torch.no_grad()
def evaluate(
    model: nn.Module,
    batches: Batches,
    sets: list[EvaluationSet],
    records: Records,
    epoch: int,
    group: ProcessGroup,
    known_groups: Grouping | None = None,
) -> bool:
    """Add a model's accuracy and loss on every set, and its reliance on the pattern, to records.

    Known groups are measured on the clean set: reliance there is that on the attribute.

    The model is in evaluation mode meanwhile; its modes are restored. Several processes divide the
    images, and each gets the results of all.

    Returns:
        Whether every loss is finite.
    """
    finite = True
    predictions: dict[str, Tensor] = {}
    truth = batches.evaluation_labels.cpu()
    for chosen in sets:
        values = torch.zeros(2, len(truth), device=group.device)
        predicted, losses = values
        with evaluation_mode(model):
            for rows in group.share(batches.evaluation_rows()):
                batch = batches.shown(chosen, rows)
                logits = model(batch.images).float()
                predicted[rows] = logits.argmax(1).float()
                losses[rows] = F.cross_entropy(logits, batch.labels, reduction="none")
        predicted, losses = group.total(values).cpu()
        predictions[chosen.name] = predicted.long()
        correct = predictions[chosen.name] == truth
        accuracy = correct.double().mean().item()
        records.add(epoch, chosen.name, "accuracy", accuracy, n=len(truth))
        loss = losses.double().mean().item()
        finite = finite and math.isfinite(loss)
        records.add(epoch, chosen.name, "loss", loss, n=len(truth))
        if chosen.name == "clean" and known_groups is not None:
            counted = torch.stack((correct, torch.ones_like(correct)))
            scores = class_scores(known_groups, counted, mean_losses(known_groups, losses))
            scores.write(records, epoch, "clean", known_groups)
        if chosen.name == "conflict":
            reliance = measure_reliance(
                predictions["conflict"], predictions["clean"], truth, chosen.pattern_labels
            )
            add_reliance(records, epoch, reliance, len(truth))
    return finite


def add_reliance(records: Records, epoch: int, reliance: Reliance, examples: int) -> None:
    """Add the shares of predictions on conflict examples to records."""
    for quantity in ("content", "pattern", "neither", "baseline", "reliance"):
        name = quantity if quantity == "reliance" else f"share_{quantity}"
        records.add(epoch, "conflict", name, getattr(reliance, quantity), n=examples)
