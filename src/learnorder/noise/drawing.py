"""Standard normal noise: shapes, generators, and repeated draws."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from learnorder.seeding import derive_seed


@dataclass(frozen=True)
class Draw:
    """What is needed to repeat a draw of noise.

    Attributes:
        shape: Shape of the drawn noise.
        rows: The rows of it that were used.
        level: Standard deviation.
        device: Device of the generator.
        state: State of the generator before the draw.
    """

    shape: tuple[int, ...]
    rows: slice
    level: float
    device: torch.device
    state: Tensor

    def repeat(self) -> Tensor:
        """Return the same noise, with standard deviation ``level``."""
        generator = torch.Generator(self.device)
        generator.set_state(self.state)
        return self.level * _normal(self.shape, self.rows, generator)


class Generators:
    """Generators of noise, one for each device and stream.

    Args:
        shared: Whether the batch and the channels share noise; else every unit has its own.
    """

    def __init__(self, shared: bool) -> None:
        self.shared = shared
        self._seed = 0
        self._rows, self._of = slice(0, None), 0
        self._generators: dict[tuple[torch.device, int, int], torch.Generator] = {}

    def reseed(self, seed: int) -> None:
        """Restart all generators from a seed."""
        self._seed = seed
        self._generators.clear()

    def share(self, rows: slice, of: int) -> None:
        """Draw independent noise for ``of`` rows and use ``rows`` of it."""
        self._rows, self._of = rows, of

    def draw(self, x: Tensor, level: float, stream: int, replica: bool) -> tuple[Tensor, Draw]:
        """Return noise for an input, and the draw that repeats it.

        Args:
            x: The input.
            level: Standard deviation.
            stream: Random stream; stream 0 uses the seed itself.
            replica: Whether a DataParallel replica draws, which has a part of the batch.
        """
        shape = _shared_shape(x) if self.shared else tuple(x.shape)
        rows, first = slice(None), 0
        if not self.shared and x.dim():
            if len(range(self._of)[self._rows]) == len(x) < self._of:
                shape, rows = (self._of, *shape[1:]), self._rows
            else:
                first = self._rows.start
        if not self.shared and replica:
            first += x.device.index or 0
        generator = self._generator(x.device, first, stream)
        draw = Draw(shape, rows, level, x.device, generator.get_state())
        return level * _normal(shape, rows, generator), draw

    def _generator(self, device: torch.device, first: int, stream: int) -> torch.Generator:
        """Return the generator for a device and the rows of a batch that start at ``first``.

        If a module's first axis is not the batch, each process draws its own noise.
        """
        key = (device, first, stream)
        if key not in self._generators:
            seed = derive_seed(self._seed, "stream", stream) if stream else self._seed
            self._generators[key] = torch.Generator(device).manual_seed(seed + first)
        return self._generators[key]


def _normal(shape: tuple[int, ...], rows: slice, generator: torch.Generator) -> Tensor:
    noise = torch.randn(shape, generator=generator, device=generator.device, dtype=torch.float32)
    return noise[rows] if shape else noise


def _shared_shape(x: Tensor) -> tuple[int, ...]:
    if x.dim() <= 2:  # [B, F]
        return (1, *x.shape[1:])[: x.dim()]
    if x.dim() == 3:  # [B, T, F]
        return (1, x.shape[1], 1)
    return (1, 1, *x.shape[2:])  # [B, C, H, W]
