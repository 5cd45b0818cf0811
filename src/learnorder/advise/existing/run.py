"""Judging runs of a table: ``learnorder advise --from``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learnorder.advise.existing.result import JudgedRuns
from learnorder.advise.existing.take import Taken, take_runs
from learnorder.errors import ConfigError, RunFolderError
from learnorder.runs.experiment import Experiment, settings_as
from learnorder.runs.sealed import read_sealed, write_sealed
from learnorder.values import to_dict

if TYPE_CHECKING:
    import pandas as pd

_FILE = "taken.json"
"""The runs as they were taken from the table."""


@dataclass(frozen=True)
class JudgedSettings:
    """The settings in experiment.json.

    Attributes:
        source: The table.
        tolerance: As for :func:`judge_runs`.
    """

    source: str
    tolerance: float | None = None


def judge_runs(
    runs: Path | str | pd.DataFrame,
    out: Path | str | None = None,
    *,
    columns: Mapping[str, str | None] | None = None,
    higher_is_better: bool | None = None,
    where: Mapping[str, Any] | None = None,
    ignore: Sequence[str] = (),
    tolerance: float | None = None,
) -> JudgedRuns:
    """Judge runs that exist already by their final scores; nothing is trained.

    Args:
        runs: A table with a row for each run: a .csv, .tsv or .parquet file, or a pandas data
            frame. Exports of Weights & Biases, of Optuna and of MLflow are understood as they are.
        out: Folder of report.html and judged.json; None writes nothing.
        columns: Names of the columns for learning_rate, score, seed, epochs or steps (the planned
            length of a run), and state, e.g. ``{"learning_rate": "params_lr"}``; None says that
            there is no such column. Others are found by their usual names.
        higher_is_better: Whether a higher score is better; None decides by the score's name, if
            that is clear, as for val_acc and val_loss.
        where: Selects runs: the value, or a list of values, of a column by its name.
        ignore: Columns, or patterns such as ``train/*``, that are no settings of the runs.
        tolerance: Acceptable loss of score; None takes 0.01 for accuracies, else 2 % of the best
            mean.

    Returns:
        The result; :meth:`~learnorder.JudgedRuns.band` has the recommended learning rates.

    Raises:
        ConfigError: Columns are missing or not clear, it is not clear whether higher is better, or
            settings besides the learning rate vary.
        DataError: The table cannot be read, a value is not valid, or a run is there twice.
        RunFolderError: ``out`` contains another experiment.

    >>> import pandas as pd
    >>> scores = {0.01: [0.80, 0.82, 0.81], 0.1: [0.90, 0.91, 0.92], 1.0: [0.91, 0.90, 0.92]}
    >>> rows = [(rate, seed, acc) for rate in scores for seed, acc in enumerate(scores[rate])]
    >>> judged = judge_runs(pd.DataFrame(rows, columns=["lr", "seed", "val_acc"]))
    >>> judged.band(), judged.gain(0.1, 0.01).format(100)
    ([0.1, 1.0], '10.0 [7.5, 12.5]')
    """
    if tolerance is not None and not tolerance >= 0:
        raise ConfigError("tolerance", tolerance, "Give a difference ≥ 0, or null.")
    if out is not None:
        Experiment("judged").check(Path(out))
    taken = take_runs(
        runs, columns or {}, higher_is_better=higher_is_better, where=where or {}, ignore=ignore
    )
    judged = JudgedRuns(taken, tolerance)
    if out is not None:
        from learnorder.advise.existing.page import write_judged

        folder = Path(out)
        Experiment("judged", to_dict(JudgedSettings(taken.source, tolerance))).write(folder)
        write_sealed(folder / _FILE, to_dict(taken))
        write_judged(judged, folder)
    return judged


def open_judged(folder: Path, settings: dict[str, Any]) -> JudgedRuns:
    """Return the result in a folder, from the runs as they were taken.

    Raises:
        RunFolderError: Its settings are from another version, or its runs are missing.
    """
    chosen = settings_as(JudgedSettings, settings, folder)
    taken = read_sealed(folder / _FILE, Taken, "Judge the table again.")
    if taken is None:
        raise RunFolderError(f"{folder / _FILE}: does not exist yet. Judge the table again.")
    return JudgedRuns(taken, chosen.tolerance)
