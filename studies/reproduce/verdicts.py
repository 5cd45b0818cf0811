"""The verdicts on the paper's claims as tables, judged as by ``reproduce --judge-only``."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from pathlib import Path

import learnorder
from learnorder.reproduce.claim import Judgement
from learnorder.reproduce.claims import CLAIMS
from learnorder.reproduce.page import reported
from learnorder.reproduce.result import ReproductionResult
from learnorder.reproduce.run import judge_runs, recorded, reproduction_recipe
from learnorder.statistics import FEWEST_SEEDS, p_words
from studies.common import DATA, markdown


def judged(scale: str, runs: Path) -> ReproductionResult:
    """Return the verdicts on the runs of a scale that were unpacked from ``results``."""
    recipe = reproduction_recipe(scale)
    if scale == "laptop":
        return judge_runs(recipe.on(DATA), runs / scale, scale=scale)
    if scale == "thin":
        as_made = recorded(recipe, runs / scale)
        return judge_runs(as_made, runs / scale, only=["patch-order"], scale=scale)
    on_images = [
        c.name for c in CLAIMS if {name for name, _ in c.needs} <= {"plain", "patch", "unpatched"}
    ]
    plain, patch = (learnorder.recipe(scale, name) for name in ("plain", "patch"))
    with_control = replace(recipe, plain=plain, patch=patch)
    return judge_runs(with_control.seeded(10, 100), runs / scale, only=on_images, scale=scale)


def claims_so_far(result: ReproductionResult) -> str:
    """Return the claims with the seeds that a verdict needs, and what the table shows."""
    enough = tuple(j for j in result.judgements if j.measured.estimate.n >= FEWEST_SEEDS)
    if not enough:
        return f"No claim has the {FEWEST_SEEDS} seeds that a verdict needs."
    table = claims(replace(result, judgements=enough))
    return (
        f"{table}\n\nClaims whose arms have {FEWEST_SEEDS} seeds: means with 95 % intervals, "
        "paired where two arms\nare compared; p is adjusted for these tests."
    )


HEADLINES = (
    "final-accuracy", "final-accuracy-annealed", "noise-accuracy", "patch-order",
    "patch-final-accuracy", "theory-error-gap",
)  # fmt: skip
"""The claims in README: the effect, its control, remedy, cause, cost and theory."""


def claims(result: ReproductionResult, *, with_paper: bool = True) -> str:
    """Return the claims as a table in Markdown, with the paper's values and sections on request."""
    columns = ["verdict", "p (Holm)", "claim", "measured", "holds if", "n"]
    columns += ["reported", "where"] * with_paper
    lines = []
    for judgement, p in zip(result.judgements, result.adjusted(), strict=True):
        claim = judgement.claim
        cells = [
            judgement.verdict_words(), p_words(p), claim.marked(), judgement.shown(),
            f"{claim.side} {judgement.bound()}", str(judgement.measured.estimate.n),
            reported(judgement).replace("*", "\\*"), claim.source,
        ]  # fmt: skip
        lines.append(cells[: len(columns)])
    return markdown(columns, lines)


def headlines(result: ReproductionResult) -> str:
    """Return README's claims as a table in Markdown, and the number of all claims that hold."""
    lines = []
    for judgement, p in zip(result.judgements, result.adjusted(), strict=True):
        if judgement.claim.name in HEADLINES:
            n = str(judgement.measured.estimate.n)
            claim = judgement.claim.marked()
            lines.append([judgement.headline(), claim, judgement.shown(), p_words(p), n])
    table = markdown(["verdict", "claim", "measured [95 %]", "p (Holm)", "n"], lines)
    counts, total = result.counts(), len(result.judgements)
    failed = counts["does_not_hold"]
    fails = f"{'does' if failed == 1 else 'do'} not hold"
    others = [
        _listed(title, [j for j in result.judgements if j.verdict == verdict])
        for verdict, title in (("undecided", "Undecided"), ("does_not_hold", fails.capitalize()))
    ]
    note = (
        f"These are {len(lines)} of {total} claims: {counts['holds']} hold, {counts['undecided']} "
        f"are undecided, {failed} {fails}. *p (Holm)* is adjusted for all {total}. † The theory's "
        "setting is rescaled: s = 1000, where the theorems have s = 1. In their scaling the order "
        "appears only from d ≈ 6·10⁷ (κ = 0.5) or 7·10⁸ (κ = 1) on."
    )
    glossary = (
        "S is a small LR in the two-layer theory, L-S a large one that is annealed; P is the "
        "pattern that is easy to fit and noisy ([glossary](docs/glossary.md)). A verdict follows "
        "from the interval alone; p is shown beside it."
    )
    texts = [textwrap.fill(text, 116) for text in (note, glossary)]
    return "\n\n".join([table, *texts, *filter(None, others)])


def _listed(title: str, judgements: list[Judgement]) -> str:
    """Return claims as a list in Markdown; empty without any."""
    lines = [f"- {judgement.claim.marked()}" for judgement in judgements]
    return "\n\n".join([f"{title}:", "\n".join(lines)]) if lines else ""


def secondary(result: ReproductionResult) -> str:
    """Return the secondary measures of the claims as a table in Markdown."""
    lines = []
    for judgement in result.judgements:
        for measure, measured in zip(judgement.claim.also, judgement.also, strict=True):
            if n := measured.estimate.n:
                note = f" ({measured.note})" if measured.note else ""
                name = f"`{judgement.claim.name}`"
                lines.append([name, measure.words(), measured.shown() + note, str(n)])
    return markdown(["claim", "secondary measure", "measured", "n"], lines)
