"""The network at finite width, computed efficiently for many seeds at once.

P patterns take two matrix products per step. Q patterns lie on three directions in the plane of z
and ζ, so of a neuron that sees x2 only the first two coordinates matter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softplus

from learnorder.seeding import derive_seed, generator
from learnorder.theory.algorithm import Course, Phase
from learnorder.theory.config import TheoryConfig
from learnorder.theory.distribution import Examples
from learnorder.theory.noise_law import NoiseLaw

_BLOCK_ELEMENTS = 2**21
"""Pre-activations per block and seed, few enough for the CPU cache."""


@dataclass(frozen=True)
class Weights:
    """The trained weights of S seeds.

    Attributes:
        w: (S, m_W, d), the rows that see x1.
        v: (S, m_V, 2), the coordinates along z and ζ/r of the rows that see x2. With shared
            filters, a view of the first two columns of w.
    """

    w: Tensor
    v: Tensor


class FiniteNetwork:
    """Gradient descent with spherical Gaussian noise on S seeds at once.

    It follows the definitions of the paper, section 3; see :class:`AlgorithmConfig`. In separate
    blocks, coordinates of V other than those along z and ζ never affect the output and are left
    out. Each seed has its own generators, so its numbers do not depend on the other seeds, except
    for rounding.

    Args:
        config: The run; its seed is ignored.
        seeds: The seeds.
        examples: The training set of each seed, all of the same size.
        device: Device to compute on.
        split: Also keep the noise part Ũ of the weights.

    Attributes:
        weights: U.
        u_w: (S, m_w), output weights of the part W.
        u_v: (S, m_v), output weights of the part V; those of W in a convolution.
        noise: Ũ, the initial weights and the later noise; None unless ``split``. Ū = U − Ũ.
        time: (S,), η·t of each seed.
        steps: (S,), steps of each seed.
        loss: (S,), logistic loss on the training set.
    """

    def __init__(
        self,
        config: TheoryConfig,
        seeds: Sequence[int],
        examples: Sequence[Examples],
        device: str | torch.device = "cpu",
        *,
        split: bool = False,
    ) -> None:
        network = config.network
        self._config, self._seeds, self._device = config, list(seeds), torch.device(device)
        self._dtype = getattr(torch, network.precision)
        self._convolution = network.kind == "convolution"
        self._tau0 = network.tau0
        self._tau_xi = (
            network.tau0 * NoiseLaw(config.eta1, config.algorithm.weight_decay).xi_variance ** 0.5
        )
        self._load(examples)
        generators = [generator(s, "weights", device=self._device) for s in self._seeds]
        self._copies = len(network.output_signs)
        self.u_w = self._output_weights(network.width_w, generators, half=0)
        if self._convolution and network.shared_output:
            self.u_v = self.u_w
        else:
            width = network.width_w if self._convolution else network.width_v
            self.u_v = self._output_weights(width, generators, half=1)
        self.weights = self._draw(generators, self._tau0)
        self._generators = [generator(s, device=self._device) for s in self._seeds]
        self.noise = Weights(*(t.clone() for t in vars(self.weights).values())) if split else None
        if self.noise is not None and self._convolution:
            self.noise = Weights(self.noise.w, self.noise.w[:, :, :2])
        self.time = torch.zeros(len(self._seeds), dtype=torch.float64)
        self.steps = torch.zeros(len(self._seeds), dtype=torch.float64)

    def _load(self, examples: Sequence[Examples]) -> None:
        """Stack the training sets, examples with x1 first, to keep zero rows out of products."""
        self._r, self._n = examples[0].r, len(examples[0])
        order = [torch.argsort(~e.has_p, stable=True) for e in examples]

        def stacked(name: str) -> Tensor:
            rows = [getattr(e, name)[o] for e, o in zip(examples, order, strict=True)]
            return torch.stack(rows).to(self._device, self._dtype)

        with_p = max(int(e.has_p.sum()) for e in examples)
        self._x1 = stacked("x1")[:, :with_p].contiguous()
        self._norm = self._x1.norm(dim=2)
        self._amplitude, self._b, self._y = stacked("amplitude"), stacked("b"), stacked("y")
        signs = torch.tensor([-1.0, 0.0, 1.0], device=self._device, dtype=self._dtype)
        self._signs = signs * self._r
        self._to_q = (self._b[:, :, None] == signs) * self._amplitude[:, :, None]  # (S, N, 3)

    def _output_weights(self, width: int, generators: list[torch.Generator], half: int) -> Tensor:
        signs = torch.tensor([pair[half] for pair in self._config.network.output_signs])
        if self._copies > 1:
            rows = [signs.repeat_interleave(width // self._copies)] * len(generators)
        else:
            rows = [torch.rand(width, generator=g, device=self._device) for g in generators]
            rows = [torch.where(row < 0.5, -1.0, 1.0) for row in rows]
        return torch.stack(rows).to(self._device, self._dtype) / width**0.5

    def _draw(self, generators: list[torch.Generator], scale: float) -> Weights:
        """Draw Gaussian noise in the shape of the weights."""
        network, d = self._config.network, self._x1.shape[2]
        w = self._normal((network.width_w, d), generators, scale)
        if self._convolution:
            return Weights(w, w[:, :, :2])
        return Weights(w, self._normal((network.width_v, 2), generators, scale))

    def _normal(self, shape: tuple[int, int], rngs: list[torch.Generator], scale: float) -> Tensor:
        rows = shape[0] // self._copies
        out = torch.empty(len(rngs), rows, shape[1], device=self._device, dtype=self._dtype)
        for part, rng in zip(out, rngs, strict=True):
            part.normal_(0, scale, generator=rng)
        return out.repeat(1, self._copies, 1) if self._copies > 1 else out

    def begin(self, phases: Sequence[Phase]) -> None:
        """Compute the losses and gradients of each seed in its phase."""
        self._sigma = self._per_seed([phase.sigma * self._tau0 for phase in phases])
        self.evaluate()

    def advance(self, phases: Sequence[Phase | None]) -> None:
        """Take a step of each seed at its phase's learning rate; None skips a seed."""
        self._sigma = self._per_seed([p.sigma * self._tau0 if p else 0.0 for p in phases])
        eta = [phase.learning_rate if phase else 0.0 for phase in phases]
        generators = self._seeded("noise")
        self.update(eta, self._draw(generators, self._tau_xi) if self._tau_xi > 0 else None)
        self.evaluate()

    def _seeded(self, purpose: str) -> list[torch.Generator]:
        """Return the generators, seeded by purpose, seed and step."""
        for rng, seed, step in zip(self._generators, self._seeds, self.steps, strict=True):
            rng.manual_seed(derive_seed(seed, purpose, int(step)))
        return self._generators

    def update(self, eta: Sequence[float], xi: Weights | None) -> None:
        """Update U ← (1 − ηλ)U − η(∇L̂ + ξ) with the last computed gradient.

        Args:
            eta: Learning rate of each seed, (S,).
            xi: ξ, in the shape of the weights; None for no noise.
        """
        rate = self._per_seed(eta)[:, None, None]
        keep = 1 - rate * self._config.algorithm.weight_decay
        names = ("w",) if self._convolution else ("w", "v")
        for name in names:
            weight, gradient = getattr(self.weights, name), getattr(self._gradient, name)
            weight.mul_(keep).addcmul_(rate, gradient, value=-1)
            if xi is not None:
                weight.addcmul_(rate, getattr(xi, name), value=-1)
            if self.noise is not None:
                part = getattr(self.noise, name).mul_(keep)
                if xi is not None:
                    part.addcmul_(rate, getattr(xi, name), value=-1)
        rates = torch.tensor(list(eta), dtype=torch.float64)
        self.time += rates
        self.steps += rates > 0

    def _per_seed(self, values: Sequence[float]) -> Tensor:
        return torch.tensor(list(values), device=self._device, dtype=self._dtype)

    def evaluate(self) -> None:
        """Compute losses and gradients at the current weights, with the phase's noise."""
        noisy = bool((self._sigma > 0).any())
        f, pull_q = self._noisy_q() if noisy else self._clean_q()
        with_p, m = self._x1.shape[1], self.weights.w.shape[1]
        rows = max(16, _BLOCK_ELEMENTS // m)
        pulled = torch.zeros_like(self.weights.w)
        residual = torch.empty_like(self._y)
        for start in range(0, with_p, rows):
            block = slice(start, min(start + rows, with_p))
            x = self._x1[:, block]
            hidden = torch.bmm(x, self.weights.w.transpose(1, 2))
            if noisy:
                level = self._sigma[:, None] * self._norm[:, block]
                noise = self.draw_noise(f"p{start}", min(rows, self._n - start), m)
                hidden += level[:, :, None] * noise[:, : x.shape[1]]
            hidden.relu_()
            f[:, block] += torch.bmm(hidden, self.u_w[:, :, None])[:, :, 0]
            residual[:, block] = self._residual(f, block)
            active = hidden.sign_()
            pulled.baddbmm_(active.transpose(1, 2), x * residual[:, block, None])
        rest = slice(with_p, None)
        residual[:, rest] = self._residual(f, rest)
        gradient_w = pulled.mul_(self.u_w[:, :, None]).neg_()
        gradient_v = pull_q(residual).mul_(self.u_v[:, :, None]).neg_()
        if self._convolution:
            gradient_w[:, :, :2] += gradient_v
        self._gradient = Weights(gradient_w, gradient_v)
        self.loss = softplus(-self._y * f).double().mean(dim=1).cpu()

    def _residual(self, f: Tensor, block: slice) -> Tensor:
        """−∂ℓ_i/∂f_i / N."""
        y = self._y[:, block]
        return y * torch.sigmoid(-y * f[:, block]) / self._n

    def draw_noise(self, name: str, n: int, m: int) -> Tensor:
        """Return new standard normal noise, (S, n, m), equal for copies of a neuron.

        Args:
            name: Name of the noise; each name has its own random stream.
            n: Number of examples. It must not depend on the other seeds.
            m: Number of neurons.
        """
        noise = torch.empty(
            len(self._seeds), n, m // self._copies, device=self._device, dtype=self._dtype
        )
        for part, rng in zip(noise, self._seeded(f"activations-{name}"), strict=True):
            part.normal_(generator=rng)
        return noise.repeat(1, 1, self._copies) if self._copies > 1 else noise

    def _pre_activations(self, v: Tensor) -> Tensor:
        """⟨V_j, z + bζ⟩ for the three b: (S, m_V, 3)."""
        return v[:, :, :1] + v[:, :, 1:] * self._signs

    def _clean_q(self) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """Return N_V on the training set, (S, N), and a function from residuals to its gradient.

        With S_b the sum of amplitude times residual over the examples of direction b, the gradient
        is Σ_b S_b·1(active on z + bζ)·(1, b·r), (S, m_V, 2), before the output weights.
        """
        hidden = self._pre_activations(self.weights.v)
        g = (hidden.relu() * self.u_v[:, :, None]).sum(dim=1)
        active = (hidden > 0).to(self._dtype)

        def pull(residual: Tensor) -> Tensor:
            by_direction = torch.einsum("sn,snb->sb", residual, self._to_q)
            weighted = active * by_direction[:, None]
            return torch.stack([weighted.sum(2), (weighted * self._signs).sum(2)], dim=2)

        return torch.einsum("snb,sb->sn", self._to_q, g), pull

    def _noisy_q(self) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """Like :meth:`_clean_q`, with independent activation noise for each example."""
        hidden = torch.einsum("snb,smb->snm", self._to_q, self._pre_activations(self.weights.v))
        along = self._b * self._r
        level = self._sigma[:, None] * self._amplitude * (1 + along.square()).sqrt()
        hidden += level[:, :, None] * self.draw_noise("q", self._n, hidden.shape[2])
        active = (hidden > 0).to(self._dtype)

        def pull(residual: Tensor) -> Tensor:
            weight = residual * self._amplitude
            both = torch.stack([weight, weight * along], dim=1)
            return torch.einsum("skn,snm->smk", both, active)

        return torch.einsum("snm,sm->sn", hidden.relu_(), self.u_v), pull

    def on_p(self, x1: Tensor, seed: int = 0) -> Tensor:
        """Return f on P-only examples, (n,), for the seed with index ``seed``, without noise."""
        x1 = x1.to(self._device, self._dtype)
        f = torch.empty(len(x1), device=self._device, dtype=self._dtype)
        rows = max(16, _BLOCK_ELEMENTS // self.weights.w.shape[1])
        for start in range(0, len(x1), rows):
            hidden = x1[start : start + rows] @ self.weights.w[seed].T
            f[start : start + rows] = hidden.relu_() @ self.u_w[seed]
        return f

    def on_q(self, seed: int = 0) -> Tensor:
        """Return g_b, f on the directions z + bζ, b = −1, 0, 1: (3,)."""
        hidden = self._pre_activations(self.weights.v[seed : seed + 1])[0]
        return (hidden.relu_().T @ self.u_v[seed]).double().cpu()

    def signal_on_p(self, x1: Tensor, seed: int = 0) -> Tensor:
        """Return Σ_j u_j·1(⟨Ũ_j, x⟩ > 0)·⟨Ū_j, x⟩ on P patterns, (n,): Ū's output, Ũ's gates."""
        assert self.noise is not None
        x1 = x1.to(self._device, self._dtype)
        noise = self.noise.w[seed]
        signal = x1 @ (self.weights.w[seed] - noise).T
        return (signal * (x1 @ noise.T > 0)) @ self.u_w[seed]

    def signal_on_q(self, seed: int = 0) -> Tensor:
        """Return the same on the directions z + bζ, b = −1, 0, 1: (3,)."""
        assert self.noise is not None
        noise = self._pre_activations(self.noise.v[seed : seed + 1])[0]
        whole = self._pre_activations(self.weights.v[seed : seed + 1])[0]
        return (((whole - noise) * (noise > 0)).T @ self.u_v[seed]).double().cpu()

    def snapshot(self) -> dict[str, Any]:
        """Return the state needed to continue, as tensors."""
        parts = {"weights": self.weights, **({"noise": self.noise} if self.noise else {})}
        tensors = {f"{name}.{k}": t for name, part in parts.items() for k, t in vars(part).items()}
        tensors |= {"time": self.time, "steps": self.steps}
        return {name: tensor.clone() for name, tensor in tensors.items()}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Restore a snapshot."""
        for part, holder in (("weights", self.weights), ("noise", self.noise)):
            for name, tensor in vars(holder).items() if holder is not None else ():
                tensor.copy_(snapshot[f"{part}.{name}"])
        self.time.copy_(snapshot["time"])
        self.steps.copy_(snapshot["steps"])

    def norms(self, seed: int = 0) -> dict[str, float]:
        """Return Frobenius norms of W, of V's two coordinates and, if split, of Ū's parts."""
        norms = {"norm_w": self.weights.w[seed].norm(), "norm_v": self.weights.v[seed].norm()}
        if self.noise is not None:
            norms["signal_norm_w"] = (self.weights.w[seed] - self.noise.w[seed]).norm()
            norms["signal_norm_v"] = (self.weights.v[seed] - self.noise.v[seed]).norm()
        return {name: float(value) for name, value in norms.items()}


def train_seeds(
    network: FiniteNetwork, courses: Sequence[Course], stop: Callable[[], bool] = lambda: False
) -> bool:
    """Train all seeds of a network in lockstep until their courses end.

    Args:
        network: The network.
        courses: One per seed. A seed is no longer trained once its course has ended.
        stop: Called before each step; training stops when it returns true.

    Returns:
        Whether all courses have ended.
    """
    network.begin([course.phase for course in courses])
    while True:
        while _update(network, courses):
            network.begin([course.phase for course in courses])
        if all(course.outcome for course in courses):
            return True
        if stop():
            return False
        network.advance([None if course.outcome else course.phase for course in courses])


def _update(network: FiniteNetwork, courses: Sequence[Course]) -> bool:
    """Update each course with the position of its seed; return whether one entered a new phase."""
    points = zip(network.time.tolist(), network.steps.tolist(), network.loss.tolist(), strict=True)
    entered = False
    for course, point in zip(courses, points, strict=True):
        if course.outcome is None and course.update(*point):
            entered = True
    return entered
