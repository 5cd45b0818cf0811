"""The page of a reproduction: the claims table first, then each claim with its figure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from learnorder.execution.log_lines import phase
from learnorder.report.content import Content, Link, Links, Section, TextTable, title_of
from learnorder.report.origin import key, origin
from learnorder.report.page import write_page, write_report
from learnorder.report.parts import measured_figure
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
    return Content(
        title=title_of("Does it hold? The paper's claims", {"scale": result.scale}),
        findings=summary(result),
        lead=[Section("Claims", table=claims_table(result))],
        asked=[
            (EXPERIMENT_TITLES[name], f"{results.status_words()}; seeds {_seeds(results)}")
            for name, results in experiments.items()
        ],
        sections=[_card(judgement, result.evidence.experiments) for judgement in result.judgements],
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
    for verdict, words in (("does_not_hold", "Does not hold"), ("undecided", "Undecided")):
        for judgement in result.judgements:
            if judgement.verdict == verdict and judgement.made:
                sentences.append(f"{words}: {judgement.claim.says} ({_why(judgement)})")
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


def _card(judgement: Judgement, experiments: Mapping[str, AnyResults]) -> Section:
    """Return a claim with what decides it, its numbers and its figure."""
    claim, measured = judgement.claim, judgement.measured
    unit, (name, figure_name) = measured.unit, claim.figure
    facts = [
        ("Verdict", judgement.verdict_words()),
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
    drawn = [seeds] if seeds is not None else []
    section = Section(claim.says, anchor=f"claim-{claim.name}", facts=facts, wide=drawn)
    results = experiments.get(name)
    if results is None or results.finished.empty:
        return section
    figure = results.figure(figure_name)
    if figure_name in _WITH_OWN_KEY:
        return replace(section, wide=[*drawn, figure])
    return replace(section, key=key(results), panels=[figure])


def _seeds(results: AnyResults) -> str:
    seeds = sorted({folder.config.seed for folder in results.folders})
    whole = seeds == list(range(seeds[0], seeds[-1] + 1)) and len(seeds) > 2
    return f"{seeds[0]} to {seeds[-1]}" if whole else ", ".join(map(str, seeds))
