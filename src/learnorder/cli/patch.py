"""``learnorder patch``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from learnorder.cli import options
from learnorder.recipes.patch import PatchExperiment
from learnorder.verbs import patch_plans, run_patch

DESCRIPTION = """\
Train a network on images in which a memorisable patch is planted, in three arms that share
weights, patterns and data order: large LR + anneal, small LR, small LR + annealed activation
noise. See which arm learned the patch and the content when, and what that cost.

  learnorder patch                                      digits, about two minutes
  learnorder patch --scale laptop                       CIFAR-10 from the Hugging Face hub
  learnorder patch --scale laptop --data parquet:DIR
  learnorder patch --seeds 10 --patch.contrast 0.4      ten seeds, a fainter pattern
  learnorder patch --print_config > my.yaml             all settings; edit, then --config my.yaml
"""


def main(arguments: Sequence[str]) -> int:
    """Run the verb."""
    scale = options.peek(arguments, "scale", "demo")
    parser = options.make_parser("patch", DESCRIPTION)
    parser.add_argument(
        "--scale",
        type=str,
        default=scale,
        help="demo (digits, minutes), laptop (CIFAR-10 at 16×16), paper (as published; needs a "
        "GPU). Decides the defaults below.",
    )
    options.add_execution(parser, f"runs/patch-{scale}")
    options.add_settings(parser, PatchExperiment, options.recipe_for(scale, arguments))
    values = options.parse(parser, arguments)
    experiment: PatchExperiment = options.take_settings(values, PatchExperiment)
    out = Path(values["out"])
    if values["dry_run"]:
        return options.dry_run(patch_plans(experiment, scale), out, values)
    results = run_patch(experiment, out, scale=scale, **options.execution(values))
    return options.finish(results, out / "report.html")
