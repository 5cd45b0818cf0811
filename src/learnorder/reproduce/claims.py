"""The paper's claims, each with its test."""

from __future__ import annotations

from collections.abc import Sequence

from learnorder.errors import ConfigError, did_you_mean
from learnorder.reproduce.claim import Claim
from learnorder.reproduce.measures import Difference, Later, Learned, Level, Ratio, Share, Value
from learnorder.reproduce.theory_measures import FirstPattern, SecondDifferenceRatio, Slope
from learnorder.statistics import Unit
from learnorder.statistics.learned import PATCH_LEVEL


def _plain(arm: str, set_: str = "clean", *, before: bool = False) -> Value:
    return Value("plain", arm, set_, when="before_anneal" if before else "final")


def _patch(
    arm: str, set_: str = "clean", quantity: str = "accuracy", *, before: bool = False
) -> Value:
    return Value("patch", arm, set_, quantity, "before_anneal" if before else "final")


def _reliance(arm: str) -> Value:
    return _patch(arm, "conflict", "reliance")


def _error(arm: str, experiment: str = "theory") -> Value:
    return Value(experiment, arm, "p_only", "error")


def _loss(arm: str, set_: str) -> Value:
    return Value("theory", arm, set_, "loss")


def _time_slope(setting: str, bound: float) -> Slope:
    return Slope("steps", "L-S", quantity="anneal", setting=setting, bound=bound)


_LOSS = Unit("", digits=4)
_STEEPEST = 1.5
"""Bound of exponents that the theorem has as 1, up to powers of logarithms, which no finite range
tells from a small power: the square of log d adds 2 / log d = 0.35 at d = 300, that of log 1/ε1
adds 0.94 at ε1 = 0.12."""
_TABLE_1 = "Table 1"
_PATCH = "section 6.2, patch figure"

CLAIMS = (
    Claim(
        "final-accuracy",
        "Without data augmentation, a large initial LR, annealed, ends with higher test accuracy "
        "than a small LR.",
        "abstract, Figure 1, Table 1",
        Difference(_plain("large"), _plain("small")),
        "above",
        ("plain", "clean"),
        reported="+5.48 points (90.41 and 84.93 %)",
    ),
    Claim(
        "final-accuracy-annealed",
        "It is not the anneal alone: the large LR also ends with higher test accuracy than a small "
        "LR that is annealed at the same epoch by the same factor.",
        "– (a control that the paper does not have)",
        Difference(_plain("large"), _plain("small_annealed")),
        "above",
        ("plain", "clean"),
        also=(Difference(_plain("small_annealed"), _plain("small")),),
    ),
    Claim(
        "small-ahead-in-training",
        "Before the anneal the small LR is ahead in training accuracy.",
        "Figure 1",
        Difference(_plain("small", "train", before=True), _plain("large", "train", before=True)),
        "above",
        ("plain", "train"),
    ),
    Claim(
        "small-ahead-in-test",
        "Before the anneal the small LR is ahead in test accuracy too.",
        "Figure 1",
        Difference(_plain("small", before=True), _plain("large", before=True)),
        "above",
        ("plain", "clean"),
    ),
    Claim(
        "noise-accuracy",
        "Noise before the activations raises the small LR's final test accuracy.",
        _TABLE_1,
        Difference(_plain("small_noise"), _plain("small")),
        "above",
        ("plain", "clean"),
        reported="+4.72 points (89.65 and 84.93 %), 86 % of the gap",
        also=(
            Share(_plain("small_noise"), _plain("small"), _plain("large")),
            Difference(_plain("small_noise"), _plain("large")),
        ),
    ),
    Claim(
        "patch-order",
        "The small LR memorises the patch before the large one does.",
        _PATCH,
        Later(Learned("large"), Learned("small")),
        "above",
        ("patch", "patch_only"),
        also=(Learned("small"), Learned("large"), Learned("small_noise")),
    ),
    Claim(
        "small-memorises-at-once",
        "The small LR memorises the patch at once, before the large one is annealed.",
        _PATCH,
        Level(_patch("small", "patch_only", before=True), PATCH_LEVEL),
        "above",
        ("patch", "patch_only"),
    ),
    Claim(
        "large-ignores-patch",
        "The large LR ignores the patch until it is annealed.",
        _PATCH,
        Level(_patch("large", "patch_only", before=True)),
        "below",
        ("patch", "patch_only"),
    ),
    Claim(
        "large-learns-patch-after-anneal",
        "After the anneal the large LR learns the patch.",
        _PATCH,
        Level(_patch("large", "patch_only"), PATCH_LEVEL),
        "above",
        ("patch", "patch_only"),
        also=(
            Difference(_patch("large", "patch_only"), _patch("large", "patch_only", before=True)),
        ),
    ),
    Claim(
        "noise-ignores-patch",
        "With noise the small LR ignores the patch early, too.",
        _PATCH,
        Level(_patch("small_noise", "patch_only", before=True)),
        "below",
        ("patch", "patch_only"),
    ),
    Claim(
        "patch-final-accuracy",
        "Trained with the patch, the large LR ends with higher accuracy on clean images.",
        _PATCH,
        Difference(_patch("large"), _patch("small")),
        "above",
        ("patch", "clean"),
    ),
    Claim(
        "patch-final-accuracy-annealed",
        "Trained with the patch, the large LR also ends with higher accuracy on clean images than "
        "a small LR annealed in the same way.",
        "– (a control that the paper does not have)",
        Difference(_patch("large"), _patch("small_annealed")),
        "above",
        ("patch", "clean"),
        also=(Difference(_patch("small_annealed"), _patch("small")),),
    ),
    Claim(
        "patch-noise-accuracy",
        "Trained with the patch, noise raises the small LR's final accuracy on clean images.",
        _PATCH,
        Difference(_patch("small_noise"), _patch("small")),
        "above",
        ("patch", "clean"),
        also=(Difference(_patch("small_noise"), _patch("large")),),
    ),
    Claim(
        "patch-costs-small",
        "The small LR's accuracy on clean images suffers from the patch.",
        _PATCH,
        Difference(_patch("small"), Value("unpatched", "small")),
        "below",
        ("patch", "clean"),
        also=(
            Difference(_patch("large"), Value("unpatched", "large")),
            Difference(_patch("small_noise"), Value("unpatched", "small_noise")),
        ),
    ),
    Claim(
        "small-relies-on-patch",
        "The small LR relies on the patch more than the large one.",
        "section 6.2, by clean accuracy only",
        Difference(_reliance("small"), _reliance("large")),
        "above",
        ("patch", "reliance"),
        also=(
            Level(_reliance("large"), 0.0),
            Level(_reliance("small"), 0.0),
            Level(_reliance("small_noise"), 0.0),
        ),
    ),
    Claim(
        "noise-lowers-reliance",
        "Noise makes the small LR rely on the patch less.",
        "– (follows from the paper's account)",
        Difference(
            _reliance("small_noise"), _reliance("small")
        ),
        "below",
        ("patch", "reliance"),
    ),
    Claim(
        "theory-small-learns-q-first",
        "S (small LR) learns Q first.",
        "theorems",
        FirstPattern("theory", "S", "Q"),
        "above",
        ("theory", "order"),
    ),
    Claim(
        "theory-large-learns-p-first",
        "L-S (large LR, annealed) learns P first.",
        "theorems",
        FirstPattern("theory", "L-S", "P"),
        "above",
        ("theory", "order"),
    ),
    Claim(
        "theory-linear-on-q",
        "Until its anneal L-S is linear on Q: the second difference of V's output stays near 0.",
        "proof of the theorem for L-S",
        SecondDifferenceRatio("theory", 0.02),
        "below",
        ("theory", "second_difference"),
    ),
    Claim(
        "theory-error-gap",
        "S has a higher error than L-S on test examples that contain only P.",
        "theorems",
        Difference(_error("S"), _error("L-S")),
        "above",
        ("theory", "p_error"),
        also=(Ratio(_error("S"), _error("L-S")),),
    ),
    Claim(
        "theory-loss-gap",
        "With 6 % of the examples P-only, S ends with a higher test loss than L-S.",
        "– (a comparison of ours; the theorems have more P-only examples, p0 = κ²/2)",
        Difference(_loss("S", "all"), _loss("L-S", "all"), _LOSS),
        "above",
        ("theory", "test_loss"),
        also=(Difference(_loss("S", "p_only"), _loss("L-S", "p_only"), _LOSS),),
    ),
    Claim(
        "theory-mitigation",
        "Annealed noise before the activations lowers S's error.",
        "mitigation by noise",
        Difference(_error("S+noise"), _error("S")),
        "below",
        ("theory", "p_error"),
        also=(Share(_error("S+noise"), _error("S"), _error("L-S")),),
    ),
    Claim(
        "theory-kappa",
        "As κ falls, the error of L-S falls faster than that of S, so their ratio grows.",
        "theorems",
        Slope("kappa", "L-S", minus="S"),
        "above",
        ("kappa", "p_error_by_setting"),
        also=(Slope("kappa", "L-S"), Slope("kappa", "S")),
    ),
    Claim(
        "theory-loss-kappa",
        "As κ falls, the loss of S on P-only examples rises relative to that of L-S.",
        "– (follows from the theorems)",
        Slope("kappa", "L-S", minus="S", quantity="loss"),
        "above",
        ("kappa", "p_loss_by_setting"),
        also=(Slope("kappa", "L-S", quantity="loss"), Slope("kappa", "S", quantity="loss")),
    ),
    Claim(
        "theory-steps-dimension",
        "η·t until L-S is annealed grows more slowly with the dimension than d^1.5.",
        "theorems: as d, up to logarithms",
        _time_slope("distribution.d", _STEEPEST),
        "below",
        ("steps", "anneal_by_setting"),
    ),
    Claim(
        "theory-steps-epsilon",
        "η·t until L-S is annealed, at a training loss of ε1 + q·log 2, grows more slowly than "
        "(1/ε1)^1.5.",
        "theorems: as 1/ε1, up to logarithms",
        _time_slope("algorithm.epsilon1", -_STEEPEST),
        "above",
        ("steps", "anneal_by_setting"),
    ),
    Claim(
        "theory-shared-filters",
        "In a two-layer convolutional network, too, S has a higher error than L-S.",
        "appendix",
        Difference(_error("S", "convolution"), _error("L-S", "convolution")),
        "above",
        ("convolution", "p_error"),
        also=(
            Ratio(_error("S", "convolution"), _error("L-S", "convolution")),
            Difference(_error("S+noise", "convolution"), _error("S", "convolution")),
        ),
    ),
)  # fmt: skip
"""All claims, in the paper's order."""


def claims_named(
    names: Sequence[str] | None, claims: tuple[Claim, ...] = CLAIMS
) -> tuple[Claim, ...]:
    """Return the named claims of a paper, in its order; None returns all.

    Raises:
        ConfigError: A name is unknown, or there are no names.
    """
    if names is None:
        return claims
    known = {claim.name for claim in claims}
    for name in names:
        if name not in known:
            remedy = "Separate names by spaces; --list prints all of them."
            raise ConfigError("only", name, f"{did_you_mean(name, known)} {remedy}".lstrip())
    if not names:
        raise ConfigError("only", [], "Name at least one claim, or leave it out for all.")
    return tuple(claim for claim in claims if claim.name in names)
