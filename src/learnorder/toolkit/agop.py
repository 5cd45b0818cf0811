"""The average gradient outer product (AGOP): which directions of the input a model depends on."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from learnorder.errors import ConfigError


def average_gradient_outer_product(model: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
    """Return the average gradient outer product of a model, float64 [D, D] on the CPU.

    With the Jacobian J_n [C, D] of the C outputs for an example in its D values,

        G = (1/N) Σ_n J_nᵀ J_n,

    which is symmetric and positive semidefinite. Its trace is the mean of ‖J_n‖² (Radhakrishnan
    et al., *Mechanism for Feature Learning in Neural Networks and Backpropagation-Free Machine
    Learning Models*, Science 383, 2024). .grad is not modified.

    Args:
        model: The model, or a function of its inputs. Set its mode before the call: it is assumed
            that no example affects the outputs for another, as in evaluation mode.
        inputs: Floating-point examples [N, ...], of D values each. C gradients are computed.

    Raises:
        ConfigError: The inputs are no floating-point examples, the outputs are not [N] or [N, C] or
            do not depend on the inputs, or a gradient is not finite.

    >>> model = torch.nn.Linear(2, 1, bias=False)
    >>> _ = model.weight.data.copy_(torch.tensor([[3.0, 1.0]]))
    >>> average_gradient_outer_product(model, torch.randn(5, 2))
    tensor([[9., 3.],
            [3., 1.]], dtype=torch.float64)
    """
    if not inputs.is_floating_point() or inputs.dim() < 2 or not inputs.numel():
        given = f"{inputs.dtype} {list(inputs.shape)}"
        raise ConfigError("inputs", given, "Give floating-point examples [N, ...].")
    count = len(inputs)
    with torch.enable_grad():
        leaf = inputs.detach().clone().requires_grad_()
        outputs = model(leaf)
        columns = _columns(outputs, count)
        product = torch.zeros(leaf[0].numel(), leaf[0].numel(), dtype=torch.float64)
        for column in columns:
            (gradient,) = torch.autograd.grad(
                column.sum(), leaf, retain_graph=True, materialize_grads=True
            )
            rows = gradient.flatten(1).to("cpu", torch.float64)
            product += rows.T @ rows
    if not product.isfinite().all():
        raise ConfigError("model", "gradients that are not finite", "Has the model diverged?")
    return product / count


def _columns(outputs: object, count: int) -> tuple[Tensor, ...]:
    """Return the outputs for each class or target, [N] each."""
    if not isinstance(outputs, Tensor) or outputs.dim() > 2 or outputs.shape[:1] != (count,):
        given = list(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise ConfigError("model", given, f"Its outputs must be [{count}] or [{count}, C].")
    if not outputs.requires_grad:
        raise ConfigError(
            "model", list(outputs.shape), "Its outputs do not depend on the inputs: they have no "
            "gradient. Compute them without torch.no_grad, .detach() or argmax.",
        )  # fmt: skip
    return outputs.reshape(count, -1).unbind(1)


def agop_alignment(first: Tensor, second: Tensor) -> float:
    """Return the cosine of two average gradient outer products, ⟨A, B⟩ / (‖A‖ ‖B‖).

    The product and the norms are Frobenius's: ⟨A, B⟩ = tr(Aᵀ B). It is in [0, 1] for positive
    semidefinite matrices: 1 if one is a multiple of the other, and 0 if the models depend on
    orthogonal directions. Zhu et al. (*Catapults in SGD: Spikes in the Training Loss and Their
    Impact on Generalization through Feature Learning*, ICML 2024) compare a trained model with the
    true predictor in this way.

    Args:
        first: A, [D, D].
        second: B, [D, D].

    Raises:
        ConfigError: The shapes differ or are not [D, D], or a matrix is 0 or not finite.

    >>> agop_alignment(torch.eye(2), torch.diag(torch.tensor([3.0, 4.0])))  # 7 / (√2 · 5)
    0.98994...
    """
    a, b = (each.detach().to("cpu", torch.float64) for each in (first, second))
    if a.dim() != 2 or a.shape[0] != a.shape[1] or a.shape != b.shape:
        shapes = [list(a.shape), list(b.shape)]
        raise ConfigError("first, second", shapes, "Give two matrices [D, D] of the same size.")
    norms = [float(each.norm()) for each in (a, b)]
    if not all(0 < norm < float("inf") for norm in norms):
        raise ConfigError(
            "first, second",
            norms,
            "A matrix whose norm is 0 or not finite has no direction. Does the model depend on its "
            "inputs, and has it not diverged?",
        )
    return float((a / norms[0] * (b / norms[1])).sum())
