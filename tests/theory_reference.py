"""Slow and obvious: the networks by autograd, and the limit as the sum over all steps."""

import math

import torch
from torch.nn.functional import softplus

from learnorder.theory.config import TheoryConfig
from learnorder.theory.distribution import Examples


class DenseNetwork:
    """The two-layer network of one seed with full rows, its gradients by autograd, float64.

    In separate blocks, U is one (m_W + m_V) × 2d matrix with zeros where a row does not look.
    """

    def __init__(self, config, examples: Examples, w, v, u_w, u_v):
        self.config, self.e = config, examples
        self.x = torch.cat([examples.x1, examples.x2()], dim=1)
        self.convolution = config.network.kind == "convolution"
        d = examples.x1.shape[1]
        if self.convolution:
            self.u, self.u_v, self.U = u_w, u_v, w.clone()
        else:
            self.u = torch.cat([u_w, u_v])
            self.U = torch.zeros(len(w) + len(v), 2 * d, dtype=torch.float64)
            self.U[: len(w), :d], self.U[len(w) :, d:] = w, v
            self.mask = torch.zeros_like(self.U)
            self.mask[: len(w), :d], self.mask[len(w) :, d:] = 1, 1
        self.noise = self.U.clone()

    def forward(self, x, level1=None, level2=None):
        """f, with noise added before the activations where it is given."""
        d = x.shape[1] // 2
        if self.convolution:
            first, second = x[:, :d] @ self.U.T, x[:, d:] @ self.U.T
            if level1 is not None:
                first, second = first + level1, second + level2
            return first.relu() @ self.u + second.relu() @ self.u_v
        hidden = x @ (self.U * self.mask).T
        if level1 is not None:
            hidden = hidden + torch.cat([level1, level2], dim=1)
        return hidden.relu() @ self.u

    def step(self, eta, xi, level1=None, level2=None):
        self.U.requires_grad_()
        loss = softplus(-self.e.y * self.forward(self.x, level1, level2)).mean()
        (gradient,) = torch.autograd.grad(loss, self.U)
        keep = 1 - eta * self.config.algorithm.weight_decay
        with torch.no_grad():
            xi = xi if self.convolution else xi * self.mask
            self.noise = keep * self.noise - eta * xi
            self.U = keep * self.U - eta * (gradient + xi)
        return float(loss.detach())


def direct_limit(config: TheoryConfig, e: Examples, schedule, *, kept=True):
    """Return f on the training set and g after each step: the sum over all earlier steps.

    ``schedule`` has (η, σ) for each step. Between different P patterns
    A(c) is cut after the power 1, as in the fast code; after the constant where not ``kept``.
    Across the halves it is cut after the power 3.
    """
    lam = config.algorithm.weight_decay
    shrink = config.algorithm.eta1 * lam
    xi_variance = shrink * (2 - shrink) / config.algorithm.eta1**2
    n, shared = len(e), config.network.kind == "convolution" and config.network.shared_output
    v = torch.zeros(3, e.x1.shape[1], dtype=torch.float64)
    v[:, 0], v[:, 1] = 1, e.r * torch.tensor([-1.0, 0.0, 1.0])
    pieces = torch.cat([e.x1, v])  # N patterns P, then Q's three directions
    dot = pieces @ pieces.T
    norm = pieces.norm(dim=1).clamp(min=1e-300)
    cos = (dot / norm[:, None] / norm).clamp(-1, 1)
    is_q = torch.arange(n + 3) >= n
    whole = torch.eye(n + 3, dtype=torch.bool) | (is_q[:, None] & is_q)
    across = is_q[:, None] ^ is_q
    of = torch.zeros(n, n + 3, dtype=torch.float64)  # how an example is made of pieces
    of[range(n), range(n)] = e.has_p.double()
    of[range(n), n + 1 + e.b.long()] += e.amplitude

    def kernel(rho):
        c = rho * cos
        a = 0.25 + torch.where(whole, c.asin(), c * kept) / (2 * math.pi)
        a[across] = (0.25 + (c + c**3 / 6) / (2 * math.pi))[across]
        return dot * torch.where(across, a * shared, a)

    taus, gains, sources, past = [1.0], [1.0], [], []
    for t, (eta, sigma) in enumerate(schedule):
        f = torch.zeros(n, dtype=torch.float64)
        gate_t = 1 / math.sqrt(1 + sigma**2 / taus[t])
        for s, source in enumerate(sources):
            eta_s, gate_s, a_s = source
            rho = gains[t] / gains[s] * math.sqrt(taus[s] / taus[t]) * gate_s * gate_t
            weight = eta_s * gains[t] / gains[s + 1]
            f += weight * (of @ kernel(rho) @ (of.T @ a_s))
        a = e.y * torch.sigmoid(-e.y * f) / n
        sources.append((eta, gate_t, a))
        keep = 1 - eta * lam
        taus.append(keep**2 * taus[t] + eta**2 * xi_variance)
        gains.append(gains[t] * keep)
        clean = torch.zeros(n + 3, dtype=torch.float64)
        for s, (eta_s, gate_s, a_s) in enumerate(sources):
            rho = gains[t + 1] / gains[s] * math.sqrt(taus[s] / taus[t + 1]) * gate_s
            clean += eta_s * gains[t + 1] / gains[s + 1] * (kernel(rho) @ (of.T @ a_s))
        past.append((of @ clean, clean[n:]))
    return past
