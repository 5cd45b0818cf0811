"""The design and the full grid on the same scores."""

from __future__ import annotations

from collections.abc import Mapping

from learnorder.advise.along.result import AlongResult, Pair
from learnorder.advise.along.settings import AlongSettings
from learnorder.advise.jointly.design import next_pairs
from learnorder.advise.jointly.result import JointResult
from learnorder.advise.jointly.settings import JointSettings
from learnorder.advise.scores import BySeed


def of_pairs(along: AlongSettings, scores: Mapping[Pair, BySeed], score: str) -> AlongResult:
    """Return scores by pair as a result."""
    scored: dict[float, dict[float, BySeed]] = {}
    for value, rate in sorted(scores):
        scored.setdefault(value, {})[rate] = scores[value, rate]
    return AlongResult(along, scored, score, True, ())


def searched(joint: JointSettings, scores: Mapping[Pair, BySeed], score: str) -> AlongResult:
    """Return what the design finds, if it gets the scores of the pairs that it asks for."""
    known = dict[Pair, BySeed]()
    while pairs := next_pairs(joint, of_pairs(joint.along, known, score)):
        known |= {pair: scores[pair] for pair in pairs}
    return of_pairs(joint.along, known, score)


def compared_pairs(joint: JointSettings, full: AlongResult) -> list[Pair]:
    """Return the best pair of the full grid, that of the design, and the best at the baseline."""
    both = [full, searched(joint, full.by_pair(), full.score)]
    results = [JointResult(joint, each, {}, ()) for each in both]
    return list(dict.fromkeys([*(each.best() for each in results), results[0].baseline]))
