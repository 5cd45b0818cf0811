"""A square of pixels: the pattern of the paper."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from learnorder.errors import ConfigError
from learnorder.planters.drawing import (
    Seeded,
    check_at_least,
    check_label,
    check_strengths,
    random_sign,
)
from learnorder.planters.parts import FIELD, check_floats, copy_of, filled, like, on_part
from learnorder.values import check_fields

_GRID = 4
"""Side of the grid on which the faint fields are drawn."""
_FORM = "[channels, rows, columns] or [rows, columns], normalised"


@dataclass(frozen=True)
class ImagePlanter:
    """The paper's patch: z ± strength · ζ_c replaces a square of an image (section 6.2).

    z ~ z_scale · N(0, 1) is shared by all classes, and each class has its own ζ_c ~ U[−1, 1]; both
    have the size of the square. The sign is drawn at each access. So the mean of the square is z in
    every class, and no linear function of it separates the classes: a network has to memorise ζ_c,
    but one example of each sign is enough. All numbers are in the units of the images: normalised
    images are assumed, with mean 0 and standard deviation 1.

    ``faint`` adds strength · F_c to the whole image. F_c is a smooth field, N(0, 1) on a 4×4 grid,
    interpolated linearly; a linear function finds it, but it is noisy where the images are.
    ``blank`` is 0, the mean of normalised images.

    Images are floating-point tensors or arrays [C, H, W] or [H, W].

    Raises:
        ConfigError: A value is out of range, or, when planting, the square does not fit.
    """

    size: int = 7
    """Side of the square in pixels."""
    top: int | None = None
    """First row of the square, from 0; None centres it."""
    left: int | None = None
    """First column of the square, from 0; None centres it."""
    z_scale: float = 1.25
    """Standard deviation of z."""
    strengths: tuple[float, ...] = (0.1, 0.2, 0.4, 0.8, 1.6)
    """Half-widths of the uniform class pattern, in increasing order."""
    key: str | int | None = None
    """The image's name in a mapping or position in a tuple; None is the only part."""

    def __post_init__(self) -> None:
        check_fields(self, FIELD)
        check_at_least(self, size=1, top=0, left=0, z_scale=0)
        check_strengths(self.strengths)

    def draw(self, num_classes: int, generator: torch.Generator) -> Seeded:
        """Return the patterns of all classes."""
        return Seeded.draw(num_classes, generator)

    def plant(
        self,
        inputs: Any,
        patterns: Seeded,
        label: int,
        strength: float,
        generator: torch.Generator,
    ) -> Any:
        """Return a copy of the inputs with the square of a class."""
        c = check_label(label, patterns.num_classes)

        def planted(image: Any) -> Any:
            check_floats(image, (2, 3), _FORM)
            rows, columns = self._place(image.shape)
            z, zeta = _square(patterns, *image.shape[:-2], self.size, self.size)
            sign = random_sign(generator)
            new = copy_of(image)
            new[..., rows, columns] = like(self.z_scale * z + sign * strength * zeta[c], image)
            return new

        return on_part(inputs, self.key, planted)

    def faint(
        self,
        inputs: Any,
        patterns: Seeded,
        label: int,
        strength: float,
        generator: torch.Generator,
    ) -> Any:
        """Return a copy of the inputs with the field of a class added."""
        c = check_label(label, patterns.num_classes)

        def planted(image: Any) -> Any:
            check_floats(image, (2, 3), _FORM)
            *channels, height, width = image.shape
            grid = _fields(patterns, *channels)[c].view(1, -1, _GRID, _GRID)
            field = F.interpolate(grid, (height, width), mode="bilinear", align_corners=True)
            new = copy_of(image)
            new += like(strength * field.view(image.shape), image)
            return new

        return on_part(inputs, self.key, planted)

    def blank(self, inputs: Any) -> Any:
        """Return inputs with an image of zeros."""

        def zeros(image: Any) -> Any:
            check_floats(image, (2, 3), _FORM)
            return filled(image, 0)

        return on_part(inputs, self.key, zeros)

    def _place(self, shape: Any) -> list[slice]:
        """Return the square's rows and columns."""
        place = []
        for name, side in zip(("top", "left"), map(int, shape[-2:]), strict=True):
            if self.size > side:
                raise ConfigError(
                    f"{FIELD}.size",
                    self.size,
                    f"The images have {shape[-2]}×{shape[-1]} pixels: give at most "
                    f"{min(shape[-2:])}. The last two dimensions are rows and columns.",
                )
            start = getattr(self, name)
            start = (side - self.size) // 2 if start is None else start
            if start > side - self.size:
                raise ConfigError(
                    f"{FIELD}.{name}",
                    start,
                    f"A square of {self.size} pixels in {side} starts at 0 to {side - self.size}.",
                )
            place.append(slice(start, start + self.size))
        return place


@lru_cache(maxsize=8)
def _square(patterns: Seeded, *shape: int) -> tuple[Tensor, Tensor]:
    """Return z / z_scale and ζ of all classes, of a given shape."""
    return patterns.normal("z", *shape), patterns.uniform("zeta", patterns.num_classes, *shape)


@lru_cache(maxsize=8)
def _fields(patterns: Seeded, *channels: int) -> Tensor:
    return patterns.normal("fields", patterns.num_classes, *channels, _GRID, _GRID)
