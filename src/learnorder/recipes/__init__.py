"""The paper's experiments, a file each."""

from learnorder.recipes.images import ARM_TITLES
from learnorder.theory.config import THEORY_ARMS

ARM_WORDS = {**ARM_TITLES, **THEORY_ARMS}
"""Words for the arms of all experiments."""

__all__ = ["ARM_WORDS"]
