"""``learnorder sweep``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from learnorder.cli import options
from learnorder.config import to_dict
from learnorder.errors import ConfigError
from learnorder.recipes.images import ARM_TITLES
from learnorder.verbs import run_sweep, sweep_plans

DESCRIPTION = """\
Run a grid over named settings and seeds. Settings are chosen this way, so accuracies are measured
on a validation split held out of the training images, not on the test images.

  learnorder sweep --grid '{learning_rate.initial: [0.02, 0.1, 0.3], patch.contrast: [0.3, 0.6]}'
  learnorder sweep --arms '[large, small]' --grid '{patch.contrast: [0.3, 0.6]}' --seeds 3
  learnorder sweep --grid '{"learning_rate.initial,learning_rate.step_factor":
                            [[0.1, 0.2], [1.0, 0.02]]}'        two that vary together

The settings below are those of every run. Learning rate and noise are the arm's; vary them, or give
one value, with --grid.
"""


def main(arguments: Sequence[str]) -> int:
    """Run the verb."""
    scale = options.peek(arguments, "scale", "demo")
    parser = options.make_parser("sweep", DESCRIPTION)
    parser.add_argument("--scale", type=str, default=scale, help="demo, laptop or paper: defaults.")
    parser.add_argument(
        "--arms",
        type=list[str],
        default=["large"],
        help=f"Arms whose learning_rate and noise are varied: of {', '.join(ARM_TITLES)}.",
    )
    parser.add_argument(
        "--grid",
        type=dict[str, list[Any]],
        default={},
        help="Values by setting, in YAML; names joined by commas vary together.",
    )
    parser.add_argument("--seeds", type=int, default=3, help="How many seeds.")
    parser.add_argument(
        "--first_seed",
        type=int,
        default=1000,
        help="The first of them, apart from those that experiments report on.",
    )
    options.add_execution(parser, "runs/sweep")
    experiment = options.recipe_for(scale, arguments)
    held_out = replace(experiment.data, evaluate_on="validation", validation_share=0.25)
    shared = {
        "data": held_out,
        "model": experiment.model,
        "patch": experiment.patch,
        "training": experiment.training,
    }
    for name, config in shared.items():
        options.add_settings(parser, type(config), config, name)
    values = options.parse(parser, arguments)
    options.check_arms(values["arms"])
    if not values["grid"] and len(values["arms"]) < 2:
        raise ConfigError("grid", {}, "Name what varies: --grid '{patch.contrast: [0.3, 0.6]}'.")
    sections = {name: values[name] for name in shared}
    bases = {arm: {**to_dict(experiment.run(arm, seed=0)), **sections} for arm in values["arms"]}
    seeds = range(values["first_seed"], values["first_seed"] + values["seeds"])
    out = Path(values["out"])
    if options.only_planned(values):
        plans = sweep_plans(bases, values["grid"], seeds, scale)
        return options.dry_run(plans, out, values)
    results = run_sweep(
        bases,
        values["grid"],
        seeds,
        out,
        scale=scale,
        **options.execution(values),
    )
    return options.finish(results, out / "report.html")
