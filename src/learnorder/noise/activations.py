"""Which modules, by class or by behaviour, and which functions are activations."""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parameter import is_lazy
from torch.nn.utils.parametrize import ParametrizationList

from learnorder.errors import ConfigError, did_you_mean
from learnorder.seeding import random_state_kept

ACTIVATIONS: tuple[type[nn.Module], ...] = (
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.PReLU,
    nn.RReLU,
    nn.ELU,
    nn.CELU,
    nn.SELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.Softplus,
    nn.Hardswish,
    nn.Sigmoid,
    nn.Tanh,
)
"""Module classes that are activations; other classes are tested on probe inputs."""

_NAMES = (
    "relu", "relu6", "leaky_relu", "prelu", "rrelu", "elu", "celu", "selu", "gelu", "silu", "mish",
    "softplus", "hardswish", "sigmoid", "tanh", "hardtanh", "hardsigmoid", "logsigmoid", "softsign",
    "tanhshrink", "softshrink", "hardshrink", "threshold", "expit",
)  # fmt: skip
_HOMES = (("functional", F), ("torch", torch), ("Tensor", Tensor), ("special", torch.special))

FUNCTIONS: Mapping[Callable[..., Any], str] = {
    getattr(home, name): f"{prefix}.{name}"
    for prefix, home in reversed(_HOMES)  # a function with two names keeps that of the first home
    for name in (*_NAMES, *(f"{name}_" for name in _NAMES))
    if hasattr(home, name)
}
"""Functions that are activations, by name."""

_OPAQUE = (nn.RNNBase, nn.RNNCellBase, nn.GLU, torch.jit.ScriptModule)
"""Modules with internal activations that noise cannot reach."""

Filter = str | type[nn.Module] | Iterable[str | type[nn.Module]] | Callable[[str, nn.Module], bool]
"""A user's choice of modules: names, classes, or a predicate of name and module."""

_CHOICES = (
    "Give names from model.named_modules(), classes, or a function of name and module that returns "
    "True for some."
)


def find_activations(model: nn.Module) -> dict[str, nn.Module]:
    """Return the activation modules of a model by name, in the order of ``named_modules``.

    These are the classes in :data:`ACTIVATIONS`, and other modules without submodules that behave
    like activations: on probe inputs, the output has the shape of the input, and each element is a
    non-affine function of the same element of the input. Parameters, if any, are scalars or have
    one value per channel, as in PReLU. Parametrizations (``torch.nn.utils.parametrize``) compute
    weights and are left out. A module outside torch.nn is tested as a copy on the CPU, in
    evaluation mode.

    >>> class QuickGELU(nn.Module):
    ...     def forward(self, x):
    ...         return x * torch.sigmoid(1.702 * x)
    >>> model = nn.Sequential(nn.Linear(2, 2), QuickGELU(), nn.Dropout(0.1), nn.Softmax(-1))
    >>> find_activations(model)
    {'1': QuickGELU()}
    """
    of_weights = {id(m) for p in model.modules() if is_parametrization(p) for m in p.modules()}
    return {
        name: module
        for name, module in model.named_modules()
        if id(module) not in of_weights and _is_activation(module)
    }


def is_parametrization(module: nn.Module) -> bool:
    """Whether a module computes a parameter of another."""
    return isinstance(module, ParametrizationList)


def choose_modules(model: nn.Module, choice: Filter) -> dict[str, nn.Module]:
    """Return the chosen modules by name, in the order of ``named_modules``.

    Args:
        model: The model.
        choice: See :class:`~learnorder.noise.ActivationNoise`.

    Raises:
        ConfigError: The model has no module of a name or class, or none is chosen.
    """
    by_name = dict(model.named_modules())
    if callable(choice) and not isinstance(choice, type | nn.Module):
        modules = {name: module for name, module in by_name.items() if choice(name, module)}
    else:
        selectors: list[object] = [choice]
        if isinstance(choice, Iterable) and not isinstance(choice, str | nn.Module):
            selectors = [*choice]
        ids = {id(m) for selector in selectors for m in _modules_of(model, selector)}
        modules = {name: module for name, module in by_name.items() if id(module) in ids}
    if not modules:
        raise ConfigError("modules", choice, f"No module matches. {_CHOICES}")
    return modules


def _modules_of(model: nn.Module, selector: object) -> list[nn.Module]:
    """Return the modules with a name, or of a class."""
    by_name = dict(model.named_modules(remove_duplicate=False))
    if not isinstance(selector, str | type):
        raise ConfigError("modules", selector, _CHOICES)
    if isinstance(selector, type):
        modules = [module for module in by_name.values() if isinstance(module, selector)]
        hint = ""
    else:
        modules = [by_name[selector]] if selector in by_name else []
        hint = did_you_mean(selector, by_name)
    if not modules:
        raise ConfigError("modules", selector, f"The model has no such module. {hint}".strip())
    return modules


def opaque_modules(model: nn.Module) -> dict[str, nn.Module]:
    """Return the modules whose internal activations cannot be reached, by name."""
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, _OPAQUE) and not _within(name, model)
    }


def _within(name: str, model: nn.Module) -> bool:
    """Whether a module is part of a scripted module."""
    parents = [name[:at] for at, letter in enumerate(name) if letter == "."] + [""] * bool(name)
    return any(isinstance(model.get_submodule(p), torch.jit.ScriptModule) for p in parents)


def calls_functions(model: nn.Module) -> bool:
    """Whether a forward pass may call activation functions outside activation modules."""
    layers = (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)
    return any(isinstance(m, layers) or _has_own_forward(m) for m in model.modules())


def _has_own_forward(module: nn.Module) -> bool:
    """Whether a module's forward pass is Python code from outside torch."""
    if isinstance(module, torch.jit.ScriptModule):
        return False
    kind = type(module)
    homes = (kind.__module__, kind.forward.__module__)
    return not any(home.startswith(("torch.nn.", "torch._dynamo.")) for home in homes)


def is_in_place(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Any) -> bool:
    """Whether a call of one of :data:`FUNCTIONS` overwrites its input."""
    if function.__name__.endswith("_"):
        return True
    at = _INPLACE.get(function)
    return at is not None and bool(args[at] if at < len(args) else kwargs.get("inplace"))


_INPLACE = {
    function: list(inspect.signature(function).parameters).index("inplace")
    for function in FUNCTIONS
    if inspect.isfunction(function) and "inplace" in inspect.signature(function).parameters
}
"""Position of the argument ``inplace`` in functions that have it."""


def _is_activation(module: nn.Module) -> bool:
    if isinstance(module, ACTIVATIONS):
        return True
    home = type(module).__module__
    known = home.startswith(("torch.nn.", "torch.jit.")) and home != nn.ReLU.__module__
    if known or isinstance(module, _OPAQUE) or next(module.children(), None) is not None:
        return False
    if any(is_lazy(p) or p.numel() != max(p.shape, default=1) for p in module.parameters()):
        return False
    with (
        warnings.catch_warnings(),
        random_state_kept(on_gpu=False),
        torch.no_grad(),
    ):
        warnings.simplefilter("ignore")
        return _acts_elementwise(module)


def _acts_elementwise(module: nn.Module) -> bool:
    """Whether a module behaves like an activation on probe inputs (:func:`find_activations`)."""
    try:
        probed = copy.deepcopy(module).to("cpu", torch.float64).eval()
    except Exception:  # a module that cannot be copied is not an activation
        return False
    size = max((p.numel() for p in probed.parameters()), default=5)
    shapes = ((4, size), (4, size, 3), (4, size, 3, 3), (4, 3, size))
    verdicts = [_maps_elements(probed.forward, shape) for shape in shapes]
    return any(verdicts) and False not in verdicts


def _maps_elements(function: Callable[[Tensor], Any], shape: tuple[int, ...]) -> bool | None:
    """Whether a function acts elementwise and non-affinely on a shape; None if it rejects it."""
    generator = torch.Generator("cpu").manual_seed(0)
    on_cpu: dict[str, Any] = {"generator": generator, "device": "cpu"}

    def draw() -> Tensor:
        x = torch.randn(shape, dtype=torch.float64, **on_cpu)
        return x * 10.0 ** torch.randint(-1, 2, shape, **on_cpu)

    x, other = draw(), draw()
    try:
        y, z, again = (function(v.clone()) for v in (x, other, x))
        if not isinstance(y, Tensor) or y.shape != x.shape or not y.is_floating_point():
            return False
        middle = function((x + other) / 2)
        mixed = [torch.rand(shape, **on_cpu) < p for p in (0.1, 0.5, 0.9)]
        images = [(function(torch.where(m, x, other)), torch.where(m, y, z)) for m in mixed]
    except Exception:
        return None
    elementwise = all(torch.allclose(*pair, equal_nan=True) for pair in ((y, again), *images))
    affine = (y + z) / 2
    nonaffine = (middle - affine).abs() > 1e-4 * (1 + affine.abs())
    return elementwise and bool((nonaffine & affine.isfinite() & middle.isfinite()).any())
