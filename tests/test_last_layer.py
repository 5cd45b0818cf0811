"""Retraining the last layer: what the features hold comes back, what they do not stays lost."""

import hashlib
import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from learnorder.cli.main import main
from learnorder.config.arm_titles import ARM_TITLES
from learnorder.config.settings import ModelConfig, PatchConfig
from learnorder.errors import ConfigError, RunFolderError
from learnorder.retrain.last_layer import retrain_last_layer
from learnorder.runs import RunFolder
from learnorder.runs.execute import execute
from learnorder.runs.last_layer import FILE, read_last_layer
from learnorder.schedules import Schedule

from .conftest import POOLED, changed


@pytest.fixture
def run(tiny, tmp_path):
    """A finished run that knows its digits."""
    config = changed(tiny, training={"epochs": 10}, data={"train_examples": 400})
    config = replace(config, learning_rate=Schedule(0.05))
    folder = RunFolder.create(tmp_path / "run", config, {"arm": "small"})
    assert execute(folder) == "finished"
    return folder


def rewrite(folder, change):
    """Change some of a run's weights."""
    path = folder.file("weights.safetensors")
    weights = load_file(path)
    change(weights)
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, path)
    folder.update(files=folder.seal())


def final(folder, set_, quantity):
    rows = folder.records().to_pylist()
    last = max(row["epoch"] for row in rows)
    return next(
        row["value"]
        for row in rows
        if (row["epoch"], row["set"], row["quantity"]) == (last, set_, quantity)
    )


def test_before_is_what_the_run_ended_with(run):
    found = retrain_last_layer(run)
    assert found.before.clean == pytest.approx(final(run, "clean", "accuracy"), abs=1e-6)
    assert found.before.content == pytest.approx(final(run, "conflict", "share_content"), abs=1e-6)
    assert found.before.reliance == pytest.approx(final(run, "conflict", "reliance"), abs=1e-6)
    assert found.unseen
    assert found.examples % 10 == 0, "as many of each class"


def test_what_was_learned_and_not_used_comes_back(run):
    """The last layer calls every class by the next one's name."""

    def confuse(weights):
        for name in ("classifier.weight", "classifier.bias"):
            weights[name] = weights[name].roll(1, dims=0)

    rewrite(run, confuse)
    found = retrain_last_layer(run)
    assert found.before.clean < 0.2
    assert found.after.clean > 0.7


def test_what_was_not_learned_stays_lost(run):
    """The features are the same for every image."""
    rewrite(run, lambda weights: weights["features.0.weight"].zero_())
    found = retrain_last_layer(run)
    assert found.after.clean < 0.2


def test_the_network_is_left_as_it_is_and_the_work_is_done_once(run):
    before = hashlib.sha256(run.file("weights.safetensors").read_bytes()).hexdigest()
    state = torch.random.get_rng_state()
    found = retrain_last_layer(run)
    assert hashlib.sha256(run.file("weights.safetensors").read_bytes()).hexdigest() == before
    assert torch.equal(torch.random.get_rng_state(), state)
    written = run.file(FILE).stat().st_mtime_ns
    assert retrain_last_layer(run) == found == read_last_layer(run)
    assert run.file(FILE).stat().st_mtime_ns == written
    run.file(FILE).unlink()
    assert retrain_last_layer(run) == found, "the same command gives the same numbers"


def test_without_unseen_images_those_trained_on_are_used_and_said_to_be(tiny, tmp_path):
    config = replace(tiny, learning_rate=Schedule(0.05), patch=PatchConfig())
    config = changed(config, data={"train_examples": None}, training={"epochs": 1})
    folder = RunFolder.create(tmp_path / "run", config)
    execute(folder)
    found = retrain_last_layer(folder)
    assert not found.unseen
    assert found.before.reliance is None, "no patch, no reliance"
    assert json.loads(folder.file(FILE).read_text())["after"]["reliance"] is None


def test_errors_say_what_to_do(run, tiny, tmp_path):
    pending = RunFolder.create(tmp_path / "pending", tiny)
    with pytest.raises(RunFolderError, match="continues it"):
        retrain_last_layer(pending)
    run.file(FILE).write_text("{")
    with pytest.raises(RunFolderError, match="learnorder retrain"):
        retrain_last_layer(run)
    run.file(FILE).unlink()
    run.file("weights.safetensors").write_bytes(b"nothing")
    with pytest.raises(RunFolderError, match="not as the run left it"):
        retrain_last_layer(run)
    run.update(files=run.seal())
    with pytest.raises(RunFolderError, match="not the weights"):
        retrain_last_layer(run)


def test_a_model_without_a_last_linear_layer_is_refused(tiny, tmp_path):
    model = ModelConfig(POOLED)
    config = replace(tiny, learning_rate=Schedule(0.05), model=model)
    config = changed(config, training={"epochs": 1})
    folder = RunFolder.create(tmp_path / "run", config)
    execute(folder)
    with pytest.raises(ConfigError, match=r"nn\.Linear\(features, num_classes\)"):
        retrain_last_layer(folder)


def test_the_verb(run, capsys):
    assert main(["retrain", str(run.path)]) == 0
    out = capsys.readouterr().out
    assert "Not learned, or learned but unused?" in out
    assert ARM_TITLES["small"] in out
    page = (run.path / "report.html").read_text()
    assert "Not learned, or learned but unused?" in page
    assert main(["retrain", str(run.path / "nowhere")]) == 2
