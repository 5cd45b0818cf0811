"""The kinds of runs there are: what each is configured by, and where its work is done."""

from __future__ import annotations

import copy
import dataclasses
import functools
import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from learnorder.errors import ConfigError
from learnorder.values import field_types, from_dict

if TYPE_CHECKING:
    from learnorder.runs.folder import RunFolder

EndStatus = Literal["finished", "diverged", "out_of_steps", "no_score"]
"""How a run that came to its end did so."""


class Settings(Protocol):
    """A run's configuration: frozen, equal to its JSON form."""

    @property
    def seed(self) -> int:
        """The one seed that makes the run."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return nested dicts, lists and scalars."""
        ...


@dataclass(frozen=True)
class CostEstimate:
    """What a run takes.

    Attributes:
        seconds: On this machine, alone on its threads; an upper bound where ``at_most``.
        what: Its size, e.g. "38 steps of 70,000 parameters".
        disk_bytes: Space when done.
        peak_bytes: Space besides, while it runs.
        at_most: Whether the end depends on how training goes.
    """

    seconds: float
    what: str
    disk_bytes: float
    peak_bytes: float
    at_most: bool = False


class Backend(Protocol):
    """What the backend module of a kind of run has."""

    def check(self, configs: Sequence[Any], processes: int = 1) -> None:
        """Build each distinct model and data set once; refuse configurations that cannot run.

        Args:
            configs: Of the runs.
            processes: How many are to make each run together.

        Raises:
            LearnOrderError: A setting that cannot be met.
        """
        ...

    def identify(self, configs: Sequence[Any]) -> list[dict[str, str]]:
        """Return what tells each configuration's run from another beside the settings.

        It is the user's own code and data, as digests by name; see
        :mod:`learnorder.training.identity`.
        """
        ...

    def run(self, folder: RunFolder[Any], stop: Callable[[], bool]) -> tuple[EndStatus, str] | None:
        """Do a folder's run, from its checkpoint where there is one, and leave its results there.

        Args:
            folder: The run.
            stop: Asked after each step.

        Returns:
            How it ended, with a reason; None when ``stop`` said so: it is then saved where it was.
        """
        ...

    def measure(self, config: Any) -> CostEstimate:
        """Time a few steps of a run."""
        ...

    def cost_key(self, config: Any) -> str:
        """Return what runs of the same workload have in common."""
        ...


class Presentation(Protocol):
    """What the module that shows a kind of results has.

    Attributes:
        FIGURES: What draws each figure, by its name.
    """

    FIGURES: Mapping[str, Callable[..., Any]]

    def content(self, results: Any) -> Any:
        """Return what the page of results says, :class:`~learnorder.report.content.Content`."""
        ...

    def setup(self, results: Any) -> list[tuple[str, str]]:
        """Return how the runs were made, as terms and descriptions."""
        ...

    def findings(self, results: Any) -> list[str]:
        """Return what results show, in sentences."""
        ...

    def summary_table(self, results: Any) -> Any:
        """Return what a terminal shows of results, a table of text."""
        ...


@dataclass(frozen=True)
class Kind:
    """A kind of run.

    Everything specific to one kind is given by import path and imported on first use, so this
    package imports no higher one, and reading runs imports no torch.

    Attributes:
        name: As manifests say it.
        configuration: Import path of its configuration.
        backend: Import path of its :class:`Backend`.
        records: Import path of its records: a class whose ``table()`` is an Arrow table in long
            form, with the columns ``moment``, "set", "quantity" and "value", and others.
        description: Import path of the dataclass that describes the data of its runs.
        results: Import path of what its finished runs are read as.
        presentation: Import path of its :class:`Presentation`.
        movie: Import path of the function that writes the movie of some results to a file; empty if
            there are no movies of such runs.
        shared: What runs of one seed share, as pages say it.
        headline: Set, group and quantity that tell most of a run, and the words for it.
        moment: The column of its records that says when.
        accelerated: Whether it uses an accelerator where there is one.
        threaded: Whether more than one thread makes a run faster.
    """

    name: str
    configuration: str
    backend: str
    records: str
    description: str
    results: str
    presentation: str
    shared: str
    headline: tuple[str, str, str, str]
    moment: str = "epoch"
    movie: str = ""
    accelerated: bool = True
    threaded: bool = True

    @property
    def config(self) -> type:
        """The class of its configuration."""
        return load_named(self.configuration)

    def no_records(self) -> Any:
        """Return the table of records of a run that has none yet."""
        return load_named(self.records)().table()

    def load_backend(self) -> Backend:
        """Import the backend, torch with it."""
        return importlib.import_module(self.backend)  # pyright: ignore[reportReturnType]

    def results_of(self, folders: Sequence[RunFolder[Any]]) -> Any:
        """Return the results of runs of this kind."""
        return load_named(self.results)(folders)

    def present(self) -> Presentation:
        """Import what shows its results."""
        return importlib.import_module(self.presentation)  # pyright: ignore[reportReturnType]

    def read(self, values: dict[str, Any]) -> Any:
        """Build a configuration from a manifest; the same values are parsed once in a process.

        Its dicts and lists are its own, so changing one does not change other runs.

        Raises:
            ConfigError: A value that no run of this version has.
        """
        try:
            return _with_own_parts(_parsed(self.config, json.dumps(values), ""))
        except RecursionError:
            raise ConfigError("config", "values in values", "It is nested too deep.") from None

    def describe(self, values: dict[str, Any] | None) -> Any:
        """Build what a manifest says of a run's data; None where it says nothing yet.

        As in :meth:`read`, the same values are parsed once.

        Raises:
            ConfigError: A value of the wrong type.
        """
        if values is None:
            return None
        return _parsed(load_named(self.description), json.dumps(values), "data")


def load_named(path: str) -> Any:
    """Return what an import path of this package names, e.g. "learnorder.runs.results.Results"."""
    module, name = path.rsplit(".", 1)
    return getattr(importlib.import_module(module), name)


@functools.lru_cache(maxsize=4096)
def _parsed(kind: type, text: str, at: str) -> Any:
    """Build a dataclass from JSON; runs with equal sections share the objects."""
    values = json.loads(text)
    for name, hint in field_types(kind).items() if isinstance(values, dict) else ():
        if name in values and dataclasses.is_dataclass(hint):
            section = f"{at}.{name}" if at else name
            values[name] = _parsed(hint, json.dumps(values[name]), section)  # pyright: ignore
    return from_dict(kind, values, at)


def _with_own_parts(value: Any) -> Any:
    """Return a value whose dicts and lists are copies; dataclasses without any are shared."""
    if isinstance(value, dict | list):
        return copy.deepcopy(value)
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    parts = {name: _with_own_parts(part) for name, part in vars(value).items()}
    if all(parts[name] is part for name, part in vars(value).items()):
        return value
    copied = copy.copy(value)
    for name, part in parts.items():
        object.__setattr__(copied, name, part)
    return copied


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            name="images",
            configuration="learnorder.config.settings.RunConfig",
            backend="learnorder.images.backend",
            records="learnorder.training.records.Records",
            description="learnorder.runs.descriptions.ImagesDescription",
            results="learnorder.runs.results.Results",
            presentation="learnorder.images.presentation",
            shared="Runs of one seed share initial weights, data, patterns and their order.",
            headline=("clean", "all", "accuracy", "clean accuracy"),
            movie="learnorder.images.movie.page.write_movie",
        ),
        Kind(
            name="task",
            configuration="learnorder.config.settings.TaskRunConfig",
            backend="learnorder.tasks.backend",
            records="learnorder.training.records.Records",
            description="learnorder.runs.descriptions.TaskDescription",
            results="learnorder.runs.results.TaskResults",
            presentation="learnorder.tasks.presentation",
            shared="Runs of one seed share initial weights, data and their order.",
            headline=("validation", "all", "loss", "validation loss"),
        ),
        Kind(
            name="script",
            configuration="learnorder.config.script.ScriptRunConfig",
            backend="learnorder.scripts.backend",
            records="learnorder.training.records.Records",
            description="learnorder.runs.descriptions.ScriptDescription",
            results="learnorder.runs.results.ScriptResults",
            presentation="learnorder.scripts.presentation",
            shared="Runs of one seed get the same seed; what that fixes is up to the script.",
            headline=("validation", "all", "score", "final score"),
        ),
        Kind(
            name="theory",
            configuration="learnorder.theory.config.TheoryConfig",
            backend="learnorder.theory.backend",
            records="learnorder.theory.records.TheoryRecords",
            description="learnorder.runs.descriptions.TheoryDescription",
            results="learnorder.theory.results.TheoryResults",
            presentation="learnorder.theory.presentation",
            shared="Runs of one seed share their examples and, at finite width, weights and noise.",
            headline=("p_only", "", "error", "P-only error"),
            moment="time",
            accelerated=False,
            threaded=False,
        ),
    )
}
"""All kinds of runs: a new one is an entry here, and modules of its own."""


def kind_of(config: Settings) -> Kind:
    """Return the kind of a configuration."""
    path = f"{type(config).__module__}.{type(config).__qualname__}"
    return next(kind for kind in KINDS.values() if kind.configuration == path)


def kind_named(name: str) -> Kind:
    """Return the kind that a manifest names.

    Raises:
        ConfigError: There is none.
    """
    if name not in KINDS:
        raise ConfigError("kind", name, f"There are {', '.join(KINDS)}.")
    return KINDS[name]
