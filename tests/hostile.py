"""Manifests and YAML files as somebody could have written them: hostile, damaged, or of chance."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from learnorder.runs.sealed import seal

CANARY = "canary_that_nobody_imports"
"""A module whose import shows that a folder has run code."""
CALL = {"class_path": "os.system", "init_args": {"command": "touch called"}}
DEEP = "a list in a list, 5,000 deep"
"""Stands for what Python cannot write as JSON, and a file can hold."""
MODULE = {"class_path": f"{CANARY}.Thing"}

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 10**12, 10**400, -(10**30), 0.5, -0.0, 1e308, -1e308, 5e-324,
    "", "x", "null", "1e3", "\x1b[31mred\x1b[0m\r\b", "[/x]", "[red]", "<script>alert(1)</script>",
    "\ud800", "a\nb", "\x00", "../../../etc", "x" * 5000, f"{CANARY}.make", "__import__('os')",
    [], [[]], [1, "a", None], ["a"] * 300, {}, {"a": {}}, {"": ""}, CALL, [CALL], {"a": CALL},
    MODULE, {"a": MODULE}, {"run": "/etc", "name": "x"}, {"__class__": "x"}, {"init_args": {}},
)  # fmt: skip


def nested(depth: int) -> Any:
    """Return a list in a list, and so on."""
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


def places(values: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value within a value."""
    if at:
        yield at
    items = values.items() if isinstance(values, dict) else enumerate(values)
    for key, value in items if isinstance(values, dict | list) else ():
        if isinstance(value, dict | list):
            yield from places(value, (*at, key))
        else:
            yield (*at, key)


def put(values: Any, at: tuple[Any, ...], value: Any) -> Any:
    """Return values with the one at a path replaced."""
    changed = copy.deepcopy(values)
    place = changed
    for key in at[:-1]:
        place = place[key]
    place[at[-1]] = value
    return changed


def plain_manifest(folder: Path) -> dict[str, Any]:
    """Return a run's manifest as JSON has it."""
    values = json.loads((folder / "manifest.json").read_text())
    del values["seal"]
    return values


def mutants(values: dict[str, Any], count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield manifests in which values were replaced, taken away or added by chance."""
    drawing = Random(seed)
    for _ in range(count):
        mutant = values
        for _ in range(drawing.choice((1, 1, 1, 2, 4))):
            at = drawing.choice(list(places(mutant)))
            what = drawing.random()
            if what < 0.75:
                mutant = put(mutant, at, drawing.choice(VALUES))
            else:
                mutant = copy.deepcopy(mutant)
                place = mutant
                for key in at[:-1]:
                    place = place[key]
                if what < 0.88:
                    del place[at[-1]]
                elif isinstance(place, dict):
                    place[drawing.choice(("run", "class_path", "x", ""))] = drawing.choice(VALUES)
        yield mutant


def write_manifest_anyhow(folder: Path, values: dict[str, Any]) -> None:
    """Write a manifest under a seal that is right, as whoever means harm does."""
    text = json.dumps({"seal": "0" * 32, **values}, indent=1).replace(f'"{DEEP}"', "[" * 5000)
    (folder / "manifest.json").write_bytes(seal(text.encode()))
