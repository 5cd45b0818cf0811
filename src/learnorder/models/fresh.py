"""Refuse networks that share weights with an earlier one.

If a function returned the same module or parameters at every call, each run would start from the
final weights of the previous run.
"""

from __future__ import annotations

from itertools import chain
from weakref import WeakValueDictionary

from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef

from learnorder.errors import ConfigError

_objects: WeakValueDictionary[int, nn.Module | Tensor] = WeakValueDictionary()
"""Living modules, parameters and buffers of the networks built in this process, by id."""
versions: dict[StorageWeakRef, int] = {}
"""Version of each tensor's memory when it was built: torch counts in-place changes."""


def check_fresh(model: nn.Module, field: str, value: object, remedy: str = "") -> None:
    """Refuse a network that shares trained state with one built earlier in this process.

    Trained parameters must not be shared. Frozen parameters and buffers may be, unless they have
    changed since. Only weak references are kept.

    Args:
        model: The network, as returned by a user's function.
        field: The setting that names the function, for the error.
        value: Its value.
        remedy: An additional sentence on what to do.

    Raises:
        ConfigError: The network shares trained state.
    """
    what = "the same module" if _seen(model) else _shared_tensor(model)
    if what is not None:
        raise ConfigError(
            field,
            value,
            f"It returned {what} as at an earlier call, so a run would start from the final "
            "weights of the previous one. The cause is state kept between calls: a module or "
            "tensor at module level, a default argument, or functools.cache. Create it inside the "
            f"function, or return copy.deepcopy of it. {remedy}".rstrip(),
        )
    _remember(model)


def _shared_tensor(model: nn.Module) -> str | None:
    """Return the name of a tensor that is shared and changes in training."""
    alive = {_address(t) for t in list(_objects.values()) if isinstance(t, nn.Parameter)} - {0}
    for prefix, module in model.named_modules():
        for name, tensor in _own_tensors(module):
            memory = _memory(tensor)
            version = None if memory is None else versions.get(memory)
            if tensor.requires_grad:
                shared = version is not None or _seen(tensor) or _address(tensor) in alive
            elif version is not None:
                shared = version != _version(tensor)
            else:  # moved, e.g. to another device
                shared = _seen(tensor) or (_seen(module) and memory is not None)
            if shared:
                return "the same " + f"{prefix}.{name}".lstrip(".")
    return None


def _remember(model: nn.Module) -> None:
    for expired in [memory for memory in versions if memory.expired()]:
        del versions[expired]
    for module in model.modules():
        _objects[id(module)] = module
        for _, tensor in _own_tensors(module):
            _objects[id(tensor)] = tensor
            if (memory := _memory(tensor)) is not None:
                versions[memory] = _version(tensor)


def _own_tensors(module: nn.Module) -> chain[tuple[str, Tensor]]:
    return chain(module.named_parameters(recurse=False), module.named_buffers(recurse=False))


def _seen(thing: nn.Module | Tensor) -> bool:
    return _objects.get(id(thing)) is thing


def _memory(tensor: Tensor) -> StorageWeakRef | None:
    try:
        return StorageWeakRef(tensor.untyped_storage())
    except (RuntimeError, ValueError):  # sparse and lazy ones have none
        return None


def _address(tensor: Tensor) -> int:
    """Return the address of a tensor's memory, which NumPy arrays may share; 0 for none."""
    try:
        return tensor.untyped_storage().data_ptr()
    except (RuntimeError, ValueError):
        return 0


def _version(tensor: Tensor) -> int:
    return 0 if tensor.is_inference() else tensor._version
