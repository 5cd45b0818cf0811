"""Comparisons of an example's inputs before and after planting."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from learnorder.planters.parts import describe


def content_key(value: Any) -> Any:
    """Return a hashable value that is equal for equal contents; NaN equals NaN.

    >>> content_key({"x": torch.tensor([1.0, float("nan")])}) == content_key(
    ...     {"x": torch.tensor([1.0, float("nan")])})
    True
    """
    if isinstance(value, Tensor):
        raw = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        return "tensor", value.dtype, tuple(value.shape), _digest(raw)
    if isinstance(value, np.ndarray):
        raw = repr(value.tolist()).encode() if value.dtype.hasobject else value.tobytes()
        return "array", value.dtype.str, value.shape, _digest(raw)
    if isinstance(value, Mapping):
        return "mapping", tuple((name, content_key(part)) for name, part in value.items())
    if isinstance(value, tuple | list):
        return type(value).__name__, tuple(map(content_key, value))
    if hasattr(value, "tobytes"):  # images of other libraries
        return type(value).__name__, _digest(value.tobytes())
    return type(value).__name__, repr(value)


def _digest(raw: bytes) -> bytes:
    return hashlib.blake2b(raw, digest_size=16).digest()


def form_change(before: Any, after: Any, name: str = "") -> str | None:
    """Return in words how the form of inputs has changed; None if it has not.

    The form is the type of every part, and the dtype, shape and device of arrays. Lists and texts
    may change in length.

    >>> form_change({"x": torch.zeros(3)}, {"x": torch.zeros(4)})
    "'x' was a float32 tensor [3] and is a float32 tensor [4]"
    """
    changed = f"{name or 'inputs'} was {_described(before)} and is {_described(after)}"
    if type(before) is not type(after):
        return changed
    if isinstance(before, Mapping):
        if list(before) != list(after):
            return f"{name or 'inputs'} had the parts {list(before)} and has {list(after)}"
        pairs = [(repr(part), before[part], after[part]) for part in before]
    elif isinstance(before, tuple):
        if len(before) != len(after):
            return f"{name or 'inputs'} had {len(before)} parts and has {len(after)}"
        pairs = [(f"part {n}", *both) for n, both in enumerate(zip(before, after, strict=True))]
    else:
        same = describe(before) == describe(after) and _kinds(before) >= _kinds(after)
        if isinstance(before, Tensor):
            same = same and before.device == after.device
        return None if same else changed
    return next(filter(None, (form_change(a, b, part) for part, a, b in pairs)), None)


def _described(value: Any) -> str:
    kinds = f" of {' and '.join(sorted(_kinds(value)))}" if _kinds(value) else ""
    return f"{describe(value)}{kinds}"


def _kinds(values: Any) -> set[str]:
    """Return what the elements of a list are, in words; nothing for other values."""
    if not isinstance(values, list):
        return set()
    kinds = {"integers": Integral, "other numbers": Real, "texts": str}
    return {
        next(
            (name for name, kind in kinds.items() if isinstance(value, kind)), type(value).__name__
        )
        for value in values
    }


def nonfinite(value: Any) -> int:
    """Return how many numbers of the inputs are NaN or infinite."""
    if isinstance(value, Mapping):
        return sum(map(nonfinite, value.values()))
    if isinstance(value, tuple):
        return sum(map(nonfinite, value))
    if isinstance(value, Tensor):
        return int((~torch.isfinite(value)).sum())
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return int((~np.isfinite(value)).sum())
    if isinstance(value, list):
        return sum(isinstance(v, float) and not np.isfinite(v) for v in value)
    return 0


def hidden_changes(before: Any, after: Any) -> str | None:
    """Return the part that changed where the new ``attention_mask`` is 0; None if there is none.

    >>> before = {"ids": [5, 0, 0], "attention_mask": [1, 0, 0]}
    >>> hidden_changes(before, {**before, "ids": [5, 9, 9]})
    'ids'
    """
    if not isinstance(before, Mapping) or "attention_mask" not in before:
        return None
    mask = _listed(after["attention_mask"])  # a planter may have extended it
    for name, part in before.items():
        old, new = _listed(part), _listed(after[name])
        if name == "attention_mask" or not len(old) == len(new) == len(mask):
            continue
        changed = [bool(m) for a, b, m in zip(old, new, mask, strict=True) if a != b]
        if changed and not all(changed):
            return str(name)
    return None


def _listed(part: Any) -> list[Any]:
    if isinstance(part, Tensor | np.ndarray):
        return part.tolist() if part.ndim == 1 else []
    return part if isinstance(part, list) else []
