"""Gaussian noise before the activations of any ``nn.Module``, without changing its code.

Annealed noise on every pre-activation is the paper's mitigation for a small learning rate: it keeps
the activation pattern from settling on low-noise patterns (sections 4 and 6.2).
"""

from learnorder.noise.activations import ACTIVATIONS, FUNCTIONS, find_activations
from learnorder.noise.handle import ActivationNoise, activation_noise
from learnorder.noise.sites import Site

__all__ = [
    "ACTIVATIONS",
    "FUNCTIONS",
    "ActivationNoise",
    "Site",
    "activation_noise",
    "find_activations",
]
