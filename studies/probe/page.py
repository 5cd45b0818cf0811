"""``docs/probes.md`` and its pictures, from the records in ``results/probe``.

``python -m studies.pages`` writes them; ``python -m studies.probe.measure`` makes the records.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from learnorder.config.arm_titles import PROBE_ARM_TITLES
from learnorder.probe import RATE, ArmNumbers, Statement, judge_arms, largest_rate
from learnorder.probe.page import over_rates
from learnorder.probe.settings import Probe
from learnorder.probe.statements import Arm, Quantity
from learnorder.report.grid import Row
from learnorder.statistics import (
    Measured,
    adjusted_p,
    estimate,
    measure_difference,
    p_words,
    paired_difference,
    range_of,
)
from learnorder.statistics.verdicts import VERDICT_WORDS
from studies.common import RESULTS, Page, fill_template, image, markdown, title_of
from studies.probe.faint import probes as faint_probes
from studies.probe.measure import probes

TEMPLATE = Path(__file__).with_name("probes.md.in")
TITLES = {
    "digits_mlp": "MLP, SGD, digits",
    "digits_mlp_adamw": "MLP, AdamW, digits",
    "cifar_wrn": "WRN-16-1, SGD, CIFAR-10",
    "cifar_wrn_adamw": "WRN-16-1, AdamW, CIFAR-10",
    "cifar_vit_adamw": "ViT, AdamW, CIFAR-10",
    "reviews_bag_adamw": "bag of words, AdamW, reviews",
    "reviews_transformer_adamw": "transformer, AdamW, reviews",
    "cells_mlp": "MLP, SGD, table",
    "vowels_cnn": "CNN, SGD, series",
}
DATA = {
    "reviews_bag_adamw": "2,000 movie reviews, positive or negative; two rare words for each class",
    "reviews_transformer_adamw": "2,000 movie reviews; the same two rare words in another order",
    "cells_mlp": "341 tumours, 30 features and six columns of noise, on which the code is planted",
    "vowels_cnn": "384 vowels of nine speakers, 12 coefficients over 25 steps; a waveform of 8",
}
"""What the tasks are, with their pattern."""
STATEMENTS: dict[tuple[Arm, Quantity], str] = {
    ("annealed", "order"): "A large LR, annealed, moves the order towards the content first",
    ("annealed", "clean"): "… ends with higher clean accuracy",
    ("annealed", "reliance"): "… relies less on the pattern",
    ("noise", "order"): "Noise moves the small LR's order towards the content first",
    ("noise", "clean"): "… raises its clean accuracy",
    ("noise", "reliance"): "… makes it rely less on the pattern",
}
Record = dict[str, Any]
Statements = dict[tuple[Arm, Quantity], Statement]
CLASSES = 10
"""Number of classes in records without ``chance``."""
DRAWN = ("reliance", "clean")


OLD_LEVEL = "90 % of the best arm"
"""The level of the content in old records, which depended on the arms."""


def arm_numbers(arm: Record, record: Record) -> ArmNumbers:
    """Return the results of a recorded arm."""
    counts = arm["status"]
    return ArmNumbers(
        clean=_by_seed(arm["clean"]["by_seed"]),
        patch_only=_by_seed(arm["patch_only"]["by_seed"]),
        reliance=_by_seed(arm["reliance"]["by_seed"]),
        pattern=_by_seed(arm["patch_learned_at"]),
        content=_content(arm["content_learned_at"]),
        epochs=record["epochs"],
        chance=record.get("chance", 1 / CLASSES),
        diverged=counts.get("diverged", 0),
        runs=sum(counts.values()),
    )


def _content(found: dict[str, Any]) -> dict[str, dict[int, int | None]]:
    if all(isinstance(value, dict) for value in found.values()) and found:
        return {level: _by_seed(by_seed) for level, by_seed in found.items()}
    return {OLD_LEVEL: _by_seed(found)}


def _by_seed(found: dict[str, Any]) -> dict[int, Any]:
    return {int(seed): value for seed, value in found.items()}


def arms_compared(probe: Probe, record: Record) -> dict[str, ArmNumbers]:
    """Return the arms of the statements: the small LR, the large LR, annealed, and noise."""
    arms = {(arm["arm"], float(arm[RATE])): arm_numbers(arm, record) for arm in record["arms"]}
    small, large = probe.rates[0], large_rate(probe, record)
    return {
        "constant": arms["constant", small],
        "annealed": arms["annealed", large],
        "noise": arms["constant_noise", small],
    }


def large_rate(probe: Probe, record: Record) -> float:
    """Return the largest learning rate at which the annealed arm trains."""
    annealed = {float(a[RATE]): a for a in record["arms"] if a["arm"] == "annealed"}
    return largest_rate({rate: arm_numbers(annealed[rate], record) for rate in probe.rates[1:]})


def judged(probe: Probe, record: Record) -> list[Statement]:
    """Return the statements about a record, judged as in the report of a probe."""
    arms = arms_compared(probe, record)
    compared: dict[Arm, ArmNumbers] = {
        "annealed": arms["annealed"],
        "noise": arms["noise"],
    }
    return judge_arms(probe.rates[0], large_rate(probe, record), arms["constant"], compared)


def by_key(known: dict[str, Probe], found: dict[str, Record]) -> dict[str, Statements]:
    """Return the statements by probe, and by arm and quantity."""
    return {
        name: {(each.arm, each.quantity): each for each in judged(known[name], record)}
        for name, record in found.items()
    }


def statements(by_probe: dict[str, Statements]) -> str:
    """Return the statements by probe, in Markdown."""
    cells = [(name, key) for key in STATEMENTS for name in by_probe]
    adjusted = adjusted_p([by_probe[name][key].measured for name, key in cells])
    p = dict(zip(cells, adjusted, strict=True))
    lines = [
        [text, *(_cell(of_probe[key], p[name, key]) for name, of_probe in by_probe.items())]
        for key, text in STATEMENTS.items()
    ]
    return markdown(["", *(TITLES[name] for name in by_probe)], lines)


def _cell(statement: Statement, p: float) -> str:
    measured = statement.measured
    verdict = VERDICT_WORDS[statement.verdict]
    if statement.reason:
        verdict += f" ({statement.reason})"
    return f"{verdict}<br>{measured.shown()}<br>n = {measured.estimate.n}, p (Holm) {p_words(p)}"


def never(known: dict[str, Probe], found: dict[str, Record]) -> str:
    """Return how often the arms compared never learn pattern or content, in Markdown."""
    lines = []
    for name, record in found.items():
        compared = arms_compared(known[name], record)
        lines.append(
            [TITLES[name], *(arm.never(arm.decisive_level) or "–" for arm in compared.values())]
        )
    return markdown(["", "small LR", "large LR, annealed", "small LR + noise"], lines)


def described(name: str, probe: Probe, record: Record) -> str:
    """Return the setup of a probe, in a paragraph."""
    data, training, calibration = probe.data, probe.training, record["calibration"]
    rates = ", ".join(f"{rate:g}" for rate in probe.rates)
    contrast = f"{calibration['contrast']:g}"
    share = f"{100 * calibration['accuracy'][contrast]:.0f} %"
    images = DATA[name] if probe.is_task else f"{data.train_examples:,} images"
    return (
        f"{images}, {record['epochs']} epochs, batch size "
        f"{training.batch_size}, {training.optimizer}, weight decay {training.weight_decay:g}; "
        f"LRs {rates}, annealed to {probe.rates[0]:g} at epoch {probe.anneal_epoch}; {probe.seeds} "
        f"seeds. Contrast {contrast}; the calibration's run reaches {share} on the pattern alone "
        "before the anneal."
    )


def arms(record: Record) -> str:
    """Return final numbers by arm, in Markdown."""
    lines = []
    for arm in record["arms"]:
        cells = [
            estimate(list(arm[name]["by_seed"].values()), within=range_of(name)).format(100)
            for name in ("clean", "patch_only", "reliance")
        ]
        diverged = arm["status"].get("diverged", 0)
        runs = sum(arm["status"].values())
        n = str(arm["clean"]["n"]) + (f", {diverged} of {runs} diverged" if diverged else "")
        n += ", undertrained" if arm_numbers(arm, record).undertrained() else ""
        retrained = [
            {
                side: {int(s): one[side][name] for s, one in arm["last_layer"].items()}
                for side in ("after", "before")
            }
            for name in ("clean", "reliance")
        ]
        changes = [
            paired_difference(found["after"], found["before"], within=range_of(name)).format(100)
            for name, found in zip(("clean", "reliance"), retrained, strict=True)
        ]
        title = PROBE_ARM_TITLES[arm["arm"]]
        lines.append([title, arm[RATE], n, *cells, *changes])
    columns = [
        "arm", "LR", "n", "clean", "pattern alone", "reliance", "clean, last layer retrained",
        "reliance, last layer retrained",
    ]  # fmt: skip
    return markdown(columns, lines)


def rows(probe: Probe, record: Record) -> list[Row]:
    """Return the final results of each run."""
    found: list[Row] = []
    chance = record.get("chance", 1 / CLASSES)
    for arm in record["arms"]:
        labels, clean = {"arm": arm["arm"], RATE: arm[RATE]}, arm["clean"]["by_seed"]
        for seed in probe.seed_range():
            if str(seed) in clean:
                finals = {n: arm[n]["by_seed"][str(seed)] for n in ("patch_only", *DRAWN)}
                found.append({**labels, "seed": seed, "chance": chance, **finals})
            elif arm["status"].get("diverged"):
                found.append({**labels, "seed": seed, "diverged": 1.0})
    return found


def section(name: str, probe: Probe, record: Record) -> tuple[str, dict[str, go.Figure]]:
    """Return one probe as Markdown, and its figures by name."""
    parts = [f"## {TITLES[name]}\n", described(name, probe, record) + "\n"]
    drawn = over_rates(
        rows(probe, record), probe.rates[0], "examples" if probe.is_task else "images"
    )
    assert drawn is not None
    figures = {
        f"probe-{name}-{quantity}": figure
        for quantity, figure in zip(drawn.quantities(), drawn.figures(), strict=True)
        if quantity in DRAWN
    }
    parts += [image(picture, title_of(figure)) for picture, figure in figures.items()]
    return "\n".join([*parts, arms(record) + "\n"]), figures


FAINT = {"cifar_wrn": "WRN-10-1, SGD, CIFAR-10", "vowels_cnn": "CNN, SGD, series"}
FAINT_QUANTITIES = {
    "faint_only": "faint pattern alone",
    "reliance": "reliance on the sharp one",
    "clean": "without the sharp one",
}


def faint() -> str:
    """Return what a large annealed LR changes beside a small one, with both patterns."""
    known, lines, changes = faint_probes(), list[list[str]](), list[Measured]()
    for name, title in FAINT.items():
        record = json.loads((RESULTS / "faint" / f"{name}.json").read_text())
        rates = known[name].rates
        small, large = (
            next(a for a in record["arms"] if a["arm"] == arm and float(a[RATE]) == rate)
            for arm, rate in (("constant", rates[0]), ("annealed", rates[-1]))
        )
        for quantity, words in FAINT_QUANTITIES.items():
            of_small, of_large = (_by_seed(arm[quantity]["by_seed"]) for arm in (small, large))
            within = range_of("accuracy" if quantity == "faint_only" else quantity)
            cells = [
                estimate(list(one.values()), within=within).format(100)
                for one in (of_small, of_large)
            ]
            change = measure_difference(of_large, of_small, within=within)
            changes.append(change)
            difference = change.estimate
            lines.append([title, words, *cells, difference.format(100), str(difference.n)])
    for line, value in zip(lines, adjusted_p(changes), strict=True):
        line.append(p_words(value))
    columns = ["", "", "small LR", "large LR, annealed", "difference", "n", "p (Holm)"]
    return markdown(columns, lines)


def page() -> Page:
    """Return the page and its pictures, from the records."""
    known = probes()
    paths = {name: RESULTS / "probe" / f"{name}.json" for name in known}
    found = {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}
    sections = [section(name, known[name], record) for name, record in found.items()]
    on_images = {name: record for name, record in found.items() if not known[name].is_task}
    tasks = {name: record for name, record in found.items() if known[name].is_task}
    filled = {
        "statements": statements(by_key(known, on_images)),
        "never": never(known, on_images),
        "task_statements": statements(by_key(known, tasks)),
        "task_never": never(known, tasks),
        "faint": faint(),
        "probes": "\n".join(text for text, _ in sections),
    }
    return Page(
        texts={"docs/probes.md": fill_template(TEMPLATE, filled)},
        pictures={name: figure for _, drawn in sections for name, figure in drawn.items()},
    )
