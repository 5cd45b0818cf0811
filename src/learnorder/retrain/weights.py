"""The final weights of a finished run."""

from __future__ import annotations

from typing import Any

from torch import nn

from learnorder.errors import RunFolderError, one_line
from learnorder.runs.folder import WEIGHTS, RunFolder


def load_weights(folder: RunFolder[Any], network: nn.Module, name: str) -> None:
    """Load a run's final weights into its network.

    Args:
        folder: The run.
        network: Its network.
        name: Name of the network, for errors.

    Raises:
        RunFolderError: They are missing, damaged, or those of another network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    weights = folder.read(WEIGHTS)
    try:
        network.load_state_dict(load(weights))
    except (RuntimeError, SafetensorError) as error:
        raise RunFolderError(
            f"{folder.file(WEIGHTS)}: not the weights of {name} ({one_line(error)}). Move the "
            "run's folder away and run it again."
        ) from error
