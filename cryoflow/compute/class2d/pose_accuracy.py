"""How small a turn or move of a reference the data could tell apart."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.class2d.e_step.prepare import ctf_values
from cryoflow.compute.class2d.e_step.setup import EStepSetup
from cryoflow.compute.class2d.state import Particles
from cryoflow.compute.image.rotate import rotation_samples, sample
from cryoflow.compute.image.shells import shell_sums

LOG_ODDS = 4.60517
"""Difference of log-likelihood at which one pose is a hundred times as probable as the other."""
TRIALS = 10
SMALLEST_SHARE = 0.01
UNKNOWN = 999.0


class Accuracy(NamedTuple):
    """``(K,)``, ``(K,)`` and ``(K, S)``; see `Model`."""

    psi_deg: Tensor
    offset_px: Tensor
    orientability: Tensor


def _steps(*ranges: tuple[float, float]) -> Tensor:
    """Values that grow by a step until they pass a limit, then by the next step: ``(step, limit), ...``."""
    values = [0.0]
    for step, limit in ranges:
        while values[-1] < limit - 1e-9:
            values.append(values[-1] + step)
    return torch.tensor(values[1:], dtype=torch.float64)


TURNS = _steps((0.05, 0.2), (0.1, 1), (0.2, 2), (0.5, 5), (1, 10), (2, 20), (5, 30))
MOVES = _steps((0.1, 1), (0.2, 2), (0.5, 5), (1, 10))


def pose_accuracy(setup: EStepSetup, particles: Particles) -> Accuracy:
    """Estimate for each class over a few particles' angles, CTFs and noise; unknown for (nearly) empty
    classes."""
    model, shells = setup.model, setup.options.shells
    out = Accuracy(
        torch.full_like(model.share, UNKNOWN), torch.full_like(model.share, UNKNOWN),
        torch.zeros(len(model.share), shells, dtype=torch.float64),
    )  # fmt: skip
    if not setup.options.align:
        return out._replace(psi_deg=torch.zeros_like(model.share), offset_px=torch.zeros_like(model.share))
    good = model.share[setup.classes] >= SMALLEST_SHARE
    trial = setup.data.seed.argsort()[:TRIALS]
    weight = _weights(setup, trial)
    psi = particles.psi_deg[trial]
    turned = _Turned(setup, good, psi, weight)
    place = turned.first_crossing()
    out.psi_deg[setup.classes[good]] = (
        TURNS[place.clamp(max=len(TURNS) - 1)] + 0.1 * (place >= len(TURNS))
    ).mean(1)
    out.orientability[setup.classes[good]] = turned.by_shell(place)
    out.offset_px[setup.classes[good]] = _move_accuracy(setup, turned.still, weight, trial)
    return out


def _weights(setup: EStepSetup, trial: Tensor) -> Tensor:
    """``(trials, P)``: CTF^2 over twice the noise, without the origin."""
    noise = setup.model.noise[setup.data.group[trial]][:, setup.points.shell]
    ctf = ctf_values(trial, setup.data, setup.options, setup.where)
    weight = ctf.square() / (2 * noise)
    weight[:, 0] = 0
    weight[:, setup.e_points :] = 0
    return weight


class _Turned:
    """Log odds between references at the trials' angles and turned a little further."""

    def __init__(self, setup: EStepSetup, good: Tensor, psi: Tensor, weight: Tensor) -> None:
        self.setup, self.psi, self.weight = setup, psi, weight
        self.transform = setup.transform._replace(values=setup.transform.values[good])
        self.still = self._turned(psi.expand(len(self.transform.values), -1))

    def _turned(self, psi: Tensor) -> Tensor:
        """References at an angle for each class and trial: ``(K', trials, P)``."""
        points = self.setup.points
        samples = rotation_samples(self.transform.box, psi.flatten(), points.y, points.x)
        out = torch.empty(*psi.shape, len(points.x), dtype=torch.complex128)
        for k in range(len(psi)):
            mine = slice(k * psi.shape[1], (k + 1) * psi.shape[1])
            one = self.transform._replace(values=self.transform.values[k : k + 1])
            here = samples._replace(position=samples.position[mine], weight=samples.weight[mine])
            out[k] = sample(one, here)[0]
        return out

    def odds(self, place: Tensor) -> Tensor:
        """Log odds by point, ``(K', trials, P)``, for one of the turns for each class and trial."""
        other = self._turned(self.psi + TURNS[place])
        return (other - self.still).abs().square() * self.weight

    def first_crossing(self) -> Tensor:
        """Index of the smallest turn that can be told apart, by bisection; the number of turns if none
        can."""
        low = torch.zeros(self.still.shape[:2], dtype=torch.int64)
        high = torch.full_like(low, len(TURNS))
        while bool((low < high).any()):
            middle = (low + high) // 2
            told = self.odds(middle.clamp(max=len(TURNS) - 1)).sum(-1) > LOG_ODDS
            high = torch.where(told & (low < high), middle, high)
            low = torch.where(~told & (low < high), middle + 1, low)
        return low

    def by_shell(self, place: Tensor) -> Tensor:
        """Share of each shell in the log odds, ``(K', S)``; zeros where no turn can be told apart."""
        told = place < len(TURNS)
        odds = (self.odds(place.clamp(max=len(TURNS) - 1)) * told[..., None]).sum(1)
        out = shell_sums(odds, self.setup.points.shell, self.setup.options.shells)
        return out / out.sum(1, keepdim=True).clamp_min(1e-300)


def _move_accuracy(setup: EStepSetup, still: Tensor, weight: Tensor, trial: Tensor) -> Tensor:
    """The same for moves along x or along y (by a bit of each trial's seed)."""
    axis = torch.where((setup.data.seed[trial] & 1).bool()[:, None], setup.points.x, setup.points.y)
    angle = 2 * torch.pi / setup.options.box * axis[..., None] * MOVES  # (trials, P, moves)
    power = still.abs().square() * weight
    told = torch.einsum("ktp,tpm->ktm", power, 2 - 2 * torch.cos(angle)) > LOG_ODDS
    told = torch.cat((told, torch.ones_like(told[..., :1])), -1)
    values = torch.cat((MOVES, MOVES[-1:] + 0.1))
    return values[told.byte().argmax(-1)].mean(1)
