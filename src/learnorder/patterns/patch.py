"""The memorisable patch: its pixels, which examples get it, and planting it on a batch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor

from learnorder.config.settings import PatchConfig
from learnorder.errors import ConfigError


class Group(IntEnum):
    """What an example contains at one access."""

    CLEAN = 0
    """The image without the patch."""
    PATCH_ONLY = 1
    """The pattern on zeros."""
    BOTH = 2
    """The image with the patch pasted over its pixels."""

    @property
    def label(self) -> str:
        """The group's name in records: clean, patch_only, both."""
        return self.name.lower()


@dataclass(frozen=True)
class Draw:
    """What each of N examples contains at one access.

    Attributes:
        group: Values of :class:`Group`, int64 [N].
        amplitude: Signed factor of the class pattern, ±1 or ±a, float32 [N]; 0 if clean.
    """

    group: Tensor
    amplitude: Tensor

    def __getitem__(self, index: Tensor | slice) -> Draw:
        return Draw(self.group[index], self.amplitude[index])

    def to(self, device: torch.device) -> Draw:
        """Return the draw on a device."""
        return Draw(self.group.to(device), self.amplitude.to(device))


def draw_eligible(config: PatchConfig, examples: int, generator: torch.Generator) -> Tensor:
    """Return which examples can get the patch, bool [examples], drawn independently."""
    return torch.rand(examples, generator=generator) < config.eligible_share


def draw_accesses(config: PatchConfig, eligible: Tensor, generator: torch.Generator) -> Draw:
    """Draw one access of every example: group, sign and amplitude.

    With e the eligible share and p the patch-only share, the groups clean, patch-only and both have
    probabilities 1 − e, e·p and e·(1 − p): 20, 16 and 64 % in the paper.

    Args:
        config: Shares and amplitude.
        eligible: bool [N], from :func:`draw_eligible`.
        generator: Random generator; it draws three numbers per example, eligible or not.
    """
    chance, sign, amplitude = torch.rand(3, len(eligible), generator=generator)
    patch_only = chance < config.patch_only_share
    group = torch.where(patch_only, int(Group.PATCH_ONLY), int(Group.BOTH))
    group = torch.where(eligible, group, int(Group.CLEAN))
    scale = torch.where(patch_only, config.patch_only_amplitude * amplitude, 1.0)
    return Draw(group, torch.where(eligible, torch.where(sign < 0.5, -scale, scale), 0.0))


@dataclass(frozen=True)
class Patch:
    """The pattern and its position (paper, section 6.2).

    Attributes:
        z: Shared pattern, float32 [C, k, k], in normalised units.
        zeta: Class patterns ζ_c, float32 [num_classes, C, k, k].
        top: First row.
        left: First column.
    """

    z: Tensor
    zeta: Tensor
    top: int
    left: int

    @staticmethod
    def draw(
        config: PatchConfig,
        *,
        channels: int,
        num_classes: int,
        image_size: tuple[int, int],
        generator: torch.Generator,
    ) -> Patch:
        """Draw z ~ z_scale · N(0, 1), then ζ_c ~ U[−contrast, contrast].

        Raises:
            ConfigError: The patch does not fit in an image of ``image_size`` (H, W).
        """
        size = config.size
        corner = []
        for name, side in zip(("top", "left"), image_size, strict=True):
            start = getattr(config, name)
            start = (side - size) // 2 if start is None else start
            if size > side:
                raise ConfigError(
                    "patch.size",
                    size,
                    f"The images are {image_size[0]}×{image_size[1]} pixels: give at most "
                    f"{min(image_size)}, e.g. {max(1, min(image_size) // 4)}.",
                )
            if not 0 <= start <= side - size:
                raise ConfigError(
                    f"patch.{name}",
                    start,
                    f"A patch of {size} pixels in {side} can start at 0 to {side - size}; null "
                    "centres it.",
                )
            corner.append(start)
        z = config.z_scale * torch.randn(1, channels, size, size, generator=generator)
        uniform = torch.rand(num_classes, channels, size, size, generator=generator)
        zeta = config.contrast * (2 * uniform - 1)
        z, zeta = (t.contiguous(memory_format=torch.channels_last) for t in (z, zeta))
        return Patch(z.squeeze(0), zeta, *corner)

    def to(self, device: torch.device) -> Patch:
        """Return the pattern on a device."""
        return Patch(self.z.to(device), self.zeta.to(device), self.top, self.left)

    def plant(self, images: Tensor, pattern_labels: Tensor, draw: Draw) -> Tensor:
        """Plant the pattern z + amplitude · ζ_c on a batch, in place.

        Args:
            images: Normalised images, float [B, C, H, W]; modified and returned.
            pattern_labels: Class c of each pattern, int64 [B]; ignored for clean images.
            draw: The group and amplitude of each example.
        """
        alone = draw.group == Group.PATCH_ONLY
        if images.device.type == "cpu":
            images.index_fill_(0, alone.nonzero().squeeze(1), 0)
        else:  # indexing would synchronise with the device
            images.masked_fill_(alone.view(-1, 1, 1, 1), 0)
        size = self.z.shape[-1]
        place = images[:, :, self.top : self.top + size, self.left : self.left + size]
        place = place.permute(0, 2, 3, 1)  # [B, k, k, C], the order of z and ζ in memory
        zeta = self.zeta.permute(0, 2, 3, 1).index_select(0, pattern_labels)
        pattern = torch.addcmul(self.z.permute(1, 2, 0), draw.amplitude.view(-1, 1, 1, 1), zeta)
        planted = (draw.group != Group.CLEAN).view(-1, 1, 1, 1)
        torch.where(planted, pattern.to(images.dtype), place, out=place)
        return images
