"""``learnorder theory run``, ``theory phase`` and ``theory explore``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from learnorder.cli import options, running
from learnorder.cli.parser import Parser, parse
from learnorder.theory.experiment import PHASE_GRID, TheoryExperiment, phase_defaults
from learnorder.theory.run import (
    of_phase,
    of_theory,
    phase_plans,
    run_phase,
    run_theory,
    theory_plans,
)

USAGE = """\
usage: learnorder theory run | phase | explore [options]

The paper's two-layer network on data with two kinds of pattern: P, hard to generalise and easy to
fit, and Q, easy to generalise and hard to fit. Which is learned first, and what does that cost?

  run     L-S (large LR, annealed), S (small LR) and S with noise, on the same seeds
  phase   a grid over two settings: which pattern is learned first, and the ratio of the errors
  explore an interactive page: drag the settings, and see at once what is learned first

For the options, see learnorder theory run --help (or phase, or explore).
"""

RUN = """\
Run the paper's algorithms on the two-layer network, at infinite or finite width, on the same
seeds. The report shows which pattern each learns first, and what that costs on test examples that
have only P.

  learnorder theory run                                  three arms, five seeds: 15 s
  learnorder theory run --arms '[L-S]' --seeds 1
  learnorder theory run --distribution.kappa 0.7 --distribution.p0 null     the paper's p0 = κ²/2
  learnorder theory run --network.kind convolution                filters shared over the halves
  learnorder theory run --solver.engine finite --network.width_w 64 --network.width_v 200 \\
      --distribution.d 100 --distribution.s 12 --distribution.r 0.1 --algorithm.eta2 0.01 \\
      --algorithm.max_time 300 --seeds 1             the network itself: about five minutes
  learnorder theory run --print_config > my.yaml       all settings; then --config my.yaml

Times are η·t, the sum of the learning rates of all steps. The symbols are those of the paper.
"""

PHASE = """\
Run L-S and S over a grid of two settings, several seeds each, and draw two maps: which pattern is
learned first, and the ratio of S's error to L-S's on test examples that have only P.

  learnorder theory phase                                         s × r: about a minute
  learnorder theory phase --grid '{distribution.kappa: [0.6, 0.8, 1], distribution.p0: [0.03, 0.1]}'
  learnorder theory phase --grid '{"distribution.kappa,distribution.d": [[1, 200], [0.7, 100]],
                                   algorithm.weight_decay: [1e-5, 1e-4]}'     κ and d vary together
"""

EXPLORE = """\
Write an interactive page of the theory: sliders for its settings, the curves of L-S, S and
S + noise, the data as pictures, and questions for a class. It is one file that opens offline and
computes in the browser, at infinite width with 100 training examples.

  learnorder theory explore                            explorer.html in the current folder
  learnorder theory explore --out lecture/theory.html
"""


def main(arguments: Sequence[str]) -> int:
    """Run the subcommand."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE, end="")
        return 0 if arguments else 2
    command, *rest = arguments
    if command not in _COMMANDS:
        print(
            f"learnorder theory: no command {command!r}. Give run, phase or explore.",
            file=sys.stderr,
        )
        return 2
    return _COMMANDS[command](rest)


def _run(arguments: Sequence[str]) -> int:
    parser = Parser("theory run", RUN)
    running.add_execution(parser, "runs/theory", gpus=False, precision=False)
    options.add_settings(parser, TheoryExperiment, TheoryExperiment())
    values = parse(parser, arguments)
    experiment: TheoryExperiment = options.take_settings(values, TheoryExperiment)
    out = Path(values["out"])
    if running.only_planned(values):
        return running.only_plan(experiment, theory_plans, out, values, of_theory)
    results = run_theory(experiment, out, execution=running.execution(values))
    return options.finish(results, out / "report.html")


def _phase(arguments: Sequence[str]) -> int:
    parser = Parser("theory phase", PHASE)
    running.add_execution(parser, "runs/phase", gpus=False, precision=False)
    parser.add(
        "--grid",
        dict[str, list[Any]],
        default=PHASE_GRID,
        help="Two axes, horizontal and vertical, with their values, in YAML. Settings joined by "
        "commas vary together; the first names the axis.",
        form=options.GRID_FORM,
    )
    options.add_settings(parser, TheoryExperiment, phase_defaults())
    values = parse(parser, arguments)
    experiment: TheoryExperiment = options.take_settings(values, TheoryExperiment)
    out, grid = Path(values["out"]), values["grid"]
    if running.only_planned(values):
        return running.only_plan(
            experiment,
            lambda base: phase_plans(base, grid),
            out,
            values,
            lambda base: of_phase(base, grid),
        )
    results = run_phase(experiment, grid, out, execution=running.execution(values))
    return options.finish(results, out / "report.html")


def _explore(arguments: Sequence[str]) -> int:
    parser = Parser("theory explore", EXPLORE, config=False)
    parser.add("--out", str, default="explorer.html", help="The file to write.")
    values = parse(parser, arguments)
    from learnorder.runs.plain_text import visible
    from learnorder.theory.explorer.page import write_explorer

    print(visible(f"Page: {write_explorer(values['out'])}"))
    return 0


_COMMANDS = {"run": _run, "phase": _phase, "explore": _explore}
