"""Tables and values of the published patch experiment: with its own network, and a thin one."""

from __future__ import annotations

from statistics import fmean

from learnorder.config.arm_titles import ARM_TITLES
from learnorder.report.tables import seconds_of
from learnorder.runs.results import Results
from studies.common import markdown


def anneal_of(results: Results) -> int:
    """Return the first epoch of the large arm at its annealed learning rate."""
    large = next(f for f in results.folders if results.arm_of(f) == "large")
    return large.config.learning_rate.step_epochs[0]


def minutes(results: Results) -> str:
    """Return the mean time of a run, in minutes."""
    times = [seconds for f in results.folders if (seconds := seconds_of(f)) is not None]
    return f"{fmean(times) / 60:.1f}"


def at_paper_scale(paper: Results) -> dict[str, str]:
    """Return README's values of the one seed at the paper's own scale."""
    (seed,) = paper.final("small", "clean", "accuracy")
    epochs = {arm: paper.learned(arm, "patch")[seed] for arm in ("small", "large")}
    small, large = (paper.final(arm, "clean", "accuracy")[seed] for arm in ("small", "large"))
    return {
        "paper epoch small": str(epochs["small"]),
        "paper epoch large": str(epochs["large"]),
        "paper anneal": str(anneal_of(paper)),
        "paper gap": f"{100 * (large - small):.0f}",
    }


def by_run(results: Results, *, timed: bool) -> str:
    """Return the results of the patch experiment, a row for each arm and seed, in Markdown.

    Args:
        results: The runs.
        timed: Show what they took, which says little of runs made beside other work.
    """
    runs = {(results.arm_of(run), run.config.seed): run for run in results.folders}
    several, anneal = len({seed for _, seed in runs}) > 1, anneal_of(results)
    columns = [
        "arm", *["seed"] * several, "clean, %", "pattern alone, before the anneal, %",
        "pattern alone, final, %", "90 % on the pattern at epoch", "content learned at epoch",
        "final reliance, points", *["minutes"] * timed,
    ]  # fmt: skip
    lines = []
    for arm in results.arms:
        clean, reliance = (
            results.final(arm, *what) for what in (("clean", "accuracy"), ("conflict", "reliance"))
        )
        learned = [results.learned(arm, what) for what in ("patch", "content")]
        for seed, pattern in results.series(arm, "patch_only", "accuracy").items():
            shares = [clean[seed], pattern[anneal - 1], pattern[max(pattern)]]
            shown = [f"{100 * share:.1f}" for share in (*shares, reliance[seed])]
            epochs = [str(at[seed] or "never") for at in learned]
            seeds = [str(seed)] if several else []
            time = [minutes(Results([runs[arm, seed]]))] if timed else []
            lines.append([ARM_TITLES[arm], *seeds, *shown[:3], *epochs, shown[3], *time])
    return markdown(columns, lines)


def at_thin_scale(thin: Results) -> dict[str, str]:
    """Return the page's values of the runs with a thin network, by seed where there are several."""
    arms = ("small", "large", "small_noise", "small_annealed")
    clean = {arm: thin.final(arm, "clean", "accuracy") for arm in arms}

    def ahead(arm: str) -> str:
        small = clean["small"]
        gaps = (value - small[seed] for seed, value in clean[arm].items() if seed in small)
        return ", ".join(f"{100 * gap:.1f}" for gap in gaps)

    def learned(arm: str) -> str:
        return ", ".join(str(epoch or "never") for epoch in thin.learned(arm, "patch").values())

    return {
        "thin_seeds": ", ".join(f"{ARM_TITLES[a]} {len(thin.runs_of(a))}" for a in thin.arms),
        **{f"thin_{arm}_gap": ahead(arm) for arm in arms if arm != "small"},
        **{f"thin_{arm}_epoch": learned(arm) for arm in arms},
    }
