"""What a folder is of: each command's folder opened by the others, and by the wrong command."""

import json
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

import learnorder
from learnorder import (
    Advice,
    AlongResult,
    Execution,
    ImageExperiment,
    JointResult,
    JudgedRuns,
    LRSearch,
    Probe,
    ProbeResult,
    ReproductionResult,
    Results,
    Schedule,
    TaskResults,
    TheoryResults,
    open_runs,
)
from learnorder.advise.along.settings import AlongSettings
from learnorder.advise.jointly.settings import JointSettings
from learnorder.cli.main import main
from learnorder.config.settings import DataConfig, ModelConfig, PatchConfig
from learnorder.config.training import NoiseConfig, TrainingConfig
from learnorder.errors import RunFolderError
from learnorder.images.experiment import Arm, Arms
from learnorder.probe.compare import run_probes
from learnorder.report.planned import run_planned
from learnorder.reproduce.scales import demo
from learnorder.runs.experiment import FILE, TYPES, Experiment, read_experiment
from learnorder.runs.sealed import write_sealed
from learnorder.theory import DistributionConfig
from learnorder.theory.experiment import TheoryExperiment
from learnorder.values import to_dict

QUIET = Execution(workers=1, quiet=True)
DATA = DataConfig(
    train_examples=60, evaluation_examples=60, evaluate_on="validation", validation_share=0.25
)
MLP = ModelConfig("MLP", {"widths": [8]})
SHORT = TrainingConfig(epochs=2, batch_size=20)
THEORY = TheoryExperiment(
    distribution=DistributionConfig(d=20, num_train=20),
    arms=("S",),
    seeds=1,
)


def images(name):
    """An experiment on images that takes a second."""
    noisy = Arm(Schedule(0.01), NoiseConfig(Schedule(0.1)))
    arms = Arms(Arm(Schedule(0.1, (2,), 0.1)), Arm(Schedule(0.01)), noisy)
    patch = PatchConfig() if name == "patch" else PatchConfig(eligible_share=0.0)
    return ImageExperiment(DATA, MLP, patch, SHORT, arms, seeds=1)


def probe():
    """A probe that takes seconds."""
    training = TrainingConfig(epochs=6, batch_size=20)
    return Probe(
        DATA, MLP, training, learning_rates=(0.05, 0.3), contrasts=(3.0,), noise=0, seeds=1
    )


def search():
    """A search that takes seconds."""
    return LRSearch(
        data=DATA, model=MLP, training=TrainingConfig(epochs=4, batch_size=20), rungs=1, seeds=2,
        learning_rates=(0.05, 0.3), noise=0.0, shorter_plateaus=(), range_test=False,
    )  # fmt: skip


def moving():
    """The learning rates of a search at several lengths, which takes seconds."""
    return replace(search(), seeds=3, learning_rates=(0.05, 0.1, 0.3))


DECAYS = {"training.weight_decay": [0.001, 0.01]}


def pairs():
    """The learning rates of a search with each of two weight decays, which takes seconds."""
    return replace(search(), seeds=3, learning_rates=(0.03, 0.05, 0.1, 0.3))


def reproduction():
    """A reproduction of which the claims on images as they are are judged."""
    return replace(demo(), plain=images("plain"), patch=images("patch"))


EXISTING = pd.DataFrame({
    "lr": [0.1] * 3 + [0.2] * 3, "seed": [0, 1, 2] * 2, "val_acc": [0.8, 0.9, 0.85] * 2,
})  # fmt: skip

MAKERS = {
    "patch": lambda out: learnorder.run_patch(images("patch"), out, execution=QUIET),
    "plain": lambda out: learnorder.run_plain(images("plain"), out, execution=QUIET),
    "train": lambda out: learnorder.run_train(
        images("plain").run("small", 0), out, execution=QUIET
    ),
    "theory": lambda out: learnorder.run_theory(THEORY, out, execution=QUIET),
    "phase": lambda out: learnorder.run_phase(
        THEORY, {"distribution.s": [5, 10], "distribution.r": [0.1, 0.2]}, out, execution=QUIET
    ),
    "sweep": lambda out: learnorder.run_sweep(
        {"": THEORY.run("S", 0)}, {"distribution.s": [5, 10]}, [0], out, execution=QUIET
    ),
    "probe": lambda out: learnorder.run_probe(probe(), out, execution=QUIET),
    "probes": lambda out: run_probes({"one": probe(), "other": probe()}, out, QUIET),
    "advise": lambda out: learnorder.run_advise(search(), out, execution=QUIET),
    "judged": lambda out: learnorder.judge_runs(EXISTING, out),
    "along": lambda out: learnorder.run_along(
        {"training.epochs": [2, 3]}, moving(), out, execution=QUIET
    ),
    "jointly": lambda out: learnorder.run_jointly(
        DECAYS, pairs(), out, baseline=0.001, execution=QUIET
    ),
    "paper": lambda out: learnorder.reproduce_paper(
        "you2019", out, only=["noise-suppressed-mlp"], seeds=1, execution=QUIET
    ),
    "reproduce": lambda out: learnorder.reproduce(
        reproduction(), out, only=["final-accuracy"], execution=QUIET
    ),
}
"""What makes a folder of each type; the type "unpatched" lies within a reproduction."""
OWN = {
    "probe": ProbeResult, "advise": Advice, "judged": JudgedRuns, "along": AlongResult,
    "jointly": JointResult, "reproduce": ReproductionResult, "paper": ReproductionResult,
}  # fmt: skip
"""Types with a result of their own."""


@pytest.fixture(scope="module")
def make_once(tmp_path_factory):
    """Return a folder of a type and what the function that made it returned, made when needed."""

    @cache
    def make(name):
        folder = tmp_path_factory.mktemp(name) / "out"
        return folder, MAKERS[name](folder)

    return make


@pytest.fixture
def copied(make_once, tmp_path):
    """Return a copy of a folder of a type, to be changed."""
    return lambda name: Path(shutil.copytree(make_once(name)[0], tmp_path / name))


@pytest.fixture(scope="module", params=MAKERS)
def made(request, make_once):
    """A type's name, a folder of it, and what the function that made it returned."""
    return request.param, *make_once(request.param)


def test_every_type_of_experiment_is_tried():
    assert MAKERS.keys() | {"unpatched"} == TYPES.keys()


def test_a_folder_says_what_it_is_of(made):
    name, folder, _ = made
    assert read_experiment(folder).type == name
    assert (folder / FILE).exists() == (name != "train"), "a single run's manifest says it"


def test_its_page_is_written_again(made, capsys):
    """``report`` writes the pages that the command wrote, but for the time of writing."""
    _, folder, _ = made
    before = {page: titles(page) for page in folder.glob("**/report.html")}
    for page in before:
        page.unlink()
    assert main(["report", str(folder)]) == 0
    assert "Report: " in capsys.readouterr().out
    assert titles(folder / "report.html") == before[folder / "report.html"]
    assert {page: titles(page) for page in folder.glob("**/report.html")} == before


def titles(page):
    """The headings and findings of a page."""
    text = page.read_text("utf-8").partition("<script")[0]
    return [line.strip() for line in text.splitlines() if "<h" in line or "<li" in line]


def test_it_opens_as_the_function_returned_it(made):
    name, folder, result = made
    if name in OWN:
        opened = open_runs(folder, of=OWN[name])
        assert opened == result or opened._repr_html_() == result._repr_html_()
        assert type(opened) is type(result)
    elif name != "probes":
        opened = open_runs(folder, of=type(result))
        assert opened.status_words() == result.status_words()
        assert opened.arms == result.arms


def test_another_result_is_refused(made):
    name, folder, _ = made
    for other, result in OWN.items():
        if result is not OWN.get(name):
            with pytest.raises(RunFolderError, match=f"not .*{TYPES[other].what}"):
                open_runs(folder, of=result)
    wrong = {"theory": Results, "phase": Results, "sweep": TaskResults}.get(name, TheoryResults)
    kind = "no runs" if name == "judged" else "another kind"
    with pytest.raises(RunFolderError, match=kind):
        open_runs(folder, of=wrong)


def test_its_runs_are_listed(made, capsys):
    name, folder, _ = made
    if name == "judged":
        pytest.skip("its runs are in a table, not in the folder")
    assert main(["runs", str(folder)]) == 0
    shown = capsys.readouterr().out
    many = len(list(folder.glob("**/manifest.json"))) > 1
    assert (f"{TYPES[name].what} (learnorder {TYPES[name].command})" in shown) == many


def test_other_commands_refuse_it_and_leave_it(made, capsys):
    name, folder, _ = made
    before = {path: path.stat().st_mtime_ns for path in folder.glob("**/*")}
    for other, make in MAKERS.items():
        if other != name:
            with pytest.raises(
                RunFolderError, match=r"contains .*Choose another folder with --out"
            ):
                make(folder)
    assert {path: path.stat().st_mtime_ns for path in folder.glob("**/*")} == before


def test_a_folder_of_a_newer_version_is_refused(tmp_path):
    write_sealed(tmp_path / FILE, {"format": 2, "type": "probe", "version": "9", "settings": {}})
    with pytest.raises(RunFolderError, match="newer version"):
        read_experiment(tmp_path)
    write_sealed(tmp_path / FILE, {"format": 1, "type": "quiz", "version": "9", "settings": {}})
    with pytest.raises(RunFolderError, match="newer version"):
        read_experiment(tmp_path)


def test_a_type_that_is_not_registered_is_refused_before_anything_is_made(tmp_path):
    with pytest.raises(ValueError, match=r"'quiz' has no entry"):
        run_planned({}, tmp_path / "out", QUIET, of=TheoryResults, experiment=Experiment("quiz"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", OWN)
def test_a_setting_of_another_version_is_named(tmp_path, name):
    Experiment(name, {"never_heard_of": 1}).write(tmp_path)
    with pytest.raises(RunFolderError, match="settings of another version"):
        open_runs(tmp_path, of=OWN[name])


@pytest.mark.parametrize("name", OWN)
def test_an_unfinished_one_says_so(tmp_path, name):
    settings = {
        "probe": to_dict(probe()),
        "advise": {"search": to_dict(search()), "learning_rates": [0.05, 0.3], "no_noise": "off"},
        "judged": {"source": "runs.csv"},
        "along": to_dict(AlongSettings.of(moving(), {"training.epochs": [2, 3]})),
        "jointly": to_dict(JointSettings.of(pairs(), DECAYS, 0.001)),
        "paper": {"paper": "you2019", "scale": "laptop", "seeds": {"mlp": [0, 1]}, "only": None},
        "reproduce": {"reproduction": to_dict(reproduction()), "scale": "demo", "only": None},
    }
    Experiment(name, settings[name]).write(tmp_path)
    with pytest.raises(RunFolderError, match=r"does not exist yet|contains no runs"):
        open_runs(tmp_path, of=OWN[name])


def test_folders_of_the_version_before_are_known(copied, capsys):
    """Without experiment.json, other files or the labels of their runs tell what they are of."""
    out = copied("probe")
    (out / FILE).unlink()
    assert read_experiment(out) == Experiment("probe")
    assert main(["report", str(out)]) == 2
    assert "not executed again" in capsys.readouterr().err
    assert learnorder.run_probe(probe(), out, execution=QUIET).results.arms
    assert read_experiment(out).settings == to_dict(probe())
    out = copied("patch")
    (out / FILE).unlink()
    assert read_experiment(out).type == "patch"
    assert main(["report", str(out)]) == 0


def test_a_search_of_the_version_before_goes_on(make_once, copied):
    advice, out = make_once("advise")[1], copied("advise")
    (out / FILE).unlink()
    former = to_dict(search())
    former["hold"] = former.pop("plateau")
    former["shorter_holds"] = former.pop("shorter_plateaus")
    write_sealed(out / "search.json", former)
    records = {path: path.stat().st_mtime_ns for path in out.glob("*/*/records.parquet")}
    again = learnorder.run_advise(search(), out, execution=QUIET)
    assert again.arms == advice.arms
    assert {path: path.stat().st_mtime_ns for path in records} == records
    with pytest.raises(RunFolderError, match="contains another search"):
        learnorder.run_advise(replace(search(), seeds=3), out, execution=QUIET)


def test_runs_of_a_search_alone_are_no_search(copied):
    """The folder of a rung is known by its runs' labels, and has no settings to read."""
    (rung,) = copied("advise").glob("epochs-*")
    assert read_experiment(rung) == Experiment("advise")
    with pytest.raises(RunFolderError, match="without its settings"):
        open_runs(rung, of=Advice)
    assert learnorder.run_advise(search(), rung, execution=QUIET).best() > 0


def test_an_experiment_takes_more_seeds(copied):
    out = copied("theory")
    learnorder.run_theory(replace(THEORY, seeds=2), out, execution=QUIET)
    assert json.loads((out / FILE).read_text())["settings"]["seeds"] == 2
