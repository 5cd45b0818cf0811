"""Reading the score of a run from what a script printed, wrote or returned."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

from learnorder.config.script import ScriptConfig
from learnorder.errors import LearnOrderError, one_line
from learnorder.statistics import SHARE, range_of

_MOST_BYTES = 50_000_000
"""The largest file in which a score is looked for."""
_SHOWN = 200


class NoScore(LearnOrderError):  # noqa: N818 - it is a result more than an error
    """A script has ended without a score that can be read."""


@dataclass(frozen=True)
class Scores:
    """The scores of a run.

    Attributes:
        final: The final score; may be nan or infinite.
        curve: Score after each epoch, if known; the last is the final one.
    """

    final: float
    curve: tuple[float, ...] = ()


def read_scores(script: ScriptConfig, folder: Path, out: Path) -> Scores:
    """Return the scores of a command that has ended.

    Args:
        script: How they are read.
        folder: Folder of stdout.txt and stderr.txt.
        out: Folder of the run's own files.

    Raises:
        NoScore: There is none, or more than one where one is expected.
    """
    if script.score_file is not None:
        scores = _of_file(out / script.score_file, script.score_key)
    elif script.score is not None or script.curve is not None:
        scores = _of_pattern(script, folder)
    else:
        scores = _of_last_line(_text(folder / "stdout.txt"), script.score_key)
    return _checked(scores, script)


def scores_of(value: Any, script: ScriptConfig) -> Scores:
    """Return the scores that a function returned.

    Raises:
        NoScore: It is not a number, a list of numbers, or a mapping with them.
    """
    if isinstance(value, Mapping):
        value = _under(value, script.score_key, "The value that the function returned")
    return _checked(_scores(value, "The value that the function returned"), script)


def curve_so_far(script: ScriptConfig, folder: Path, most_bytes: int = _MOST_BYTES) -> list[float]:
    """Return the points of the curve that a running command has printed; empty if none is read.

    Args:
        script: The script.
        folder: The run folder.
        most_bytes: Size from which its output is not read.
    """
    if script.curve is None:
        return []
    try:
        found = re.findall(script.curve, _printed(folder, most_bytes), re.MULTILINE)
        return [float(text) for text in found]
    except (NoScore, ValueError):
        return []


def _of_file(path: Path, key: str) -> Scores:
    try:
        text = _text(path)
    except FileNotFoundError:
        raise NoScore(f"It left no {path.name} in its folder, {{out}}") from None
    try:
        value = json.loads(text)
    except ValueError as error:
        raise NoScore(f"{path.name} is not JSON: {one_line(error)}") from None
    if isinstance(value, Mapping):
        value = _under(value, key, path.name)
    return _scores(value, path.name)


def _of_pattern(script: ScriptConfig, folder: Path) -> Scores:
    """Return the scores that a pattern finds in all that a command printed."""
    pattern = script.score or script.curve or ""
    found = re.findall(pattern, _printed(folder), re.MULTILINE)
    if not found:
        raise NoScore(f"Nothing that it printed matches {pattern!r}")
    numbers = [_number(text, f"The match of {pattern!r}") for text in found]
    if script.curve is not None:
        return Scores(numbers[-1], tuple(numbers))
    if len(found) > 1:
        raise NoScore(
            f"{pattern!r} matches {len(found)} times, first {found[0]!r} and last {found[-1]!r}, "
            "but the score must be found once. Give a longer pattern or, if it is the score after "
            "each epoch, --script.curve"
        )
    return Scores(numbers[0])


def _of_last_line(text: str, key: str) -> Scores:
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise NoScore("It printed nothing to the standard output")
    last = lines[-1].strip()
    where = "The last line of the standard output"
    if last.startswith("{"):
        try:
            return _scores(_under(json.loads(last), key, where), where)
        except ValueError as error:
            raise NoScore(f"{where} is not JSON: {one_line(error)}") from None
    return Scores(_number(last, where))


def _under(value: Any, key: str, where: str) -> Any:
    """Return what a mapping has under a key; dots separate levels."""
    if isinstance(value, Mapping) and key in value:
        return value[key]
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            there = ", ".join(map(str, value)) if isinstance(value, Mapping) else type(value)
            raise NoScore(f"{where} has no {key!r} but {there}. Give --script.score_key")
        value = value[part]
    return value


def _scores(value: Any, where: str) -> Scores:
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        if not value:
            raise NoScore(f"{where} is an empty list")
        curve = tuple(_number(item, where) for item in value)
        return Scores(curve[-1], curve)
    return Scores(_number(value, where))


def _number(value: Any, where: str) -> float:
    """Return a value as a number; zero-dimensional arrays and tensors are numbers too."""
    if isinstance(value, bool):
        raise NoScore(f"{where} is {value}, not a number")
    if not isinstance(value, Real | str) and hasattr(value, "item"):
        try:
            value = value.item()
        except (RuntimeError, ValueError, TypeError):
            raise NoScore(f"{where} is a {type(value).__name__} of several numbers") from None
    try:
        return float(value)
    except (TypeError, ValueError):
        raise NoScore(f"{where} is {str(value)[:_SHOWN]!r}, not a number") from None


def _checked(scores: Scores, script: ScriptConfig) -> Scores:
    """Return the scores, within the range that their name has; refuse those outside it."""
    if range_of(script.score_name) != SHARE:
        return scores
    scores = Scores(SHARE.rounded(scores.final), tuple(map(SHARE.rounded, scores.curve)))
    for value in (*scores.curve, scores.final):
        if math.isfinite(value) and not 0 <= value <= 1:
            raise NoScore(
                f"Its {script.score_name} is {value:g}, which is not a share in [0, 1]. Divide it "
                f"by 100, or give another --script.score_name, e.g. {script.score_name}_percent"
            )
    return scores


def _printed(folder: Path, most_bytes: int = _MOST_BYTES) -> str:
    return "\n".join(_text(folder / name, most_bytes) for name in ("stdout.txt", "stderr.txt"))


def _text(path: Path, most_bytes: int = _MOST_BYTES) -> str:
    """Return a file's text; a carriage return, as progress bars print it, ends a line.

    Raises:
        NoScore: It is too large.
    """
    if path.stat().st_size > most_bytes:
        raise NoScore(f"{path.name} is larger than {most_bytes // 10**6} MB")
    text = path.read_bytes().decode(errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")
