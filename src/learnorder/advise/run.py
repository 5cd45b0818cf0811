"""The command ``advise``: rungs of complete schedules, then paired comparisons at full length."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learnorder.advise.other_arms import OtherArms
from learnorder.advise.plans import (
    check_search,
    folder_name,
    initial_rates,
    make_problem,
    rung_plans,
    search_plans,
    why_no_noise,
    with_names,
)
from learnorder.advise.result import Advice, near
from learnorder.advise.scores import BySeed
from learnorder.advise.script_checks import check_used, no_scores, reasons_by_rate
from learnorder.advise.selection import Selection
from learnorder.advise.settings import FEWEST_EPOCHS, Candidate, LRSearch
from learnorder.errors import ConfigError, Interrupted, RunFolderError
from learnorder.execution.budget import Budget, epochs_within
from learnorder.execution.processes import processes_kept
from learnorder.execution.settings import Execution
from learnorder.runs import (
    RunFolder,
    difference_words,
    existing_runs,
    require_ended,
)
from learnorder.runs.descriptions import TaskDescription
from learnorder.runs.experiment import Experiment, read_experiment, settings_as
from learnorder.runs.judged import final_score, judged_by, unlearned_scores
from learnorder.runs.kinds import kind_of
from learnorder.runs.manifest import find_manifests
from learnorder.runs.sealed import read_json, read_sealed, write_sealed
from learnorder.runs.signals import on_signals
from learnorder.values import to_dict

if TYPE_CHECKING:
    from learnorder.advise.range_rules import RangeTest
    from learnorder.training.task import Task

_SPENT_ON_EPOCHS = 0.9
"""Share of the time that training takes."""
_FORMER_FILE = "search.json"
"""The file of the former version in place of experiment.json."""
_FORMER_NAMES = {"hold": "plateau", "shorter_holds": "shorter_plateaus"}
_FORMER_DEFAULTS = {"race": False, "keep": 0.5, "rungs": 3, "screening_seeds": 2}
"""The defaults of versions that did not race; their folders lack the first two."""


@dataclass(frozen=True)
class StartedSearch:
    """The settings of a search in experiment.json.

    Attributes:
        search: Its settings, with the epochs that fit in its budget.
        learning_rates: The initial grid.
        no_noise: Why noise is not tried; empty if it is.
    """

    search: LRSearch
    learning_rates: tuple[float, ...]
    no_noise: str

    @classmethod
    def of(cls, search: LRSearch) -> StartedSearch:
        """Return a search that is about to start; the model and the data are tried."""
        check_search(search)
        return cls(search, initial_rates(search), why_no_noise(search))


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
    return SearchRunner(_started(settings, folder), folder, reads=True).run()


def _started(settings: dict[str, Any], folder: Path) -> StartedSearch:
    """Return a search from its settings, also from those of versions that did not race."""
    if isinstance(search := settings.get("search"), dict):
        settings = {**settings, "search": {**_without_race(), **search}}
    return settings_as(StartedSearch, settings, folder)


def _without_race() -> dict[str, Any]:
    return {name: _FORMER_DEFAULTS[name] for name in ("race", "keep")}


def _as_it_was(search: LRSearch, existing: LRSearch) -> LRSearch:
    """Return a search with the former defaults, where it and the search of a folder have a default.

    A search that began without a race continues without one.
    """
    if any(getattr(existing, name) != former for name, former in _without_race().items()):
        return search
    defaults = {each.name: each.default for each in fields(LRSearch)}
    return replace(search, **{
        name: former
        for name, former in _FORMER_DEFAULTS.items()
        if getattr(existing, name) == former and getattr(search, name) == defaults[name]
    })  # fmt: skip


def start_search(
    search: LRSearch,
    out: Path,
    minutes: float | None,
    execution: Execution,
    *,
    force: bool = False,
) -> StartedSearch:
    """Return the search with the epochs that fit in its budget, and write its experiment.json.

    Nothing is written if the folder contains another search or the first runs are not valid. With
    ``force``, the runs of this search are continued with other code or data.
    """
    from learnorder.execution.driver import find_folders

    Experiment("advise").check(out)
    existing = _read_search(out)
    if existing is not None:
        search = _as_it_was(search, existing.search)
        if not force:
            _check_identity(search, out)
        bought = existing.search.training.epochs
        epochs = bought if minutes is not None else search.training.epochs
        _check_same(existing.search, search.with_epochs(epochs), out)
        if force:
            _accept_changes(search, out)
    budget = None if minutes is None else _budget(search, out, minutes, execution)
    if budget is not None:
        search = search.with_epochs(budget.epochs)
    if existing is not None:
        _check_same(existing.search, search, out)
        return existing
    started = StartedSearch.of(search)
    rates, epochs = started.learning_rates, search.rung_epochs(0)
    arms = [Candidate(rate, search.plateau) for rate in rates]
    find_folders(rung_plans(search, arms, rates[0], 0), out / f"epochs-{epochs}")
    if budget is not None:
        budget.keep(out)
    Experiment("advise", to_dict(started)).write(out)
    return started


def _read_search(out: Path) -> StartedSearch | None:
    """Return the search of a folder, or None."""
    existing = read_experiment(out)
    if existing is not None and existing.settings is not None:
        return _started(existing.settings, out)
    if not (out / _FORMER_FILE).exists():
        return None
    values, _ = read_json(out / _FORMER_FILE, "Move its folder away and run again.")
    renamed = {_FORMER_NAMES.get(name, name): value for name, value in values.items()}
    return StartedSearch.of(settings_as(LRSearch, {**_without_race(), **renamed}, out))


def _check_identity(search: LRSearch, out: Path) -> None:
    """Raise if the runs of a folder used other code or data."""
    for manifest in find_manifests(out)[:1]:
        try:
            RunFolder(manifest.parent).check_identity(_identity(search))
        except RunFolderError as error:
            raise RunFolderError(
                f"{error} To compare runs of both versions in this folder, give --force."
            ) from None


def _accept_changes(search: LRSearch, out: Path) -> None:
    """Let the runs of a search be continued with the present code and data."""
    identity = _identity(search)
    for manifest in find_manifests(out):
        RunFolder(manifest.parent).accept_identity(identity)


def _identity(search: LRSearch) -> dict[str, str]:
    """Return digests of the code and data of a search's runs."""
    config = search.run(Candidate(1.0, search.plateau), 1.0, search.training.epochs, seed=0)
    (identity,) = kind_of(config).load_backend().identify([config])
    return identity


def _check_same(existing: LRSearch, search: LRSearch, out: Path) -> None:
    """Raise if a folder contains another search."""
    if words := difference_words(to_dict(existing), to_dict(search)):
        raise RunFolderError(
            f"{out}: contains another search ({words}). Choose another folder with --out, or move "
            "this one away."
        )


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


def _budget(search: LRSearch, out: Path, minutes: float, execution: Execution) -> Budget:
    """Return the epochs that fit in the minutes, measured once for a search."""
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
