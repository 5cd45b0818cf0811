"""The memory that a run of the theory takes, told from its sizes before anything is made."""

from __future__ import annotations

from dataclasses import dataclass

from learnorder.config.memory import beyond_memory, size_words
from learnorder.errors import ConfigError
from learnorder.theory.arcsine import arcsine
from learnorder.theory.config import TheoryConfig
from learnorder.theory.kernel import MOST_QUADRATIC

_LESS = "Give less."


@dataclass(frozen=True)
class Part:
    """A part of the memory that a run takes at its peak.

    Attributes:
        field: The setting that decides it.
        value: That setting.
        what: What takes it.
        bytes: How much.
        remedy: What to do where it is too much.
    """

    field: str
    value: int
    what: str
    bytes: int
    remedy: str = _LESS


def memory_parts(config: TheoryConfig) -> list[Part]:
    """Return what a run takes, as measured on runs of each engine, to about a fifth."""
    return _finite(config) if config.solver.engine == "finite" else _limit(config)


def check_memory(config: TheoryConfig) -> None:
    """Refuse a run that takes more memory than is free on this machine.

    Raises:
        ConfigError: It names the setting that most of the memory goes to.
    """
    parts = memory_parts(config)
    if not (beyond := beyond_memory(sum(part.bytes for part in parts))):
        return
    largest = max(parts, key=lambda part: part.bytes)
    raise ConfigError(
        largest.field,
        largest.value,
        f"The run takes {beyond}; {size_words(largest.bytes)} go to {largest.what}. "
        f"{largest.remedy}",
    )


def _limit(config: TheoryConfig) -> list[Part]:
    """Return the parts of a run of the flow or the recursion."""
    data, solver = config.distribution, config.solver
    n, d, flow = data.N, data.d, solver.engine == "flow"
    quadratic = n <= MOST_QUADRATIC if solver.quadratic is None else solver.quadratic
    # The flow has, in float32, the Gram matrix and for each of its two solvers a matrix, its factor
    # and one on the way; the quadratic part is in float64, and for the flow in float32 too.
    a_square = 28 * flow + (8 + 4 * flow) * quadratic
    remedies = [
        "Give fewer examples",
        *(["solver.engine recursion"] if flow else []),
        *(["solver.quadratic false"] if quadratic else []),
    ]
    remedy = f"{', or '.join(remedies)}."
    terms = 8 * len(arcsine(data.r).powers) * (4 if flow else 1)
    return [
        Part("distribution.num_train", n, "N × N matrices", a_square * n**2, remedy),
        Part("distribution.num_train", n, "the state of N examples", n * terms),
        _examples(config, 28),
        Part("distribution.d", d, "d × d matrices", 16 * d**2),
        _tests(config, n * quadratic),  # whose cosines with the training examples are kept
    ]


def _finite(config: TheoryConfig) -> list[Part]:
    """Return the parts of a run of the network itself."""
    data, network = config.distribution, config.network
    size = 4 if network.precision == "float32" else 8
    shared = network.kind == "convolution"
    seeing_q, field = (
        (network.width_w, "network.width_w") if shared else (network.width_v, "network.width_v")
    )
    noisy = config.arm == "S+noise" and config.algorithm.sigma > 0
    return [
        _examples(config, 24 + size),
        Part(
            "network.width_w",
            network.width_w,
            "weights, gradients and noise",
            4 * size * network.width_w * data.d,
        ),
        Part(field, seeing_q, "neurons that see x2", 19 * size * seeing_q),
        Part(
            field,
            seeing_q,
            "noise before the activations of every example",
            3 * size * data.N * seeing_q * noisy,
        ),
        _tests(config, 0),
    ]


def _examples(config: TheoryConfig, each: int) -> Part:
    """Return the part of the training examples, with so many bytes for each of their numbers."""
    n, d = config.distribution.N, config.distribution.d
    field, value = ("distribution.num_train", n) if n >= d else ("distribution.d", d)
    remedy = "Give a smaller distribution.num_train or distribution.d."
    return Part(field, value, "N × d examples", each * n * d, remedy)


def _tests(config: TheoryConfig, kept: int) -> Part:
    """Return the part of the test examples, with so many numbers kept for each."""
    count, d = config.measure.test_examples, config.distribution.d
    size = 4 * count * (d + max(d, kept))  # twice while they are drawn
    return Part("measure.test_examples", count, "test examples", size)
