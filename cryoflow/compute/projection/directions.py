"""Viewing directions: HEALPix pixels of which no two show a symmetric object from the same side.

HEALPix (Gorski 2005, Astrophys J 622:759) cuts the sphere into ``12 * 4 ** order`` pixels of equal area;
order 1 has them 30 degrees apart, each further order halves that.
"""

import math
import re
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.projection.point_groups import symmetry_rotations

_RING_OF_FACE = (2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4)
_PHI_OF_FACE = (1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7)
_UNIT_CENTRES = {
    "T": (-0.38, 0.66, 0.64),
    "O": (0.0, 0.4, 0.92),
    "I": (0.0, 0.18, 0.98),
    "I1": (0.98, 0.18, 0.0),
    "I2": (0.0, 0.18, 0.98),
    "I3": (-0.51, 0.18, 0.84),
    "I4": (0.51, 0.18, 0.84),
}


class Directions(NamedTuple):
    """First two Euler angles (ZYZ) of viewing directions, degrees, float64 ``(n,)``."""

    rot: Tensor
    """-180 to 180."""
    tilt: Tensor
    """0 to 180."""

    @property
    def vectors(self) -> Tensor:
        """Unit vectors ``(n, 3)``: x, y, z."""
        rot, tilt = torch.deg2rad(self.rot), torch.deg2rad(self.tilt)
        across = torch.sin(tilt)
        return torch.stack((across * torch.cos(rot), across * torch.sin(rot), torch.cos(tilt)), -1)


def healpix(order: int) -> Directions:
    """Centres of all pixels in nested order."""
    side = 2**order
    centres = [_centre(pixel, side) for pixel in range(12 * side * side)]
    rot = torch.tensor([phi if phi <= 180 else phi - 360 for phi, _ in centres], dtype=torch.float64)
    height = torch.tensor([z for _, z in centres], dtype=torch.float64)
    return Directions(rot, torch.rad2deg(torch.acos(height)))


def asymmetric_directions(order: int, group: str) -> Directions:
    """Directions of an asymmetric unit.

    For ``C`` and ``D`` groups these are RELION's, in RELION's order, followed by those that fill gaps at the
    borders of the unit; for other groups another of several equivalent views may be chosen.

    Parameters
    ----------
    order : int
        HEALPix order, 0 or more.
    group : str
        Point group, see `cryoflow.compute.projection.point_groups.symmetry_rotations`.

    Raises
    ------
    CryoflowError
        For an unknown point group.
    """
    rotations = symmetry_rotations(group)
    everywhere = healpix(order)
    unit = _unit(everywhere, group.upper(), rotations)
    radius = _largest_radius(2**order)
    kept = _apart(everywhere.vectors, unit.nonzero()[:, 0].tolist(), [], rotations, radius / 2)
    # pixels do not fit every symmetry: between a unit and its equivalents there may be gaps
    kept = _apart(everywhere.vectors, (~unit).nonzero()[:, 0].tolist(), kept, rotations, 0.75 * radius)
    return Directions(everywhere.rot[kept], everywhere.tilt[kept])


def _apart(
    vectors: Tensor, candidates: list[int], kept: list[int], rotations: Tensor, radius: float
) -> list[int]:
    """Add candidates one by one unless one kept, or an equivalent of it, is within a radius (radians)."""
    kept = list(kept)
    taken = torch.einsum("gij,nj->gni", rotations, vectors[kept]).reshape(-1, 3)
    for number in candidates:
        if not bool((taken @ vectors[number] > math.cos(radius)).any()):
            kept.append(number)
            taken = torch.cat((taken, rotations @ vectors[number]))
    return kept


def _unit(directions: Directions, group: str, rotations: Tensor) -> Tensor:
    """One asymmetric unit of the sphere, its borders included."""
    rot, tilt = directions
    match = re.fullmatch(r"([CD])(\d+)", group)
    if match is None:  # what is nearer to a point than to all its equivalents
        centre = torch.tensor(_UNIT_CENTRES[group], dtype=rot.dtype)
        distances = directions.vectors @ (rotations @ centre).mT
        return distances[:, 0] >= distances.max(1).values - 1e-9
    half = 180 / int(match[2])
    if match[1] == "C":
        return (rot >= -half) & (rot <= half)
    if half == 180:
        return tilt <= 90
    return (rot >= 90 - half) & (rot <= 90 + half) & (tilt <= 90)


def _centre(pixel: int, side: int) -> tuple[float, float]:
    """Longitude in degrees, 0 to 360, and height on the unit sphere of a nested pixel."""
    face, within = divmod(pixel, side * side)
    column, row = _every_other_bit(within), _every_other_bit(within >> 1)
    ring = _RING_OF_FACE[face] * side - column - row - 1
    if side <= ring <= 3 * side:
        count, height, shift = side, (2 * side - ring) * 2 / (3 * side), (ring - side) % 2
    else:
        count, shift = min(ring, 4 * side - ring), 0
        height = math.copysign(1 - count * count / (3 * side * side), 2 * side - ring)
    place = (_PHI_OF_FACE[face] * count + column - row + 1 + shift) // 2
    place = (place - 1) % (4 * count) + 1
    return (place - (shift + 1) / 2) * 90 / count, height


def _every_other_bit(number: int) -> int:
    return sum((number >> 2 * bit & 1) << bit for bit in range(16))


def _largest_radius(side: int) -> float:
    """Largest distance of a corner from its pixel's centre, radians."""
    phi, height = math.pi / (4 * side), 2 / 3
    other = 1 - (1 - 1 / side) ** 2 / 3
    across = math.sqrt((1 - height**2) * (1 - other**2))
    return math.acos(across * math.cos(phi) + height * other)
