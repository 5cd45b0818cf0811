"""Settings of the search for an initial learning rate, ``learnorder advise``.

Every run is a complete schedule: a learning rate η for the first part of the epochs (the plateau),
then the smallest of the grid (or another anneal; see :attr:`LRSearch.anneal`). Short schedules on
separate seeds eliminate learning rates. The remaining ones are compared at full length on new
seeds, paired by seed, together with shorter plateaus at the best learning rate, activation noise at
the smallest, and the pick of a learning-rate range test. There they race: see
:mod:`learnorder.advise.race`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from itertools import pairwise
from typing import Literal

from learnorder.advise.looks import Looks
from learnorder.config.script import ScriptConfig, ScriptRunConfig
from learnorder.config.settings import (
    DataConfig,
    ModelConfig,
    RunConfig,
    TaskConfig,
    TaskRunConfig,
)
from learnorder.config.training import TrainingConfig
from learnorder.errors import ConfigError
from learnorder.probe.settings import falling_noise
from learnorder.runs.judged import Target
from learnorder.schedules import Schedule
from learnorder.seeding import MOST_SEEDS
from learnorder.values import check_fields, to_dict

Anneal = Literal["step", "cosine", "linear", "wsd", "constant", "task"]
"""How the learning rate is lowered; see :attr:`LRSearch.anneal`."""

_RATES = {"SGD": (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)}
_OTHER_RATES = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02)
_LARGEST = 1e6
"""The largest learning rate."""
FINE_TUNING = 10.0
"""Factor by which the default learning rates are smaller for fine-tuning."""
FEWEST_EPOCHS = 2
"""Length of the shortest schedule: one epoch before the anneal and one after."""
FEWEST_FINALISTS = 3
"""Fewest learning rates that a rung passes on, besides the smallest."""


AnyRunConfig = RunConfig | TaskRunConfig | ScriptRunConfig
"""The configuration of a run of a search."""


@dataclass(frozen=True)
class Candidate:
    """An arm of the search: the settings that vary, apart from the seed and the length.

    Attributes:
        learning_rate: Initial learning rate, η.
        plateau: Share of the epochs before the anneal.
        noise: Initial standard deviation of the activation noise; 0 is none.
    """

    learning_rate: float
    plateau: float
    noise: float = 0.0


@dataclass(frozen=True)
class LRSearch:
    """A search for the initial learning rates that are best after annealing.

    Raises:
        ConfigError: A setting is out of range, or the data are evaluated on test images.
    """

    data: DataConfig = DataConfig(  # noqa: RUF009 - frozen
        train_examples=600, evaluate_on="validation", validation_share=0.4
    )
    """The images, unless ``task`` is given; evaluated on a validation split, not on test images."""
    model: ModelConfig = field(
        default_factory=lambda: ModelConfig("WideResNet", {"depth": 10, "widen_factor": 1})
    )
    """The network, unless ``task`` is given."""
    task: TaskConfig = field(default_factory=TaskConfig)
    """Any other model, data and loss, in place of ``data`` and ``model``."""
    training: TrainingConfig = TrainingConfig(epochs=40, batch_size=32)
    """The optimiser, and the length of the schedules to be advised on."""
    learning_rates: tuple[float, ...] | None = None
    """In increasing order. The first is the one that the others are annealed to. null takes 0.01,
    0.02, 0.05 … 2 for SGD and 0.0001 … 0.02 for other optimisers, and adds larger ones as long as
    the largest is among the better half."""
    anneal: Anneal = "step"
    """step: one drop to the smallest learning rate after the plateau; wsd: linearly to 0 after the
    plateau; linear: from η to 0, from the end of the warm-up on; cosine: from η to 0 over the whole
    run; constant: none, for optimisers that need none; task: the scheduler of the task."""
    warmup: float = 0.0
    """Share of the epochs, in [0, 1), in which the learning rate rises linearly to η, step by step;
    0 for none. A share, because the rungs have runs of different lengths."""
    plateau: float = 0.5
    """Share of the epochs before the anneal; step and wsd only."""
    shorter_plateaus: tuple[float, ...] = (0.1, 0.25)
    """Shorter plateaus to try at the best learning rate; empty for none. step and wsd only."""
    noise: float = 0.4
    """Initial standard deviation of the activation noise to try at the smallest learning rate; it
    decays to 0.4 times that. 0 for none. For a script that takes {noise}."""
    rungs: int = 2
    """Number of rounds. Each has half the epochs of the next and passes on the best learning rates.
    1 trains every learning rate at full length."""
    keep: float = 0.4
    """Share of its learning rates that a rung passes on, in (0, 1]; at least three, and the
    smallest."""
    screening_seeds: int = 1
    """Number of seeds on each rung but the last."""
    seeds: int = 5
    """Number of seeds on the last rung, in a race the most; no other rung uses them."""
    race: bool = True
    """Whether an arm of the last rung gets no more seeds once it is decided, or once no verdict is
    in sight. Arms are compared after 3 seeds, 5 and so on, and intervals are corrected for it. A
    shorter plateau is tried if the next longer one is as good. false trains all arms on all
    seeds."""
    first_seed: int = 0
    """The first seed of the first rung."""
    target: Target = "score"
    """What the learning rates are judged by, over the whole validation set: score; loss; or, if the
    data have known groups, worst_group (the score of the worst group), gap (between the score of
    all examples and that of the worst group), or reliance (on a spurious attribute)."""
    tolerance: float | None = None
    """Acceptable loss of score. An arm is as good as another if the interval excludes a larger
    loss. null takes 0.01 for accuracies, gaps and reliance, else 2 % of the best score."""
    range_test: bool = True
    """Whether to run a learning-rate range test with five restarts, and try its median pick; there
    is none for a script."""

    script: ScriptConfig = field(default_factory=ScriptConfig)
    """A training script of any framework, in place of ``data``, ``model`` and ``task``."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.is_script:
            self._check_script()
        for name in ("learning_rates", "shorter_plateaus"):
            values = getattr(self, name)
            if values is None:
                continue
            if list(values) != sorted(set(values)) or (values and values[0] <= 0):
                raise ConfigError(name, list(values), "Give increasing numbers above 0.")
            if values and values[-1] > _LARGEST:
                raise ConfigError(name, list(values), f"Give numbers up to {_LARGEST:g}.")
        if self.learning_rates is not None and len(self.learning_rates) < 2:
            raise ConfigError(
                "learning_rates", list(self.learning_rates), "Give at least two to choose from."
            )
        for low, high in pairwise(self.learning_rates or ()):
            if high < 1.1 * low:
                raise ConfigError(
                    "learning_rates", [low, high], "Give learning rates at least 10 % apart."
                )
        if not 0 < self.plateau < 1:
            raise ConfigError("plateau", self.plateau, "Give a share in (0, 1).")
        if self.shorter_plateaus and self.shorter_plateaus[-1] >= self.plateau:
            raise ConfigError(
                "shorter_plateaus",
                list(self.shorter_plateaus),
                f"Give shares below plateau, {self.plateau:g}.",
            )
        if not self.noise >= 0:
            raise ConfigError("noise", self.noise, "Give a standard deviation ≥ 0; 0 is none.")
        for name, most in (("rungs", 20), ("screening_seeds", MOST_SEEDS), ("seeds", MOST_SEEDS)):
            if not 1 <= getattr(self, name) <= most:
                raise ConfigError(name, getattr(self, name), f"Give at least 1, at most {most:,}.")
        if not 0 < self.keep <= 1:
            raise ConfigError("keep", self.keep, "Give a share in (0, 1].")
        if self.first_seed < 0:
            raise ConfigError("first_seed", self.first_seed, "Give 0 or more.")
        if self.seeds < 2:
            raise ConfigError("seeds", self.seeds, "Give at least 2: differences are judged by "
                              "their spread over seeds.")  # fmt: skip
        if self.tolerance is not None and not self.tolerance >= 0:
            raise ConfigError("tolerance", self.tolerance, "Give a difference ≥ 0, or null.")
        if self.of_images and self.data.evaluate_on == "test":
            raise ConfigError(
                "data.evaluate_on",
                "test",
                "Learning rates are chosen by these scores, so test images would no longer give an "
                "unbiased estimate. Give validation, and a data.validation_share such as 0.2.",
            )
        if self.rung_epochs(0) < FEWEST_EPOCHS:
            raise ConfigError(
                "training.epochs",
                self.training.epochs,
                f"The first of {self.rungs} rungs would have {self.rung_epochs(0)}, but a schedule "
                f"needs {FEWEST_EPOCHS}: one before the anneal and one after. Give at least "
                f"{FEWEST_EPOCHS * 2 ** (self.rungs - 1)} epochs, or fewer --rungs.",
            )

        self._check_warmup()

    def _check_warmup(self) -> None:
        """Check that the warm-up of every run ends before its plateau does."""
        if not 0 <= self.warmup < 1:
            raise ConfigError("warmup", self.warmup, "Give a share in [0, 1); 0 is no warm-up.")
        if self.warmup and self.anneal == "task":
            raise ConfigError(
                "warmup", self.warmup, "The task's scheduler has its own warm-up, if any. Give 0."
            )
        if not self.warmup or not self.has_plateau:
            return
        for rung in range(self.rungs):
            epochs, last = self.rung_epochs(rung), rung == self.rungs - 1
            for plateau in (*(self.distinct_plateaus() if last else ()), self.plateau):
                if self.warmup * epochs > self.plateau_epochs(plateau, epochs):
                    raise ConfigError(
                        "warmup",
                        self.warmup,
                        f"It would not end within the plateau of {plateau:g} in the runs of "
                        f"{epochs} epochs. Give a smaller share, or a longer plateau or "
                        "shorter_plateaus.",
                    )

    @property
    def annealing(self) -> Anneal | Literal["script"]:
        """How the learning rate is lowered: ``anneal``, or script if a script does it itself."""
        return self.anneal if takes(self, "plateau_epochs") else "script"

    @property
    def has_plateau(self) -> bool:
        """Whether runs have a plateau of chosen length before the anneal."""
        return self.annealing in ("step", "wsd")

    @property
    def is_task(self) -> bool:
        """Whether a task is searched rather than images."""
        return self.task.path is not None or self.task.given is not None

    @property
    def is_script(self) -> bool:
        """Whether a script is searched, a command or a function."""
        return self.script.is_set

    @property
    def of_images(self) -> bool:
        """Whether images are searched: neither a task nor a script."""
        return not self.is_task and not self.is_script

    @property
    def tests_range(self) -> bool:
        """Whether there is a range test; it needs learnorder's own training loop."""
        return self.range_test and not self.is_script

    def _check_script(self) -> None:
        """Check that no setting is given that only learnorder's own training has.

        Raises:
            ConfigError: There is one.
        """
        defaults = {each.name: each.default for each in fields(LRSearch)}
        usual = [to_dict(each) for each in (defaults["training"], TrainingConfig())]
        training = to_dict(self.training)
        for name in training:
            if name != "epochs" and training[name] not in [each[name] for each in usual]:
                raise ConfigError(
                    f"training.{name}", training[name], "The script decides it. Leave it out, or "
                    f"write it into the command; for {{{name}}} give script.values.",
                )  # fmt: skip
        if self.is_task or self.data != defaults["data"]:
            other = "task" if self.is_task else "data"
            raise ConfigError(
                other, to_dict(getattr(self, other)), "A script has its own data and model: give "
                f"{other} or a script, not both.",
            )  # fmt: skip
        if self.target != "score":
            raise ConfigError(
                "target", self.target, "A script is judged by the score that is read from it: "
                "let that be the quantity, with script.score_name and script.higher_is_better.",
            )  # fmt: skip
        if self.anneal != "step":
            raise ConfigError(
                "anneal", self.anneal, "The script anneals its learning rate itself. For a step, "
                "let it take {plateau_epochs} and {final_learning_rate}.",
            )  # fmt: skip
        if self.warmup:
            raise ConfigError(
                "warmup", self.warmup, "A script warms up its learning rate itself. Give 0."
            )
        if self.learning_rates is None:
            raise ConfigError(
                "learning_rates", None, "A script's units are its own: give the learning rates to "
                "choose from, e.g. --learning_rates '[0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03]'.",
            )  # fmt: skip

    def rates(self, *, fine_tunes: bool = False) -> tuple[float, ...]:
        """Return the initial grid of learning rates.

        Args:
            fine_tunes: Whether training starts from given weights, with smaller default rates.
        """
        if self.learning_rates is not None:
            return self.learning_rates
        rates = _RATES.get(self.training.optimizer, _OTHER_RATES)
        return tuple(float(f"{r / FINE_TUNING:g}") for r in rates) if fine_tunes else rates

    def rung_epochs(self, rung: int) -> int:
        """Return the epochs of the schedules on a rung, counted from 0."""
        return self.training.epochs // 2 ** (self.rungs - 1 - rung)

    def rung_seeds(self, rung: int) -> range:
        """Return the seeds of a rung; rungs share none."""
        start = self.first_seed + rung * self.screening_seeds
        last = rung == self.rungs - 1
        return range(start, start + (self.seeds if last else self.screening_seeds))

    def passed_on(self, count: int) -> int:
        """Return how many of ``count`` learning rates a rung passes on, besides the smallest."""
        return max(FEWEST_FINALISTS, math.ceil(count * self.keep))

    def looks(self) -> Looks:
        """Return the numbers of seeds after which the arms of the last rung are compared."""
        return Looks.up_to(self.seeds) if self.race else Looks((self.seeds,))

    def with_epochs(self, epochs: int) -> LRSearch:
        """Return the search with another number of ``training.epochs``."""
        return replace(self, training=replace(self.training, epochs=epochs))

    def plateau_epochs(self, plateau: float, epochs: int) -> int:
        """Return the epochs before the anneal; at least one is left before and after it."""
        return min(epochs - 1, max(1, round(plateau * epochs)))

    def distinct_plateaus(self) -> tuple[float, ...]:
        """Return the shorter plateaus that differ in epochs from each other and the full one."""
        if not self.has_plateau:
            return ()
        epochs = self.training.epochs
        by_epochs = {
            self.plateau_epochs(plateau, epochs): plateau
            for plateau in reversed(self.shorter_plateaus)
        }
        by_epochs.pop(self.plateau_epochs(self.plateau, epochs), None)
        return tuple(sorted(by_epochs.values()))

    def schedule(self, arm: Candidate, smallest: float, epochs: int) -> Schedule:
        """Return the learning-rate schedule of a run; a step never increases the learning rate.

        Args:
            arm: Its initial learning rate and plateau.
            smallest: Learning rate after the anneal.
            epochs: Length of the run.
        """
        rate, plateau = arm.learning_rate, self.plateau_epochs(arm.plateau, epochs)
        schedule = Schedule(rate, warmup_epochs=self.warmup * epochs)
        match self.anneal:
            case "step" if rate > smallest:
                return replace(schedule, step_epochs=(1 + plateau,), step_factor=smallest / rate)
            case "wsd":
                return replace(schedule, linear_after=plateau / epochs)
            case "linear":
                return replace(schedule, linear_after=self.warmup)
            case "cosine":
                return replace(schedule, cosine=True)
        return schedule

    def is_annealed(self, rate: float, smallest: float) -> bool:
        """Whether runs at a learning rate are annealed; a step is to the smallest."""
        return rate > smallest if self.anneal == "step" else self.anneal != "constant"

    def run(self, arm: Candidate, smallest: float, epochs: int, seed: int) -> AnyRunConfig:
        """Return the configuration of one run."""
        made = self._script_run if self.is_script else self.training_run
        return made(arm, smallest, epochs, seed)

    def training_run(
        self, arm: Candidate, smallest: float, epochs: int, seed: int
    ) -> RunConfig | TaskRunConfig:
        """Return the configuration of one run that learnorder trains itself."""
        training = replace(self.training, epochs=epochs)
        schedule = self.schedule(arm, smallest, epochs)
        noise = falling_noise(arm.noise, epochs)
        if self.is_task:
            return TaskRunConfig(self.task, training, schedule, noise, seed)
        return RunConfig(
            self.data,
            self.model,
            training=training,
            learning_rate=schedule,
            noise=noise,
            seed=seed,
        )

    def _script_run(
        self, arm: Candidate, smallest: float, epochs: int, seed: int
    ) -> ScriptRunConfig:
        """Return the configuration of one run of a script."""
        known = {
            "plateau_epochs": self.plateau_epochs(arm.plateau, epochs),
            "final_learning_rate": min(smallest, arm.learning_rate),
            "noise": arm.noise,
        }
        values = {name: value for name, value in known.items() if takes(self, name)}
        length = epochs if takes(self, "epochs") else None
        return ScriptRunConfig(self.script, arm.learning_rate, length, values, seed)


def takes(search: LRSearch, name: str) -> bool:
    """Return whether a search can set a name: a script takes only some of them."""
    if not search.is_script:
        return True
    return name in search.script.names()
