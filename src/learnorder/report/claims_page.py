"""The page of a reproduction: the claims table first, then each claim with its figure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from learnorder.claims import VERDICT_WORDS, Judgement, Reproduced
from learnorder.recipes.reproduction import EXPERIMENT_TITLES
from learnorder.report.content import Content, Link, Section, TextTable, title_of
from learnorder.report.origin import key, origin
from learnorder.report.page import write_page
from learnorder.results import RunSet
from learnorder.runs.files import atomic_write

_NOTE = (
    "A claim holds where the two-sided 95 % interval of what decides it lies wholly on the claim's "
    "side of the bound, does not hold where it lies wholly on the other, and is undecided else. "
    "The tests were named before the runs. Final is after the last epoch; before the anneal is the "
    "mean over the second half of the large-LR phase. Reported values are the paper's; those "
    "marked * could not be checked against a copy of it."
)
_SHARED = "Runs of one seed share initial weights, data, patterns and their order."


def write_claims(reproduced: Reproduced, folder: Path | str) -> Path:
    """Write report.html and claims.json to a folder; return the page's path."""
    folder = Path(folder)
    with atomic_write(folder / "claims.json") as temporary:
        text = json.dumps(reproduced.to_list(), indent=1, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")
    return write_page(claims_content(reproduced), folder / "report.html")


def claims_content(reproduced: Reproduced) -> Content:
    """Return what the page shows."""
    experiments = reproduced.evidence.experiments
    return Content(
        title=title_of("Does it hold? The paper's claims", {"scale": reproduced.scale}),
        findings=summary(reproduced),
        lead=[Section("Claims", table=claims_table(reproduced, links=True))],
        asked=[
            (EXPERIMENT_TITLES[name], f"{results.standing()}; seeds {_seeds(results)}")
            for name, results in experiments.items()
        ],
        shared=_SHARED,
        sections=[_card(judgement, experiments) for judgement in reproduced.judgements],
        origins=[
            replace(
                origin(results, anchor=f"runs-{name}", title=f"Runs: {EXPERIMENT_TITLES[name]}"),
                page=f"{name}/report.html",
            )
            for name, results in experiments.items()
        ],
    )


def summary(reproduced: Reproduced) -> list[str]:
    """Return how many claims hold, and which do not, in sentences."""
    counts = reproduced.counts()
    total = len(reproduced.judgements)
    sentences = [
        f"Of {total} claim{'s' * (total != 1)}, {counts['holds']} hold, "
        f"{counts['does_not_hold']} do not hold and {counts['undecided']} are undecided here."
    ]
    for verdict, words in (("does_not_hold", "Does not hold"), ("undecided", "Undecided")):
        for judgement in reproduced.judgements:
            if judgement.verdict == verdict:
                shown = f"{judgement.shown()}, n = {judgement.measured.estimate.n}"
                reason = shown if judgement.measured.estimate.n else "its runs were not made"
                sentences.append(f"{words}: {judgement.claim.says} ({reason})")
    return sentences


def claims_table(reproduced: Reproduced, *, links: bool = False) -> TextTable:
    """Return a row for each claim.

    Args:
        reproduced: The verdicts.
        links: Whether rows lead to the claim's figure and its runs on the same page.
    """
    rows = []
    for judgement in reproduced.judgements:
        claim, measured = judgement.claim, judgement.measured
        experiments = dict.fromkeys(name for name, _ in claim.needs)
        there = [name for name in experiments if name in reproduced.evidence.experiments]
        runs: list[str] = [EXPERIMENT_TITLES[name] for name in there]
        says, where = claim.says, ", ".join(runs) or "–"
        if links:
            says = Link(says, f"#claim-{claim.name}")
            where = Link(where, f"#runs-{there[0]}") if there else where
        row = [
            VERDICT_WORDS[judgement.verdict],
            says,
            _unbroken(judgement.shown()),
            f"{claim.side} {judgement.bound()}",
            str(measured.estimate.n),
            reported(judgement),
            claim.source,
            where,
        ]
        rows.append(row)
    columns = ["verdict", "claim", "measured", "holds if", "n", "reported", "where", "runs"]
    return TextTable("Claims", columns, rows, _NOTE, wrap=True)


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


def _card(judgement: Judgement, experiments: Mapping[str, RunSet]) -> Section:
    """Return a claim with what decides it, its numbers and its figure."""
    claim, measured = judgement.claim, judgement.measured
    unit, name = measured.unit, claim.figure[0]
    facts = [
        ("Verdict", VERDICT_WORDS[judgement.verdict]),
        ("Measured", f"{judgement.shown()}, n = {measured.estimate.n}"),
        ("Decided by", f"{claim.measure.words()}; holds if the interval is wholly {claim.side} "
         f"{judgement.bound()}"),
        ("Reported", f"{reported(judgement)} ({claim.source})"),
    ]  # fmt: skip
    if measured.note:
        facts.append(("Note", measured.note))
    if measured.by_seed:
        values = (f"{v * unit.scale:.{unit.digits}f}" for v in measured.by_seed.values())
        facts.append(("By seed", " · ".join(values).replace("-", "−")))
    for measure, found in zip(claim.also, judgement.also, strict=True):
        note = f" ({found.note})" if found.note else ""
        facts.append(("Also", f"{measure.words()}: {found.unit.show(found.estimate)}{note}"))
    results = experiments.get(name)
    section = Section(claim.says, anchor=f"claim-{claim.name}", facts=facts)
    if results is None or results.finished.empty:
        return section
    figure = results.figure(claim.figure[1])  # pyright: ignore[reportAttributeAccessIssue]
    if claim.figure[1] in ("order", "p_error_by_setting"):
        return replace(section, wide=[figure])
    return replace(section, key=key(results), panels=[figure])


def _seeds(results: RunSet) -> str:
    seeds = sorted({folder.config.seed for folder in results.folders})
    whole = seeds == list(range(seeds[0], seeds[-1] + 1)) and len(seeds) > 2
    return f"{seeds[0]} to {seeds[-1]}" if whole else ", ".join(map(str, seeds))
