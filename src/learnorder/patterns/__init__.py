"""Memorisable patterns planted in images, and sets that measure what was learned."""

from learnorder.patterns.evaluation import (
    EvaluationSet,
    Reliance,
    evaluation_sets,
    measure_reliance,
)
from learnorder.patterns.gallery import Gallery, draw_gallery, to_pixels
from learnorder.patterns.patch import Draw, Group, Patch, draw_accesses, draw_eligible

__all__ = [
    "Draw",
    "EvaluationSet",
    "Gallery",
    "Group",
    "Patch",
    "Reliance",
    "draw_accesses",
    "draw_eligible",
    "draw_gallery",
    "evaluation_sets",
    "measure_reliance",
    "to_pixels",
]
