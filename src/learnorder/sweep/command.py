"""``learnorder sweep``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from learnorder.cli import options, running
from learnorder.cli.parser import Parser, parse
from learnorder.config.arm_titles import THEORY_ARMS
from learnorder.config.settings import PatchConfig, RunConfig, TaskRunConfig
from learnorder.errors import ConfigError, did_you_mean
from learnorder.images.options import recipe_for
from learnorder.probe.compare import probes_plans, run_probes, sweep_probes
from learnorder.probe.settings import Probe
from learnorder.report.planned import run_planned
from learnorder.runs.experiment import Experiment
from learnorder.runs.results import RunSet
from learnorder.seeding import check_seeds
from learnorder.sweep.run import sweep_experiment, sweep_plans
from learnorder.theory.config import TheoryConfig
from learnorder.theory.experiment import TheoryExperiment
from learnorder.values import to_dict

DESCRIPTION = """\
Run any experiment over a grid or a list of named settings, each on several seeds. As settings are
chosen this way, accuracies are measured on a validation split of the training images, not on the
test images.

  learnorder sweep --grid '{learning_rate.initial: [0.02, 0.1, 0.3], patch.contrast: [0.3, 0.6]}'
  learnorder sweep --arms '[large, small]' --grid '{patch.contrast: [0.3, 0.6]}' --seeds 3
  learnorder sweep --grid '{"learning_rate.initial,learning_rate.step_factor":
                            [[0.1, 0.2], [1.0, 0.02]]}'        two varied together
  learnorder sweep --points '[{learning_rate.initial: 0.1}, {learning_rate.initial: 1.0,
                              noise.level.initial: 0.5}]'      a list instead of a grid
  learnorder sweep --experiment theory --grid '{distribution.kappa: [0.7, 1]}' --arms '[L-S, S]'
  learnorder sweep --experiment probe --grid '{model.name: [WideResNet, ViT, my_nets.Net]}'
  learnorder sweep --experiment task --task my_tasks.make \\
                   --grid '{training.weight_decay: [0, 1e-3]}'
  learnorder sweep --config my.yaml                            all settings from a file
  learnorder sweep --config my.yaml --engine ray --address auto      on a Ray cluster
"""

EXPERIMENTS = {
    "patch": "images with the planted patch",
    "plain": "images without a patch",
    "train": "one run with your settings",
    "theory": "the two-layer theory",
    "task": "your own learnorder.Task",
    "probe": "complete probes, each with its calibration",
}

Base = TypeVar("Base")


@dataclass(frozen=True)
class _Subject:
    """The experiment that is swept.

    Attributes:
        kind: The class of its configuration.
        defaults: Default configuration.
        arms: Settings of each arm.
        chosen: Default arms.
        besides: Settings that are not options, because arms or seeds set them.
        scale: Name of the recipe; empty if the experiment has no scales.
    """

    kind: type[Any]
    defaults: Any
    arms: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"": {}})
    chosen: tuple[str, ...] = ("",)
    besides: frozenset[str] = frozenset({"seed"})
    scale: str = ""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    experiment = options.peek(arguments, "experiment", "patch")
    if experiment not in EXPERIMENTS:
        parts = (did_you_mean(experiment, EXPERIMENTS), f"Give one of {', '.join(EXPERIMENTS)}.")
        raise ConfigError("experiment", experiment, " ".join(filter(None, parts)))
    subject = _SUBJECTS[experiment](arguments)
    parser = Parser("sweep", DESCRIPTION)
    _add_options(parser, experiment, subject)
    values = parse(parser, arguments)
    grid, points, out = values["grid"], values["points"], Path(values["out"])
    arms = values.get("arms", [""])
    options.check_arms(arms, subject.arms)
    if not grid and not points and len(arms) < 2:
        raise ConfigError("grid", {}, "Name what varies: --grid '{patch.contrast: [0.3, 0.6]}'.")
    settings = {n: values[n] for n in to_dict(subject.defaults) if n not in subject.besides}
    seeds = _seeds(values)
    if experiment == "probe":
        return _probes(settings, grid, points, seeds, out, values)
    bases = {arm: {**settings, **subject.arms[arm]} for arm in arms}
    scale = subject.scale or "custom"
    from learnorder.execution.driver import Plan
    from learnorder.execution.grid import Grid
    from learnorder.execution.precision import with_precision

    def plan(bases: Mapping[str, Any]) -> dict[str, Plan[Any]]:
        return sweep_plans(bases, Grid(grid, points), seeds, scale, subject.kind)

    def about(bases: Mapping[str, Any]) -> Experiment:
        return sweep_experiment(bases, grid, points, seeds, scale)

    if running.only_planned(values):
        return running.only_plan(bases, plan, out, values, about)
    execution = running.execution(values)
    bases = with_precision(bases, plan, out, execution)
    results = run_planned(plan(bases), out, execution, of=RunSet, experiment=about(bases))
    return options.finish(results, out / "report.html")


def _seeds(values: dict[str, Any]) -> range:
    """Return the seeds of every point."""
    check_seeds(values["seeds"], values["first_seed"])
    return range(values["first_seed"], values["first_seed"] + values["seeds"])


def _probes(
    settings: dict[str, Any],
    grid: dict[str, list[Any]],
    points: list[dict[str, Any]],
    seeds: range,
    out: Path,
    values: dict[str, Any],
) -> int:
    """Run a probe at every point, and write a page that compares them."""
    from learnorder.probe.compare_page import probes_table
    from learnorder.report.terminal import print_table
    from learnorder.runs.plain_text import visible

    probes = sweep_probes(settings, grid, points, seeds)
    if values["prepare"]:
        raise ConfigError(
            "prepare", True, "A probe's arms depend on its calibration, so they cannot be prepared."
        )
    if values["dry_run"]:
        return running.only_plan(probes, probes_plans, out, values, runs_in=out / "none")
    probed = run_probes(probes, out, execution=running.execution(values))
    print_table(probes_table(probed))
    print(visible(f"Report: {out / 'report.html'}"))
    unfinished = [options.print_unfinished(probe.results) for probe in probed.values()]
    return 1 if any(unfinished) else 0


def _add_options(parser: Parser, experiment: str, subject: _Subject) -> None:
    """Add the options of a sweep of an experiment."""
    listed = "; ".join(f"{name}: {what}" for name, what in EXPERIMENTS.items())
    parser.add("--experiment", str, default=experiment, help=f"What to sweep. {listed}.")
    if subject.scale:
        parser.add(
            "--scale", str, default=subject.scale, help="Defaults: demo, laptop, thin or paper."
        )
    if len(subject.arms) > 1:
        parser.add(
            "--arms",
            list[str],
            default=list(subject.chosen),
            help=f"Arms to sweep, from {', '.join(subject.arms)}.",
        )
    parser.add(
        "--grid",
        dict[str, list[Any]],
        default={},
        help="Values by setting, in YAML; every combination is run. Names joined by commas vary "
        "together.",
        form=options.GRID_FORM,
    )
    parser.add(
        "--points",
        list[dict[str, Any]],
        default=[],
        help="List of settings, in YAML, each run with every combination of the grid.",
        form="Write [{patch.contrast: 0.3}, {patch.contrast: 0.6, patch.size: 3}]: a list of "
        "points, dotted names, a space after each colon.",
    )
    parser.add("--seeds", int, default=3, help="Number of seeds.")
    parser.add(
        "--first_seed",
        int,
        default=1000,
        help="First seed; by default not a seed that experiments report on.",
    )
    running.add_execution(parser, "runs/sweep", engines=True)
    options.add_settings(parser, subject.kind, subject.defaults, besides=subject.besides)


def _open_arguments(base: Base, arguments: Sequence[str]) -> Base:
    """Return the defaults, without the network's arguments if the networks vary."""
    if not any(options.mentions(arguments, n, "model.name") for n in ("grid", "points")):
        return base
    recipe: Any = base
    return replace(recipe, model=replace(recipe.model, arguments={}))


def _images(arguments: Sequence[str], experiment: str) -> _Subject:
    scale = options.peek(arguments, "scale", "demo")
    recipe = recipe_for(scale, arguments, experiment)
    held_out = replace(recipe.data, evaluate_on="validation", validation_share=0.25)
    recipe = _open_arguments(replace(recipe, data=held_out), arguments)
    of_arm = ("learning_rate", "noise")
    runs = {arm: to_dict(recipe.run(arm, seed=0)) for arm in recipe.arm_names()}
    return _Subject(
        RunConfig,
        recipe.run("large", seed=0),
        {arm: {name: run[name] for name in of_arm} for arm, run in runs.items()},
        ("large",),
        frozenset({"seed", *of_arm}),
        scale,
    )


def _train(arguments: Sequence[str]) -> _Subject:
    subject = _images(arguments, "patch")
    no_patch = replace(subject.defaults, patch=PatchConfig(eligible_share=0.0))
    return _Subject(RunConfig, no_patch, scale=subject.scale)


def _theory(arguments: Sequence[str]) -> _Subject:
    base = TheoryExperiment()
    arms = {arm: {"arm": arm} for arm in THEORY_ARMS}
    return _Subject(TheoryConfig, base.run("S", 0), arms, base.arms, frozenset({"seed", "arm"}))


def _probe(arguments: Sequence[str]) -> _Subject:
    defaults = _open_arguments(options.without_recipe(Probe(), arguments), arguments)
    return _Subject(Probe, defaults, besides=frozenset({"seeds", "first_seed"}))


_SUBJECTS: dict[str, Callable[[Sequence[str]], _Subject]] = {
    "patch": lambda arguments: _images(arguments, "patch"),
    "plain": lambda arguments: _images(arguments, "plain"),
    "train": _train,
    "theory": _theory,
    "task": lambda arguments: _Subject(TaskRunConfig, TaskRunConfig()),
    "probe": _probe,
}
