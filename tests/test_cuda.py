"""The same runs on a CUDA device: close to the CPU's, resumable, and without waiting in a step."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from learnorder import run_patch
from learnorder.config.settings import ModelConfig
from learnorder.config.training import NoiseConfig
from learnorder.data import load_images
from learnorder.errors import ConfigError
from learnorder.execution.driver import cores_for
from learnorder.execution.processes import Processes
from learnorder.execution.settings import Execution
from learnorder.execution.sharing import share_devices
from learnorder.images import patch
from learnorder.noise import ActivationNoise
from learnorder.runs.stepper import _CONTEXT_BYTES
from learnorder.schedules import Schedule
from learnorder.training.image_problem import image_trainer

from .conftest import changed

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")

NOISY = NoiseConfig(Schedule(0.4, step_epochs=(3,), step_factor=0.5))
WIDE = ModelConfig("WideResNet", {"depth": 10, "widen_factor": 1})


@pytest.fixture
def exact():
    """Products of float32 as the CPU has them, and the same from run to run."""
    cudnn = torch.backends.cudnn
    before = cudnn.allow_tf32, cudnn.deterministic
    cudnn.allow_tf32, cudnn.deterministic = False, True
    yield
    cudnn.allow_tf32, cudnn.deterministic = before


def test_more_processes_than_devices_are_refused(tiny):
    count = torch.cuda.device_count() + 1
    trainer = image_trainer(tiny, load_images(tiny.data))
    with pytest.raises(ConfigError, match="a device of its own"):
        trainer.check_processes(count)


def trained(config, state=None, stop_after=None):
    trainer = image_trainer(config, load_images(config.data), state)
    assert trainer.group.device.type == "cuda"
    steps = iter(range(1, 10_000))
    outcome = trainer.run(
        stop=lambda _: stop_after is not None and next(steps) >= stop_after,
        epoch_ended=lambda _: None,
    )
    trainer.close()
    return trainer, outcome


def test_the_first_step_is_the_cpu_s(tiny, exact):
    data, losses, gradients = load_images(tiny.data), [], []
    tiny = replace(tiny, model=WIDE)
    for device in ("cuda", "cpu"):
        trainer = image_trainer(tiny, data)
        (batch,) = next(trainer.problem.epoch(1))
        if device == "cpu":
            network = trainer.network.cpu()
            network.zero_grad()
            batch = replace(
                batch, images=batch.images.cpu(), labels=batch.labels.cpu(), group=batch.group.cpu()
            )
            outputs = network(batch.images)
        else:
            outputs = trainer.outputs(batch)
        loss = trainer.problem.losses(outputs, batch).mean()
        loss.backward()
        losses.append(loss.item())
        gradients.append([p.grad.cpu() for p in trainer.network.parameters()])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    for on_device, on_cpu in zip(*gradients, strict=True):
        torch.testing.assert_close(on_device, on_cpu, rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("noise", [NoiseConfig(), NOISY])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_continued_run_is_identical(tiny, noise, precision):
    tiny = replace(changed(tiny, training={"precision": precision}), model=WIDE, noise=noise)
    whole, outcome = trained(tiny)
    assert outcome.status == "finished"
    first, _ = trained(tiny, stop_after=6)
    second, _ = trained(tiny, first.state())
    assert second.records.table().equals(whole.records.table())
    for name, value in whole.network.state_dict().items():
        torch.testing.assert_close(second.network.state_dict()[name], value, rtol=0, atol=0)


@pytest.mark.parametrize("noise", [NoiseConfig(), NOISY])
def test_a_step_waits_for_nothing(tiny, noise):
    """Nothing is copied to the host in a step: its kernels are queued, one step after another."""
    trainer = image_trainer(replace(tiny, model=WIDE, noise=noise), load_images(tiny.data))
    batches = trainer.problem.epoch(1)
    trainer.train_step(next(batches))  # libraries load, kernels are chosen
    try:
        torch.cuda.set_sync_debug_mode("error")
        for _ in range(2):
            trainer.train_step(next(batches))
    finally:
        torch.cuda.set_sync_debug_mode("default")
        trainer.close()


def test_noise_has_its_level_and_repeats(tiny):
    model = torch.nn.Sequential(torch.nn.Identity(), torch.nn.ReLU()).cuda()
    x = torch.full((64, 8, 16, 16), 100.0, device="cuda")
    noise = ActivationNoise(model, 0.5, shared=False)
    draws = []
    for seed in (1, 1, 2):
        noise.reseed(seed, "noise")
        draws.append(model(x) - 100)
    noise.remove()
    assert draws[0].std().item() == pytest.approx(0.5, rel=0.01)
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_several_runs_at_once(tmp_path):
    """Two workers share the device, and give what each gives alone, up to rounding."""
    demo = patch.demo()
    training, data = replace(demo.training, epochs=21), replace(demo.data, train_examples=200)
    few = replace(demo, seeds=1, training=training, data=data)
    together = run_patch(few, tmp_path / "a", execution=Execution(workers=4, quiet=True))
    alone = run_patch(few, tmp_path / "b", execution=Execution(workers=1, quiet=True))
    assert together.status_words() == "4 finished"
    for arm in together.arms:
        a, b = (results.final(arm, "clean", "accuracy")[0] for results in (together, alone))
        assert abs(a - b) < 0.2


def test_a_trial_finds_how_many_runs_share_the_gpu(tiny, capsys):
    configs = [replace(tiny, model=WIDE, seed=seed) for seed in range(8)]
    execution = Execution(engine=Processes(["0"], "auto"))
    cores = share_devices(configs, execution, cores_for(configs, execution))
    assert 1 <= cores.workers <= 8
    assert cores.speed_up >= 1
    assert "fit into the memory" in " ".join(capsys.readouterr().err.split())


def test_more_runs_than_fit_are_not_started(tiny, capsys):
    torch.cuda.empty_cache()
    _, total = torch.cuda.mem_get_info()
    configs = [replace(tiny, model=WIDE, seed=seed) for seed in range(512)]
    execution = Execution(engine=Processes(["0"], 512))
    cores = share_devices(configs, execution, cores_for(configs, execution))
    assert cores.workers <= total / _CONTEXT_BYTES
    assert "too many for a GPU" in " ".join(capsys.readouterr().err.split())
