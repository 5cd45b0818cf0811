"""Checkpoints: tensors and plain values only, so that loading one runs no code."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

from learnorder.errors import RunFolderError, one_line
from learnorder.runs.files import atomic_write


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a trainer's state."""
    import torch

    buffer = io.BytesIO()  # torch reports a full disk as an internal error; a plain write does not
    torch.save(state, buffer)
    with atomic_write(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """Read a trainer's state, or None where there is no checkpoint.

    Raises:
        RunFolderError: The file is damaged, or holds more than tensors and plain values.
    """
    import torch

    if not path.exists():
        return None
    try:
        return torch.load(path, weights_only=True, map_location="cpu")
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise RunFolderError(
            f"{path}: not a usable checkpoint ({one_line(error)}). Remove the "
            "file: the run then starts anew from its seed, with the same numbers."
        ) from error


def save_weights(path: Path, weights: dict[str, Any]) -> None:
    """Write final weights as safetensors."""
    from safetensors.torch import save

    encoded = save({name: tensor.contiguous() for name, tensor in weights.items()})
    with atomic_write(path) as temporary:
        temporary.write_bytes(encoded)
