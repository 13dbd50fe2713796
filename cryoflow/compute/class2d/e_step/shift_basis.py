"""Many offsets from a few: images moved by all of them span a space of far fewer dimensions."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class ShiftBasis(NamedTuple):
    """``phases`` of T offsets at P points is about ``amplitude @ basis``, with s functions."""

    amplitude: Tensor
    """float64 ``(T, s)``, orthonormal columns."""
    basis: Tensor
    """complex128 ``(s, P)``"""


def shift_basis(phases: Tensor, weight: Tensor, error: float) -> ShiftBasis:
    """Fewest functions whose combinations give the phases to within an error.

    Parameters
    ----------
    phases : Tensor
        Complex ``(T, P)``, from `setup.shift_phases`.
    weight : Tensor
        float64 ``(P,)``: what a squared difference at a point counts. With the power of a reference over that
        of the noise, ``error`` is the root mean square error of a log-likelihood that comes from the noise.
    error : float
        Bound on the root of the weighted sum of squared differences, in the mean over offsets; zero keeps
        all.
    """
    double = phases.to("cpu", torch.complex128)
    gram = ((double * weight) @ double.mH).real
    value, vector = torch.linalg.eigh(gram)
    left_out = int((value.clamp_min(0).cumsum(0) <= error**2 * len(value)).sum()) if error else 0
    amplitude = vector[:, min(left_out, len(value) - 1) :]
    return ShiftBasis(amplitude, amplitude.T.to(double) @ double)


class Moved(NamedTuple):
    """B images times each of T functions: real matrices ``(B, T, P)``."""

    real: Tensor
    imag: Tensor

    def of(self, members: Tensor) -> Moved:
        """Products of some images."""
        return Moved(of_members(self.real, members), of_members(self.imag, members))


def of_members(images: Tensor, members: Tensor) -> Tensor:
    """Some of the first dimension; uncopied when these are all or one."""
    if len(members) == 1:
        return images[int(members)][None]
    return images if len(members) == len(images) else images[members]


def moved(transforms: Tensor, functions: Tensor) -> Moved:
    """Images ``(B, P)`` times functions ``(T, P)``, both complex."""
    x, y = (part.contiguous()[:, None] for part in (transforms.real, transforms.imag))
    a, b = functions.real.contiguous(), functions.imag.contiguous()
    return Moved((x * a).addcmul_(y, b, value=-1), (x * b).addcmul_(y, a))
