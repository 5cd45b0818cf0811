"""``learnorder probe``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from learnorder.cli import options, running
from learnorder.cli.parser import Parser, parse
from learnorder.execution.budget import check_minutes
from learnorder.probe import probe_plans, run_probe
from learnorder.probe.settings import Probe

DESCRIPTION = """\
What does your network learn first, and how far does it rely on a shortcut? A memorisable pattern is
planted in a share of the training images, texts, table rows or series; its strength is calibrated
so that the smallest learning rate can memorise it. The network is then trained at every learning
rate, constant and annealed, with and without activation noise, on several seeds. The report shows
when the pattern and the content were learned, which of them the network follows if they conflict,
and whether the content was not learned, or learned but unused.

  learnorder probe                                      an example on digits
  learnorder probe --data folder:photos --data.resolution 32 --model.name my_nets.Net
  learnorder probe --data function:my_data.load --model.name my_nets.Net --minutes 30
  learnorder probe --task my_tasks.make                 any model and data: a learnorder.Task with a
                                                        planter, from your own function
  learnorder probe --training.optimizer AdamW --learning_rates '[0.0003, 0.001, 0.003]'
  learnorder probe --noise 0 --seeds 5                  no arms with noise, five seeds
  learnorder probe --dry-run                            estimate the cost
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = Parser("probe", DESCRIPTION)
    parser.add(
        "--minutes",
        float | None,
        default=None,
        help="Approximate time limit: runs get as many epochs as fit, at most training.epochs.",
    )
    running.add_execution(parser, "runs/probe", prepare=False)
    options.add_settings(parser, Probe, options.own_defaults(Probe(), arguments))
    values = parse(parser, arguments)
    probe: Probe = options.take_settings(values, Probe)
    out = Path(values["out"])
    check_minutes(values["minutes"])
    if values["dry_run"]:
        return running.only_plan(probe, probe_plans, out, values, runs_in=out / "none")
    result = run_probe(probe, out, minutes=values["minutes"], execution=running.execution(values))
    from learnorder.probe.page import probe_findings
    from learnorder.runs.plain_text import visible

    code = options.finish(result.results, out / "report.html")
    print("\n".join(f"- {visible(sentence)}" for sentence in probe_findings(result)))
    return code
