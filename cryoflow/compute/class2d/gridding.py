"""References rotated in the plane and sampled at Fourier points, and the transposed operation."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.class2d.sampling import Points
from cryoflow.compute.image.rotate import PADDING, PaddedTransform, padded_transform, rotation_samples, sample
from cryoflow.compute.image.shells import padded_shells


class Rows(NamedTuple):
    """Rotated references as matrix rows, one for each class and angle (class slowest).

    Rotating by a further 180 degrees conjugates a transform, so that one row serves both angles: their
    products with an image are the sum and the difference of those of real and of imaginary parts.
    """

    real: Tensor
    """``(R, P)``"""
    imag: Tensor
    """``(R, P)``"""
    power: Tensor
    """``(R, P)``, squared modulus."""


def for_opposite_angles(real: Tensor, imag: Tensor, out: Tensor) -> None:
    """Write the products for each angle and, where ``out`` has two along its second dimension, for the
    angle 180 degrees further, from those of real and of imaginary parts."""
    for opposite, combine in enumerate((torch.add, torch.sub)[: out.shape[1]]):
        combine(real, imag, out=out[:, opposite])


def reference_transform(references: Tensor, radius: int) -> PaddedTransform:
    """Padded transforms of references ``(K, n, n)``, divided by n^2, up to ``radius`` Fourier pixels."""
    padded = padded_transform(references, radius)
    return padded._replace(values=padded.values / references.shape[-1] ** 2)


def rotated_rows(transform: PaddedTransform, psi_deg: Tensor, points: Points, like: Tensor) -> Rows:
    """Rows for all classes and the angles ``psi_deg``, with the device and precision of ``like``.

    Class by class: the intermediate results are several times as large as the rows.
    """
    samples = rotation_samples(
        transform.box, *(value.to(like.device) for value in (psi_deg, points.y, points.x))
    )
    transform = transform._replace(values=transform.values.to(like.device))
    shape = len(transform.values), len(psi_deg), len(points.x)
    rows = Rows(*(like.new_empty(*shape) for _ in Rows._fields))
    for k in range(len(transform.values)):
        (values,) = sample(transform._replace(values=transform.values[k : k + 1]), samples)
        rows.real[k], rows.imag[k] = values.real, values.imag
        rows.power[k] = rows.real[k].square() + rows.imag[k].square()
    return Rows(*(field.flatten(0, 1) for field in rows))


def radial_power(transform: PaddedTransform) -> Tensor:
    """Half the mean squared modulus in each shell, ``(K, n // 2 + 1)``."""
    box = transform.box
    half = transform.values[..., : box + 1].abs().square()
    shells = padded_shells(box, PADDING, transform.max_shell, inclusive=True)
    return shells.sums(half * shells.inside) / shells.counts.clamp_min(1) / 2


def grid_back(
    data: Tensor, weight: Tensor, box: int, psi_deg: Tensor, points: Points
) -> tuple[Tensor, Tensor]:
    """Add rotated data to the padded grids of their classes: the transpose of `rotated_rows`.

    Parameters
    ----------
    data, weight : Tensor
        Complex128 and float64 ``(K * J, P)``, class slowest.
    box : int
        n.
    psi_deg, points
        As for `rotated_rows`.

    Returns
    -------
    tuple of Tensor
        Complex128 data and float64 weight, each on half-planes ``(K, 2 n, n + 1)``, conjugate pairs summed.
    """
    angles, size = len(psi_deg), PADDING * box
    classes = data.shape[0] // angles
    samples = rotation_samples(box, psi_deg, points.y, points.x)
    parts = torch.stack((data.real, data.imag, weight), -1).view(classes, angles, -1, 3)
    columns = parts.permute(1, 2, 0, 3).reshape(-1, 3 * classes)  # (psis * points, classes * 3)
    grid = columns.new_zeros(size * size, 3 * classes)
    for i in range(4):
        grid.index_add_(
            0, samples.position[..., i].flatten(), columns * samples.weight[..., i].reshape(-1, 1)
        )
    full = grid.view(size, size, classes, 3).permute(2, 0, 1, 3)
    mirrored = torch.roll(full.flip(1, 2), (1, 1), (1, 2))
    summed = (full + mirrored * full.new_tensor([1, -1, 1]))[:, :, : box + 1]
    summed[:, 0, 0] /= 2
    return torch.complex(summed[..., 0], summed[..., 1]), summed[..., 2].contiguous()
