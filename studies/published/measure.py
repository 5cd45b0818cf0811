"""Measure the paper's published code for comparison.

``python -m studies.published.measure CODE SOURCE`` takes a checkout of
https://github.com/cwein3/large-lr-code and CIFAR-10 (e.g. parquet:DIR). It runs the code's patch
data set, patterns, noise and network, and writes ``results/published.json``.
``tests/test_published.py`` compares our implementation with these numbers.

The code was written for Python 3.6, a GPU and torchvision. It runs here with two changes:
``.cuda()`` is removed, and the parts of torchvision that it uses are replaced.
"""

from __future__ import annotations

import json
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from learnorder.config.settings import DataConfig
from learnorder.data import load_images
from learnorder.models import WideResNet
from studies.common import RESULTS

OUT = RESULTS / "published.json"
QUANTILES = [i / 20 for i in range(21)]


def formula_(network: nn.Module) -> None:
    """Set weights and batch-norm statistics by a formula, equal on all machines.

    With k the index in the flattened tensor, √2·sin(12.9898·k + 1) has mean 0 and variance 1.
    """

    def wave(tensor: torch.Tensor) -> torch.Tensor:
        k = torch.arange(tensor.numel(), dtype=torch.float64).view(tensor.shape)
        return 2**0.5 * torch.sin(12.9898 * k + 1)

    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                fan_in = module.weight[0].numel()
                module.weight.copy_(wave(module.weight) / fan_in**0.5)
                if module.bias is not None:
                    module.bias.copy_(0.1 * wave(module.bias))
            elif isinstance(module, nn.BatchNorm2d):
                assert module.running_mean is not None
                assert module.running_var is not None
                module.weight.copy_(1 + 0.1 * wave(module.weight))
                module.bias.copy_(0.1 * wave(module.bias))
                module.running_mean.copy_(0.1 * wave(module.running_mean))
                module.running_var.copy_(1 + 0.3 * wave(module.running_var))


def formula_images(count: int = 4) -> torch.Tensor:
    """Return images computed by a formula, float32 [count, 3, 32, 32]."""
    k = torch.arange(count * 3 * 32 * 32, dtype=torch.float64)
    return torch.sin(78.233 * k + 0.5 * torch.sin(0.01 * k)).float().view(count, 3, 32, 32)


def stand_in_for_torchvision(images: Any) -> None:
    """Install replacements for torchvision's modules.

    Args:
        images: {split: (uint8 images [N, 32, 32, 3], labels [N])} for its CIFAR10 data set.
    """

    class CIFAR10:
        def __init__(
            self, _: str, train: bool = True, download: bool = False, transform: Any = None
        ):
            self.pixels, self.labels = images["train" if train else "test"]
            self.transform = transform

        def __len__(self) -> int:
            return len(self.labels)

        def __getitem__(self, index: int):
            return self.transform(self.pixels[index]), int(self.labels[index])

    def compose(steps):
        def run(x):
            for step in steps:
                x = step(x)
            return x

        return run

    def normalize(mean, std):
        mean, std = (torch.tensor(v).view(3, 1, 1) for v in (mean, std))
        return lambda x: (x - mean) / std

    transforms: Any = types.ModuleType("torchvision.transforms")
    transforms.Compose, transforms.Normalize = compose, normalize
    transforms.ToTensor = lambda: lambda x: x.permute(2, 0, 1).float() / 255
    datasets: Any = types.ModuleType("torchvision.datasets")
    datasets.CIFAR10 = CIFAR10
    torchvision: Any = types.ModuleType("torchvision")
    torchvision.datasets, torchvision.transforms = datasets, transforms
    modules = {"torchvision": torchvision, "torchvision.transforms": transforms}
    sys.modules.update({**modules, "torchvision.datasets": datasets})


def load(code: Path, name: str) -> Any:
    """Return a module of the published code, without ``.cuda()``."""
    source = (code / name).read_text().replace(".cuda()", "")
    module = types.ModuleType(Path(name).stem)
    exec(compile(source, name, "exec"), module.__dict__)
    return module


def quantiles(values: np.ndarray) -> list[float]:
    """Return the 0, 5, …, 100 % quantiles of a sample."""
    return [float(f"{q:.6g}") for q in np.quantile(values, QUANTILES)]


def measure_patch(data_util: Any) -> dict[str, Any]:
    """Measure the training set over two accesses, and the patch-only set."""
    torch.manual_seed(2)
    np.random.seed(2)
    hparams = {
        "transforms": "pm_sym_fixed", "num_classes": 10, "patch_size": 7, "patch_sep": 0.1,
        "num_patterns": 1, "z_scale": 1.25, "patch_loc": "center", "patch_only_prob": 0.2,
        "patch_only_scale": 1.75, "batch_size": 128, "prop_augment": 0.8, "dataset": "cifar10",
        "data_dir": "",
    }  # fmt: skip
    (patch,) = data_util.create_m_trans(hparams)
    train, _, _ = data_util.load_data(hparams, augment=False, more_transform=[patch])
    dataset = train.dataset
    clean_images = dataset.dataset
    rows = slice(12, 19)
    kinds = {"clean": 0, "patch_only": 0, "both": 0}
    patch_only, both_signs, eligible = [], [], [set(), set()]
    for access in range(2):
        for index in range(len(dataset)):
            shown, label = dataset[index]
            whole, _ = clean_images[index]
            planted = shown[:, rows, rows].clone()
            rest, content = shown.clone(), whole.clone()
            rest[:, rows, rows], content[:, rows, rows] = 0, 0
            if torch.equal(shown, whole):
                kinds["clean"] += 1
                continue
            eligible[access].add(index)
            zeta = patch.small_patterns[label, 0]
            amplitude = float(((planted - patch.z_pattern) * zeta).sum() / zeta.square().sum())
            if not rest.any():
                kinds["patch_only"] += 1
                patch_only.append(amplitude)
            else:
                assert torch.equal(rest, content), "pixels outside the patch are unchanged"
                kinds["both"] += 1
                both_signs.append(amplitude)
    transform_only = data_util.TransformOnlyDataset(20_000, 10, lambda pair: patch(pair))
    evaluated = []
    for index in range(20_000):
        shown, label = transform_only[index]
        zeta = patch.small_patterns[label, 0]
        planted = shown[:, rows, rows]
        evaluated.append(float(((planted - patch.z_pattern) * zeta).sum() / zeta.square().sum()))
    z, zeta = zip(*(data_util.pm_sym_pattern(10, 7, 1, 1.25, 0.1) for _ in range(100)), strict=True)
    signs = np.array(both_signs)
    assert np.allclose(np.abs(signs), 1, atol=1e-3)
    return {
        "examples": len(dataset),
        "accesses": 2 * len(dataset),
        "groups": kinds,
        "eligible": len(eligible[0]),
        "eligible_are_the_same": eligible[0] == eligible[1],
        "both_positive": int((signs > 0).sum()),
        "patch_only_amplitude": quantiles(np.array(patch_only)),
        "evaluated_amplitude": quantiles(np.array(evaluated)),
        "evaluated_whole": int((np.abs(np.abs(evaluated) - 1) < 1e-3).sum()),
        "evaluated": len(evaluated),
        "first_row": 12, "last_row": 18,
        "z": quantiles(torch.stack(z).numpy()), "z_std": float(torch.stack(z).std()),
        "zeta": quantiles(torch.stack(zeta).numpy()),
        "first_pixels": [float(v) for v in clean_images[0][0].flatten()[:8]],
    }  # fmt: skip


def measure_network(wideresnet: Any) -> dict[str, Any]:
    """Measure the network's output with weights set by a formula, and its noise."""
    outputs = {}
    for widen in (1, 10):
        ours = WideResNet(16, widen, 10)
        formula_(ours)
        theirs = wideresnet.WideResNet(16, 10, widen)
        theirs.load_state_dict(renamed(ours.state_dict()))
        images = formula_images()
        for mode in ("eval", "train"):
            getattr(ours, mode)()
            getattr(theirs, mode)()
            state = {k: v.clone() for k, v in theirs.state_dict().items()}
            with torch.no_grad():
                logits, own = theirs(images), ours(images)
            theirs.load_state_dict(state)
            formula_(ours)
            outputs[f"wrn16_{widen}_{mode}"] = {
                "logits": [[float(f"{v:.7g}") for v in row] for row in logits.tolist()],
                "largest_difference": float((logits - own).abs().max()),
            }
    return {**outputs, "noise": _noise(wideresnet)}


def _noise(wideresnet: Any) -> dict[str, Any]:
    """Measure the noise: its draws, and its effect on the first activation's input."""
    network = wideresnet.WideResNet(16, 10, 1)
    network.train()
    seen, drawn = [], []
    network.block1.layers[0].relu1.register_forward_pre_hook(lambda _, x: seen.append(x[0].clone()))
    randn = torch.randn

    def recorded(*size: int):
        drawn.append(list(size))
        return randn(*size)

    torch.manual_seed(0)
    images, differences = formula_images(), []
    with torch.no_grad():
        for _ in range(200):
            seen.clear()
            drawn.clear()
            network(images)
            torch.randn = recorded
            network.forward_noise(images, 0.4)
            torch.randn = randn
            differences.append(seen[1] - seen[0])
    noise = torch.stack(differences)
    return {
        "level": 0.4,
        "draws": list(drawn),
        "std": float(noise[:, 0, 0].std()),
        "maps": len(noise),
        "spread_over_images_and_channels": float((noise - noise[:, :1, :1]).abs().max()),
        "quantiles": quantiles(noise[:, 0, 0].numpy()),
    }


def renamed(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return our weights with the names of the published network."""
    places = {"features.0": "conv1", "features.7": "bn1", "classifier": "fc"}
    for block in range(6):
        places[f"features.{block + 1}"] = f"block{block // 2 + 1}.layer_nn.{block % 2}"
    parts = {"shortcut": "convShortcut"}
    weights = {}
    for name, tensor in state.items():
        place = next(p for p in places if name.startswith(p + "."))
        rest = name[len(place) + 1 :].split(".")
        weights[".".join([places[place], parts.get(rest[0], rest[0]), *rest[1:]])] = tensor
    return weights


def main(code: Path, source: str) -> None:
    """Measure, and write the results."""
    loaded = load_images(DataConfig(source=source, normalization="cifar"))
    images = {
        "train": (loaded.train.pixels[:20_000], loaded.train.labels[:20_000]),
        "test": (loaded.evaluation.pixels, loaded.evaluation.labels),
    }
    stand_in_for_torchvision(images)
    commit = subprocess.run(
        ["git", "-C", str(code), "rev-parse", "HEAD"], check=False, capture_output=True, text=True
    ).stdout.strip()
    measured = {
        "code": "https://github.com/cwein3/large-lr-code",
        "commit": commit,
        "patch": measure_patch(load(code, "data_util.py")),
        "network": measure_network(load(code, "models/wideresnet.py")),
    }
    OUT.write_text(json.dumps(measured, indent=1) + "\n")
    print(json.dumps(measured, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
