"""Retrain the last layer of runs of tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from learnorder.config.memory import beyond_memory
from learnorder.config.settings import TaskRunConfig
from learnorder.errors import ConfigError
from learnorder.models.compiled import run_uncompiled
from learnorder.models.modes import evaluation_mode
from learnorder.retrain.cells import cells_of, scores_of, too_small
from learnorder.retrain.fitting import SAMPLES, fit_samples, halves
from learnorder.retrain.layers import last_layer
from learnorder.retrain.weights import load_weights
from learnorder.runs.folder import RunFolder
from learnorder.runs.last_layer import Balance, GroupBalanced, LastLayer, LastLayerScores
from learnorder.runs.process import process_kept
from learnorder.seeding import generator
from learnorder.training.last_linear import recorded, unlike
from learnorder.training.precision import device_type
from learnorder.training.process_group import ProcessGroup
from learnorder.training.task import identity_of, load_task
from learnorder.training.task_problem import TaskProblem

if TYPE_CHECKING:
    from learnorder.training.planted import PatternSet

_MOST_EXAMPLES = 5000
"""Most examples in a sample."""
_FEWEST = 2
"""Fewest examples of a class or group in each half."""


def retrain_task(folder: RunFolder[TaskRunConfig]) -> LastLayer:
    """Return the effect of retraining the last layer of a run of a task.

    The layer is fitted on validation examples, which the run was not trained on, and never measured
    on those it was fitted on: the validation examples, without the pattern, are divided into two
    halves, stratified by group and class. A layer is fitted on each half and predicts the other, so
    all examples are measured, as they were before. In each half the layer is the mean of those
    fitted on several random samples with equally many of each class. With known groups it is also
    fitted on samples with equally many of each group (of each group and class, if the attribute is
    not spurious), with the penalty that is best for the worst group, by cross-validation within the
    half.

    Args:
        folder: The run.

    Raises:
        RunFolderError: Its weights do not fit, or its code or data were changed.
        ConfigError: The model has no last layer that can be retrained, its outputs are not logits
            of classes, or a class has too few validation examples.
    """
    config = folder.config
    folder.check_identity(identity_of(config.task))
    task = load_task(config.task)
    device = torch.device(device_type())
    with process_kept():
        problem = TaskProblem(config, task, ProcessGroup(device))
        if problem.num_classes is None:
            raise problem.refusal(
                "model",
                "Only networks whose outputs are logits [B, C], with classes as targets, can be "
                "retrained.",
            )
        load_weights(folder, problem.network, type(problem.network).__name__)
        bf16 = torch.autocast(device.type, torch.bfloat16, config.training.precision == "bf16")
        with evaluation_mode(problem.network), run_uncompiled(), torch.no_grad(), bf16:
            return _Retraining(problem, config.seed).result()


@dataclass(frozen=True)
class _Features:
    """What a network does on one form of the validation examples.

    Attributes:
        inputs: Input of the last layer, float32 [N, F].
        predicted: Predicted classes, int64 [N].
        labels: Classes, int64 [N].
    """

    inputs: NDArray[np.float32]
    predicted: Tensor
    labels: Tensor


class _Retraining:
    """Retrains the last layer of a task's network.

    Args:
        problem: The task, with the run's final weights.
        seed: The run's seed.
    """

    def __init__(self, problem: TaskProblem, seed: int) -> None:
        self._problem, self._seed = problem, seed
        self._sets: dict[str, PatternSet] = {s.name: s for s in problem.pattern_sets}
        self._name, self._layer = _find(problem)
        names = ("clean", "conflict") if "conflict" in self._sets else ("clean",)
        self._features = {name: self._pass(name) for name in names}
        self._labels = self._features["clean"].labels
        _check_classes(self._labels)
        self._cells, self._cell_names = cells_of(
            problem.groups, problem.groups and problem.groups.evaluation, self._labels
        )
        by_class = self._labels * (1 + int(self._cells.max())) + self._cells
        self._half = halves(by_class, generator(seed, "last layer", "halves"))

    def result(self) -> LastLayer:
        """Return the scores before and after."""
        before = {name: found.predicted for name, found in self._features.items()}
        after, examples = self._retrained(self._labels, "class")
        return LastLayer(
            self._scores(before),
            self._scores(after),
            examples,
            unseen=True,
            measured=len(self._labels),
            group_balanced=None if self._problem.groups is None else self._group_balanced(),
        )

    def _group_balanced(self) -> GroupBalanced:
        if few := too_small(self._cells, self._cell_names, 2 * _FEWEST):
            return GroupBalanced(None, 0, few)
        after, examples = self._retrained(self._cells, "group")
        return GroupBalanced(self._scores(after), examples)

    def _retrained(self, cells: Tensor, balance: Balance) -> tuple[dict[str, Tensor], int]:
        """Return the predictions of each half by the layer of the other, and its examples."""
        kinds = cells.unique()
        fewest = min(int(cells[self._half == half].bincount()[kinds].min()) for half in (0, 1))
        count = min(fewest, max(_MOST_EXAMPLES // len(kinds), _FEWEST))
        predicted = {name: torch.empty_like(self._labels) for name in self._features}
        for half in (0, 1):
            rows, others = self._half == half, self._half != half
            fitted = fit_samples(
                self._features["clean"].inputs[rows.numpy()],
                self._labels[rows],
                cells[rows],
                count,
                SAMPLES,
                generator(self._seed, "last layer", "samples", balance, half),
                for_worst=balance == "group",
            )
            for name, found in self._features.items():
                predicted[name][others] = fitted.predict(found.inputs[others.numpy()])
        return predicted, count * len(kinds)

    def _pass(self, name: str) -> _Features:
        """Return what the network does on an evaluation set."""
        problem, total = self._problem, self._problem.sizes[1]
        data: Dataset[Any] | None = self._sets[name].data if name in self._sets else None
        predicted, labels = torch.empty(2, total, dtype=torch.int64)
        inputs = np.empty((0, 0), np.float32)
        for batch in problem.validation_batches(data=data):
            with recorded({self._name: self._layer}) as calls:
                outputs = problem.outputs(problem.network, batch)
            rows = torch.as_tensor(batch.indices)
            predicted[rows], labels[rows] = outputs.argmax(1).cpu(), batch.targets.cpu().long()
            if len(calls) != 1 or not calls[0].predicted(predicted[rows]):
                raise unlike(self._name, lambda reason: problem.refusal("model", reason))
            if not len(inputs):
                inputs = self._allocate(total, calls[0].inputs.shape[1])
            inputs[rows.numpy()] = calls[0].inputs.numpy()
        if not np.isfinite(inputs).all():
            raise problem.refusal(
                "model", f"The input of its last layer {self._name} is not finite on some examples."
            )
        return _Features(inputs, predicted, labels)

    def _allocate(self, examples: int, features: int) -> NDArray[np.float32]:
        """Return an array for the inputs of all examples, if they and the fit have room."""
        passes = 2 if "conflict" in self._sets else 1
        # A fit copies a sample to float64, and scales it.
        needed = 4 * features * (passes * examples + 4 * min(examples, _MOST_EXAMPLES))
        if words := beyond_memory(needed):
            raise self._problem.refusal(
                "model",
                f"Retraining its last layer {self._name} on {examples:,} validation examples of "
                f"{features:,} features takes {words}. Give fewer validation examples.",
            )
        return np.empty((examples, features), np.float32)

    def _scores(self, predicted: Mapping[str, Tensor]) -> LastLayerScores:
        """Return the scores of predictions on the evaluation sets."""
        pattern = self._sets["conflict"].pattern_labels if "conflict" in predicted else None
        return scores_of(predicted, self._labels, pattern, self._problem.groups)


def _find(problem: TaskProblem) -> tuple[str, nn.Linear]:
    """Return the name and the module of a task's last layer."""
    batch = next(problem.validation_batches())
    return last_layer(
        problem.network,
        problem.num_classes or 0,
        lambda: problem.outputs(problem.network, batch),
        lambda reason: problem.refusal("model", reason),
    )


def _check_classes(labels: Tensor) -> None:
    """Check that each half can have enough examples of each class.

    Raises:
        ConfigError: There are too few, a single class, or targets that are no classes.
    """
    classes, counts = (values.tolist() for values in labels.unique(return_counts=True))
    if classes[0] < 0:
        raise ConfigError(
            "task.validation",
            classes[0],
            f"Its targets must be classes, integers from 0, but {counts[0]:,} are {classes[0]}. "
            "Leave these examples out to retrain the last layer.",
        )
    if len(classes) < 2:
        raise ConfigError(
            "task.validation",
            f"class {classes[0]}",
            "All examples are of this class: the last layer cannot be retrained.",
        )
    few = [f"{c} ({n})" for c, n in zip(classes, counts, strict=True) if n < 2 * _FEWEST]
    if few:
        raise ConfigError(
            "task.validation",
            "class " + ", ".join(few),
            f"To retrain the last layer on one half of the validation examples and measure it on "
            f"the other, at least {2 * _FEWEST} of each class are needed.",
        )
