"""The page of runs of the theory."""

from __future__ import annotations

from learnorder.report.content import Content, Section, title_of
from learnorder.report.phase import AXES
from learnorder.report.theory_figures import (
    FIGURES,
    curve_panels,
)
from learnorder.report.theory_tables import (
    theory_final_table,
    theory_findings,
    theory_order_table,
    theory_ratio_table,
)
from learnorder.report.titles import MOST_ARMS
from learnorder.runs import shared_settings
from learnorder.theory_results import TheoryResults

_ENGINES = {
    "flow": "infinite width, integrated implicitly (flow)",
    "recursion": "infinite width, step by step (recursion)",
    "finite": "finite width",
}
_NOTE = (
    "Mean over seeds; the band is the 95 % interval of the mean. The horizontal axis is η·t, the "
    "sum of the learning rates of all steps, on which arms of any learning rate can be compared. A "
    "triangle marks the anneal. After its end a run stays at its last value."
)
_PHASE_NOTE = (
    "First is the pattern whose mean margin on test examples of its own reaches half its final "
    "value first; the number says how many times earlier."
)


def theory_content(results: TheoryResults) -> Content:
    """Return what the page shows."""
    phase = any(AXES in folder.labels for folder in results.folders)
    return Content(
        title=title_of("Phase diagram" if phase else "Two-layer theory", results.folders[0].labels),
        findings=_phase_findings(results) if phase else theory_findings(results),
        asked=_asked(results),
        shared="Runs of one seed share their examples and, at finite width, weights and noise.",
        sections=_phase_sections(results) if phase else _sections(results),
    )


def _sections(results: TheoryResults) -> list[Section]:
    if results.finished.empty:
        return []
    table = theory_final_table(results)
    sections = [Section(table.title, table=table, wide=[FIGURES["p_only_error_final"](results)])]
    if (ratios := theory_ratio_table(results)) is not None and len(results.arms) <= MOST_ARMS:
        sections.append(Section(ratios.title, table=ratios))
    if panels := curve_panels(results):
        sections.append(Section("Over the course of training", _NOTE, panels=panels))
    table = theory_order_table(results)
    sections.append(Section(table.title, table=table, wide=[FIGURES["order"](results)]))
    return sections


def _phase_sections(results: TheoryResults) -> list[Section]:
    if results.finished.empty:
        return []
    arms = {labels["arm"] for labels in (results.labels(arm) for arm in results.arms)}
    maps = [name for name in ("first_S", "first_L-S") if name.removeprefix("first_") in arms]
    sections = [
        Section("Who is learned first", _PHASE_NOTE, wide=[FIGURES[n](results) for n in maps])
    ]
    if {"S", "L-S"} <= arms:
        note = "Ratio of the means over seeds, with Fieller's 95 % interval."
        title = "What it costs on P-only examples"
        sections.append(Section(title, note, wide=[FIGURES["ratio"](results)]))
    table = theory_final_table(results)
    sections.append(Section(table.title, table=table))
    return sections


def _phase_findings(results: TheoryResults) -> list[str]:
    counts: dict[str, int] = {}
    for arm in results.arms:
        for status, count in results.counts(arm).items():
            counts[status] = counts.get(status, 0) + count
    shown = ", ".join(f"{n} {s.replace('_', ' ')}" for s, n in counts.items())
    return [f"{len(results.folders)} runs: {shown}."]


def _asked(results: TheoryResults) -> list[tuple[str, str]]:
    """What was asked, as terms and descriptions; what differs between runs is left to a table."""
    config, same = results.folders[0].config, shared_settings(results.folders)
    data, algorithm, network = config.distribution, config.algorithm, config.network

    def unless_varied(text: str, *names: str) -> str:
        varied = [n for n in names if any(key.startswith(n) for key in _varied(results, same))]
        return f"{text} (varied: {', '.join(varied)})" if varied else text

    if config.network.kind == "separate":
        what = "two layers, separate blocks for the halves"
    else:
        what = "shared filters over the halves, output weights " + (
            "shared" if network.shared_output else "independent"
        )
    if config.solver.engine == "finite":
        what += f"; m_W = {network.width_w:,}"
        if config.network.kind == "separate":
            what += f", m_V = {network.width_v:,}"
    described = {
        "Data": unless_varied(
            f"d = {data.d:,}, N = {data.N:,} (κ = {data.kappa_value:.3g}), "
            f"p0 = {data.p0_value:.3g}, q0 = {data.q0:g}, r = {data.r:g}, s = {data.s:g}, "
            f"γ0 = {data.gamma0_value:.3g}",
            "distribution.",
        ),
        "Network": unless_varied(what, "network."),
        "Training": unless_varied(
            f"η1 = {config.eta1:.3g}, η2 = {config.eta2:.3g}, λ = {algorithm.weight_decay:g}; "
            f"annealed at a loss of {algorithm.epsilon1:g} + q·log 2, "
            f"until {algorithm.epsilon2:g}; noise of S+noise {algorithm.sigma:g}·τ0",
            "algorithm.",
        ),
        "Computed": unless_varied(_ENGINES[config.solver.engine], "solver."),
        "Seeds": ", ".join(map(str, sorted({f.config.seed for f in results.folders}))),
    }
    return list(described.items())


def _varied(results: TheoryResults, same: dict[str, object]) -> list[str]:
    from learnorder.runs import flatten

    return [key for key in flatten(results.folders[0].config.to_dict()) if key not in same]
