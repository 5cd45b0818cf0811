"""Training a network on images with planted patterns, and measuring it after every epoch."""

from learnorder.training.batches import Batch, Batches, draw_patch
from learnorder.training.image_problem import ImageProblem, image_trainer, network_of
from learnorder.training.records import Records
from learnorder.training.trainer import Outcome, Timing, Trainer

__all__ = [
    "Batch",
    "Batches",
    "ImageProblem",
    "Outcome",
    "Records",
    "Timing",
    "Trainer",
    "draw_patch",
    "image_trainer",
    "network_of",
]
