"""The experiments: the paper's, and the probe of one's own network; a file each."""

from learnorder.images.experiment import ARM_TITLES
from learnorder.probe.settings import TREATMENT_TITLES
from learnorder.theory.config import THEORY_ARMS

ARM_WORDS = {**ARM_TITLES, **TREATMENT_TITLES, **THEORY_ARMS}
"""Words for the arms of all experiments."""

__all__ = ["ARM_WORDS"]
