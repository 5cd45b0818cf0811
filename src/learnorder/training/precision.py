"""Which precisions the device of this process can train in."""

from __future__ import annotations

import torch
from accelerate.utils import is_bf16_available

from learnorder.errors import ConfigError


def check_precision(precision: str) -> None:
    """Check that a single run can be trained in a precision.

    Raises:
        ConfigError: It is bf16 and the device has none; it is auto; or the call is made within
            ``torch.autocast``, which keeps weights in bf16 that training changes in float32.
    """
    if any(map(torch.is_autocast_enabled, {"cpu", device_type()})):
        raise ConfigError(
            "training.precision",
            precision,
            "Runs cannot be made within torch.autocast, which would keep their initial weights. "
            "Call this outside of it; training.precision bf16 trains with autocast.",
        )
    if precision == "auto":
        raise ConfigError(
            "training.precision",
            precision,
            "auto is decided once for all runs of an experiment, so it cannot be one value of a "
            "grid or the setting of a single run within it. Give fp32 or bf16.",
        )
    if precision == "bf16" and (why := why_no_bf16()):
        raise ConfigError("training.precision", precision, f"{why} Give fp32.")


def why_no_bf16() -> str:
    """Return why the device cannot train in bf16, as a sentence; empty if it can.

    Every CPU can, although it is slower on those without instructions for bf16. A GPU that only
    emulates bf16 cannot.
    """
    kind = device_type()
    if kind == "cpu":
        return ""
    if kind == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        return f"The GPU, {torch.cuda.get_device_name()}, has no arithmetic in bf16."
    if not is_bf16_available(ignore_tpu=True):
        return f"The device, {kind}, has no bf16 with this system and this version of torch."
    return ""


def device_type() -> str:
    """Return the type of the device that runs are trained on, e.g. cuda."""
    device = torch.accelerator.current_accelerator(check_available=True)
    return "cpu" if device is None else device.type
