"""The page of task runs: scores and losses over the epochs and at the end."""

from __future__ import annotations

import plotly.graph_objects as go

from learnorder.images.diagnostics import diagnostic_sections
from learnorder.report.comparisons import VERDICT_NOTE, baselines, score_findings
from learnorder.report.content import Content, Section, TextTable, picture_first
from learnorder.report.curves import mark_changes, score_curves
from learnorder.report.dynamics import dynamics_sections
from learnorder.report.forgetting import forgetting_sections, forgetting_words, lines_of
from learnorder.report.groups import arms_by_rate, group_findings, group_sections
from learnorder.report.last_layers import group_balanced_words, last_layer_sections
from learnorder.report.origin import key, origin
from learnorder.report.score_words import ScoreWords
from learnorder.report.seed_cells import SeedCells
from learnorder.report.setup import DIFFERS, sections_alike, training_words
from learnorder.report.tables import final_scores
from learnorder.report.titles import MOST_ARMS, marked_titles
from learnorder.runs.forgetting import KEEP
from learnorder.runs.results import TaskResults

_NOTE = (
    "Mean over seeds; with few arms, the band is the 95 % interval of the mean. Training scores "
    "and losses are measured on each batch before its update."
)


def task_content(results: TaskResults) -> Content:
    """Return what the page shows."""
    groups, lead, retrained = results.groups(), list[Section](), last_layer_sections(results)
    if groups is not None:
        lead = [*group_sections(groups, results.arms, arms_by_rate(results)), *retrained]
    if (forgetting := results.forgetting()) is not None:
        lead += forgetting_sections(forgetting, results.arms, lines_of(results))
    sections, few = list[Section](), len(results.arms) <= MOST_ARMS
    if results.has_finished and few:
        panels = [curve(results, set_, quantity) for set_, quantity in _quantities(results)]
        sections.append(Section("Over the epochs", _NOTE, key=key(results), panels=panels))
    table = score_table(results)
    sections.append(Section(table.title, table=table))
    if results.has_finished and few and len(results.arms) > 1:
        table = gain_table(results)
        sections.append(Section(table.title, table=table))
    if groups is None:
        sections += retrained
    sections += diagnostic_sections(results)
    sections += dynamics_sections(results)
    if not lead:
        lead, sections = picture_first(sections)
    return Content(
        title="Runs of a task",
        findings=task_findings(results),
        setup=task_setup(results),
        sections=sections,
        origins=[origin(results)],
        lead=lead,
    )


def task_findings(results: TaskResults) -> list[str]:
    """Return scores over known groups, forgetting, comparisons with baselines, and statuses."""
    sentences = group_findings(
        results.groups(), lambda arm, title: group_balanced_words(results, arm, title)
    )
    if (forgetting := results.forgetting()) is not None:
        sentences += forgetting_words(forgetting, results.arms)
    sentences += score_findings(results, results.evaluated)
    return [*sentences, f"{results.status_words().capitalize()}."]


def score_table(results: TaskResults) -> TextTable:
    """Return scores and losses after the last epoch, by arm."""
    headings = {
        (set_, quantity): f"{EXAMPLES[set_]}: %s" if set_ in _ALONE else f"{set_} %s"
        for set_, quantity in _quantities(results)
    }
    return final_scores(results, headings, "After the last epoch")


def _quantities(results: TaskResults) -> list[tuple[str, str]]:
    """Return the (set, quantity) pairs to show: for training, the loss if there is no score."""
    name, _ = results.score()
    scored = any(results.final(arm, "train", name) for arm in results.arms)
    training = name if scored else "loss"
    set_ = results.evaluated
    quantities = [(set_, name), (set_, "loss"), ("train", training)]
    if results.has_patch():
        quantities[1:1] = [("patch_only", "accuracy"), ("conflict", "reliance")]
    if results.has_faint():
        quantities.append(("faint_only", "accuracy"))
    if (forgetting := results.forgetting()) is not None:
        quantities.append((KEEP, forgetting.score))
    return list(dict.fromkeys(quantities))


def gain_table(results: TaskResults) -> TextTable:
    """Return by how much each arm ends better than its baseline."""
    name, higher_is_better = results.score()
    words, titles = ScoreWords(name), marked_titles(results)
    rows, seeds = [], SeedCells(results)
    for arm, baseline in baselines(results).items():
        n = len(seeds.pairs(arm, baseline, results.evaluated, name))
        gain = seeds.gain(arm, baseline, results.evaluated, name, higher_is_better=higher_is_better)
        rows.append([f"{titles[arm]} against {titles[baseline]}", str(n), gain])
    note = (
        f"Final {results.evaluated} {name}, paired by seed: mean [95 % t interval]. {VERDICT_NOTE}"
    )
    return TextTable("Comparisons", ["arms", "n pairs", words.name], rows, note)


def curve(results: TaskResults, set_: str, quantity: str) -> go.Figure:
    """Return a quantity over epochs: the mean over seeds of each arm, with its 95 % band."""
    title = f"{quantity}, {EXAMPLES[set_] if set_ in _ALONE else set_}"
    figure = score_curves(results, set_, quantity, title)
    mark_changes(figure, results.folders)
    return figure


def examples_table(results: TaskResults) -> TextTable | None:
    """Return an example with and without the pattern, as text; None without a pattern."""
    for data in results.described.values():
        if data.examples:
            rows = [[EXAMPLES[name], text] for name, text in data.examples.items()]
            note = "One validation example as the first run saw it; long ones are shortened."
            return TextTable("", ["example", "inputs"], rows, note, wrap=True)
    return None


EXAMPLES = {
    "original": "as in the data",
    "clean": "clean, with the faint pattern",
    "faint_only": "faint pattern alone",
    "patch_only": "pattern alone",
    "conflict": "conflict: pattern of another class",
}
"""The forms of an example, and their titles."""
_ALONE = ("faint_only", "patch_only")
"""The sets of examples without content, which tables and figures name as in ``EXAMPLES``."""


def task_setup(results: TaskResults) -> list[tuple[str, str]]:
    """Return the setup of the runs, as terms and descriptions."""
    folders = results.folders
    config = folders[0].config
    first, *others = (results.described.get(folder) for folder in folders)
    path = config.task.path or "passed in Python"
    task = path + "".join(f", {name} {value}" for name, value in config.task.arguments.items())
    if first is not None and all(other == first for other in others):
        task += (
            f": {first.train_examples:,} training examples, {first.evaluation_examples:,} "
            f"validation examples, scored by {first.score}"
        )
        task += f"; {first.sampler}" if first.sampler else ""
        if first.keep is not None:
            kept = first.keep
            task += f"; old task {kept.name}: {kept.examples:,} examples, scored by {kept.score}"
    pattern = config.pattern
    planted = f"{100 * pattern.eligible_share:g} % of the training examples eligible, " + (
        f"{100 * pattern.pattern_only_share:g} % of their accesses show the pattern alone; "
        f"strength {pattern.strength:g}"
    )
    if pattern.faint:
        planted += f"; a faint pattern of strength {pattern.faint:g} in every example"
    own = ("", "") if first is None else (first.optimizer, first.scheduler)
    training, alike = training_words(config.training, *own), sections_alike(folders)
    seeds = sorted({folder.config.seed for folder in folders})
    return [
        ("Task", task if "task" in alike else f"{path}, {DIFFERS}"),
        *([("Pattern", planted if "pattern" in alike else DIFFERS)] if pattern.planted else []),
        ("Training", training if "training" in alike else DIFFERS),
        ("Seeds", ", ".join(map(str, seeds))),
    ]
