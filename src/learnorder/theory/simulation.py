"""One run of the theory, from its configuration to its records."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from learnorder.seeding import generator
from learnorder.theory.algorithm import Course, Grid, Moment, Outcome, phases, train
from learnorder.theory.config import TheoryConfig
from learnorder.theory.distribution import Examples, draw_examples
from learnorder.theory.finite import FiniteNetwork, train_seeds
from learnorder.theory.flow import Flow
from learnorder.theory.kernel import Kernel, OutputsOn
from learnorder.theory.measure import (
    Evaluation,
    Measured,
    gaussian_error,
    second_difference,
    train_measures,
)
from learnorder.theory.records import TheoryRecords
from learnorder.theory.recursion import Recursion


@dataclass(frozen=True)
class Point:
    """The position of a run.

    Attributes:
        time: η·t.
        steps: Steps taken.
        loss: Training loss.
    """

    time: float
    steps: float
    loss: float


class Simulation(Protocol):
    """One run, on any engine: see :func:`simulate`."""

    config: TheoryConfig

    @property
    def records(self) -> TheoryRecords:
        """The measurements so far."""
        ...

    @property
    def point(self) -> Point:
        """The current position."""
        ...

    @property
    def step_length(self) -> float:
        """η·t of the shortest step that the run takes."""
        ...

    @property
    def state_bytes(self) -> int:
        """Size of the state in bytes."""
        ...

    def run(self, stop: Callable[[], bool] = ...) -> Outcome | None:
        """Train to the end and return how it ended; return None once ``stop`` returns true."""
        ...

    def snapshot(self) -> dict[str, Any]:
        """Return the state needed to continue, as tensors and plain values."""
        ...


def simulate(config: TheoryConfig, snapshot: dict[str, Any] | None = None) -> Simulation:
    """Return the simulation of a run on the engine that its configuration names.

    Args:
        config: The run.
        snapshot: State to continue from, as returned by ``snapshot``; None starts from scratch.

    >>> from learnorder.theory import DistributionConfig, MeasureConfig
    >>> small = DistributionConfig(d=40, s=100.0, r=1e-3)
    >>> run = simulate(TheoryConfig(small, measure=MeasureConfig(test_examples=100)))
    >>> run.run().reason
    'learning rate annealed at ..., reached ε2 = 0.05 at ...'
    """
    if config.solver.engine == "finite":
        return FiniteSimulation(config, snapshot)
    return LimitSimulation(config, snapshot)


class LimitSimulation:
    """A run in the limit of infinite width, by the flow or the recursion.

    Args:
        config: The run.
        snapshot: State to continue from, from :meth:`snapshot`; None starts from scratch.

    Attributes:
        config: The run.
        kernel: The kernel on the training set.
        engine: The training dynamics: flow or recursion.
        records: The measurements so far.
    """

    def __init__(self, config: TheoryConfig, snapshot: dict[str, Any] | None = None) -> None:
        self.config = config
        examples = training_set(config, config.seed)
        self.kernel = Kernel(examples, config.network, config.solver.quadratic)
        kind = Flow if config.solver.engine == "flow" else Recursion
        self.engine = kind(self.kernel, config)
        self._evaluation = _evaluation(config, config.seed)
        self._probe = OutputsOn(self.kernel, self._evaluation.x1)
        self.records = TheoryRecords()
        self.course = _course(config, examples, self._observe)
        if snapshot is not None:
            self.engine.restore(snapshot["engine"])
            self.course.restore(snapshot["course"])
            self.records = TheoryRecords({k: list(v) for k, v in snapshot["records"].items()})

    @property
    def outcome(self) -> Outcome | None:
        """How the run ended; None until then."""
        return self.course.outcome

    @property
    def point(self) -> Point:
        """The current position."""
        return Point(self.engine.time, self.engine.steps, self.engine.loss)

    @property
    def step_length(self) -> float:
        """η·t of the shortest step, or macro-step, of the recursion."""
        config = self.config
        small = max(config.eta2, config.solver.macro_step or config.eta1)
        return min(small, config.eta1) if config.arm == "L-S" else small

    @property
    def state_bytes(self) -> int:
        """Size of the state in bytes."""
        return sum(t.numel() * t.element_size() for t in self.engine.state.tensors())

    def run(self, stop: Callable[[], bool] = lambda: False) -> Outcome | None:
        """Train to the end and return how it ended; return None once ``stop`` returns true."""
        train(self.engine, self.course, stop)
        return self.outcome

    def snapshot(self) -> dict[str, Any]:
        """Return the state needed to continue, as tensors and plain values."""
        return {
            "engine": self.engine.snapshot(),
            "course": self.course.snapshot(),
            "records": self.records.columns,
        }

    def _observe(self, moment: Moment) -> None:
        state, engine = self.engine.state, self.engine
        measured = train_measures(self.kernel.outputs(state), self.kernel.examples)
        measured |= self._evaluation.measure(self._probe.outputs(state), self.kernel.on_q(state))
        measured["run", "linear_norm"] = (float(state.linear.norm()), 0)
        measured["run", "noise_std"] = (engine.variance**0.5, 0)
        if moment.grid is None:
            error = gaussian_error(self.kernel, state, self.config.distribution)
            measured["p_only", "error_gaussian"] = (error, 0)
            measured["run", "dropped"] = (self.kernel.dropped(state), self.kernel.n)
        _record(self.records, moment, self.course, measured)


class FiniteBatch:
    """Runs of the finite network, with several seeds in lockstep.

    Args:
        config: The runs; its seed is ignored.
        seeds: The seeds.
        snapshot: State to continue from, from :meth:`snapshot`; None starts from scratch.
        device: Device to compute on.
        split: Also record the signal and noise parts of the weights.

    Attributes:
        network: The networks.
        records: The measurements of each seed.
        courses: The course of each seed.
    """

    def __init__(
        self,
        config: TheoryConfig,
        seeds: Sequence[int],
        snapshot: dict[str, Any] | None = None,
        *,
        device: str | torch.device = "cpu",
        split: bool = True,
    ) -> None:
        self.config = config
        self._examples = [training_set(config, seed) for seed in seeds]
        self.network = FiniteNetwork(config, seeds, self._examples, device, split=split)
        self._evaluation = [_evaluation(config, seed) for seed in seeds]
        self.records = [TheoryRecords() for _ in seeds]
        self.courses = [
            _course(config, examples, functools.partial(self._observe, index))
            for index, examples in enumerate(self._examples)
        ]
        if snapshot is not None:
            self.network.restore(snapshot["network"])
            for course, saved in zip(self.courses, snapshot["courses"], strict=True):
                course.restore(saved)
            self.records = [
                TheoryRecords({k: list(v) for k, v in columns.items()})
                for columns in snapshot["records"]
            ]

    @property
    def outcomes(self) -> list[Outcome | None]:
        """How each seed's run ended; None until then."""
        return [course.outcome for course in self.courses]

    def run(self, stop: Callable[[], bool] = lambda: False) -> list[Outcome | None]:
        """Train all seeds to the end, or until ``stop`` returns true; return the outcomes."""
        train_seeds(self.network, self.courses, stop)
        return self.outcomes

    def snapshot(self) -> dict[str, Any]:
        """Return the state needed to continue, as tensors and plain values."""
        return {
            "network": self.network.snapshot(),
            "courses": [course.snapshot() for course in self.courses],
            "records": [records.columns for records in self.records],
        }

    def _observe(self, index: int, moment: Moment) -> None:
        network, examples = self.network, self._examples[index]
        on_q = network.on_q(index)
        f = network.on_p(examples.x1, index).double().cpu()
        f = f + examples.amplitude * on_q[examples.b.long() + 1]
        measured = train_measures(f, examples)
        evaluation = self._evaluation[index]
        measured |= evaluation.measure(network.on_p(evaluation.x1, index).cpu(), on_q)
        for name, value in network.norms(index).items():
            measured["run", name] = (value, 0)
        if network.noise is not None:
            bend = second_difference(network.signal_on_q(index), self.config.distribution.s)
            measured["q", "signal_second_difference"] = (bend, 0)
        _record(self.records[index], moment, self.courses[index], measured)


class FiniteSimulation:
    """One run of the finite network.

    Args:
        config: The run.
        snapshot: State to continue from, from :meth:`snapshot`; None starts from scratch.
    """

    def __init__(self, config: TheoryConfig, snapshot: dict[str, Any] | None = None) -> None:
        self.config = config
        self._batch = FiniteBatch(config, [config.seed], snapshot)

    @property
    def records(self) -> TheoryRecords:
        """The measurements so far."""
        return self._batch.records[0]

    @property
    def point(self) -> Point:
        """The current position."""
        network = self._batch.network
        return Point(float(network.time[0]), float(network.steps[0]), float(network.loss[0]))

    @property
    def step_length(self) -> float:
        """η·t of a step at the smallest learning rate."""
        return self.config.eta2

    @property
    def state_bytes(self) -> int:
        """Size of the weights and of their noise part, in bytes."""
        tensors = self._batch.network.snapshot().values()
        return sum(t.numel() * t.element_size() for t in tensors)

    def run(self, stop: Callable[[], bool] = lambda: False) -> Outcome | None:
        """Train to the end and return how it ended; return None once ``stop`` returns true."""
        return self._batch.run(stop)[0]

    def snapshot(self) -> dict[str, Any]:
        """Return the state needed to continue, as tensors and plain values."""
        return self._batch.snapshot()


def training_set(config: TheoryConfig, seed: int) -> Examples:
    """Return the training set of a seed. It does not depend on the algorithm or the engine."""
    distribution = config.distribution
    return draw_examples(distribution, distribution.N, generator(seed, "train"))


def _evaluation(config: TheoryConfig, seed: int) -> Evaluation:
    return Evaluation(config.distribution, config.measure.test_examples, generator(seed, "test"))


def _course(config: TheoryConfig, examples: Examples, observe: Callable[[Moment], None]) -> Course:
    without_p = float((~examples.has_p).double().mean())
    return Course(
        phases(config, without_p),
        Grid(config.first_time, config.measure.per_decade),
        config.max_time,
        observe,
    )


def _record(records: TheoryRecords, moment: Moment, course: Course, measured: Measured) -> None:
    phase = course.phase
    measured["run", "learning_rate"] = (phase.learning_rate, 0)
    measured["run", "sigma"] = (phase.sigma, 0)
    grid = -1 if moment.grid is None else moment.grid
    for (set_, quantity), (value, n) in measured.items():
        records.add(grid, moment.time, moment.steps, moment.phase, set_, quantity, value, n)
