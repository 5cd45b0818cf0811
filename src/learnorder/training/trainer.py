"""The training loop of all experiments that train a network."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeVar

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor

from learnorder.errors import ConfigError, RunFolderError, one_line
from learnorder.models.modes import training_mode
from learnorder.noise import ActivationNoise
from learnorder.schedules import Varying
from learnorder.seeding import repeatable, seed_globally, step_seed
from learnorder.training.curvature import Curvature
from learnorder.training.diagnostics import Diagnostics
from learnorder.training.optimizers import Optimizers, build_optimizer
from learnorder.training.precision import check_precision
from learnorder.training.problem import Problem, RunSettings
from learnorder.training.process_group import ProcessGroup
from learnorder.training.records import Records

Status = Literal["finished", "interrupted", "diverged"]

_LOSSES_CHECKED_EVERY = 50
"""Steps between checks that losses are finite; each check waits for the device."""
_AGREED_EVERY = 10
"""Steps between agreements of several processes on whether to stop."""


@dataclass(frozen=True)
class Outcome:
    """How training ended: a status, and the reason if it did not finish."""

    status: Status
    reason: str = ""


@dataclass(frozen=True)
class Timing:
    """Seconds of an epoch; not part of the records, which are reproducible."""

    epoch: int
    train_seconds: float
    evaluation_seconds: float


ProblemT = TypeVar("ProblemT", bound=Problem)


class Trainer(Generic[ProblemT]):
    """One run: state, steps, evaluation after each epoch.

    Every random number of a step derives from (seed, epoch, step), so a run continued from
    :meth:`state` is byte-identical to one never interrupted (on the CPU, with the same number of
    threads).

    In one of several processes (``--processes``, torchrun), it trains on its rows of every batch.
    Gradients are those of the whole batch. All processes must call the same methods.

    Args:
        config: The run.
        make_problem: Returns the problem to train, for this process.
        state: State to continue from, of :meth:`state`; None starts from the beginning.

    Attributes:
        group: The device and the process.
        problem: The problem to train.
        epoch: The current epoch, from 1; one past the last at the end.
        step: Number of steps done in it.
        records: The measurements so far.
        timings: The duration of each epoch.
    """

    def __init__(
        self,
        config: RunSettings,
        make_problem: Callable[[ProcessGroup], ProblemT],
        state: dict[str, Any] | None = None,
    ) -> None:
        check_precision(config.training.precision)
        AcceleratorState._reset_state(reset_partial_state=False)  # allows another precision
        precision = "bf16" if config.training.precision == "bf16" else "no"
        self.config = config
        self.accelerator = Accelerator(
            mixed_precision=precision, cpu=not torch.accelerator.is_available()
        )
        self._autocast = nullcontext if precision == "no" else self.accelerator.autocast
        device = self.accelerator.device
        self.group = ProcessGroup(
            device, self.accelerator.process_index, self.accelerator.num_processes
        )
        self.problem = make_problem(self.group)
        network = self.group.with_global_statistics(self.problem.network)
        self.curvature = (
            Curvature(config.sharpness, self.problem, config.seed)
            if config.sharpness.examples
            else None
        )
        self.diagnostics = (
            Diagnostics(config.diagnostics, self.problem, network)
            if config.diagnostics.measured
            else None
        )
        training_mode(network)
        self.network = network
        self.model = self.accelerator.prepare(network)
        self.optimizer = self.make_optimizers()
        self.epoch, self.step = 1, 0
        self.records, self.timings = Records(), list[Timing]()
        self._losses: list[Tensor] = []
        self._rates: list[float] = []
        self._seconds = 0.0
        if state is not None:
            self._restore(state)
        self.noise = (  # last, because it is not removed if something else fails
            ActivationNoise(
                network,
                config.noise.level,
                shared=config.noise.shared,
                epochs=config.training.epochs,
            )
            if config.noise.level.initial > 0
            else None
        )

    def make_optimizers(self) -> Optimizers:
        """Return new optimisers of the network: those of the problem or of the settings."""
        initial = self.config.learning_rate.initial
        optimizers = self.problem.own_optimizers(self.network, initial)
        if optimizers is None:
            parameters, device = self.network.parameters(), self.group.device
            named = build_optimizer(self.config.training, parameters, initial, device)
            optimizers = Optimizers([named], initial)
        optimizers.schedulers = self.problem.own_schedulers(optimizers)
        return optimizers

    def check_processes(self, count: int) -> None:
        """Check that ``count`` processes can train this run; the trainer cannot be used afterwards.

        Call it after computing the gradients of a step.

        Raises:
            ConfigError: There are fewer devices than processes, or parameters without a gradient,
                or batch norm that cannot be synchronised.
        """
        if self.group.device.type != "cpu" and count > (most := torch.accelerator.device_count()):
            raise ConfigError(
                "processes",
                count,
                f"Each process needs a device of its own, and there are {most}. Give at most "
                f"{most}, or hide them (CUDA_VISIBLE_DEVICES= for CUDA) to train on the CPU.",
            )
        named = self.network.named_parameters()
        unused = [name for name, p in named if p.requires_grad and p.grad is None]
        if count > 1 and unused:
            raise ConfigError(
                "processes",
                count,
                f"{', '.join(unused[:3])}: {len(unused)} parameters get no gradient, which is an "
                "error in torch's DistributedDataParallel. Use one process, or set their "
                "requires_grad to False.",
            )
        replace(self.group, world_size=count).with_global_statistics(self.network)

    def close(self) -> None:
        """Remove the noise from the network, whose modules others may share."""
        if self.noise is not None:
            self.noise.remove()

    def run(
        self, stop: Callable[[Trainer], bool], epoch_ended: Callable[[Trainer], None]
    ) -> Outcome:
        """Train to the end.

        Args:
            stop: Called after each step; true leaves the loop, to be continued at that step.
            epoch_ended: Called after each epoch's evaluation, e.g. to write a checkpoint.
        """
        with repeatable():
            return self._run(stop, epoch_ended)

    def _run(
        self, stop: Callable[[Trainer], bool], epoch_ended: Callable[[Trainer], None]
    ) -> Outcome:
        while self.epoch <= self.config.training.epochs:
            started = time.perf_counter() - self._seconds
            for batch in self.problem.epoch(self.epoch, self.step):
                self.train_step(batch)
                self.step += 1
                if self.noise is not None and self.epoch == self.step == 1:
                    logging.getLogger(__name__).info("%r", self.noise)
                self._seconds = time.perf_counter() - started
                if (diverged := self._divergence()) is not None:
                    return Outcome("diverged", diverged)
                if self._agreed(stop(self)):
                    return Outcome("interrupted", f"in epoch {self.epoch}, step {self.step}")
            if not self._end_epoch():
                rate = self.records.last("run", "learning_rate")
                return Outcome(
                    "diverged",
                    f"loss or score not finite after epoch {self.epoch - 1}, at learning rate "
                    f"{rate:g}",
                )
            epoch_ended(self)
        return Outcome("finished")

    def _agreed(self, stop: bool) -> bool:
        """Whether all processes leave the loop here because one of them should stop."""
        if self.group.world_size == 1:
            return stop
        last = self.step == self.problem.steps
        return (last or self.step % _AGREED_EVERY == 0) and self.group.any(stop)

    def train_step(self, batch: Sequence[Any]) -> Tensor:
        """Take one step at the current learning rate and noise level; return its loss.

        Args:
            batch: The parts of the batch.
        """
        self.prepare_step()
        counts = self.group.counts(self.problem.examples(self.step))
        total: Tensor | None = None
        for part, rows in self.parts(batch):
            outputs = self.outputs(part)
            losses = self.problem.losses(outputs, part)
            loss = self.backward(losses, rows)
            total = loss if total is None else total + loss
            if counts:
                with torch.no_grad():
                    self.problem.update_metrics(part, outputs, losses)
        assert total is not None
        self.update()
        if self.diagnostics is not None:
            self.diagnostics.after_step(self.network)
        self._losses.append(total)
        return total

    def prepare_step(self) -> None:
        """Set the learning rate, the noise and the random state of a step; clear the gradients."""
        self.optimizer.train()
        self.optimizer.set_learning_rate(self._now(self.config.learning_rate))
        if self.optimizer.schedulers:
            self._rates.append(self.optimizer.learning_rate)
        layers = (self.config.seed, "layers", self.epoch)
        derived = step_seed(self.step, layers, self.group.own_draws)
        seed_globally(derived, torch_only=self.problem.seeds_steps)
        if self.noise is not None:
            self.noise.at(self.epoch, self.step, self.problem.steps)
        self.optimizer.zero_grad()

    def parts(self, batch: Sequence[Any]) -> Iterator[tuple[Any, slice]]:
        """Yield the parts of a step's batch with their rows, and draw the noise of these rows."""
        examples = self.problem.examples(self.step)
        rows = self.group.parts(examples, self.config.training.examples_at_once)
        for part, some in zip(batch, rows, strict=True):
            if self.noise is not None:
                self.noise.share(some, examples)
                self.noise.reseed(self.config.seed, "noise", self.epoch, self.step)
            last = some is rows[-1]  # processes exchange their gradients once
            with nullcontext() if last else self.accelerator.no_sync(self.model):
                yield part, some

    def outputs(self, part: Any) -> Any:
        """Apply the network to a part of a training batch."""
        with self._autocast():
            return self.problem.outputs(self.model, part)

    def backward(self, losses: Tensor, rows: slice) -> Tensor:
        """Add the gradient of a part's mean loss, weighted by its rows; return the loss."""
        loss = losses.mean() if losses.dim() else losses
        weight = self.group.weight(self.problem.examples(self.step), rows)
        if weight != 1:
            loss = loss * weight
        loss.backward()
        return loss.detach()

    def update(self) -> None:
        """Change the weights by the gradients."""
        if (most := self.config.training.clip_norm) is not None:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), most)
        self.optimizer.step()

    def _now(self, schedule: Varying, step: int | None = None) -> float:
        """Return a schedule's value at a step of the current epoch; the default is this step."""
        return schedule.at(
            self.epoch,
            self.step if step is None else step,
            self.problem.steps,
            epochs=self.config.training.epochs,
        )

    def _rate(self, step: int) -> float:
        """Return the learning rate of a step of the current epoch that has been taken."""
        if self.optimizer.schedulers:
            return self._rates[step]
        return self._now(self.config.learning_rate, step)

    def _divergence(self) -> str | None:
        """Return where the loss became non-finite; it checks every loss, with a delay."""
        last = self.step == self.problem.steps
        if len(self._losses) < _LOSSES_CHECKED_EVERY and not last:
            return None
        losses = self.group.total(torch.stack(self._losses))
        bad = (~losses.isfinite()).nonzero()
        step = self.step - len(self._losses)
        self._losses.clear()
        if not len(bad):
            if self.diagnostics is not None:
                self.diagnostics.add_losses(losses)
            return None
        step += int(bad[0])
        rate = self._rate(step)
        return f"loss not finite in epoch {self.epoch}, step {step + 1}, at learning rate {rate:g}"

    def _end_epoch(self) -> bool:
        """Record the epoch and evaluate; return whether the losses are finite."""
        self.problem.counts.copy_(self.group.total(self.problem.counts))
        self.problem.flush_metrics(self.records, self.epoch)
        if self.problem.dynamics is not None:
            self.problem.dynamics.end_epoch(self.epoch)
        self.records.add(self.epoch, "run", "learning_rate", self._rate(step=0))
        noise = self._now(self.config.noise.level, step=0)
        self.records.add(self.epoch, "run", "noise_level", noise)
        started = time.perf_counter()
        self.optimizer.eval()
        finite = self._evaluate(self.records)
        if finite:
            self._measure_sharpness()
            self._measure_diagnostics()
            self._add_snapshot()
        evaluated = time.perf_counter() - started
        self.timings.append(Timing(self.epoch, self._seconds, evaluated))
        self._seconds = 0.0
        self._rates.clear()
        self.epoch, self.step = self.epoch + 1, 0
        return finite

    def _evaluate(self, records: Records) -> bool:
        """Evaluate the network; return whether the losses are finite."""
        with self.accelerator.autocast():
            return self.problem.evaluate(self.network, records, self.epoch)

    def _measure_sharpness(self) -> None:
        """Record λ, and η·λ/2 at the learning rate of the epoch's last step."""
        if self.curvature is None:
            return
        eigenvalue = self.curvature.measure(self.network, self.epoch)
        if eigenvalue is not None:
            rate = self._rate(step=self.problem.steps - 1)
            values = {
                "sharpness": eigenvalue.value,
                "edge": eigenvalue.stability_ratio(rate),
                "sharpness_error": eigenvalue.error,
                "sharpness_products": eigenvalue.products,
            }
            if self.optimizer.is_own:  # its steps may have another rate
                del values["edge"]
            for quantity, value in values.items():
                self.records.add(self.epoch, "run", quantity, float(value))

    def _measure_diagnostics(self) -> None:
        """Record the diagnostics, those of pruned networks after the last epoch."""
        if self.diagnostics is None:
            return
        rate = None if self.optimizer.is_own else self._rate(step=self.problem.steps - 1)
        self.diagnostics.measure(self.network, self.records, self.epoch, rate)
        if self.epoch == self.config.training.epochs:
            self.diagnostics.prune(self.network, self.records, self._evaluate)

    def _add_snapshot(self) -> None:
        """Keep what the network predicts of some images, as in its evaluation."""
        if self.problem.snapshots is not None:
            with self.accelerator.autocast():
                self.problem.snapshots.add(self.network)

    def synchronize(self) -> None:
        """Wait for the device, for exact timing."""
        if self.accelerator.device.type != "cpu":
            torch.accelerator.synchronize()

    def state(self) -> dict[str, Any]:
        """Return the state needed to continue, as tensors and plain values."""
        return {
            "epoch": self.epoch,
            "step": self.step,
            "model": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "tally": self.group.total(self.problem.counts),
            "losses": [loss.item() for loss in self._losses],
            "records": self.records.columns,
            "timings": [(t.epoch, t.train_seconds, t.evaluation_seconds) for t in self.timings],
            "seconds": self._seconds,
            "rates": self._rates if self.optimizer.schedulers else [],
            **{name: part.state() for name, part in self._optional().items()},
        }

    def _optional(self) -> dict[str, Any]:
        """Return what is kept or measured by option and has a state, by its name in checkpoints."""
        parts = {
            "dynamics": self.problem.dynamics,
            "snapshots": self.problem.snapshots,
            "diagnostics": self.diagnostics,
        }
        return {name: part for name, part in parts.items() if part is not None}

    def _restore(self, state: dict[str, Any]) -> None:
        self.epoch, self.step = state["epoch"], state["step"]
        try:
            self.network.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, ValueError) as error:
            raise RunFolderError(
                f"The checkpoint does not fit the network {type(self.network).__name__} "
                f"({one_line(error)}). If its code has changed since the run began, run it in "
                "another folder."
            ) from error
        if self.group.rank == 0:
            self.problem.counts.copy_(state["tally"])
        self._losses = [
            torch.tensor(loss, device=self.accelerator.device) for loss in state["losses"]
        ]
        for name, part in self._optional().items():
            part.load_state(state[name])
        self.records = Records({name: list(v) for name, v in state["records"].items()})
        self.timings = [Timing(*t) for t in state["timings"]]
        self._seconds = state["seconds"]
        self._rates = list(state.get("rates", []))
