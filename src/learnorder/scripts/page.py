"""The page of runs of a script: their scores, at the end and over the epochs."""

from __future__ import annotations

from learnorder.report.comparisons import score_findings
from learnorder.report.content import Content, Section, TextTable
from learnorder.report.curves import score_curves
from learnorder.report.origin import key, origin
from learnorder.report.setup import DIFFERS, sections_alike
from learnorder.report.tables import final_scores
from learnorder.report.titles import MOST_ARMS
from learnorder.runs.results import ScriptResults

_MOST_REASONS = 3


def script_content(results: ScriptResults) -> Content:
    """Return what the page shows."""
    table = score_table(results)
    return Content(
        title="Runs of a script",
        findings=script_findings(results),
        setup=script_setup(results),
        lead=curve_sections(results),
        sections=[Section(table.title, table=table)],
        origins=[origin(results)],
    )


def script_findings(results: ScriptResults) -> list[str]:
    """Return comparisons of arms, the runs with each status, and why some have no score."""
    compared = score_findings(results, "validation")
    return [*compared, f"{results.status_words().capitalize()}.", *without_score(results)]


def without_score(results: ScriptResults) -> list[str]:
    """Return why runs ended without a score, in a sentence for each of the first reasons."""
    runs: dict[str, list[str]] = {}
    for folder in results.folders:
        manifest = folder.read_manifest()
        if manifest["status"] in ("no_score", "diverged", "failed"):
            runs.setdefault(manifest["reason"], []).append(folder.name)
    sentences = []
    shown = sorted(runs.items(), key=lambda item: -len(item[1]))[:_MOST_REASONS]
    for reason, names in shown:
        others = f" and {len(names) - 1} more" if len(names) > 1 else ""
        sentences.append(f"No score in {names[0]}{others}: {reason}. Delete a run's folder to try "
                         "it again.")  # fmt: skip
    if len(runs) > len(shown):
        sentences.append(f"Other runs have no score for {len(runs) - len(shown)} other reasons.")
    return sentences


def score_table(results: ScriptResults) -> TextTable:
    """Return the final scores by arm."""
    name, _ = results.score()
    return final_scores(results, {("validation", name): "%s"}, "At the end of the runs")


def curve_sections(results: ScriptResults) -> list[Section]:
    """Return the scores over the epochs, if the script gave more than the last one."""
    name, _ = results.score()
    if len(results.arms) > MOST_ARMS:
        return []
    finished = results.finished
    if len(finished) == finished["run"].nunique():
        return []
    figure = score_curves(results, "validation", name, name)
    note = "As the script gave it; mean over seeds, the band is the 95 % interval of the mean."
    return [Section("Over the epochs", note, key=key(results), panels=[figure])]


def script_setup(results: ScriptResults) -> list[tuple[str, str]]:
    """Return the setup of the runs, as terms and descriptions."""
    folders, alike = results.folders, sections_alike(results.folders)
    config, (name, higher) = folders[0].config, results.score()
    seeds = sorted({folder.config.seed for folder in folders})
    term = "Command" if config.script.command else "Function"
    values = "".join(f", {k} {v}" for k, v in config.script.values.items())
    return [
        (term, config.script.title + values if "script" in alike else DIFFERS),
        ("Score", f"{name}, {'higher' if higher else 'lower'} is better"),
        ("Seeds", ", ".join(map(str, seeds))),
    ]
