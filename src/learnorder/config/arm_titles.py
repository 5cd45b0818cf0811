"""Display names of the arms of all experiments."""

from __future__ import annotations

ARM_TITLES: dict[str, str] = {
    "large": "large LR + anneal",
    "small": "small LR",
    "small_noise": "small LR + noise",
    "small_annealed": "small LR + anneal",
}

PROBE_ARM_TITLES = {
    "constant": "constant LR",
    "annealed": "annealed LR",
    "constant_noise": "constant LR + noise",
    "annealed_noise": "annealed LR + noise",
}
"""The arms at each learning rate of a probe."""

THEORY_ARMS: dict[str, str] = {
    "L-S": "L-S (large LR + anneal)",
    "S": "S (small LR)",
    "S+noise": "S + noise",
}
"""The algorithms of the paper."""

ARM_WORDS = {**ARM_TITLES, **PROBE_ARM_TITLES, **THEORY_ARMS}
"""The arms of all experiments."""
