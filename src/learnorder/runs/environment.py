"""The software and hardware of a run."""

from __future__ import annotations

import functools
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


@functools.cache
def environment() -> dict[str, str | int]:
    """Return versions, processor and system, for manifests and reports."""
    packages = {}
    for name in ("learnorder", "torch", "accelerate", "numpy"):
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = "not installed"
    return {
        **packages,
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        **_accelerator(),
    }


def _accelerator() -> dict[str, str]:
    """Return the name of the accelerator, if there is one."""
    import torch

    if torch.cuda.is_available():
        return {"accelerator": torch.cuda.get_device_name()}
    device = torch.accelerator.current_accelerator(check_available=True)
    return {} if device is None else {"accelerator": device.type}


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
