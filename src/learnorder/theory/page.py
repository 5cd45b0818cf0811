"""The report page of runs of the theory."""

from __future__ import annotations

from learnorder.report.content import Content, Section, picture_first, title_of
from learnorder.report.origin import key, origin
from learnorder.report.setting_titles import setting_title
from learnorder.report.titles import MOST_ARMS
from learnorder.runs import flatten, shared_settings
from learnorder.theory import TheoryConfig
from learnorder.theory.figures import FIGURES, curve_panels
from learnorder.theory.phase_page import phase_table
from learnorder.theory.results import TheoryResults
from learnorder.theory.tables import (
    findings,
    theory_final_table,
    theory_order_table,
    theory_ratio_table,
)

_ENGINES = {
    "flow": "infinite width, integrated implicitly (flow)",
    "recursion": "infinite width, step by step (recursion)",
    "finite": "finite width",
}
_NOTE = (
    "Mean over seeds. With few arms, a band shows the 95 % interval of the mean. The horizontal "
    "axis is η·t, the sum of the learning rates of all steps, which makes arms with different "
    "learning rates comparable. A triangle marks the anneal. A run that has ended keeps its last "
    "value."
)
_PHASE_NOTE = (
    "A pattern counts as first if its mean margin, on test examples with only that pattern, "
    "reaches half its final value first. The number says how many times earlier."
)


_INTRO = (
    "Why patterns are learned in this order, in a two-layer network. The examples have two "
    "patterns, P and Q, and either one predicts the label; a few examples have only one. S trains "
    "at a small learning rate, L-S at a large one that is annealed, S + noise at the small one "
    "with noise that is annealed. An algorithm that learns Q first has little gradient left for P, "
    "and errs on examples that have only P."
)


def theory_content(results: TheoryResults) -> Content:
    """Return the content of the page."""
    phase = results.is_phase
    lead, sections = picture_first(_phase_sections(results) if phase else _sections(results))
    return Content(
        title=title_of("Phase diagram" if phase else "Two-layer theory", results.folders[0].labels),
        findings=findings(results),
        setup=theory_setup(results),
        intro=_INTRO,
        lead=lead,
        sections=sections,
        origins=[origin(results)],
    )


def _sections(results: TheoryResults) -> list[Section]:
    if not results.has_finished:
        return []
    sections = list[Section]()
    if panels := curve_panels(results):
        sections.append(Section("During training", _NOTE, key=key(results), panels=panels))
    table, figure = theory_final_table(results), FIGURES["p_only_error_final"](results)
    sections.append(Section(table.title, table=table, wide=[figure]))
    if (ratios := theory_ratio_table(results)) is not None and len(results.arms) <= MOST_ARMS:
        sections.append(Section(ratios.title, table=ratios))
    table = theory_order_table(results)
    sections.append(Section(table.title, table=table, wide=[FIGURES["order"](results)]))
    return sections


def _phase_sections(results: TheoryResults) -> list[Section]:
    if not results.has_finished:
        return []
    arms = {labels["arm"] for labels in (results.labels(arm) for arm in results.arms)}
    maps = [name for name in ("first_S", "first_L-S") if name.removeprefix("first_") in arms]
    sections = [
        Section(
            "Which pattern is learned first", _PHASE_NOTE, wide=[FIGURES[n](results) for n in maps]
        )
    ]
    if {"S", "L-S"} <= arms:
        note = "Ratio of the means over seeds, with Fieller's 95 % interval."
        title = "The cost on P-only examples"
        sections.append(Section(title, note, wide=[FIGURES["ratio"](results)]))
    table = phase_table(results)
    sections.append(Section(table.title, table=table))
    return sections


def theory_setup(results: TheoryResults) -> list[tuple[str, str]]:
    """Return the setup as terms and descriptions; settings that vary are only named."""
    configs = [folder.config for folder in results.folders]
    same = shared_settings(results.folders)
    varied = [name for name in flatten(configs[0].to_dict()) if name not in same]
    sections = {
        "Data": ("distribution", _data),
        "Network": ("network", _network),
        "Training": ("algorithm", _training),
        "Computed": ("solver", lambda config: [_ENGINES[config.solver.engine]]),
    }
    described = []
    for term, (section, words) in sections.items():
        shared = [
            parts[0] for parts in zip(*map(words, configs), strict=False) if len(set(parts)) == 1
        ]
        names = [setting_title(n) for n in varied if n.startswith(f"{section}.")]
        if names:
            shared.append(f"varied: {', '.join(names)}")
        described.append((term, ", ".join(shared)))
    seeds = sorted({config.seed for config in configs})
    return [*described, ("Seeds", ", ".join(map(str, seeds)))]


def _data(config: TheoryConfig) -> list[str]:
    data = config.distribution
    return [
        f"N = {data.N:,} training examples in d = {data.d:,} dimensions",
        f"κ = √(d/N) = {data.kappa_value:.3g}",
        f"a share p0 = {data.p0_value:.3g} of them only with P",
        f"q0 = {data.q0:g} only with Q",
        f"gap of P γ0 = {data.gamma0_value:.3g}",
        f"scale of Q s = {data.s:g}",
        f"length of Q's ζ r = {data.r:g}",
    ]


def _network(config: TheoryConfig) -> list[str]:
    network = config.network
    separate = network.kind == "separate"
    parts = ["two layers, a separate block for each half"]
    if not separate:
        outputs = "shared" if network.shared_output else "independent"
        parts = [f"filters shared by the halves, {outputs} output weights"]
    if config.solver.engine == "finite":
        parts += [f"m_W = {network.width_w:,}", f"m_V = {network.width_v:,}"][: 1 + separate]
    return parts


def _training(config: TheoryConfig) -> list[str]:
    algorithm = config.algorithm
    return [
        f"large LR η1 = {config.eta1:.3g}",
        f"small LR η2 = {config.eta2:.3g}",
        f"weight decay λ = {algorithm.weight_decay:g}",
        f"annealed at a loss of {algorithm.epsilon1:g} + q·log 2",
        f"stopped at a loss of {algorithm.epsilon2:g}",
        f"noise in S + noise {algorithm.sigma:g}·τ0, in units of the initial weights' standard "
        "deviation",
    ]
