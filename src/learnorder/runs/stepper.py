"""A process that only takes training steps, to measure how many runs share a GPU well.

``python -m learnorder.runs.stepper --threads 1`` reads a line of JSON with the kind and the
configuration of a run from standard input (:func:`encode_request`). It trains without end and
writes a :class:`StepCount` as a line of JSON to standard output about twice a second. It writes no
files.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from learnorder.config.settings import RunConfig, TaskRunConfig
from learnorder.runs.execute import arithmetic
from learnorder.runs.kinds import kind_named, kind_of

_SECONDS = 0.5
"""Time between two lines."""
_CONTEXT_BYTES = 600e6
"""Memory of a GPU that a process takes for itself, besides its tensors."""


@dataclass(frozen=True)
class StepCount:
    """What a process did since its last line.

    Attributes:
        begun: Start of its steps, in seconds of ``time.monotonic``, which all processes share.
        ended: Their end.
        steps: Their number.
        used_bytes: Memory that the process has needed so far, at most: of the GPU, or of the
            machine if there is none.
        free_bytes: Memory that is left on it.
    """

    begun: float
    ended: float
    steps: int
    used_bytes: float
    free_bytes: float


def encode_request(config: RunConfig | TaskRunConfig) -> bytes:
    """Return the line that requests steps of a run."""
    return json.dumps([kind_of(config).name, config.to_dict()]).encode() + b"\n"


def decode_count(line: bytes) -> StepCount:
    """Return what a line says."""
    return StepCount(**json.loads(line))


def main() -> int:
    """Train until the reader has gone."""
    parser = argparse.ArgumentParser(prog="python -m learnorder.runs.stepper", description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    threads = parser.parse_args().threads
    name, values = json.loads(sys.stdin.buffer.readline())
    answers = os.dup(1)
    os.dup2(2, 1)  # what the user's code prints is not an answer
    kind = kind_named(name)
    backend: Any = kind.load_backend()  # only those that train networks
    with (
        arithmetic(threads),
        backend.new_trainer(kind.read(values)) as trainer,
        contextlib.suppress(BrokenPipeError),
    ):
        for count in _counts(trainer):
            os.write(answers, json.dumps(asdict(count)).encode() + b"\n")
    return 0


def _counts(trainer: Any) -> Iterator[StepCount]:
    """Take steps without end, after a first one and an evaluation, which may need more memory."""
    from learnorder.runs.training import endless_steps
    from learnorder.training.trial import try_evaluation

    each_step = endless_steps(trainer)
    next(each_step)
    try_evaluation(trainer)
    trainer.synchronize()
    begun, steps = time.monotonic(), 0
    for _ in each_step:
        steps += 1
        if time.monotonic() - begun > _SECONDS:
            trainer.synchronize()
            ended = time.monotonic()
            yield StepCount(begun, ended, steps, *_memory(trainer.accelerator.device.type))
            begun, steps = time.monotonic(), 0


def _memory(device: str) -> tuple[float, float]:
    """Return the bytes that this process has needed at most, and those that are free."""
    if device == "cuda":
        import torch

        used = torch.cuda.max_memory_reserved() + _CONTEXT_BYTES
        return used, float(torch.cuda.mem_get_info()[0])
    import psutil

    return float(psutil.Process().memory_info().rss), float(psutil.virtual_memory().available)


if __name__ == "__main__":
    sys.exit(main())
