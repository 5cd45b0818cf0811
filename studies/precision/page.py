"""``docs/precision.md``, from the records in ``results/precision`` and ``results/laptop``.

``python -m studies.pages`` writes it; ``python -m studies.precision.measure`` makes the records.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from learnorder.reproduce.claim import Judgement
from learnorder.reproduce.run import judge_runs
from learnorder.runs import find_runs
from learnorder.statistics import (
    PER_CENT,
    POINTS,
    Measured,
    adjusted_p,
    measure_difference,
    p_words,
)
from studies.common import RESULTS, Page, fill_template, markdown
from studies.precision.measure import folder_of, reproduction

TEMPLATE = Path(__file__).with_name("precision.md.in")
SECTIONS = {
    "demo": "## Digits\n\n`learnorder reproduce --scale demo`, the experiments on images, n = {n} "
    "seeds, in both precisions\non one core of an Intel Xeon with AMX. At this size bf16 is not "
    "faster.",
    "laptop": "## CIFAR-10\n\n`learnorder reproduce --scale laptop`, the patch experiment and the "
    "large and small LR without\na patch, n = {n} seeds. The runs in float32 are those of [the "
    "results](results.md). Both were made on an AMD EPYC.",
}
"""What is said of each scale."""


def judged(scale: str, runs: Path) -> list[tuple[Judgement, Judgement]]:
    """Return the verdicts on each claim that has runs, in float32 and in bf16, on the same seeds.

    Args:
        scale: demo or laptop.
        runs: The run folders unpacked from ``results``.
    """
    low = folder_of(scale, "bf16", runs / "precision")
    high = runs / "laptop" if scale == "laptop" else folder_of(scale, "fp32", runs / "precision")
    complete = Counter((run.path.parent.name, run.labels["arm"]) for run in find_runs(low))
    count = min(complete.values())
    results = [
        judge_runs(
            reproduction(scale, name).seeded(count, 0),
            folder,
            only=("final-accuracy",),
            scale=scale,
        )
        for name, folder in (("fp32", high), ("bf16", low))
    ]
    by_claim = [{j.claim.name: j for j in result.judgements if j.has_runs} for result in results]
    return [(by_claim[0][name], by_claim[1][name]) for name in by_claim[1] if name in by_claim[0]]


def differences(pairs: Sequence[tuple[Judgement, Judgement]]) -> list[Measured]:
    """Return the measure of each claim in bf16 minus that in float32, paired by seed."""
    found = list[Measured]()
    for a, b in pairs:
        unit = POINTS if a.measured.unit == PER_CENT else a.measured.unit
        found.append(measure_difference(b.measured.by_seed, a.measured.by_seed, unit))
    return found


def table(pairs: Sequence[tuple[Judgement, Judgement]]) -> str:
    """Return the claims in both precisions, in Markdown."""
    differ = differences(pairs)
    rows = [
        [
            a.claim.statement,
            f"{a.verdict_words()}, {a.measured.shown()}",
            f"{b.verdict_words()}, {b.measured.shown()}",
            difference.shown(),
            p_words(p),
            str(difference.estimate.n or a.measured.estimate.n),
        ]
        for (a, b), difference, p in zip(pairs, differ, adjusted_p(differ), strict=True)
    ]
    columns = ["claim", "float32", "bf16", "bf16 − float32", "p (Holm)", "n"]
    return markdown(columns, rows)


def agreement(pairs: Sequence[tuple[Judgement, Judgement]]) -> str:
    """Return on how many claims the verdicts agree, and where they do not, in sentences."""
    different = [(a, b) for a, b in pairs if a.verdict != b.verdict]
    opposite = [(a, b) for a, b in different if "undecided" not in (a.verdict, b.verdict)]
    found = f"The verdicts agree on {len(pairs) - len(different)} of {len(pairs)} claims."
    if not different:
        return found
    claims = "\n".join(
        f"- {a.claim.statement} *{_words(a)}* in float32, *{_words(b)}* in bf16."
        for a, b in different
    )
    how = (
        f"{len(opposite)} of the others are contrary."
        if opposite
        else "None are contrary: where they differ, one of the two is undecided."
    )
    return f"{found} {how}\n\n{claims}"


def _words(judgement: Judgement) -> str:
    return judgement.verdict.replace("_", " ")


def page(runs: Path) -> Page:
    """Return the page."""
    parts = list[str]()
    for scale, about in SECTIONS.items():
        if not (RESULTS / "precision" / scale).exists():
            continue
        pairs = judged(scale, runs)
        seeds = max(a.measured.estimate.n for a, _ in pairs)
        parts += [about.format(n=seeds), table(pairs), agreement(pairs)]
    return Page(
        texts={"docs/precision.md": fill_template(TEMPLATE, {"scales": "\n\n".join(parts)})}
    )
