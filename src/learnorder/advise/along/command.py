"""``learnorder advise --along``: the options, and running it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from learnorder.advise.along.run import along_plans, run_along, with_rates
from learnorder.advise.along.settings import AlongSettings, check_unused, only_full, the_setting
from learnorder.advise.plans import with_names
from learnorder.advise.settings import LRSearch
from learnorder.cli import options, running
from learnorder.cli.parser import Parser
from learnorder.errors import ConfigError
from learnorder.execution.grid import with_changes

_FORM = (
    "Write {training.epochs: [10, 20, 40]}: one dotted name, a space after the colon, and a list "
    "of numbers."
)


def add_along(parser: Parser) -> None:
    """Add the options that vary a setting."""
    group = parser.add_argument_group("Does the best learning rate move?")
    parser.add(
        "--along",
        dict[str, list[int | float]],
        default={},
        help="A setting with increasing values, e.g. {training.epochs: [10, 20, 40]}: at each, "
        "every learning rate is trained at full length on the same seeds, and the report shows how "
        "the best one moves. Also training.batch_size, model.arguments.NAME, task.arguments.NAME, "
        "script.values.NAME.",
        form=_FORM,
        group=group,
    )
    parser.add(
        "--predict",
        float | None,
        default=None,
        help="A larger value, for which the best learning rate is extrapolated, with --along.",
        group=group,
    )


def along_defaults(search: LRSearch, arguments: Sequence[str]) -> LRSearch:
    """Return the defaults of a search along a setting: nothing besides full length."""
    given = options.peek(arguments, "along", "{}") not in ("{}", "null")
    return only_full(search) if given else search


def move(values: dict[str, Any]) -> int:
    """Run the learning rates along a setting, and print the result.

    Args:
        values: All options.

    Raises:
        ConfigError: An option has no effect with --along.
    """
    search, along = search_along(values), values["along"]
    out, execution = Path(values["out"]), running.execution(values)
    if values["dry_run"]:
        settings = AlongSettings.of(with_names(search), along, values["predict"])
        return running.only_plan(
            settings, lambda base: along_plans(with_rates(base)), out, values, runs_in=out / "none"
        )
    result = run_along(
        along, search, out, predict=values["predict"], execution=execution, force=values["force"]
    )
    from learnorder.advise.along.page import optimum_table
    from learnorder.report.terminal import print_table
    from learnorder.runs.plain_text import visible

    print_table(optimum_table(result))
    print(visible(f"Report: {out / 'report.html'}"))
    print("\n".join(f"- {visible(sentence)}" for sentence in result.findings()))
    return 0


def search_along(values: Mapping[str, Any]) -> LRSearch:
    """Return the search, with the first value of the setting: a command may need one.

    Raises:
        ConfigError: The setting or a value cannot be used, or --minutes is given.
    """
    if values["minutes"] is not None:
        raise ConfigError(
            "minutes", values["minutes"], "--along trains every run at the length that "
            "training.epochs says. --dry-run shows the time.",
        )  # fmt: skip
    name, numbers = the_setting(values["along"])
    head = name.partition(".")[0]
    if not isinstance(values.get(head), Mapping):
        raise ConfigError(
            f"along.{name}", numbers, "There is no section of settings of this name. Give "
            "training.epochs, training.batch_size, model.arguments.NAME, task.arguments.NAME or "
            "script.values.NAME.",
        )  # fmt: skip
    first = with_changes(values, {name: numbers[0]})
    search = options.take_settings(first, LRSearch)
    check_unused(search)
    return search


def check_only_along(values: Mapping[str, Any]) -> None:
    """Raise ConfigError if an option that needs --along is given without it."""
    if values["predict"] is not None:
        raise ConfigError("predict", values["predict"], "It needs --along.")
