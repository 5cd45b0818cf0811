"""``learnorder advise --along --jointly``: the options, and running it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learnorder.advise.along.command import search_along
from learnorder.advise.jointly.design import usual_pairs
from learnorder.advise.jointly.run import every_plan, run_jointly, with_grid
from learnorder.advise.jointly.settings import JointSettings
from learnorder.advise.plans import with_names
from learnorder.cli import running
from learnorder.cli.parser import Parser
from learnorder.errors import ConfigError
from learnorder.runs import flatten

if TYPE_CHECKING:
    from learnorder.advise.settings import AnyRunConfig
    from learnorder.execution.driver import Plan


def add_jointly(parser: Parser) -> None:
    """Add the options that tune a second setting jointly."""
    group = parser.add_argument_group("Tune two settings together, without training every pair")
    parser.flag(
        "--jointly",
        help="Find the best pair of a learning rate and the setting of --along, such as weight "
        "decay or batch size. All learning rates are trained at one value, the baseline, and at "
        "each other value three around the optimum that is predicted from those so far. The best "
        "pair is compared with the baseline on new seeds.",
        group=group,
    )
    parser.add(
        "--baseline",
        float | None,
        default=None,
        help="With --jointly: the value that you would keep, one of those of --along. Default: "
        "the one in the other settings (e.g. --training.weight_decay) if it is among them, else "
        "the middle one.",
        group=group,
    )


def tune(values: dict[str, Any]) -> int:
    """Search the best pair, and print the result.

    Args:
        values: All options.

    Raises:
        ConfigError: An option has no effect with --jointly.
    """
    if values["predict"] is not None:
        raise ConfigError(
            "predict", values["predict"], "--jointly finds the best pair among the values given. "
            "Leave it out, or leave out --jointly.",
        )  # fmt: skip
    search, along, out = search_along(values), values["along"], Path(values["out"])
    baseline, own = values["baseline"], flatten(values).get(next(iter(along)))
    if values["dry_run"]:
        settings = JointSettings.of(with_names(search), along, baseline, own)
        return _estimate(settings, out, values)
    settings = JointSettings.of(with_names(search), along, baseline, own)
    execution = running.execution(values)
    result = run_jointly(
        along, search, out, baseline=settings.baseline, execution=execution, force=values["force"]
    )
    from learnorder.advise.along.page import optimum_table
    from learnorder.advise.jointly.page import new_table
    from learnorder.report.terminal import print_table
    from learnorder.runs.plain_text import visible

    print_table(optimum_table(result.searched))
    if result.judged:
        print_table(new_table(result))
    print(visible(f"Report: {out / 'report.html'}"))
    print("\n".join(f"- {visible(sentence)}" for sentence in result.findings()))
    return 0


def _estimate(settings: JointSettings, out: Path, values: dict[str, Any]) -> int:
    """Print the cost, at most, and how many runs there usually are."""

    def plan(settings: JointSettings) -> dict[str, Plan[AnyRunConfig]]:
        return every_plan(with_grid(settings))

    code = running.only_plan(settings, plan, out, values, runs_in=out / "none")
    settings = with_grid(settings)
    seeds, every = len(settings.search_seeds), every_plan(settings)
    print(
        f"That is the most: every pair. Usually about {seeds * (usual_pairs(settings) + 2)} of the "
        f"{len(every)} runs are needed; more if the optimum is not near where it is predicted."
    )
    return code


def check_only_jointly(values: Mapping[str, Any]) -> None:
    """Raise ConfigError if an option that needs another is given without it."""
    if values["jointly"] and not values["along"]:
        raise ConfigError(
            "jointly", True, "Give the second setting with its values, e.g. --along "
            "'{training.weight_decay: [0.0001, 0.0003, 0.001, 0.003]}'.",
        )  # fmt: skip
    if values["baseline"] is not None and not values["jointly"]:
        raise ConfigError("baseline", values["baseline"], "It needs --jointly.")
