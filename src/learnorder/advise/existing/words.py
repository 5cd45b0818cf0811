"""The findings about existing runs in sentences."""

from __future__ import annotations

from collections import Counter

from learnorder.advise.existing.result import MOST_SEEDS, JudgedRuns, Suggestion
from learnorder.advise.phrases import rank_words
from learnorder.advise.plans import rates_words
from learnorder.config.score_names import words_of
from learnorder.report.score_words import ScoreWords
from learnorder.statistics import FEWEST_HEADLINE, FEWEST_SEEDS

_MOST_LISTED = 6
"""Most learning rates that a sentence lists with their numbers."""


def judged_findings(judged: JudgedRuns) -> list[str]:
    """Return the findings about existing runs, in sentences."""
    parts = (
        _verdict,
        _run_next,
        _worse,
        _missing,
        _few,
        _partly_paired,
        _unpaired,
        _grid_ends,
        _lengths,
        _direction,
        _cautions,
    )
    sentences = [sentence for part in parts for sentence in part(judged)]
    return [*sentences, *judged.taken.notes]


def length_words(judged: JudgedRuns, length: float | None) -> str:
    """Return a length with its unit; empty if it is not known."""
    return "" if length is None else f"{length:g} {judged.taken.unit}"


def _verdict(judged: JudgedRuns) -> list[str]:
    """Return the best learning rates, or why there is no verdict."""
    best, band = judged.best(), judged.band()
    if best is None:
        return [_no_verdict(judged)]
    words = ScoreWords(judged.score)
    parts = [
        f"{words.value(judged.mean(best))} {words.name}",
        length_words(judged, judged.lengths()[-1]),
        f"n = {judged.mean(best).n}",
    ]
    reached = "; ".join(filter(None, parts))
    if band == judged.judged():
        return [
            f"No difference found: of the learning rates {rates_words(band)}, none is "
            f"significantly worse than the best, {best:g} ({reached})."
        ]
    if len(band) == 1:
        return [
            f"Best: {best:g} ({reached}). All others that can be judged are significantly worse."
        ]
    others = [rate for rate in band if rate != best]
    good = [rate for rate in others if judged.verdict(rate, best) in ("better", "as_good")]
    sentences = [f"Best: {best:g} ({reached}). Not significantly worse: {rates_words(others)}."]
    if good:
        undecided = [rate for rate in others if rate not in good]
        rest = f" Inconclusive: {rates_words(undecided)}." if undecided else ""
        within = words.amount(judged.tolerance)
        sentences.append(f"Shown to be as good within {within}: {rates_words(good)}.{rest}")
    return sentences


def _no_verdict(judged: JudgedRuns) -> str:
    words, ranking, every = ScoreWords(judged.score), judged.ranking(), judged.scores()
    if not ranking:
        return "No verdict: none of the longest runs has a final score."
    listed = ", ".join(
        f"{rate:g} ({words.mean(judged.mean(rate))})" for rate in ranking[:_MOST_LISTED]
    )
    order = (
        f"By their means alone the order is {listed}{', …' * (len(ranking) > _MOST_LISTED)}, which "
        "may be chance."
    )
    if all(len(seeds) == 1 for seeds in every.seeds.values()):
        return (
            "No verdict: each learning rate has one run, so nothing says how large a difference "
            f"chance alone makes, and there are no intervals. {order}"
        )
    return (
        f"No verdict: it needs two learning rates with at least {FEWEST_SEEDS} seeds each and a "
        f"score for every run. {order}"
    )


def _run_next(judged: JudgedRuns) -> list[str]:
    """Return what to run next, or that nothing has to be."""
    best, second = judged.best(), judged.second()
    sentences = [suggestion_words(judged, each) for each in judged.suggestions()]
    if best is not None and second is not None and judged.verdict(second, best) == "undecided":
        if judged.seeds_needed(second, best) is None:
            within = ScoreWords(judged.score).amount(judged.tolerance)
            sentences.append(
                f"More than {MOST_SEEDS} seeds would be needed to decide between {best:g} and "
                f"{second:g} within {within}, at their spread so far: take either, or accept a "
                "larger --tolerance."
            )
    elif not sentences:
        return [
            "Run next: nothing is needed to choose among these learning rates. A learning rate "
            "between them may still be better."
        ]
    return sentences


def suggestion_words(judged: JudgedRuns, suggestion: Suggestion) -> str:
    """Return a suggestion as a sentence."""
    every, rates = judged.scores(), suggestion.learning_rates
    have = [len(every.seeds.get(rate, ())) for rate in rates]
    now = f"{have[0]}" if len(set(have)) == 1 else f"{min(have)} to {max(have)}"
    if min(have) >= suggestion.seeds:
        return f"Run next: {rates_words(rates)} on the seeds without a score. {suggestion.why}."
    each = ", the same for all" if len(rates) > 1 else ""
    seeds = f"{suggestion.seeds} seeds{each} (now {now})"
    return f"Run next: {rates_words(rates)} on {seeds}. {suggestion.why}."


def _worse(judged: JudgedRuns) -> list[str]:
    best, band = judged.best(), judged.band()
    if best is None:
        return []
    words = ScoreWords(judged.score)
    worse = [rate for rate in judged.judged() if rate not in band]
    nearest = sorted(worse, key=lambda rate: judged.gain(best, rate).mean)[:_MOST_LISTED]
    listed = "; ".join(
        f"{rate:g} by {words.difference(judged.gain(best, rate))}" for rate in sorted(nearest)
    )
    others = len(worse) - len(nearest)
    more = f"; and {others} other{'s' * (others > 1)} by more" if others else ""
    return [f"Significantly worse than {best:g}: {listed}{more}."] if worse else []


def _missing(judged: JudgedRuns) -> list[str]:
    """Return which learning rates have runs without a score, and why."""
    sentences = []
    for length in reversed(judged.lengths()):
        every, described = judged.scores(length), list[str]()
        for rate in every.by_arm:
            reasons = Counter(
                run.missing
                for run in judged.taken.runs
                if run.missing and (run.learning_rate, run.length) == (rate, length)
            )
            if reasons:
                why = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
                runs = len(every.seeds[rate])
                lost = f"{sum(reasons.values())} of {runs} runs: " if runs > 1 else ""
                described.append(f"{rate:g} ({lost}{why.removeprefix('1 ') if runs == 1 else why})")
        if described:
            at, more = length_words(judged, length), len(described) - _MOST_LISTED
            described = [*described[:_MOST_LISTED], *[f"and {more} more"] * (more > 0)]
            sentence = f"Without a final score{f' at {at}' if at else ''}: {', '.join(described)}."
            if any(every.diverged(rate) and every.of(rate) for rate in every.by_arm):
                sentence += (
                    " The mean of a learning rate's other runs is not its own, so it is not judged."
                )
            sentences.append(sentence)
    if any(run.missing == "pruned" for run in judged.taken.runs):
        sentences.append(
            "Pruned runs were stopped by an intermediate score, which is not final: a large "
            "learning rate looks worse until it is annealed."
        )
    return sentences


def _few(judged: JudgedRuns) -> list[str]:
    """Return the learning rates that have too few seeds, if others are judged."""
    every, words = judged.scores(), ScoreWords(judged.score)
    few = [
        rate
        for rate in judged.ranking()
        if len(every.seeds[rate]) < FEWEST_SEEDS and not judged.missing(rate)
    ]
    if judged.best() is None or not few:
        return []
    listed = ", ".join(
        f"{rate:g} ({words.mean(judged.mean(rate))}, "
        f"{len(every.seeds[rate])} {'run' if len(every.seeds[rate]) == 1 else 'runs'})"
        for rate in few[:_MOST_LISTED]
    )
    more = f" and {len(few) - _MOST_LISTED} more" if len(few) > _MOST_LISTED else ""
    return [f"Not judged, on fewer than {FEWEST_SEEDS} seeds: {listed}{more}."]


def _partly_paired(judged: JudgedRuns) -> list[str]:
    """Return the numbers of runs that pairs leave out, because the other has no run of the seed."""
    best, seeds, parts = judged.best(), judged.scores().seeds, list[str]()
    if best is None:
        return []
    for rate in judged.judged():
        others = len(set(seeds[rate]) ^ set(seeds[best]))
        if others and judged.paired(rate, best):
            pairs = judged.gain(rate, best).n
            parts.append(f"{rate:g} on {pairs} ({others} run{'s' * (others > 1)} left out)")
    if not parts:
        return []
    return [f"Compared with {best:g} on the seeds that both have: {', '.join(parts)}."]


def _unpaired(judged: JudgedRuns) -> list[str]:
    best = judged.best()
    if best is None:
        return []
    others = [rate for rate in judged.judged() if not judged.paired(rate, best)]
    if not others:
        return []
    verb = "has" if len(others) == 1 else "have"
    return [
        f"{rates_words(others)} {verb} fewer than {FEWEST_SEEDS} seeds in common with {best:g}, so "
        "the runs are compared as independent samples (Welch), not paired by seed. On the same "
        "seeds, intervals are mostly narrower."
    ]


def _grid_ends(judged: JudgedRuns) -> list[str]:
    """Return that learning rates beyond those tried may be better, if the band reaches an end."""
    rates, band, sentences = judged.learning_rates(), judged.band(), []
    for rate, end, word in ((rates[-1], "largest", "larger"), (rates[0], "smallest", "smaller")):
        if rate in band:
            sentences.append(
                f"{rate:g} is the {end} learning rate tried: {word} ones may be as good or better."
            )
    return sentences


def _lengths(judged: JudgedRuns) -> list[str]:
    """Return that runs of several lengths are judged separately, and whether they agree."""
    lengths = judged.lengths()
    if len(lengths) == 1:
        return []
    known = [length for length in lengths if length is not None]
    listed = " and ".join(filter(None, [rates_words(known[:-1]), rates_words(known[-1:])]))
    return [
        f"There are runs of {listed} {judged.taken.unit}. They are judged separately, and all of "
        f"the above is about {length_words(judged, lengths[-1])}.",
        *rank_words(judged.agreements(), judged.taken.unit, "train all of them at full length"),
    ]


def _direction(judged: JudgedRuns) -> list[str]:
    if not judged.taken.direction_by_name:
        return []
    column = judged.taken.columns["score"]
    side = "higher" if judged.higher_is_better else "lower"
    return [f"A {side} {column} is taken as better, by its name (--higher_is_better)."]


def _cautions(judged: JudgedRuns) -> list[str]:
    """Return what the name of the score says against choosing by it."""
    column = judged.taken.columns["score"]
    words, sentences = set(words_of(column)), []
    if "test" in words:
        sentences.append(
            f"{column} is of test data, by its name: after a choice by it, it is no longer an "
            "unbiased estimate. Choose by validation data."
        )
    if words & {"train", "training"}:
        sentences.append(f"{column} is of training data, by its name: it does not show how well a "
                         "model generalises.")  # fmt: skip
    if words & {"best", "max", "min"}:
        sentences.append(
            f"{column} is the best of a run's epochs, by its name, not the score of the final "
            "model: it is optimistic, and more so the more a run fluctuates."
        )
    return sentences


def seeds_note(judged: JudgedRuns) -> str:
    """Return how the numbers of seeds are computed."""
    return (
        "Seeds to decide between the best two: the smallest n for which the 95 % interval of their "
        "difference, 2 · t(n − 1) · s / √n long, is no longer than the tolerance "
        f"({ScoreWords(judged.score).amount(judged.tolerance)}). Such an interval shows either "
        "that one is better, or that it loses no more than the tolerance. s is the standard "
        "deviation of the differences so far; if the seeds differ it is √(s₁² + s₂²), with "
        "Welch's degrees of freedom. From few seeds s is uncertain, and n is a plan, not a "
        f"promise. A first comparison needs {FEWEST_HEADLINE} seeds."
    )
