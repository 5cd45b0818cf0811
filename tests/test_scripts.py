"""Searches over a training script: names, scores, failures, processes, whole searches."""

import json
import math
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

import learnorder
from learnorder import Advice, LRSearch, ScriptConfig
from learnorder.advise.plans import search_plans
from learnorder.advise.run import run_advise
from learnorder.cli.main import main
from learnorder.config.script import ScriptRunConfig, names_in
from learnorder.config.settings import DataConfig, TaskConfig
from learnorder.config.training import TrainingConfig
from learnorder.errors import ConfigError, RunFolderError
from learnorder.execution.estimate import estimate_cost
from learnorder.execution.processes import Processes
from learnorder.execution.settings import Execution
from learnorder.runs import RunFolder, find_runs
from learnorder.scripts import backend
from learnorder.scripts.identity import files_of
from learnorder.scripts.launch import launch
from learnorder.scripts.score import NoScore, Scores, read_scores, scores_of

QUIET = Execution(workers=1, quiet=True)

TRAIN = """
    import json, math, os, sys, time
    given = dict(word.split("=", 1) for word in sys.argv[1:])
    lr, seed, epochs = float(given["lr"]), int(given["seed"]), int(given.get("epochs", 8))
    # The best is 0.1; longer runs are better; the seed adds what all rates share.
    score = 0.9 - 0.1 * abs(math.log10(lr / 0.1)) - 0.1 / epochs + 0.003 * ((7 * seed) % 5)
    score += 0.002 * ((3 * seed + round(100 * lr)) % 4)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("scripts")


@pytest.fixture
def tmp_path(folder):
    """One folder for all tests, in which their processes are shared; it is emptied for each."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return folder


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    """Each test begins in an empty folder, without rehearsals of others."""
    monkeypatch.chdir(tmp_path)
    backend._rehearsals.clear()


def write(end: str = "print(score)", name: str = "train.py") -> None:
    Path(name).write_text(textwrap.dedent(TRAIN) + textwrap.dedent(end) + "\n")


def command(*words: str) -> str:
    names = ("lr={learning_rate}", "seed={seed}", "epochs={epochs}", *words)
    return " ".join([sys.executable, "train.py", *names])


def search(text: str | None = None, **script: object) -> LRSearch:
    return LRSearch(
        script=ScriptConfig(command() if text is None else text, **script),  # pyright: ignore
        learning_rates=(0.001, 0.01, 0.1, 1.0),
        training=TrainingConfig(epochs=8, batch_size=32),
        seeds=3,
        screening_seeds=2,
    )


def expected(lr: float, seed: int, epochs: int = 8) -> float:
    score = 0.9 - 0.1 * abs(math.log10(lr / 0.1)) - 0.1 / epochs + 0.003 * ((7 * seed) % 5)
    return score + 0.002 * ((3 * seed + round(100 * lr)) % 4)


# The command and its names.


def test_words_get_the_values():
    script = ScriptConfig(
        "python train.py --lr={learning_rate} --tag 'a b' '{\"s\": {\"t\": {seed}}}' --wd {wd}",
        values={"wd": 1e-05},
    )
    values = ScriptRunConfig(script, 0.1, seed=3).all_values("/out")
    words = ["python", "train.py", "--lr=0.1", "--tag", "a b", '{"s": {"t": 3}}', "--wd", "1e-05"]
    assert script.arguments(values) == words
    assert names_in("{a} ${b} {c} {a} {1}") == ("a", "c")


def test_a_shell_gets_quoted_values():
    script = ScriptConfig("echo {tag} {learning_rate} {seed} | cat", shell=True,
                          values={"tag": "a; b"})  # fmt: skip
    values = ScriptRunConfig(script, 0.5).all_values("/out")
    assert script.arguments(values) == ["/bin/sh", "-c", "echo 'a; b' 0.5 0 | cat"]


@pytest.mark.parametrize("text", [
    "{tag}", '"{tag}"', "'{tag}'", '"a"{tag}"b"', "'it'\\''s {tag}'", '\\"{tag}\\"',
    '"\\"{tag}\\""', '"$(printf %s {tag})"', '"$(printf %s "{tag}")"', "'$(' {tag} ')'", "\\'{tag}",
    '"(" {tag} ")"',
])  # fmt: skip
def test_a_value_within_quotes_stays_one(text):
    tag = '/a  b/it\'s "$HOME" `x` \\'
    command = f"printf '%s|' {text}; : {{learning_rate}} {{seed}}"
    script = ScriptConfig(command, shell=True, values={"tag": tag})
    words = script.arguments(ScriptRunConfig(script, 0.5).all_values("/out"))
    printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert tag in printed


def test_a_score_is_not_read_the_wrong_way_round():
    with pytest.raises(
        ConfigError, match=r"lower val_loss is better.*script.higher_is_better fals"
    ):
        ScriptConfig("t {learning_rate} {seed}", score_name="val_loss")
    with pytest.raises(ConfigError, match="higher accuracy is better"):
        ScriptConfig("t {learning_rate} {seed}", score_name="accuracy", higher_is_better=False)
    ScriptConfig("t {learning_rate} {seed}", score_name="negative loss")


def test_a_run_has_an_epoch():
    with pytest.raises(ConfigError, match="epochs: got -3"):
        ScriptRunConfig(ScriptConfig("t {learning_rate} {seed}"), 0.1, epochs=-3)


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("python train.py --seed {seed}", {}, "does not take {learning_rate}"),
        ("python train.py --lr {learning_rate}", {}, "does not take {seed}"),
        ("python train.py {learning_rate} {seed} {epoch}", {}, "Did you mean epochs?"),
        ("python train.py {learning_rate} {seed} > log", {}, "is for a shell"),
        ("A=1 python train.py {learning_rate} {seed}", {}, "env A=1"),
        ("python 'train.py {learning_rate} {seed}", {}, "Close all quotes"),
        ("  ", {}, "It is empty"),
        ("t {learning_rate} {seed}", {"values": {"wd": 1}}, "There is no {wd}"),
        ("t {learning_rate} {seed}", {"values": {"seed": 1}}, "The search sets it"),
        ("t {learning_rate} {seed}", {"score": "acc: .*"}, "It has 0 groups"),
        ("t {learning_rate} {seed}", {"curve": "acc: (.*"}, "not a regular expression"),
        ("t {learning_rate} {seed}", {"score": "(a)", "curve": "(b)"}, "one way only"),
        ("t {learning_rate} {seed}", {"score_file": "m.json"}, "--out {out}"),
        ("t {learning_rate} {seed} {out}", {"score_file": "../m.json"}, "a file of its own"),
        ("t {learning_rate} {seed}", {"function": "a.b"}, "not both"),
        ("t {learning_rate} {seed}", {"timeout_minutes": 0.0}, "above 0"),
    ],
)
def test_commands_that_are_refused(text, options, words):
    with pytest.raises(ConfigError) as error:
        ScriptConfig(text, **options)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"learning_rates": None}, "learning_rates"),
        ({"learning_rates": (-0.1, 0.1)}, "learning_rates"),
        ({"learning_rates": (0.1, 1e9)}, "learning_rates"),
        ({"training": TrainingConfig(epochs=8, batch_size=64)}, "training.batch_size"),
        ({"task": TaskConfig("my.task")}, "task"),
        ({"data": DataConfig(validation_share=0.2)}, "data"),
        ({"target": "loss"}, "target"),
        ({"anneal": "cosine"}, "anneal"),
    ],
)
def test_settings_that_a_script_decides_are_refused(changes, field):
    with pytest.raises(ConfigError) as error:
        replace(search(), **changes)
    assert error.value.field == field


def test_a_length_alone_is_no_setting_that_a_script_decides():
    assert replace(search(), training=TrainingConfig(epochs=4)).training.epochs == 4


# Reading the score.


@pytest.mark.parametrize(
    ("printed", "options", "final", "curve"),
    [
        ("epoch 1\n0.75\n", {}, 0.75, ()),
        ("start\n0.5\n\n", {}, 0.5, ()),
        ('{"score": 0.25, "other": 1}', {}, 0.25, ()),
        ('{"val": {"acc": [0.1, 0.3]}}', {"score_key": "val.acc"}, 0.3, (0.1, 0.3)),
        ("acc=0.1\nacc=0.2\nfinal=0.3", {"curve": r"acc=(\S+)"}, 0.2, (0.1, 0.2)),
        ("acc=0.1\rfinal=0.3\r", {"score": r"^final=(\S+)$"}, 0.3, ()),
        ("nan", {}, math.nan, ()),
    ],
)
def test_scores_are_read(tmp_path, printed, options, final, curve):
    (tmp_path / "stdout.txt").write_text(printed)
    (tmp_path / "stderr.txt").write_text("")
    script = ScriptConfig("t {learning_rate} {seed}", **options)
    scores = read_scores(script, tmp_path, tmp_path)
    assert scores.final == pytest.approx(final, nan_ok=True)
    assert scores.curve == curve


@pytest.mark.parametrize(
    ("printed", "options", "words"),
    [
        ("", {}, "printed nothing"),
        ("done", {}, "'done', not a number"),
        ('{"acc": 1}', {}, "has no 'score' but acc"),
        ("acc=0.1\nacc=0.2", {"score": r"acc=(\S+)"}, "matches 2 times"),
        ("none", {"score": r"acc=(\S+)"}, "Nothing that it printed matches"),
        ("acc=x", {"score": r"acc=(\S+)"}, "'x', not a number"),
        ("93.5", {"score_name": "accuracy"}, "accuracy_percent"),
    ],
)
def test_scores_that_cannot_be_read(tmp_path, printed, options, words):
    (tmp_path / "stdout.txt").write_text(printed)
    (tmp_path / "stderr.txt").write_text("")
    with pytest.raises(NoScore) as error:
        read_scores(ScriptConfig("t {learning_rate} {seed}", **options), tmp_path, tmp_path)
    assert words in str(error.value)


def test_a_function_returns_a_number_a_list_or_a_mapping():
    script = ScriptConfig(function="a.b")
    assert scores_of(0.5, script).final == 0.5
    assert scores_of([0.1, 0.5], script).curve == (0.1, 0.5)
    assert scores_of({"score": 0.5, "more": 1}, script).final == 0.5
    share = replace(script, score_name="accuracy")
    assert scores_of([0.9, 1.0000001], share) == Scores(1.0, (0.9, 1.0)), "computed in float32"
    for value in (None, True, "x", [], {"acc": 1}):
        with pytest.raises(NoScore):
            scores_of(value, script)


# Processes.


def test_processes_left_over_are_stopped(tmp_path):
    """Also those in a session of their own, whose parent has ended."""
    Path("left.py").write_text(
        textwrap.dedent("""
        import subprocess, sys
        sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
        child = subprocess.Popen(sleep, start_new_session=True)
        open("pid", "w").write(str(child.pid))
        print(0.5)
    """)
    )
    outcome = launch([sys.executable, "left.py"], tmp_path)
    assert (outcome.code, outcome.left) == (0, 1 if sys.platform == "linux" else 0)
    _wait_for_the_end(int(Path("pid").read_text()))


def test_a_command_is_stopped_after_its_time(tmp_path):
    """By a signal that it may handle; it is killed only if it does not end within seconds."""
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    outcome = launch(sleep, tmp_path, timeout=0.5)
    assert outcome.timed_out
    assert outcome.code == -signal.SIGTERM


def test_a_command_is_stopped_when_its_owner_is_killed(tmp_path):
    Path("wait.py").write_text(
        "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(600)"
    )
    code = (
        "import sys; from pathlib import Path; from learnorder.scripts.launch import launch; "
        "launch([sys.executable, 'wait.py'], Path('.'))"
    )
    owner = subprocess.Popen([sys.executable, "-c", code])
    while not (Path("pid").exists() and Path("pid").read_text()):
        time.sleep(0.02)
    owner.kill()
    owner.wait()
    _wait_for_the_end(int(Path("pid").read_text()))


def _wait_for_the_end(pid: int) -> None:
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            process.wait(60)


def test_a_program_that_does_not_exist_is_refused(tmp_path):
    for text, words in (
        ("no-such-program {learning_rate} {seed} {epochs}", "no program 'no-such-program'"),
        (command(), "There is no file train.py"),
    ):
        with pytest.raises(ConfigError) as error:
            run_advise(search(text), tmp_path / "out", execution=QUIET)
        assert words in str(error.value)
    assert not (tmp_path / "out").exists()


def test_gpus_are_given_out(monkeypatch):
    started = []

    class Recorded:
        alive = True

        def __init__(self, threads, device):
            self.device = device
            started.append(device)

    monkeypatch.setattr("learnorder.execution.processes.Process", Recorded)
    engine = Processes([0, "3"])
    assert engine.cores(10, None, 1, accelerated=True).workers == 2  # as scripts are
    for _ in range(3):
        engine.start(1)
    assert started == ["0", "3", "0"]
    with pytest.raises(ConfigError, match="each GPU once"):
        Processes([0, 0])


def test_a_run_sees_its_gpu(tmp_path, monkeypatch):
    write("print(score, file=sys.stderr)\nprint(score + float(os.environ['CUDA_VISIBLE_DEVICES']))")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    execution = Execution(engine=Processes([2]), quiet=True)
    advice = run_advise(replace(search(), rungs=1), tmp_path / "out", execution=execution)
    assert advice.mean(advice.arm(0.1)).mean == pytest.approx(
        2 + sum(expected(0.1, seed) for seed in range(3)) / 3
    )


# Whole searches.


def test_a_search_finds_the_best_rate(tmp_path, capsys):
    write()
    arguments = ["advise", "--command", command("plateau={plateau_epochs}"), "--quiet",
                 "--learning_rates", "[0.001, 0.01, 0.1, 1]", "--training.epochs", "8",
                 "--seeds", "3", "--script.score_name", "accuracy", "--workers", "1",
                 "--out", str(tmp_path / "out")]  # fmt: skip
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "Best after annealing: 0.1" in shown
    page = (tmp_path / "out" / "report.html").read_text()
    assert "train.py" in page
    assert "complete, annealed schedule" in page
    advice = learnorder.open_runs(tmp_path / "out", of=Advice)
    assert advice.best() == 0.1
    assert advice.score == "accuracy"
    scores = advice.arms[advice.arm(0.1)]
    assert scores == {seed: pytest.approx(expected(0.1, seed)) for seed in scores}
    assert {folder.config.values["plateau_epochs"] for folder in advice.folders} == {2, 4}
    assert main([*arguments[:-2], "--out", str(tmp_path / "out")]) == 0  # nothing is left to do
    assert main(["report", str(tmp_path / "out")]) == 0
    assert main(["runs", str(tmp_path / "out" / "epochs-8")]) == 0


def test_without_epochs_there_is_one_rung(tmp_path):
    write()
    text = f"{sys.executable} train.py lr={{learning_rate}} seed={{seed}}"
    with pytest.raises(ConfigError, match=r"script.higher_is_better: .* lower val_loss is better"):
        run_advise(search(text, score_name="val_loss"), tmp_path / "out", execution=QUIET)
    with pytest.raises(ConfigError, match="--rungs 1"):
        run_advise(search(text), tmp_path / "out", execution=QUIET)
    advice = run_advise(replace(search(text), rungs=1), tmp_path / "out", execution=QUIET)
    assert advice.best() == 0.1
    assert not advice.shorter_plateaus()
    assert "Best at the end: 0.1" in " ".join(advice.findings())
    with pytest.raises(ConfigError, match=r"Add \{epochs\}"):
        estimate_cost(search_plans(replace(search(text), rungs=1)), tmp_path / "none", QUIET)


def test_curves_are_kept(tmp_path):
    write("for epoch in range(1, epochs + 1): print(f'acc: {score - 0.1 / epoch:.4f}')")
    advice = run_advise(
        replace(search(curve=r"acc: ([\d.]+)"), rungs=1), tmp_path / "out", execution=QUIET
    )
    run = next(f for f in advice.folders if f.config.learning_rate == 0.1)
    values = run.records()["value"].to_pylist()
    score = expected(0.1, run.config.seed)
    assert values == pytest.approx([score - 0.1 / epoch for epoch in range(1, 9)], abs=1e-4)
    assert "Over the epochs" in (tmp_path / "out" / "report.html").read_text()


def test_a_score_file_of_each_run(tmp_path):
    write("json.dump({'val': {'acc': score}}, open(given['out'] + '/m.json', 'w'))")
    advice = run_advise(
        search(command("out={out}"), score_file="m.json", score_key="val.acc"),
        tmp_path / "out", execution=QUIET,
    )  # fmt: skip
    assert advice.best() == 0.1


def test_failures_are_results(tmp_path):
    """Exit codes, missing scores, nan: each is named, and its learning rate is in no mean."""
    write("""
        if lr == 1 and seed == 1: sys.exit("out of memory")
        if lr == 1 and seed == 2: print("no score")
        else: print("nan" if lr == 0.01 and seed == 0 else score)
    """)
    advice = run_advise(replace(search(), rungs=1), tmp_path / "out", execution=QUIET)
    assert advice.best() == 0.1
    assert advice.diverged_words(advice.arm(1.0)) == "2 of 3 without a score"
    assert advice.band() == [0.1]
    reasons = {f.name: f.read_manifest()["reason"] for f in advice.folders}
    assert reasons["1-seed1"] == "exit code 1: out of memory"
    assert "'no score', not a number" in reasons["1-seed2"]
    assert reasons["0.01-seed0"] == "its final score is nan"
    statuses = {f.name: f.read_status() for f in advice.folders}
    assert (statuses["1-seed1"], statuses["0.01-seed0"]) == ("no_score", "diverged")
    found = " ".join(advice.findings())
    assert "0.01 (no score in 1 of 3 runs: its final score is nan), 1 (no score in 2 of 3" in found
    assert "no score in 2 of 3 runs: exit code 1: out of memory)." in found


def test_processes_left_running_are_told(tmp_path):
    write("""
        import subprocess
        print(score)
        if epochs == 8 and (lr, seed) == (0.1, 1):
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    """)
    settings = replace(search(), rungs=1, learning_rates=(0.01, 0.1))
    advice = run_advise(settings, tmp_path / "out", execution=QUIET)
    said = "1 of the 6 runs at full length left processes running"
    assert said in " ".join(advice.findings())


def test_a_script_that_fails_is_found_before_the_first_run(tmp_path):
    write("raise ImportError('no module net')")
    with pytest.raises(ConfigError) as error:
        run_advise(search(), tmp_path / "out", execution=QUIET)
    assert "A rehearsal of 2 epochs at learning rate 0.001 failed: exit code 1" in str(error.value)
    assert "no module net" in str(error.value)
    assert not (tmp_path / "out").exists()


def test_all_runs_without_a_score(tmp_path):
    write("sys.exit('too long') if epochs > 2 else print(score)")
    with pytest.raises(ConfigError, match="None of 12 runs ended with a score: exit code 1: too"):
        run_advise(replace(search(), rungs=1), tmp_path / "out", execution=QUIET)


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("print(0.5 + 0.01 * seed)", "ignores its learning rate"),
        ("print(0.5 + lr)", "ignores its seed"),
        ("print(0.5)", "learn equally little"),
    ],
)
def test_what_a_script_ignores_is_said(tmp_path, end, words):
    write(end)
    with pytest.raises(ConfigError, match=words):
        run_advise(search(), tmp_path / "out", execution=QUIET)
    assert len(find_runs(tmp_path / "out")) == 8  # of the first rung, and no others


def test_another_command_is_refused_and_leaves_the_runs_as_they_are(tmp_path):
    write()
    small, out = replace(search(), rungs=1), tmp_path / "out"
    run_advise(small, out, execution=QUIET)
    before = {path: path.read_bytes() for path in out.glob("**/manifest.json")}
    assert before
    other = replace(small, script=ScriptConfig(command("x=1")))
    with pytest.raises(RunFolderError, match=r"script\.command"):
        run_advise(other, out)
    write("print(0.5 + lr)")
    with pytest.raises(RunFolderError, match="contains another search"):
        run_advise(other, out, execution=QUIET, force=True)
    assert before == {path: path.read_bytes() for path in before}


def test_an_edited_script_is_refused_unless_forced(tmp_path):
    write("import helper; print(score)")
    Path("helper.py").write_text("value = 1\n")
    assert {path.name for path in files_of(search().script)} == {"train.py", "helper.py"}
    small = replace(search(), rungs=1)
    run_advise(small, tmp_path / "out", execution=QUIET)
    Path("helper.py").write_text("value = 2\n")
    with pytest.raises(RunFolderError, match=r"file helper.py.*--force"):
        run_advise(small, tmp_path / "out", execution=QUIET)
    RunFolder(tmp_path / "out" / "epochs-8" / "1-seed0").delete()
    advice = run_advise(small, tmp_path / "out", execution=QUIET, force=True)
    said = "11 of the 12 runs at full length were made before a change of file helper.py"
    assert said in " ".join(advice.findings())
    assert said in " ".join(run_advise(small, tmp_path / "out", execution=QUIET).findings())


def test_an_interrupted_search_goes_on(tmp_path):
    """Ctrl-C stops the script, keeps the runs that have ended, and the command goes on."""
    write("""
        open("started", "a").write("x")
        if epochs > 2 and os.path.exists("sleep"): time.sleep(600)
        print(score)
    """)
    Path("sleep").touch()
    arguments = [
        sys.executable, "-m", "learnorder", "advise", "--command", command(), "--rungs", "1",
        "--learning_rates", "[0.01, 0.1]", "--training.epochs", "8", "--seeds", "3", "--quiet",
        "--workers", "2", "--out", "out",
    ]  # fmt: skip
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
    while not (Path("started").exists() and len(Path("started").read_text()) == 3):
        time.sleep(0.05)
    named = [p for p in psutil.process_iter(["cmdline"]) if "train.py" in (p.info["cmdline"] or [])]
    scripts = [process for process in named if process.cwd() == str(tmp_path)]
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT
    assert "The same command continues them" in said
    assert scripts
    for script in scripts:
        _wait_for_the_end(script.pid)
    statuses = [folder.read_status() for folder in find_runs("out")]
    assert statuses.count("interrupted") == 2
    Path("sleep").unlink()
    assert main(arguments[3:]) == 0
    assert {folder.read_status() for folder in find_runs("out")} == {"finished"}


# Functions.


def train(learning_rate: float, seed: int, epochs: int, weight_decay: float = 0.0) -> list[float]:
    return [expected(learning_rate, seed, epoch) - weight_decay for epoch in range(1, epochs + 1)]


def test_a_function_in_this_process(tmp_path):
    settings = replace(search(), script=ScriptConfig(score_name="f"), seeds=3)
    advice = run_advise(settings, tmp_path / "out", function=train, execution=QUIET)
    assert advice.best() == 0.1
    assert advice.score == "f"
    with pytest.raises(ConfigError, match="either a task or a function"):
        run_advise(settings, tmp_path / "out", function=train, task=object())  # pyright: ignore


def test_a_function_by_its_path(tmp_path, monkeypatch):
    """It is imported by the workers; opening the search afterwards does not import it."""
    root = str(Path(__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", root, prepend=":")
    path = f"{__name__}.train"
    script = ScriptConfig(function=path, values={"weight_decay": 0.5})
    settings = replace(search(), script=script, rungs=1, learning_rates=(0.01, 0.1))
    advice = run_advise(settings, tmp_path / "out", execution=QUIET)
    assert advice.mean(advice.arm(0.1)).mean == pytest.approx(
        sum(expected(0.1, seed) for seed in range(3)) / 3 - 0.5
    )
    monkeypatch.setattr("learnorder.config.script.import_object", None)
    assert learnorder.open_runs(tmp_path / "out", of=Advice).best() == 0.1
    report = json.loads((tmp_path / "out" / "advice.json").read_text())
    assert report["learning_rate"] == 0.1


def broken(learning_rate: float, seed: int, epochs: int) -> float:
    if epochs > 2 and learning_rate > 0.5:
        raise FloatingPointError("overflow")
    return expected(learning_rate, seed, epochs)


def test_a_function_that_raises_is_a_result(tmp_path):
    settings = replace(search(), script=ScriptConfig(), rungs=1, learning_rates=(0.01, 0.1, 1.0))
    advice = run_advise(settings, tmp_path / "out", function=broken, execution=QUIET)
    assert advice.diverged(advice.arm(1.0)) == 3
    assert "FloatingPointError: overflow" in " ".join(advice.findings())


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda learning_rate, seed, width: 0.5, "width has no value"),
        (lambda learning_rate: 0.5, "does not take seed"),
    ],
)
def test_functions_with_other_parameters_are_refused(tmp_path, function, words):
    with pytest.raises(ConfigError, match=words):
        run_advise(replace(search(), script=ScriptConfig()), tmp_path / "out", function=function)
