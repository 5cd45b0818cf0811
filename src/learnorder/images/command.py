"""The commands ``patch`` and ``plain``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from learnorder.cli import options, running
from learnorder.cli.parser import Parser, parse
from learnorder.images.experiment import ImageExperiment
from learnorder.images.options import recipe_for
from learnorder.images.run import IMAGE_SCALES, image_plans, on_images, run_images


def main(name: str, description: str, arguments: Sequence[str]) -> int:
    """Run the experiment on images of this name."""
    scale = options.peek(arguments, "scale", "demo")
    parser = Parser(name, description)
    parser.add(
        "--scale",
        str,
        default=scale,
        help="demo (digits, minutes), laptop (CIFAR-10 at 16×16), thin (as published, but a "
        "narrow network), paper (as published; needs a GPU). Sets the defaults below. One of "
        f"{', '.join(IMAGE_SCALES[name])}.",
    )
    running.add_execution(parser, f"runs/{name}-{scale}")
    options.add_settings(parser, ImageExperiment, recipe_for(scale, arguments, name))
    values = parse(parser, arguments)
    experiment: ImageExperiment = options.take_settings(values, ImageExperiment)
    out = Path(values["out"])
    if running.only_planned(values):
        return running.only_plan(
            experiment,
            lambda settled: image_plans(settled, name, scale),
            out,
            values,
            lambda settled: on_images(settled, name, scale),
        )
    results = run_images(name, experiment, out, scale=scale, execution=running.execution(values))
    return options.finish(results, out / "report.html")
