"""The theory's commands: run folders, results with known answers, phase diagrams, pages."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from learnorder.cli.main import main
from learnorder.errors import ConfigError, RunFolderError
from learnorder.execution.driver import Plan, make_folders, run_plans
from learnorder.execution.settings import Execution
from learnorder.report.page import render
from learnorder.runs import RunFolder, find_runs
from learnorder.runs.execute import execute
from learnorder.runs.opening import open_runs
from learnorder.statistics import POSITIVE, ratio_of_means, side_of
from learnorder.theory import (
    AlgorithmConfig,
    DistributionConfig,
    MeasureConfig,
    NetworkConfig,
    SolverConfig,
    TheoryConfig,
)
from learnorder.theory.backend import cost_key, measure
from learnorder.theory.experiment import TheoryExperiment
from learnorder.theory.figures import FIGURES
from learnorder.theory.memory import check_memory
from learnorder.theory.phase_page import PhaseGrid
from learnorder.theory.records import TheoryRecords
from learnorder.theory.results import TheoryResults
from learnorder.theory.run import phase_plans, run_phase, run_theory
from learnorder.theory.tables import (
    phase_findings,
    phase_table,
    theory_final_table,
    theory_findings,
    theory_order_table,
    theory_ratio_table,
)

from .conftest import html_sentences

SMALL = TheoryExperiment(
    DistributionConfig(d=40, s=300.0, r=1e-3),
    measure=MeasureConfig(test_examples=300, per_decade=3),
    seeds=2,
)
OPTIONS = [
    "--distribution.d", "40", "--distribution.s", "300", "--distribution.r", "1e-3",
    "--measure.test_examples", "300", "--measure.per_decade", "3", "--quiet",
    "--workers", "1",
]  # fmt: skip


def fake_run(path, config, labels, *, p, q, error, second, annealed=None, examples=1000):
    """A finished run with P's and Q's margins, P-only error and second difference at 1, 10, 100."""
    folder = RunFolder.create(path, config, labels)
    records = TheoryRecords()
    for index, moment in enumerate((1.0, 10.0, 100.0)):
        phase = 0 if annealed is None or moment <= annealed else 1
        values = {
            ("p_only", "margin"): p[index],
            ("q_only", "margin"): q[index],
            ("p_only", "error"): error[index],
            ("q_only", "error"): 0.5 if q[index] <= 0 else 0.0,
            ("both", "error"): 0.01,
            ("all", "error"): 0.02,
            ("all", "loss"): 0.3 - 0.1 * index,
            ("p_only", "error_gaussian"): error[index],
            ("train", "loss"): 0.6 - 0.1 * index,
            ("q", "second_difference"): second[index],
        }
        grids = [index]
        if moment in (annealed, 100.0):
            grids.append(-1)
        for grid in grids:
            for (set_, quantity), value in values.items():
                n = 0 if set_.startswith("q") else examples
                records.add(grid, moment, moment, phase, set_, quantity, value, n)
    folder.write_tables(records=records.table())
    folder.update(status="finished", reason="reached ε2", seconds=1.25)
    return folder


def lose(path, arm, seed, status="diverged"):
    """A run without a result."""
    folder = RunFolder.create(path, SMALL.run(arm, seed), {"arm": arm})
    folder.update(status=status)
    return folder


@pytest.fixture
def results(tmp_path):
    """S learns Q at once and errs four times as often as L-S, on each of three seeds."""
    folders = []
    for seed in range(3):
        for arm in ("S", "L-S"):  # as they come from disk, not in the paper's order
            config = SMALL.run(arm, seed)
            small = arm == "S"
            folders.append(
                fake_run(
                    tmp_path / f"{arm}-seed{seed}", config, {"arm": arm},
                    p=(0.1, 0.2, 0.8) if small else (0.1, 0.6, 0.8),
                    q=(3.0, 4.0, 5.0) if small else (0.0, 0.0, 4.0),
                    error=(0.01, 0.04, 0.04 + 0.008 * seed) if small else (0.01,) * 2
                    + (0.01 + 0.002 * seed,),
                    second=(-20.0, -30.0, -40.0) if small else (-0.01, -0.03, -20.0),
                    annealed=None if small else 10.0,
                )
            )  # fmt: skip
    return TheoryResults(folders)


def test_known_answers(results):
    assert results.arms == ["L-S", "S"]
    assert results.half_learned("S", "Q") == {0: 1.0, 1: 1.0, 2: 1.0}
    # P of S: 0.4 between 0.2 at 10 and 0.8 at 100, a third of the way in log time
    assert results.half_learned("S", "P")[0] == pytest.approx(10 ** (1 + 1 / 3))
    assert results.half_learned("L-S", "P")[0] == pytest.approx(10**0.6)
    assert results.learned("L-S", "Q") == {0: 100.0, 1: 100.0, 2: 100.0}
    assert results.learned("S", "P") == {0: 1.0, 1: 1.0, 2: None}
    assert results.annealed("L-S") == {0: 10.0, 1: 10.0, 2: 10.0}
    assert results.annealed("S") == {}
    assert results.second_difference_ratio() == {0: 0.01 / 20} | dict.fromkeys((1, 2), 0.01 / 20)
    ratio = results.final_ratio("S", "L-S", "p_only", "error")
    assert ratio.mean == pytest.approx(4)
    assert ratio.identical  # S is 4 × L-S exactly
    curve = results.curve("L-S", "p_only", "margin")
    assert curve[10.0].mean == pytest.approx(0.6)
    assert results.examples("S", "p_only", "error") == 3000
    with pytest.raises(KeyError, match="no arm"):
        results.final("large", "p_only", "error")
    with pytest.raises(KeyError, match="no figure"):
        results.figure("pie")


def test_the_ratio_of_means_is_fiellers():
    """Against the definition: at both ends the difference is t standard errors from 0."""
    a, b = {0: 5.0, 1: 7.0, 2: 6.5, 3: 4.0}, {0: 1.0, 1: 1.4, 2: 0.9, 3: 1.1}
    found = ratio_of_means(a, b)
    for end in (found.low, found.high):
        values = [a[s] - end * b[s] for s in a]
        mean = sum(values) / 4
        error = math.sqrt(sum((v - mean) ** 2 for v in values) / 3 / 4)
        assert abs(mean) / error == pytest.approx(3.182446, rel=1e-4)  # t(0.975, 3)
    uncertain = {0: 1.0, 1: 0.1, 2: 0.9, 3: 0.1}
    unbounded = ratio_of_means(a, uncertain, within=POSITIVE)
    assert unbounded.high == math.inf
    assert 0 < unbounded.low < unbounded.mean  # b's mean may be 0, a's is not
    signed = ratio_of_means(a, uncertain)
    assert (signed.low, signed.high) == (-math.inf, math.inf), "b's mean may be negative"
    assert ratio_of_means({0: 1.0, 1: -1.0}, {0: 1.0, 1: -1.0}).low == -math.inf
    zero = dict.fromkeys(range(3), 0.0)
    none = ratio_of_means({0: 0.03, 1: 0.02, 2: 0.03}, zero, within=POSITIVE)
    assert none.low == none.mean == math.inf  # b is 0 on every seed
    assert math.isnan(ratio_of_means({0: 0.03, 1: 0.02, 2: 0.03}, zero).mean)
    equal = ratio_of_means(dict.fromkeys(range(3), 0.03), zero, within=POSITIVE)
    assert equal.identical
    assert side_of(equal, 1.0) == "inconclusive"
    assert math.isnan(ratio_of_means({0: 0.0, 1: 0.0}, {0: 0.0, 1: 0.0}).mean)
    assert ratio_of_means({0: 1.0}, {0: 2.0}).mean == 0.5
    assert ratio_of_means({0: 1.0}, {1: 2.0}).n == 0


def test_tables_and_sentences(results):
    final = theory_final_table(results)
    assert final.rows[0][0] == "L-S (large LR + anneal)"
    assert final.rows[1][2].startswith("4.800 [")
    assert theory_order_table(results).rows[1][1:3] == ["21.5", "1"]
    ratios = theory_ratio_table(results)
    assert ratios is not None
    assert ratios.rows[0][3] == "4 (3 equal values)"
    said = " ".join(theory_findings(results))
    assert "S (small LR) learns Q first, at η·t = 1, and P at 21.5" in said
    assert "at most 0.05 % of S's" in said
    assert (
        "4 (3 equal values), n = 3 pairs; identical values on fewer than 6 seeds are inconclusive"
        in said
    )


@pytest.mark.parametrize("status", ["diverged", "out_of_steps"])
def test_an_arm_with_a_lost_run_gets_no_verdict(tmp_path, status):
    folders = [
        fake_run(
            tmp_path / f"{arm}{seed}", SMALL.run(arm, seed), {"arm": arm}, p=(0, 0, 1), q=(1, 1, 1),
            error=[(0.04 if arm == "S" else 0.01) + 1e-4 * seed**2] * 3, second=(-1, -1, -1),
        )
        for seed in range(4)
        for arm in ("S", "L-S")
    ]  # fmt: skip
    assert theory_findings(TheoryResults(folders))[-1].endswith("n = 4 pairs: S errs more often.")
    results = TheoryResults([*folders, lose(tmp_path / "lost", "S", 4, status)])
    said = " ".join(theory_findings(results))
    assert "n = 4 pairs; a verdict needs a result of every run." in said
    assert "errs more often" not in said
    assert "a result of every run" in theory_ratio_table(results).note


def test_no_mistakes_are_an_upper_bound(tmp_path):
    config = SMALL.run("S", 0)
    run = fake_run(
        tmp_path / "a", config, {"arm": "S"}, p=(1, 1, 1), q=(1, 1, 1), error=(0, 0, 0),
        second=(-1, -1, -1), examples=100_000,
    )  # fmt: skip
    assert theory_final_table(TheoryResults([run])).rows[0][2] == "< 0.003"


OF_A_PHASE = {"first_S", "first_L-S", "ratio"} | {n for n in FIGURES if n.endswith("_by_setting")}


@pytest.mark.parametrize("name", sorted(FIGURES.keys() - OF_A_PHASE))
def test_every_figure_draws_something(results, name):
    figure = results.figure(name)
    assert any(len(trace.x) for trace in figure.data if trace.x is not None)
    assert figure.layout.title.text


def test_from_the_verb_to_the_page(tmp_path):
    results = run_theory(SMALL, tmp_path, execution=Execution(quiet=True))
    assert [f.read_status() for f in results.folders] == ["finished"] * 6
    assert results.arms == ["L-S", "S", "S+noise"]
    q, p = (results.half_learned("S", pattern) for pattern in ("Q", "P"))
    for seed in (0, 1):
        assert (q[seed] or math.inf) < (p[seed] or math.inf)
    assert results.final_ratio("S", "L-S", "p_only", "error_gaussian").mean > 1.5
    assert 0 < max(results.second_difference_ratio().values()) < 0.2
    table = results._repr_html_()
    assert html_sentences(table) == results.findings()
    assert "learns P first" in results.findings()[0] or "learns Q first" in results.findings()[0]
    error = results.final_estimate("S+noise", "p_only", "error")
    row = f'<th scope="row">S+noise</th><td>2 finished</td><td>{error.format(100)} %</td>'
    assert row in table
    page = (tmp_path / "report.html").read_text()
    assert "Two-layer theory" in page
    assert "When each pattern was learned" in page
    again = open_runs(tmp_path)
    assert again.arms == results.arms
    order = ["run", "time", "grid", "set", "quantity"]
    one, other = (r.frame().sort_values(order, ignore_index=True) for r in (results, again))
    assert one.equals(other)  # whatever the order of folders


def test_arms_share_examples_and_a_run_is_its_seed(tmp_path):
    one = run_theory(
        replace(SMALL, arms=("S",), seeds=1),
        tmp_path / "a",
        execution=Execution(threads=1, quiet=True),
    )
    two = run_theory(
        replace(SMALL, arms=("L-S", "S")),
        tmp_path / "b",
        execution=Execution(threads=1, quiet=True),
    )
    record = one.folders[0].file("records.parquet").read_bytes()
    assert record == (tmp_path / "b" / "S-seed0" / "records.parquet").read_bytes()
    moments = {a: two.trace(a, "p_only", "margin") for a in ("S", "L-S")}
    first = {(a, seed): min(t.items())[1] for a, by in moments.items() for seed, t in by.items()}
    assert first["S", 0] == pytest.approx(first["L-S", 0], rel=0.02)  # only Q has moved apart
    assert first["S", 0] != pytest.approx(first["S", 1], rel=0.02)


@pytest.mark.parametrize("engine", ["recursion", "finite"])
def test_other_engines_leave_the_same_records(engine, tmp_path):
    small = TheoryConfig(
        DistributionConfig(d=20, num_train=40, s=6.0, r=0.1),
        NetworkConfig(width_w=32, width_v=32, tau0=0.1),
        AlgorithmConfig(eta1=0.5, eta2=0.05, epsilon1=0.4, epsilon2=0.35, max_time=80.0),
        arm="S",
        solver=SolverConfig(engine),
        measure=MeasureConfig(test_examples=100, per_decade=2),
    )
    folder = RunFolder.create(tmp_path / engine, small, {"arm": "S"})
    assert execute(folder) in ("finished", "out_of_steps")
    flow = RunFolder.create(tmp_path / "flow", replace(small, solver=SolverConfig("flow")))
    execute(flow)
    shared = {("p_only", "error"), ("q_only", "loss"), ("q", "second_difference")}
    for run in (folder, flow):
        frame = run.records().to_pandas()
        assert shared <= set(zip(frame["set"], frame["quantity"], strict=True))
        assert frame["time"].is_monotonic_increasing


def test_out_of_steps_is_a_status_of_its_own(tmp_path, capsys):
    short = replace(SMALL, seeds=1, algorithm=AlgorithmConfig(max_time=1.0))
    results = run_theory(short, tmp_path, execution=Execution(quiet=True))
    assert {f.read_status() for f in results.folders} == {"out_of_steps"}
    assert theory_findings(results) == ["No run has finished: 3 out of steps."]
    assert "out of steps" in render(results)
    before = [f.file("records.parquet").stat().st_mtime_ns for f in results.folders]
    run_theory(
        short, tmp_path, execution=Execution(quiet=True)
    )  # they have ended, and are not run again
    assert before == [f.file("records.parquet").stat().st_mtime_ns for f in results.folders]


def arm_at(results, algorithm, s):
    """The arm of an algorithm at a value of s."""
    (arm,) = (a for a in results.arms if a.startswith(f"{algorithm}, distribution.s {s},"))
    return arm


def test_a_phase_diagram(tmp_path):
    grid = {"distribution.s": [30, 300], "distribution.r,algorithm.epsilon1": [[1e-3, 0.2]]}
    experiment = replace(SMALL, arms=("L-S", "S"), seeds=2)
    results = run_phase(experiment, grid, tmp_path, execution=Execution(quiet=True))
    assert len(results.folders) == 8
    for name in ("first_S", "first_L-S", "ratio"):
        (heat,) = results.figure(name).data
        assert (list(heat.x), list(heat.y)) == (["30", "300"], ["0.001"])
    drawn = results.figure("p_error_by_setting").data
    lines = [trace for trace in drawn if trace.mode == "lines+markers"]
    assert [line.name for line in lines] == ["L-S (large LR + anneal)", "S (small LR)"]
    for line, algorithm in zip(lines, ("L-S", "S"), strict=True):
        arm = arm_at(results, algorithm, "300")
        expected = results.final_estimate(arm, "p_only", "error_gaussian").mean
        assert dict(zip(line.x, line.y, strict=True))[300.0] == pytest.approx(100 * expected)
    loss = results.figure("p_loss_by_setting").data[0]
    assert loss.y[0] == pytest.approx(
        results.final_estimate(arm_at(results, "L-S", "30"), "p_only", "loss").mean
    )
    table = phase_table(results)
    assert table.columns[:2] == ["scale s of Q", "length r of ζ"]
    assert [row[0] for row in table.rows] == ["30", "300"]
    assert table.rows[1][2].startswith("P")
    assert table.rows[1][3].startswith("Q")
    page = (tmp_path / "report.html").read_text()
    assert "Phase diagram" in page
    assert "varied: s" in page


def phase_of(path, errors, lost=()):
    """A phase diagram over s, from the errors of S by point and seed; L-S's are 0.01 and more."""
    folders = []
    for s, by_seed in errors.items():
        for seed, error in enumerate(by_seed):
            for arm in ("L-S", "S"):
                config = replace(SMALL.run(arm, seed), distribution=DistributionConfig(d=40, s=s))
                labels = {
                    "axes": "distribution.s × distribution.r", "arm": arm,
                    "distribution.s": f"{s:g}", "distribution.r": "0.001",
                }  # fmt: skip
                folders.append(fake_run(
                    path / f"{arm}-{s}-{seed}", config, labels, p=(0, 0, 1), q=(1, 1, 1),
                    error=[error if arm == "S" else 0.01 + 1e-4 * seed] * 3, second=(-1, -1, -1),
                ))  # fmt: skip
                if (s, seed, arm) in lost:
                    folders[-1].update(status="diverged")
    return TheoryResults(folders)


def test_the_points_of_a_phase_diagram_are_adjusted_for_their_number(tmp_path):
    """One point is clear, one has p < 0.05 alone, one has a lost run, and one two seeds."""
    clear, alone = [0.04, 0.0402, 0.0401, 0.0403], [0.0135, 0.02, 0.0145, 0.02]
    errors = {100.0: clear, 200.0: alone, 300.0: [*clear, 0.0401], 400.0: clear[:2]}
    results = phase_of(tmp_path, errors, lost=[(300.0, 4, "S")])
    grid = PhaseGrid.of(results)
    assert 0.025 < grid.measured(("200", "0.001")).p < 0.05
    assert math.isnan(grid.measured(("300", "0.001")).p)
    (said,) = (text for text in phase_findings(results) if text.startswith("Error on P-only"))
    assert "of 3 points with at least 3 seeds, S errs more often than L-S at 1 and less" in said


def test_too_few_seeds_at_every_point_say_nothing_of_errors(tmp_path):
    results = phase_of(tmp_path, {100.0: [0.04, 0.05], 200.0: [0.04, 0.05]})
    assert not any(text.startswith("Error on P-only") for text in phase_findings(results))


def test_axes_of_words_and_two_diagrams(tmp_path):
    grid = {"network.kind": ["separate", "convolution"], "distribution.p0": [None, 0.06]}
    small = replace(SMALL, arms=("S",), seeds=1)
    results = run_phase(small, grid, tmp_path / "a", execution=Execution(quiet=True))
    assert len(phase_table(results).rows) == 4
    assert "kind of network" in phase_table(results).columns
    other = replace(small, algorithm=AlgorithmConfig(epsilon2=0.1))
    run_phase(other, grid, tmp_path / "b", execution=Execution(quiet=True))
    with pytest.raises(RunFolderError, match="several phase diagrams"):
        phase_table(open_runs(tmp_path))


@pytest.mark.parametrize(
    ("grid", "says"),
    [
        ({"arm": ["S", "L-S"], "distribution.r": [1e-3]}, "--arms"),
        ({"distribution.s": [1, 2]}, "two axes"),
        ({"distribution.s": [1], "distribution.q": [0.1]}, "No setting of this name"),
        ({"distribution.s": [10], "distribution.r": [-1.0]}, "distribution.r"),
    ],
)
def test_bad_grids(grid, says):
    with pytest.raises(ConfigError, match=says):
        phase_plans(SMALL, grid)


def test_runs_of_other_lengths_are_measured_apart():
    """At finite width the number of steps follows from the learning rate and the time allowed."""
    algorithm = AlgorithmConfig(eta1=4e-4, eta2=1e-4, max_time=1.0)
    run = replace(SMALL.run("S", 0), algorithm=algorithm, solver=SolverConfig("finite"))
    longer = replace(run, algorithm=replace(algorithm, max_time=2.0))
    assert cost_key(run) != cost_key(longer) != cost_key(replace(longer, arm="L-S"))
    assert cost_key(run) == cost_key(replace(run, seed=7))
    assert measure(longer).what.startswith("20,000 steps")


def test_results_of_no_phase_diagram(results):
    with pytest.raises(RunFolderError, match="theory phase"):
        results.figure("ratio")


def test_kinds_are_not_mixed(results, tiny, tmp_path):
    RunFolder.create(tmp_path / "images", tiny)
    with pytest.raises(RunFolderError, match="one kind"):
        open_runs(tmp_path)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        (["--distribution.r", "0"], "distribution.r"),
        (["--algorithm.eta1", "1"], "algorithm.eta1"),
        (["--arms", "[S, S]"], "arms"),
        (["--arms", "[large]"], "arms"),
        (["--seeds", "0"], "seeds"),
        (["--solver.engine", "magic"], "solver.engine"),
    ],
)
def test_the_command_refuses_with_the_field(options, field, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["theory", "run", *options]) == 2
    assert field in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_commands(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["theory"]) == 2
    assert main(["theory", "--help"]) == 0
    assert "phase" in capsys.readouterr().out
    assert main(["theory", "walk"]) == 2
    capsys.readouterr()
    assert main(["theory", "run", *OPTIONS, "--seeds", "1", "--dry-run"]) == 0
    assert "3 runs of up to" in capsys.readouterr().out
    assert not (tmp_path / "runs").exists()
    assert main(["theory", "run", *OPTIONS, "--seeds", "1"]) == 0
    printed = capsys.readouterr().out
    assert "P-only" in printed
    assert "Report: runs/theory/report.html" in printed
    assert main(["runs"]) == 0
    assert "P-only error" in capsys.readouterr().out
    assert main(["runs", "runs/theory/S-seed0"]) == 0
    assert "second_difference" in capsys.readouterr().out
    grid = "{distribution.s: [300], distribution.r: [1e-3]}"
    assert main(["theory", "phase", *OPTIONS, "--seeds", "1", "--grid", grid]) == 0
    assert "Point by point" in capsys.readouterr().out


LONG = TheoryConfig(
    DistributionConfig(d=30, num_train=60, s=8.0, r=0.05),
    NetworkConfig(width_w=64, width_v=64, tau0=0.1),
    AlgorithmConfig(eta1=0.2, eta2=0.01, epsilon1=0.3, epsilon2=0.01, max_time=60.0),
    arm="L-S",
    solver=SolverConfig("finite"),
    measure=MeasureConfig(test_examples=100),
)


def test_ctrl_c_continues_to_the_byte(tmp_path):
    whole, broken = (RunFolder.create(tmp_path / name, LONG) for name in ("whole", "broken"))
    execute(whole)
    command = [sys.executable, "-m", "learnorder.runs.execute", str(broken.path)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while broken.progress() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, message = process.communicate(timeout=60)
    if process.returncode == 0:
        pytest.skip("the run had ended before the signal came")
    assert process.returncode == 130
    assert "The same command continues" in message
    assert broken.file("checkpoint.pt").exists()
    execute(broken)
    names = ("records.parquet",)
    assert all(whole.file(n).read_bytes() == broken.file(n).read_bytes() for n in names)
    assert not broken.file("checkpoint.pt").exists()


def test_a_killed_worker_loses_one_run(tmp_path, monkeypatch):
    """A worker serves several runs; when it is killed in one, another takes its place."""
    import learnorder.execution.processes as processes

    class Doomed(processes.Process):
        def execute(self, folder):
            super().execute(folder)
            if folder.name == "b":
                self.close_with(signal.SIGKILL)

        def close_with(self, number):
            os.kill(self._process.pid, number)

    monkeypatch.setattr(processes, "Process", Doomed)
    plans = {name: Plan(SMALL.run("S", seed), {}) for seed, name in enumerate("abcd")}
    folders = run_plans(plans, tmp_path, execution=Execution(workers=1, quiet=True))
    assert [f.read_status() for f in folders] == ["finished", "failed", "finished", "finished"]
    assert "SIGKILL" in folders[1].read_manifest()["reason"]
    monkeypatch.undo()
    folders = run_plans(plans, tmp_path, execution=Execution(workers=1, quiet=True))
    assert {f.read_status() for f in folders} == {"finished"}
    assert len(find_runs(tmp_path)) == 4


# --- Memory --------------------------------------------------------------------------------------

FINITE = {"solver": {"engine": "finite"}, "algorithm": {"eta2": 1e-7}}


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"distribution": {"num_train": 20_000}, "solver": {"quadratic": True}},
         "distribution.num_train"),
        ({"distribution": {"num_train": 10**6},
          "solver": {"engine": "recursion", "quadratic": True}}, "distribution.num_train"),
        ({"distribution": {"num_train": 10**9}, "solver": {"engine": "recursion"}},
         "distribution.num_train"),
        ({"distribution": {"d": 10**6, "num_train": 1000}}, "distribution.d"),
        ({"measure": {"test_examples": 10**10}}, "measure.test_examples"),
        ({**FINITE, "network": {"width_w": 10**9}}, "network.width_w"),
        ({**FINITE, "network": {"width_v": 10**10}}, "network.width_v"),
        ({**FINITE, "network": {"width_v": 10**8}, "arm": "S+noise"}, "network.width_v"),
        ({**FINITE, "network": {"width_w": 10**8, "kind": "convolution"},
          "distribution": {"d": 10, "num_train": 10**4}, "arm": "S+noise"}, "network.width_w"),
        ({**FINITE, "distribution": {"num_train": 10**12}}, "distribution.num_train"),
    ],
)  # fmt: skip
def test_what_exceeds_the_memory_is_refused_by_name(tmp_path, monkeypatch, settings, field):
    """Before anything is made, with sizes; the folder of such a run can be read nevertheless."""
    monkeypatch.setattr("learnorder.config.memory.available_memory", lambda: 10**9)
    config = TheoryConfig.from_dict(settings)
    with pytest.raises(ConfigError, match=rf"{field}: got .*B of memory, and 1.0 GB are free"):
        make_folders({"a": Plan(config, {})}, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    folder = RunFolder.create(tmp_path / "run", config)
    assert RunFolder(folder.path).config == config
    with pytest.raises(ConfigError, match=field):
        execute(folder)
    assert folder.read_status() == "failed"


def test_the_largest_that_is_usual_is_not_refused(monkeypatch):
    monkeypatch.setattr("learnorder.config.memory.available_memory", lambda: 10**9)
    for name in ("flow", "recursion"):
        check_memory(TheoryConfig.from_dict({"solver": {"engine": name}}))
    check_memory(
        TheoryConfig.from_dict({**FINITE, "network": {"width_w": 2000, "width_v": 20_000}})
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [("d", 2), ("d", 10**400), ("kappa", 1e-200), ("r", 1e-200), ("s", 1e200), ("s", math.nan)],
)
def test_sizes_that_no_number_has_room_for(field, value):
    with pytest.raises(ConfigError, match=f"distribution.{field}"):
        TheoryConfig.from_dict({"distribution": {field: value}})


MEASURED = """
import json, sys
from pathlib import Path
from learnorder.theory.config import TheoryConfig
from learnorder.theory.memory import memory_parts
from learnorder.theory.simulation import simulate

def peak():  # ru_maxrss would begin at what the process that started this one had
    (line,) = (x for x in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in x)
    return 1024 * int(line.split()[1])

def taking(steps):
    left = list(range(steps))
    return lambda: not (left and (left.pop() or True))

simulate(TheoryConfig.from_dict({"distribution": {"d": 40}})).run(taking(3))
before, config = peak(), TheoryConfig.from_dict(json.loads(sys.argv[1]))
simulate(config).run(taking(4))
print((peak() - before) / sum(part.bytes for part in memory_parts(config)))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc is on Linux")
@pytest.mark.parametrize(
    "settings",
    [
        {"distribution": {"num_train": 2400}},
        {"distribution": {"num_train": 5000}},
        {"distribution": {"num_train": 12_000}},
        {"distribution": {"num_train": 6000}, "solver": {"engine": "recursion"}},
        {**FINITE, "distribution": {"d": 2000, "num_train": 300}, "network": {"width_w": 20_000}},
        {**FINITE, "distribution": {"d": 30, "num_train": 3000}, "network": {"width_v": 20_000},
         "arm": "S+noise"},
    ],
)  # fmt: skip
def test_what_runs_take_is_what_is_said(settings):
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, json.dumps(settings)],
        capture_output=True, check=True, text=True,
    )  # fmt: skip
    assert 0.7 < float(done.stdout) < 1.3
