"""The contents of ``probe.json``: calibration, statements, and final numbers of each arm."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from learnorder.probe.result import ProbeResult
from learnorder.probe.statements import statements
from learnorder.runs.sealed import read_json
from learnorder.statistics import Estimate
from learnorder.statistics.learned import CONTENT_LEVELS

Value = TypeVar("Value")


def to_json(result: ProbeResult) -> str:
    """Return the text of probe.json."""
    results, arms = result.results, []
    for arm in results.arms:
        row: dict[str, Any] = {**results.labels(arm), "status": results.counts(arm)}
        for name, (set_, quantity) in _QUANTITIES.items():
            row[name] = {
                **_estimated(results.final_estimate(arm, set_, quantity)),
                "by_seed": _keyed(results.final(arm, set_, quantity)),
            }
        row["patch_learned_at"] = _keyed(results.learned(arm, "patch"))
        row["content_learned_at"] = {
            words: _keyed(results.learned(arm, "content", fraction))
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
            **_estimated(statement.measured.estimate),
            "by_seed": _keyed(statement.measured.by_seed),
            "p": _number(statement.measured.p),
            "note": statement.measured.note,
            "beside": {
                level: {**_estimated(other.estimate), "unit": other.unit.name, "note": other.note}
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
    return json.dumps(values, indent=1, allow_nan=False) + "\n"


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


def _estimated(e: Estimate) -> dict[str, Any]:
    values = {"mean": e.mean, "low": e.low, "high": e.high}
    return {**{name: _number(value) for name, value in values.items()}, "n": e.n}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _keyed(by_seed: Mapping[int, Value]) -> dict[str, Value]:
    return {str(seed): value for seed, value in by_seed.items()}
