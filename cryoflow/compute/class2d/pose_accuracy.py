"""The smallest rotation and shift of a reference that the data could distinguish."""

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


ROTATIONS = _steps((0.05, 0.2), (0.1, 1), (0.2, 2), (0.5, 5), (1, 10), (2, 20), (5, 30))
SHIFTS = _steps((0.1, 1), (0.2, 2), (0.5, 5), (1, 10))


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
    rotated = _Rotated(setup, good, psi, weight)
    place = rotated.first_crossing()
    out.psi_deg[setup.classes[good]] = (
        ROTATIONS[place.clamp(max=len(ROTATIONS) - 1)] + 0.1 * (place >= len(ROTATIONS))
    ).mean(1)
    out.orientability[setup.classes[good]] = rotated.by_shell(place)
    out.offset_px[setup.classes[good]] = _shift_accuracy(setup, rotated.still, weight, trial)
    return out


def _weights(setup: EStepSetup, trial: Tensor) -> Tensor:
    """``(trials, P)``: CTF^2 over twice the noise, without the origin."""
    noise = setup.model.noise[setup.data.group[trial]][:, setup.points.shell]
    ctf = ctf_values(trial, setup.data, setup.options, setup.where)
    weight = ctf.square() / (2 * noise)
    weight[:, 0] = 0
    weight[:, setup.e_points :] = 0
    return weight


class _Rotated:
    """Log odds between references at the trials' angles and rotated a little further."""

    def __init__(self, setup: EStepSetup, good: Tensor, psi: Tensor, weight: Tensor) -> None:
        self.setup, self.psi, self.weight = setup, psi, weight
        self.transform = setup.transform._replace(values=setup.transform.values[good])
        self.still = self._rotated(psi.expand(len(self.transform.values), -1))

    def _rotated(self, psi: Tensor) -> Tensor:
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
        """Log odds by point, ``(K', trials, P)``, for one of the rotations for each class and trial."""
        other = self._rotated(self.psi + ROTATIONS[place])
        return (other - self.still).abs().square() * self.weight

    def first_crossing(self) -> Tensor:
        """Index of the smallest rotation that can be distinguished, by bisection; the number of
        rotations if none can."""
        low = torch.zeros(self.still.shape[:2], dtype=torch.int64)
        high = torch.full_like(low, len(ROTATIONS))
        while bool((low < high).any()):
            middle = (low + high) // 2
            distinct = self.odds(middle.clamp(max=len(ROTATIONS) - 1)).sum(-1) > LOG_ODDS
            high = torch.where(distinct & (low < high), middle, high)
            low = torch.where(~distinct & (low < high), middle + 1, low)
        return low

    def by_shell(self, place: Tensor) -> Tensor:
        """Share of each shell in the log odds, ``(K', S)``; zeros where no rotation can be distinguished."""
        distinct = place < len(ROTATIONS)
        odds = (self.odds(place.clamp(max=len(ROTATIONS) - 1)) * distinct[..., None]).sum(1)
        out = shell_sums(odds, self.setup.points.shell, self.setup.options.shells)
        return out / out.sum(1, keepdim=True).clamp_min(1e-300)


def _shift_accuracy(setup: EStepSetup, still: Tensor, weight: Tensor, trial: Tensor) -> Tensor:
    """The same for shifts along x or along y (by a bit of each trial's seed)."""
    axis = torch.where((setup.data.seed[trial] & 1).bool()[:, None], setup.points.x, setup.points.y)
    angle = 2 * torch.pi / setup.options.box * axis[..., None] * SHIFTS  # (trials, P, shifts)
    power = still.abs().square() * weight
    distinct = torch.einsum("ktp,tpm->ktm", power, 2 - 2 * torch.cos(angle)) > LOG_ODDS
    distinct = torch.cat((distinct, torch.ones_like(distinct[..., :1])), -1)
    values = torch.cat((SHIFTS, SHIFTS[-1:] + 0.1))
    return values[distinct.byte().argmax(-1)].mean(1)
