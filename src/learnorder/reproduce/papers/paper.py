"""A paper: its claims, the experiments that test them at each scale, and their figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from learnorder.config.settings import RunConfig, TaskRunConfig
from learnorder.errors import ConfigError
from learnorder.reproduce.claim import Claim

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from learnorder.runs.results import Results, TaskResults
    from learnorder.theory.results import TheoryResults


Config: TypeAlias = RunConfig | TaskRunConfig
"""The settings of a run on images, or of a task."""


@dataclass(frozen=True)
class PaperExperiment:
    """Arms that share seeds, initial weights, data and their order.

    Attributes:
        arms: The runs of a seed by arm. Arms of tasks are named in words, e.g. "large LR,
            annealed"; those on images as in :class:`~learnorder.images.experiment.Arms`.
        setting: Network, optimiser and data in a few words, e.g. "MLP, SGD, digits". Experiments
            with the same setting share a column in the overview of all papers.
        seeds: Number of seeds.
        first_seed: First seed. Settings were chosen on seeds from 1000 on.
    """

    arms: Mapping[str, Config]
    setting: str
    seeds: int = 6
    first_seed: int = 0

    @property
    def all_seeds(self) -> range:
        """The seeds."""
        return range(self.first_seed, self.first_seed + self.seeds)

    def on(self, source: str) -> PaperExperiment:
        """Return the experiment on another copy of its images, unless a function makes them."""
        moved = {
            arm: on_source(config, source)
            if (own := source_of(config)) and not own.startswith("function:")
            else config
            for arm, config in self.arms.items()
        }
        return replace(self, arms=moved)


def source_of(config: Config) -> str | None:
    """Return the location of a run's images; None for a task that loads none from a source."""
    if isinstance(config, RunConfig):
        return config.data.source
    return config.task.arguments.get("source")


def on_source(config: Config, source: str) -> Config:
    """Return a run's settings with another location of its images."""
    if isinstance(config, RunConfig):
        return replace(config, data=replace(config.data, source=source))
    arguments = {**config.task.arguments, "source": source}
    return replace(config, task=replace(config.task, arguments=arguments))


Experiments = Mapping[str, PaperExperiment]
"""The experiments of a paper at one scale, by name."""


class Figure(Protocol):
    """A figure of an experiment's results."""

    def draw(self, results: TaskResults) -> go.Figure:
        """Return the figure."""
        ...


@dataclass(frozen=True)
class Paper:
    """A paper whose claims are tested.

    Attributes:
        name: The name that ``--paper`` takes: first author and year.
        title: Its title.
        authors: Surnames of the authors.
        venue: Where and when it appeared, e.g. "NeurIPS 2019".
        arxiv: Its number at arxiv.org.
        about: What it claims, and how this is tested here, for the top of the page.
        differs: How the setting here differs from the paper's.
        claims: Its claims, in its order.
        titles: Titles of the experiments, by name.
        scales: Functions that return the experiments, by scale; the first is the default. Empty for
            the paper that ``learnorder reproduce`` runs without ``--paper``.
        figures: Figures of the experiments, by name; figures of results need no entry.
        leads: Names of the figures that a short account shows.
        setting: Where the claims are tested if not in the paper's setting, e.g. "in other
            settings".
    """

    name: str
    title: str
    authors: tuple[str, ...]
    venue: str
    arxiv: str
    about: str
    differs: str
    claims: tuple[Claim, ...]
    titles: Mapping[str, str]
    scales: Mapping[str, Callable[[], Experiments]] = field(default_factory=dict)
    figures: Mapping[str, Figure] = field(default_factory=dict)
    leads: tuple[str, ...] = ()
    setting: str = ""

    @property
    def cited(self) -> str:
        """Authors and year, e.g. "You et al. (2019)"."""
        first, *others = self.authors
        names = f"{first} et al." if len(others) > 1 else " and ".join(self.authors)
        return f"{names} ({''.join(filter(str.isdigit, self.name))})"

    @property
    def subject(self) -> str:
        """Authors and year, and where the claims are tested if not in the paper's setting."""
        return f"{self.cited} {self.setting}".rstrip()

    @property
    def reference(self) -> str:
        """Authors, title, place and number at arxiv.org."""
        *some, last = self.authors
        names = f"{', '.join(some)} and {last}" if some else last
        title = self.title if self.title.endswith("?") else f"{self.title}."
        return f"{names}: {title} {self.venue}, arXiv:{self.arxiv}"

    def experiments(self, scale: str | None = None) -> Experiments:
        """Return the experiments at a scale; None: the default.

        Raises:
            ConfigError: The paper has no such scale, or is not a later paper.
        """
        if not self.scales:
            raise ConfigError("paper", self.name, "Its claims are tested by learnorder.reproduce.")
        scale = next(iter(self.scales)) if scale is None else scale
        if scale not in self.scales:
            raise ConfigError(
                "scale", scale, f"Choose one of {', '.join(self.scales)} for {self.name}."
            )
        return self.scales[scale]()

    def draw(self, name: str, results: Results | TheoryResults | TaskResults) -> go.Figure:
        """Return a figure of an experiment's results."""
        figure: Any = self.figures.get(name)
        return results.figure(name) if figure is None else figure.draw(results)  # pyright: ignore
