"""Networks wrapped by torch.compile: remove the wrapper, keep the compiled call."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


def without_wrappers(model: nn.Module) -> nn.Module:
    """Return a network whose module and weight names have no ``_orig_mod.``, still compiled.

    ``torch.compile(net)`` returns a wrapper that adds this prefix to every name. Here the network
    is compiled in place instead, as by ``net.compile()``, with the same options.
    """
    if "torch._dynamo" not in sys.modules:  # nothing is compiled
        return model
    if _is_wrapper(model):
        return _bare(model)
    for module in list(model.modules()):
        for name, child in module.named_children():
            if _is_wrapper(child):
                setattr(module, name, _bare(child))
    return model


@contextmanager
def run_uncompiled() -> Iterator[None]:
    """Run compiled code uncompiled within a ``with`` block: it has no second derivative."""
    if "torch._dynamo" not in sys.modules:
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


def _is_wrapper(module: nn.Module) -> bool:
    from torch._dynamo import OptimizedModule

    return isinstance(module, OptimizedModule)


def _bare(wrapper: Any) -> nn.Module:
    from torch._dynamo.external_utils import wrap_inline

    network = without_wrappers(wrapper._orig_mod)
    # wrap_inline adds a frame, as torch.compile skips the frames of torch.nn.
    network._compiled_call_impl = wrapper.dynamo_ctx(wrap_inline(network._call_impl))
    return network
