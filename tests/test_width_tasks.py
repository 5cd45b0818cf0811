"""The task of papers on the transfer of learning rates over widths."""

import pytest
import torch

from learnorder.reproduce.papers.literature import kosson2025
from learnorder.reproduce.papers.width import NormedMLP, language_of_width


@pytest.mark.parametrize(
    ("scaled", "decay", "expected"),
    [
        (True, "standard", (0.1, 0.3)),
        (True, "independent", (0.1, 1.2)),
        (False, "standard", (0.4, 0.3)),
    ],
)
def test_rates_and_decays_over_the_width(scaled, decay, expected):
    """At four times the base width."""
    task = language_of_width(64, 16, scaled, decay, weight_decay=0.3, tokens=8, shown=20)
    network = task.model()
    assert task.optimizer is not None
    fixed, wide = task.optimizer(network, 0.4).param_groups
    assert (fixed["lr"], fixed["weight_decay"]) == (0.4, 0.3)
    assert (wide["lr"], wide["weight_decay"]) == pytest.approx(expected)
    shapes = [list(p.shape) for p in wide["params"]]
    assert shapes == [[64, 64], [8, 64]], "those whose fan-in is the width"
    count = sum(p.numel() for group in (fixed, wide) for p in group["params"])
    assert count == sum(p.numel() for p in network.parameters())


def test_at_the_base_width_all_kinds_of_scaling_are_the_same():
    for scaled, decay in ((True, "independent"), (True, "standard"), (False, "standard")):
        task = language_of_width(16, 16, scaled, decay, weight_decay=0.3, tokens=8, shown=20)
        assert task.optimizer is not None
        groups = task.optimizer(task.model(), 0.4).param_groups
        assert [(g["lr"], g["weight_decay"]) for g in groups] == [(0.4, 0.3)] * 2


def test_hidden_values_are_alike_at_all_widths_and_outputs_begin_at_zero():
    pairs = torch.randint(0, 64, (200, 2), generator=torch.Generator().manual_seed(0))
    for width in (32, 512):
        torch.manual_seed(0)
        network = NormedMLP(64, width)
        assert not network(pairs).any()
        variance = float(network.second.weight.detach().var()) * width
        assert variance == pytest.approx(1.0, rel=0.1)


def test_arms_differ_in_the_scaling_alone():
    arms = kosson2025.PAPER.experiments()["language"].arms
    widths = {width: [c for a, c in arms.items() if a.startswith(f"width {width},")]
              for width in (kosson2025.NARROW, kosson2025.WIDE)}  # fmt: skip
    rates = len(kosson2025.RATES)
    assert [len(each) for each in widths.values()] == [2 * rates, 4 * rates]
    first, *others = (config.training for config in arms.values())
    assert all(other == first for other in others)
