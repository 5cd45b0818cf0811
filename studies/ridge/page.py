"""The measured part of ``docs/how-to/jointly.md`` and its pictures, from ``results/ridge``.

``python -m studies.pages`` writes them; ``studies.ridge.measure`` and ``studies.ridge.simulate``
make the records.
"""

from __future__ import annotations

import json
from typing import Any

from learnorder.advise.along.result import Pair
from learnorder.advise.along.words import known_factor, number_words
from learnorder.advise.jointly.figures import ridge_figure
from learnorder.advise.jointly.result import JointResult, slope_of
from learnorder.advise.jointly.settings import JointSettings
from learnorder.advise.scores import BySeed
from learnorder.report.score_words import ScoreWords
from studies.common import RESULTS, Page, markdown
from studies.ridge.designs import of_pairs, searched
from studies.ridge.measure import settings

PATH = "docs/how-to/jointly.md"
TITLES = {"batch_norm": "with batch norm", "no_norm": "without"}
SCORE = "accuracy"


def read(rows: list[dict[str, Any]]) -> dict[Pair, BySeed]:
    """Return scores by pair and seed from a record."""
    return {
        (row["value"], row["learning_rate"]): {int(s): v for s, v in row["by_seed"].items()}
        for row in rows
    }


def results(name: str, joint: JointSettings) -> tuple[JointResult, JointResult]:
    """Return the result of the design and that of the full grid."""
    record = json.loads((RESULTS / "ridge" / f"{name}.json").read_text())
    grid, new = read(record["grid"]), read(record["new_seeds"])
    made = list[JointResult]()
    for found in (searched(joint, grid, SCORE), of_pairs(joint.along, grid, SCORE)):
        result = JointResult(joint, found, {}, ())
        compared = {result.best(): None, result.baseline: None}
        judged = {pair: new[pair] for pair in compared} if len(compared) > 1 else {}
        made.append(JointResult(joint, found, judged, ()))
    return made[0], made[1]


def _pair(pair: Pair) -> str:
    return f"{pair[1]:g}, {number_words(pair[0])}"


def measured_table() -> str:
    """Return the design beside the full grid for both networks, in Markdown."""
    rows, words = list[list[str]](), ScoreWords(SCORE)
    for name, joint in settings().items():
        for kind, result in zip(("three", "all"), results(name, joint), strict=True):
            factor, gain = known_factor(result.searched), result.gain()
            rows.append([
                TITLES[name], kind, str(len(result.scores.by_arm)), _pair(result.best()),
                "–" if gain is None else words.number(gain),
                "–" if factor is None else slope_of(factor).format(digits=2),
            ])  # fmt: skip
    columns = [
        "network", "learning rates at each value", "pairs", "best pair: LR, weight decay",
        "gain on new seeds, points", "slope [95 %]",
    ]  # fmt: skip
    return markdown(columns, rows)


def simulated_table() -> str:
    """Return the simulation, in Markdown."""
    record = json.loads((RESULTS / "ridge" / "simulation.json").read_text())
    rows = [
        [
            case["slope"].replace("-", "−"), f"{case['noise']:g}", case["baseline"],
            f"{case['pairs']:.1f}", f"{100 * case['same_pair']:.0f} %",
            f"{case['regret']:.2f}, {case['full_regret']:.2f}",
            "" if case["slope"] == "bent" else f"{100 * case['covered']:.0f} %",
            f"{100 * case['bounded']:.0f} %", f"{100 * case['bend']:.0f} %",
        ]
        for case in record["cases"]
    ]  # fmt: skip
    columns = [
        "slope", "noise", "baseline", "pairs of 45", "same pair as the full grid",
        "regret: design, full grid", "slope covered", "bounded", "bend seen",
    ]  # fmt: skip
    return markdown(columns, rows)


def page() -> Page:
    """Return the tables and the pictures."""
    marks = {"measured": measured_table(), "simulated": simulated_table()}
    pictures = {
        f"jointly-{name}": ridge_figure(results(name, joint)[0])
        for name, joint in settings().items()
    }
    return Page(marks={PATH: marks}, pictures=pictures)
