"""The command ``advise``: rungs of complete schedules, then paired comparisons at full length."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learnorder.advise.other_arms import OtherArms
from learnorder.advise.plans import (
    folder_name,
    make_problem,
    rung_plans,
    search_plans,
    with_names,
)
from learnorder.advise.result import Advice, near
from learnorder.advise.scores import BySeed
from learnorder.advise.script_checks import check_used, no_scores, reasons_by_rate
from learnorder.advise.selection import Selection
from learnorder.advise.settings import Candidate, LRSearch
from learnorder.advise.start import StartedSearch, recorded_search, start_search
from learnorder.errors import ConfigError, Interrupted, RunFolderError
from learnorder.execution.processes import processes_kept
from learnorder.execution.settings import Execution
from learnorder.runs import (
    RunFolder,
    existing_runs,
    require_ended,
)
from learnorder.runs.descriptions import TaskDescription
from learnorder.runs.judged import final_score, judged_by, unlearned_scores
from learnorder.runs.sealed import read_sealed, write_sealed
from learnorder.runs.signals import on_signals

if TYPE_CHECKING:
    from learnorder.advise.range_rules import RangeTest
    from learnorder.training.task import Task


@processes_kept()
def run_advise(
    search: LRSearch | None = None,
    out: Path | str = "runs/advise",
    *,
    task: Task | None = None,
    function: Callable[..., Any] | None = None,
    minutes: float | None = None,
    execution: Execution = Execution(),
    force: bool = False,
) -> Advice:
    """Find the initial learning rates that are best after annealing.

    Every run is a complete, annealed schedule. Shorter ones eliminate most learning rates. The last
    rung compares the remaining ones, shorter plateaus, noise and the pick of a range test on new
    seeds; an arm that is decided gets no more of them. Writes report.html and advice.json. The same
    call continues an interrupted search.

    Args:
        search: The settings; None takes the defaults, on digits.
        out: Folder of the results: a folder for each rung, report.html and advice.json.
        task: A model, data and loss in this process, in place of those that ``search`` names. Its
            runs are executed in this process, one after another; the model is not changed.
        function: A training script as a function in this process, in place of ``search.script``:
            it takes learning_rate, seed, and those other names of
            :class:`~learnorder.ScriptConfig` that it has as parameters, and returns the final
            score, the scores of all epochs in a list, or a mapping with "score".
        minutes: Approximate time limit in minutes. The cost is measured on this machine first, and
            runs get as many epochs as fit, at most ``search.training.epochs``.
        execution: How the runs are executed.
        force: Continue a search although the script, the task's code or its data have changed
            since its first run. The report says which runs were made before.

    Returns:
        The advice; :meth:`~learnorder.Advice.band` has the recommended learning rates.

    Raises:
        ConfigError: The data or the model do not fit a setting, or the budget is too small.
        RunFolderError: ``out`` contains another search.
        LearnOrderError: See :mod:`learnorder.errors`.
    """
    from learnorder.execution.precision import with_precision

    search = search or LRSearch()
    here = task is not None or function is not None
    if here:
        execution = replace(execution, workers=1)
    with registered(search, task, function) as search:
        search = with_precision(search, search_plans, Path(out), execution)
        started = start_search(search, Path(out), minutes, execution, force=force)
        advice = SearchRunner(started, Path(out), execution, here=here).run()
    from learnorder.advise.page import write_advice

    write_advice(advice, out)
    return advice


@contextmanager
def registered(
    search: LRSearch, task: Task | None, function: Callable[..., Any] | None
) -> Iterator[LRSearch]:
    """Yield the search of a task or function passed as an object, if there is one."""
    if task is not None and function is not None:
        raise ConfigError("function", function, "Give either a task or a function, not both.")
    if task is not None:
        from learnorder.training.task import register_task

        with register_task(task) as config:
            yield replace(search, task=config)
    elif function is not None:
        from learnorder.scripts.functions import register_function

        with register_function(function) as name:
            yield with_names(replace(search, script=replace(search.script, given=name)))
    else:
        yield with_names(search)


def open_search(folder: Path, settings: dict[str, Any]) -> Advice:
    """Return the advice of a search that has ended, from its runs, without running anything.

    Raises:
        RunFolderError: Its settings are from another version, or runs are missing or unfinished.
    """
    return SearchRunner(recorded_search(settings, folder), folder, reads=True).run()


class SearchRunner:
    """Runs a search in a folder, or with ``reads`` reads one that has ended."""

    def __init__(
        self,
        started: StartedSearch,
        out: Path,
        execution: Execution = Execution(),
        *,
        here: bool = False,
        reads: bool = False,
    ) -> None:
        self.search, self.rates = started.search, started.learning_rates
        self.no_noise = started.no_noise
        self.out, self.execution, self.here, self.reads = out, execution, here, reads
        self.smallest = self.rates[0]
        self.score, self.higher_is_better = "accuracy", True
        self.reasons: dict[int, dict[float, str]] = {}
        self.scored: dict[int, dict[float, BySeed]] = {}

    def run(self) -> Advice:
        """Run the rungs, then all arms at full length."""
        rungs = Selection(self.search, self.rates, self).run()
        test = self.range_test() if self.search.tests_range else None
        rates = sorted(rungs[-1].scores)
        fixed = self._fixed_arms(test, rates)
        race = OtherArms(self.search, self.smallest, self, fixed).run(rungs[-1])
        final = {rate: race.scores[self._arm(rate)] for rate in rates}
        numbers = {rate: race.counts[self._arm(rate)] for rate in rates}
        scores, folders = self.train(race.counts, self.search.rungs - 1)
        data = folders[0].data()
        unseen = data.unseen_classes if isinstance(data, TaskDescription) else ()
        return Advice(
            search=self.search,
            score=self.score,
            higher_is_better=self.higher_is_better,
            rungs=(*rungs[:-1], replace(rungs[-1], scores=final, counts=numbers)),
            arms=scores,
            counts=dict(race.counts),
            range_test=test,
            no_noise=self.no_noise,
            unseen_classes=unseen,
            folders=tuple(folders),
            unlearned=unlearned_scores(folders) if self.search.target == "score" else {},
        )

    def _arm(self, rate: float) -> Candidate:
        return Candidate(rate, self.search.plateau)

    def train_arms(self, counts: Mapping[Candidate, int]) -> dict[Candidate, BySeed]:
        """Return the final scores of finished runs at full length, on the first seeds."""
        return self.train(counts, self.search.rungs - 1)[0]

    def _fixed_arms(self, test: RangeTest | None, rates: Sequence[float]) -> list[Candidate]:
        """Return the arms with noise and at the range test's pick, if there are any."""
        arms = list[Candidate]()
        if not self.no_noise:
            arms.append(replace(self._arm(self.smallest), noise=self.search.noise))
        if test is not None and test.pick is not None and near(test.pick, rates) not in rates:
            arms.append(self._arm(test.pick))
        return arms

    def train_rates(self, counts: Mapping[float, int], rung: int) -> dict[float, BySeed]:
        """Train learning rates on the first seeds of a rung; return their scores.

        Raises:
            ConfigError: No run of a script has a score, or its scores show that it ignores the
                learning rate or the seed.
        """
        trained, folders = self.train({self._arm(rate): n for rate, n in counts.items()}, rung)
        scores = {arm.learning_rate: by_seed for arm, by_seed in trained.items()}
        if self.search.is_script:
            known = self.scored.setdefault(rung, {})
            known |= scores
            if not any(known.values()):
                raise no_scores(self.search.script, folders)
            check_used(self.search.script, known)
            self.reasons.setdefault(rung, {}).update(reasons_by_rate(folders))
        return scores

    def train(
        self, counts: Mapping[Candidate, int], rung: int
    ) -> tuple[dict[Candidate, BySeed], list[RunFolder[Any]]]:
        """Run arms on the first seeds of a rung; return final scores by seed, and all runs.

        Args:
            counts: The number of seeds of each arm.
            rung: The rung, from 0.
        """
        from learnorder.execution.driver import run_plans

        epochs, seeds = self.search.rung_epochs(rung), self.search.rung_seeds(rung)
        plans = rung_plans(self.search, counts, self.smallest, rung)
        out, title = self.out / f"epochs-{epochs}", f"{epochs} epochs"
        if self.reads:
            folders = existing_runs(out, plans)
        else:
            folders = run_plans(plans, out, self.execution, title=title, here=self.here)
            require_ended(folders, "so the arms cannot be compared")
        by_plan = dict(zip(plans, folders, strict=True))
        scores: dict[Candidate, BySeed] = {}
        for arm, count in counts.items():
            names = {s: f"{folder_name(self.search, arm)}-seed{s}" for s in seeds[:count]}
            finished = {
                s: by_plan[n] for s, n in names.items() if by_plan[n].read_status() == "finished"
            }
            target = self.search.target
            scores[arm] = {seed: final_score(folder, target) for seed, folder in finished.items()}
            for folder in finished.values():
                _, self.score, self.higher_is_better = judged_by(folder, target)
        return scores, folders

    def range_test(self) -> RangeTest:
        """Run the range test, on seeds from ``first_seed`` on, or read its file."""
        from learnorder.advise.range_rules import RangeTest
        from learnorder.advise.range_test import RESTARTS, range_test
        from learnorder.execution.engine import share_cores
        from learnorder.execution.log_lines import phase
        from learnorder.runs.execute import arithmetic

        path = self.out / "range_tests.json"
        if (kept := read_sealed(path, RangeTest)) is not None:
            return kept
        if self.reads:
            raise RunFolderError(f"{path}: missing. Run the search again to continue it.")
        config = self.search.training_run(
            Candidate(self.smallest, self.search.plateau), self.smallest, 2, seed=0
        )
        threads = share_cores(1, threads=self.execution.threads).threads
        received: list[int] = []
        end = self.execution.stops_at()

        def stop() -> None:
            if not received and end is not None and time.monotonic() >= end:
                received.append(signal.SIGINT)
            if received:
                raise Interrupted(
                    received[0],
                    "in the range test, of which nothing is kept. The same command starts it "
                    "again, and keeps the runs.",
                )

        log = phase("range test", quiet=self.execution.quiet)
        with on_signals(received.append), arithmetic(threads), log:
            test = range_test(
                config.training,
                make_problem(config),
                seeds=range(self.search.first_seed, self.search.first_seed + RESTARTS),
                stop=stop,
            )
        write_sealed(path, asdict(test))
        return test
