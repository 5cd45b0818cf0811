"""The network itself, at finite width, without waste, and many seeds at once.

P patterns take two matrix products a step. Q patterns lie on three directions, on which relu is
homogeneous, so a neuron that sees x2 matters through its first two coordinates alone.
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
"""Pre-activations of a seed computed at once: few enough to stay in a processor's cache."""


@dataclass(frozen=True)
class Weights:
    """The trained weights of S seeds.

    Attributes:
        w: (S, m_W, d), the rows that see x1.
        v: (S, m_V, 2), the coordinates of the rows that see x2 along z and ζ/r; the first two
            columns of w where filters are shared.
    """

    w: Tensor
    v: Tensor


class FiniteNetwork:
    """Gradient descent with spherical Gaussian noise on S seeds at once.

    All of it is as defined in the paper, section 3; see :class:`AlgorithmConfig`. In separate
    blocks the coordinates of V other than along z and ζ never touch the output and are left out.
    Each seed draws from generators of its own, so its numbers do not depend, but for rounding, on
    the seeds beside it.

    Args:
        config: The run; its seed is not looked at.
        seeds: The seeds.
        examples: Their training sets, of one size.
        device: Where to compute.
        split: Keep the noise part Ũ of the weights too.

    Attributes:
        weights: U.
        noise: Ũ, the initial weights and the noise since; None unless ``split``. Ū = U − Ũ.
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
        draw = [generator(s, "weights", device=self._device) for s in self._seeds]
        self._copies = len(network.output_signs)
        self._u_w = self._output_weights(network.width_w, draw, half=0)
        if self._convolution and network.shared_output:
            self._u_v = self._u_w
        else:
            width = network.width_w if self._convolution else network.width_v
            self._u_v = self._output_weights(width, draw, half=1)
        self.weights = self._draw(draw, self._tau0)
        self._generators = [generator(s, device=self._device) for s in self._seeds]
        self.noise = Weights(*(t.clone() for t in vars(self.weights).values())) if split else None
        if self.noise is not None and self._convolution:
            self.noise = Weights(self.noise.w, self.noise.w[:, :, :2])
        self.time = torch.zeros(len(self._seeds), dtype=torch.float64)
        self.steps = torch.zeros(len(self._seeds), dtype=torch.float64)

    def _load(self, examples: Sequence[Examples]) -> None:
        """Stack the training sets, those with x1 first, so that no product has needless rows."""
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

    def _output_weights(self, width: int, draw: list[torch.Generator], half: int) -> Tensor:
        signs = torch.tensor([pair[half] for pair in self._config.network.output_signs])
        if self._copies > 1:
            rows = [signs.repeat_interleave(width // self._copies)] * len(draw)
        else:
            rows = [torch.rand(width, generator=g, device=self._device) for g in draw]
            rows = [torch.where(row < 0.5, -1.0, 1.0) for row in rows]
        return torch.stack(rows).to(self._device, self._dtype) / width**0.5

    def _draw(self, draws: list[torch.Generator], scale: float) -> Weights:
        """Draw Gaussian noise in the shape of the weights."""
        network, d = self._config.network, self._x1.shape[2]
        w = self._normal((network.width_w, d), draws, scale)
        if self._convolution:
            return Weights(w, w[:, :, :2])
        return Weights(w, self._normal((network.width_v, 2), draws, scale))

    def _normal(self, shape: tuple[int, int], draws: list[torch.Generator], scale: float) -> Tensor:
        rows = shape[0] // self._copies
        out = torch.empty(len(draws), rows, shape[1], device=self._device, dtype=self._dtype)
        for part, draw in zip(out, draws, strict=True):
            part.normal_(0, scale, generator=draw)
        return out.repeat(1, self._copies, 1) if self._copies > 1 else out

    def begin(self, chosen: Sequence[Phase]) -> None:
        """Compute losses and gradients for the phase that each seed enters or is in."""
        self._sigma = self._per_seed([phase.sigma * self._tau0 for phase in chosen])
        self._look()

    def advance(self, chosen: Sequence[Phase | None]) -> None:
        """Take a step with each seed at its phase's learning rate; None leaves a seed alone."""
        self._sigma = self._per_seed([p.sigma * self._tau0 if p else 0.0 for p in chosen])
        eta = [phase.learning_rate if phase else 0.0 for phase in chosen]
        draws = self._draws("noise")
        self.update(eta, self._draw(draws, self._tau_xi) if self._tau_xi > 0 else None)
        self._look()

    def _draws(self, purpose: str) -> list[torch.Generator]:
        """Return generators that depend on the seeds and their steps alone."""
        for own, seed, step in zip(self._generators, self._seeds, self.steps, strict=True):
            own.manual_seed(derive_seed(seed, purpose, int(step)))
        return self._generators

    def update(self, eta: Sequence[float], xi: Weights | None) -> None:
        """Take U ← (1 − ηλ)U − η(∇L̂ + ξ) with the gradient last computed.

        Args:
            eta: The learning rate of each seed.
            xi: ξ, in the shape of the weights; None is no noise.
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

    def _look(self) -> None:
        """Compute losses and gradients at the weights as they are, with the phase's noise."""
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
                hidden += level[:, :, None] * self._fresh(f"p{start}", rows, m)[:, : x.shape[1]]
            hidden.relu_()
            f[:, block] += torch.bmm(hidden, self._u_w[:, :, None])[:, :, 0]
            residual[:, block] = self._residual(f, block)
            active = hidden.sign_()
            pulled.baddbmm_(active.transpose(1, 2), x * residual[:, block, None])
        rest = slice(with_p, None)
        residual[:, rest] = self._residual(f, rest)
        gradient_w = pulled.mul_(self._u_w[:, :, None]).neg_()
        gradient_v = pull_q(residual).mul_(self._u_v[:, :, None]).neg_()
        if self._convolution:
            gradient_w[:, :, :2] += gradient_v
        self._gradient = Weights(gradient_w, gradient_v)
        self.loss = softplus(-self._y * f).double().mean(dim=1).cpu()

    def _residual(self, f: Tensor, block: slice) -> Tensor:
        """−∂ℓ_i/∂f_i / N."""
        y = self._y[:, block]
        return y * torch.sigmoid(-y * f[:, block]) / self._n

    def _fresh(self, place: str, n: int, m: int) -> Tensor:
        """Return noise before activations, (S, n, m), alike for copies of a neuron.

        Args:
            place: What the noise is for: each place has generators of its own.
            n: Examples, a number that does not depend on the seeds beside one's own.
            m: Neurons.
        """
        fresh = torch.empty(
            len(self._seeds), n, m // self._copies, device=self._device, dtype=self._dtype
        )
        for part, draw in zip(fresh, self._draws(f"activations-{place}"), strict=True):
            part.normal_(generator=draw)
        return fresh.repeat(1, 1, self._copies) if self._copies > 1 else fresh

    def _pre_activations(self, v: Tensor) -> Tensor:
        """⟨V_j, z + bζ⟩ for the three b: (S, m_V, 3)."""
        return v[:, :, :1] + v[:, :, 1:] * self._signs

    def _clean_q(self) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """Return N_V on the training set, (S, N), and how a residual (S, N) pulls on V.

        With S_b the sum over examples of direction b of amplitude times residual, it pulls by
        Σ_b S_b·1(active on z + bζ)·(1, b·r), (S, m_V, 2), before the output weights.
        """
        hidden = self._pre_activations(self.weights.v)
        g = (hidden.relu() * self._u_v[:, :, None]).sum(dim=1)
        active = (hidden > 0).to(self._dtype)

        def pull(residual: Tensor) -> Tensor:
            by_direction = torch.einsum("sn,snb->sb", residual, self._to_q)
            weighted = active * by_direction[:, None]
            return torch.stack([weighted.sum(2), (weighted * self._signs).sum(2)], dim=2)

        return torch.einsum("snb,sb->sn", self._to_q, g), pull

    def _noisy_q(self) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """As :meth:`_clean_q`, with noise of its own before each example's activations."""
        hidden = torch.einsum("snb,smb->snm", self._to_q, self._pre_activations(self.weights.v))
        along = self._b * self._r
        level = self._sigma[:, None] * self._amplitude * (1 + along.square()).sqrt()
        hidden += level[:, :, None] * self._fresh("q", self._n, hidden.shape[2])
        active = (hidden > 0).to(self._dtype)

        def pull(residual: Tensor) -> Tensor:
            weight = residual * self._amplitude
            both = torch.stack([weight, weight * along], dim=1)
            return torch.einsum("skn,snm->smk", both, active)

        return torch.einsum("snm,sm->sn", hidden.relu_(), self._u_v), pull

    def on_p(self, x1: Tensor, seed: int = 0) -> Tensor:
        """Return f on P patterns alone, (n,), for the seed at this place, without noise."""
        x1 = x1.to(self._device, self._dtype)
        f = torch.empty(len(x1), device=self._device, dtype=self._dtype)
        rows = max(16, _BLOCK_ELEMENTS // self.weights.w.shape[1])
        for start in range(0, len(x1), rows):
            hidden = x1[start : start + rows] @ self.weights.w[seed].T
            f[start : start + rows] = hidden.relu_() @ self._u_w[seed]
        return f

    def on_q(self, seed: int = 0) -> Tensor:
        """Return g_b, f on the directions z + bζ, b = −1, 0, 1: (3,)."""
        hidden = self._pre_activations(self.weights.v[seed : seed + 1])[0]
        return (hidden.relu_().T @ self._u_v[seed]).double().cpu()

    def signal_on_p(self, x1: Tensor, seed: int = 0) -> Tensor:
        """Return Σ_j u_j·1(⟨Ũ_j, x⟩ > 0)·⟨Ū_j, x⟩ on P patterns: Ũ's pattern, Ū's output."""
        assert self.noise is not None
        x1 = x1.to(self._device, self._dtype)
        noise = self.noise.w[seed]
        signal = x1 @ (self.weights.w[seed] - noise).T
        return (signal * (x1 @ noise.T > 0)) @ self._u_w[seed]

    def signal_on_q(self, seed: int = 0) -> Tensor:
        """Return the same on the directions z + bζ, b = −1, 0, 1: (3,)."""
        assert self.noise is not None
        noise = self._pre_activations(self.noise.v[seed : seed + 1])[0]
        whole = self._pre_activations(self.weights.v[seed : seed + 1])[0]
        return (((whole - noise) * (noise > 0)).T @ self._u_v[seed]).double().cpu()

    def snapshot(self) -> dict[str, Any]:
        """Return all that continuing needs, as tensors."""
        parts = {"weights": self.weights, **({"noise": self.noise} if self.noise else {})}
        tensors = {f"{name}.{k}": t for name, part in parts.items() for k, t in vars(part).items()}
        tensors |= {"time": self.time, "steps": self.steps}
        return {name: tensor.clone() for name, tensor in tensors.items()}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go back to a snapshot."""
        for part, holder in (("weights", self.weights), ("noise", self.noise)):
            for name, tensor in vars(holder).items() if holder is not None else ():
                tensor.copy_(snapshot[f"{part}.{name}"])
        self.time.copy_(snapshot["time"])
        self.steps.copy_(snapshot["steps"])

    def norms(self, seed: int = 0) -> dict[str, float]:
        """Return Frobenius norms of W, of V's two coordinates and, where split, of Ū's parts."""
        found = {"norm_w": self.weights.w[seed].norm(), "norm_v": self.weights.v[seed].norm()}
        if self.noise is not None:
            found["signal_norm_w"] = (self.weights.w[seed] - self.noise.w[seed]).norm()
            found["signal_norm_v"] = (self.weights.v[seed] - self.noise.v[seed]).norm()
        return {name: float(value) for name, value in found.items()}


def train_seeds(
    network: FiniteNetwork, courses: Sequence[Course], stop: Callable[[], bool] = lambda: False
) -> bool:
    """Run all seeds of a network through their courses, in step with each other.

    Args:
        network: The network.
        courses: One for each seed; a seed whose course has ended is left as it is.
        stop: Called after each step; true leaves the loop.

    Returns:
        Whether all courses came to their end.
    """
    network.begin([course.phase for course in courses])
    while True:
        while _look(network, courses):
            network.begin([course.phase for course in courses])
        if all(course.outcome for course in courses):
            return True
        if stop():
            return False
        network.advance([None if course.outcome else course.phase for course in courses])


def _look(network: FiniteNetwork, courses: Sequence[Course]) -> bool:
    """Show each course where its seed is; return whether one entered a new phase."""
    points = zip(network.time.tolist(), network.steps.tolist(), network.loss.tolist(), strict=True)
    entered = False
    for course, point in zip(courses, points, strict=True):
        if course.outcome is None and course.look(*point):
            entered = True
    return entered
