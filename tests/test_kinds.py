"""A new kind of run is one entry in the registry, and its own modules: here, this one."""

from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa
import pytest

import learnorder
from learnorder.cli.main import main
from learnorder.execution.driver import Plan
from learnorder.execution.estimate import estimate_cost
from learnorder.execution.settings import Execution
from learnorder.report.content import Content, Section, TextTable
from learnorder.report.page import write_report
from learnorder.runs.kinds import KINDS, CostEstimate, Kind
from learnorder.runs.opening import results_of
from learnorder.runs.query import query
from learnorder.runs.results import RunSet
from learnorder.theory.experiment import TheoryExperiment


@dataclass(frozen=True)
class WalkConfig:
    """A random walk."""

    steps: int = 20
    seed: int = 0

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class WalkDescription:
    steps: int


class WalkRecords:
    def __init__(self, places=()):
        self.places = list(places)

    def table(self):
        count = len(self.places)
        return pa.table({
            "step": pa.array(range(count), pa.int32()),
            "set": pa.array(["walk"] * count, pa.string()),
            "quantity": pa.array(["place"] * count, pa.string()),
            "value": pa.array(self.places, pa.float64()),
        })  # fmt: skip


# The backend.


def check(configs, processes=1):
    assert all(config.steps > 0 for config in configs)


def identify(configs):
    return [{} for _ in configs]


def run(folder, stop):
    config = folder.config
    folder.update(data={"steps": config.steps})
    places = np.random.default_rng(config.seed).normal(size=config.steps).cumsum()
    folder.write_tables(records=WalkRecords(places).table())
    return None if stop() else ("finished", "")


def measure(config):
    return CostEstimate(0.5 * config.steps, f"{config.steps} steps", 1000, 1000)


def cost_key(config):
    return repr(config.steps)


class WalkResults(RunSet):
    def final(self, arm, set_, quantity):
        return {
            folder.config.seed: folder.records()["value"][-1].as_py()
            for folder in self.folders
            if self.arm_of(folder) == arm and folder.read_status() == "finished"
        }

    def quantities(self):
        return [("walk", "place", "last place")]


# How it is shown.

FIGURES = MappingProxyType({"walks": lambda results: go.Figure()})


def findings(results):
    return [f"{len(results.folders)} walks were made."]


def setup(results):
    return [("Walks", "of random steps")]


def summary_table(results):
    rows = [
        [arm, f"{results.final_estimate(arm, 'walk', 'place').mean:.2f}"] for arm in results.arms
    ]
    return TextTable("Walks", ["arm", "last place"], rows, "Mean over seeds.")


def content(results):
    table = summary_table(results)
    return Content(
        "Random walks", findings(results), setup(results), [Section(table.title, table=table)], []
    )


WALK = Kind(
    name="walk",
    configuration=f"{__name__}.WalkConfig",
    backend=__name__,
    records=f"{__name__}.WalkRecords",
    description=f"{__name__}.WalkDescription",
    results=f"{__name__}.WalkResults",
    presentation=__name__,
    shared="Walks of one seed share their steps.",
    headline=("walk", "", "place", "last place"),
    moment="step",
    accelerated=False,
)


@pytest.fixture
def walks(monkeypatch, tmp_path):
    """Two arms of walks on two seeds, made in this process."""
    from learnorder.execution.driver import run_plans

    monkeypatch.setitem(KINDS, "walk", WALK)
    plans = {
        f"{arm}-seed{seed}": Plan(WalkConfig(steps, seed), {"experiment": "walks", "arm": arm})
        for seed in (0, 1)
        for arm, steps in (("short", 5), ("long", 50))
    }
    cost = estimate_cost(plans, tmp_path / "none", Execution(workers=1))
    assert cost.seconds >= 2 * 0.5 * 55
    folders: list[Any] = run_plans(plans, tmp_path, Execution(quiet=True), here=True)
    return tmp_path, results_of(folders)


def test_it_is_run_and_read(walks):
    folder, results = walks
    assert isinstance(results, WalkResults)
    assert results.arms == ["short", "long"]
    expected = {seed: np.random.default_rng(seed).normal(size=5).sum() for seed in (0, 1)}
    assert results.final("short", "walk", "place") == pytest.approx(expected)
    assert type(learnorder.open_runs(folder, of=WalkResults)) is WalkResults
    assert "4 walks were made." in results._repr_html_()


def test_it_has_a_page_and_lists(walks, capsys):
    folder, results = walks
    assert "Random walks" in write_report(results, folder / "report.html").read_text()
    assert main(["report", str(folder)]) == 0
    assert main(["runs", str(folder)]) == 0
    assert main(["runs", str(folder / "long-seed1")]) == 0
    shown = capsys.readouterr().out
    assert "last place" in shown
    assert "long-seed1" in shown


def test_it_is_queried_beside_the_others(walks):
    folder, _ = walks
    learnorder.run_theory(
        TheoryExperiment(arms=("S",), seeds=1), folder / "theory", execution=Execution(quiet=True)
    )
    found = query("SELECT run, max(step) AS last FROM records GROUP BY run ORDER BY run", folder)
    assert sorted(found["last"].dropna()) == [4, 4, 49, 49]
    assert len(found) == 5
