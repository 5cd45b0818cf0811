"""The backend of runs of a script: launching it, and reading its score."""

from __future__ import annotations

import logging
import math
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from learnorder.config.script import ScriptConfig, ScriptRunConfig, names_in
from learnorder.errors import ConfigError, reason_of
from learnorder.execution.log_lines import duration
from learnorder.runs.folder import Progress, RunFolder
from learnorder.runs.kinds import CostEstimate, EndStatus
from learnorder.runs.pace import Pace
from learnorder.scripts.functions import call, identity_of
from learnorder.scripts.guard import Outcome
from learnorder.scripts.identity import digests
from learnorder.scripts.launch import launch
from learnorder.scripts.score import NoScore, Scores, curve_so_far, read_scores, scores_of
from learnorder.seeding import random_state_kept
from learnorder.training.records import Records

SET = "validation"
"""The set that scores are recorded for."""
REHEARSED_EPOCHS = 2
_LONGER_EPOCHS = 4
_RUN_BYTES = 100_000
_TAIL_BYTES = 4_000
_LINE_LENGTH = 200
_FOLLOWED_BYTES = 2_000_000
"""Size from which a log is no longer read every second to show the progress."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Attempt:
    """What came of a single execution of a script.

    Attributes:
        seconds: How long it ran.
        scores: Its scores; None if it left none.
        reason: Why it left none.
        stopped: Whether it was stopped on request.
    """

    seconds: float
    scores: Scores | None = None
    reason: str = ""
    stopped: bool = False


def check(configs: Sequence[ScriptRunConfig], processes: int = 1) -> None:
    """Check each script's names and program, and rehearse it for two epochs.

    A script that does not take its number of epochs is not rehearsed.

    Raises:
        ConfigError: A name is unknown, the program does not exist, or the rehearsal fails.
    """
    if processes > 1:
        raise ConfigError(
            "processes", processes, "A script starts its own processes: give 1, and let the "
            "command be a launcher, e.g. torchrun train.py ...",
        )  # fmt: skip
    for script in {repr(config.script): config.script for config in configs}.values():
        if script.command is not None and not script.shell:
            _check_program(script)
        own = [config for config in configs if config.script == script]
        first = min(own, key=lambda config: (config.learning_rate, config.seed))
        if first.epochs is not None:
            rehearse(first, REHEARSED_EPOCHS)


def _check_program(script: ScriptConfig) -> None:
    """Check that the program and the Python script of a command exist."""
    words = script.words()
    if not names_in(words[0]) and shutil.which(words[0]) is None:
        raise ConfigError(
            "script.command", script.command, f"There is no program {words[0]!r} in PATH or at "
            "that place, or it cannot be executed.",
        )  # fmt: skip
    for word in words[1:]:
        if word.endswith(".py") and not names_in(word) and not Path(word).is_file():
            raise ConfigError(
                "script.command", script.command, f"There is no file {word} in {Path.cwd()}.",
            )  # fmt: skip


_rehearsals: dict[str, Attempt] = {}
"""Rehearsals of this process, which are not repeated for each rung."""


def rehearse(config: ScriptRunConfig, epochs: int) -> Attempt:
    """Execute a short run in a temporary folder.

    Raises:
        ConfigError: It leaves no finite score.
    """
    assert config.epochs is not None
    epochs = min(epochs, config.epochs)
    plateau = {"plateau_epochs": 1} if "plateau_epochs" in config.values else {}
    config = replace(config, epochs=epochs, values={**config.values, **plateau})
    key = repr((config, identify([config])))
    if key in _rehearsals:
        return _rehearsals[key]
    with tempfile.TemporaryDirectory(prefix="learnorder-") as folder:
        done = _execute(config, Path(folder))
        if done.scores is None or not math.isfinite(done.scores.final):
            reason = done.reason if done.scores is None else f"its score is {done.scores.final:g}"
            raise ConfigError(
                f"script.{'command' if config.script.command else 'function'}",
                config.script.title,
                f"A rehearsal of {epochs} epochs at learning rate {config.learning_rate:g} failed: "
                f"{reason}.{_printed_last(Path(folder), reason)}",
            )  # fmt: skip
    _rehearsals[key] = done
    return done


def _printed_last(folder: Path, reason: str) -> str:
    """Return the last lines that a command printed, without one that the reason ends with."""
    lines = _last_lines(folder / "stderr.txt") or _last_lines(folder / "stdout.txt")
    if lines and reason.endswith(_shortened(lines[-1])):
        lines.pop()
    return f" It printed at last: {' / '.join(lines)}" if lines else ""


def _last_lines(path: Path, most: int = 5) -> list[str]:
    """Return the last lines of a file that are not empty; none if there is no file."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        text = file.read().decode(errors="replace")
    return [line.strip() for line in text.splitlines() if line.strip()][-most:]


def _shortened(line: str) -> str:
    return line[:_LINE_LENGTH]


def identify(configs: Sequence[ScriptRunConfig]) -> list[dict[str, str]]:
    """Return digests of each script's files or code."""
    known = {repr(config.script): config.script for config in configs}
    found = {
        key: identity_of(script) if script.command is None else digests(script)
        for key, script in known.items()
    }
    return [found[repr(config.script)] for config in configs]


def run(
    folder: RunFolder[ScriptRunConfig], stop: Callable[[], bool]
) -> tuple[EndStatus, str] | None:
    """Execute the folder's run; an interrupted one starts again from the beginning."""
    config, script = folder.config, folder.config.script
    folder.begin(identify([config])[0])
    described = {"score": script.score_name, "higher_is_better": script.higher_is_better}
    folder.update(data=described)
    pace, started = Pace(1.0), time.monotonic()

    def watch() -> bool:
        if pace.due():
            folder.write_progress(_progress(config, folder.path, time.monotonic() - started))
        return stop()

    done = _execute(config, folder.path, watch)
    if done.stopped:
        return None
    folder.update(seconds=done.seconds)
    curve = done.scores.curve if done.scores else tuple(curve_so_far(script, folder.path))
    records = _records(config, curve, done.scores)
    folder.write_tables(records=records.table())
    if done.scores is None:
        return "no_score", done.reason
    if not math.isfinite(done.scores.final):
        return "diverged", f"its final score is {done.scores.final:g}"
    return "finished", done.reason


def _progress(config: ScriptRunConfig, folder: Path, seconds: float) -> Progress:
    """Return how far a run is, by the points of its curve where it prints one."""
    points = len(curve_so_far(config.script, folder, _FOLLOWED_BYTES))
    if points and config.epochs:
        share = min(1.0, points / config.epochs)
        return Progress(share, f"epoch {points} of {config.epochs}")
    return Progress(0.0, f"for {duration(seconds)}")


def _records(config: ScriptRunConfig, curve: Sequence[float], scores: Scores | None) -> Records:
    """Return the records: the curve, or the final score in the last epoch."""
    records, name = Records(), config.script.score_name
    if not curve and scores is not None:
        records.add(config.epochs or 1, SET, name, scores.final)
    for epoch, value in enumerate(curve, start=1):
        records.add(epoch, SET, name, value)
    return records


def _execute(
    config: ScriptRunConfig, folder: Path, watch: Callable[[], bool] = lambda: False
) -> Attempt:
    """Execute a script once, in a folder."""
    out = folder / "output"
    out.mkdir(exist_ok=True)
    values = config.all_values(str(out.resolve()))
    if config.script.command is None:
        return _call(config.script, values)
    if config.script.score_file is not None:  # of an earlier, interrupted attempt
        (out / config.script.score_file).unlink(missing_ok=True)
    minutes = config.script.timeout_minutes
    timeout = None if minutes is None else 60 * minutes
    outcome = launch(config.script.arguments(values), folder, timeout, watch)
    if outcome.code is None:
        raise ConfigError("script.command", config.script.command, f"It failed: {outcome.error}.")
    left = ""
    if outcome.left:
        left = f"it left {outcome.left} of its processes running, which were stopped"
        _log.warning("%s: %s.", folder.name, left)
    if reason := _failure(outcome, minutes):
        return Attempt(outcome.seconds, None, reason + _because(folder), outcome.stopped)
    try:
        return Attempt(outcome.seconds, read_scores(config.script, folder, out), left)
    except NoScore as error:
        return Attempt(outcome.seconds, None, str(error))


def _failure(outcome: Outcome, minutes: float | None) -> str:
    """Return in what way a command failed; empty if it ended with exit code 0."""
    if outcome.stopped:
        return "stopped"
    if outcome.timed_out:
        return f"stopped after {minutes:g} minutes, its time-out"
    if outcome.code == 0:
        return ""
    assert outcome.code is not None
    if outcome.code < 0:
        return f"ended by signal {signal.Signals(-outcome.code).name}"
    return f"exit code {outcome.code}"


def _because(folder: Path) -> str:
    """Return the last line that a command printed to its standard error, if any."""
    lines = _last_lines(folder / "stderr.txt", most=1)
    return f": {_shortened(lines[0])}" if lines else ""


def _call(script: ScriptConfig, values: dict[str, object]) -> Attempt:
    """Call the function of a script once."""
    started = time.monotonic()
    with random_state_kept():
        try:
            scores, reason = scores_of(call(script, values), script), ""
        except ConfigError:
            raise
        except NoScore as error:
            scores, reason = None, str(error)
        except Exception as error:
            _log.exception("The function failed")
            scores, reason = None, reason_of(error)
    return Attempt(time.monotonic() - started, scores, reason)


def cost_key(config: ScriptRunConfig) -> str:
    """Return a key that is equal for runs of equal cost."""
    return repr((config.script, config.epochs))


def measure(config: ScriptRunConfig) -> CostEstimate:
    """Estimate the time of a run from rehearsals of two and of four epochs.

    Raises:
        ConfigError: The script does not take its number of epochs.
    """
    if config.epochs is None:
        raise ConfigError(
            "script.command", config.script.title, "Without {epochs}, a short run that tells the "
            "cost cannot be made. Add {epochs}, or leave out --dry-run and --minutes.",
        )  # fmt: skip
    first = rehearse(config, REHEARSED_EPOCHS)
    seconds, at_most = first.seconds, True
    if config.epochs > _LONGER_EPOCHS:
        longer = rehearse(config, _LONGER_EPOCHS)
        epoch = max(longer.seconds - first.seconds, 0.0) / (_LONGER_EPOCHS - REHEARSED_EPOCHS)
        start = max(first.seconds - REHEARSED_EPOCHS * epoch, 0.0)
        seconds, at_most = start + config.epochs * epoch, False
    what = f"{config.epochs} epochs of the script"
    return CostEstimate(seconds, what, _RUN_BYTES, 0, at_most)
