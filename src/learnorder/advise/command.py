"""``learnorder advise``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from learnorder.advise.along.command import add_along, along_defaults, check_only_along, move
from learnorder.advise.existing.command import add_judging, check_only_for_judging, judge
from learnorder.advise.jointly.command import add_jointly, check_only_jointly, tune
from learnorder.advise.plans import search_plans, with_names
from learnorder.advise.run import run_advise
from learnorder.advise.settings import LRSearch
from learnorder.cli import options, running
from learnorder.cli.parser import Parser, parse
from learnorder.errors import ConfigError
from learnorder.execution.budget import check_minutes

DESCRIPTION = """\
Which initial learning rates are best after annealing, for your model and your data? Every run is a
complete, annealed schedule, so no learning rate is judged before its anneal. Short schedules
eliminate learning rates. The remaining ones are compared at full length on new seeds, with
intervals, together with shorter plateaus at the best learning rate, activation noise, and the pick
of a conventional learning-rate range test. An arm that is decided gets no more seeds. Test data are
never used.

  learnorder advise                                      an example on digits
  learnorder advise --data folder:photos --data.resolution 32 --model.name my_nets.Net
  learnorder advise --command 'python train.py --lr {learning_rate} --seed {seed} --epochs {epochs}'
                    --learning_rates '[0.001, 0.003, 0.01, 0.03, 0.1]' --training.epochs 20
                                                         any script of any framework; it prints its
                                                         final score last (or see --script.score)
  learnorder advise --task my_tasks.make --minutes 30    any model, data set and loss: a
                                                         learnorder.Task from your own function
  learnorder advise --training.optimizer AdamW --anneal cosine
  learnorder advise --learning_rates '[0.001, 0.003, 0.01, 0.03, 0.1]' --rungs 1
                                                         every learning rate at full length
  learnorder advise --task my_tasks.make --target worst_group
                                                         judge by the worst of the task's known
                                                         groups instead of the score
  learnorder advise --along '{training.epochs: [10, 20, 40]}' --predict 160
                                                         does the best learning rate move with the
                                                         length, the width or the batch size?
  learnorder advise --along '{training.weight_decay: [0.0001, 0.0003, 0.001, 0.003]}' --jointly
                                                         the best pair of a learning rate and a
                                                         weight decay, without training every pair
  learnorder advise --dry-run                            estimate the cost
  learnorder advise --from runs.csv                      judge runs that exist already, also as
                                                         exported by W&B, Optuna or MLflow
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = Parser("advise", DESCRIPTION)
    parser.add(
        "--minutes",
        float | None,
        default=None,
        help="Approximate time limit: runs get as many epochs as fit, at most training.epochs.",
    )
    existing = options.peek(arguments, "from", "null") != "null"
    moves = options.peek(arguments, "along", "{}") not in ("{}", "null")
    pairs = "--jointly" in arguments or options.peek(arguments, "jointly", "False") == "True"
    along = "runs/jointly" if pairs else "runs/along"
    out = "runs/judged" if existing else along if moves else "runs/advise"
    running.add_execution(parser, out, prepare=False, engines=True)
    parser.flag(
        "--force",
        help="Continue although the script or other code has changed since the first run; the "
        "report says so.",
    )
    add_judging(parser)
    add_along(parser)
    add_jointly(parser)
    base = along_defaults(LRSearch(), arguments)
    options.add_settings(parser, LRSearch, options.own_defaults(base, arguments))
    defaults = parse(parser, [])
    values = parse(parser, arguments)
    if values["from"] is not None:
        return judge(values, defaults)
    check_only_for_judging(values, defaults)
    check_only_jointly(values)
    if values["along"]:
        return tune(values) if values["jointly"] else move(values)
    check_only_along(values)
    search: LRSearch = options.take_settings(values, LRSearch)
    out = Path(values["out"])
    check_minutes(values["minutes"])
    if values["dry_run"]:
        if values["minutes"] is not None:
            raise ConfigError(
                "minutes", values["minutes"], "--dry-run estimates the cost of all "
                "training.epochs: give one of the two."
            )  # fmt: skip
        search = with_names(search)
        code = running.only_plan(search, search_plans, out, values, runs_in=out / "none")
        if search.race and len(search.looks().counts) > 1:
            print("This is the most: a race stops arms that are decided (--race false: none).")
        return code
    execution = running.execution(values)
    advice = run_advise(
        search, out, minutes=values["minutes"], execution=execution, force=values["force"]
    )
    from learnorder.advise.page import comparison_table, rung_table
    from learnorder.advise.words import advice_findings
    from learnorder.report.terminal import print_table
    from learnorder.runs.plain_text import visible

    print_table(rung_table(advice))
    print_table(comparison_table(advice))
    print(visible(f"Report: {out / 'report.html'}"))
    print("\n".join(f"- {visible(sentence)}" for sentence in advice_findings(advice)))
    return 0
