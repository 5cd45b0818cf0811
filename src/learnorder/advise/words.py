"""The findings of a search in sentences."""

from __future__ import annotations

from collections.abc import Mapping

from learnorder.advise.phrases import (
    arm_words,
    epoch_words,
    gain_words,
    rank_words,
    verdict_words,
)
from learnorder.advise.plans import annealed_arms, rates_words, results_of
from learnorder.advise.result import Advice
from learnorder.advise.settings import takes
from learnorder.probe.settings import noise_words
from learnorder.report.forgetting import forgetting_words
from learnorder.report.groups import group_words
from learnorder.report.score_words import ScoreWords
from learnorder.runs.results import ScriptResults, TaskResults
from learnorder.runs.settings import identity_words
from learnorder.statistics import FEWEST_HEADLINE, FEWEST_SEEDS, estimate


def advice_findings(advice: Advice) -> list[str]:
    """Return the findings of a search, in sentences."""
    if advice.learned_nothing():
        return [_nothing(advice), *_few(advice), *_too_large(advice)]
    parts = (
        _few,
        _best,
        _beaten,
        _against_small,
        _worse,
        _grid_ends,
        _eliminated,
        _too_large,
        _plateaus,
        _noise,
        _range_test,
        _ranks,
        _race,
    )
    sentences = [sentence for part in parts for sentence in part(advice)]
    sentences += [*_groups(advice), *_forgetting(advice)]
    sentences += [*_changed(advice), *_left_running(advice)]
    if advice.unseen_classes:
        named = ", ".join(map(str, advice.unseen_classes))
        score = ScoreWords(advice.score).name
        sentences.append(
            f"No validation example has class {named}, so the {score} does not cover it. "
            "Give validation data of every class, or a larger validation_share."
        )
    return sentences


def _groups(advice: Advice) -> list[str]:
    """Return the scores of the best and of the smallest learning rate over known groups."""
    if not advice.folders or advice.search.is_script:
        return []
    results = results_of(advice.search, advice.folders)
    assert not isinstance(results, ScriptResults)
    if (groups := results.groups()) is None:
        return []
    arms, sentences = annealed_arms(results), list[str]()
    for rate in dict.fromkeys([advice.best(), advice.smallest]):
        if rate in arms and not advice.diverged(advice.arm(rate)):
            sentences.append(group_words(groups, arms[rate], f"At {rate:g}"))
    return sentences


def _forgetting(advice: Advice) -> list[str]:
    """Return gain and forgetting over the learning rates."""
    if not advice.search.is_task:
        return []
    results = TaskResults(advice.folders)
    if (forgetting := results.forgetting()) is None:
        return []
    arms = {
        arm: f"{rate:g}"
        for rate, arm in annealed_arms(results).items()
        if not advice.diverged(advice.arm(rate))
    }
    return forgetting_words(forgetting, list(arms), arms)


def _changed(advice: Advice) -> list[str]:
    """Return that some runs were made with other code or data, if so."""
    manifests = [folder.read_manifest() for folder in advice.folders]
    former = [each for each in manifests if each["former_identity"]]
    if not former:
        return []
    words = identity_words(former[0]["former_identity"], former[0]["identity"])
    return [
        f"{len(former)} of the {len(manifests)} runs at full length were made before a change of "
        f"{words}, and are compared with the others all the same (--force)."
    ]


def _left_running(advice: Advice) -> list[str]:
    """Return that a script left processes running, if it did."""
    if not advice.search.is_script:
        return []
    left = [
        f for f in advice.folders if f.read_status() == "finished" and f.read_manifest()["reason"]
    ]
    if not left:
        return []
    return [
        f"{len(left)} of the {len(advice.folders)} runs at full length left processes running when "
        f"they ended, which were stopped, e.g. {left[0].name}: let the script wait for them."
    ]


def _nothing(advice: Advice) -> str:
    """Return that no learning rate can be recommended, because none is shown to learn anything."""
    words, best = ScoreWords(advice.score), advice.best()
    level = words.mean(estimate(list(advice.unlearned.values())))
    chance = f"chance ({level}, the commonest class)"
    if words.unit != "points":
        chance = f"the level of the initial network ({level})"
    reached = words.value(advice.mean(advice.arm(best)))
    return (
        f"No arm is shown to have learned anything: each is at {chance}, within its interval, or "
        f"worse. The best mean is {reached} {words.name}, at {best:g}. The learning rates cannot "
        "be compared. Check that the training loss falls and that inputs match targets, and try "
        "longer runs or other --learning_rates."
    )


def _few(advice: Advice) -> list[str]:
    """Return that there are too few seeds for a verdict, if so."""
    if advice.search.seeds >= FEWEST_SEEDS:
        return []
    return [
        f"{advice.search.seeds} seeds are too few: a verdict needs at least {FEWEST_SEEDS}. Give "
        f"--seeds {FEWEST_HEADLINE}."
    ]


def _schedule_words(advice: Advice) -> tuple[str, str]:
    """Return what is said of the schedule of a learning rate, and of the best one."""
    match advice.search.annealing:
        case "constant":
            return "", "Best"
        case "script" | "task":
            return "", "Best at the end"
    return ", annealed,", "Best after annealing"


def _lose(advice: Advice) -> str:
    return "have runs without a score" if advice.search.is_script else "diverge"


def _best(advice: Advice) -> list[str]:
    words, best, band = ScoreWords(advice.score), advice.best(), advice.band()
    reached = (
        f"{best:g} ends at {words.value(advice.mean(advice.arm(best)))} {words.name}; "
        f"{advice.search.training.epochs} epochs, {advice.count(advice.arm(best))} seeds"
    )
    annealed, title = _schedule_words(advice)
    if diverged := advice.diverged_words(advice.arm(best)):
        trains = "has a score" if advice.search.is_script else "trains"
        return [
            f"No learning rate {trains} on every seed. Of those that fail on the fewest, {best:g} "
            f"has the best mean ({reached}, {diverged})."
        ]
    if advice.found_no_difference():
        return [
            "No difference found at this budget: of the learning rates "
            f"{rates_words(band)}{annealed} none is significantly worse than {best:g} ({reached}). "
            "More seeds or longer runs may show a difference."
        ]
    if len(band) == 1:
        return [
            f"{title}: {best:g}. All others trained at full length are significantly "
            f"worse or {_lose(advice)} ({reached})."
        ]
    verdicts = {rate: advice.verdict(advice.arm(rate), advice.arm(best)) for rate in band}
    good = [r for r, verdict in verdicts.items() if verdict in ("better", "as_good") and r != best]
    others = [rate for rate in band if rate != best]
    undecided = [rate for rate in others if rate not in good]
    sentences = [f"{title}: {best:g} ({reached}). Not significantly worse: {rates_words(others)}."]
    if undecided and good:
        sentences.append(
            f"Shown to be as good within {words.amount(advice.tolerance)}: {rates_words(good)}. "
            f"Inconclusive: {rates_words(undecided)}."
        )
    return sentences


def _beaten(advice: Advice) -> list[str]:
    """Return that the range test's pick is better than the best of the grid, if so."""
    arm, best = advice.picked(), advice.arm(advice.best())
    if arm is None or advice.verdict(arm, best) != "better":
        return []
    return [
        f"However, {arm.learning_rate:.2g}, the range test's pick, is significantly better than "
        f"{best.learning_rate:g}: {gain_words(advice, arm, best)}. Give --learning_rates around "
        "it and --rungs 1, which eliminates none."
    ]


def _against_small(advice: Advice) -> list[str]:
    best, small = advice.best(), advice.smallest
    if best == small:
        return []
    annealed, _ = _schedule_words(advice)
    constant = " (constant)" if advice.search.annealing == "step" else ""
    gain = gain_words(advice, advice.arm(best), advice.arm(small))
    return [f"{best:g}{annealed} against the smallest, {small:g}{constant}: {gain}."]


def _worse(advice: Advice) -> list[str]:
    words, best, band = ScoreWords(advice.score), advice.best(), advice.band()
    worse = []
    for rate in advice.finalists():
        arm = advice.arm(rate)
        if rate in band or rate == advice.smallest or advice.diverged(arm):
            continue
        worse.append(f"{rate:g} by {words.difference(advice.gain(advice.arm(best), arm))}")
    return [f"Significantly worse than {best:g}: {'; '.join(worse)}."] if worse else []


def _grid_ends(advice: Advice) -> list[str]:
    """Return that the grid should be extended, if the band reaches an end of it."""
    grid, band, sentences = advice.grid(), advice.band(), []
    if band and band[-1] == grid[-1] and not advice.diverged(advice.arm(grid[-1])):
        sentences.append(
            f"{grid[-1]:g} is the largest learning rate tried: larger ones may be as good or "
            "better. Add larger --learning_rates."
        )
    if band and band[0] == grid[0]:
        sentences.append(
            f"{grid[0]:g} is the smallest learning rate tried: smaller ones may be as good or "
            "better. Add smaller --learning_rates."
        )
    return sentences


def _eliminated(advice: Advice) -> list[str]:
    """Return which learning rates shorter runs eliminated, with their scores."""
    words, out, restored = ScoreWords(advice.score), dict[float, str](), dict[float, str]()
    for rung in advice.rungs[:-1]:
        for rate in sorted(rung.scores.keys() - set(rung.kept)):
            if not rung.too_large(rate):
                mean = words.mean(rung.mean(rate))
                group = restored if rate in advice.finalists() else out
                group[rate] = f"{rate:g} ({mean} at {rung.epochs} epochs)"
    sentences = [f"Eliminated on shorter runs: {_in_order(out)}."] if out else []
    if restored:
        sentences.append(
            "Eliminated on shorter runs but trained at full length, because the largest remaining "
            f"learning rate was the best: {_in_order(restored)}."
        )
    return sentences


def _in_order(by_rate: Mapping[float, str]) -> str:
    return ", ".join(by_rate[rate] for rate in sorted(by_rate))


def _too_large(advice: Advice) -> list[str]:
    sentences = []
    for rung in advice.rungs:
        failed = {rate: words for rate in rung.scores if (words := rung.too_large(rate))}
        if not failed:
            continue
        reasons = {rate: f": {rung.reasons[rate]}" for rate in failed if rate in rung.reasons}
        listed = [f"{rate:g} ({failed[rate]}{reasons.get(rate, '')})" for rate in sorted(failed)]
        what = "Too large" if rung.lost == "diverged" else "Without a score"
        sentences.append(f"{what} at {rung.epochs} epochs: {', '.join(listed)}.")
    return sentences


def _plateaus(advice: Advice) -> list[str]:
    search, best = advice.search, advice.best()
    if not advice.shorter_plateaus():
        return []
    words, epochs, tried = ScoreWords(advice.score), search.training.epochs, list[str]()
    for arm in advice.shorter_plateaus():
        short = search.plateau_epochs(arm.plateau, epochs)
        tried.append(f"{epoch_words(short)}: {verdict_words(advice, arm, advice.arm(best))}")
    full = search.plateau_epochs(search.plateau, epochs)
    against = f"At {best:g}, against {full} of {epochs} epochs: {'; '.join(tried)}."
    within, shortest = words.amount(advice.tolerance), advice.shortest_plateau()
    if left_out := advice.plateaus_left_out():
        listed = ", ".join(f"{search.plateau_epochs(share, epochs)}" for share in left_out)
        against += (
            f" Shorter ones ({listed}) were not tried, as the next longer is not shown as good."
        )
    if shortest is None:
        return [f"No shorter plateau is shown to be as good within {within}. {against}"]
    shown = epoch_words(search.plateau_epochs(shortest, epochs))
    return [f"The shortest plateau shown to be as good within {within} is {shown}. {against}"]


def _noise(advice: Advice) -> list[str]:
    arm = advice.noisy()
    if arm is None:
        wanted = advice.search.noise > 0 and takes(advice.search, "noise")
        return [f"Activation noise was not tried. {advice.no_noise}"] if wanted else []
    best, small = advice.arm(advice.best()), advice.arm(advice.smallest)
    relation = {
        "better": "is significantly better than",
        "as_good": "is as good as",
        "worse": "is significantly worse than",
        "undecided": "is inconclusive against",
    }.get(advice.verdict(arm, best), "cannot be compared with")
    sentence = (
        f"Activation noise ({noise_words(arm.noise)}) at {small.learning_rate:g} {relation} "
        f"{best.learning_rate:g} without noise: {gain_words(advice, arm, best)}."
    )
    if best != small:
        alone = gain_words(advice, arm, small)
        sentence += f" Against {small.learning_rate:g} without noise: {alone}."
    return [sentence]


def _range_test(advice: Advice) -> list[str]:
    """Return how the range test's pick compares with the best."""
    if advice.range_test is None:
        return []
    pick, arm = advice.range_test.pick, advice.picked()
    picks, restarts = advice.range_test.picks(), len(advice.range_test.restarts)
    if pick is None or arm is None:
        missing = restarts - len(picks)
        return [
            f"A learning-rate range test picks nothing: in {missing} of {restarts} restarts the "
            "loss does not fall by more than its noise, or the pick would be at an end of the "
            "range."
        ]
    spread = f"median of {len(picks)} restarts, {picks[0]:.2g} to {picks[-1]:.2g}"
    if len(picks) < restarts:
        spread += f"; {restarts - len(picks)} without a pick"
    best, picked = advice.arm(advice.best()), f"A learning-rate range test picks {pick:.2g}"
    picked += f" ({spread})" if restarts > 1 else ""
    if f"{arm.learning_rate:.2g}" != f"{pick:.2g}":
        picked += f", tried at the grid's {arm.learning_rate:g}"
    if arm == best:
        return [f"{picked}, which is the best here."]
    if not advice.arms.get(arm):
        return [f"{picked}, at which training diverges."]
    below = arm.learning_rate < advice.smallest and advice.search.anneal == "step"
    schedule = "Kept constant, because it is below the grid," if below else "Annealed like the rest"
    own = advice.search.annealing in ("constant", "task", "script")
    schedule = "Trained" if own else schedule
    verdict = verdict_words(advice, arm, best)
    return [f"{picked}. {schedule} and compared at the end with {best.learning_rate:g}: {verdict}."]


def _race(advice: Advice) -> list[str]:
    """Return which arms stopped at which number of seeds and why, and what that saved."""
    if not advice.search.race:
        return []
    whys = {
        "worse": "significantly worse", "as_good": "as good", "better": "significantly better",
        "diverged": "without a score" if advice.search.is_script else "diverged",
        "undecided": f"no verdict in sight with {advice.search.seeds} seeds",
        "other_diverged": "the best diverged",
    }  # fmt: skip
    best, groups = advice.arm(advice.best()), dict[tuple[int, str], list[str]]()
    for arm in advice.arms:
        if arm != best and (stopped := advice.stopped(arm)) is not None:
            key = (advice.count(arm), whys[stopped])
            groups.setdefault(key, []).append(arm_words(advice, arm))
    stops = "; ".join(
        f"{', '.join(arms)} after {count} ({why})" for (count, why), arms in groups.items()
    )
    cost, saved = advice.full_runs(), advice.full_runs_saved()
    told = f"The search cost {cost:.3g} full runs; racing saved {saved} of {cost + saved:.3g}."
    if not stops:
        return [told]
    return [f"{told} Stopped before {advice.search.seeds} seeds: {stops}."]


def _ranks(advice: Advice) -> list[str]:
    return rank_words(advice.agreements(), "epochs", "--rungs 1 trains all of them at full length")
