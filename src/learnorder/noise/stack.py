"""The modules and checkpoints around a call, read from the Python stack.

``torch.utils.checkpoint`` calls a function in the forward pass and again in the backward pass.
Gradients are correct only if both calls use the same noise, and torch restores only its own
generators. The draws within a checkpoint are therefore saved with it and repeated in order.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, GeneratorType
from typing import Any, Protocol

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils import checkpoint

from learnorder.noise.drawing import Draw
from learnorder.noise.watch import Watch

_MODULES = {id(nn.Module._call_impl.__code__): "self", id(Watch._run.__code__): "module"}
"""Code that calls a module, by id (hashing code is slow), and its variable with the module."""

_CHECKPOINT = checkpoint.__file__
_PACKAGE = str(Path(__file__).parent)
_APPLY = torch.autograd.Function.apply.__func__.__code__  # pyright: ignore
_DISPATCH = (F.__file__, torch.overrides.__file__)

Kept = tuple[Hashable, Draw]
"""The key of a site, and a draw there."""


class Repeatable(Protocol):
    """Noise whose draws can be repeated."""

    def repeating(self) -> AbstractContextManager[None]:
        """Return a context for the repeated call of a checkpoint's function."""
        ...


class Replay:
    """A checkpoint's function, with the draws of its first call.

    Args:
        noise: The noise that the draws belong to.
        function: The function.
        modules: The modules around the checkpoint, innermost first.
    """

    def __init__(
        self, noise: Repeatable, function: Callable[..., Any], modules: Sequence[nn.Module]
    ) -> None:
        self.noise, self.function, self.modules = noise, function, modules
        self.draws: list[Kept] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function again; :func:`read_stack` finds ``remaining`` in this frame."""
        remaining = iter(self.draws)  # noqa: F841
        with self.noise.repeating():
            return self.function(*args, **kwargs)


_REPLAY = Replay.__call__.__code__


@dataclass
class Checkpoint:
    """A checkpoint during the first call of its function.

    Attributes:
        holder: The torch object that has the function as an attribute.
        attribute: Name of the attribute.
        inside: Number of modules running within the function.
    """

    holder: Any
    attribute: str
    inside: int

    def keep(self, noise: Repeatable, kept: Kept, modules: Sequence[nn.Module]) -> None:
        """Save a draw for the second call of the function.

        Args:
            noise: The noise that the draw belongs to.
            kept: The draw.
            modules: The running modules, innermost first.
        """
        outer = function = getattr(self.holder, self.attribute)
        while isinstance(function, Replay) and function.noise is not noise:
            function = function.function
        if not isinstance(function, Replay):
            function = Replay(noise, outer, modules[self.inside :])
            setattr(self.holder, self.attribute, function)
        function.draws.append(kept)


@dataclass
class CallStack:
    """The modules and checkpoints around a call.

    Attributes:
        modules: Modules whose forward pass is running, innermost first; some appear twice.
        checkpoints: Checkpoints during the first call of their function.
        remaining: In a recomputation, the draws not yet repeated.
        caller: File, line and instruction of the call.
        custom: Whether a custom autograd function, with its own gradient, makes the call.
        unknown: Whether the call is, or may be, part of an unknown kind of recomputation.
    """

    modules: list[nn.Module] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)
    remaining: Iterator[Kept] | None = None
    caller: tuple[str, int, int] | None = None
    custom: bool = False
    unknown: bool = False

    @property
    def line(self) -> str:
        """File and line of the call."""
        return "" if self.caller is None else f"{Path(self.caller[0]).name}:{self.caller[1]}"


def read_stack(noise: Repeatable) -> CallStack:
    """Return the modules and checkpoints around the caller, up to the nearest recomputation.

    Args:
        noise: The noise whose draws a recomputation repeats.
    """
    stack, frame, running = CallStack(), sys._getframe(1), 0
    last = frame.f_code
    while frame is not None:
        code = frame.f_code
        if id(code) in _MODULES:
            stack.modules.append(frame.f_locals[_MODULES[id(code)]])
        elif code is _REPLAY and frame.f_locals["self"].noise is noise:
            stack.modules += frame.f_locals["self"].modules
            stack.remaining = frame.f_locals["remaining"]
            return stack
        elif code is _APPLY:
            stack.custom |= not stack.modules and last.co_filename != _CHECKPOINT
        elif code.co_filename == _CHECKPOINT:
            running += code.co_name == checkpoint.checkpoint.__name__
            stack.checkpoints += _checkpoint_of(frame, len(stack.modules))
        elif stack.caller is None and not _dispatches(code.co_filename):
            stack.caller = (code.co_filename, frame.f_lineno, frame.f_lasti)
        frame, last = frame.f_back, code
    in_backward = torch._C._current_graph_task_id() != -1
    stack.unknown = in_backward or running > len(stack.checkpoints)
    return stack


def innermost_module() -> nn.Module | None:
    """Return the module whose forward pass makes the call; None if a replay comes first."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_code is not _REPLAY:
        if id(frame.f_code) in _MODULES:
            return frame.f_locals[_MODULES[id(frame.f_code)]]
        frame = frame.f_back
    return None


def _dispatches(file: str) -> bool:
    """Whether a file's code runs between a function's call and its interception."""
    return file in _DISPATCH or file.startswith(_PACKAGE)


def _checkpoint_of(frame: FrameType, inside: int) -> list[Checkpoint]:
    """Return the checkpoint whose function a frame calls for the first time, or none."""
    names = frame.f_locals
    context, generator = names.get("ctx"), names.get("gen")
    if frame.f_code.co_name == "forward" and hasattr(context, "run_function"):  # reentrant
        return [Checkpoint(context, "run_function", inside)]
    if isinstance(generator, GeneratorType) and generator.gi_frame is not None:
        holder = generator.gi_frame.f_locals.get("new_frame")
        if hasattr(holder, "recompute_fn"):
            return [Checkpoint(holder, "recompute_fn", inside)]
    return []
