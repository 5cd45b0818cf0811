"""Training a network on images with planted patterns, and measuring it after every epoch."""

from learnorder.training.batches import Batch, Batches, draw_patch
from learnorder.training.records import Records
from learnorder.training.trainer import Outcome, Timing, Trainer, network_of

__all__ = [
    "Batch",
    "Batches",
    "Outcome",
    "Records",
    "Timing",
    "Trainer",
    "draw_patch",
    "network_of",
]
