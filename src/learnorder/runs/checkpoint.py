"""Checkpoints: where a run goes on, kept so that no crash or damaged disk costs more than an epoch.

A checkpoint is a line with a digest of what follows, then tensors and plain values as torch saves
them, so that loading one runs no code and a changed bit is seen. It names the configuration that it
is of. The one before stays beside it, and is taken where the newer is damaged.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import pickle
import shutil
from pathlib import Path
from typing import Any

from learnorder.errors import RunFolderError, one_line
from learnorder.runs.files import atomic_write
from learnorder.runs.folder import RunFolder

_NAMES = ("checkpoint.pt", "checkpoint.previous.pt")
_HEADER = b"learnorder checkpoint "


def save_checkpoint(folder: RunFolder[Any], state: dict[str, Any]) -> None:
    """Write a run's state, and keep the one before.

    Raises:
        RunFolderError: The disk is full or the folder cannot be written to; what was there stays.
        RunLost: Another process has taken over the run.
    """
    import torch

    if folder.read_only:
        return
    buffer = io.BytesIO()  # torch reports a full disk as an internal error; a plain write does not
    torch.save({"config": _config_digest(folder), "state": state}, buffer)
    payload = buffer.getbuffer()
    newest, previous = (folder.file(name) for name in _NAMES)
    folder.check_lock()
    with atomic_write(newest) as temporary:
        with temporary.open("wb") as file:
            file.write(_HEADER + _digest(payload) + b"\n")
            file.write(payload)
        folder.check_lock()  # writing may have taken long
        _keep(newest, previous)


def _keep(newest: Path, previous: Path) -> None:
    """Let ``previous`` be what ``newest`` is now, so that at every moment one of them is whole."""
    if not newest.exists():
        return
    previous.unlink(missing_ok=True)
    try:
        previous.hardlink_to(newest)
    except OSError:  # a file system without links
        shutil.copyfile(newest, previous)


def load_checkpoint(folder: RunFolder[Any]) -> dict[str, Any] | None:
    """Read a run's newest usable state, or None where there is no checkpoint.

    Raises:
        RunFolderError: What there is is damaged, or of another configuration, or holds more than
            tensors and plain values.
    """
    there = [path for name in _NAMES if (path := folder.file(name)).exists()]
    problems: list[RunFolderError] = []
    for path in there:
        try:
            state = _read(path, _config_digest(folder))
        except RunFolderError as error:
            problems.append(error)
            continue
        if problems:
            logging.getLogger(__name__).warning("%s Going on from %s.", problems[0], path.name)
        return state
    if problems:
        raise problems[0]
    return None


def remove_checkpoints(folder: RunFolder[Any]) -> None:
    """Remove what a run that has ended needs no more."""
    for name in _NAMES:
        folder.file(name).unlink(missing_ok=True)


def _read(path: Path, config: str) -> dict[str, Any]:
    import torch

    try:
        header, _, payload = path.read_bytes().partition(b"\n")
        if header != _HEADER + _digest(payload):
            raise ValueError("its bytes are not those that were written")
        found = torch.load(io.BytesIO(payload), weights_only=True, map_location="cpu")
        if found["config"] != config:
            raise ValueError("it is of another configuration")
        return found["state"]
    except (
        pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError,
    ) as error:  # fmt: skip
        raise RunFolderError(
            f"{path}: not a usable checkpoint ({one_line(error)}). Remove the "
            "file: the run then starts anew from its seed, with the same numbers."
        ) from error


def _digest(payload: bytes | memoryview) -> bytes:
    return hashlib.blake2b(payload, digest_size=16).hexdigest().encode()


def _config_digest(folder: RunFolder[Any]) -> str:
    """Return what tells a configuration from others."""
    text = json.dumps(folder.config.to_dict(), sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def encode_weights(weights: dict[str, Any]) -> bytes:
    """Return weights as safetensors; of tied ones each name has its own."""
    from safetensors.torch import save
    from torch import Tensor

    kept = {name: value for name, value in weights.items() if isinstance(value, Tensor)}
    return save({name: tensor.clone().contiguous() for name, tensor in kept.items()})


def save_weights(folder: RunFolder[Any], weights: dict[str, Any]) -> None:
    """Write final weights; see :func:`encode_weights`."""
    if folder.read_only:
        return
    encoded = encode_weights(weights)
    folder.check_lock()
    with atomic_write(folder.file("weights.safetensors")) as temporary:
        temporary.write_bytes(encoded)
