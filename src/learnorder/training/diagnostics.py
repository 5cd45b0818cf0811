"""Measures of the network during training, besides its evaluation and its sharpness."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from itertools import accumulate
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from learnorder.config.training import DiagnosticsConfig
from learnorder.errors import ConfigError
from learnorder.models.compiled import run_uncompiled
from learnorder.models.modes import evaluation_mode
from learnorder.toolkit.batch_sharpness import ZeroGradient, batch_sharpness, gradient_curvature
from learnorder.toolkit.catapults import Catapults
from learnorder.toolkit.features import feature_statistics
from learnorder.toolkit.pruning import matrices, pruned
from learnorder.toolkit.sharpness import NotFinite
from learnorder.toolkit.spikes import LossSpikes
from learnorder.training.last_linear import last_linear, recorded
from learnorder.training.problem import Problem
from learnorder.training.records import Records


class Diagnostics:
    """Batch sharpness, features, pruned networks, loss spikes and catapults of a run.

    The samples are the first batches of the first epoch, including patterns, the same in every
    process and measurement. The network is in evaluation mode, so there is no noise, and in full
    precision. Its modes, weights and gradients are restored.

    Args:
        config: What is measured.
        problem: Provides the batches, the loss and the evaluation.
        network: The network, with its initial weights.

    Raises:
        ConfigError: The run has too few batches or examples, or the network no last linear layer or
            no matrix.
    """

    def __init__(self, config: DiagnosticsConfig, problem: Problem, network: nn.Module) -> None:
        self.config, self._problem = config, problem
        totals = list(accumulate(map(problem.examples, range(problem.steps))))
        if config.batches > len(totals):
            raise _too_many("batches", config.batches, f"{len(totals):,} batches")
        for name in ("features", "catapult_examples"):
            if (count := getattr(config, name)) > totals[-1]:
                raise _too_many(name, count, f"{totals[-1]:,} examples")
        # Batches up to the one with the last example of the features
        holding = sum(total < config.features for total in totals) + (config.features > 0)
        first = problem.first_batches(max(config.batches, holding))
        self._batches, self._shown = first[: config.batches], first[:holding]
        self._layer = self._last_linear(network) if config.features else None
        if config.pruned and not matrices(network):
            raise ConfigError(
                "diagnostics.pruned",
                config.pruned,
                f"{type(network).__name__} has no matrix: weights with two dimensions or more.",
            )
        factor = config.spike_factor
        self.spikes = None if factor is None else LossSpikes(factor)
        self.catapults: Catapults | None = None
        self._after_steps: list[Tensor] = []
        if config.catapult_examples:
            self.catapults = Catapults(config.catapult_factor)
            self._fixed = problem.first_batch(config.catapult_examples)
            self.after_step(network)  # the loss before the first step

    def _last_linear(self, network: nn.Module) -> dict[str, nn.Linear]:
        """Return the last linear layer by its name."""

        def refuse(reason: str) -> ConfigError:
            words = f"They are the inputs of the network's last linear layer. {reason}"
            return ConfigError("diagnostics.features", self.config.features, words)

        with torch.no_grad(), run_uncompiled(), evaluation_mode(network):
            outputs = self._problem.outputs(network, self._shown[0])
            if not isinstance(outputs, Tensor) or outputs.dim() != 2:
                raise refuse("Its outputs must be a tensor [B, C].")
            name, layer = last_linear(
                network,
                outputs.shape[1],
                lambda: self._problem.outputs(network, self._shown[0]),
                refuse,
            )
        return {name: layer}

    def try_out(self, network: nn.Module) -> None:
        """Compute the curvature of one batch; it raises the errors that measuring would."""
        for batch in self._batches[:1]:
            # Losses without a curvature are a result, not an error.
            with evaluation_mode(network), suppress(NotFinite, ZeroGradient):
                gradient_curvature(network, lambda batch=batch: self._loss(network, batch))

    @torch.no_grad()
    def after_step(self, network: nn.Module) -> None:
        """Compute the loss in which catapults are counted; nothing is read from the device."""
        if self.catapults is not None:
            with run_uncompiled(), evaluation_mode(network):
                self._after_steps.append(self._loss(network, self._fixed))

    def add_losses(self, losses: Tensor) -> None:
        """Count the spikes among the losses of some steps [S], and the catapults after them."""
        if self.spikes is not None:
            self.spikes = _updated("Spikes", self.spikes, losses.tolist())
        if self.catapults is not None:
            self.catapults = _updated("Catapults", self.catapults, self._read())

    def _read(self) -> list[float]:
        """Return the losses after the steps that are not counted yet, and forget them."""
        values = torch.stack(self._after_steps).tolist() if self._after_steps else []
        self._after_steps.clear()
        return values

    def measure(
        self, network: nn.Module, records: Records, epoch: int, learning_rate: float | None
    ) -> None:
        """Add the measures after an epoch to records.

        Args:
            network: The network.
            records: Gets a row for each quantity in the set run.
            epoch: The epoch.
            learning_rate: That of the epoch's last step; None if steps may have another.
        """
        values: dict[str, float] = {}
        if self.spikes is not None:
            values["spikes"], self.spikes.count = self.spikes.count, 0
        if self.catapults is not None:
            values["catapults"], self.catapults.count = self.catapults.count, 0
        if epoch % self.config.every == 0:
            if self._batches:
                values |= self._measured("batch sharpness", self._curvature, network, epoch)
            if self._shown:
                values |= self._measured("features", self._features, network, epoch)
        if learning_rate is not None and "batch_sharpness" in values:
            values["batch_edge"] = learning_rate * values["batch_sharpness"] / 2
        for quantity, value in values.items():
            records.add(epoch, "run", quantity, float(value))

    def _measured(
        self,
        what: str,
        measure: Callable[[nn.Module], dict[str, float]],
        network: nn.Module,
        epoch: int,
    ) -> dict[str, float]:
        """Return what is measured in evaluation mode; nothing if it has no value."""
        try:
            with evaluation_mode(network):
                return measure(network)
        except (NotFinite, ZeroGradient) as error:
            logging.getLogger(__name__).warning("No %s after epoch %d. %s", what, epoch, error)
            return {}

    def _curvature(self, network: nn.Module) -> dict[str, float]:
        losses = (lambda batch=batch: self._loss(network, batch) for batch in self._batches)
        return {"batch_sharpness": batch_sharpness(network, losses)}

    @torch.no_grad()
    def _features(self, network: nn.Module) -> dict[str, float]:
        assert self._layer is not None
        with run_uncompiled(), recorded(self._layer) as calls:
            for batch in self._shown:
                self._problem.outputs(network, batch)
        inputs = torch.cat([call.inputs for call in calls])[: self.config.features]
        if not inputs.isfinite().all():
            raise NotFinite("features", "inf or nan", "Some are not finite.")
        found = feature_statistics(inputs)
        return {
            "feature_rank": found.rank,
            "active_share": found.active_share,
            "distinct_units": found.distinct_units,
            "distinct_active_share": found.distinct_active_share,
        }

    def prune(
        self, network: nn.Module, records: Records, evaluate: Callable[[Records], object]
    ) -> None:
        """Add the evaluation of pruned networks to records, on the set that runs are judged by.

        The set for a share of 0.9 is named pruned_90.

        Args:
            network: The network.
            records: Gets the rows.
            evaluate: Evaluates the network into records.
        """
        for share in self.config.pruned:
            found = Records()
            with pruned(network, share):
                evaluate(found)
            name = f"pruned_{100 * share:g}"
            for epoch, set_, group, quantity, value, n in found.rows():
                if set_ == self._problem.evaluated:
                    records.add(epoch, name, quantity, value, group=group, n=n)

    def state(self) -> dict[str, Any]:
        """Return the state needed to continue, as plain values."""
        return {
            "spikes": None if self.spikes is None else self.spikes.state_dict(),
            "catapults": None if self.catapults is None else self.catapults.state_dict(),
            "after_steps": [loss.item() for loss in self._after_steps],
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from a state."""
        if state["spikes"] is None:
            self.spikes = None
        elif self.spikes is not None:
            self.spikes.load_state_dict(state["spikes"])
        if state.get("catapults") is None:
            self.catapults = None
        elif self.catapults is not None:
            self.catapults.load_state_dict(state["catapults"])
            device = self._after_steps[0].device
            self._after_steps = [torch.tensor(v, device=device) for v in state["after_steps"]]

    def _loss(self, network: nn.Module, batch: Any) -> Tensor:
        return self._problem.losses(self._problem.outputs(network, batch), batch).mean()


_Counter = TypeVar("_Counter", LossSpikes, Catapults)


def _updated(what: str, counter: _Counter, losses: list[float]) -> _Counter | None:
    """Add losses to a counter and return it; None if they have no such spikes."""
    try:
        counter.update(losses)
    except ConfigError as error:
        logging.getLogger(__name__).warning("%s are no longer counted. %s", what, error)
        return None
    return counter


def _too_many(field: str, value: int, available: str) -> ConfigError:
    return ConfigError(f"diagnostics.{field}", value, f"An epoch has {available}.")
