"""``learnorder reproduce --paper NAME``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from learnorder.cli import options, running
from learnorder.cli.parser import Parser, parse
from learnorder.errors import ConfigError
from learnorder.reproduce.claims import claims_named
from learnorder.reproduce.papers.paper import Paper
from learnorder.reproduce.papers.run import experiments_of, paper_plans, reproduce_paper

_DESCRIPTION = """\
Run the experiments that test the claims of {reference}.

{about}

{differs}

Each claim gets a verdict: it holds, does not hold, or is undecided, according to a 95 % interval
over seeds. report.html shows the verdicts, then the figures and the runs; claims.json contains the
numbers. If the command was interrupted, it continues. Finished runs are not repeated.

  learnorder reproduce --paper {name}                      all its claims
  learnorder reproduce --paper {name} --dry-run            what it would cost
  learnorder reproduce --paper {name} --list               the claims and their tests
  learnorder reproduce --paper {name} --judge-only         verdicts on existing runs
"""


def main(arguments: Sequence[str], paper: Paper) -> int:
    """Run the command for a later paper."""
    scale = options.peek(arguments, "scale", next(iter(paper.scales)))
    own = experiments_of(paper, scale)
    parser = Parser("reproduce", _DESCRIPTION.format(**vars(paper), reference=paper.reference))
    parser.add("--paper", str, default=paper.name, help="Name of the paper, or arXiv number.")
    parser.add("--scale", str, default=scale, help=f"One of {', '.join(paper.scales)}.")
    parser.add(
        "--data.source",
        str | None,
        default=None,
        help="Location of the images, e.g. parquet:DIR, if the experiments load some; --data "
        "SOURCE is the same.",
    )
    parser.add(
        "--only", str | None, nargs="+", default=None, metavar="CLAIM", help="Claims; null: all."
    )
    counts = sorted({each.seeds for each in own.values()})
    parser.add(
        "--seeds",
        int | None,
        default=None,
        help=f"Number of seeds; null: {' or '.join(map(str, counts))}, by experiment.",
    )
    parser.add("--first_seed", int | None, default=None, help="First seed; null: each one's own.")
    parser.flag("--list", help="Print the claims and stop.")
    parser.flag("--judge-only", help="Run nothing: judge the runs in --out, whatever their seeds.")
    out = f"runs/{paper.name}-{scale}"
    running.add_execution(parser, out, prepare=False, precision=False)
    values = parse(parser, arguments)
    from learnorder.reproduce.terminal import list_claims, print_costs, print_result

    out, only, source = Path(values["out"]), values["only"], values["data"]["source"]
    if values["list"]:
        print(list_claims(claims_named(only, paper.claims)))
        return 0
    if values["judge_only"] and values["dry_run"]:
        raise ConfigError("dry-run", True, "--judge-only runs nothing; leave out one of the two.")
    chosen = {name: values[name] for name in ("seeds", "first_seed")}
    execution = running.execution(values)
    if values["dry_run"]:
        experiments = experiments_of(paper, scale, source=source, **chosen)
        plans = paper_plans(paper, experiments, scale, only)
        print_costs(plans, paper.titles, out, execution)
        return 0
    result = reproduce_paper(
        paper.name,
        out,
        scale=scale,
        source=source,
        only=only,
        make_runs=not values["judge_only"],
        execution=execution,
        **chosen,
    )
    return print_result(result, out, judged_only=values["judge_only"])
