"""The command ``advise``: rungs of whole schedules, then paired comparisons at full length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learnorder.advise.plans import (
    folder_name,
    half,
    initial_rates,
    make_problem,
    next_rate,
    noise_refused,
    rung_plans,
    search_plans,
)
from learnorder.advise.result import Advice, BySeed, Rung, best_of, near, ranked
from learnorder.advise.settings import FEWEST_EPOCHS, Candidate, LRSearch
from learnorder.errors import ConfigError, Interrupted, RunFolderError
from learnorder.execution.budget import Budget, epochs_within
from learnorder.execution.settings import Execution
from learnorder.runs import (
    RunFolder,
    difference_words,
    existing_runs,
    require_ended,
)
from learnorder.runs.experiment import Experiment, read_experiment, settings_as
from learnorder.runs.judged import final_score, judged_by, unlearned_scores
from learnorder.runs.kinds import TaskDescription, kind_of
from learnorder.runs.manifest import find_manifests
from learnorder.runs.sealed import read_json, read_sealed, write_sealed
from learnorder.runs.signals import on_signals
from learnorder.values import to_dict

if TYPE_CHECKING:
    from learnorder.advise.range_rules import RangeTest
    from learnorder.training.task import Task

_SPENT_ON_EPOCHS = 0.9
_FORMER_FILE = "search.json"
"""What the version before had in place of experiment.json."""
_FORMER_NAMES = {"hold": "plateau", "shorter_holds": "shorter_plateaus"}
_MOST_ADDED = 4
"""Learning rates that are added above the default ones at most."""


@dataclass(frozen=True)
class StartedSearch:
    """What experiment.json has of a search.

    Attributes:
        search: Its settings, with the epochs that its budget bought.
        learning_rates: Those it began with.
        no_noise: Why noise is not tried; empty where it is.
    """

    search: LRSearch
    learning_rates: tuple[float, ...]
    no_noise: str


def run_advise(
    search: LRSearch | None = None,
    out: Path | str = "runs/advise",
    *,
    task: Task | None = None,
    minutes: float | None = None,
    execution: Execution = Execution(),
) -> Advice:
    """Find the initial learning rates that are best after annealing.

    Every run is a complete, annealed schedule. Rungs of rising length leave the worse half of the
    learning rates out; the last compares what is left, and shorter phases, noise and the pick of a
    range test, on fresh seeds. report.html and advice.json are written. The same call continues
    what was stopped.

    Args:
        search: What to try; None takes the defaults, on digits.
        out: Gets a folder for each rung, report.html and advice.json.
        task: A model, data and loss of this process, in place of those that ``search`` names; runs
            are then made here, one after another, and the model is left as it is.
        minutes: About how long it may take, as measured on this machine when it begins: runs get
            as many epochs as fit, at most ``search.training.epochs``.
        execution: How the runs are executed.

    Raises:
        ConfigError: A setting that the data or the model refuses, or a budget that is too small.
        LearnOrderError: See :mod:`learnorder.errors`.
    """
    search = search or LRSearch()
    if task is None:
        given = nullcontext(search.task)
    else:
        from learnorder.training.task import register_task

        given = register_task(task)
        execution = replace(execution, workers=1)
    with given as named:
        begun = start_search(replace(search, task=named), Path(out), minutes, execution)
        advice = SearchRunner(begun, Path(out), execution, here=task is not None).run()
    from learnorder.advise.page import write_advice

    write_advice(advice, out)
    return advice


def open_search(folder: Path, settings: dict[str, Any]) -> Advice:
    """Return the advice of a search that has ended, from its runs; nothing is run.

    Raises:
        RunFolderError: Its settings are of another version, or runs are missing or have not ended.
    """
    return SearchRunner(settings_as(StartedSearch, settings, folder), folder, reads=True).run()


def start_search(
    search: LRSearch, out: Path, minutes: float | None, execution: Execution
) -> StartedSearch:
    """Return the search with the epochs that its budget buys; note in its folder what it is about.

    Nothing is written where the folder holds another search, or the first runs are refused.
    """
    from learnorder.execution.driver import find_folders

    Experiment("advise").check(out)
    there = _search_in(out)
    if there is not None:
        _refuse_other_code(search, out)
        bought = there.training.epochs if minutes is not None else search.training.epochs
        _refuse_other(there, search.lasting(bought), out)
    budget = None if minutes is None else _budget(search, out, minutes, execution)
    if budget is not None:
        search = search.lasting(budget.epochs)
    if there is not None:
        _refuse_other(there, search, out)
    rates, epochs = initial_rates(search), search.rung_epochs(0)
    begun = StartedSearch(search, rates, noise_refused(search))
    if there is not None:
        return begun
    arms = [Candidate(rate, search.plateau) for rate in rates]
    find_folders(rung_plans(search, arms, rates[0], 0), out / f"epochs-{epochs}")
    if budget is not None:
        budget.keep(out)
    Experiment("advise", to_dict(begun)).write(out)
    return begun


def _search_in(out: Path) -> LRSearch | None:
    """Return the search that a folder is of, None where it is of none yet."""
    there = read_experiment(out)
    if there is None:
        return None
    if there.settings is not None:
        return settings_as(StartedSearch, there.settings, out).search
    values, _ = read_json(out / _FORMER_FILE, "Move its folder away and run again.")
    return settings_as(LRSearch, {_FORMER_NAMES.get(n, n): v for n, v in values.items()}, out)


def _refuse_other_code(search: LRSearch, out: Path) -> None:
    """Refuse a folder whose runs are of other code or data, in words that name what differs."""
    config = search.run(Candidate(1.0, search.plateau), 1.0, search.training.epochs, seed=0)
    (identity,) = kind_of(config).load_backend().identify([config])
    for manifest in find_manifests(out)[:1]:
        RunFolder(manifest.parent).check_identity(identity)


def _refuse_other(there: LRSearch, asked: LRSearch, out: Path) -> None:
    """Refuse a folder that is about another search."""
    if words := difference_words(to_dict(there), to_dict(asked)):
        raise RunFolderError(
            f"{out}: holds another search ({words}). Choose another folder with --out, or move "
            "this one away."
        )


class SearchRunner:
    """A search under way, in a folder."""

    def __init__(
        self,
        begun: StartedSearch,
        out: Path,
        execution: Execution = Execution(),
        *,
        here: bool = False,
        reads: bool = False,
    ) -> None:
        self.search, self.rates, self.no_noise = begun.search, begun.learning_rates, begun.no_noise
        self.out, self.execution, self.here, self.reads = out, execution, here, reads
        self.smallest = self.rates[0]
        self.score, self.higher_is_better = "accuracy", True

    def run(self) -> Advice:
        """Run the rungs, then everything at full length."""
        rates, rungs = self.rates, list[Rung]()
        for rung in range(self.search.rungs - 1):
            rungs.append(self.screen(rates, rung, extend=rung == 0))
            rates = rungs[-1].kept
        last = self.search.rungs - 1
        whole = self.in_full(rates, rungs)
        rates, best = sorted(whole), best_of(whole, self.higher_is_better)
        arms = [Candidate(rate, self.search.plateau) for rate in rates]
        if best != self.smallest:
            arms += [Candidate(best, plateau) for plateau in self.search.distinct_plateaus()]
        if not self.no_noise:
            arms.append(Candidate(self.smallest, self.search.plateau, self.search.noise))
        seen = self.range_test() if self.search.range_test else None
        if seen is not None and seen.pick is not None and near(seen.pick, rates) not in rates:
            arms.append(Candidate(seen.pick, self.search.plateau))
        found, folders = self.train(arms, last)
        seeds = tuple(self.search.rung_seeds(last))
        rungs.append(Rung(self.search.rung_epochs(last), seeds, whole, score=self.score))
        described = folders[0].data()
        unseen = described.unseen_classes if isinstance(described, TaskDescription) else ()
        return Advice(
            search=self.search,
            score=self.score,
            higher_is_better=self.higher_is_better,
            rungs=tuple(rungs),
            arms=found,
            range_test=seen,
            no_noise=self.no_noise,
            unseen_classes=unseen,
            folders=tuple(folders),
            unlearned=unlearned_scores(folders),
        )

    def in_full(self, rates: Sequence[float], rungs: Sequence[Rung]) -> dict[float, BySeed]:
        """Train learning rates at full length; return their scores.

        Short schedules are biased against large learning rates. So while the largest of those
        trained is the best of them, the next larger one is trained too, though it was left out
        before, unless it diverged then.
        """
        rates, last = list(rates), self.search.rungs - 1
        while True:
            found, _ = self.train([Candidate(rate, self.search.plateau) for rate in rates], last)
            scores = {arm.learning_rate: by_seed for arm, by_seed in found.items()}
            if not any(scores.values()):
                raise _all_diverge(rates)
            larger = [
                rate
                for rate in (rungs[0].scores if rungs else ())
                if rate > rates[-1]
                and not any(rung.too_large(rate) for rung in rungs if rate in rung.scores)
            ]
            if not larger or best_of(scores, self.higher_is_better) != rates[-1]:
                return scores
            rates.append(min(larger))

    def screen(self, rates: Sequence[float], rung: int, *, extend: bool) -> Rung:
        """Run a rung; add larger learning rates while the largest is among the better half."""
        rates, added = list(rates), 0
        while True:
            found, _ = self.train([Candidate(rate, self.search.plateau) for rate in rates], rung)
            scores = {arm.learning_rate: by_seed for arm, by_seed in found.items()}
            better = self.better_half(scores)
            may = extend and self.search.learning_rates is None and added < _MOST_ADDED
            if not may or rates[-1] not in better:
                break
            rates.append(next_rate(rates[-1]))
            added += 1
        kept = tuple(sorted({self.smallest, *better}))
        seeds = tuple(self.search.rung_seeds(rung))
        return Rung(self.search.rung_epochs(rung), seeds, scores, kept, self.score)

    def better_half(self, scores: Mapping[float, BySeed]) -> list[float]:
        """Return the better half of the learning rates, of those that diverge least."""
        if not any(scores.values()):
            raise _all_diverge(list(scores))
        return ranked(scores, self.higher_is_better)[: half(len(scores))]

    def train(
        self, arms: Sequence[Candidate], rung: int
    ) -> tuple[dict[Candidate, BySeed], list[RunFolder[Any]]]:
        """Make the runs of some arms; return final scores of those that finished, and all runs."""
        from learnorder.execution.driver import run_plans

        epochs = self.search.rung_epochs(rung)
        plans = rung_plans(self.search, arms, self.smallest, rung)
        out, title = self.out / f"epochs-{epochs}", f"{epochs} epochs"
        if self.reads:
            folders = existing_runs(out, plans)
        else:
            folders = run_plans(plans, out, self.execution, title=title, here=self.here)
            require_ended(folders, "so there is nothing to compare it by")
        by_plan = dict(zip(plans, folders, strict=True))
        found: dict[Candidate, BySeed] = {}
        for arm in arms:
            names = {
                s: f"{folder_name(self.search, arm)}-seed{s}" for s in self.search.rung_seeds(rung)
            }
            finished = {s: by_plan[n] for s, n in names.items() if by_plan[n].status == "finished"}
            found[arm] = {seed: final_score(folder) for seed, folder in finished.items()}
            for folder in finished.values():
                _, self.score, self.higher_is_better = judged_by(folder)
        return found, folders

    def range_test(self) -> RangeTest:
        """Make the range test, from the first seed of all on, or read it."""
        from learnorder.advise.range_rules import RangeTest
        from learnorder.advise.range_test import RESTARTS, range_test
        from learnorder.execution.engine import share_cores
        from learnorder.execution.log_lines import phase
        from learnorder.runs.execute import arithmetic

        path = self.out / "range_tests.json"
        if (kept := read_sealed(path, RangeTest)) is not None:
            return kept
        if self.reads:
            raise RunFolderError(f"{path}: not made yet. The same search goes on with it.")
        config = self.search.run(
            Candidate(self.smallest, self.search.plateau), self.smallest, 2, seed=0
        )
        threads = share_cores(1, threads=self.execution.threads).threads
        received: list[int] = []

        def stop() -> None:
            if received:
                raise Interrupted(
                    received[0], "in the range test. The same command goes on from there."
                )

        speaks = phase("range test", quiet=self.execution.quiet)
        with on_signals(received.append), arithmetic(threads), speaks:
            seen = range_test(
                config.training,
                make_problem(config),
                seeds=range(self.search.first_seed, self.search.first_seed + RESTARTS),
                stop=stop,
            )
        write_sealed(path, asdict(seen))
        return seen


def _all_diverge(rates: Sequence[float]) -> ConfigError:
    return ConfigError(
        "learning_rates",
        list(rates),
        "Training diverges at all of them. Give smaller ones, and "
        "look for values in the data that are not finite.",
    )


def _budget(search: LRSearch, out: Path, minutes: float, execution: Execution) -> Budget:
    """Return as many epochs as the minutes buy, as measured when the search began."""
    return epochs_within(
        minutes,
        search_plans(search),
        search.training.epochs,
        FEWEST_EPOCHS * 2 ** (search.rungs - 1),
        out,
        share=_SPENT_ON_EPOCHS,
        remedy="fewer learning_rates, seeds or shorter_plateaus, --noise 0, less data or a smaller "
        "model",
        execution=execution,
    )
