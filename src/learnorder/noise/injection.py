"""Noise added to the inputs of a model's activations, by hooks and by interception."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from learnorder.errors import ConfigError
from learnorder.noise.activations import ACTIVATIONS, FUNCTIONS, is_in_place, is_parametrization
from learnorder.noise.drawing import Generators
from learnorder.noise.sites import SiteCounter, key_of
from learnorder.noise.stack import CallStack, innermost_module, read_stack
from learnorder.noise.watch import Arguments, Watch, uncompiled


class Injector:
    """Adds noise before the activations of a model.

    Args:
        model: The model.
        modules: Modules whose first input gets noise, by name.
        generators: Draw the noise.
        functions: Whether calls of functions get noise too.
        after_forward: Called after each forward pass of the whole model with noise.

    Attributes:
        level: Standard deviation; 0 means no noise.
        sites: Sites by key: modules, then calls of functions.
        unreached: Calls of functions that get no noise, by key.
    """

    def __init__(
        self,
        model: nn.Module,
        modules: dict[str, nn.Module],
        generators: Generators,
        functions: bool,
        after_forward: Callable[[], None],
    ) -> None:
        self.level, self.sites = 0.0, _module_sites(model, modules)
        self.unreached: dict[Any, SiteCounter] = {}
        self._model: nn.Module | None = model
        self._generators, self._functions = generators, functions
        self._after_forward = after_forward
        self._lock, self._repeats = threading.Lock(), 0
        self._name = type(model).__name__
        self._names = {key_of(module): name for name, module in model.named_modules()}
        self._watch = Watch(self, [m for m in model.modules() if self._may_call(m)])
        self._hooks = [
            module.register_forward_pre_hook(self._before_module, with_kwargs=True)
            for module in modules.values()
            if self.sites[key_of(module)].hooked
        ]

    def remove(self) -> None:
        """Remove hooks and interception, and restore the model."""
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()
        self._watch.end()
        self._model = None

    def __reduce__(self) -> tuple[Callable[[], Injector], tuple[()]]:
        """Copy as an injector without noise, as the hooks of a copied model use the copy."""
        return _without_noise, ()

    def _may_call(self, module: nn.Module) -> bool:
        """Whether a module's forward pass is watched."""
        if isinstance(module, torch.jit.ScriptModule):
            return False
        kind = type(module)
        has_parts = any(name != "parametrizations" for name, _ in module.named_children())
        if kind.forward is nn.Module.forward and "forward" not in vars(module):
            return False
        own = not kind.__module__.startswith("torch.nn.") and key_of(module) not in self.sites
        return has_parts or own

    def _before_module(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Arguments | None:
        """Add noise to a module's first input: a forward pre-hook."""
        if not module.training or not (self.level or self._repeats):
            return None
        return uncompiled(self._noisy_arguments, module, args, kwargs)

    def _noisy_arguments(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Arguments:
        def noisy(x: Tensor) -> Tensor:
            site, in_place = self.sites[key_of(module)], bool(getattr(module, "inplace", False))
            return self._noisy(x, module, site, read_stack(self), in_place)

        for at, value in enumerate(args):
            if _takes_noise(value):
                return (*args[:at], noisy(value), *args[at + 1 :]), kwargs
        for name, value in kwargs.items():
            if _takes_noise(value):
                return args, {**kwargs, name: noisy(value)}
        return args, kwargs

    def before_function(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Arguments:
        """Return the arguments of an activation function, with noise if the call is a site."""
        x = args[0] if args else kwargs.get("input")
        if not isinstance(x, Tensor) or not _takes_noise(x) or isinstance(x, nn.Parameter):
            return args, kwargs
        inner = innermost_module()
        site = None if inner is None else self.sites.get(key_of(inner))
        if site is not None and site.hooked:
            return args, kwargs
        stack = read_stack(self)
        if any(map(is_parametrization, stack.modules)):
            return args, kwargs
        owner = next((m for m in stack.modules if key_of(m) in self._names), None)
        if owner is None or not (owner.training and stack.modules[0].training):
            return args, kwargs
        site = self.sites.get(key_of(owner))
        if site is None and self._functions:
            site = self._function_site(owner, FUNCTIONS[function], stack)
        if site is None or site.hooked or stack.custom:
            return args, kwargs
        noisy = self._noisy(x, owner, site, stack, is_in_place(function, args, kwargs))
        return ((noisy, *args[1:]), kwargs) if args else (args, {**kwargs, "input": noisy})

    def _function_site(self, owner: nn.Module, function: str, stack: CallStack) -> SiteCounter:
        """Return the site of a call; the first call adds it."""
        key = (key_of(owner), function, stack.caller)
        with self._lock:
            new = SiteCounter(key, self._names[key_of(owner)], function, stack.line)
            return (self.unreached if stack.custom else self.sites).setdefault(key, new)

    def after_forward(self, module: nn.Module) -> None:
        """Call ``after_forward`` if the module is the whole model."""
        if module is self._model:
            self._after_forward()

    def _noisy(
        self, x: Tensor, module: nn.Module, site: SiteCounter, stack: CallStack, in_place: bool
    ) -> Tensor:
        """Return x + σ·ξ, computed in place if the activation overwrites its input."""
        if stack.remaining is not None:
            key, draw = next(stack.remaining, (None, None))
            if draw is None or key != site.key:
                raise self._not_repeated("It calls other activations than the forward pass.")
            noise = draw.repeat()
        elif stack.unknown:
            raise self._not_repeated("No noise was saved with torch.utils.checkpoint.")
        else:
            replica = getattr(module, "_is_replica", False)
            with torch._C.DisableTorchFunction():  # drawing is not part of the model
                noise, draw = self._generators.draw(x, self.level, site.stream, replica)
            for checkpoint in stack.checkpoints:
                checkpoint.keep(self, (site.key, draw), stack.modules)
            with self._lock:
                site.add(x)
        noise = noise.to(x.dtype)
        return x.add_(noise) if in_place else x + noise

    @contextmanager
    def repeating(self) -> Iterator[None]:
        """Repeat the noise of a checkpoint within a ``with`` block.

        Raises:
            ConfigError: The noise has been removed.
        """
        if self._model is None:
            raise self._not_repeated("The noise has been removed.")
        with self._lock:
            self._repeats += 1
        try:
            with self._watch.on():
                yield
        finally:
            with self._lock:
                self._repeats -= 1

    def _not_repeated(self, reason: str) -> ConfigError:
        return ConfigError(
            "model",
            self._name,
            "Its backward pass recomputes activations, and their noise cannot be repeated. "
            f"{reason} Use torch.utils.checkpoint.checkpoint, and call backward before the noise "
            "is removed.",
        )


def _module_sites(model: nn.Module, modules: dict[str, nn.Module]) -> dict[Any, SiteCounter]:
    """Return the sites of modules by key."""
    fused = {
        id(layer.activation)
        for layer in model.modules()
        if isinstance(layer, nn.TransformerEncoderLayer)
        and type(layer.activation) in (nn.ReLU, nn.GELU)  # a hook would disable the fast path
    }
    return {
        key_of(module): SiteCounter(
            key_of(module),
            name,
            type(module).__name__,
            stream=0 if isinstance(module, ACTIVATIONS) else 1,
            hooked=id(module) not in fused,
        )
        for name, module in modules.items()
    }


def _takes_noise(value: Any) -> bool:
    return isinstance(value, Tensor) and (value.is_floating_point() or value.is_complex())


def _without_noise() -> Injector:
    """Return an injector without a model and without noise."""
    injector = Injector.__new__(Injector)
    injector.level, injector._repeats = 0.0, 0
    return injector
