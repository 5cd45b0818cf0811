"""Checkpoints, from which a run continues; a crash costs an epoch, or a second of short ones.

A checkpoint is a line with a digest of the rest, then tensors and plain values in torch's format.
Loading one runs no code and detects a changed bit. It includes a digest of its configuration. The
previous checkpoint is kept, and is used if the newest is damaged.
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
    """Write a run's state, and keep the previous one.

    Raises:
        RunFolderError: The disk is full or the folder cannot be written to; existing checkpoints
            remain.
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
            file.write(_HEADER + digest(payload) + b"\n")
            file.write(payload)
        folder.check_lock()  # writing may have taken a long time
        _keep(newest, previous)


def _keep(newest: Path, previous: Path) -> None:
    """Make ``previous`` a copy of ``newest``; at every moment one of the two is valid."""
    if not newest.exists():
        return
    previous.unlink(missing_ok=True)
    try:
        previous.hardlink_to(newest)
    except OSError:  # the file system has no hard links
        shutil.copyfile(newest, previous)


def load_checkpoint(folder: RunFolder[Any]) -> dict[str, Any] | None:
    """Return a run's newest usable state, or None if there is no checkpoint.

    Raises:
        RunFolderError: All checkpoints are damaged, of another configuration, or contain more than
            tensors and plain values.
    """
    paths = [path for name in _NAMES if (path := folder.file(name)).exists()]
    problems: list[RunFolderError] = []
    for path in paths:
        try:
            state = _read(path, _config_digest(folder))
        except RunFolderError as error:
            problems.append(error)
            continue
        if problems:
            logging.getLogger(__name__).warning("%s Continuing from %s.", problems[0], path.name)
        return state
    if problems:
        raise problems[0]
    return None


def remove_checkpoints(folder: RunFolder[Any]) -> None:
    """Remove the checkpoints of a run that has ended."""
    for name in _NAMES:
        folder.file(name).unlink(missing_ok=True)


def _read(path: Path, config: str) -> dict[str, Any]:
    import torch

    try:
        header, _, payload = path.read_bytes().partition(b"\n")
        if header != _HEADER + digest(payload):
            raise ValueError("its content does not match its digest")
        checkpoint = torch.load(io.BytesIO(payload), weights_only=True, map_location="cpu")
        if checkpoint["config"] != config:
            raise ValueError("it is of another configuration")
        return checkpoint["state"]
    except (
        pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError,
    ) as error:  # fmt: skip
        raise RunFolderError(
            f"{path}: not a usable checkpoint ({one_line(error)}). Remove the file; the run then "
            "starts again from its seed, with the same numbers."
        ) from error


def digest(payload: bytes | memoryview) -> bytes:
    """Return the BLAKE2b digest of a checkpoint, in hexadecimal."""
    return hashlib.blake2b(payload, digest_size=16).hexdigest().encode()


def _config_digest(folder: RunFolder[Any]) -> str:
    """Return a digest of the run's configuration, as it was written when the run was created.

    It lacks the settings that later versions add, so their checkpoints and earlier ones have the
    same digest.
    """
    text = json.dumps(folder.opened["config"], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def encode_weights(weights: dict[str, Any]) -> bytes:
    """Return weights as safetensors; each name of tied weights gets a copy."""
    from safetensors.torch import save
    from torch import Tensor

    tensors = {name: value for name, value in weights.items() if isinstance(value, Tensor)}
    return save({name: tensor.clone().contiguous() for name, tensor in tensors.items()})


def save_weights(folder: RunFolder[Any], weights: dict[str, Any]) -> None:
    """Write final weights to weights.safetensors; see :func:`encode_weights`."""
    if folder.read_only:
        return
    encoded = encode_weights(weights)
    folder.check_lock()
    with atomic_write(folder.file("weights.safetensors")) as temporary:
        temporary.write_bytes(encoded)
