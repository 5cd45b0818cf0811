"""``learnorder advise --from``: the options, and running it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from learnorder.advise.existing.run import judge_runs
from learnorder.cli.parser import Parser
from learnorder.errors import ConfigError
from learnorder.runs.settings import flatten

_OWN = ("from", "columns", "higher_is_better", "where", "ignore")
"""Options that only make sense with --from."""
_SHARED = ("out", "quiet", "tolerance")
"""Options of a search that also make sense with --from."""


def add_judging(parser: Parser) -> None:
    """Add the options that judge existing runs."""
    group = parser.add_argument_group("Runs that exist already")
    parser.add(
        "--from",
        str | None,
        default=None,
        help="A .csv, .tsv or .parquet file with a row for each run, to judge these runs instead "
        "of making any. With it there are only the options of this group, --out and --tolerance.",
        group=group,
    )
    parser.add(
        "--columns",
        dict[str, str | None],
        default={},
        help="The columns for learning_rate, score, seed, epochs or steps, and state, where their "
        "names are not the usual ones; null for none.",
        form="Write {learning_rate: params_lr, score: value}: a space after each colon.",
        group=group,
    )
    parser.add(
        "--higher_is_better",
        bool | None,
        default=None,
        help="Whether a higher score is better; null decides by its name, if that is clear.",
        group=group,
    )
    parser.add(
        "--where",
        dict[str, Any],
        default={},
        help="Selects runs: the value of a column, or a list of values, by its name.",
        form="Write {weight_decay: 0.1, State: [finished, failed]}: a space after each colon.",
        group=group,
    )
    parser.add(
        "--ignore",
        list[str],
        default=[],
        help="Columns that are no settings of the runs, also as patterns such as train/*.",
        group=group,
    )


def judge(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> int:
    """Judge the runs of a table, and print the result.

    Args:
        values: All options.
        defaults: Their default values.

    Raises:
        ConfigError: An option of a search is given.
    """
    for name, value in _given(values, defaults).items():
        if name.partition(".")[0] not in (*_OWN, *_SHARED):
            raise ConfigError(
                name, value, "It is for new runs, and --from judges runs that exist already. With "
                f"it there are the options {', '.join(f'--{each}' for each in (*_OWN, *_SHARED))}.",
            )  # fmt: skip
    out = Path(values["out"])
    judged = judge_runs(
        values["from"],
        out,
        columns=values["columns"],
        higher_is_better=values["higher_is_better"],
        where=values["where"],
        ignore=values["ignore"],
        tolerance=values["tolerance"],
    )
    from learnorder.advise.existing.page import judged_comparisons, rate_table
    from learnorder.report.terminal import print_table
    from learnorder.runs.plain_text import visible

    print_table(rate_table(judged))
    if judged.best() is not None:
        print_table(judged_comparisons(judged))
    print(visible(f"Report: {out / 'report.html'}"))
    print("\n".join(f"- {visible(sentence)}" for sentence in judged.findings()))
    return 0


def check_only_for_judging(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Raise ConfigError if an option that needs --from is given without it."""
    for name, value in _given(values, defaults).items():
        if name.partition(".")[0] in _OWN:
            raise ConfigError(name, value, "It is for runs that exist already: give --from too.")


def _given(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that differ from their defaults, by dotted name."""
    before = flatten(defaults)
    return {name: value for name, value in flatten(values).items() if value != before.get(name)}
