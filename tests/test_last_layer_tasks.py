"""Retraining the last layer of tasks: on held-out examples, balanced over classes and groups."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import TensorDataset

from learnorder import Groups, Task, retrain, write_report
from learnorder.cli.main import main
from learnorder.config.settings import PatternConfig, TaskConfig, TaskRunConfig
from learnorder.config.training import TrainingConfig
from learnorder.errors import ConfigError, RunFolderError
from learnorder.planters import TablePlanter
from learnorder.retrain.fitting import (
    PENALTIES,
    balanced,
    fit,
    fit_for_worst,
    fit_samples,
    fit_with,
    halves,
)
from learnorder.retrain.last_layer import retrain_last_layer
from learnorder.retrain.layers import last_layer
from learnorder.retrain.run import open_networks, retrain_runs
from learnorder.runs import RunFolder
from learnorder.runs.execute import execute
from learnorder.runs.last_layer import FILE, LastLayerScores, read_last_layer
from learnorder.runs.opening import open_runs
from learnorder.schedules import Schedule
from learnorder.seeding import generator
from learnorder.training.task import register_task


def shortcut(n: int = 400, agreement: float = 0.9, seed: int = 0) -> TensorDataset:
    """Inputs (content, attribute, noise) and labels; the content is always right."""
    drawing = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 2
    agrees = torch.rand(n, generator=drawing) < agreement
    attribute = torch.where(agrees, labels, 1 - labels)
    content = (2.0 * labels - 1) * (0.5 + torch.rand(n, generator=drawing))
    noise = torch.randn(n, generator=drawing)
    return TensorDataset(torch.stack([content, 2.0 * attribute - 1, noise], 1), labels)


def network() -> nn.Module:
    """Three features, then a last layer."""
    return nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))


def domain(item) -> str:
    return "review" if item[0][1] > 0 else "tweet"


def make(spurious: bool = True, n: int = 400) -> Task:
    groups = Groups(domain, name="domain", spurious=spurious)
    return Task(network, shortcut(n), shortcut(n, seed=1), groups=groups)


PATH = f"{__name__}.make"


def config_of(given, seed=0, epochs=1, pattern=None) -> TaskRunConfig:
    training = TrainingConfig(epochs=epochs, batch_size=50)
    return TaskRunConfig(
        given, training, Schedule(0.1), seed=seed, pattern=pattern or PatternConfig()
    )


def run_at(path, config) -> RunFolder:
    folder = RunFolder.create(path, config, {"arm": f"seeds {config.seed // 10}"})
    assert execute(folder) == "finished"
    return folder


def rewrite(folder, weights):
    """Give a run other weights."""
    path = folder.file("weights.safetensors")
    save_file({**load_file(path), **weights}, path)
    folder.update(files=folder.seal())


def use_attribute(folder):
    """Features are the inputs, and the last layer reads the attribute alone."""
    last = torch.tensor([[0.0, -1.0, 0.0], [0.0, 1.0, 0.0]])
    rewrite(
        folder,
        {"0.weight": torch.eye(3), "0.bias": torch.zeros(3), "1.weight": last,
         "1.bias": torch.zeros(2)},
    )  # fmt: skip


def final(folder, set_, quantity, group="all"):
    rows = folder.records().to_pylist()
    key = (set_, quantity, group)
    return [r["value"] for r in rows if (r["set"], r["quantity"], r["group"]) == key][-1]


@pytest.fixture
def run(tmp_path):
    """A finished run of an imported task with known groups."""
    return run_at(tmp_path / "run", config_of(TaskConfig(PATH)))


def test_before_is_what_the_run_ended_with(run):
    found = retrain_last_layer(run)
    assert found.before.clean == pytest.approx(final(run, "validation", "accuracy"))
    for name, recorded in {
        "worst_group_accuracy": "worst_group_accuracy",
        "accuracy_gap": "accuracy_gap",
        "attribute_reliance": "reliance",
    }.items():
        value = final(run, "validation", recorded)
        assert getattr(found.before, name) == pytest.approx(value, abs=1e-6)
    assert found.before.content is None
    assert found.before.reliance is None
    assert found.unseen
    assert found.measured == 400


def test_content_that_the_last_layer_ignores_is_recovered(run):
    use_attribute(run)
    found = retrain_last_layer(run)
    assert found.before.worst_group_accuracy == 0
    assert found.before.attribute_reliance == 1
    assert found.before.accuracy_gap == found.before.clean
    after = found.group_balanced.after
    assert after.worst_group_accuracy > 0.97
    assert abs(after.attribute_reliance) < 0.03
    attribute = torch.tensor([domain(item) == "review" for item in shortcut(seed=1)])
    sizes = (2 * torch.arange(400).remainder(2) + attribute).bincount()
    assert found.group_balanced.examples == 4 * (int(sizes.min()) // 2)
    assert found.examples == 200, "half of the examples, which are balanced over the classes"


def test_content_that_is_not_in_the_features_stays_lost(run):
    use_attribute(run)
    rewrite(run, {"0.weight": torch.diag(torch.tensor([0.0, 1.0, 0.0]))})
    after = retrain_last_layer(run).group_balanced.after
    assert after.worst_group_accuracy < 0.2, "it can only follow the attribute, or guess"


def test_it_is_measured_on_examples_that_it_was_not_fitted_on(tmp_path):
    """Labels are random: whoever measures the examples of the fit finds structure in them."""
    drawing = torch.Generator().manual_seed(0)
    x, y = torch.randn(200, 150, generator=drawing), torch.randint(2, (200,), generator=drawing)
    task = Task(lambda: nn.Linear(150, 2), TensorDataset(x, y), TensorDataset(x.flip(0), y))
    with register_task(task) as given:
        folder = run_at(tmp_path / "run", config_of(given))
        found = retrain_last_layer(folder)
    assert abs(found.after.clean - 0.5) < 0.12
    assert found.group_balanced is None


def test_it_equals_a_fit_with_scikit_learn(run):
    use_attribute(run)
    data = shortcut(seed=1)
    x, y = (tensor.numpy() for tensor in data.tensors)
    drawing = torch.Generator().manual_seed(0)
    noisy = x + 2 * torch.randn(x.shape, generator=drawing).numpy()
    rows = balanced(data.tensors[1], 200, torch.Generator().manual_seed(3))
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    grid = GridSearchCV(pipeline, {"logisticregression__C": PENALTIES}, cv=3)
    grid.fit(noisy[rows].astype(np.float64), y[rows])
    rng = torch.Generator().manual_seed(3)
    layer = fit_samples(noisy, data.tensors[1], data.tensors[1], 200, 10, rng)
    assert (layer.predict(noisy).numpy() == grid.predict(noisy.astype(np.float64))).all()
    logits = noisy @ layer.weight + layer.bias
    expected = grid.decision_function(noisy.astype(np.float64))
    np.testing.assert_allclose((logits[:, 1] - logits[:, 0]) / 2, expected, rtol=1e-5, atol=1e-6)


def test_a_layer_of_several_samples_is_the_mean_of_their_layers():
    data = shortcut(120, agreement=0.7, seed=2)
    x, y = data.tensors[0].numpy(), data.tensors[1]
    x[:, 0] += 2 * x[:, 2]
    cells = y * 2 + (data.tensors[0][:, 1] > 0)
    count = int(cells.bincount().min())
    layer = fit_samples(x, y, cells, count, 3, torch.Generator().manual_seed(0))
    rng = torch.Generator().manual_seed(0)
    samples = [balanced(cells, count, rng) for _ in range(3)]
    assert all(cells[rows].bincount().tolist() == [count] * 4 for rows in samples)
    first, penalty = fit(x[samples[0]], y.numpy()[samples[0]])
    others = [fit_with(x[rows], y.numpy()[rows], penalty) for rows in samples[1:]]
    assert not np.allclose(first.weight, others[0].weight)
    np.testing.assert_allclose(layer.weight, np.mean([a.weight for a in (first, *others)], 0))
    np.testing.assert_allclose(layer.bias, np.mean([a.bias for a in (first, *others)], 0))


def test_the_penalty_of_groups_is_the_best_for_the_worst():
    """Both features are mostly about the attribute; their difference is about the content."""
    drawing = torch.Generator().manual_seed(0)
    y, attribute = torch.arange(800) % 2, torch.arange(800) // 2 % 2
    content = 2.0 * y - 1 + torch.randn(800, generator=drawing)
    sharp = 20.0 * attribute + content
    x = torch.stack([sharp + content, 1.02 * sharp - content], 1).numpy()
    cells, held = 2 * y + attribute, slice(400, None)

    def worst(layer):
        correct = layer.predict(x[held]) == y[held]
        return min(float(correct[cells[held] == cell].float().mean()) for cell in range(4))

    rows = balanced(cells[:400], 100, drawing)
    layer, penalty = fit_for_worst(x[rows], y.numpy()[rows], cells.numpy()[rows])
    strongest = fit_with(x[rows], y.numpy()[rows], PENALTIES[0])
    assert penalty > PENALTIES[0]
    assert worst(layer) > 0.7
    assert worst(strongest) < 0.5


def test_three_classes_keep_their_outputs(tmp_path):
    labels = torch.arange(90) % 3
    x = nn.functional.one_hot(labels, 3).float()
    task = Task(lambda: nn.Linear(3, 5), TensorDataset(x, labels), TensorDataset(x, labels))
    with register_task(task) as given:
        folder = run_at(tmp_path / "run", config_of(given))
        rewrite(folder, {"weight": torch.zeros(5, 3), "bias": torch.arange(5.0)})
        found = retrain_last_layer(folder)
    assert found.before.clean == 0, "it predicts a class that has no examples"
    assert found.after.clean == 1


def test_halves_are_even_in_each_cell_and_class():
    cells = torch.tensor([0] * 5 + [1] * 3 + [2] * 7 + [3] * 1)
    half = halves(cells, generator(0, "halves"))
    for value in range(4):
        counts = half[cells == value].bincount(minlength=2)
        assert abs(int(counts[0] - counts[1])) <= 1
    assert abs(int(half.bincount()[0]) - 8) <= 1
    assert not torch.equal(half, halves(cells, generator(1, "halves")))


def test_the_network_is_left_as_it_is_and_the_work_is_done_once(run):
    before = hashlib.sha256(run.file("weights.safetensors").read_bytes()).hexdigest()
    state = torch.random.get_rng_state()
    found = retrain_last_layer(run)
    assert hashlib.sha256(run.file("weights.safetensors").read_bytes()).hexdigest() == before
    assert torch.equal(torch.random.get_rng_state(), state)
    assert retrain_last_layer(run) == found == read_last_layer(run)
    run.file(FILE).unlink()
    assert retrain_last_layer(run) == found, "the same command gives the same numbers"


def test_results_of_older_versions_are_read(run):
    scores = {"clean": 0.5, "content": None, "reliance": None}
    values = {"before": scores, "after": scores, "examples": 10, "unseen": True}
    run.file(FILE).write_text(json.dumps(values))
    assert read_last_layer(run).before == LastLayerScores(0.5, None, None)
    assert read_last_layer(run).group_balanced is None


def test_groups_of_an_attribute_that_is_not_spurious_are_balanced_with_their_classes(tmp_path):
    config = config_of(TaskConfig(PATH, {"spurious": False}))
    found = retrain_last_layer(run_at(tmp_path / "run", config))
    assert found.before.attribute_reliance is None
    assert found.before.worst_group_accuracy is not None
    assert found.group_balanced.examples % 4 == 0


def test_a_group_that_is_too_small_is_named(tmp_path):
    task = make()
    data = shortcut(100, agreement=1.0)
    data.tensors[0][:6, 1] *= -1  # three examples in each minority group
    task = replace(task, validation=data)
    with register_task(task) as given:
        folder = run_at(tmp_path / "run", config_of(given))
        results = open_runs(folder.path)
        retrain_runs(results, quiet=True)
    found = read_last_layer(folder)
    assert found.group_balanced.after is None
    assert "tweet, class 1 (3)" in found.group_balanced.refused
    assert found.after.worst_group_accuracy is not None
    write_report(results, tmp_path / "report.html")
    assert "review, class 0 (3)" in (tmp_path / "report.html").read_text()


def regression() -> Task:
    x = torch.randn(40, 3)
    return Task(lambda: nn.Linear(3, 1), TensorDataset(x, x[:, :1]), loss=nn.functional.mse_loss)


def few() -> Task:
    labels = torch.tensor([0] * 30 + [1] * 3)
    x = torch.randn(33, 3)
    return Task(lambda: nn.Linear(3, 2), TensorDataset(x, labels), TensorDataset(x, labels))


def one_class() -> Task:
    data = TensorDataset(torch.randn(30, 3), torch.zeros(30, dtype=torch.int64))
    return Task(lambda: nn.Linear(3, 2), data)


def ignored() -> Task:
    labels = torch.tensor([0, 1, -100] * 10)
    return Task(lambda: nn.Linear(3, 2), TensorDataset(torch.randn(30, 3), labels))


@pytest.mark.parametrize(
    ("task", "field", "words"),
    [
        (regression(), "task.model", "logits"),
        (few(), "task.validation", r"class 1 \(3\)"),
        (one_class(), "task.validation", "of this class"),
        (ignored(), "task.validation", "are -100"),
    ],
)
def test_tasks_that_cannot_be_retrained_are_refused(task, field, words, tmp_path):
    with register_task(task) as given:
        folder = run_at(tmp_path / "run", config_of(given))
        with pytest.raises(ConfigError, match=words) as refused:
            retrain_last_layer(folder)
    assert refused.value.field == field
    assert not folder.file(FILE).exists()


class Tokens(nn.Module):
    """A head for each token, then a mean."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        return self.head(x.view(-1, 2, 4)).mean(1)


class Flat(Tokens):
    def forward(self, x):
        return self.head(x.view(-1, 4)).view(-1, 2, 2).mean(1)


class Twice(Tokens):
    def forward(self, x):
        self.head(x[:, 4:])
        return self.head(x[:, :4])


class Functional(Tokens):
    def forward(self, x):
        return nn.functional.linear(x[:, :4], self.head.weight, self.head.bias)


class Negated(Tokens):
    def forward(self, x):
        return -self.head(x[:, :4])


class Heads(nn.Module):
    """Two heads whose outputs are averaged."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(8, 2), nn.Linear(8, 2)

    def forward(self, x):
        return self.one(x) + self.two(x)


class Tied(nn.Module):
    """The output layer is the embedding."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(2, 8)
        self.head = nn.Linear(8, 2, bias=False)
        self.head.weight = self.words.weight

    def forward(self, x):
        return self.head(x + self.words(torch.zeros(len(x), dtype=torch.int64)))


def find(model, outputs=2, shape=(6, 8)):
    torch.manual_seed(0)
    x = torch.randn(shape)
    model.eval()
    return last_layer(model, outputs, lambda: model(x), lambda why: ConfigError("model", "", why))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (nn.Sequential(nn.Linear(8, 3), nn.AdaptiveAvgPool1d(2)), "None of its 1 nn.Linear"),
        (Tokens(), r"layer head is \[6, 2, 4\] for 6 examples"),
        (Flat(), r"layer head is \[12, 4\] for 6 examples"),
        (Twice(), "head is called 2 times"),
        (Functional(), "head is not called"),
        (Negated(), "not those of its last layer head"),
        (Heads(), "one, two"),
        (Tied(), "head shares its weight with words"),
    ],
)
def test_networks_without_a_last_layer_are_refused_by_its_name(model, words):
    with pytest.raises(ConfigError, match=words):
        find(model)


def test_the_last_layer_is_the_one_whose_output_is_the_networks():
    class Reversed(nn.Module):
        """Its modules are listed in another order than they are called in."""

        def __init__(self):
            super().__init__()
            self.head, self.gate = nn.Linear(2, 2), nn.Linear(8, 2)

        def forward(self, x):
            return self.head(input=self.gate(x))

    assert find(Reversed())[0] == "head"
    assert find(nn.Sequential(nn.Linear(8, 2), nn.LogSoftmax(1)))[0] == "0"
    model = nn.Sequential(nn.Linear(8, 2))
    find(model)
    assert not model[0]._forward_hooks


def test_models_of_the_transformers_library():
    transformers = pytest.importorskip("transformers")
    sizes = {"vocab_size": 20, "num_labels": 2}
    bert = transformers.BertForSequenceClassification(
        transformers.BertConfig(
            hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, **sizes
        )
    )
    gpt = transformers.GPT2ForSequenceClassification(
        transformers.GPT2Config(n_embd=8, n_layer=1, n_head=2, pad_token_id=0, **sizes)
    )
    ids = torch.arange(1, 13).view(2, 6)
    for model in (bert, gpt):
        model.eval()

    def found(model):
        forward = lambda: model(input_ids=ids).logits  # noqa: E731
        return last_layer(model, 2, forward, lambda why: ConfigError("model", "", why))[0]

    with torch.no_grad():
        assert found(bert) == "classifier"
        with pytest.raises(ConfigError, match=r"score is \[2, 6, 8\]"):
            found(gpt)


class Adjusted(nn.Module):
    """Some of its predictions are changed after its last layer, but few of the first ones."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(3, 2)

    def forward(self, x):
        return self.head(x) * (1 - 2 * (x[:, :1] > 50))


def test_predictions_that_something_else_changes_are_refused_wherever_they_are(tmp_path):
    data, held = shortcut(100), shortcut(100, seed=1)
    held.tensors[0][-1, 0] = 100.0
    with register_task(Task(Adjusted, data, held)) as given:
        folder = run_at(tmp_path / "run", config_of(given))
        with pytest.raises(ConfigError, match="something after it changes them"):
            retrain_last_layer(folder)


PATTERN = PatternConfig(eligible_share=0.8, pattern_only_share=0.2, strength=2.0)


def planted() -> Task:
    drawing = torch.Generator().manual_seed(0)
    labels = torch.arange(900) % 3
    x = torch.randn(900, 8, generator=drawing)
    x[torch.arange(900), labels] += 1.5

    def wide() -> nn.Module:
        return nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 3))

    return Task(wide, TensorDataset(x, labels), planter=TablePlanter(columns=(4, 5, 6, 7)))


def test_a_planted_pattern_loses_its_hold(tmp_path):
    with register_task(planted()) as given:
        folder = run_at(tmp_path / "run", config_of(given, epochs=15, pattern=PATTERN))
        found = retrain_last_layer(folder)
    assert found.before.clean == pytest.approx(final(folder, "clean", "accuracy"))
    assert found.before.reliance == pytest.approx(final(folder, "conflict", "reliance"), abs=1e-6)
    assert found.before.content == pytest.approx(
        final(folder, "conflict", "share_content"), abs=1e-6
    )
    assert found.before.reliance > 0.3
    assert found.after.reliance < found.before.reliance - 0.1
    assert float(found.after.content) > float(found.before.content)


def test_of_a_search_only_the_runs_at_full_length_are_retrained(tmp_path):
    for epochs in (1, 2):
        config, labels = config_of(TaskConfig(PATH), epochs=epochs), {"experiment": "advise"}
        RunFolder.create(tmp_path / "search" / f"epochs-{epochs}" / "run", config, labels)
    RunFolder.create(tmp_path / "run", config_of(TaskConfig(PATH)), {"arm": "alone"})

    def epochs_in(*paths):
        found = open_networks(*paths).folders
        return sorted((f.labels.get("experiment", ""), f.config.training.epochs) for f in found)

    assert epochs_in(tmp_path / "search") == [("advise", 2)]
    assert epochs_in(tmp_path / "search" / "epochs-1") == [("advise", 1)], "it was asked for"
    assert epochs_in(tmp_path / "search", tmp_path / "run") == [("", 1), ("advise", 2)]


def test_results_and_pages_show_the_changes(tmp_path, capsys):
    for seed in (0, 1, 2, 10, 11):
        use_attribute(run_at(tmp_path / f"{seed}", config_of(TaskConfig(PATH), seed)))
    assert main(["retrain", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    results = open_runs(tmp_path)
    change = results.last_layer_change("seeds 0", "worst_group_accuracy", "group")
    by_seed = results.last_layers("seeds 0")
    gains = [float(a.group_balanced.after.worst_group_accuracy) for a in by_seed.values()]
    assert change.n == 3
    assert change.mean == pytest.approx(sum(gains) / 3), "it was 0 before"
    assert results.last_layer_change("seeds 0", "reliance").n == 0, "there is no pattern"
    page = (tmp_path / "report.html").read_text()
    for text in (out, page):
        assert "Not learned, or learned but unused?" in text
        assert "balanced" in text
    assert "400 validation examples predicts the other half" in page
    assert "reliance on the domain" in page
    assert "held-out examples of each group: worst-group accuracy" in page


def test_the_dry_run_names_the_code(run, capsys):
    assert main(["retrain", str(run.path), "--dry-run"]) == 0
    assert PATH in capsys.readouterr().out
    assert not run.file(FILE).exists()


def test_a_task_passed_as_an_object_is_passed_again(tmp_path, capsys):
    task = replace(make(), groups=None)
    with register_task(task) as given:
        folder = run_at(tmp_path / "runs" / "0", config_of(given))
    assert main(["retrain", str(tmp_path / "runs"), "--dry-run"]) == 0
    assert "in Python" in capsys.readouterr().out
    assert main(["retrain", str(tmp_path / "runs")]) == 2
    assert "task=task" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="task=task"):
        retrain(folder.path)
    other = replace(task, validation=shortcut(50))
    with pytest.raises(RunFolderError, match="validation data"):
        retrain(folder.path, task=other, quiet=True)
    results = retrain(folder.path, task=task, quiet=True)
    assert results.last_layers("seeds 0")[0].measured == 400
    assert main(["retrain", str(tmp_path / "runs")]) == 0, "it has been retrained"


def test_a_task_is_not_passed_for_runs_that_name_theirs(run, tiny, tmp_path):
    with pytest.raises(ConfigError, match="which is imported"):
        retrain(run.path, task=make(), quiet=True)
    images = RunFolder.create(tmp_path / "images", tiny)
    with pytest.raises(ConfigError, match="on images"):
        retrain(images.path, task=make(), quiet=True)


def test_edited_weights_are_refused(run):
    run.file("weights.safetensors").write_bytes(b"nothing")
    with pytest.raises(RunFolderError, match="not as the run left it"):
        retrain_last_layer(run)
    save_file({"0.weight": torch.eye(2)}, run.file("weights.safetensors"))
    run.update(files=run.seal())
    with pytest.raises(RunFolderError, match="not the weights of Sequential"):
        retrain_last_layer(run)
