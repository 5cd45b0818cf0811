"""The training loop against a slow, obvious one; pairing of arms; continuing; diverging."""

import logging
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from learnorder import Task
from learnorder.config.settings import TaskConfig, TaskRunConfig
from learnorder.config.training import NoiseConfig, TrainingConfig
from learnorder.data import load_images
from learnorder.data.augmentation import Augmentation
from learnorder.errors import ConfigError
from learnorder.models import build_model
from learnorder.patterns import Group
from learnorder.schedules import Schedule
from learnorder.seeding import generator, random_state_kept
from learnorder.training.batches import Batches, draw_patch
from learnorder.training.image_problem import image_trainer
from learnorder.training.optimizers import build_optimizer, optimizer_names
from learnorder.training.task_problem import task_trainer

from .conftest import changed
from .test_task import blobs


def train(config, data=None, state=None, stop_after=None):
    trainer = image_trainer(config, data or load_images(config.data), state)
    steps = iter(range(10**9))
    outcome = trainer.run(lambda t: next(steps) + 1 == stop_after, lambda t: None)
    return trainer, outcome


def weights(trainer):
    return trainer.network.state_dict()


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.values(), b.values(), strict=True))


def train_slowly(config, data):
    """The published recipe with one image at a time and nothing clever."""
    model = build_model(
        config.model,
        num_classes=data.num_classes,
        in_channels=3,
        image_size=data.image_size,
        seed=config.seed,
    ).train()
    patch = draw_patch(config, data)
    batches = Batches(config, data, torch.device("cpu"))
    optimizer = torch.optim.SGD(
        model.parameters(), lr=1.0, momentum=0.9, nesterov=True, weight_decay=5e-4, foreach=False
    )
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (data.mean, data.std))
    count, size = len(data.train), config.training.batch_size
    corner = patch.top, patch.left
    for epoch in range(1, config.training.epochs + 1):
        order = torch.randperm(count, generator=generator(config.seed, "order", epoch)).tolist()
        draw = batches.draws(epoch)
        for first in range(0, count, size):
            images, labels = [], []
            for i in order[first : first + size]:
                image = data.train.pixels[i].permute(2, 0, 1).float() / 255
                image, label = (image - mean) / std, int(data.train.labels[i])
                if draw.group[i] == Group.PATCH_ONLY:
                    image = torch.zeros_like(image)
                if draw.group[i] != Group.CLEAN:
                    rows, columns = (slice(c, c + config.patch.size) for c in corner)
                    image[:, rows, columns] = patch.z + draw.amplitude[i] * patch.zeta[label]
                images.append(image)
                labels.append(label)
            optimizer.param_groups[0]["lr"] = config.learning_rate.at(epoch)
            optimizer.zero_grad()
            F.cross_entropy(model(torch.stack(images)), torch.tensor(labels)).backward()
            optimizer.step()
    return model.state_dict()


def test_equal_to_the_slow_loop(tiny):
    data = load_images(tiny.data)
    trainer, outcome = train(tiny, data)
    assert outcome.status == "finished"
    for (name, fast), slow in zip(
        weights(trainer).items(), train_slowly(tiny, data).values(), strict=True
    ):
        torch.testing.assert_close(fast, slow, rtol=2e-3, atol=2e-4, msg=name)


@pytest.mark.parametrize("stop_after", [1, 4, 6])
@pytest.mark.parametrize("noisy", [False, True])
def test_a_continued_run_is_identical(tiny, stop_after, noisy, tmp_path):
    if noisy:
        tiny = replace(tiny, noise=NoiseConfig(Schedule(0.4, step_epochs=(3,), step_factor=0.5)))
    whole, _ = train(tiny)
    first, outcome = train(tiny, stop_after=stop_after)
    assert outcome.status == "interrupted"
    torch.save(first.state(), tmp_path / "state.pt")
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    torch.manual_seed(99)  # the global state plays no part
    second, outcome = train(tiny, state=state)
    assert outcome.status == "finished"
    assert second.records.table().equals(whole.records.table())
    assert same(weights(second), weights(whole))


def test_layers_that_draw_continue_identically(tiny):
    """Dropout draws from torch's global state, which is set anew at each step."""
    tiny = changed(tiny, model={"name": f"{__name__}.with_dropout", "arguments": {}})
    whole, _ = train(tiny)
    first, _ = train(tiny, stop_after=5)
    second, _ = train(tiny, state=first.state())
    assert same(weights(second), weights(whole))


def with_dropout(num_classes, in_channels):
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(in_channels, 8, 3), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(),
        nn.Linear(8 * 36, num_classes),
    )  # fmt: skip


def test_arms_share_weights_patterns_and_order(tiny):
    data = load_images(tiny.data)
    small = replace(
        tiny, learning_rate=Schedule(0.01), noise=NoiseConfig(Schedule(0.4), shared=False)
    )
    arms = [image_trainer(config, data) for config in (tiny, small)]
    assert same(weights(arms[0]), weights(arms[1]))
    for epoch in (1, 3):
        for a, b in zip(*(arm.problem.batches.epoch(epoch) for arm in arms), strict=True):
            assert torch.equal(a.images, b.images)
            assert torch.equal(a.labels, b.labels)


def test_seeds_differ_in_everything(tiny):
    data = load_images(tiny.data)
    a, b = (image_trainer(replace(tiny, seed=seed), data) for seed in (0, 1))
    assert not torch.equal(a.problem.batches.patch.zeta, b.problem.batches.patch.zeta)
    assert not torch.equal(a.problem.batches.eligible, b.problem.batches.eligible)
    first, other = (next(iter(t.problem.batches.epoch(1))) for t in (a, b))
    assert not torch.equal(first.labels, other.labels)
    assert not same(weights(a), weights(b))


def test_an_epoch_shows_every_image_once_and_orders_vary(tiny):
    batches = Batches(tiny, load_images(tiny.data), torch.device("cpu"))
    seen = [torch.cat([b.labels for b in batches.epoch(e)]) for e in (1, 2)]
    assert seen[0].sort().values.equal(seen[1].sort().values)
    assert not seen[0].equal(seen[1])
    tail = torch.cat([b.labels for b in batches.epoch(1, start=2)])
    assert tail.equal(seen[0][2 * 32 :])


def test_records_add_up(tiny):
    trainer, _ = train(tiny)
    rows = trainer.records.table().to_pandas()
    last = rows[rows["epoch"] == 3]
    shares = last[(last["quantity"] == "share") & (last["group"] != "all")]
    assert shares["value"].sum() == pytest.approx(1)
    assert shares["examples"].sum() == 120
    train_rows = last[(last["set"] == "train") & (last["quantity"] == "accuracy")]
    groups = train_rows[train_rows["group"] != "all"]
    whole = train_rows[train_rows["group"] == "all"]["value"].item()
    assert (groups["value"] * groups["examples"]).sum() / 120 == pytest.approx(whole)
    conflict = last[last["set"] == "conflict"].set_index("quantity")["value"]
    parts = [conflict[f"share_{part}"] for part in ("content", "pattern", "neither")]
    assert sum(parts) == pytest.approx(1)
    assert conflict["accuracy"] == conflict["share_content"]
    assert conflict["reliance"] == pytest.approx(
        conflict["share_pattern"] - conflict["share_baseline"]
    )
    rate = rows[rows["quantity"] == "learning_rate"]["value"].tolist()
    assert rate == pytest.approx([0.1, 0.1, 0.01])


def test_evaluation_is_what_the_final_weights_give(tiny):
    trainer, _ = train(tiny)
    data = load_images(tiny.data)
    images = (data.evaluation.pixels.float() / 255 - torch.tensor(data.mean)) / torch.tensor(
        data.std
    )
    with torch.no_grad():
        logits = trainer.network.eval()(images.permute(0, 3, 1, 2))
    accuracy = (logits.argmax(1) == data.evaluation.labels).double().mean().item()
    rows = trainer.records.table().to_pandas()
    clean = rows[(rows["set"] == "clean") & (rows["quantity"] == "accuracy")]
    assert clean["value"].tolist()[-1] == pytest.approx(accuracy)


def test_divergence_is_a_status_with_step_and_rate(tiny):
    wild = replace(tiny, learning_rate=Schedule(1e30))
    _, outcome = train(wild)
    assert outcome.status == "diverged"
    assert "learning rate 1e+30" in outcome.reason
    assert "epoch 1, step 2" in outcome.reason or "epoch 1, step 3" in outcome.reason


def test_without_a_patch_only_clean_is_evaluated(tiny):
    trainer, _ = train(changed(tiny, patch={"eligible_share": 0.0}))
    rows = trainer.records.table().to_pandas()
    assert set(rows["set"]) == {"train", "clean", "run"}
    assert set(rows[rows["set"] == "train"]["group"]) == {"all", "clean"}
    small = {"resolution": 3, "train_examples": 120, "evaluation_examples": 60}
    image_trainer(config := changed(tiny, data=small, patch={"eligible_share": 0.0, "size": 7}),
            load_images(config.data))  # fmt: skip


def test_noise_level_follows_its_schedule(tiny):
    noise = NoiseConfig(Schedule(0.4, step_epochs=(2,), step_factor=0.0))
    noisy, plain = replace(tiny, noise=noise), tiny
    a, b = (
        image_trainer(noisy, load_images(tiny.data)),
        image_trainer(plain, load_images(tiny.data)),
    )
    for trainer in (a, b):
        trainer.run(lambda t: t.step == 1, lambda t: None)
    assert a.noise is not None
    assert a.noise.level == 0.4
    assert not same(weights(a), weights(b))
    trainer, _ = train(noisy)
    assert trainer.noise is not None
    assert trainer.noise.level == 0.0


class Called(nn.Module):
    """A function in place of an activation module."""

    def __init__(self, num_classes, in_channels):
        super().__init__()
        self.first = nn.Conv2d(in_channels, 8, 3)
        self.second = nn.Linear(8, num_classes)

    def forward(self, images):
        return self.second(F.relu(self.first(images)).mean((2, 3)))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_noise_before_functions(tiny, precision, caplog):
    """It is logged, continues to the byte, and leaves no trace."""
    config = changed(
        tiny,
        model={"name": f"{__name__}.Called", "arguments": {}},
        training={"precision": precision},
        noise={"level": Schedule(0.4)},
    )
    with caplog.at_level(logging.INFO, "learnorder.training.trainer"):
        whole, _ = train(config)
    (message,) = (r.getMessage() for r in caplog.records if "ActivationNoise" in r.getMessage())
    assert "1 site)" in message
    assert "(model): functional.relu at test_training.py:" in message
    first, _ = train(config, stop_after=5)
    second, _ = train(config, state=first.state())
    plain, _ = train(replace(config, noise=NoiseConfig()))
    assert same(weights(second), weights(whole))
    assert not same(weights(plain), weights(whole))
    whole.close()
    assert type(whole.network) is Called


def test_bf16_trains(tiny):
    trainer, outcome = train(changed(tiny, training={"precision": "bf16"}))
    assert outcome.status == "finished"
    assert next(trainer.network.parameters()).dtype == torch.float32


def test_cifar_trains(cifar, tiny):
    trainer, outcome = train(replace(tiny, data=cifar, training=replace(tiny.training, epochs=3)))
    assert outcome.status == "finished"
    assert len(trainer.records)


@pytest.mark.parametrize("name", optimizer_names())
def test_every_optimizer_lowers_the_loss(name):
    """A contract for any class of torch.optim: it is built, and descends a quadratic."""
    weight = torch.nn.Parameter(torch.full((2, 2), 2.0))
    rate = 2.0 if name == "Adadelta" else 0.1
    config = TrainingConfig(optimizer=name)
    optimizer = build_optimizer(config, [weight], rate, torch.device("cpu"))
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = weight.square().sum()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


def test_another_optimizer_continues_to_the_byte(tiny):
    """AdamW's state is in the checkpoint too, and its learning rate is annealed."""
    adam = changed(
        tiny, training={"optimizer": "AdamW", "optimizer_arguments": {"betas": (0.9, 0.95)}}
    )
    adam = replace(adam, learning_rate=Schedule(0.01, (3,), 0.1))
    whole, _ = train(adam)
    half, outcome = train(adam, stop_after=5)
    assert outcome.status == "interrupted"
    resumed, _ = train(adam, state=half.state())
    assert same(weights(whole), weights(resumed))
    assert whole.records.columns == resumed.records.columns
    assert not same(weights(whole), weights(train(replace(adam, training=tiny.training))[0]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimizer": "AdmW"}, "Did you mean AdamW"),
        ({"optimizer": "LBFGS"}, "Give one of"),
        ({"optimizer": "AdamW", "optimizer_arguments": {"momentum": 0.9}}, "AdamW takes betas"),
        ({"optimizer": "AdamW", "optimizer_arguments": {"betas": (2.0, 0.9)}}, "beta"),
    ],
)
def test_optimizers_that_cannot_be(settings, message):
    config, weight = TrainingConfig(**settings), torch.nn.Parameter(torch.ones(1))
    with pytest.raises(ConfigError, match=message):
        build_optimizer(config, [weight], 0.1, torch.device("cpu"))


def test_momentum_belongs_to_sgd():
    with pytest.raises(ConfigError, match="optimizer_arguments"):
        TrainingConfig(optimizer="AdamW", momentum=0.5)


def flipped(images):
    """Flip a random half of the images, drawn from the global generator as torchvision does."""
    chosen = torch.rand(len(images)) < 0.5
    return torch.where(chosen.view(-1, 1, 1, 1), images.flip(3), images)


def darkened(images, generator):
    level = torch.rand(len(images), 1, 1, 1, generator=generator)
    return (images * level).to(torch.uint8)


def halved(images):
    return images[:, :, ::2]


class Counting:
    calls = 0

    def __call__(self, images):
        type(self).calls += 1
        return images


@pytest.mark.parametrize("name", ["flipped", "darkened"])
def test_augmentation_comes_before_the_pattern(tiny, name):
    """Of an augmented epoch the patch is as without, and the rest is not; arms see the same."""
    augmented = changed(tiny, data={"augmentation": f"{__name__}.{name}"})
    data, cpu = load_images(tiny.data), torch.device("cpu")
    plain, ours = Batches(tiny, data, cpu), Batches(augmented, data, cpu)
    assert plain.patch is not None
    size = tiny.patch.size
    rows = slice(plain.patch.top, plain.patch.top + size)
    columns = slice(plain.patch.left, plain.patch.left + size)
    state = torch.get_rng_state()
    for a, b in zip(plain.epoch(2), ours.epoch(2), strict=True):
        carrying = a.group != Group.CLEAN
        here = (carrying, slice(None), rows, columns)
        assert torch.equal(a.images[here], b.images[here])
        whole = a.group != Group.PATCH_ONLY
        assert not torch.equal(a.images[whole], b.images[whole])
        assert torch.equal(a.labels, b.labels)
    assert torch.equal(torch.get_rng_state(), state)
    again = [b.images for b in Batches(augmented, data, cpu).epoch(2, start=1)]
    assert torch.equal(again[0], [b.images for b in ours.epoch(2)][1])
    first = next(iter(ours.evaluation(image_trainer(augmented, data).problem.sets[0]))).images
    clean = next(iter(plain.evaluation(image_trainer(tiny, data).problem.sets[0]))).images
    assert torch.equal(first, clean), "images evaluated on are left as they are"


def test_augmentation_by_a_class(tiny):
    train(changed(tiny, data={"augmentation": f"{__name__}.Counting"}, training={"epochs": 3}))
    assert Counting.calls == 3 * 4


@pytest.mark.parametrize(
    ("name", "message"),
    [("halved", "of shape"), ("nowhere", "has no attribute"), ("LEVEL", "is not callable")],
)
def test_augmentation_that_cannot_be(tiny, name, message):
    config = changed(tiny, data={"augmentation": f"{__name__}.{name}"})
    with pytest.raises(ConfigError, match=message):
        train(config)


LEVEL = 3


@pytest.mark.parametrize("current", [None, 1])
def test_random_states_are_kept_of_the_gpu_in_use_alone(tiny, monkeypatch, current):
    """Of all GPUs, torch would warn, and would begin to use each."""
    forked = []
    monkeypatch.setattr(torch.random, "fork_rng", lambda devices=None: _noting(forked, devices))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: current is not None)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: current)
    build_model(tiny.model, num_classes=2, in_channels=3, image_size=(8, 8), seed=0)
    Augmentation(f"{__name__}.flipped")(torch.zeros(2, 3, 4, 4, dtype=torch.uint8), 0, 1, 0)
    with random_state_kept():
        pass
    assert forked == [[] if current is None else [current]] * 3


@contextmanager
def _noting(notes, value):
    notes.append(value)
    yield


class _Waits(TorchDispatchMode):
    """Fails where a number is read from a tensor, for which a step on a GPU would wait."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert func is not torch.ops.aten._local_scalar_dense.default, "a number is read"
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("noise", [0.0, 0.4])
@pytest.mark.parametrize("training", [{}, {"clip_norm": 1.0}, {"precision": "bf16"}])
@pytest.mark.parametrize("of", ["images", "task", "task in parts"])
def test_a_step_reads_no_number(tiny, noise, training, of, monkeypatch):
    """Losses and gradients stay tensors: on a GPU, no step waits for the one before.

    So do the counts of images, and the training dynamics; the counts of a task are plain numbers on
    a CPU, and left out.
    """
    monkeypatch.setattr("learnorder.training.dynamics._ELEMENTS", 100)  # compared in some steps
    training = {**training, "dynamics": True}
    levels = NoiseConfig(Schedule(noise))
    if of == "images":
        config = replace(changed(tiny, training=training), noise=levels)
        trainer = image_trainer(config, load_images(config.data))
    else:
        network = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 3))
        parts = 2 if of == "task in parts" else 1
        settings = TrainingConfig(epochs=2, batch_size=20, accumulate=parts, **training)
        config = TaskRunConfig(TaskConfig(), settings, Schedule(0.1), levels)
        trainer = task_trainer(config, Task(lambda: network, blobs(90)))
        monkeypatch.setattr(
            trainer.problem,
            "update_metrics",
            lambda batch, outputs, _: trainer.problem.update_dynamics(batch, outputs),
        )
    with pytest.raises(AssertionError, match="a number is read"), _Waits():
        torch.ones(1).item()
    for batch in trainer.problem.epoch(1):
        with _Waits():
            trainer.train_step(batch)
        trainer.step += 1
    trainer.close()
