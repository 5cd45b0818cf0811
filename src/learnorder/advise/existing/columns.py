"""Which columns of a table of runs are the learning rate, the score and so on, by their names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from learnorder.advise.existing.names import (
    ABOUT_THE_RUN,
    BARE,
    HELD_OUT,
    KNOWN_SETTINGS,
    MEASURED_PREFIX,
    MEASUREMENTS,
    SETTING_PREFIX,
    USUAL,
    plain_name,
)
from learnorder.advise.existing.table import Cell, RunTable, empty, number, same
from learnorder.config.score_names import direction_of, words_of
from learnorder.errors import ConfigError, did_you_mean

ROLES = ("learning_rate", "score", "seed", "epochs", "steps", "state")
"""What a column can be; epochs or steps are the length of the run that was planned."""
LENGTHS = ("epochs", "steps")


def find_columns(table: RunTable, named: Mapping[str, str | None]) -> dict[str, str]:
    """Return the column of each role that a table has.

    Args:
        table: The runs.
        named: Columns named by the user, by role; None says that there is none.

    Raises:
        ConfigError: A name is unknown, or the column of a role is missing or not clear.
    """
    _check_named(table, named)
    found = {role: column for role, column in named.items() if column is not None}
    for role in ROLES:
        if role not in named and role != "score":
            taken = {column for other, column in found.items() if other != role}
            if (column := _usual(table, role, taken)) is not None:
                found[role] = column
    if all(role in found for role in LENGTHS):
        del found["epochs" if "steps" in named else "steps"]
    if "learning_rate" not in found:
        raise ConfigError(
            "columns", None, "No column has the usual name of a learning rate. Name it, as in "
            f"--columns '{{learning_rate: params_lr}}'. {there_are(table)}",
        )  # fmt: skip
    if "score" not in named:
        found["score"] = _score(table, set(found.values()))
    if "score" not in found:
        raise ConfigError("columns", {"score": None}, f"Runs are judged by a score: name it. "
                          f"{there_are(table)}")  # fmt: skip
    return found


def _check_named(table: RunTable, named: Mapping[str, str | None]) -> None:
    for role, column in named.items():
        if role not in ROLES:
            parts = (did_you_mean(role, ROLES), f"Name columns for {', '.join(ROLES)}.")
            raise ConfigError("columns", role, " ".join(filter(None, parts)))
        if column is not None and column not in table.columns:
            parts = (did_you_mean(column, table.columns), there_are(table))
            raise ConfigError(f"columns.{role}", column, " ".join(filter(None, parts)))
    given = [column for column in named.values() if column is not None]
    for column in given:
        if given.count(column) > 1:
            raise ConfigError("columns", dict(named), f"{column} is named twice.")
    if all(named.get(role) for role in LENGTHS):
        raise ConfigError("columns", dict(named), "Name epochs or steps, not both.")


def there_are(table: RunTable) -> str:
    """Return the names of a table's columns that are not empty, at most 40."""
    names = [name for name, cells in table.columns.items() if not all(map(empty, cells))]
    more = f" and {len(names) - 40} more" if len(names) > 40 else ""
    return f"There are the columns {', '.join(names[:40])}{more}."


def _usual(table: RunTable, role: str, taken: Iterable[str]) -> str | None:
    """Return the column with a usual name of a role; None if there is none.

    Empty columns do not count, and of columns that agree wherever both have a value the first that
    is fullest is taken: trackers repeat settings, as for a sweep.
    """
    columns = [
        name
        for name, cells in table.columns.items()
        if plain_name(name) in USUAL[role]
        and not ("/" in name and not SETTING_PREFIX.match(name.lower()))
        and not MEASURED_PREFIX.match(name.lower())
        and name not in taken
        and not all(map(empty, cells))
    ]
    if not columns:
        return None

    def filled(name: str) -> int:
        return sum(not empty(cell) for cell in table.columns[name])

    best = max(columns, key=filled)  # the first of the fullest
    for other in columns:
        pairs = zip(table.columns[best], table.columns[other], strict=True)
        if not all(same(a, b) for a, b in pairs if not (empty(a) or empty(b))):
            raise ConfigError(
                "columns", None, f"{' and '.join(columns)} could both be the {_ROLE_WORDS[role]}, "
                f"and they differ. Name one, as in --columns '{{{role}: {columns[0]}}}'.",
            )  # fmt: skip
    return best


_ROLE_WORDS = {
    "learning_rate": "learning rate",
    "seed": "seed",
    "epochs": "number of epochs",
    "steps": "number of steps",
    "state": "state of a run",
}


def _score(table: RunTable, taken: Iterable[str]) -> str:
    """Return the column that is the score by its name, if only one can be."""
    if {"number", "value", "state"} <= table.columns.keys():  # a study of Optuna
        return "value"
    numeric = [
        name
        for name, cells in table.columns.items()
        if name not in taken
        and not all(map(empty, cells))
        and all(number(cell) is not None for cell in cells if cell is not None)
    ]
    known = [name for name in numeric if direction_of(name) is not None]
    held_out = [name for name in known if HELD_OUT & set(words_of(name))]
    bare = [name for name in numeric if plain_name(name) in BARE]
    candidates = held_out or bare
    if len(candidates) == 1:
        return candidates[0]
    remedy = "Name the one that runs are judged by, as in --columns '{score: val_acc}'."
    if candidates:
        raise ConfigError(
            "columns", None, f"{', '.join(candidates)} could each be the score. {remedy}"
        )
    raise ConfigError(
        "columns", None, f"No column has the usual name of a validation score. {remedy} "
        f"{there_are(table)}",
    )  # fmt: skip


def settings_besides(
    table: RunTable, found: Mapping[str, str], scored: Sequence[bool]
) -> list[str]:
    """Return columns that vary and are, or may be, settings other than those found.

    Settings are the columns with a tracker's prefix for them or a usual name of a setting, and
    those whose values repeat, unless their name is that of a measurement or describes the run.
    Another seed, or another length, does not count if it follows the one found.

    Args:
        table: The runs.
        found: The column of each role.
        scored: Whether each run has a score.
    """
    return [n for n in _varying(table, found, scored) if _may_be_setting(table, n, scored)]


def others_besides(table: RunTable, found: Mapping[str, str], scored: Sequence[bool]) -> list[str]:
    """Return the other columns that vary and are not known to describe the run."""
    return [
        name
        for name in _varying(table, found, scored)
        if not _may_be_setting(table, name, scored)
        and plain_name(name) not in ABOUT_THE_RUN
        and not name.startswith("_")
        and not MEASURED_PREFIX.match(name.lower())
    ]


def _varying(table: RunTable, found: Mapping[str, str], scored: Sequence[bool]) -> list[str]:
    return [
        name
        for name in table.columns
        if name not in found.values()
        and len(_values(table, name, scored)) > 1
        and not any(
            role in found and plain in names and _follows(table, name, found[role])
            for role, names in _FOLLOWERS.items()
            for plain in (plain_name(name), *words_of(name))
        )
    ]


_FOLLOWERS = {
    "learning_rate": USUAL["learning_rate"],
    "seed": frozenset({"seed", "fold"}),
    "epochs": USUAL["steps"],
    "steps": USUAL["epochs"],
}
"""Names of columns that say the same as the column of a role, if they follow it."""


def _follows(table: RunTable, name: str, other: str) -> bool:
    """Return whether a column has one value for each value of another, empty cells aside."""
    value_at: dict[Cell, Cell] = {}
    for key, cell in zip(table.columns[other], table.columns[name], strict=True):
        if empty(cell) or empty(key):
            continue
        if not same(value_at.setdefault(key, cell), cell):
            return False
    return True


def _values(table: RunTable, name: str, scored: Sequence[bool]) -> list[Cell]:
    """Return the distinct values of a column; of what may be a setting, in runs with a score.

    Where a setting is missing in some runs, that counts as a value of its own.
    """
    cells = table.columns[name]
    if not _is_setting(name):
        cells = [c for c, counts in zip(cells, scored, strict=True) if counts and not empty(c)]
    distinct = list[Cell]()
    seen = set[Cell]()
    for cell in cells:
        value = number(cell)
        key = None if empty(cell) else cell if value is None else float(f"{value:.9g}")
        if key not in seen:
            seen.add(key)
            distinct.append(cell)
    return distinct


def _is_setting(name: str) -> bool:
    """Return whether a column is a setting by its name."""
    if MEASURED_PREFIX.match(name.lower()):
        return False
    if SETTING_PREFIX.match(name.lower()):
        return True
    usual = KNOWN_SETTINGS.union(*(USUAL[role] for role in ("learning_rate", *LENGTHS, "seed")))
    return plain_name(name) in usual and "/" not in name


def _may_be_setting(table: RunTable, name: str, scored: Sequence[bool]) -> bool:
    if _is_setting(name):
        return True
    plain = plain_name(name)
    described = plain in ABOUT_THE_RUN or name.startswith("_") or "/" in name
    measured = direction_of(name) is not None or MEASUREMENTS & set(words_of(name))
    if described or measured or MEASURED_PREFIX.match(name.lower()):
        return False
    values = _values(table, name, scored)
    if any(number(value) is None for value in values):
        return len(values) < sum(scored)
    return 2 * len(values) <= sum(scored)


def ignored(table: RunTable, patterns: Iterable[str]) -> list[str]:
    """Return the columns that names, or patterns such as ``train/*``, match.

    Raises:
        ConfigError: One matches no column.
    """
    matched: dict[str, None] = {}
    for pattern in patterns:
        names = [n for n in table.columns if n == pattern or fnmatchcase(n, pattern)]
        if not names:
            parts = (did_you_mean(pattern, table.columns), there_are(table))
            raise ConfigError("ignore", pattern, " ".join(filter(None, parts)))
        matched |= dict.fromkeys(names)
    return list(matched)
