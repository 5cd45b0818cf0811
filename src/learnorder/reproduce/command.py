"""``learnorder reproduce``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from learnorder.cli import options, running
from learnorder.cli.parser import Parser, parse
from learnorder.errors import ConfigError
from learnorder.reproduce.claims import claims_named
from learnorder.reproduce.papers import command as papers
from learnorder.reproduce.papers.registry import PAPERS, paper_named
from learnorder.reproduce.run import (
    every_plan,
    recorded,
    reproduce,
    reproduction_plans,
    reproduction_recipe,
)
from learnorder.reproduce.scales import EXPERIMENT_TITLES, Reproduction

DESCRIPTION = """\
Run the experiments that test the claims of Li, Wei and Ma (2019), or with --paper those of a later
paper on large learning rates, and give a verdict on each claim: it holds, does not hold, or is
undecided, according to a 95 % interval over seeds. report.html shows the verdicts, then the figure
and the runs of each claim; claims.json contains the numbers. If a reproduction was interrupted, the
same command continues it. Finished runs are not repeated.

  learnorder reproduce                                       digits and the theory, 5 minutes
  learnorder reproduce --scale laptop --data parquet:DIR     CIFAR-10, 1.5 hours on two cores
  learnorder reproduce --only theory-error-gap               one claim, only the runs it needs
  learnorder reproduce --seeds 3 --first_seed 100            a quick look, on other seeds
  learnorder reproduce --judge-only                          verdicts on existing runs
  learnorder reproduce --list                                the claims and their tests
  learnorder reproduce --paper you2019                       the claims of a later paper
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    paper = paper_named(options.peek(arguments, "paper", "li2019"))
    if paper.scales:
        return papers.main(arguments, paper)
    scale = options.peek(arguments, "scale", "demo")
    recipe = reproduction_recipe(scale)
    parser = Parser("reproduce", DESCRIPTION)
    parser.add(
        "--paper",
        str,
        default=paper.name,
        help=f"The paper: {', '.join(PAPERS)}, or its number at arxiv.org.",
    )
    parser.add(
        "--scale",
        str,
        default=scale,
        help="demo (digits), laptop (CIFAR-10 at 16×16), thin (as published, but a narrow "
        "network), paper (as published; needs a GPU).",
    )
    parser.add(
        "--data.source",
        str,
        default=recipe.plain.data.source,
        help="Location of CIFAR-10, e.g. parquet:DIR; --data SOURCE is the same.",
    )
    parser.add(
        "--training.precision",
        Literal["fp32", "bf16", "auto"],
        default=recipe.plain.training.precision,
        help="Precision of the networks on images, as for `learnorder patch`.",
    )
    parser.add(
        "--only", str | None, nargs="+", default=None, metavar="CLAIM", help="Claims; null: all."
    )
    parser.add(
        "--seeds",
        int | None,
        default=None,
        help="Number of seeds of each experiment; null: "
        f"{recipe.patch.seeds} on images, {recipe.theory.seeds} in the theory.",
    )
    parser.add(
        "--first_seed",
        int | None,
        default=None,
        help=f"First seed; null: {recipe.patch.first_seed} on images, "
        f"{recipe.theory.first_seed} in the theory.",
    )
    parser.flag("--list", help="Print the claims and stop.")
    parser.flag("--judge-only", help="Run nothing: judge the runs in --out, whatever their seeds.")
    running.add_execution(parser, f"runs/reproduce-{scale}", prepare=False)
    values = parse(parser, arguments)
    from learnorder.reproduce.terminal import list_claims, print_result

    out, only = Path(values["out"]), values["only"]
    if values["list"]:
        print(list_claims(claims_named(only)))
        print(_others())
        return 0
    if values["judge_only"] and values["dry_run"]:
        raise ConfigError("dry-run", True, "--judge-only runs nothing; leave out one of the two.")
    recipe = recorded(recipe, out) if values["judge_only"] else recipe.on(values["data"]["source"])
    reproduction = recipe.seeded(values["seeds"], values["first_seed"])
    if not values["judge_only"]:
        reproduction = reproduction.in_precision(values["training"]["precision"])
    if values["dry_run"]:
        return _print_cost(reproduction, only, scale, out, values)
    result = reproduce(
        reproduction,
        out,
        only=only,
        scale=scale,
        make_runs=not values["judge_only"],
        execution=running.execution(values),
    )
    return print_result(result, out, judged_only=values["judge_only"])


def _print_cost(
    reproduction: Reproduction,
    only: Sequence[str] | None,
    scale: str,
    out: Path,
    values: dict[str, Any],
) -> int:
    """Print the estimated cost of each experiment, their total time, and what bf16 would save."""
    from learnorder.execution.precision import settle
    from learnorder.reproduce.terminal import print_costs

    execution = running.execution(values)
    settled, words = settle(
        reproduction, lambda base: every_plan(base, only, scale), out, execution
    )
    plans = reproduction_plans(settled, only, scale)
    print_costs(plans, EXPERIMENT_TITLES, out, execution)
    running.print_precision(every_plan(settled, only, scale), words, execution)
    return 0


def _others() -> str:
    """Return the later papers, whose claims ``--paper`` tests."""
    later = [paper for paper in PAPERS.values() if paper.scales]
    lines = [f"  {p.name:<18} {p.reference} {p.setting}".rstrip() for p in later]
    return "\n".join(["Claims of later papers (--paper NAME --list):", *lines])
