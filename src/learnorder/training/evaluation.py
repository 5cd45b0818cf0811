"""Evaluation of a model on the fixed sets of a run."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from learnorder.patterns import EvaluationSet, measure_reliance
from learnorder.training.batches import Batches
from learnorder.training.records import Records


@torch.no_grad()
def evaluate(
    model: nn.Module, batches: Batches, sets: list[EvaluationSet], records: Records, epoch: int
) -> bool:
    """Add a model's accuracy and loss on every set, and its reliance on the pattern, to records.

    The model is evaluated in evaluation mode and left in training mode.

    Returns:
        Whether every loss is finite.
    """
    model.eval()
    finite = True
    predictions: dict[str, Tensor] = {}
    for chosen in sets:
        predicted, labels, losses = [], [], []
        for batch in batches.evaluation(chosen):
            logits = model(batch.images).float()
            predicted.append(logits.argmax(1))
            labels.append(batch.labels)
            losses.append(F.cross_entropy(logits, batch.labels, reduction="none"))
        predictions[chosen.name] = torch.cat(predicted).cpu()
        truth = torch.cat(labels).cpu()
        correct = (predictions[chosen.name] == truth).double().mean().item()
        records.add(epoch, chosen.name, "accuracy", correct, n=len(truth))
        loss = torch.cat(losses).cpu().double().mean().item()
        finite = finite and math.isfinite(loss)
        records.add(epoch, chosen.name, "loss", loss, n=len(truth))
        if chosen.name == "conflict":
            found = measure_reliance(
                predictions["conflict"], predictions["clean"], truth, chosen.pattern_labels
            )
            for quantity in ("content", "pattern", "neither", "baseline", "reliance"):
                value = getattr(found, quantity)
                name = quantity if quantity == "reliance" else f"share_{quantity}"
                records.add(epoch, "conflict", name, value, n=len(truth))
    model.train()
    return finite
