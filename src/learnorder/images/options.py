"""Defaults of commands that train on images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from learnorder.cli.options import peek
from learnorder.images.experiment import ImageExperiment
from learnorder.images.run import recipe


def recipe_for(scale: str, arguments: Sequence[str], experiment: str = "patch") -> ImageExperiment:
    """Return a recipe as defaults for the arguments of a command.

    With other data, the recipe's subset sizes are dropped; with another network, its arguments.
    """
    base = recipe(scale, experiment)
    source = peek(arguments, "data.source", base.data.source)
    is_cifar = base.data.source.startswith("hub:") and "cifar" in source.lower()
    if source != base.data.source and not is_cifar:
        data = replace(base.data, train_examples=None, evaluation_examples=None)
        base = replace(base, data=data)
    if peek(arguments, "model.name", base.model.name) != base.model.name:
        base = replace(base, model=replace(base.model, arguments={}))
    return base
