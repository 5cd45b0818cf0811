"""Runs taken from a table: learning rate, seed, length and score of each, or why it has none."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learnorder.advise.existing.columns import (
    LENGTHS,
    find_columns,
    ignored,
    others_besides,
    settings_besides,
    there_are,
)
from learnorder.advise.existing.table import (
    Cell,
    RunTable,
    as_cell,
    empty,
    number,
    read_table,
    same,
)
from learnorder.config.score_names import direction_of, is_accuracy
from learnorder.errors import ConfigError, DataError, did_you_mean
from learnorder.statistics import SHARE

if TYPE_CHECKING:
    import pandas as pd

_ENDED = frozenset({"finished", "complete", "completed", "success", "succeeded", "done"})
_NOT_ENDED = frozenset({
    "failed", "fail", "crashed", "killed", "pruned", "running", "waiting", "pending", "preempting",
    "preempted", "scheduled", "stopped", "interrupted", "error", "unknown", "diverged",
})  # fmt: skip
_MAY_BE_REPEATED = frozenset({"crashed", "killed", "preempting", "preempted"})
"""States of runs that stopped whatever they computed, so that a repeated run may stand for them."""
_MOST_NAMED = 5
"""Most values or runs that a message lists."""


@dataclass(frozen=True)
class TakenRun:
    """A run of the table.

    Attributes:
        name: Its row, with its name if it has one.
        learning_rate: Its learning rate, to six significant digits.
        seed: Its seed, or a number for it.
        length: Epochs or steps; None if the table does not say.
        score: Its final score; None if it has none.
        missing: Why it has no score, e.g. pruned, or "score nan"; empty if it has one.
        stopped: Whether it has none because it stopped, not because its score is not finite.
    """

    name: str
    learning_rate: float
    seed: int
    length: float | None
    score: float | None
    missing: str = ""
    stopped: bool = False


@dataclass(frozen=True)
class Taken:
    """Runs, and how they were taken from a table.

    Attributes:
        source: The table.
        columns: The column of each role.
        score: Name of the score; accuracies in [0, 1] are called accuracy.
        higher_is_better: Whether a higher score is better.
        direction_by_name: Whether the name of the score says that, not the user.
        where: The values of columns by which runs were selected.
        left_out: Number of rows that ``where`` leaves out.
        notes: What else was done, as sentences.
        runs: The runs.
    """

    source: str
    columns: dict[str, str]
    score: str
    higher_is_better: bool
    direction_by_name: bool
    where: dict[str, tuple[str | float, ...]]
    left_out: int
    notes: tuple[str, ...]
    runs: tuple[TakenRun, ...] = field(repr=False)

    @property
    def unit(self) -> str:
        """Unit of the lengths: epochs or steps; empty if they are not known."""
        return next((role for role in LENGTHS if role in self.columns), "")


def take_runs(
    runs: Path | str | pd.DataFrame,
    columns: Mapping[str, str | None],
    *,
    higher_is_better: bool | None,
    where: Mapping[str, Any],
    ignore: Sequence[str],
) -> Taken:
    """Read runs from a table; see :func:`~learnorder.judge_runs`.

    Raises:
        ConfigError: Columns are missing or not clear, or other settings vary.
        DataError: The table cannot be read, or a run is not valid.
    """
    table, notes = read_table(runs), list[str]()
    count, wanted = len(table), {name: _wanted(name, value) for name, value in where.items()}
    table = _selected(table, wanted)
    left_out = count - len(table)
    unrelated = ignored(table, ignore)
    found = find_columns(table, columns)
    column = found["score"]
    direction = direction_of(column) if higher_is_better is None else higher_is_better
    if direction is None:
        raise ConfigError(
            "higher_is_better", None, f"Say whether a higher {column} is better: "
            "--higher_is_better true or false. Its name does not say it, and the wrong one would "
            "recommend the worst learning rate.",
        )  # fmt: skip
    table, skipped = _with_learning_rates(table, found)
    notes += skipped
    missing = [_why_missing(table, found, row) for row in range(len(table))]
    if all(missing):
        reasons = ", ".join(f"{n} {why}" for why, n in Counter(missing).most_common())
        raise DataError(f"{table.source}: no run has a final score in the column {column} "
                        f"({reasons}).")  # fmt: skip
    scored = [not why for why in missing]
    considered = {name: cells for name, cells in table.columns.items() if name not in unrelated}
    rest = RunTable(table.source, considered)
    if others := settings_besides(rest, found, scored):
        raise _other_settings(rest, others)
    if unjudged := others_besides(rest, found, scored):
        notes.append(f"Columns that vary but are not taken as settings: {_listed(unjudged)}.")
    rates, merged = _learning_rates(table, found["learning_rate"])
    scores, name, scaled = _scores(table, column, missing)
    seeds, numbered = _seeds(table, found.get("seed"), rates, missing)
    lengths = _lengths(table, found)
    taken = [
        TakenRun(
            table.name(row),
            rates[row],
            seeds[row],
            lengths[row],
            scores[row],
            missing[row],
            stopped=bool(_why_stopped(table, found, row)),
        )
        for row in range(len(table))
    ]
    taken, superseded = _without_repeated(taken, found)
    return Taken(
        source=table.source,
        columns=found,
        score=name,
        higher_is_better=direction,
        direction_by_name=higher_is_better is None,
        where=wanted,
        left_out=left_out,
        notes=(*notes, *merged, *scaled, *numbered, *superseded),
        runs=tuple(taken),
    )


def _wanted(name: str, value: Any) -> tuple[str | float, ...]:
    """Return the values of a column that select runs."""
    values = value if isinstance(value, list | tuple) else [value]
    cells = [as_cell(each) for each in values]
    if not cells or any(cell is None for cell in cells):
        raise ConfigError(f"where.{name}", value, "Give a value of the column, or a list of them.")
    return tuple(cell for cell in cells if cell is not None)


def _selected(table: RunTable, where: Mapping[str, tuple[str | float, ...]]) -> RunTable:
    """Return the rows in which each column has one of the values of ``where``."""
    kept = list(range(len(table)))
    for name, values in where.items():
        if name not in table.columns:
            parts = (did_you_mean(name, table.columns), there_are(table))
            raise ConfigError("where", name, " ".join(filter(None, parts)))
        cells = table.columns[name]
        kept = [row for row in kept if any(_equal(cells[row], value) for value in values)]
    if not kept:
        raise ConfigError("where", dict(where), "No run has these values.")
    return table.rows(kept)


def _equal(cell: Cell, wanted: Cell) -> bool:
    if isinstance(cell, str) and isinstance(wanted, str):
        return cell.lower() == wanted.lower()
    return cell is not None and same(cell, wanted)


def _with_learning_rates(table: RunTable, found: Mapping[str, str]) -> tuple[RunTable, list[str]]:
    """Return the rows that have a learning rate; those without one must have no score either."""
    column, kept, without = found["learning_rate"], list[int](), list[str]()
    for row, cell in enumerate(table.columns[column]):
        rate = number(cell)
        if rate is not None and 0 < rate < math.inf:
            kept.append(row)
        elif empty(cell):
            why = _why_missing(table, found, row)
            if not why:
                raise DataError(f"{table.source}, {table.name(row)}: it has a score but no "
                                f"{column}. Add it, or leave the run out.")  # fmt: skip
            without.append(f"{table.name(row)}, {why}")
        else:
            raise DataError(f"{table.source}, {table.name(row)}: {column} is {cell!r}. A learning "
                            "rate is a number above 0.")  # fmt: skip
    if not kept:
        raise DataError(f"{table.source}: no run has a value in the column {column}.")
    notes = [f"Runs without a learning rate and without a score are left out: {_listed(without)}."]
    return table.rows(kept), notes if without else []


def _why_missing(table: RunTable, found: Mapping[str, str], row: int) -> str:
    """Return why a run has no final score; an empty string if it has one."""
    if why := _why_stopped(table, found, row):
        return why
    cell = table.columns[found["score"]][row]
    value = number(cell)
    if value is None:
        raise DataError(f"{table.source}, {table.name(row)}: {found['score']} is {cell!r}. A "
                        "number is needed.")  # fmt: skip
    return "" if math.isfinite(value) else f"score {value:g}"


def _why_stopped(table: RunTable, found: Mapping[str, str], row: int) -> str:
    """Return why a run stopped before it had a score; an empty string if it did not."""
    if "state" in found and (state := table.columns[found["state"]][row]) is not None:
        word = str(state).rpartition(".")[2].lower()
        if word in _NOT_ENDED:
            return word
        if word not in _ENDED:
            raise DataError(
                f"{table.source}, {table.name(row)}: {found['state']} is {state!r}, which is not "
                "known. finished or complete means that the run ended; failed, crashed, killed, "
                "pruned or running that it has no final score. Write one of these, or "
                "--columns '{state: null}' if it says nothing about that."
            )
    return "without a score" if table.columns[found["score"]][row] is None else ""


def _other_settings(table: RunTable, names: Sequence[str]) -> ConfigError:
    """Return the error for other settings that vary."""
    described = []
    for name in names[:_MOST_NAMED]:
        distinct = list(dict.fromkeys(table.columns[name]))
        shown = ["nothing" if empty(v) else v if isinstance(v, str) else f"{v:g}" for v in distinct]
        described.append(f"{name} ({_listed(shown)})")
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    value = next((v for v in table.columns[names[0]] if not empty(v)), "")
    value = f"{value:g}" if isinstance(value, float) else value
    return ConfigError(
        "where", None, f"Besides the learning rate, {', '.join(described)}{more} "
        f"{'varies' if len(names) == 1 else 'vary'}, so a difference between learning rates may be "
        f"due to that. Select the runs of one value, as in --where '{{{names[0]}: {value}}}', or "
        f"say that a column is no setting of the runs: --ignore '[{names[0]}]'.",
    )  # fmt: skip


def _learning_rates(table: RunTable, column: str) -> tuple[list[float], list[str]]:
    """Return learning rates, of which those with the same six significant digits are one."""
    values = [number(cell) or math.nan for cell in table.columns[column]]
    rates = [float(f"{value:.6g}") for value in values]
    raw: dict[float, set[float]] = {}
    for rate, value in zip(rates, values, strict=True):
        raw.setdefault(rate, set()).add(value)
    merged = [f"{rate:g}" for rate, written in sorted(raw.items()) if len(written) > 1]
    note = (
        "Learning rates with the same six significant digits count as one, although they are not "
        f"written alike: {_listed(merged)}."
    )
    return rates, [note] if merged else []


def _scores(
    table: RunTable, column: str, missing: Sequence[str]
) -> tuple[list[float | None], str, list[str]]:
    """Return the scores and their name; accuracies in per cent are divided by 100.

    Raises:
        DataError: Some accuracies are above 1 and others are not, but above 0: these may be shares.
    """
    values = [
        None if why else number(cell)
        for cell, why in zip(table.columns[column], missing, strict=True)
    ]
    given = [value for value in values if value is not None]
    if not is_accuracy(column) or min(given) < 0 or SHARE.rounded(max(given) / 100) > 1:
        return values, column, []
    if SHARE.rounded(max(given)) <= 1:
        return [None if v is None else SHARE.rounded(v) for v in values], "accuracy", []
    if shares := [row for row, v in enumerate(values) if v is not None and 0 < v <= 1]:
        raise DataError(
            f"{table.source}, {table.name(shares[0])}: {column} is {values[shares[0]]:g}, but it "
            f"reaches {max(given):g} in other runs. Are these shares and per cent? Write all "
            "accuracies as shares in [0, 1]."
        )
    note = f"{column} is taken as per cent, as it reaches {max(given):g}."
    return [None if v is None else SHARE.rounded(v / 100) for v in values], "accuracy", [note]


def _seeds(
    table: RunTable, column: str | None, rates: Sequence[float], missing: Sequence[str]
) -> tuple[list[int], list[str]]:
    """Return the seed of each run; without a column, its place among the runs of its rate."""
    if column is None:
        count: Counter[float] = Counter()
        seeds = []
        for rate in rates:
            seeds.append(count[rate])
            count[rate] += 1
        return seeds, []
    cells = table.columns[column]
    for row, cell in enumerate(cells):
        if empty(cell) and not missing[row]:
            raise DataError(f"{table.source}, {table.name(row)}: it has a score but no {column}. "
                            "Add it, or leave the run out.")  # fmt: skip
    numbers, notes = [None if empty(cell) else number(cell) for cell in cells], list[str]()
    given = [cell for cell in cells if not empty(cell)]
    if not all((value := number(cell)) is not None and value.is_integer() for cell in given):
        order = {cell: float(i) for i, cell in enumerate(dict.fromkeys(given))}
        numbers = [order.get(cell) for cell in cells]
        notes.append(f"Values of {column} are numbered from 0 in order of appearance.")
    following = itertools.count(1 + int(max((n for n in numbers if n is not None), default=-1)))
    return [next(following) if n is None else int(n) for n in numbers], notes


def _lengths(table: RunTable, found: Mapping[str, str]) -> list[float | None]:
    """Return the length of each run."""
    role = next((role for role in LENGTHS if role in found), None)
    if role is None:
        return [None] * len(table)
    column = found[role]
    lengths = list[float | None]()
    for row, cell in enumerate(table.columns[column]):
        length = number(cell)
        if length is None or not 0 < length < math.inf:
            shown = "empty" if empty(cell) else cell
            raise DataError(
                f"{table.source}, {table.name(row)}: {column} is {shown}. A number above 0 is "
                f"needed; or give --columns '{{{role}: null}}' if it is not the planned length of "
                "the run."
            )
        lengths.append(length)
    return lengths


def _without_repeated(
    runs: Sequence[TakenRun], found: Mapping[str, str]
) -> tuple[list[TakenRun], list[str]]:
    """Return the runs, each once: without those that crashed and were repeated.

    Raises:
        DataError: Two runs have the same learning rate, seed and length.
    """
    groups: dict[tuple[float, int, float | None], list[TakenRun]] = {}
    by_rate: dict[tuple[float, float | None], list[TakenRun]] = {}
    for run in runs:
        groups.setdefault((run.learning_rate, run.seed, run.length), []).append(run)
        by_rate.setdefault((run.learning_rate, run.length), []).append(run)
    if "seed" not in found:
        for (rate, _), same_rate in by_rate.items():
            if len(same_rate) > 1:
                raise ConfigError(
                    "columns", {"seed": None},
                    f"{_names(same_rate)} all have the learning rate {rate:g}, and no column has "
                    "the usual name of a seed: they may be repetitions, or copies of one run. "
                    "Name the column of the seed; for repetitions without seeds a column that is "
                    "different in each run, as in --columns '{seed: Name}'.",
                )  # fmt: skip
    kept, repeated = list[TakenRun](), list[str]()
    for (rate, seed, _), group in groups.items():
        lasting = [run for run in group if run.missing not in _MAY_BE_REPEATED]
        if len(group) == 1 or not lasting:
            lasting = group
        if len(lasting) > 1:
            raise DataError(
                f"{_names(lasting)} have the same learning rate, {rate:g}, and the same "
                f"{found['seed']}, {seed}. Keep one of them, or select runs with --where; if other "
                "settings differ, --columns names the column of the seed."
            )
        kept += lasting
        repeated += [f"{run.name}, {run.missing}" for run in group if run not in lasting]
    note = f"Runs that stopped and were repeated are left out: {_listed(repeated)}."
    return kept, [note] if repeated else []


def _names(runs: Sequence[TakenRun]) -> str:
    names = [f"{run.name}{f', {run.missing}' if run.missing else ''}" for run in runs]
    return _listed(names, "; ").replace("; ", " and ", len(names) == 2)


def _listed(texts: Sequence[str], separator: str = ", ") -> str:
    """Return texts, separated by commas; of many, the first and how many there are more."""
    more = len(texts) - _MOST_NAMED
    listed = separator.join(texts[:_MOST_NAMED])
    return f"{listed}{separator}and {more} more" if more > 0 else listed
