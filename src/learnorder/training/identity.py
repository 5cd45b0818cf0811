"""The identity of a run besides its settings: digests of the user's code and data, by name.

The user's functions and classes are read as byte code, with the values they use: defaults,
closures, class attributes and module-level names, recursively. For installed packages and code in C
only the names are read.
"""

from __future__ import annotations

import dis
import functools
import hashlib
import re
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from pathlib import Path, PurePath
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    MethodType,
    ModuleType,
    NoneType,
)
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from learnorder.config.identity import CODE, PYTHON
from learnorder.errors import DataError, LearnOrderError, refusing
from learnorder.models.modes import in_evaluation
from learnorder.training.items import spread
from learnorder.training.targets import known_targets

Identity = dict[str, str]
"""Digests by name, e.g. "code of my_tasks.loss"."""

_PLAIN = (str, int, float, bool, complex, bytes, Enum, PurePath, range, torch.dtype, torch.device)
_MOST_ITEMS = 10_000
_MOST_VALUES = 50_000_000
_NOT_OF_A_CLASS = {
    "__module__", "__doc__", "__dict__", "__weakref__", "__annotations__", "__firstlineno__",
    "__static_attributes__", "__abstractmethods__", "_abc_impl", "__orig_bases__", "__parameters__",
    "__qualname__", "__dataclass_fields__", "__annotate_func__", "__annotations_cache__",
}  # fmt: skip
_INSTALLED = [
    Path(__file__).resolve().parents[1],
    *(
        Path(sysconfig.get_path(n)).resolve()
        for n in ("stdlib", "platstdlib", "purelib", "platlib")
    ),
]


class Reader:
    """Reads values and code into an identity.

    Attributes:
        parts: The identity so far.
    """

    def __init__(self) -> None:
        self.parts: Identity = {PYTHON: f"{sys.version_info[0]}.{sys.version_info[1]}"}
        self._read: dict[int, Any] = {}  # functions and classes by id, kept alive

    def add(self, name: str, value: Any) -> None:
        """Read a value under a name."""
        self._note(name, self.token(value))

    def _note(self, name: str, *tokens: str) -> None:
        before = self.parts.get(name, "")
        self.parts[name] = _digest(before, *tokens)

    def token(self, value: Any, within: tuple[int, ...] = ()) -> str:
        """Return a token that is equal for equal values, also across processes."""
        if id(value) in within:
            return "itself"
        inner = (*within, id(value))
        if value is None or value is Ellipsis or isinstance(value, _PLAIN):
            return f"{type(value).__name__} {value!r}"
        if isinstance(value, Tensor | np.ndarray):
            return _numbers(value)
        if isinstance(value, FunctionType | BuiltinFunctionType | MethodType | type | ModuleType):
            return self._code(value, inner)
        if isinstance(value, functools.partial):
            return self._all([value.func, value.args, value.keywords], inner)
        if isinstance(value, Mapping):
            items = _few(list(value.items()))
            return _digest("mapping", *(self.token(list(item), inner) for item in items))
        if isinstance(value, list | tuple):
            return self._all(value, inner)
        if isinstance(value, set | frozenset):
            return _digest("set", *sorted(self.token(item, inner) for item in value))
        return self._instance(value, inner)

    def _all(self, values: Any, within: tuple[int, ...]) -> str:
        tokens = (self.token(item, within) for item in _few(values))
        return _digest(type(values).__name__, str(len(values)), *tokens)

    def _code(self, value: Any, within: tuple[int, ...]) -> str:
        """Return the name of a function, class or module; read it if it is the user's."""
        if isinstance(value, ModuleType):
            return f"module {value.__name__}"
        if isinstance(value, MethodType):
            return self._all([value.__func__, value.__self__], within)
        name = _name_of(value)
        if not is_own(value) or isinstance(value, BuiltinFunctionType):
            return name
        if id(value) not in self._read:
            self._read[id(value)] = value
            if isinstance(value, type):
                self._class(value, name, within)
            else:
                self._function(value, name, within)
        return name

    def _function(self, function: FunctionType, name: str, within: tuple[int, ...]) -> None:
        code = function.__code__
        self._note(CODE + name, *_of_code(code, function.__doc__))
        defaults = {"defaults": function.__defaults__, "keywords": function.__kwdefaults__}
        used = {f"default values of {name}": v for v in [defaults] if any(defaults.values())}
        for variable, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            try:
                used[f"{variable} in {name}"] = cell.cell_contents
            except ValueError:  # not assigned yet
                continue
        used.update(_globals_of(code, function.__globals__))
        for used_name, value in used.items():
            token = self.token(value, within)
            if not isinstance(value, FunctionType | BuiltinFunctionType | type | ModuleType):
                self.parts[used_name] = _digest(token)

    def _class(self, kind: type, name: str, within: tuple[int, ...]) -> None:
        attributes = {k: v for k, v in vars(kind).items() if k not in _NOT_OF_A_CLASS}
        tokens = []
        for attribute, value in attributes.items():
            parts = value
            if isinstance(value, staticmethod | classmethod):
                parts = value.__func__
            elif isinstance(value, property | functools.cached_property):
                parts = [getattr(value, n, None) for n in ("fget", "fset", "fdel", "func")]
            tokens.append(f"{attribute} {self.token(parts, within)}")
        tokens += [self.token(base, within) for base in kind.__bases__]
        self._note(CODE + name, *tokens)

    def _instance(self, value: Any, within: tuple[int, ...]) -> str:
        """Return the token of an object; if it cannot be read, that of its class."""
        kind = self.token(type(value), within)
        try:
            return self._contents(value, kind, within)
        except LearnOrderError:
            raise
        except Exception:  # the user's objects can raise anything
            return kind

    def _contents(self, value: Any, kind: str, within: tuple[int, ...]) -> str:
        """Return the token of an object's class, weights and attributes."""
        tokens = list[str]()
        wrapped = getattr(value, "__wrapped__", None)  # by functools.cache, for example
        if isinstance(wrapped, FunctionType):
            return self.token(wrapped, within)
        if isinstance(value, nn.Module):
            tokens += self._module(value, within)
        elif _is_data(value):
            return _digest(kind, *self.data(value, within))
        elif hasattr(value, "__array_interface__"):  # a picture
            return _digest(kind, _numbers(np.asarray(value)))
        for name, item in _attributes(value):
            tokens.append(f"{name} {self.token(item, within)}")
        return _digest(kind, *tokens)

    def _module(self, module: nn.Module, within: tuple[int, ...]) -> Iterator[str]:
        """Yield tokens of a module's weights, modes, hooks and children."""
        children = dict(module.named_children())
        state = {**dict(module.named_buffers(recurse=False)), **module.state_dict()}
        for name, value in state.items():
            if name.partition(".")[0] not in children:
                yield f"{name} {self.token(value, within)}"
        weights = module.named_parameters(recurse=False)
        yield repr([name for name, weight in weights if not weight.requires_grad])
        yield repr(in_evaluation(module))
        for name in _HOOKS:
            yield f"{name} {self.token(list(getattr(module, name).values()), within)}"
        for name, child in children.items():
            yield f"{name} {self.token(child, within)}"

    def data(self, dataset: Any, within: tuple[int, ...] = ()) -> list[str]:
        """Return tokens of a data set: its size, its targets, and some of its examples."""
        from learnorder.seeding import random_state_kept, seed_everything

        def examples() -> str:
            with random_state_kept(), refusing(_unreadable):
                seed_everything(0, "identity")
                few = [dataset[i] for i in spread(len(dataset))]
            return self._all(few, within)

        code = [v for v in getattr(dataset, "__dict__", {}).values() if callable(v)]
        code += [type(dataset), type(getattr(dataset, "dataset", None))]
        tensors = list(getattr(dataset, "tensors", ()))
        fixed = [str(len(dataset)), self._all([known_targets(dataset), code, tensors], within)]
        return [*fixed, steady(examples)]


_OF_A_MODULE = set(nn.Module().__dict__)
_HOOKS = (
    "_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks"
)  # fmt: skip
_CONSTANT = (*_PLAIN, NoneType, Tensor, tuple, frozenset, FunctionType, BuiltinFunctionType, type)


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the attributes of an object that say what it does.

    Of objects of installed packages these are the public ones with constant values: lists and
    dictionaries may be counters or caches. Values that are cached on first use are left out.
    """
    kind = type(value)
    whole = is_own(kind) or kind.__module__.partition(".")[0] == __name__.partition(".")[0]
    for name, item in getattr(value, "__dict__", {}).items():
        if isinstance(value, nn.Module) and name in _OF_A_MODULE:
            continue
        if isinstance(getattr(kind, name, None), functools.cached_property):
            continue
        if whole or (not name.startswith("_") and isinstance(item, _CONSTANT)):
            yield name, item


def steady(read: Callable[[], str]) -> str:
    """Return what ``read`` returns, or a constant if it differs between two calls."""
    first = read()
    return first if read() == first else "something else each time"


def is_own(value: Any) -> bool:
    """Whether a function or class is the user's, not of an installed package."""
    name = getattr(value, "__module__", None)
    module = sys.modules.get(name or "")
    if name == "__main__" or module is None:
        return name == "__main__" or isinstance(value, FunctionType)
    if (file := getattr(module, "__file__", None)) is None:  # compiled in
        return False
    path = Path(file).resolve()
    packaged = {"site-packages", "dist-packages"} & set(path.parts)
    return not packaged and not any(path.is_relative_to(root) for root in _INSTALLED)


def files_token(root: Path) -> str:
    """Return a digest of a folder's files: their names and sizes, and some contents."""
    files = sorted(p for p in root.rglob("*") if p.is_file() and not p.name.startswith("."))
    names = [f"{path.relative_to(root)} {path.stat().st_size}" for path in files]
    some = (hashlib.blake2b(files[i].read_bytes()).hexdigest() for i in spread(len(files)))
    return _digest(*names, *some)


def _unreadable(why: str) -> DataError:
    return DataError(f"An example cannot be read: {why}.")


def _is_data(value: Any) -> bool:
    is_dataset = isinstance(value, torch.utils.data.Dataset)
    return is_dataset and hasattr(value, "__len__") and hasattr(value, "__getitem__")


def _name_of(value: Any) -> str:
    module = getattr(value, "__module__", None)
    name = getattr(value, "__qualname__", None) or type(value).__qualname__
    return f"{module}.{name}" if module else name


def _of_code(code: CodeType, doc: str | None = None) -> Iterator[str]:
    """Yield a function's byte code and constants, independent of its position in the file."""
    yield code.co_code.hex()
    yield repr((code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars))
    yield repr((code.co_argcount, code.co_kwonlyargcount, code.co_posonlyargcount, code.co_flags))
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _of_code(constant)
        elif isinstance(constant, frozenset):
            yield repr(sorted(map(repr, constant)))
        elif doc is None or constant != doc:
            yield repr(constant)


def _globals_of(code: CodeType, names: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the module-level names that code uses, and the attributes of the user's modules."""
    used = list(dis.get_instructions(code))
    module = names.get("__name__", "")
    attributes = {i.argval for i in used if i.opname in ("LOAD_ATTR", "LOAD_METHOD")}
    for name in sorted({i.argval for i in used if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}):
        if name not in names:
            continue
        value = names[name]
        yield f"{module}.{name}", value
        if isinstance(value, ModuleType):
            for inner in sorted(attributes & vars(value).keys()):
                item = vars(value)[inner]
                if is_own(item) or (not callable(item) and _is_own_module(value)):
                    yield f"{value.__name__}.{inner}", item
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _globals_of(constant, names)


def _is_own_module(module: ModuleType) -> bool:
    probe = type("probe", (), {"__module__": module.__name__})
    return is_own(probe)


def _numbers(value: Tensor | np.ndarray[Any, Any]) -> str:
    """Return the token of an array: its values, or evenly spaced ones if it is very large."""
    if isinstance(value, Tensor):
        if value.is_meta or nn.parameter.is_lazy(value):
            return f"tensor without values {value.dtype}"
        dense = value.detach() if value.layout is torch.strided else value.detach().to_dense()
        flat = dense.cpu().resolve_conj().resolve_neg().contiguous().view(-1)
        flat = flat[:: 1 + len(flat) // _MOST_VALUES].contiguous()
        content, dtype = flat.view(torch.uint8).numpy().tobytes(), value.dtype
    else:
        flat = np.asarray(value).reshape(-1)[:: 1 + value.size // _MOST_VALUES]
        plain = flat.tolist() if value.dtype == object else None
        content, dtype = flat.tobytes() if plain is None else repr(plain).encode(), value.dtype
    hashed = hashlib.blake2b(content, digest_size=8).hexdigest()
    return f"{dtype} {tuple(value.shape)} {hashed}"


def _few(values: Any) -> Any:
    """Return values, or evenly spaced ones if there are very many."""
    return values if len(values) <= _MOST_ITEMS else [values[i] for i in spread(len(values), 1000)]


_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def whole(identity: Identity) -> str:
    """Return one digest of an identity.

    >>> whole({"loss": "a"}) == whole({"loss": "b"})
    False
    """
    return _digest(*(f"{name} {value}" for name, value in sorted(identity.items())))


def _digest(*tokens: str) -> str:
    joined = "\0".join(_ADDRESS.sub("", token) for token in tokens)
    return hashlib.blake2b(joined.encode(errors="surrogatepass"), digest_size=8).hexdigest()
