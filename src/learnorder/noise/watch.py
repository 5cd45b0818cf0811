"""Watch the forward passes of a model for calls of activation functions.

A watched module gets a new subclass of its class, as torch's parametrizations do. Hooks would
disable the inference kernel of ``nn.TransformerEncoderLayer``, could not end the interception after
a KeyboardInterrupt, and would be ignored by code that ``torch.compile`` compiled earlier.
"""

from __future__ import annotations

import copyreg
import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import Any, Protocol

import torch
from torch import nn
from torch.overrides import TorchFunctionMode, _get_current_function_mode_stack

from learnorder.errors import ConfigError, refusing
from learnorder.noise.activations import FUNCTIONS

_WATCH = "_activation_watch"
"""Attribute of these subclasses that has their watch."""

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
Call = Callable[..., Any]


class Listener(Protocol):
    """Receives the calls of a watched model."""

    level: float

    def before_function(self, function: Call, args: tuple[Any, ...], kwargs: Any) -> Arguments:
        """Return the arguments to call an activation function with."""
        ...

    def after_forward(self, module: nn.Module) -> None:
        """Handle the end of an outermost forward pass."""
        ...


class Functions(TorchFunctionMode):
    """Intercepts activation functions.

    Args:
        listener: Receives the calls.
    """

    def __init__(self, listener: Listener) -> None:
        super().__init__()
        self.listener = listener

    def __torch_function__(
        self, func: Call, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call a function; functions that it calls are not intercepted."""
        kwargs = kwargs or {}
        if func in FUNCTIONS:
            args, kwargs = self.listener.before_function(func, args, kwargs)
        return func(*args, **kwargs)


class Watch:
    """Watches the forward passes of some modules while a level is above 0, in training mode.

    Args:
        listener: Receives the calls.
        modules: The modules to watch.

    Raises:
        ConfigError: The class of a module cannot have a subclass.
    """

    def __init__(self, listener: Listener, modules: list[nn.Module]) -> None:
        self.listener, self.ended = listener, False
        self._modules: list[nn.Module] = []
        try:
            for module in modules:
                self._begin(module)
        except BaseException:
            self.end()
            raise

    def _begin(self, module: nn.Module) -> None:
        kind = type(module)
        failed = refusing(
            lambda why: ConfigError(
                "model", kind.__name__, f"This class cannot be subclassed: {why}."
            )
        )
        with failed:
            _set_class(module, _watched(kind, self))
        self._modules.append(module)

    def end(self) -> None:
        """Restore the modules' classes."""
        self.ended = True
        for module in self._modules:
            kind = type(module)
            while (watch := vars(kind).get(_WATCH)) is not None and watch.ended:
                kind = kind.__bases__[0]
            if kind is not type(module):
                _set_class(module, kind)
        self._modules = []

    def call(self, module: nn.Module, call: Call, args: tuple[Any, ...], kwargs: Any) -> Any:
        """Call a module, or its forward pass."""
        if self.ended or not module.training or self.listener.level == 0:
            return call(*args, **kwargs)
        return uncompiled(self._run, module, call, args, kwargs)

    def _run(self, module: nn.Module, call: Call, args: tuple[Any, ...], kwargs: Any) -> Any:
        if self._is_on():
            return call(*args, **kwargs)
        with self.on():
            outputs = call(*args, **kwargs)
        self.listener.after_forward(module)
        return outputs

    @contextmanager
    def on(self) -> Iterator[None]:
        """Intercept functions in this thread within a ``with`` block."""
        with ExitStack() as stack:
            if not self._is_on():
                stack.enter_context(_UNCOMPILED)
                stack.enter_context(Functions(self.listener))
            yield

    def _is_on(self) -> bool:
        modes = _get_current_function_mode_stack()
        return any(isinstance(m, Functions) and m.listener is self.listener for m in modes)


def uncompiled(function: Call, *args: Any) -> Any:
    """Call a function with arguments, outside the graphs of torch.compile."""
    return _break_graph(function, *args) if torch.compiler.is_compiling() else function(*args)


@torch._disable_dynamo  # pyright: ignore[reportPrivateImportUsage] - its import is late
def _break_graph(function: Call, *args: Any) -> Any:
    return function(*args)


class _Uncompiled:
    """Runs compiled code uncompiled within a ``with`` block, nested or in several threads."""

    def __init__(self) -> None:
        self._lock, self._depth, self._stance = Lock(), 0, ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if self._depth == 0 and "torch._dynamo" in sys.modules:  # otherwise nothing is compiled
                self._stance.enter_context(torch.compiler.set_stance("force_eager"))
            self._depth += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._depth -= 1
            if self._depth == 0:
                self._stance.close()


_UNCOMPILED = _Uncompiled()


def _watched(kind: type[nn.Module], watch: Watch) -> type[nn.Module]:
    """Return a subclass of a module's class with watched calls; copies have the original class."""

    def method(name: str) -> Call:
        @functools.wraps(getattr(kind, name))
        def watched(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
            return watch.call(self, getattr(super(subclass, self), name), args, kwargs)

        return watched

    def reduce(self: Any, protocol: Any) -> Any:
        function, arguments, *rest = kind.__reduce_ex__(self, protocol)
        function, *arguments = (kind if a is subclass else a for a in (function, *arguments))
        if function is copyreg.__newobj__:  # pyright: ignore[reportAttributeAccessIssue]
            function = kind.__new__  # pickle accepts __newobj__ only for the current class
        return (function, tuple(arguments), *rest)

    body = {name: getattr(kind, name) for name in ("__module__", "__qualname__", "__doc__")}
    body |= {name: method(name) for name in ("__call__", "forward")}
    body |= {"__reduce_ex__": reduce, _WATCH: watch}
    metaclass: Any = type(kind)
    subclass = metaclass(kind.__name__, (nn.Module,), body)
    subclass.__bases__ = (kind,)  # set late, as __init_subclass__ may register the subclass
    return subclass


def _set_class(module: nn.Module, kind: type[nn.Module]) -> None:
    object.__setattr__(module, "__class__", kind)  # some modules forward their attributes
