"""``docs/claims.md`` and its pictures, from the records in ``results/papers`` and ``results``.

``python -m studies.pages`` writes them; ``python -m studies.papers.measure`` makes the records.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import plotly.graph_objects as go

from learnorder.report.style import figure_text
from learnorder.reproduce.claim import RESCALED, Judgement
from learnorder.reproduce.papers.paper import Paper
from learnorder.reproduce.papers.registry import PAPERS
from learnorder.reproduce.papers.run import judge_paper
from learnorder.reproduce.result import ReproductionResult
from learnorder.statistics import Verdict, p_words
from studies.common import Page, fill_template, image, markdown
from studies.papers.measure import LATER, SCALE
from studies.reproduce.verdicts import judged, secondary

TEMPLATE = Path(__file__).with_name("claims.md.in")
_LI_SETTINGS = {"demo": "WRN, SGD, digits", "laptop": "WRN, SGD, CIFAR-10"}
_THEORY = "two-layer theory"
_SYMBOLS: dict[Verdict, tuple[str, str]] = {
    "holds": ("✓", "#56B4E9"),
    "does_not_hold": ("✗", "#E69F00"),
    "undecided": ("?", "#E4E4E4"),
}


@dataclass(frozen=True)
class Cell:
    """A claim in a setting.

    Attributes:
        paper: The paper, as authors and year.
        claim: The claim, the same in all settings.
        setting: Network, optimiser and data.
        verdict: The verdict.
        p: Its p-value, adjusted for the number of tests in its table.
    """

    paper: str
    claim: str
    setting: str
    verdict: Verdict
    p: float


def page(runs: Path) -> Page:
    """Return the page; ``runs`` has the run folders unpacked from ``results``."""
    later = {name: _judged(name, runs) for name in LATER if (runs / "papers" / name).is_dir()}
    first = {scale: judged(scale, runs) for scale in _LI_SETTINGS}
    cells = [*_first_cells(first), *(cell for each in later.values() for cell in _cells(each))]
    pictures: dict[str, go.Figure] = {"claims-overview": overview(cells)}
    sections = []
    for name, result in later.items():
        text, figures = _section(name, result)
        sections.append(text)
        pictures |= figures
    counts = {v: sum(cell.verdict == v for cell in cells) for v in _SYMBOLS}
    values = {
        "papers": str(len({PAPERS[name].arxiv for name in ("li2019", *later)})),
        "tests": str(len(cells)),
        "holds": str(counts["holds"]),
        "does_not_hold": str(counts["does_not_hold"]),
        "undecided": str(counts["undecided"]),
        "adjusted": str(sum(cell.verdict != "undecided" and cell.p < 0.05 for cell in cells)),
        "sections": "\n\n".join(sections),
        "not_run": _not_run(later),
    }
    named = ("papers", "tests", "holds", "does_not_hold", "undecided")
    marks = {f"literature {name}": values[name] for name in named}
    return Page(
        {"docs/claims.md": fill_template(TEMPLATE, values)}, {"README.md": marks}, pictures
    )  # fmt: skip


def _not_run(later: Collection[str]) -> str:
    """Return the papers whose tests are specified but have no records, as a paragraph."""
    missing = [
        f"{paper.reference} (`{name}`)" for name, paper in LATER.items() if name not in later
    ]
    if not missing:
        return ""
    return f"Specified, without runs here so far: {'; '.join(missing)}."


def _judged(name: str, runs: Path) -> ReproductionResult:
    return judge_paper(LATER[name], runs / "papers" / name, scale=SCALE)


def _cells(result: ReproductionResult) -> Iterator[Cell]:
    """Yield the claims of a later paper with runs."""
    settings = {name: each.setting for name, each in result.paper.experiments(result.scale).items()}
    for judgement, p in zip(result.judgements, result.adjusted(), strict=True):
        if judgement.has_runs:
            claim = judgement.claim
            setting = settings[claim.needs[0][0]]
            yield Cell(result.paper.cited, claim.of, setting, judgement.verdict, p)


def _first_cells(results: Mapping[str, ReproductionResult]) -> Iterator[Cell]:
    """Yield the claims of Li, Wei and Ma on digits and CIFAR-10, and in the theory."""
    for scale, result in results.items():
        for judgement, p in zip(result.judgements, result.adjusted(), strict=True):
            theory = judgement.claim.needs[0][0] in RESCALED
            if judgement.has_runs and not (theory and scale == "demo"):
                setting = _THEORY if theory else _LI_SETTINGS[scale]
                claim = judgement.claim.statement.rstrip(".")
                yield Cell(result.paper.cited, claim, setting, judgement.verdict, p)


def overview(cells: list[Cell]) -> go.Figure:
    """Return the verdicts as a matrix: claims by paper, and settings."""
    settings = list(dict.fromkeys(cell.setting for cell in cells))
    rows = list(dict.fromkeys((cell.paper, cell.claim) for cell in cells))
    papers = list(dict.fromkeys(paper for paper, _ in rows))
    height, places, heads = 0.0, dict[tuple[str, str], float](), dict[str, float]()
    for paper in papers:
        heads[paper], height = height, height + 1
        for row in rows:
            if row[0] == paper:
                places[row], height = height, height + 1
    figure = go.Figure()
    for verdict, (symbol, color) in _SYMBOLS.items():
        some = [cell for cell in cells if cell.verdict == verdict]
        figure.add_scatter(
            x=[settings.index(cell.setting) for cell in some],
            y=[places[cell.paper, cell.claim] for cell in some],
            mode="markers+text", text=[symbol] * len(some), name=_NAMES[verdict],
            textfont={"size": 12, "color": "#1A1A1A"},
            marker={"symbol": "square", "size": 17, "color": color},
        )  # fmt: skip
    labels = {heads[paper]: f"<b>{figure_text(paper)}</b>" for paper in papers}
    labels |= {place: figure_text(_shortened(claim)) for (_, claim), place in places.items()}
    figure.update_yaxes(
        tickvals=list(labels), ticktext=list(labels.values()), range=[height - 0.4, -0.6],
        gridcolor="#ECECEC", zeroline=False, tickfont={"size": 11},
    )  # fmt: skip
    figure.update_xaxes(
        tickvals=list(range(len(settings))), ticktext=[figure_text(s) for s in settings],
        side="top", gridcolor="#ECECEC", zeroline=False, range=[-0.6, len(settings) - 0.4],
        tickfont={"size": 11}, tickangle=-55,
    )  # fmt: skip
    return figure.update_layout(
        height=int(190 + 20 * height), width=600 + 28 * len(settings),
        margin={"l": 480, "r": 120, "t": 150, "b": 40}, paper_bgcolor="white", plot_bgcolor="white",
        font={"family": "system-ui, sans-serif"},
        legend={"orientation": "h", "x": 0, "xanchor": "right", "y": 0, "yanchor": "top"},
    )  # fmt: skip


_NAMES = {"holds": "holds", "does_not_hold": "does not hold", "undecided": "undecided"}
_LONGEST = 84


def _shortened(claim: str) -> str:
    return claim if len(claim) <= _LONGEST else claim[: _LONGEST - 1].rstrip(" ,") + "…"


def _section(name: str, result: ReproductionResult) -> tuple[str, dict[str, go.Figure]]:
    """Return a paper's section and its pictures."""
    paper = result.paper
    figures, shown = dict[str, go.Figure](), []
    for judgement in result.judgements:
        experiment, figure = judgement.claim.figure
        results = result.evidence.experiments.get(experiment)
        title = f"claims-{name}-{experiment}-{figure}"
        if results is None or title in figures or figure not in paper.leads:
            continue
        figures[title] = paper.draw(figure, results)
        alt = f"{paper.titles[experiment]}: {figures[title].layout.title.text}."  # pyright: ignore
        shown.append(f"{paper.titles[experiment]}:\n\n{image(title, alt)}")
    return "\n\n".join([
        f"## {_heading(paper)}",
        f"{paper.reference}.",
        f"{paper.about} {paper.differs}",
        _table(result.judgements, result.adjusted()),
        *_secondary(result),
        *shown,
        f"`learnorder reproduce --paper {name}` repeats the runs.",
    ]), figures  # fmt: skip


def _secondary(result: ReproductionResult) -> list[str]:
    """Return the secondary measures of the claims, in Markdown, if there are any."""
    if not any(m.estimate.n for j in result.judgements for m in j.also):
        return []
    note = "Secondary measures, which do not affect the verdicts and are not adjusted:"
    return [note, secondary(result)]


def _heading(paper: Paper) -> str:
    if paper.setting:
        return paper.subject
    return f"{paper.cited}: {paper.title.partition(':')[0].rstrip('?.')}"


def _table(judgements: tuple[Judgement, ...], adjusted: list[float]) -> str:
    columns = ["verdict", "p (Holm)", "claim", "measured", "holds if", "n", "where"]
    rows = [
        [
            j.verdict_words(), p_words(p), j.claim.statement, j.shown(),
            f"{j.claim.side} {j.bound()}", str(j.measured.estimate.n), j.claim.source,
        ]
        for j, p in zip(judgements, adjusted, strict=True)
    ]  # fmt: skip
    return markdown(columns, rows)
