"""Batch sharpness, features, pruned networks and loss spikes in the records of runs."""

import json
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset

from learnorder import (
    Task,
    batch_sharpness,
    count_catapults,
    count_spikes,
    feature_statistics,
    pruned,
    pruning_curve,
    write_report,
)
from learnorder.config.settings import (
    ModelConfig,
    PatternConfig,
    TaskConfig,
    TaskRunConfig,
)
from learnorder.config.training import DiagnosticsConfig, SharpnessConfig, TrainingConfig
from learnorder.data import load_images
from learnorder.errors import ConfigError
from learnorder.images import backend as images
from learnorder.images.page import image_content
from learnorder.planters import TablePlanter
from learnorder.runs import RunFolder
from learnorder.runs.checkpoint import digest, load_checkpoint
from learnorder.runs.execute import execute
from learnorder.runs.manifest import read_manifest, write_manifest
from learnorder.runs.results import Results, TaskResults
from learnorder.schedules import Schedule
from learnorder.statistics.ranges import range_of
from learnorder.tasks.page import task_content
from learnorder.training.image_problem import image_trainer
from learnorder.training.records import Records
from learnorder.training.task_problem import task_trainer

from .conftest import POOLED, changed
from .test_groups import make_task as grouped_task
from .test_processes import both, close
from .test_runs import contents, interrupted
from .test_task import blobs
from .test_training import _Waits

ALL = DiagnosticsConfig(every=2, batches=2, features=50, pruned=(0.5, 0.9), spike_factor=1.1,
                        catapult_examples=40, catapult_factor=1.01)  # fmt: skip
FEATURES = ("feature_rank", "active_share", "distinct_units", "distinct_active_share")


@pytest.fixture
def short(tiny):
    """Two epochs, measured after the second."""
    config = replace(tiny, learning_rate=Schedule(0.1), diagnostics=ALL)
    return changed(config, training={"epochs": 2})


def trained(trainer):
    assert trainer.run(lambda _: False, lambda _: None).status == "finished"
    return trainer


def image_run(config):
    return trained(image_trainer(config, load_images(config.data)))


def small() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 3))


def task_config(settings=ALL, **training):
    training = TrainingConfig(**{"epochs": 2, "batch_size": 20, **training})
    return TaskRunConfig(TaskConfig(), training, Schedule(0.1), diagnostics=settings)


def of_run(trainer, quantity):
    """A quantity of the set run, by epoch."""
    rows = trainer.records.rows()
    return {row[0]: row[4] for row in rows if (row[1], row[3]) == ("run", quantity)}


def of_set(records, set_, epoch=2):
    return [row[2:] for row in records.rows() if row[:2] == (epoch, set_)]


def test_images_are_measured_as_by_the_toolkit(short):
    trainer = image_run(short)
    network, batches = trainer.network.eval(), list(trainer.problem.batches.epoch(1))
    losses = [lambda b=b: F.cross_entropy(network(b.images), b.labels) for b in batches[:2]]
    sharpness = batch_sharpness(network, losses)
    assert of_run(trainer, "batch_sharpness") == {2: pytest.approx(sharpness, rel=1e-5)}
    assert of_run(trainer, "batch_edge") == {2: pytest.approx(0.1 * sharpness / 2, rel=1e-5)}
    shown = torch.cat([b.images for b in batches])[:50]
    with torch.no_grad():
        expected = feature_statistics(network.get_submodule("features")(shown).mean(dim=(2, 3)))
    assert of_run(trainer, "feature_rank") == {2: expected.rank}
    for name in FEATURES[1:]:
        assert of_run(trainer, name) == {2: pytest.approx(getattr(expected, name))}
        assert range_of(name).contains(of_run(trainer, name).values())
    assert 0 < expected.active_share <= 1 < expected.rank <= 16


def test_a_task_is_measured_as_by_the_toolkit():
    trainer = trained(task_trainer(task_config(), Task(small, blobs(90))))
    network, problem = trainer.network.eval(), trainer.problem
    parts = [part for (part,) in problem.epoch(1)]
    losses = [lambda b=b: F.cross_entropy(network(b.inputs), b.targets) for b in parts[:2]]
    assert of_run(trainer, "batch_sharpness")[2] == pytest.approx(batch_sharpness(network, losses))
    shown = torch.cat([part.inputs for part in parts])[:50]
    expected = feature_statistics(network[:2](shown).detach())
    assert of_run(trainer, "feature_rank") == {2: expected.rank}
    assert of_run(trainer, "distinct_active_share")[2] == pytest.approx(
        expected.distinct_active_share
    )


def test_pruned_networks_are_evaluated_on_the_clean_set(short):
    trainer = image_run(short)
    for share, name in ((0.5, "pruned_50"), (0.9, "pruned_90")):
        found = Records()
        with pruned(trainer.network, share):
            trainer.problem.evaluate(trainer.network, found, 2)
        assert of_set(trainer.records, name) == of_set(found, "clean")
        assert len(of_set(trainer.records, name)) == 2, "accuracy and loss"
    assert not of_set(trainer.records, "pruned_50", epoch=1)
    assert of_set(trainer.records, "pruned_90") != of_set(trainer.records, "clean")


def test_networks_are_pruned_within_autocast_too():
    """Autocast keeps copies of weights in half precision."""
    network, inputs = nn.Linear(4, 2, bias=False), torch.randn(3, 4)

    def size(network):
        with torch.no_grad():
            return float(network(inputs).abs().sum())

    with torch.autocast("cpu", dtype=torch.bfloat16):
        before = size(network)
        assert pruning_curve(network, size, [1.0, 0.0]) == {1.0: 0.0, 0.0: before}


def test_norms_are_not_pruned():
    network = nn.Sequential(nn.LayerNorm([2, 3]), nn.Flatten(), nn.Linear(6, 1))
    with pruned(network, 1.0):
        assert [bool(p.any()) for p in network.parameters()] == [True, False, False, True]
    with pytest.raises(ConfigError, match="no matrix"), pruned(network[0], 0.5):
        pass


def test_pruned_networks_are_evaluated_by_known_group():
    trainer = trained(task_trainer(task_config(DiagnosticsConfig(pruned=(0.5,))), grouped_task()))
    whole, half = (of_set(trainer.records, name) for name in ("validation", "pruned_50"))
    assert [row[:2] for row in half] == [row[:2] for row in whole]
    assert {"all", "tweet, negative"} < {row[0] for row in half}
    values = {row[:2]: row[2] for row in half}
    trainer.network.eval()
    with pruned(trainer.network, 0.5), torch.no_grad():
        batches = list(trainer.problem.validation_batches())
        right = [trainer.network(b.inputs).argmax(1) == b.targets for b in batches]
    assert values["all", "accuracy"] == pytest.approx(float(torch.cat(right).double().mean()))


def test_with_a_pattern_the_clean_set_is_that_of_pruned_networks():
    data = blobs(90)
    task = Task(small, data, planter=TablePlanter.fit(data.tensors[0], count=2))
    config = replace(task_config(DiagnosticsConfig(pruned=(0.3,))), pattern=PatternConfig(0.5))
    trainer = trained(task_trainer(config, task))
    assert len(of_set(trainer.records, "pruned_30")) == len(of_set(trainer.records, "clean")) > 1


def test_spikes_are_those_of_the_losses_of_all_steps():
    losses = []
    settings = task_config(DiagnosticsConfig(spike_factor=1.1), epochs=30, batch_size=9)
    trainer = task_trainer(replace(settings, learning_rate=Schedule(1.0)), Task(small, blobs(90)))
    step = trainer.train_step
    trainer.train_step = lambda batch: losses.append(float(loss := step(batch))) or loss
    trained(trainer)
    spikes = of_run(trainer, "spikes")
    assert list(spikes) == list(range(1, 31))
    assert sum(spikes.values()) == count_spikes(losses, factor=1.1) > 3
    first = len(losses) // 2
    assert sum(spikes[e] for e in range(1, 16)) == count_spikes(losses[:first], factor=1.1)


def test_catapults_are_those_of_the_loss_on_fixed_examples_after_each_step():
    settings = DiagnosticsConfig(catapult_examples=50, catapult_factor=1.05)
    config = replace(task_config(settings, epochs=30, batch_size=9), learning_rate=Schedule(1.0))
    trainer = task_trainer(config, Task(small, blobs(90)))
    fixed, step = trainer.problem.first_batch(50), trainer.train_step

    def loss():
        with torch.no_grad():
            return float(F.cross_entropy(trainer.network(fixed.inputs), fixed.targets))

    losses = [loss()]
    trainer.train_step = lambda batch: (step(batch), losses.append(loss()))[0]
    trained(trainer)
    catapults = of_run(trainer, "catapults")
    assert list(catapults) == list(range(1, 31))
    assert sum(catapults.values()) == count_catapults(losses, factor=1.05) > 3
    after = 10 * 15 + 1
    assert sum(catapults[e] for e in range(1, 16)) == count_catapults(losses[:after], factor=1.05)


@pytest.mark.parametrize(
    ("setting", "quantity"),
    [({"spike_factor": 2.0}, "spikes"), ({"catapult_examples": 9}, "catapults")],
)
def test_losses_below_zero_have_no_spikes(caplog, setting, quantity):
    loss = lambda outputs, targets: outputs.mean() - 1e3  # noqa: E731
    settings = task_config(DiagnosticsConfig(**setting))
    trainer = trained(task_trainer(settings, Task(small, blobs(90), loss=loss)))
    assert of_run(trainer, quantity) == {}
    assert f"{quantity.capitalize()} are no longer counted" in caplog.text


def test_measuring_changes_nothing_else(tiny):
    plain = image_run(replace(tiny, sharpness=SharpnessConfig(20)))
    measured = image_run(replace(tiny, sharpness=SharpnessConfig(20), diagnostics=ALL))
    weights = measured.network.state_dict()
    assert all(torch.equal(weights[name], t) for name, t in plain.network.state_dict().items())
    new = ("batch_sharpness", "batch_edge", "spikes", "catapults", *FEATURES)
    kept = [r for r in measured.records.rows() if r[3] not in new and r[1][:6] != "pruned"]
    assert kept == list(plain.records.rows())
    assert plain.diagnostics is None
    assert set(of_run(measured, "spikes")) == {1, 2, 3}
    assert set(of_run(measured, "feature_rank")) == {2}


@pytest.mark.parametrize("steps", [5, 8, 10])
def test_an_interrupted_run_ends_with_the_same_bytes(tiny, tmp_path, steps):
    config = replace(tiny, diagnostics=replace(ALL, every=1), learning_rate=Schedule(2.0))
    config = changed(config, training={"epochs": 8, "batch_size": 10})  # 12 steps each
    whole = RunFolder.create(tmp_path / "whole", config)
    execute(whole)
    counted = [r["value"] for r in whole.records().to_pylist() if r["quantity"] == "spikes"]
    assert len(counted) == 8
    assert sum(counted[5:]) > 1
    assert sum(r["value"] for r in whole.records().to_pylist() if r["quantity"] == "catapults") > 1
    broken = interrupted(config, tmp_path / "broken", 62 + steps)
    state = load_checkpoint(broken)["diagnostics"]["spikes"]
    assert len(state["last"]) == 50
    assert execute(broken) == "finished"
    assert contents(broken) == contents(whole)


def test_a_folder_of_an_older_version_continues(tiny, tmp_path):
    """Its manifest lacks these settings, and the digest in its checkpoint is without them."""
    whole = RunFolder.create(tmp_path / "whole", tiny)
    execute(whole)
    folder = interrupted(tiny, tmp_path / "run")
    manifest = read_manifest(folder.path)
    del manifest["config"]["diagnostics"]
    write_manifest(folder.path, manifest)
    with pytest.raises(Exception, match="of another configuration"):
        load_checkpoint(RunFolder(folder.path))
    older = RunFolder(folder.path)
    for path in folder.path.glob("checkpoint*"):
        older_checkpoint(path, manifest["config"])
    assert load_checkpoint(older)["epoch"] == 2
    again = RunFolder.create(folder.path, tiny)
    assert again.config == tiny
    assert execute(again) == "finished"
    assert contents(again) == contents(whole)


def older_checkpoint(path, config):
    """Write a checkpoint as it was before there were diagnostics."""
    import hashlib
    import io

    _, _, payload = path.read_bytes().partition(b"\n")
    saved = torch.load(io.BytesIO(payload), weights_only=True)
    assert "diagnostics" not in saved["state"]
    text = json.dumps(config, sort_keys=True).encode()
    saved["config"] = hashlib.blake2b(text, digest_size=16).hexdigest()
    buffer = io.BytesIO()
    torch.save(saved, buffer)
    payload = buffer.getvalue()
    path.write_bytes(b"learnorder checkpoint " + digest(payload) + b"\n" + payload)


def test_a_step_reads_no_number_for_the_spikes(short):
    trainer = image_trainer(short, load_images(short.data))
    for batch in trainer.problem.epoch(1):
        with _Waits():
            trainer.train_step(batch)
        trainer.step += 1


def make_task() -> Task:
    return Task(small, blobs(90))


@pytest.mark.slow
def test_two_processes_have_the_same_numbers(tmp_path):
    path = TaskConfig(f"{__name__}.make_task")
    close(*both(replace(task_config(), task=path), tmp_path))


def test_own_optimisers_have_no_edge():
    task = Task(small, blobs(90), optimizer=lambda m, rate: torch.optim.Adam(m.parameters(), rate))
    trainer = trained(task_trainer(task_config(), task))
    assert set(of_run(trainer, "batch_sharpness")) == {2}
    assert of_run(trainer, "batch_edge") == {}


def test_without_a_gradient_there_is_no_batch_sharpness(caplog):
    """A loss that is 0 from the beginning: nothing is recorded for it, and the log says why."""
    loss = lambda outputs, targets: (outputs * 0).sum()  # noqa: E731
    trainer = trained(task_trainer(task_config(), Task(small, blobs(90), loss=loss)))
    assert of_run(trainer, "batch_sharpness") == {}
    assert set(of_run(trainer, "feature_rank")) == {2}
    assert "No batch sharpness after epoch 2" in caplog.text
    assert "gradient is zero" in caplog.text


def test_regressions_and_bf16_are_measured():
    x = torch.randn(90, 3, generator=torch.Generator().manual_seed(0))
    net = lambda: nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))  # noqa: E731
    task = Task(net, TensorDataset(x, x.sum(1, keepdim=True)), loss=F.mse_loss)
    trainer = trained(task_trainer(task_config(precision="bf16"), task))
    assert of_run(trainer, "feature_rank")[2] >= 1
    network, parts = trainer.network.eval(), [part for (part,) in trainer.problem.epoch(1)]
    losses = [lambda b=b: F.mse_loss(network(b.inputs), b.targets) for b in parts[:2]]
    assert of_run(trainer, "batch_sharpness")[2] == pytest.approx(batch_sharpness(network, losses))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batches": 5}, "diagnostics.batches: got 5. An epoch has 4 batches"),
        ({"features": 121}, "diagnostics.features: got 121. An epoch has 120 examples"),
        ({"catapult_examples": 121}, "catapult_examples: got 121. An epoch has 120 examples"),
    ],
)
def test_more_than_there_is_is_refused(tiny, settings, message):
    with pytest.raises(ConfigError, match=message):
        images.check([tiny, replace(tiny, diagnostics=DiagnosticsConfig(**settings))])


def test_networks_without_a_last_layer_or_a_matrix_are_refused(tiny):
    config = replace(tiny, model=ModelConfig(POOLED), diagnostics=DiagnosticsConfig(features=20))
    with pytest.raises(ConfigError, match=r"features: got 20.*there is no last linear layer"):
        images.check([config])
    for field, net in (("features", nn.Flatten(0)), ("pruned", nn.BatchNorm1d(3))):
        value = {"features": 20, "pruned": (0.5,)}[field]
        made = lambda net=net: nn.Sequential(nn.BatchNorm1d(3), net)  # noqa: E731
        task = Task(made, blobs(90), loss=lambda outputs, targets: outputs.square().mean(),
                    score=lambda outputs, targets: 0.0)  # fmt: skip
        with pytest.raises(ConfigError, match=f"diagnostics.{field}"):
            task_trainer(task_config(DiagnosticsConfig(**{field: value})), task)


def runs_of(configs, tmp_path):
    folders = []
    for number, config in enumerate(configs):
        folder = RunFolder.create(tmp_path / str(number), config, {"arm": f"arm {number // 2}"})
        execute(folder)
        folders.append(folder)
    return folders


def sections_of(content):
    return {section.title: section for section in content.sections}


def test_pages_of_images_show_what_was_measured(short, tmp_path):
    bare = replace(short, diagnostics=DiagnosticsConfig(pruned=(0.25,)), seed=0)
    configs = [replace(short, seed=seed) for seed in (0, 1)]
    folders = runs_of([*configs, replace(bare, learning_rate=Schedule(0.01))], tmp_path)
    sections = sections_of(image_content(results := Results(folders)))
    titles = [panel.layout.title.text for panel in sections["Features"].panels]
    assert titles[:2] == ["Rank of the features", "Active features"]
    assert len(titles) == 4
    sharpness = [panel.layout.title.text for panel in sections["Sharpness"].panels]
    assert sharpness == ["Batch sharpness", "Batch sharpness times η/2"]
    assert "edge of stochastic stability" in sections["Sharpness"].note.replace("\n", " ")
    assert "Lanczos" not in sections["Sharpness"].note, "λ was not measured"
    assert "without their 95 % intervals" in sections["Sharpness"].note
    (spikes,) = sections["Loss spikes"].panels
    assert [list(trace.y) for trace in spikes.data if trace.name == "arm 0"] == [[0, 0]]
    assert "above 1.1 times" in sections["Loss spikes"].note
    assert "above 1.01 times its lowest value" in sections["Catapults"].note
    assert len(sections["Catapults"].panels) == 1
    table = sections["Pruned networks"].table
    assert table.columns[1:] == [
        "n", "all weights: accuracy, %", "without 25 %: accuracy, %", "without 50 %: accuracy, %",
        "without 90 %: accuracy, %",
    ]  # fmt: skip
    expected = results.final_estimate("arm 0", "pruned_50", "accuracy").mean
    assert table.rows[0][4].startswith(f"{100 * expected:.1f}")
    assert table.rows[0][3] == table.rows[1][4] == "–"
    assert "Pruned networks" in write_report(results, tmp_path / "report.html").read_text("utf-8")


def test_pages_of_tasks_show_what_was_measured(tmp_path):
    path = TaskConfig(f"{__name__}.make_task")
    config = replace(task_config(), task=path, sharpness=SharpnessConfig(20))
    sections = sections_of(task_content(TaskResults(runs_of([config], tmp_path))))
    assert [len(sections[name].panels) for name in ("Sharpness", "Features", "Loss spikes")] == [
        4, 4, 1,
    ]  # fmt: skip
    assert "Lanczos" in sections["Sharpness"].note
    assert len(sections["Pruned networks"].table.rows) == 1


def test_pages_without_measures_have_no_such_section(tmp_path):
    path = TaskConfig(f"{__name__}.make_task")
    config = replace(task_config(DiagnosticsConfig()), task=path)
    sections = sections_of(task_content(TaskResults(runs_of([config], tmp_path))))
    assert (
        not {"Sharpness", "Features", "Loss spikes", "Catapults", "Pruned networks"}
        & sections.keys()
    )


@pytest.mark.parametrize(
    "bad",
    [
        {"every": 0},
        {"batches": -1},
        {"features": 1},
        {"pruned": (0.5, 1.0)},
        {"pruned": (0.5, 0.5)},
        {"spike_factor": 1.0},
        {"catapult_examples": -1},
        {"catapult_factor": 1.0},
    ],
)
def test_bad_settings_are_named(bad):
    (name,) = bad
    with pytest.raises(ConfigError, match=f"diagnostics.{name}"):
        DiagnosticsConfig(**bad)
