"""Phrases about searches that findings, tables and figures share."""

from __future__ import annotations

from collections.abc import Sequence

from learnorder.advise.result import Advice
from learnorder.advise.scores import Agreement, ArmVerdict
from learnorder.advise.settings import Candidate, LRSearch
from learnorder.report.score_words import ScoreWords

ARM_VERDICT_WORDS: dict[ArmVerdict, str] = {
    "better": "significantly better",
    "worse": "significantly worse",
    "as_good": "as good",
    "undecided": "inconclusive",
    "diverged": "diverged",
    "other_diverged": "the other diverged",
}
NOT_CORRECTED = "Arms stopped by their scores; these intervals are not corrected for it."
"""Said of the 95 % intervals of other quantities in a race."""
_FAIR_GUIDE = 0.8
"""Share of pairs in the same order from which shorter runs count as a reliable guide."""


def comparisons(advice: Advice) -> list[tuple[str, Candidate, Candidate]]:
    """Return the comparisons at full length: a title, an arm and its baseline."""
    search, best = advice.search, advice.arm(advice.best())
    small = advice.arm(advice.smallest)
    b, epochs = f"{best.learning_rate:g}", search.training.epochs
    finalists = [advice.arm(rate) for rate in advice.finalists()]
    pairs = [(f"{arm.learning_rate:g} against {b}", arm, best) for arm in finalists if arm != best]
    for arm in advice.shorter_plateaus():
        short, full = (search.plateau_epochs(each.plateau, epochs) for each in (arm, best))
        pairs.append((f"{b} for {epoch_words(short)} against {full}", arm, best))
    noisy, picked = advice.noisy(), advice.picked()
    if noisy is not None:
        pairs.append((f"{small.learning_rate:g} + noise against {b}", noisy, best))
        if small != best:
            pairs.append((f"{small.learning_rate:g} + noise against without", noisy, small))
    if picked is not None and picked not in finalists:
        pairs.append((f"range test's {picked.learning_rate:.2g} against {b}", picked, best))
    return pairs


def arm_words(advice: Advice, arm: Candidate) -> str:
    """Return the name of an arm at full length."""
    if arm.noise:
        return f"{arm.learning_rate:g} + noise"
    if arm.plateau != advice.search.plateau:
        epochs = advice.search.plateau_epochs(arm.plateau, advice.search.training.epochs)
        return f"{arm.learning_rate:g} for {epoch_words(epochs)}"
    listed = arm.learning_rate in advice.finalists()
    return f"{arm.learning_rate:g}" if listed else f"the range test's {arm.learning_rate:.2g}"


def looks_words(search: LRSearch) -> str:
    """Return how intervals are corrected for a race; an empty string without one."""
    looks = search.looks().counts
    if len(looks) < 2:
        return ""
    levels = " and ".join(f"{100 * search.looks().confidence(n):g} %" for n in looks[-2:])
    listed = ", ".join(map(str, looks[:-1]))
    return (
        f"Arms were compared after {listed} and {looks[-1]} seeds and stopped once decided. So "
        "that their 95 % holds wherever an arm stopped, intervals at full length are wider: "
        f"computed at {levels}, before the end and at the end. The best is chosen on these seeds, "
        "so the others look slightly worse than they are."
    )


def verdict_words(advice: Advice, arm: Candidate, baseline: Candidate) -> str:
    """Return the verdict on an arm against a baseline, with the gain."""
    verdict, gain = advice.verdict(arm, baseline), gain_words(advice, arm, baseline)
    if verdict in ("diverged", "other_diverged"):
        return gain
    if verdict in ("better", "worse"):
        return f"significantly {gain}"
    return f"{ARM_VERDICT_WORDS[verdict]}, {gain}"


def gain_words(advice: Advice, arm: Candidate, baseline: Candidate) -> str:
    """Return by how much an arm is better or worse than a baseline, or which of them diverged."""
    for candidate, name in ((arm, "it"), (baseline, "the other")):
        if diverged := advice.diverged(candidate):
            how = "has no score" if advice.search.is_script else "diverged"
            return f"{name} {how} in {diverged} of {advice.count(candidate)} runs"
    return ScoreWords(advice.score).gain(advice.gain(arm, baseline))


def epoch_words(count: int) -> str:
    """Return a number of epochs in words, e.g. "1 epoch"."""
    return f"{count} epoch{'s' * (count > 1)}"


def schedule_words(search: LRSearch, smallest: float, plateau: str = "") -> str:
    """Return the learning-rate schedule of a search's runs, in words.

    Args:
        search: The search.
        smallest: The smallest learning rate.
        plateau: Length of the plateau, e.g. "20 of 40 epochs"; empty for its share of the epochs.
    """
    plateau = plateau or f"{100 * search.plateau:g} % of the epochs"
    words = {
        "step": f"constant for {plateau}, then {smallest:g}",
        "wsd": f"constant for {plateau}, then linearly to 0",
        "linear": "linearly to 0",
        "cosine": "half a cosine wave, to 0",
        "constant": "constant",
        "task": "the task's own scheduler; shorter plateaus are not tried",
        "script": "that of the script",
    }[search.annealing]
    if not search.warmup:
        return words
    return f"warm-up for {100 * search.warmup:.3g} % of the epochs; {words}"


def rank_words(agreements: Sequence[Agreement], unit: str, remedy: str) -> list[str]:
    """Return whether short runs rank learning rates as long ones do; empty if there are no pairs.

    Args:
        agreements: The agreement of each length with the next.
        unit: Unit of the lengths.
        remedy: What to do if they do not.
    """
    agreements = [agreement for agreement in agreements if agreement.pairs]
    if not agreements:
        return []
    counts = "; ".join(
        f"{a.epochs[0]:g} and {a.epochs[1]:g} {unit} rank {a.agree} of {a.pairs} pairs in the same "
        "order"
        for a in agreements
    )
    fair = min(a.agree / a.pairs for a in agreements) >= _FAIR_GUIDE
    guide = "a reliable" if fair else "not a reliable"
    shown = "" if fair else f" ({remedy})"
    return [
        f"Do short and long runs rank learning rates in the same order? {counts}: the short ones "
        f"were {guide} guide{shown}."
    ]
