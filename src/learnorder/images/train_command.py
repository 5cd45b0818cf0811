"""``learnorder train``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from learnorder.cli import options, running
from learnorder.cli.parser import Parser, parse
from learnorder.config.arm_titles import ARM_TITLES
from learnorder.config.settings import PatchConfig, RunConfig
from learnorder.images.options import recipe_for
from learnorder.images.run import run_train, train_plans

DESCRIPTION = """\
Make a single run, of one of the arms or with your own settings. No patch is planted unless you set
--patch.eligible_share.

  learnorder train                                            digits, the large-LR arm
  learnorder train --arm small --patch.eligible_share 0.8     the small-LR arm with the patch
  learnorder train --processes 4 --training.batch_size 512    on four GPUs, sharing every batch
  learnorder train --data folder:photos --data.resolution 32 \\
                   --model.name my_package.Net --learning_rate.initial 0.05 --out runs/mine
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    scale = options.peek(arguments, "scale", "demo")
    arm = options.peek(arguments, "arm", "large")
    options.check_arms([arm], ARM_TITLES)
    parser = Parser("train", DESCRIPTION)
    parser.add("--scale", str, default=scale, help="Defaults: demo, laptop, thin or paper.")
    parser.add("--arm", str, default=arm, help=f"Sets the defaults: {', '.join(ARM_TITLES)}.")
    running.add_execution(parser, "runs/train", many=False)
    base = recipe_for(scale, arguments).run(arm, seed=0)
    no_patch = PatchConfig(**{**vars(base.patch), "eligible_share": 0.0})
    options.add_settings(parser, RunConfig, replace(base, patch=no_patch))
    values = parse(parser, arguments)
    config: RunConfig = options.take_settings(values, RunConfig)
    out = Path(values["out"])
    if running.only_planned(values):
        return running.only_plan(
            config, lambda settled: train_plans(settled, out), out, values, runs_in=out.parent
        )
    results = run_train(config, out, execution=running.execution(values))
    return options.finish(results, out / "report.html")
