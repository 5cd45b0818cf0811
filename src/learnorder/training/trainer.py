"""The training loop: one for every experiment that trains a network."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
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
from learnorder.seeding import repeatable, seed_everything
from learnorder.training.curvature import Curvature
from learnorder.training.optimizers import build_optimizer
from learnorder.training.problem import Problem, RunSettings
from learnorder.training.process_group import ProcessGroup
from learnorder.training.records import Records

Status = Literal["finished", "interrupted", "diverged"]

_LOSSES_CHECKED_EVERY = 50
"""Steps between checks that losses are finite: each check waits for the device."""
_AGREED_EVERY = 10
"""Steps between those at which several processes agree on whether to stop."""


@dataclass(frozen=True)
class Outcome:
    """How training ended: a status, and a sentence where it did not simply finish."""

    status: Status
    reason: str = ""


@dataclass(frozen=True)
class Timing:
    """Seconds an epoch took; kept apart from the records, which are reproducible."""

    epoch: int
    train_seconds: float
    evaluation_seconds: float


ProblemT = TypeVar("ProblemT", bound=Problem)


class Trainer(Generic[ProblemT]):
    """One run: state, steps, evaluation after each epoch.

    Every random number of a step derives from (seed, epoch, step), so a run continued from
    :meth:`state` is byte-identical to one never interrupted (on CPU, with the same number of
    threads).

    Started as one of several processes (``--processes``, torchrun), it trains its
    rows of every batch, and gradients are those of the whole batch; every process must then call
    the same methods.

    Args:
        config: The run.
        make_problem: Makes what is trained, for this process.
        state: Where to continue, from :meth:`state`; None starts anew.

    Attributes:
        group: The device, and which of the run's processes this is.
        problem: What is trained.
        epoch: The epoch under way, from 1; one past the last when all is done.
        step: Steps done in it.
        records: What was measured so far.
        timings: How long each epoch took.
    """

    def __init__(
        self,
        config: RunSettings,
        make_problem: Callable[[ProcessGroup], ProblemT],
        state: dict[str, Any] | None = None,
    ) -> None:
        AcceleratorState._reset_state(reset_partial_state=False)  # its precision is per process
        precision = "bf16" if config.training.precision == "bf16" else "no"
        self.config = config
        self.accelerator = Accelerator(
            mixed_precision=precision, cpu=not torch.accelerator.is_available()
        )
        device = self.accelerator.device
        self.group = ProcessGroup(
            device, self.accelerator.process_index, self.accelerator.num_processes
        )
        self.problem = make_problem(self.group)
        network = self.group.with_global_statistics(self.problem.network)
        optimizer = build_optimizer(
            config.training, network.parameters(), config.learning_rate.initial, device
        )
        self.curvature = (
            Curvature(config.sharpness, self.problem, config.seed)
            if config.sharpness.examples
            else None
        )
        training_mode(network)
        self.network = network
        self.model, self.optimizer = self.accelerator.prepare(network, optimizer)
        self.epoch, self.step = 1, 0
        self.records, self.timings = Records(), list[Timing]()
        self._losses: list[Tensor] = []
        self._seconds = 0.0
        if state is not None:
            self._restore(state)
        self.noise = (  # last, as nobody takes it off where something else fails
            ActivationNoise(
                network,
                config.noise.level,
                shared=config.noise.shared,
                epochs=config.training.epochs,
            )
            if config.noise.level.initial > 0
            else None
        )

    def check_processes(self, count: int) -> None:
        """Refuse what so many processes could not train together as this one does; train no more.

        Call it with the gradients of a step in place.

        Raises:
            ConfigError: As :meth:`~learnorder.training.process_group.Place.with_global_statistics`,
                parameters that get no gradient, or fewer devices than processes.
        """
        if self.group.device.type != "cpu" and count > (there := torch.accelerator.device_count()):
            raise ConfigError(
                "processes",
                count,
                f"Each process needs a device of its own, and there are {there}. Give at most so "
                "many, or hide them (CUDA_VISIBLE_DEVICES= for CUDA's) to train on the CPU.",
            )
        named = self.network.named_parameters()
        unused = [name for name, p in named if p.requires_grad and p.grad is None]
        if count > 1 and unused:
            raise ConfigError(
                "processes",
                count,
                f"{', '.join(unused[:3])}: {len(unused)} parameters get no gradient, which torch's "
                "DistributedDataParallel takes for an error. Use one process, or set their "
                "requires_grad to False.",
            )
        replace(self.group, world_size=count).with_global_statistics(self.network)

    def close(self) -> None:
        """Take the noise off the network, whose modules others may share."""
        if self.noise is not None:
            self.noise.remove()

    def run(
        self, stop: Callable[[Trainer], bool], epoch_ended: Callable[[Trainer], None]
    ) -> Outcome:
        """Train to the end.

        Args:
            stop: Called after each step; true leaves the loop, resumable at that step.
            epoch_ended: Called after each epoch's evaluation, the place for a checkpoint.
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
        """Whether all processes leave the loop here, as one of them was asked to."""
        if self.group.world_size == 1:
            return stop
        last = self.step == self.problem.steps
        return (last or self.step % _AGREED_EVERY == 0) and self.group.any(stop)

    def train_step(self, batch: Any) -> Tensor:
        """Take one step at the learning rate and noise level in force; return its loss."""
        self.prepare_step()
        outputs = self.outputs(batch)
        losses = self.problem.losses(outputs, batch)
        loss = self.backward(losses)
        self.optimizer.step()
        if self.group.counts(self.problem.examples(self.step)):
            with torch.no_grad():
                self.problem.count(batch, outputs, losses)
        self._losses.append(loss)
        return loss

    def prepare_step(self) -> None:
        """Set the learning rate, the noise and the random state of a step; clear the gradients."""
        examples, group = self.problem.examples(self.step), self.group
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = self._now(self.config.learning_rate)
        seed_everything(self.config.seed, "layers", self.epoch, self.step, *group.own_draws)
        if self.noise is not None:
            self.noise.share(group.shard(examples), examples)
            self.noise.at(self.epoch, self.step, self.problem.steps)
            self.noise.reseed(self.config.seed, "noise", self.epoch, self.step)
        self.optimizer.zero_grad()

    def outputs(self, batch: Any) -> Any:
        """Apply the network to a training batch."""
        with self.accelerator.autocast():
            return self.problem.outputs(self.model, batch)

    def backward(self, losses: Tensor) -> Tensor:
        """Add the gradient of a batch's mean loss; return the loss."""
        loss = losses.mean()
        if self.group.world_size > 1:
            loss = loss * self.group.weight(self.problem.examples(self.step))
        self.accelerator.backward(loss)
        return loss.detach()

    def _now(self, schedule: Varying, step: int | None = None) -> float:
        """The schedule's value at a step of the epoch under way; by default, this one."""
        return schedule.at(
            self.epoch,
            self.step if step is None else step,
            self.problem.steps,
            epochs=self.config.training.epochs,
        )

    def _divergence(self) -> str | None:
        """Return where the loss stopped being finite; looks at every loss, some steps late."""
        last = self.step == self.problem.steps
        if len(self._losses) < _LOSSES_CHECKED_EVERY and not last:
            return None
        bad = (~self.group.total(torch.stack(self._losses)).isfinite()).nonzero()
        step = self.step - len(self._losses)
        self._losses.clear()
        if not len(bad):
            return None
        step += int(bad[0])
        rate = self._now(self.config.learning_rate, step)
        return f"loss not finite in epoch {self.epoch}, step {step + 1}, at learning rate {rate:g}"

    def _end_epoch(self) -> bool:
        """Record the epoch and evaluate; return whether the losses are finite."""
        self.problem.counts.copy_(self.group.total(self.problem.counts))
        self.problem.write(self.records, self.epoch)
        rate, level = self.config.learning_rate, self.config.noise.level
        self.records.add(self.epoch, "run", "learning_rate", self._now(rate, step=0))
        self.records.add(self.epoch, "run", "noise_level", self._now(level, step=0))
        started = time.perf_counter()
        with self.accelerator.autocast():
            finite = self.problem.evaluate(self.network, self.records, self.epoch)
        if finite:
            self._measure_sharpness()
        evaluated = time.perf_counter() - started
        self.timings.append(Timing(self.epoch, self._seconds, evaluated))
        self._seconds = 0.0
        self.epoch, self.step = self.epoch + 1, 0
        return finite

    def _measure_sharpness(self) -> None:
        """Record λ, and η·λ/2 at the learning rate of the epoch's last step."""
        if self.curvature is None:
            return
        found = self.curvature.measure(self.network, self.epoch)
        if found is not None:
            rate = self._now(self.config.learning_rate, step=self.problem.steps - 1)
            values = {
                "sharpness": found.value,
                "edge": found.edge(rate),
                "sharpness_error": found.error,
                "sharpness_products": found.products,
            }
            for quantity, value in values.items():
                self.records.add(self.epoch, "run", quantity, float(value))

    def synchronize(self) -> None:
        """Wait for the device, so that time can be taken."""
        if self.accelerator.device.type != "cpu":
            torch.accelerator.synchronize()

    def state(self) -> dict[str, Any]:
        """Return all that continuing needs, as tensors and plain values."""
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
        }

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
        self.records = Records({name: list(v) for name, v in state["records"].items()})
        self.timings = [Timing(*t) for t in state["timings"]]
        self._seconds = state["seconds"]
