"""``docs/finetuning.md`` and its picture, from the records in ``results/finetuning``.

``python -m studies.pages`` writes them; ``python -m studies.finetuning.measure`` makes the records.
"""

from __future__ import annotations

from pathlib import Path

from learnorder import open_runs
from learnorder.report.forgetting import (
    forgetting_table,
    forgetting_words,
    lines_of,
    trade_off,
)
from learnorder.report.titles import arm_titles
from learnorder.runs.forgetting import Forgetting
from learnorder.runs.results import TaskResults
from learnorder.statistics import adjusted_p, p_words
from learnorder.statistics.measured import Measured, measure_difference
from learnorder.statistics.ranges import SHARE_DIFFERENCE
from learnorder.statistics.verdicts import HOLM_NOTE
from studies.common import Page, fill_template, image, markdown

TEMPLATE = Path(__file__).with_name("finetuning.md.in")
BASELINE = "trains all"


def compared(forgetting: Forgetting) -> str:
    """Return each group of weights against all weights at each learning rate, in Markdown."""
    lines = lines_of(forgetting.results)
    rows, gains, losses = list[list[str]](), list[Measured](), list[Measured]()
    for name, by_rate in lines.items():
        for rate, arm in sorted(by_rate.items()) if name != BASELINE else ():
            other = lines[BASELINE][rate]
            rows.append([name, f"{rate:g}"])
            gains.append(_difference(forgetting.gains(arm), forgetting.gains(other)))
            losses.append(_difference(forgetting.losses(arm), forgetting.losses(other)))
    p = adjusted_p([*gains, *losses])
    for row, gain, loss, *both in zip(rows, gains, losses, p, p[len(gains) :], strict=False):
        row += [gain.estimate.format(100), p_words(both[0])]
        row += [loss.estimate.format(100), p_words(both[1]), str(gain.estimate.n)]
    columns = [
        "against all weights",
        "LR",
        "gain, points",
        "p (Holm)",
        "forgetting, points",
        "p (Holm)",
        "n",
    ]
    return markdown(columns, rows)


def _difference(a: dict[int, float], b: dict[int, float]) -> Measured:
    return measure_difference(a, b, within=SHARE_DIFFERENCE)


def observed(forgetting: Forgetting) -> str:
    """Return two comparisons that were made after seeing the results, in Markdown."""
    lines = lines_of(forgetting.results)
    whole, low_rank = lines[BASELINE], lines["trains low rank"]
    return (
        f"- all weights, 0.01 against 0.003: {_pair(forgetting, whole[0.01], whole[0.003])};\n"
        "- low rank at 0.01 against all weights at 0.001, which gain about as much: "
        f"{_pair(forgetting, low_rank[0.01], whole[0.001])}."
    )


def _pair(forgetting: Forgetting, arm: str, baseline: str) -> str:
    gain = forgetting.gain_difference(arm, baseline).format(100)
    return f"gain {gain}, forgetting {forgetting.forgetting_difference(arm, baseline).format(100)}"


def page(runs: Path) -> Page:
    """Return the page and its picture.

    Args:
        runs: The run folders of all records.
    """
    results = open_runs(runs / "finetuning", of=TaskResults)
    forgetting = results.forgetting()
    assert forgetting is not None
    table = forgetting_table(forgetting, results.arms)
    first = results.arms[0]
    before = sorted(forgetting.before(first).values())
    new = sorted(forgetting.before(first, "validation").values())
    findings = forgetting_words(forgetting, results.arms, arm_titles(results))
    filled = {
        "seeds": str(len(before)),
        "old": f"{100 * before[0]:.1f} to {100 * before[-1]:.1f}",
        "new": f"{100 * new[0]:.1f} to {100 * new[-1]:.1f}",
        "findings": "\n".join(f"> - {finding}" for finding in findings),
        "picture": image("finetuning", "Gain on tweets over forgetting of movie reviews"),
        "table": markdown(table.columns, table.rows),
        "compared": compared(forgetting),
        "observed": observed(forgetting),
        "holm": HOLM_NOTE,
    }
    drawn = trade_off(forgetting, lines_of(results))
    return Page(
        texts={"docs/finetuning.md": fill_template(TEMPLATE, filled)},
        pictures={"finetuning": drawn},
    )
