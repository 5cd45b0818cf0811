"""What does my network learn first, and how does the learning rate decide that?

The public names load on first use, so that importing the package is quick.

>>> import learnorder
>>> experiment = learnorder.recipe("demo")
>>> experiment.data.source
'digits'
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "Advice": "advice",
    "ActivationNoise": "noise",
    "BatchMean": "task",
    "ConfigError": "errors",
    "ConvNet": "models",
    "DataConfig": "config",
    "DataError": "errors",
    "ImageExperiment": "recipes.images",
    "IndexedDataset": "order.indexed",
    "Interrupted": "errors",
    "Judgement": "claims",
    "LearnOrderError": "errors",
    "LearningOrder": "order.tracker",
    "MLP": "models",
    "ModelConfig": "config",
    "NoiseConfig": "config",
    "PatchConfig": "config",
    "Probe": "recipes.probe",
    "Probed": "probe",
    "Reproduced": "claims",
    "Results": "results",
    "RunConfig": "config",
    "RunFolderError": "errors",
    "Schedule": "schedules",
    "Search": "recipes.advise",
    "Task": "task",
    "TheoryConfig": "theory",
    "TheoryExperiment": "recipes.theory",
    "TheoryResults": "theory_results",
    "TrainingConfig": "config",
    "ViT": "models",
    "WideResNet": "models",
    "activation_noise": "noise",
    "connect": "runs.query",
    "hessian": "sharpness",
    "largest_eigenvalue": "sharpness",
    "open_runs": "reading",
    "paper_scaling": "theory",
    "query": "runs.query",
    "rank_agreement": "order.agreement",
    "recipe": "verbs",
    "reproduce": "reproduction",
    "retrain": "reading",
    "retrain_last_layer": "last_layer",
    "run_advise": "advise",
    "run_patch": "verbs",
    "run_phase": "verbs",
    "run_plain": "verbs",
    "run_probe": "probe",
    "run_sweep": "verbs",
    "run_theory": "verbs",
    "run_train": "verbs",
    "write_report": "report",
}

__all__ = sorted(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'learnorder' has no attribute {name!r}")
    return getattr(importlib.import_module(f"learnorder.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
