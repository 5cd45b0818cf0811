"""``docs/results.md``, its pictures, ``results/claims.json`` and README's table, from records.

``python -m studies.pages`` writes them.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import learnorder
from learnorder.config.arm_titles import ARM_TITLES
from learnorder.images.experiment import ImageExperiment
from learnorder.report.content import Content, Section
from learnorder.report.origin import key, origin
from learnorder.report.page import write_page, write_report
from learnorder.report.tables import final_table
from learnorder.reproduce.result import ReproductionResult
from learnorder.reproduce.run import reproduction_recipe
from learnorder.runs import RunFolder
from learnorder.runs.results import Results
from learnorder.statistics import SHARE, Estimate, estimate, paired_difference
from studies.carry.measure import words
from studies.carry.page import carry, rows
from studies.common import RESULTS, Page, Shot, fill_template, markdown
from studies.published.page import comparison
from studies.reproduce.published_recipe import (
    anneal_of,
    at_paper_scale,
    at_thin_scale,
    by_run,
    minutes,
)
from studies.reproduce.verdicts import claims, claims_so_far, headlines, judged, secondary

TEMPLATE = Path(__file__).with_name("results.md.in")


def finals(results: Results) -> str:
    """Return final accuracies and reliance by arm, in Markdown."""
    table = final_table(results)
    return markdown(table.columns, table.rows)


def after_anneal(results: Results) -> str:
    """Return the large arm's patch-only accuracy by seed, before and after its anneal."""
    columns = [
        "seed", "last epoch before the anneal", "5 epochs after it", "last epoch", "90 % at epoch",
    ]  # fmt: skip
    lines = []
    anneal, learned = anneal_of(results), results.learned("large", "patch")
    for seed, curve in sorted(results.series("large", "patch_only", "accuracy").items()):
        at = [curve[anneal - 1], curve[anneal + 4], curve[max(curve)]]
        shown = [f"{100 * value:.0f}" for value in at]
        lines.append([str(seed), *shown, str(learned[seed] or "never")])
    return markdown(columns, lines)


def gap_over_time(plain: Results, epochs: Sequence[int]) -> str:
    """Return the large arm's lead in test accuracy by epoch, in Markdown."""
    others = ("small", "small_annealed")
    curves = {arm: plain.series(arm, "clean", "accuracy") for arm in ("large", *others)}
    lines = []
    for epoch in epochs:
        at = {
            arm: {seed: curve[epoch] for seed, curve in by_seed.items()}
            for arm, by_seed in curves.items()
        }
        means = [f"{100 * fmean(values.values()):.1f}" for values in at.values()]
        gaps = [_points(at["large"], at[arm]).format(100) for arm in others]
        lines.append([str(epoch), *means, *gaps])
    columns = ["epoch", *(f"{ARM_TITLES[arm]}, %" for arm in curves)]
    columns += ["large − small, points", "large − small + anneal, points"]
    return markdown(columns, lines)


def gaps(plain: Results, longer: Results, digits: Results) -> dict[str, str]:
    """Return README's values of the gap between the large and the small arm."""

    def gap(results: Results, epoch: int | None = None) -> Estimate:
        large, small = (
            {seed: curve[epoch or max(curve)] for seed, curve in by_seed.items()}
            for by_seed in (results.series(arm, "clean", "accuracy") for arm in ("large", "small"))
        )
        return _points(large, small)

    return {
        "gap at 15": gap(plain, 15).format(100),
        "gap at 30": gap(plain, 30).format(100),
        "gap at 60": gap(longer, 60).format(100),
        "gap on digits": (-gap(digits)).format(100),
        "gap to the best constant LR": gap_to_constant(plain).format(100),
    }


def gap_to_constant(plain: Results) -> Estimate:
    """Return the gap between the large arm and the best constant LR."""
    finals, large = finals_by_rate(plain)
    constant = [own for schedule, own in finals.items() if "×" not in schedule]
    return _points(finals[large], max(constant, key=lambda own: fmean(own.values())))


def noise_left(plain: Results) -> str:
    """Return the noise of the last epoch of the small arm with noise."""
    run = next(f for f in plain.folders if plain.arm_of(f) == "small_noise")
    return f"{run.config.noise.level.at(run.config.training.epochs):.2f}"


def finals_by_rate(plain: Results) -> tuple[dict[str, dict[int, float]], str]:
    """Return final accuracy without a patch by LR schedule and seed, and the large arm's schedule.

    Constant schedules come first, from the smallest.
    """
    arms = reproduction_recipe("laptop").plain.arms
    large = words(arms.large.learning_rate)
    finals = {
        words(arms.small.learning_rate): plain.final("small", "clean", "accuracy"),
        large: plain.final("large", "clean", "accuracy"),
    }
    annealed = arms.small_annealed
    assert annealed is not None
    finals[words(annealed.learning_rate)] = plain.final("small_annealed", "clean", "accuracy")
    add_swept(finals, "cifar_rates", "learning_rate")
    order = sorted(finals.items(), key=lambda f: ("×" in f[0], float(f[0].split(",")[0])))
    return dict(order), large


def rates(plain: Results) -> str:
    """Return final accuracy without a patch by learning rate, constant and annealed."""
    finals, large = finals_by_rate(plain)
    columns = ["learning rate", "clean, %", "large arm − this, points", "n"]
    return by_schedule(finals, columns, large, lambda arm, base: _points(base, arm))


def _points(a: dict[int, float], b: dict[int, float]) -> Estimate:
    return paired_difference(a, b, within=SHARE)


def noise_schedules(plain: Results) -> str:
    """Return final accuracy of the small arm by noise schedule, in Markdown."""
    with_noise = reproduction_recipe("laptop").plain.run("small_noise", 0)
    finals = {
        "none": plain.final("small", "clean", "accuracy"),
        words(with_noise.noise.level): plain.final("small_noise", "clean", "accuracy"),
    }
    add_swept(finals, "cifar_noise", "noise.level")
    columns = ["noise", "clean, %", "this − no noise, points", "n"]
    return by_schedule(finals, columns, "none", _points)


def add_swept(finals: dict[str, dict[int, float]], sweep: str, setting: str) -> None:
    """Add final clean accuracies of a sweep, by schedule (in words) and seed."""
    path = RESULTS / "carry" / f"{sweep}.csv"
    for row in rows(path) if path.exists() else []:
        steps = json.loads(str(row[f"{setting}.step_epochs"]))
        schedule = learnorder.Schedule(
            float(row[f"{setting}.initial"]),
            tuple(steps),
            float(row[f"{setting}.step_factor"]) if steps else None,
            float(row.get(f"{setting}.decay", 1)),
        )
        finals.setdefault(words(schedule), {})[int(row["seed"])] = float(row["clean"])


def by_schedule(
    finals: dict[str, dict[int, float]],
    columns: list[str],
    baseline: str,
    difference: Callable[[dict[int, float], dict[int, float]], Estimate],
) -> str:
    """Return means and differences from a baseline, a row for each schedule, in Markdown."""
    lines = []
    for name, values in finals.items():
        gap = "–" if name == baseline else difference(values, finals[baseline]).format(100)
        mean = estimate(list(values.values()), within=SHARE)
        lines.append([name, mean.format(100), gap, str(mean.n)])
    return markdown(columns, lines)


def machine(result: ReproductionResult) -> str:
    """Return the processors, cores and torch versions of the runs."""
    folders = [f for r in result.evidence.distinct().values() for f in r.folders]
    machines = {(e["processor"], e["cores"], e["torch"]) for e in map(_environment, folders)}
    return "; ".join(f"{cpu}, {n} cores, torch {torch}" for cpu, n, torch in sorted(machines))


def _environment(folder: RunFolder[Any]) -> dict[str, Any]:
    return folder.read_manifest()["environment"]


def settings(experiment: ImageExperiment) -> dict[str, str]:
    """Return the settings of a recipe, in words."""
    data, training, arms = experiment.data, experiment.training, experiment.arms
    last = experiment.first_seed + experiment.seeds - 1
    return {
        "train_examples": f"{data.train_examples:,}",
        "resolution": f"{data.resolution}×{data.resolution}",
        "evaluation_examples": f"{data.evaluation_examples:,}",
        "training": f"batch size {training.batch_size}, Nesterov momentum {training.momentum:g}, "
        f"weight decay {training.weight_decay:g}, {training.epochs} epochs",
        "large": words(arms.large.learning_rate),
        "small": words(arms.small.learning_rate),
        "noise": words(experiment.run("small_noise", last).noise.level),
        "contrast": f"{experiment.patch.contrast:g}",
        "patch_size": f"{experiment.patch.size}×{experiment.patch.size}",
        "seeds": f"{experiment.first_seed} to {last}",
    }


def selection() -> str:
    """Return the runs by which the settings were chosen, in Markdown."""
    columns = [
        "contrast", "learning rate", "noise", "seed", "clean", "patch only", "learned at",
        "reliance",
    ]  # fmt: skip
    lines = []
    with (RESULTS / "selection.csv").open() as file:
        for row in csv.DictReader(file):
            shares = {n: _percent(row[n]) for n in ("clean", "patch_only", "reliance")}
            cells = [
                row["contrast"] or "no patch", row["learning_rate"], row["noise"], row["seed"],
                shares["clean"], shares["patch_only"],
                row["patch_learned_at"] or ("never" if row["contrast"] else "–"),
                shares["reliance"],
            ]  # fmt: skip
            lines.append(cells)
    return markdown(columns, lines)


def _percent(share: str) -> str:
    return f"{100 * float(share):.1f}" if share else "–"


PANELS = {
    "results-lead": (
        ("plain", "clean", "Test accuracy, no patch"),
        ("patch", "patch_only", "The pattern alone"),
        ("patch", "clean", "Clean images, trained with the patch"),
    ),
    "results-plain": (
        ("plain", "clean", "Test accuracy"),
        ("plain", "train", "Training accuracy"),
    ),
    "results-patch": (
        ("patch", "patch_only", "The pattern alone"),
        ("patch", "clean", "Clean images"),
        ("patch", "reliance", "Reliance on the pattern"),
    ),
}
"""Pictures at laptop scale: experiment, figure and title of each panel."""


def panels(shown: Sequence[tuple[str, str, str]], experiments: Mapping[str, Any]) -> Shot:
    """Return figures of experiments side by side, with one legend."""

    def write(path: Path) -> None:
        figures = [
            experiments[experiment].figure(name).update_layout(title_text=title)
            for experiment, name, title in shown
        ]
        results = experiments[shown[0][0]]
        section = Section("", key=key(results), panels=figures)
        write_page(Content("", [], [], [section], [origin(results)]), path)

    return Shot(write, ".legend, .panels")


def page(runs: Path) -> Page:
    """Return the texts and pictures, from records and from runs unpacked from ``results``."""
    laptop, thin, demo = (judged(scale, runs) for scale in ("laptop", "thin", "demo"))
    plain, patch = (laptop.evidence.experiments[name] for name in ("plain", "patch"))
    assert isinstance(plain, Results)
    assert isinstance(patch, Results)
    thin_patch = thin.evidence.images("patch")
    assert thin_patch is not None
    longer, paper, digits, digits_plain = (
        learnorder.open_runs(runs / name, of=Results)
        for name in ("laptop60/plain", "paper/patch", "demo/patch", "demo/plain")
    )
    thin_gap = thin["patch-final-accuracy"].measured.estimate
    swept, sweeps = carry()
    filled = {
        "laptop_claims": claims(laptop),
        "laptop_secondary": secondary(laptop),
        "demo_claims": claims(demo, with_paper=False),
        "plain_finals": finals(plain),
        "patch_finals": finals(patch),
        "after_anneal": after_anneal(patch),
        "machine": machine(laptop),
        "plain_minutes": minutes(plain),
        "patch_minutes": minutes(patch),
        "selection": selection(),
        "carry": swept,
        "published": comparison(json.loads((RESULTS / "published.json").read_text())),
        "noise_schedules": noise_schedules(plain),
        "gap_over_time": gap_over_time(plain, (5, 11, 13, 15, 17, 20, 25, 30)),
        "gap_to_60": gap_over_time(longer, (15, 20, 30, 40, 50, 60)),
        "paper": by_run(paper, timed=True),
        "thin": by_run(thin_patch, timed=False),
        "thin_claims": claims_so_far(thin),
        **at_thin_scale(thin_patch),
        "rates": rates(plain),
        **settings(reproduction_recipe("laptop").patch),
    }
    report = partial(write_report, digits)
    return Page(
        texts={
            "docs/results.md": fill_template(TEMPLATE, filled),
            "results/claims.json": laptop.to_json(),
        },
        marks={
            "README.md": {
                "claims": headlines(laptop),
                **gaps(plain, longer, digits_plain),
                **at_paper_scale(paper),
                "thin gap": thin_gap.format(100),
                "thin n": str(thin_gap.n),
                "noise left": noise_left(plain),
            }
        },
        pictures={
            **{name: panels(shown, laptop.evidence.experiments) for name, shown in PANELS.items()},
            "results-paper": panels(PANELS["results-patch"], {"patch": paper}),
            "results-thin": panels(PANELS["results-patch"], {"patch": thin_patch}),
            "demo-curves": Shot(report, ".legend, .panels", ".panels .figure:nth-child(n + 4)"),
            "demo-conflict": Shot(report, ".wide .figure:last-child"),
            "demo-gallery": Shot(report, ".gallery"),
            **sweeps,
        },
    )
