"""What published rules say about the drift, to compare with: they are no predictions for a run."""

from __future__ import annotations

from dataclasses import dataclass

from learnorder.advise.settings import LRSearch

_WIDTHS = (
    "width", "widen_factor", "hidden", "hidden_size", "hidden_dim", "d_model", "n_embd",
    "embed_dim", "dim", "channels", "units",
)  # fmt: skip
"""Names that arguments for the width of a network usually have."""
_DECAYS = ("weight_decay", "wd")
_ADAM = ("Adam", "AdamW", "NAdam", "RAdam", "Adamax")


@dataclass(frozen=True)
class Reference:
    """A rule for the best learning rate.

    Attributes:
        name: The rule, as a noun phrase that can follow "for" or "by".
        factor: The factor with each doubling.
        basis: What it is about, and its source.
    """

    name: str
    factor: float
    basis: str


_WIDTH = (
    Reference(
        "maximal update parametrisation (μP)", 1.0,
        "the best learning rate does not move with the width (Yang and Hu, Feature Learning in "
        "Infinite-Width Neural Networks, ICML 2021; Yang et al., Tensor Programs V, 2022)",
    ),
)  # fmt: skip
_WIDTH_ADAM = Reference(
    "standard parametrisation with Adam, hidden layers", 0.5,
    "their learning rate has to fall like 1/width for their updates to keep their size (Yang et "
    "al., Tensor Programs V, 2022); other layers follow other rules, so a single learning rate for "
    "all layers may fall more slowly",
)  # fmt: skip
_BATCH_SGD = Reference(
    "linear scaling with SGD", 2.0,
    "the learning rate grows like the batch size, up to a limit (Goyal et al., Accurate, Large "
    "Minibatch SGD, 2017)",
)  # fmt: skip
_BATCH_ADAM = Reference(
    "square-root scaling with Adam", 2**0.5,
    "the learning rate grows like the square root of the batch size (Malladi et al., On the SDEs "
    "and Scaling Rules for Adaptive Gradient Algorithms, NeurIPS 2022)",
)  # fmt: skip

_DECAY_SGD = Reference(
    "a constant product, with normalisation layers", 0.5,
    "the loss does not depend on the length of weights that are followed by normalisation; the "
    "learning rate of their direction, in equilibrium, depends on the product alone (Li and Arora, "
    "An Exponential Learning Rate Schedule for Deep Learning, ICLR 2020; Li, Lyu and Arora, "
    "Reconciling Modern Deep Learning with Traditional Optimization Analyses, NeurIPS 2020)",
)  # fmt: skip
_DECAY_ADAMW = Reference(
    "a constant product, with AdamW", 0.5,
    "the product is the rate at which AdamW's weights, an average of their updates, forget (Wang "
    "and Aitchison, How to Set AdamW's Weight Decay as You Scale Model and Dataset Size, ICML "
    "2025)",
)  # fmt: skip


def references_for(search: LRSearch, setting: str) -> list[Reference]:
    """Return the rules about a setting, for the search's optimiser; a script's is not known."""
    argument = setting.rpartition(".")[2]
    optimizer = None if search.is_script else search.training.optimizer
    sgd, adam = optimizer in (None, "SGD"), optimizer is None or optimizer in _ADAM
    if argument in _WIDTHS and not setting.startswith(("training.", "data.")):
        return [*_WIDTH, *[_WIDTH_ADAM] * adam]
    if argument == "batch_size":
        return [*[_BATCH_SGD] * sgd, *[_BATCH_ADAM] * adam]
    if argument in _DECAYS:
        return [*[_DECAY_SGD] * sgd, *[_DECAY_ADAMW] * (optimizer in (None, "AdamW"))]
    return []
