"""A short waveform in a time series."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from learnorder.errors import ConfigError
from learnorder.planters.drawing import (
    check_at_least,
    check_label,
    check_num_classes,
    check_strengths,
    place_runs,
    random_sign,
)
from learnorder.planters.parts import FIELD, check_floats, copy_of, filled, like, on_part, unfit
from learnorder.values import check_fields

_FORM = "[time] or [channels, time]"


@dataclass(frozen=True)
class Waves:
    """The patterns of all classes.

    Attributes:
        shared: Waveform of all classes, float32 [length].
        waveforms: Waveform of each class, float32 [num_classes, length].
        cycles: Cycles of each class's sinusoid in a whole series, int64 [num_classes].
        phases: Phase of each class's sinusoid in radians, float32 [num_classes].
    """

    shared: Tensor
    waveforms: Tensor
    cycles: Tensor
    phases: Tensor


@dataclass(frozen=True)
class SeriesPlanter:
    """A class's waveform is added to a series, or replaces a piece of it.

    The waveform is spread · (z_scale · z ± strength · w_c). z is shared by all classes, and each
    class has its own w_c: both are white noise under half a sine wave, with a root mean square of
    1. The sign is drawn at each access, so no linear function of the piece separates the classes,
    but one example of each sign is enough to memorise a class. If the waveform replaces a piece,
    the mean is added. Mean and spread are those of the series: by default 0 and 1, for
    standardised series.

    ``faint`` adds the sinusoid strength · spread · sin(2π k_c t / T + φ_c) to the whole series of
    length T, with a frequency and phase for each class: a linear function finds it, but it is as
    noisy as the series. ``blank`` is the mean.

    Series are floating-point tensors or arrays [T] or [C, T]: time comes last.

    Raises:
        ConfigError: A value is out of range, or, when planting, the waveform does not fit.
    """

    length: int = 16
    """Length of the waveform in steps of time."""
    channel: int | None = None
    """The channel that has the patterns, from 0; None takes all."""
    place: Literal["start", "end", "anywhere"] = "start"
    """Where the waveform is; "anywhere" draws its place at each access."""
    add: bool = True
    """Whether the waveform is added; False replaces a piece of the series."""
    mean: tuple[float, ...] = (0.0,)
    """Mean of the series, or of each channel."""
    spread: tuple[float, ...] = (1.0,)
    """Standard deviation of the series, or of each channel: the unit of all strengths."""
    z_scale: float = 1.0
    """Root mean square of the shared waveform, in units of ``spread``."""
    strengths: tuple[float, ...] = (0.2, 0.4, 0.8, 1.6, 3.2)
    """Root mean squares of the class's waveform in units of ``spread``, in increasing order."""
    key: str | int | None = None
    """The series's name in a mapping or position in a tuple; None is the only part."""

    def __post_init__(self) -> None:
        check_fields(self, FIELD)
        check_at_least(self, length=2, channel=0, z_scale=0)
        check_strengths(self.strengths)
        if not self.spread or min(self.spread) <= 0:
            raise ConfigError(f"{FIELD}.spread", self.spread, "Give standard deviations above 0.")
        if not self.mean:
            raise ConfigError(f"{FIELD}.mean", self.mean, "Give one number, or one per channel.")

    def draw(self, num_classes: int, generator: torch.Generator) -> Waves:
        """Return the patterns of all classes."""
        check_num_classes(num_classes)
        window = torch.sin(math.pi * (torch.arange(self.length) + 0.5) / self.length)
        noise = window * torch.randn(num_classes + 1, self.length, generator=generator)
        waveforms = noise / noise.square().mean(dim=1, keepdim=True).sqrt()
        cycles = 2 + torch.randperm(num_classes, generator=generator)
        phases = 2 * math.pi * torch.rand(num_classes, generator=generator)
        return Waves(waveforms[0], waveforms[1:], cycles, phases)

    def plant(
        self,
        inputs: Any,
        patterns: Waves,
        label: int,
        strength: float,
        generator: torch.Generator,
    ) -> Any:
        """Return a copy of the inputs with the waveform of a class."""
        c = check_label(label, len(patterns.waveforms))

        def planted(series: Any) -> Any:
            channels, mean, spread = self._channels(series)
            steps = series.shape[-1]
            if self.length > steps:
                remedy = f"A series has {steps} steps of time: give at most {steps}. Time is last."
                raise ConfigError(f"{FIELD}.length", self.length, remedy)
            (start,) = place_runs(self.place, 1, self.length, steps, generator)
            sign = random_sign(generator)
            wave = self.z_scale * patterns.shared + sign * strength * patterns.waveforms[c]
            new = copy_of(series)
            piece = _rows(new)[channels, start : start + self.length]
            if self.add:
                piece += like(spread * wave, series)
            else:
                piece[:] = like(mean + spread * wave, series)
            return new

        return on_part(inputs, self.key, planted)

    def faint(
        self,
        inputs: Any,
        patterns: Waves,
        label: int,
        strength: float,
        generator: torch.Generator,
    ) -> Any:
        """Return a copy of the inputs with the sinusoid of a class added."""
        c = check_label(label, len(patterns.waveforms))

        def planted(series: Any) -> Any:
            channels, _, spread = self._channels(series)
            steps = series.shape[-1]
            if 2 * int(patterns.cycles.max()) >= steps:
                raise unfit(
                    f"a series of {steps} steps",
                    "It is too short for a frequency of each class: "
                    f"{2 * len(patterns.cycles) + 3} steps are needed.",
                )
            angle = 2 * math.pi * patterns.cycles[c] * torch.arange(steps) / steps
            new = copy_of(series)
            wave = strength * spread * torch.sin(angle + patterns.phases[c])
            _rows(new)[channels] += like(wave, series)
            return new

        return on_part(inputs, self.key, planted)

    def blank(self, inputs: Any) -> Any:
        """Return inputs with the mean of the series, in all channels."""

        def means(series: Any) -> Any:
            new = filled(series, 0)
            rows = _rows(new)
            rows[:] = like(_per_channel(self.mean, len(rows), "mean"), series)
            return new

        return on_part(inputs, self.key, lambda part: means(_checked(part)))

    def _channels(self, series: Any) -> tuple[slice, Tensor, Tensor]:
        """Return the channels that have patterns, and the mean and spread of each, [channels, 1].

        Raises:
            ConfigError: The series has another form, or no such channel.
        """
        count = len(_rows(_checked(series)))
        mean = _per_channel(self.mean, count, "mean")
        spread = _per_channel(self.spread, count, "spread")
        if self.channel is None:
            return slice(None), mean, spread
        if self.channel >= count:
            remedy = f"The series have channels 0 to {count - 1}. The form is {_FORM}."
            raise ConfigError(f"{FIELD}.channel", self.channel, remedy)
        chosen = slice(self.channel, self.channel + 1)
        return chosen, mean[chosen], spread[chosen]


def _checked(series: Any) -> Any:
    check_floats(series, (1, 2), _FORM)
    return series


def _rows(series: Any) -> Any:
    """Return a view [channels, time] of a series."""
    return series[None] if series.ndim == 1 else series


def _per_channel(values: tuple[float, ...], channels: int, name: str) -> Tensor:
    """Return one value per channel, [channels, 1]."""
    if len(values) not in (1, channels):
        remedy = f"Give one number, or one for each of {channels} channels. The form is {_FORM}."
        raise ConfigError(f"{FIELD}.{name}", values, remedy)
    return torch.tensor(values).expand(channels).view(-1, 1)
