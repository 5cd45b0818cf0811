"""Write ``docs/results.md``, its figures and ``results/claims.json`` from the committed records.

``python docs/results.py`` judges the runs in ``results/laptop`` and ``results/demo`` as
``learnorder reproduce --judge-only`` does, and draws what is in ``results/carry`` and
``results/selection.csv``. It needs Chromium and the extra ``test``.
"""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
from pathlib import Path
from statistics import fmean
from typing import Any

from figures import take
from figures_theory import photograph
from measure_images import DATA
from playwright.sync_api import Browser, sync_playwright

from learnorder.claims import CLAIMS, VERDICT_WORDS, Reproduced
from learnorder.report.claims_page import reported
from learnorder.report.content import Content, Section
from learnorder.report.grid import Row, SweepGrid
from learnorder.report.origin import key, origin
from learnorder.report.page import write_page
from learnorder.report.tables import final_table
from learnorder.reproduction import judge_runs, reproduction_recipe
from learnorder.results import Results
from learnorder.runs import RunFolder

ROOT = Path(__file__).parents[1]
RESULTS, STATIC = ROOT / "results", ROOT / "docs" / "_static"
PAGE = ROOT / "docs" / "results.md"


SWEEPS = {
    "digits_plane": (
        "Learning rate × contrast, digits",
        "The large arm at five learning rates, each annealed to 0.02 at epoch 20 (0.02 is the "
        "small LR), and four contrasts of the patch.",
    ),
    "digits_batch": (
        "Batch size at fixed learning rate, digits",
        "The large and the small arm at the same learning rates.",
    ),
    "digits_anneal": (
        "Epoch of the anneal, digits",
        "The large arm, annealed at epoch 5 to 45 of 60.",
    ),
    "cifar_plane": (
        "Learning rate × contrast, CIFAR-10",
        "4,000 images, 24 epochs; each learning rate is annealed to 0.02 at epoch 12.",
    ),
}
"""Titles and words of the sweeps."""


def judged(scale: str) -> Reproduced:
    """Return the verdicts on the committed runs of a scale."""
    recipe = reproduction_recipe(scale)
    if scale == "laptop":
        return judge_runs(recipe.on(DATA), RESULTS / scale, scale=scale)
    on_images = [c.name for c in CLAIMS if {name for name, _ in c.needs} <= {"plain", "patch"}]
    return judge_runs(recipe.seeded(10, 0), RESULTS / scale, only=on_images, scale=scale)


def claims(found: Reproduced) -> str:
    """Return the claims as a table in Markdown."""
    lines = ["| verdict | claim | measured | n | reported |", "|---|---|---|---|---|"]
    for judgement in found.judgements:
        n = judgement.measured.estimate.n
        cells = [
            VERDICT_WORDS[judgement.verdict], judgement.claim.says, judgement.shown(), str(n),
            reported(judgement).replace("*", "\\*"),
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def beside(found: Reproduced) -> str:
    """Return what stands beside the claims, as a list in Markdown."""
    lines = []
    for judgement in found.judgements:
        for measure, measured in zip(judgement.claim.also, judgement.also, strict=True):
            note = f" ({measured.note})" if measured.note else ""
            words = measure.words()
            shown = measured.unit.show(measured.estimate)
            lines.append(
                f"- {words[0].upper()}{words[1:]}: {shown}, n = {measured.estimate.n}{note}"
            )
    return "\n".join(dict.fromkeys(lines))


def finals(results: Results) -> str:
    """Return final accuracies and reliance by arm, in Markdown."""
    table = final_table(results)
    lines = [table.columns, ["---"] * len(table.columns), *table.rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def after_anneal(results: Results) -> str:
    """Return patch-only accuracy of the large arm by seed, before and after its anneal."""
    lines = [
        "| seed | last epoch before the anneal | 5 epochs after it | last epoch | 90 % at epoch |",
        "|---|---|---|---|---|",
    ]
    large = next(f for f in results.folders if results.arm_of(f) == "large")
    anneal = large.config.learning_rate.step_epochs[0]
    learned = results.learned("large", "patch")
    for seed, curve in sorted(results.series("large", "patch_only", "accuracy").items()):
        at = [curve[anneal - 1], curve[anneal + 4], curve[max(curve)]]
        shown = " | ".join(f"{100 * value:.0f}" for value in at)
        lines.append(f"| {seed} | {shown} | {learned[seed] or 'never'} |")
    return "\n".join(lines)


def machine(found: Reproduced) -> str:
    """Return where and how long the runs of a scale took."""
    folders = [f for r in found.evidence.experiments.values() for f in r.folders]
    environment = folders[0].manifest["environment"]
    return f"{environment['processor']}, {environment['cores']} cores, torch {environment['torch']}"


def minutes(results: Results) -> str:
    """Return the mean time of a run."""
    return f"{fmean(_seconds(folder) for folder in results.folders) / 60:.1f}"


def _seconds(folder: RunFolder) -> float:
    timings = folder.timings()
    if timings is None:
        return float(folder.manifest["seconds"])
    return sum(sum(timings[n].to_pylist()) for n in ("train_seconds", "evaluation_seconds"))


def rows(path: Path) -> list[Row]:
    """Return the rows of a sweep."""
    measured = {"seed", "first", "patch_only", "clean", "reliance"}
    with path.open() as file:
        return [
            {k: float(v) if k in measured else v for k, v in row.items() if v}
            for row in csv.DictReader(file)
        ]


def selection() -> str:
    """Return what the settings were chosen by, in Markdown."""
    lines = [
        "| contrast | learning rate | noise | seed | clean | patch only | learned at | reliance |",
        "|---|---|---|---|---|---|---|---|",
    ]
    with (RESULTS / "selection.csv").open() as file:
        for row in csv.DictReader(file):
            shares = {n: _percent(row[n]) for n in ("clean", "patch_only", "reliance")}
            cells = [
                row["contrast"] or "no patch", row["learning_rate"], row["noise"], row["seed"],
                shares["clean"], shares["patch_only"],
                row["patch_learned_at"] or ("never" if row["contrast"] else "–"),
                shares["reliance"],
            ]  # fmt: skip
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _percent(share: str) -> str:
    return f"{100 * float(share):.1f}" if share else "–"


def comparison(found: dict[str, Any]) -> str:
    """Return the published code's numbers beside what ours is built for, in Markdown."""
    patch, network = found["patch"], found["network"]
    groups = patch["groups"]
    total = sum(groups.values())
    shares = " / ".join(f"{100 * groups[n] / total:.1f}" for n in ("clean", "patch_only", "both"))
    furthest = max(v["largest_difference"] for n, v in network.items() if n.startswith("wrn"))
    lines = [
        ("what", "published code, measured", "here"),
        ("---", "---", "---"),
        ("accesses clean / pattern alone / both, %", f"{shares} of {total:,}", "20 / 16 / 64"),
        ("eligible images are fixed", str(patch["eligible_are_the_same"]).lower(), "yes"),
        ("rows of the patch", f"{patch['first_row']} to {patch['last_row']}", "12 to 18"),
        ("z, standard deviation", f"{patch['z_std']:.3f} (100 patterns)", "1.25"),
        ("maps of noise a step", str(len(network["noise"]["draws"])), "13"),
        ("noise, standard deviation at level 0.4", f"{network['noise']['std']:.4f}", "0.4"),
        ("logits on the same weights, largest difference", f"{furthest:.1g}", "–"),
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def carry(browser: Browser) -> str:
    """Draw the sweeps, and return them as Markdown."""
    parts = []
    for name, (title, words) in SWEEPS.items():
        path = RESULTS / "carry" / f"{name}.csv"
        if not path.exists():
            continue
        grid = SweepGrid.of(rows(path))
        assert grid is not None
        seeds = len({row["seed"] for row in rows(path)})
        parts.append(f"### {title}\n\n{words} n = {seeds} seeds a point.\n")
        for quantity, figure in zip(grid.quantities(), grid.figures(), strict=False):
            photograph(browser, figure, STATIC / f"carry-{name}-{quantity}.png")
            alt = str(figure.layout.title.text)  # pyright: ignore[reportAttributeAccessIssue]
            parts.append(f"```{{image}} _static/carry-{name}-{quantity}.png\n:alt: {alt}\n```\n")
    return "\n".join(parts)


PICTURES = {
    "results-plain": ("plain", ("clean", "train")),
    "results-patch": ("patch", ("patch_only", "clean", "reliance")),
}
"""Figures of the laptop scale: experiment and panels."""


def panels(browser: Browser, found: Reproduced) -> None:
    """Photograph panels of the experiments' own reports."""
    for name, (experiment, shown) in PICTURES.items():
        results = found.evidence.experiments[experiment]
        assert isinstance(results, Results)
        section = Section("", key=key(results), panels=[results.figure(n) for n in shown])
        content = Content(name, [], [], "", [section], [origin(results)])
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "page.html"
            write_page(content, report)
            page = browser.new_page(viewport={"width": 1200, "height": 900}, device_scale_factor=2)
            page.goto(report.as_uri())
            page.wait_for_function("document.body.dataset.drawn")
            take(page, name, ".legend, .panels", None)
            page.close()


def main() -> None:
    """Judge, draw and write."""
    laptop, demo = judged("laptop"), judged("demo")
    (RESULTS / "claims.json").write_text(laptop.to_json(), encoding="utf-8")
    plain, patch = (laptop.evidence.experiments[name] for name in ("plain", "patch"))
    assert isinstance(plain, Results)
    assert isinstance(patch, Results)
    published = json.loads((RESULTS / "published.json").read_text())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        panels(browser, laptop)
        swept = carry(browser)
        browser.close()
    template = (ROOT / "docs" / "results.md.in").read_text(encoding="utf-8")
    filled = {
        "laptop_claims": claims(laptop),
        "laptop_beside": beside(laptop),
        "demo_claims": claims(demo),
        "plain_finals": finals(plain),
        "patch_finals": finals(patch),
        "after_anneal": after_anneal(patch),
        "machine": machine(laptop),
        "plain_minutes": minutes(plain),
        "patch_minutes": minutes(patch),
        "selection": selection(),
        "carry": swept,
        "published": comparison(published),
    }
    for name, value in filled.items():
        template = template.replace(f"@{name}@", value)
    PAGE.write_text(template, encoding="utf-8")


if __name__ == "__main__":
    main()
