"""What a search found, in sentences that go no further than their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from learnorder.advise.result import Advice, ArmVerdict
from learnorder.advise.settings import Candidate
from learnorder.probe.settings import noise_words
from learnorder.report.score_words import ScoreWords
from learnorder.statistics import FEWEST_HEADLINE, FEWEST_SEEDS, estimate

ARM_VERDICT_WORDS: dict[ArmVerdict, str] = {
    "better": "significantly better",
    "worse": "significantly worse",
    "as_good": "as good",
    "undecided": "inconclusive",
    "diverged": "diverged",
    "other_diverged": "the other diverged",
}
_FAIR_GUIDE = 0.8
"""Share of pairs ranked alike from which shorter runs are called a fair guide."""


def advice_findings(advice: Advice) -> list[str]:
    """Return what was found, in sentences."""
    if advice.learned_nothing():
        return [_nothing(advice), *_few(advice), *_too_large(advice)]
    parts = (
        _few,
        _best,
        _beaten,
        _against_small,
        _worse,
        _edges,
        _left_out,
        _too_large,
        _phases,
        _noise,
        _picked,
        _ranks,
    )
    sentences = [sentence for part in parts for sentence in part(advice)]
    if advice.unseen_classes:
        named = ", ".join(map(str, advice.unseen_classes))
        sentences.append(
            f"No validation example has class {named}: the {advice.score} says nothing of it. Give "
            "validation data of every class, or a larger validation_share."
        )
    return sentences


def _nothing(advice: Advice) -> str:
    """Return that no learning rate can be named, as nothing was learned at any of them."""
    words, best = ScoreWords(advice.score), advice.best()
    level = words.value(estimate(list(advice.unlearned.values()))).partition(" [")[0]
    chance = f"chance ({level}, the commonest class)"
    if advice.score != "accuracy":
        chance = f"the level of the initial network ({level})"
    reached = words.value(advice.mean(advice.whole(best)))
    return (
        f"Nothing was learned: every arm is at {chance}, within its interval or below; the best "
        f"mean, at {best:g}, is {reached} {words.name}. No learning rate is better than another by "
        "this. See whether the training loss falls, whether inputs and targets belong together, "
        "and whether longer runs or other --learning_rates learn anything."
    )


def _few(advice: Advice) -> list[str]:
    """Return that nothing can be decided, where there are too few seeds."""
    if advice.search.seeds >= FEWEST_SEEDS:
        return []
    return [
        f"{advice.search.seeds} seeds decide nothing: a verdict takes {FEWEST_SEEDS}. Give --seeds "
        f"{FEWEST_HEADLINE}."
    ]


def _best(advice: Advice) -> list[str]:
    words, best, band = ScoreWords(advice.score), advice.best(), advice.band()
    reached = (
        f"{best:g} ends at {words.value(advice.mean(advice.whole(best)))} {words.name}; "
        f"{advice.search.training.epochs} epochs, {advice.search.seeds} seeds"
    )
    if advice.found_no_difference():
        return [
            f"No difference found at this budget: of the learning rates {_listed(band)}, annealed, "
            f"none is significantly worse than {best:g} ({reached}). More seeds or longer runs may "
            "show one."
        ]
    if len(band) == 1:
        return [
            f"Best after annealing: {best:g}. All others that were trained in full are "
            f"significantly worse, or diverge ({reached})."
        ]
    whole = {rate: advice.whole(rate) for rate in band}
    shown = [r for r in band if advice.verdict(whole[r], whole[best]) in ("better", "as_good")]
    undecided = [rate for rate in band if rate not in shown]
    others = [rate for rate in band if rate != best]
    sentences = [
        f"Best after annealing: {best:g} ({reached}). Not significantly worse: {_listed(others)}."
    ]
    if undecided and len(shown) > 1:
        good = _listed([rate for rate in shown if rate != best])
        sentences.append(
            f"Shown to be as good within {words.amount(advice.tolerance)}: {good}. Inconclusive: "
            f"{_listed(undecided)}."
        )
    return sentences


def _beaten(advice: Advice) -> list[str]:
    """Return that a range test's pick, off the grid, does better than the best on it."""
    arm, best = advice.picked(), advice.whole(advice.best())
    if arm is None or advice.verdict(arm, best) != "better":
        return []
    return [
        f"Yet {arm.learning_rate:.2g}, a range test's pick, is significantly better than "
        f"{best.learning_rate:g}: {_by(advice, arm, best)}. Give --learning_rates around it, and "
        "--rungs 1, which leaves none out."
    ]


def _against_small(advice: Advice) -> list[str]:
    best, small = advice.best(), advice.smallest
    if best == small:
        return []
    kept = " throughout" if advice.search.anneal == "step" else ""
    by = _by(advice, advice.whole(best), advice.whole(small))
    return [f"{best:g}, annealed, against the smallest, {small:g}{kept}: {by}."]


def _worse(advice: Advice) -> list[str]:
    words, best, band = ScoreWords(advice.score), advice.best(), advice.band()
    told = []
    for rate in advice.finalists():
        arm = advice.whole(rate)
        if rate in band or rate == advice.smallest or advice.lost(arm):
            continue
        told.append(f"{rate:g} by {words.difference(advice.gain(advice.whole(best), arm))}")
    return [f"Significantly worse than {best:g}: {'; '.join(told)}."] if told else []


def _edges(advice: Advice) -> list[str]:
    """Return what to do where the band ends with the grid."""
    grid, band, sentences = advice.grid(), advice.band(), []
    if band and band[-1] == grid[-1]:
        sentences.append(
            f"{grid[-1]:g} is the largest learning rate tried: larger ones may be as good or "
            "better. Give --learning_rates that go further."
        )
    if band and band[0] == grid[0]:
        sentences.append(
            f"{grid[0]:g} is the smallest learning rate tried: smaller ones may be as good or "
            "better. Give --learning_rates that begin lower."
        )
    return sentences


def _left_out(advice: Advice) -> list[str]:
    """Return which learning rates shorter runs left out, and what these came to."""
    words, told, back = ScoreWords(advice.score), dict[float, str](), dict[float, str]()
    for rung in advice.rungs[:-1]:
        for rate in sorted(rung.scores.keys() - set(rung.kept)):
            if not rung.too_large(rate):
                mean = words.value(rung.mean(rate)).partition(" [")[0]
                where = back if rate in advice.finalists() else told
                where[rate] = f"{rate:g} ({mean} at {rung.epochs} epochs)"
    sentences = [f"Left out on shorter runs: {_in_order(told)}."] if told else []
    if back:
        sentences.append(
            f"Left out on shorter runs, and trained in full after all, as the largest left was the "
            f"best: {_in_order(back)}."
        )
    return sentences


def _in_order(told: Mapping[float, str]) -> str:
    return ", ".join(told[rate] for rate in sorted(told))


def _too_large(advice: Advice) -> list[str]:
    sentences = []
    for rung in advice.rungs:
        failed = {rate: words for rate in rung.scores if (words := rung.too_large(rate))}
        told = "; ".join(f"{rate:g} {failed[rate]}" for rate in sorted(failed))
        sentences += [f"Too large, at {rung.epochs} epochs: {told}."] if told else []
    return sentences


def _phases(advice: Advice) -> list[str]:
    search, best = advice.search, advice.best()
    if not advice.shorter_plateaus():
        return []
    words, whole, epochs = ScoreWords(advice.score), advice.whole(best), search.training.epochs
    told = []
    for arm in advice.shorter_plateaus():
        short = search.plateau_epochs(arm.plateau, epochs)
        told.append(f"{short} epoch{'s' * (short > 1)}: {_stands(advice, arm, whole)}")
    full = search.plateau_epochs(search.plateau, epochs)
    against = f"At {best:g}, against {full} of {epochs} epochs: {'; '.join(told)}."
    within, found = words.amount(advice.tolerance), advice.shortest_plateau()
    if found is None:
        return [f"No shorter phase is shown to keep the result within {within}. {against}"]
    shortest = search.plateau_epochs(found, epochs)
    plural = "s" if shortest > 1 else ""
    return [
        f"The shortest phase shown to keep the result within {within} is {shortest} epoch{plural}. "
        f"{against}"
    ]


def _noise(advice: Advice) -> list[str]:
    arm = advice.noisy()
    if arm is None:
        tried = advice.search.noise > 0
        return [f"Activation noise was not tried. {advice.no_noise}"] if tried else []
    best, small = advice.whole(advice.best()), advice.whole(advice.smallest)
    does = {
        "better": "does better than",
        "as_good": "does as well as",
        "worse": "does not do as well as",
        "undecided": "is inconclusive against",
        "diverged": "cannot be compared with",
        "other_diverged": "cannot be compared with",
    }[advice.verdict(arm, best)]
    by = _by(advice, arm, best)
    sentence = (
        f"Activation noise ({noise_words(arm.noise)}) at {small.learning_rate:g} {does} "
        f"{best.learning_rate:g} without it: {by}."
    )
    if best != small:
        alone = _by(advice, arm, small)
        sentence += f" Against {small.learning_rate:g} without it: {alone}."
    return [sentence]


def _picked(advice: Advice) -> list[str]:
    """Return what a range test's pick costs."""
    if advice.range_test is None:
        return []
    pick, arm = advice.range_test.pick, advice.picked()
    picks, restarts = advice.range_test.picks(), len(advice.range_test.restarts)
    if pick is None or arm is None:
        none = restarts - len(picks)
        return [
            f"A learning-rate range test picks nothing: in {none} of {restarts} restarts the loss "
            "does not fall by more than its noise, or falls on to an end of the range."
        ]
    spread = f"median of {len(picks)} restarts, {picks[0]:.2g} to {picks[-1]:.2g}"
    if len(picks) < restarts:
        spread += f"; {restarts - len(picks)} picked nothing"
    best, shown = advice.whole(advice.best()), f"A learning-rate range test picks {pick:.2g}"
    shown += f" ({spread})" if restarts > 1 else ""
    if f"{arm.learning_rate:.2g}" != f"{pick:.2g}":
        shown += f", taken as {arm.learning_rate:g}"
    if arm == best:
        return [f"{shown}, which is the best here."]
    if not advice.arms.get(arm):
        return [f"{shown}, at which training diverges."]
    below = arm.learning_rate < advice.smallest and advice.search.anneal == "step"
    how = "Held throughout, as it is below the grid," if below else "Annealed in the same way"
    return [
        f"{shown}. {how} and judged at the end, against {best.learning_rate:g}: "
        f"{_stands(advice, arm, best)}."
    ]


def _ranks(advice: Advice) -> list[str]:
    found = [each for each in advice.agreements() if each.pairs]
    if not found:
        return []
    told = [
        f"{each.epochs[0]} and {each.epochs[1]} epochs rank {each.agree} of {each.pairs} pairs "
        "alike"
        for each in found
    ]
    fair = min(each.agree / each.pairs for each in found) >= _FAIR_GUIDE
    ends = "a fair guide" if fair else "no sure guide (--rungs 1 trains all of them in full)"
    return [
        f"Do learning rates rank alike on short and long runs? {'; '.join(told)}: the short ones "
        f"were {ends}."
    ]


def _stands(advice: Advice, arm: Candidate, baseline: Candidate) -> str:
    """Return how an arm stands to another, and by how much."""
    standing, by = advice.verdict(arm, baseline), _by(advice, arm, baseline)
    if standing in ("diverged", "other_diverged"):
        return by
    if standing in ("better", "worse"):
        return f"significantly {by}"
    return f"{ARM_VERDICT_WORDS[standing]}, {by}"


def _by(advice: Advice, arm: Candidate, baseline: Candidate) -> str:
    """Return by how much an arm is better or worse; that it diverged, where it did."""
    for each, whose in ((arm, "it"), (baseline, "the other")):
        if lost := advice.lost(each):
            return f"{whose} diverged in {lost} of {advice.search.seeds} runs"
    return ScoreWords(advice.score).gain(advice.gain(arm, baseline))


def _listed(rates: Sequence[float]) -> str:
    return ", ".join(f"{rate:g}" for rate in rates)


def comparisons(advice: Advice) -> list[tuple[str, Candidate, Candidate]]:
    """Return what is compared at full length: in words, an arm, and its baseline."""
    search, best = advice.search, advice.whole(advice.best())
    small = advice.whole(advice.smallest)
    b, epochs = f"{best.learning_rate:g}", search.training.epochs
    whole = [advice.whole(rate) for rate in advice.finalists()]
    found = [(f"{arm.learning_rate:g} against {b}", arm, best) for arm in whole if arm != best]
    for arm in advice.shorter_plateaus():
        short, full = (search.plateau_epochs(each.plateau, epochs) for each in (arm, best))
        words = f"{b} for {short} epoch{'s' * (short > 1)} against {full}"
        found.append((words, arm, best))
    noisy, picked = advice.noisy(), advice.picked()
    if noisy is not None:
        found.append((f"{small.learning_rate:g} + noise against {b}", noisy, best))
        if small != best:
            found.append((f"{small.learning_rate:g} + noise against without", noisy, small))
    if picked is not None and picked not in whole:
        found.append((f"range test's {picked.learning_rate:.2g} against {b}", picked, best))
    return found
