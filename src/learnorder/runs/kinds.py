"""The registry of kinds of runs: configuration, backend, results and presentation of each."""

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
"""The status of a run that has ended."""


class Settings(Protocol):
    """A run's configuration: a frozen dataclass that converts to JSON."""

    @property
    def seed(self) -> int:
        """The seed of the run."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return nested dicts, lists and scalars."""
        ...


@dataclass(frozen=True)
class CostEstimate:
    """The estimated cost of a run.

    Attributes:
        seconds: Time on this machine, if its cores are free; an upper bound if ``at_most``.
        what: Size in words, e.g. "38 steps of 70,000 parameters".
        disk_bytes: Disk space after the run.
        peak_bytes: Additional disk space during the run.
        at_most: Whether the run may end earlier, depending on the course of training.
    """

    seconds: float
    what: str
    disk_bytes: float
    peak_bytes: float
    at_most: bool = False


class Backend(Protocol):
    """The functions of the backend module of a kind of run."""

    def check(self, configs: Sequence[Any], processes: int = 1) -> None:
        """Build each distinct model and data set once; refuse configurations that cannot run.

        Args:
            configs: Configurations of the runs.
            processes: Number of processes that train each run together.

        Raises:
            LearnOrderError: A configuration cannot be run.
        """
        ...

    def identify(self, configs: Sequence[Any]) -> list[dict[str, str]]:
        """Return digests, by name, of the user's code and data that each configuration refers to.

        See :mod:`learnorder.training.identity`.
        """
        ...

    def run(self, folder: RunFolder[Any], stop: Callable[[], bool]) -> tuple[EndStatus, str] | None:
        """Execute a folder's run, from its checkpoint if there is one, and write its results.

        Args:
            folder: The run.
            stop: Called after each step; the run is saved and stopped if it returns True.

        Returns:
            The status at the end, with a reason; None if ``stop`` stopped the run.
        """
        ...

    def measure(self, config: Any) -> CostEstimate:
        """Time a few steps of a run."""
        ...

    def cost_key(self, config: Any) -> str:
        """Return a key that is equal for runs of equal cost."""
        ...


class Presentation(Protocol):
    """The functions of the module that presents results of one kind.

    Attributes:
        FIGURES: Functions that draw a figure of some results, by name of the figure.
    """

    FIGURES: Mapping[str, Callable[..., Any]]

    def content(self, results: Any) -> Any:
        """Return the content of a report, :class:`~learnorder.report.content.Content`."""
        ...

    def setup(self, results: Any) -> list[tuple[str, str]]:
        """Return the settings of the runs, as terms and descriptions."""
        ...

    def findings(self, results: Any) -> list[str]:
        """Return the findings in sentences."""
        ...

    def summary_table(self, results: Any) -> Any:
        """Return a table of text for the terminal."""
        ...


@dataclass(frozen=True)
class Kind:
    """A kind of run.

    Everything specific to one kind is given by import path and imported on first use, so this
    package imports no higher one, and reading runs imports no torch.

    Attributes:
        name: Its name in manifests.
        configuration: Import path of its configuration.
        backend: Import path of its :class:`Backend`.
        records: Import path of its records: a class whose ``table()`` is an Arrow table in long
            form, with the columns ``moment``, "set", "quantity" and "value", and others.
        description: Import path of the dataclass that describes the data of its runs.
        results: Import path of the class of its results.
        presentation: Import path of its :class:`Presentation`.
        movie: Import path of the function that writes the movie of some results to a file; empty if
            there are no movies of such runs.
        shared: A sentence for reports on what runs of one seed share.
        headline: Set, group and quantity that summarise a run, and the words for it.
        moment: The column of its records with the time of a measurement.
        accelerated: Whether it uses an accelerator if there is one.
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
        """Import the module that presents its results."""
        return importlib.import_module(self.presentation)  # pyright: ignore[reportReturnType]

    def read(self, values: dict[str, Any]) -> Any:
        """Build a configuration from a manifest; the same values are parsed once in a process.

        Its dicts and lists are its own, so changing one does not change other runs.

        Raises:
            ConfigError: A value is not valid in this version.
        """
        try:
            return _with_own_parts(_parsed(self.config, json.dumps(values), ""))
        except RecursionError:
            raise ConfigError("config", "values in values", "It is nested too deep.") from None

    def describe(self, values: dict[str, Any] | None) -> Any:
        """Build the description of a run's data from a manifest; None if it has none yet.

        As in :meth:`read`, the same values are parsed once.

        Raises:
            ConfigError: A value has the wrong type.
        """
        if values is None:
            return None
        return _parsed(load_named(self.description), json.dumps(values), "data")


def load_named(path: str) -> Any:
    """Return the object of an import path, e.g. "learnorder.runs.results.Results"."""
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
"""All kinds of runs. A new kind needs an entry here and modules of its own."""


def kind_of(config: Settings) -> Kind:
    """Return the kind of a configuration."""
    path = f"{type(config).__module__}.{type(config).__qualname__}"
    return next(kind for kind in KINDS.values() if kind.configuration == path)


def kind_named(name: str) -> Kind:
    """Return the kind with a name.

    Raises:
        ConfigError: There is no such kind.
    """
    if name not in KINDS:
        raise ConfigError("kind", name, f"There are {', '.join(KINDS)}.")
    return KINDS[name]
