"""The memory that a run of the theory takes, estimated from its settings before it starts."""

from __future__ import annotations

from dataclasses import dataclass

from learnorder.config.memory import beyond_memory, size_words
from learnorder.errors import ConfigError
from learnorder.theory.arcsine import arcsine
from learnorder.theory.config import TheoryConfig
from learnorder.theory.kernel import MOST_QUADRATIC
from learnorder.theory.newton import MOST_FACTORED


@dataclass(frozen=True)
class Part:
    """A part of the peak memory of a run.

    Attributes:
        field: Name of the setting that determines it.
        value: Value of that setting.
        what: What takes the memory.
        bytes: Size in bytes.
        remedy: What to do if it is too much.
    """

    field: str
    value: int
    what: str
    bytes: int
    remedy: str = "Give less."


def memory_parts(config: TheoryConfig) -> list[Part]:
    """Return the peak memory of a run by part. It was fitted to measured runs, to about 20 %."""
    return _finite(config) if config.solver.engine == "finite" else _limit(config)


def check_memory(config: TheoryConfig) -> None:
    """Refuse a run that takes more memory than is free on this machine.

    Raises:
        ConfigError: The run does not fit. The error names the setting behind the largest part.
    """
    parts = memory_parts(config)
    if not (beyond := beyond_memory(sum(part.bytes for part in parts))):
        return
    largest = max(parts, key=lambda part: part.bytes)
    raise ConfigError(
        largest.field,
        largest.value,
        f"The run takes {beyond}; {size_words(largest.bytes)} are for {largest.what}. "
        f"{largest.remedy}",
    )


def _limit(config: TheoryConfig) -> list[Part]:
    """Return the parts of a run of the flow or the recursion."""
    data, solver = config.distribution, config.solver
    n, d, flow = data.N, data.d, solver.engine == "flow"
    quadratic = n <= MOST_QUADRATIC if solver.quadratic is None else solver.quadratic
    # A flow that factors keeps the Gram matrix in float32 and, for each of its two solvers, a
    # matrix, its factor and a temporary. The quadratic part is in float64, for the flow also in
    # float32.
    bytes_per_pair = 28 * (flow and n <= MOST_FACTORED) + (8 + 4 * flow) * quadratic
    remedies = [
        "Give fewer examples",
        *(["set solver.engine to recursion"] if flow and n <= MOST_FACTORED else []),
        *(["set solver.quadratic to false"] if quadratic else []),
    ]
    remedy = f"{', or '.join(remedies)}."
    terms = 8 * len(arcsine(data.r).powers) * (4 if flow else 1)
    return [
        Part("distribution.num_train", n, "N × N matrices", bytes_per_pair * n**2, remedy),
        Part("distribution.num_train", n, "the state of N examples", n * terms),
        _examples(config, 28),
        Part("distribution.d", d, "d × d matrices", 16 * d**2),
        _tests(config, n * quadratic),  # keeps cosines with the training examples
    ]


def _finite(config: TheoryConfig) -> list[Part]:
    """Return the parts of a run of the finite network."""
    data, network = config.distribution, config.network
    size = 4 if network.precision == "float32" else 8
    shared = network.kind == "convolution"
    q_width, field = (
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
        Part(field, q_width, "neurons that see x2", 19 * size * q_width),
        Part(
            field,
            q_width,
            "noise before the activations of all examples",
            3 * size * data.N * q_width * noisy,
        ),
        _tests(config, 0),
    ]


def _examples(config: TheoryConfig, bytes_per_value: int) -> Part:
    """Return the part for the N × d training examples."""
    n, d = config.distribution.N, config.distribution.d
    field, value = ("distribution.num_train", n) if n >= d else ("distribution.d", d)
    remedy = "Give a smaller distribution.num_train or distribution.d."
    return Part(field, value, "N × d examples", bytes_per_value * n * d, remedy)


def _tests(config: TheoryConfig, cosines: int) -> Part:
    """Return the part for the test examples, with this number of cosines per example."""
    count, d = config.measure.test_examples, config.distribution.d
    size = 4 * count * (d + max(d, cosines))  # drawing them takes 2·d per example
    return Part("measure.test_examples", count, "test examples", size)
