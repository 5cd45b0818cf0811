"""The papers by name."""

from __future__ import annotations

from learnorder.errors import ConfigError, did_you_mean
from learnorder.reproduce.papers.literature import (
    andreyev2024,
    andriushchenko2023,
    geiping2021,
    haas2025,
    kosson2025,
    lewkowycz2020,
    li2019,
    li2019_settings,
    li2020,
    lu2023,
    mohtashami2022,
    prieto2025,
    sadrtdinov2024,
    shah2020,
    wen2024,
    you2019,
    zhu2023,
)
from learnorder.reproduce.papers.paper import Paper

_MODULES = (
    li2019,
    li2019_settings,
    you2019,
    lewkowycz2020,
    li2020,
    shah2020,
    geiping2021,
    mohtashami2022,
    andriushchenko2023,
    lu2023,
    zhu2023,
    sadrtdinov2024,
    andreyev2024,
    wen2024,
    prieto2025,
    haas2025,
    kosson2025,
)
PAPERS = {module.PAPER.name: module.PAPER for module in _MODULES}
"""All papers, the first is that of ``learnorder reproduce`` without ``--paper``."""


def paper_named(name: str) -> Paper:
    """Return a paper by its name, or by its number at arxiv.org.

    Raises:
        ConfigError: There is no such paper.
    """
    for paper in PAPERS.values():
        if name in (paper.name, paper.arxiv):
            return paper
    raise ConfigError(
        "paper",
        name,
        f"{did_you_mean(name, PAPERS)} Choose one of {', '.join(PAPERS)}.".lstrip(),
    )
