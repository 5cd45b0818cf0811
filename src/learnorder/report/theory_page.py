"""The page of runs of the theory."""

from __future__ import annotations

from learnorder.report.content import Content, Section, title_of
from learnorder.report.phase import AXES, phase_table
from learnorder.report.theory_figures import (
    FIGURES,
    curve_panels,
)
from learnorder.report.theory_tables import (
    phase_findings,
    theory_final_table,
    theory_findings,
    theory_order_table,
    theory_ratio_table,
)
from learnorder.report.titles import MOST_ARMS
from learnorder.runs import flatten, shared_settings
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
        findings=phase_findings(results) if phase else theory_findings(results),
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
    table = phase_table(results)
    sections.append(Section(table.title, table=table))
    return sections


def _asked(results: TheoryResults) -> list[tuple[str, str]]:
    """What was asked, as terms and descriptions; what differs between arms is named only."""
    config, same = results.folders[0].config, shared_settings(results.folders)
    data, algorithm, network = config.distribution, config.algorithm, config.network
    if network.kind == "separate":
        what = "two layers, separate blocks for the halves"
    else:
        what = "shared filters over the halves, output weights " + (
            "shared" if network.shared_output else "independent"
        )
    if config.solver.engine == "finite":
        what += f"; m_W = {network.width_w:,}"
        if network.kind == "separate":
            what += f", m_V = {network.width_v:,}"
    varied = [name for name in flatten(config.to_dict()) if name not in same]

    def listed(**parts: str) -> str:
        shown = [text for name, text in parts.items() if not _depends(name, varied)]
        names = [name.rpartition(".")[2] for name in varied if name.startswith(parts["section"])]
        return ", ".join([*shown[1:], *([f"varied: {', '.join(names)}"] if names else [])])

    described = {
        "Data": listed(
            section="distribution",
            d=f"d = {data.d:,}",
            N=f"N = {data.N:,} (κ = {data.kappa_value:.3g})",
            p0=f"p0 = {data.p0_value:.3g}",
            q0=f"q0 = {data.q0:g}",
            r=f"r = {data.r:g}",
            s=f"s = {data.s:g}",
            gamma0=f"γ0 = {data.gamma0_value:.3g}",
        ),
        "Network": what,
        "Training": listed(
            section="algorithm",
            eta1=f"η1 = {config.eta1:.3g}",
            eta2=f"η2 = {config.eta2:.3g}",
            weight_decay=f"λ = {algorithm.weight_decay:g}",
            epsilon1=f"annealed at a loss of {algorithm.epsilon1:g} + q·log 2",
            epsilon2=f"until {algorithm.epsilon2:g}",
            sigma=f"noise of S + noise {algorithm.sigma:g}·τ0",
        ),
        "Computed": _ENGINES[config.solver.engine],
        "Seeds": ", ".join(map(str, sorted({f.config.seed for f in results.folders}))),
    }
    return list(described.items())


_FOLLOWS = {
    "N": ("d", "kappa", "num_train"),
    "p0": ("p0", "kappa", "d"),
    "gamma0": ("gamma0", "d"),
    "eta1": ("eta1", "s"),
    "eta2": ("eta2", "s"),
}
"""Settings that a value shown may follow from, beyond the one of its name."""


def _depends(name: str, varied: list[str]) -> bool:
    settings = {setting.rpartition(".")[2] for setting in varied}
    return not settings.isdisjoint(_FOLLOWS.get(name, (name,)))
