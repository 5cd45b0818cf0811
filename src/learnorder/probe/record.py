"""The contents of ``probe.json``: calibration, statements, and final numbers of each arm."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from learnorder.probe.result import ProbeResult
from learnorder.probe.statements import statements
from learnorder.runs.sealed import read_json
from learnorder.statistics.as_json import json_by_seed, json_estimate, json_number, json_text
from learnorder.statistics.learned import CONTENT_LEVELS


def to_json(result: ProbeResult) -> str:
    """Return the text of probe.json."""
    results, arms = result.results, []
    quantities = _QUANTITIES | (_FAINT if results.has_faint() else {})
    for arm in results.arms:
        row: dict[str, Any] = {**results.labels(arm), "status": results.counts(arm)}
        for name, (set_, quantity) in quantities.items():
            row[name] = {
                **json_estimate(results.final_estimate(arm, set_, quantity)),
                "by_seed": json_by_seed(results.final(arm, set_, quantity)),
            }
        row["patch_learned_at"] = json_by_seed(results.learned(arm, "patch"))
        row["content_learned_at"] = {
            words: json_by_seed(results.learned(arm, "content", fraction))
            for words, fraction in CONTENT_LEVELS.items()
        }
        row["undertrained"] = result.numbers(arm).undertrained()
        row["last_layer"] = {str(s): asdict(one) for s, one in results.last_layers(arm).items()}
        arms.append(row)
    calibration = asdict(result.calibration)
    for name in ("accuracy", "clean"):
        calibration[name] = {f"{c:g}": v for c, v in calibration[name].items()}
    judged = [
        {
            "text": statement.text,
            "verdict": statement.verdict,
            "reason": statement.reason,
            "unit": statement.measured.unit.name,
            **json_estimate(statement.measured.estimate),
            "by_seed": json_by_seed(statement.measured.by_seed),
            "p": json_number(statement.measured.p),
            "note": statement.measured.note,
            "beside": {
                level: {
                    **json_estimate(other.estimate),
                    "unit": other.unit.name,
                    "note": other.note,
                }
                for level, other in statement.beside.items()
            },
        }
        for statement in statements(result)
    ]
    values = {
        "epochs": result.probe.training.epochs,
        "chance": results.chance(),
        "not_retrained": result.not_retrained,
        "calibration": calibration,
        "statements": judged,
        "arms": arms,
    }
    return json_text(values)


def not_retrained(folder: Path) -> str:
    """Return why a probe's last layers were not retrained, from its probe.json, or ""."""
    try:
        values, _ = read_json(folder / "probe.json", "Remove it, and run the probe again.")
    except FileNotFoundError:
        return ""
    return str(values.get("not_retrained", ""))


_QUANTITIES = {
    "clean": ("clean", "accuracy"),
    "mixed": ("mixed", "accuracy"),
    "patch_only": ("patch_only", "accuracy"),
    "content_on_conflict": ("conflict", "share_content"),
    "reliance": ("conflict", "reliance"),
}
_FAINT = {"faint_only": ("faint_only", "accuracy")}
