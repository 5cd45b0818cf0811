"""Which of the paper's statements hold for a network, by comparisons with its small LR."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from learnorder.probe.arms import ArmNumbers
from learnorder.probe.result import ProbeResult
from learnorder.statistics import (
    Measured,
    Unit,
    Verdict,
    compare_spans,
    measure_difference,
    range_of,
    verdict,
)

Arm = Literal["annealed", "noise"]
"""Arm compared with the small LR: a large LR, annealed, or the small LR with noise."""
Quantity = Literal["order", "clean", "reliance"]
"""Quantity compared: log10(pattern's epoch / content's epoch), or a final share."""
ORDER = Unit("in log10 of epoch over epoch", 1.0, 2)
"""Unit of the order."""

SMALL = "the small LR"
_ARM_NAMES: dict[Arm, str] = {"annealed": "the large LR", "noise": "the small LR with noise"}
_STATEMENTS: dict[tuple[Arm, Quantity], str] = {
    ("annealed", "order"): "{large} moves the order towards the content first, against {small}.",
    ("annealed", "clean"): "{large} ends with higher accuracy on clean {noun} than {small}.",
    ("annealed", "reliance"): "{large} relies less on the pattern at the end than {small}.",
    ("noise", "order"): "Noise moves the order of {small} towards the content first.",
    ("noise", "clean"): "Noise raises the final accuracy of {small} on clean {noun}.",
    ("noise", "reliance"): "Noise makes {small} rely less on the pattern.",
}


@dataclass(frozen=True)
class Statement:
    """A statement of the paper, tested on a network.

    Attributes:
        text: The statement.
        arm: The arm that is compared with the small LR.
        quantity: The quantity compared.
        measured: The difference from the small LR, paired by seed.
        verdict: holds, does_not_hold or undecided; see :class:`~learnorder.reproduce.claim.Claim`.
        beside: The difference at other levels of the content, which do not affect the verdict.
        reason: Why it is undecided regardless of the interval; empty if it is not.
    """

    text: str
    arm: Arm
    quantity: Quantity
    measured: Measured
    verdict: Verdict
    beside: Mapping[str, Measured] = field(default_factory=dict)
    reason: str = ""


def statements(result: ProbeResult) -> list[Statement]:
    """Return the paper's statements with their verdicts for the network and data of a probe.

    The small learning rate is the probe's first, the large one :meth:`ProbeResult.largest`.
    Statements whose arms were not run are omitted; those whose arms share no seed are undecided.
    """
    small, large = result.probe.rates[0], result.largest()
    constant = result.arm("constant", small)
    if constant is None:
        return []
    chosen: dict[Arm, str | None] = {
        "annealed": result.arm("annealed", large),
        "noise": result.arm("constant_noise", small),
    }
    compared: dict[Arm, ArmNumbers] = {
        arm: result.numbers(label) for arm, label in chosen.items() if label is not None
    }
    return judge_arms(small, large, result.numbers(constant), compared)


def judge_arms(
    small: float, large: float, constant: ArmNumbers, compared: Mapping[Arm, ArmNumbers]
) -> list[Statement]:
    """Return the statements about arms, with their verdicts.

    Args:
        small: The small learning rate.
        large: The large one.
        constant: The constant arm at the small learning rate.
        compared: The arms to compare with it.
    """
    judged = []
    for (arm, quantity), text in _STATEMENTS.items():
        if arm not in compared:
            continue
        numbers, beside = compared[arm], dict[str, Measured]()
        if quantity == "order":
            names, levels = (_ARM_NAMES[arm], SMALL), list(numbers.content)
            measured, *others = [_order(numbers, constant, level, names) for level in levels]
            beside = dict(zip(levels[1:], others, strict=True))
        else:
            within = range_of("reliance" if quantity == "reliance" else "accuracy")
            measured = measure_difference(
                getattr(numbers, quantity), getattr(constant, quantity), within=within
            )
        reason = _reason({_ARM_NAMES[arm]: numbers, SMALL: constant}, quantity)
        if reason:
            measured = replace(measured, p=math.nan)
        side = "below" if quantity == "reliance" else "above"
        decision = "undecided" if reason else verdict(measured, side)
        large_name = f"LR {large:g}, annealed,"
        sentence = text.format(small=f"LR {small:g}", large=large_name, noun=constant.noun)
        judged.append(Statement(sentence, arm, quantity, measured, decision, beside, reason))
    return judged


def _reason(arms: Mapping[str, ArmNumbers], quantity: Quantity) -> str:
    """Return why two arms cannot be compared; an empty string if they can.

    The mean of the remaining runs is not the mean of an arm with diverged runs, and the low
    reliance of an arm that learned neither content nor pattern is not robustness.
    """
    reasons = [f"{name}: {arm.diverged_words()}" for name, arm in arms.items() if arm.diverged]
    if not reasons and quantity == "reliance":
        reasons = [f"{name} is undertrained" for name, arm in arms.items() if arm.undertrained()]
    return ", ".join(reasons)


def _order(arm: ArmNumbers, constant: ArmNumbers, level: str, names: tuple[str, str]) -> Measured:
    """Return how much an arm moves the order towards the content first, against the small LR."""
    orders = arm.order(level), constant.order(level)
    measured = compare_spans(*orders, ORDER, more="nearer to content first")
    pairs = zip(names, (arm.never(level), constant.never(level)), strict=True)
    never = [f"{name}: {words}" for name, words in pairs if words]
    return replace(measured, note="; ".join(filter(None, [measured.note, *never])))
