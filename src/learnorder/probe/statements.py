"""Which of the paper's statements hold for a network: comparisons with its small learning rate."""

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
"""What is compared with the small LR: a large LR, annealed, or noise."""
Quantity = Literal["order", "clean", "reliance"]
"""What is compared: log10 of the pattern's epoch over the content's, or a final share."""
ORDER = Unit("in log10 of epoch over epoch", 1.0, 2)
"""Unit of the order."""

SMALL = "the small LR"
_WHOSE: dict[Arm, str] = {"annealed": "the large LR", "noise": "the small LR with noise"}
_STATEMENTS: dict[tuple[Arm, Quantity], str] = {
    ("annealed", "order"): "{large} moves the order towards the content first, against {small}.",
    ("annealed", "clean"): "{large} ends with higher accuracy on clean images than {small}.",
    ("annealed", "reliance"): "{large} ends relying on the pattern less than {small}.",
    ("noise", "order"): "Noise moves the order of {small} towards the content first.",
    ("noise", "clean"): "Noise raises the final accuracy of {small} on clean images.",
    ("noise", "reliance"): "Noise makes {small} rely on the pattern less.",
}


@dataclass(frozen=True)
class Statement:
    """A statement of the paper, tried on this network.

    Attributes:
        text: The statement.
        arm: The arm that is compared with the small LR.
        quantity: What is compared.
        measured: What it compares, paired by seed.
        verdict: holds, does_not_hold or undecided; see :class:`~learnorder.reproduce.claim.Claim`.
        beside: The same at other levels of the content, which decide nothing.
        reason: Why it is undecided whatever the interval says; else empty.
    """

    text: str
    arm: Arm
    quantity: Quantity
    measured: Measured
    verdict: Verdict
    beside: Mapping[str, Measured] = field(default_factory=dict)
    reason: str = ""


def statements(result: ProbeResult) -> list[Statement]:
    """Return which of the paper's statements hold for this network and these images.

    The small learning rate is the probe's first, the large one :meth:`ProbeResult.largest`. A
    statement whose arms were not run is left out; one whose arms share no seed is undecided.
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
        constant: The arm of the small learning rate, constant.
        compared: The arms that are compared with it.
    """
    found = []
    for (arm, quantity), text in _STATEMENTS.items():
        if arm not in compared:
            continue
        numbers, beside = compared[arm], dict[str, Measured]()
        if quantity == "order":
            names, levels = (_WHOSE[arm], SMALL), list(numbers.content)
            measured, *others = [_order(numbers, constant, level, names) for level in levels]
            beside = dict(zip(levels[1:], others, strict=True))
        else:
            within = range_of("reliance" if quantity == "reliance" else "accuracy")
            measured = measure_difference(
                getattr(numbers, quantity), getattr(constant, quantity), within=within
            )
        reason = _reason({_WHOSE[arm]: numbers, SMALL: constant}, quantity)
        if reason:
            measured = replace(measured, p=math.nan)
        side = "below" if quantity == "reliance" else "above"
        decided = "undecided" if reason else verdict(measured, side)
        said = text.format(small=f"LR {small:g}", large=f"LR {large:g}, annealed,")
        found.append(Statement(said, arm, quantity, measured, decided, beside, reason))
    return found


def _reason(arms: Mapping[str, ArmNumbers], quantity: Quantity) -> str:
    """Return why two arms cannot be compared; empty where they can.

    A mean of the runs that did not diverge is not that of the arm; and low reliance of an arm that
    has learned neither content nor pattern is no robustness.
    """
    if lost := [f"{name}: {arm.lost()}" for name, arm in arms.items() if arm.diverged]:
        return ", ".join(lost)
    if quantity == "reliance":
        few = [f"{name} is undertrained" for name, arm in arms.items() if arm.undertrained()]
        return ", ".join(few)
    return ""


def _order(arm: ArmNumbers, constant: ArmNumbers, level: str, names: tuple[str, str]) -> Measured:
    """Return how much nearer to the content first an arm is than the small learning rate."""
    orders = arm.order(level), constant.order(level)
    found = compare_spans(*orders, ORDER, more="nearer to content first")
    whose = zip(names, (arm.never(level), constant.never(level)), strict=True)
    never = [f"{name}: {words}" for name, words in whose if words]
    return replace(found, note="; ".join(filter(None, [found.note, *never])))
