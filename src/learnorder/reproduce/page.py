"""The page of a reproduction: a forest plot of the claims, and each claim with its figure."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import plotly.graph_objects as go

from learnorder.execution.log_lines import phase
from learnorder.report.content import (
    Card,
    Content,
    ForestRow,
    Link,
    Links,
    Section,
    TextTable,
    title_of,
)
from learnorder.report.origin import key, origin
from learnorder.report.page import write_report, write_result
from learnorder.report.parts import measured_figure
from learnorder.report.style import figure_text
from learnorder.report.tables import median_epoch
from learnorder.reproduce.claim import RESCALED_NOTE, Judgement
from learnorder.reproduce.evidence import AnyResults
from learnorder.reproduce.reasons import reason
from learnorder.reproduce.result import ReproductionResult
from learnorder.statistics import (
    FEWEST_ALIKE,
    FEWEST_HEADLINE,
    FEWEST_SEEDS,
    HOLM_NOTE,
    MOST_UNADJUSTED,
    p_words,
)

_NOTE = (
    "A claim holds if the two-sided 95 % interval of its measure lies entirely on the claim's side "
    "of the bound, does not hold if it lies entirely on the other side, and is undecided "
    f"otherwise. A verdict requires {FEWEST_SEEDS} seeds, or {FEWEST_ALIKE} if all have the same "
    "value. Final values are after the last epoch."
)
_BEFORE_ANNEAL = (
    "Values before the anneal are means over the second half of the epochs before the large LR is "
    "annealed."
)
_REPORTED = (
    "Reported values are the paper's; those marked * could not be checked against a copy of it."
)
_EFFECT = (("patch", "patch_only"), ("patch", "reliance"))
"""The first figures on the page: experiment and name."""
_FOREST_NOTE = (
    "Each mark is an estimate, its line the 95 % interval over seeds, and the dotted line the "
    "claim's bound. Rows have different scales: each is stretched so that the farther end of its "
    "interval is at the margin. Within a row, compare signs and widths; between rows, compare the "
    "numbers. claims.json, next to this page, contains all of them."
)


def write_reproduction(result: ReproductionResult, folder: Path | str) -> Path:
    """Write report.html and claims.json to a folder, and report.html for each experiment.

    Returns:
        The path of the claims' page.
    """
    for name, results in result.evidence.distinct().items():
        write_report(results, Path(folder) / name / "report.html")
    return write_claims(result, folder)


@phase("drawing the page")
def write_claims(result: ReproductionResult, folder: Path | str) -> Path:
    """Write report.html and claims.json to a folder; return the page's path."""
    return write_result(claims_content(result), result.to_json(), "claims.json", folder)


def claims_content(result: ReproductionResult) -> Content:
    """Return the content of the page."""
    experiments, paper = result.evidence.distinct(), result.paper
    effect = _effect(result)
    return Content(
        title=title_of(f"Verdicts on the claims of {paper.subject}", {"scale": result.scale}),
        intro=f"{paper.about} {paper.differs}",
        findings=[*([effect.note] if effect and effect.note else []), *count_verdicts(result)],
        lead=[
            *([replace(effect, note=_EFFECT_NOTE)] if effect else []),
            Section("All claims at a glance", _FOREST_NOTE, forest=_forest(result)),
            Section("Claims", table=claims_table(result)),
        ],
        setup=[
            (result.paper.titles[name], f"{results.status_words()}; seeds {_seeds(results)}")
            for name, results in experiments.items()
        ],
        sections=_groups(result, shown=_EFFECT if effect else ()),
        origins=[
            origin(
                results,
                anchor=f"runs-{name}",
                title=f"Runs: {result.paper.titles[name]}",
                page=f"{name}/report.html",
            )
            for name, results in experiments.items()
        ],
    )


_EFFECT_NOTE = (
    "Means over seeds; bands, drawn if there are few arms, are 95 % intervals. Left: accuracy on "
    "images that show only the patch. Right: how much predictions rely on the patch if it "
    "contradicts the rest of the image."
)


def _effect(result: ReproductionResult) -> Section | None:
    """Return the effect as figures and, in the note, as a sentence; None without its runs.

    The sentence is a headline, and left out on fewer seeds than that needs.
    """
    results = result.evidence.images("patch", "small", "large")
    if results is None or not all(
        results.final(arm, "conflict", "share_pattern") for arm in ("small", "large")
    ):
        return None
    follows = {
        arm: results.final_estimate(arm, "conflict", "share_pattern") for arm in ("small", "large")
    }
    epoch = median_epoch(results.learned("small", "patch"))
    memorised = (
        "does not memorise the patch"
        if epoch == "never"
        else f"memorises the patch by epoch {epoch}"
    )
    n = min(e.n for e in follows.values())
    sentence = (
        f"The small learning rate {memorised}. At the end it follows the patch on "
        f"{100 * follows['small'].mean:.0f} % of conflict images, where the patch contradicts the "
        f"content; the large one, annealed, follows it on {100 * follows['large'].mean:.0f} % "
        f"(n = {n} seeds)."
    )
    panels = [results.figure(name) for _, name in _EFFECT]
    note = sentence if n >= FEWEST_HEADLINE else ""
    return Section("The effect", note, "effect", key=key(results), panels=panels)


def _short(judgement: Judgement) -> str:
    """Return a claim's short name, in words."""
    parts = judgement.claim.name.split("-")
    words = " ".join(part.upper() if part in ("p", "q") else part for part in parts)
    return words[0].upper() + words[1:] + " †" * judgement.claim.rescaled


def _forest(result: ReproductionResult) -> list[ForestRow]:
    """Return the forest plot of the claims that have runs."""
    evidence, scale = result.evidence, result.scale
    return [_row(j, reason(j, evidence, scale)) for j in result.judgements if j.has_runs]


def _row(judgement: Judgement, why: str) -> ForestRow:
    """Return a claim's row of the forest plot."""
    claim, measured = judgement.claim, judgement.measured
    link = Link(_short(judgement), f"#claim-{claim.name}")
    e, bound, side = measured.estimate, measured.bound, 1 if claim.side == "above" else -1
    if not e.n or math.isnan(e.mean) or math.isnan(bound):
        return ForestRow(link, judgement.verdict, judgement.verdict_words(), reason=why)
    offsets = [side * (value - bound) for value in (e.mean, e.low, e.high) if not math.isnan(value)]
    largest = max((abs(x) for x in offsets if math.isfinite(x)), default=0.0) or 1.0
    mean, *interval = (max(-1.0, min(1.0, x / largest)) for x in offsets)
    shown = (
        f"{measured.shown()}; bound {judgement.bound()}, "
        f"n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{e.n}"
    )
    ends = sorted(interval) or [mean, mean]
    return ForestRow(link, judgement.verdict, shown, mean, ends[0], ends[-1], why)


def summary(result: ReproductionResult) -> list[str]:
    """Return how many claims hold, and one sentence for each that does not."""
    sentences = count_verdicts(result)
    for verdict, words in (("does_not_hold", "does not hold here"), ("undecided", "undecided")):
        for judgement in result.judgements:
            if judgement.verdict == verdict and judgement.has_runs:
                why = reason(judgement, result.evidence, result.scale)
                statement = judgement.claim.statement[:-1]
                sentences.append(f"{statement}: {words} ({_details(judgement)}). {why}".rstrip())
    return sentences


def count_verdicts(result: ReproductionResult) -> list[str]:
    """Return how many claims hold, and how many verdicts are on few seeds, in sentences."""
    counts = result.counts()
    total, holds, fails = len(result.judgements), counts["holds"], counts["does_not_hold"]
    not_run = total - sum(counts.values())
    sentences = [
        f"Of {total} claim{'s' * (total != 1)}: {holds} hold{'s' * (holds == 1)}, "
        f"{fails} {'does' if fails == 1 else 'do'} not, {counts['undecided']} undecided"
        + (f", {not_run} not run." if not_run else ".")
    ]
    few = sum(
        judgement.verdict != "undecided" and judgement.measured.estimate.n < FEWEST_HEADLINE
        for judgement in result.judgements
    )
    if few:
        sentences.append(
            f"{few} of these verdicts are based on fewer than {FEWEST_HEADLINE} seeds, too few for "
            "a headline."
        )
    return sentences


def _details(judgement: Judgement) -> str:
    n = judgement.measured.estimate.n
    shown = f"{judgement.shown()}, n = {n}" if n else ""
    return "; ".join(part for part in (shown, judgement.reason, judgement.measured.note) if part)


def claims_table(result: ReproductionResult) -> TextTable:
    """Return a row for each claim, with links to its figure and runs on the page."""
    evidence, judgements = result.evidence, result.judgements
    many = len(judgements) > MOST_UNADJUSTED
    rescaled = any(judgement.claim.rescaled for judgement in judgements)
    has_reported = any(judgement.claim.reported != "–" for judgement in judgements)
    rows: list[list[str]] = []
    for judgement, p in zip(judgements, result.adjusted(), strict=True):
        claim = judgement.claim
        names = dict.fromkeys(
            evidence.first_name(name) for name, _ in claim.needs if name in evidence.experiments
        )
        runs = [Link(result.paper.titles[name], f"#runs-{name}") for name in names]
        rows.append(
            [
                judgement.verdict_words(),
                *[p_words(p)] * many,
                Link(claim.marked(), f"#claim-{claim.name}"),
                _unbroken(judgement.shown()),
                f"{claim.side} {judgement.bound()}",
                str(judgement.measured.estimate.n),
                *[reported(judgement)] * has_reported,
                claim.source,
                Links(runs) if runs else "–",
            ]
        )
    columns = ["verdict", *["p (Holm)"] * many, "claim", "measured", "holds if", "n"]
    columns += [*["reported"] * has_reported, "where", "runs"]
    notes = {
        _NOTE: True,
        _BEFORE_ANNEAL: any("before the anneal" in j.claim.measure.words() for j in judgements),
        _REPORTED: has_reported,
        HOLM_NOTE: many,
        RESCALED_NOTE: rescaled,
    }
    note = " ".join(text for text, applies in notes.items() if applies)
    return TextTable("Claims", columns, rows, note, wrap=True, names="claim")


def _unbroken(text: str) -> str:
    """Keep a mean and its interval on one line.

    >>> _unbroken("2.8 [1.6, 4.0] points").count("\N{NO-BREAK SPACE}")
    2
    """
    numbers, bracket, unit = text.rpartition("]")
    return numbers.replace(" ", "\N{NO-BREAK SPACE}") + bracket + unit


def reported(judgement: Judgement) -> str:
    """Return the paper's value, with an asterisk if it could not be checked."""
    claim = judgement.claim
    return claim.reported + "*" * (claim.reported != "–" and not claim.checked)


def _groups(result: ReproductionResult, shown: tuple[tuple[str, str], ...]) -> list[Section]:
    """Return the claims grouped by figure, each figure once.

    Args:
        result: The verdicts.
        shown: Figures that are already on the page, as experiment and name.
    """
    groups: dict[tuple[str, str], list[Judgement]] = {}
    for judgement in result.judgements:
        groups.setdefault(judgement.claim.figure, []).append(judgement)
    sections, not_run = list[Section](), list[Card]()
    for (name, figure_name), judgements in groups.items():
        title, results = result.paper.titles[name], result.evidence.experiments.get(name)
        cards = [_card(judgement, result) for judgement in judgements]
        anchor = f"figure-{name}-{figure_name}"
        if results is None or not results.has_finished:
            not_run += cards
            continue
        figure = result.paper.draw(figure_name, results)
        heading = f"{title}: {figure.layout.title.text}"
        if any(heading == section.title for section in sections):
            heading += f" by {figure.layout.xaxis.title.text}"
        section = Section(heading, anchor=anchor, cards=cards)
        if (name, figure_name) in shown:
            link = Link("under The effect, above", "#effect")
            sections.append(replace(section, facts=[("Figure", link)]))
        elif _of_arms(figure, results):
            sections.append(replace(section, key=key(results), panels=[figure]))
        else:
            sections.append(replace(section, wide=[figure]))
    if not_run:
        sections.append(Section("No results", anchor="without-results", cards=not_run))
    return sections


def _of_arms(figure: go.Figure, results: AnyResults) -> bool:
    """Return whether the lines of a figure are arms, as in the legend that figures share."""
    lines = {trace.name for trace in figure.data if trace.name}  # pyright: ignore
    return bool(lines) and lines <= {figure_text(title) for title, _, _ in key(results)}


def _card(judgement: Judgement, result: ReproductionResult) -> Card:
    """Return a claim with its test and its numbers."""
    claim, measured = judgement.claim, judgement.measured
    unit, why = measured.unit, reason(judgement, result.evidence, result.scale)
    verdict = ". ".join(filter(None, [judgement.verdict_words(), why]))
    p = f"p = {p_words(measured.p)}".replace("= <", "<")
    facts = [
        ("Verdict", verdict),
        ("Measured", f"{judgement.shown()}, n = {measured.estimate.n}, {p}"),
        ("Test", f"{claim.measure.words()}; holds if the interval is entirely {claim.side} "
         f"{judgement.bound()}"),
        ("In the paper", claim.source),
    ]  # fmt: skip
    if claim.reported != "–":
        facts.append(("Reported", reported(judgement)))
    if note := "; ".join(part for part in (judgement.reason, measured.note) if part):
        facts.append(("Note", note))
    if measured.by_seed:
        values = (f"{s}: {v * unit.scale:.{unit.digits}f}" for s, v in measured.by_seed.items())
        facts.append(("By seed", " · ".join(values).replace("-", "−")))
    for measure, value in zip(claim.also, judgement.also, strict=True):
        note = f" ({value.note})" if value.note else ""
        facts.append(("Secondary", f"{measure.words()}: {value.shown()}{note}"))
    figure = measured_figure(measured)
    figures = [] if figure is None else [figure]
    return Card(claim.marked(), f"claim-{claim.name}", facts, figures)


def _seeds(results: AnyResults) -> str:
    seeds = sorted({folder.config.seed for folder in results.folders})
    consecutive = seeds == list(range(seeds[0], seeds[-1] + 1)) and len(seeds) > 2
    return f"{seeds[0]} to {seeds[-1]}" if consecutive else ", ".join(map(str, seeds))
