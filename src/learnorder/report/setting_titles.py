"""Titles of settings."""

from __future__ import annotations

SETTING_TITLES = {
    "learning_rate.initial": "initial learning rate",
    "learning_rate.step_epochs": "learning rate annealed at epoch",
    "learning_rate.step_factor": "annealed by the factor",
    "learning_rate.decay": "decay of the learning rate, each epoch",
    "learning_rate.cosine": "cosine learning rate",
    "learning_rate.linear_after": "learning rate falls after the share",
    "learning_rate.warmup_epochs": "epochs of warm-up",
    "noise.level.initial": "initial noise",
    "noise.level.step_epochs": "noise annealed at epoch",
    "noise.level.step_factor": "noise annealed by the factor",
    "noise.level.decay": "decay of the noise, each epoch",
    "noise.level.cosine": "cosine noise",
    "noise.level.linear_after": "noise falls after the share",
    "noise.level.warmup_epochs": "epochs of warm-up of the noise",
    "noise.shared": "noise shared within a batch",
    "patch.contrast": "contrast of the patch",
    "patch.size": "size of the patch",
    "patch.z_scale": "scale of the patch",
    "patch.eligible_share": "share of images with the patch",
    "patch.patch_only_share": "share of patch-only accesses",
    "training.batch_size": "batch size",
    "training.weight_decay": "weight decay",
    "training.accumulate": "parts of a batch",
    "training.clip_norm": "largest norm of the gradient",
    "training.dynamics": "training dynamics kept",
    "training.snapshots": "images in snapshots",
    "data.source": "images",
    "data.train_examples": "training images",
    "model.name": "network",
    "network.kind": "kind of network",
    "distribution.kappa": "κ",
    "distribution.num_train": "training examples N",
    "distribution.r": "length r of ζ",
    "distribution.s": "scale s of Q",
    "distribution.gamma0": "γ0",
    "algorithm.eta1": "large learning rate η1",
    "algorithm.eta2": "small learning rate η2",
    "algorithm.weight_decay": "weight decay λ",
    "algorithm.epsilon1": "loss at the anneal ε1",
    "algorithm.epsilon2": "loss at the end ε2",
    "algorithm.sigma": "noise σ",
}
"""By dotted name; see :func:`setting_title` for all others."""


def setting_title(name: str) -> str:
    """Return the title of a setting: from the table above, or the last part of its name.

    >>> setting_title("learning_rate.initial"), setting_title("model.arguments.widen_factor")
    ('initial learning rate', 'widen factor')
    """
    return SETTING_TITLES.get(name) or name.rpartition(".")[2].replace("_", " ")


def setting_titles(names: list[str]) -> dict[str, str]:
    """Return the titles of settings; those that share a title keep their full name."""
    titles = [setting_title(name) for name in names]
    return {
        name: title if titles.count(title) == 1 else name
        for name, title in zip(names, titles, strict=True)
    }
