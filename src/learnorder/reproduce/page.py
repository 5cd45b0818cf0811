"""The page of a reproduction: the effect, all claims at a glance, then each with its figure."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

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
from learnorder.report.page import write_page, write_report
from learnorder.report.parts import measured_figure
from learnorder.report.tables import median_epoch
from learnorder.reproduce.claim import RESCALED_NOTE, Judgement, ReproductionResult
from learnorder.reproduce.scales import EXPERIMENT_TITLES
from learnorder.runs.files import atomic_write
from learnorder.runs.results import Results
from learnorder.statistics import (
    FEWEST_ALIKE,
    FEWEST_HEADLINE,
    FEWEST_SEEDS,
    HOLM_NOTE,
    MOST_UNADJUSTED,
    p_words,
)
from learnorder.theory.results import TheoryResults

AnyResults = Results | TheoryResults

_WITH_OWN_KEY = ("order", "p_error_by_setting")
_NOTE = (
    "A claim holds where the two-sided 95 % interval of what decides it lies wholly on the claim's "
    "side of the bound, does not hold where it lies wholly on the other, and is undecided else; a "
    f"verdict takes {FEWEST_SEEDS} seeds, and {FEWEST_ALIKE} where all are alike. Final is after "
    "the last epoch; before the anneal is the mean over the second half of the large-LR phase. "
    "Reported values are the paper's; those marked * could not be checked against a copy of it."
)


_INTRO = (
    "Li, Wei and Ma (2019) say that a small learning rate first memorises sharp patterns, such as "
    "a patch planted in the images, and then learns the rest from fewer examples; a large one, "
    "annealed later, learns in the opposite order and generalises better. Each of their claims "
    "was tested on several seeds; this page says which hold here."
)
_EASY = (
    "Digits without the patch are too easy for it: every arm ends within about three points "
    "of perfect, and little is left to gain. --scale laptop tests it on CIFAR-10."
)
_BORDER = (
    "The patch begins to be learned just before the anneal, which brings some seeds near 20 %."
)
REASONS = {
    "demo": {
        "final-accuracy": _EASY,
        "final-accuracy-annealed": _EASY,
        "noise-accuracy": _EASY,
        "large-learns-patch-after-anneal": "The demo is too short: accuracy on the pattern alone "
        "rises after the anneal, and is still rising when training ends.",
        "large-ignores-patch": _BORDER,
        "noise-ignores-patch": _BORDER,
    }
}
"""By scale and claim, why a claim that does not hold there cannot be expected to."""
_EFFECT = (("patch", "patch_only"), ("patch", "reliance"))
"""Figures that the page begins with: experiment and name."""
_FOREST_NOTE = (
    "A mark is an estimate, its line the 95 % interval over seeds, and the dotted line the bound "
    "of the claim. Each row has a scale of its own, in which the interval's farther end is at the "
    "edge: compare signs and widths along a row, and sizes by the numbers beside it; claims.json, "
    "next to this page, has them all."
)


def write_reproduction(result: ReproductionResult, folder: Path | str) -> Path:
    """Write report.html and claims.json to a folder, and each experiment's report.html within.

    Returns:
        The path of the page of the claims.
    """
    for name, results in result.evidence.homes().items():
        write_report(results, Path(folder) / name / "report.html")
    return write_claims(result, folder)


@phase("drawing the page")
def write_claims(result: ReproductionResult, folder: Path | str) -> Path:
    """Write report.html and claims.json to a folder; return the page's path."""
    folder = Path(folder)
    with atomic_write(folder / "claims.json") as temporary:
        # a character that UTF-8 cannot hold becomes an escape, which JSON reads
        temporary.write_text(result.to_json(), encoding="utf-8", errors="backslashreplace")
    return write_page(claims_content(result), folder / "report.html")


def claims_content(result: ReproductionResult) -> Content:
    """Return what the page shows."""
    experiments = result.evidence.homes()
    effect = _effect(result)
    return Content(
        title=title_of("Does it hold? The paper's claims", {"scale": result.scale}),
        intro=_INTRO,
        findings=[*([effect.note] if effect else []), *summary(result)],
        lead=[
            *([replace(effect, note=_EFFECT_NOTE)] if effect else []),
            Section("All claims at a glance", _FOREST_NOTE, forest=_forest(result)),
            Section("Claims", table=claims_table(result)),
        ],
        asked=[
            (EXPERIMENT_TITLES[name], f"{results.status_words()}; seeds {_seeds(results)}")
            for name, results in experiments.items()
        ],
        sections=_groups(result, shown=_EFFECT if effect else ()),
        origins=[
            origin(
                results,
                anchor=f"runs-{name}",
                title=f"Runs: {EXPERIMENT_TITLES[name]}",
                page=f"{name}/report.html",
            )
            for name, results in experiments.items()
        ],
    )


_EFFECT_NOTE = (
    "Mean over seeds; the band, where there are few arms, is its 95 % interval. Left: accuracy on "
    "images that show the patch alone. Right: how far the prediction follows the patch where it "
    "contradicts the rest of the image."
)


def _effect(result: ReproductionResult) -> Section | None:
    """Return the effect in pictures and, as its note, in a sentence; None without its runs."""
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
    said = (
        f"The small learning rate {memorised} and ends following it on "
        f"{100 * follows['small'].mean:.0f} % of conflict images, where the patch contradicts the "
        f"content; the large one, annealed, follows it on {100 * follows['large'].mean:.0f} % "
        f"(n = {n} seeds)."
    )
    panels = [results.figure(name) for _, name in _EFFECT]
    return Section("The effect", said, "effect", key=key(results), panels=panels)


def _short(judgement: Judgement) -> str:
    """Return a claim's short name, in words."""
    parts = judgement.claim.name.split("-")
    words = " ".join(part.upper() if part in ("p", "q") else part for part in parts)
    return words[0].upper() + words[1:] + " †" * judgement.claim.rescaled


def _forest(result: ReproductionResult) -> list[ForestRow]:
    """Return the forest plot of the claims whose runs were made."""
    return [_row(j, _reason(j, result.scale)) for j in result.judgements if j.made]


def _reason(judgement: Judgement, scale: str) -> str:
    """Return why a claim that does not hold cannot be expected to at this scale; else empty."""
    if judgement.verdict == "holds" or not judgement.made:
        return ""
    return REASONS.get(scale, {}).get(judgement.claim.name, "")


def _row(judgement: Judgement, reason: str) -> ForestRow:
    """Return a claim's row of the forest plot."""
    claim, found = judgement.claim, judgement.measured
    link = Link(_short(judgement), f"#claim-{claim.name}")
    e, side = found.estimate, 1 if claim.side == "above" else -1
    if not e.n or math.isnan(e.mean) or math.isnan(found.bound):
        return ForestRow(link, judgement.verdict, judgement.verdict_words(), reason=reason)
    ends = [side * (end - found.bound) for end in (e.mean, e.low, e.high) if not math.isnan(end)]
    reach = max((abs(end) for end in ends if math.isfinite(end)), default=0.0) or 1.0
    mean, *interval = (max(-1.0, min(1.0, end / reach)) for end in ends)
    shown = (
        f"{found.shown()}; bound {judgement.bound()}, n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{e.n}"
    )
    drawn = sorted(interval) or [mean, mean]
    return ForestRow(link, judgement.verdict, shown, mean, drawn[0], drawn[-1], reason)


def summary(result: ReproductionResult) -> list[str]:
    """Return how many claims hold, and which do not, in sentences."""
    counts = result.counts()
    total = len(result.judgements)
    lacking = total - sum(counts.values())
    sentences = [
        f"Of {total} claim{'s' * (total != 1)}: {counts['holds']} hold, "
        f"{counts['does_not_hold']} do not, {counts['undecided']} undecided"
        + (f", {lacking} not run." if lacking else ".")
    ]
    few = sum(
        judgement.verdict != "undecided" and judgement.measured.estimate.n < FEWEST_HEADLINE
        for judgement in result.judgements
    )
    if few:
        sentences.append(
            f"{few} of these verdicts rest on fewer than {FEWEST_HEADLINE} seeds: too few for a "
            "headline."
        )
    for verdict, words in (("does_not_hold", "does not hold here"), ("undecided", "undecided")):
        for judgement in result.judgements:
            if judgement.verdict == verdict and judgement.made:
                reason = _reason(judgement, result.scale)
                said = f"{judgement.claim.says[:-1]}: {words} ({_why(judgement)}). {reason}"
                sentences.append(said.rstrip())
    return sentences


def _why(judgement: Judgement) -> str:
    n = judgement.measured.estimate.n
    shown = f"{judgement.shown()}, n = {n}" if n else ""
    return "; ".join(part for part in (shown, judgement.reason, judgement.measured.note) if part)


def claims_table(result: ReproductionResult) -> TextTable:
    """Return a row for each claim; it leads to the claim's figure and its runs on the page."""
    evidence, judgements = result.evidence, result.judgements
    many = len(judgements) > MOST_UNADJUSTED
    rows: list[list[str]] = []
    for judgement, p in zip(judgements, result.adjusted(), strict=True):
        claim = judgement.claim
        homes = [evidence.home(name) for name, _ in claim.needs if name in evidence.experiments]
        places = list(dict.fromkeys(homes))
        runs = [Link(EXPERIMENT_TITLES[name], f"#runs-{name}") for name in places]
        rows.append(
            [
                judgement.verdict_words(),
                *[p_words(p)] * many,
                Link(claim.marked(), f"#claim-{claim.name}"),
                _unbroken(judgement.shown()),
                f"{claim.side} {judgement.bound()}",
                str(judgement.measured.estimate.n),
                reported(judgement),
                claim.source,
                Links(runs) if runs else "–",
            ]
        )
    columns = ["verdict", *["p (Holm)"] * many, "claim", "measured", "holds if", "n"]
    columns += ["reported", "where", "runs"]
    rescaled = any(judgement.claim.rescaled for judgement in judgements)
    note = " ".join([_NOTE, *[HOLM_NOTE] * many, *[RESCALED_NOTE] * rescaled])
    return TextTable("Claims", columns, rows, note, wrap=True)


def _unbroken(text: str) -> str:
    """Keep a mean and its interval on one line.

    >>> _unbroken("2.8 [1.6, 4.0] points").count("\N{NO-BREAK SPACE}")
    2
    """
    numbers, bracket, unit = text.rpartition("]")
    return numbers.replace(" ", "\N{NO-BREAK SPACE}") + bracket + unit


def reported(judgement: Judgement) -> str:
    """Return the paper's value, marked where it could not be checked."""
    claim = judgement.claim
    return claim.reported + "*" * (claim.reported != "–" and not claim.checked)


def _groups(result: ReproductionResult, shown: tuple[tuple[str, str], ...]) -> list[Section]:
    """Return the claims by the figure that shows them, each figure once.

    Args:
        result: The verdicts.
        shown: Figures that are on the page already.
    """
    groups: dict[tuple[str, str], list[Judgement]] = {}
    for judgement in result.judgements:
        groups.setdefault(judgement.claim.figure, []).append(judgement)
    sections, not_run = list[Section](), list[Card]()
    for (name, figure_name), judgements in groups.items():
        title, results = EXPERIMENT_TITLES[name], result.evidence.experiments.get(name)
        cards = [_card(judgement, result.scale) for judgement in judgements]
        anchor = f"figure-{name}-{figure_name}"
        if results is None or results.finished.empty:
            not_run += cards
            continue
        figure = results.figure(figure_name)
        section = Section(f"{title}: {figure.layout.title.text}", anchor=anchor, cards=cards)
        if (name, figure_name) in shown:
            above = [("Figure", Link("in The effect, above", "#effect"))]
            sections.append(replace(section, facts=above))
        elif figure_name in _WITH_OWN_KEY:
            sections.append(replace(section, wide=[figure]))
        else:
            sections.append(replace(section, key=key(results), panels=[figure]))
    if not_run:
        sections.append(Section("Without results", anchor="without-results", cards=not_run))
    return sections


def _card(judgement: Judgement, scale: str) -> Card:
    """Return a claim with what decides it and its numbers."""
    claim, measured = judgement.claim, judgement.measured
    unit, reason = measured.unit, _reason(judgement, scale)
    verdict = ". ".join(filter(None, [judgement.verdict_words(), reason]))
    facts = [
        ("Verdict", verdict),
        ("Measured", f"{judgement.shown()}, n = {measured.estimate.n}, p = {p_words(measured.p)}"),
        ("Decided by", f"{claim.measure.words()}; holds if the interval is wholly {claim.side} "
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
    for measure, found in zip(claim.also, judgement.also, strict=True):
        note = f" ({found.note})" if found.note else ""
        facts.append(("Also", f"{measure.words()}: {found.shown()}{note}"))
    seeds = measured_figure(measured)
    figures = [seeds] if seeds is not None else []
    return Card(claim.marked(), f"claim-{claim.name}", facts, figures)


def _seeds(results: AnyResults) -> str:
    seeds = sorted({folder.config.seed for folder in results.folders})
    whole = seeds == list(range(seeds[0], seeds[-1] + 1)) and len(seeds) > 2
    return f"{seeds[0]} to {seeds[-1]}" if whole else ", ".join(map(str, seeds))
