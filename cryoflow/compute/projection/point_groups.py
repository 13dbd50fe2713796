"""Point groups as rotation matrices, with RELION's choice of axes."""

import math
import re

import torch
from torch import Tensor

from cryoflow.errors import CryoflowError

_GOLDEN = (1 + math.sqrt(5)) / 2
_Generators = tuple[tuple[int, tuple[float, float, float]], ...]
_CUBIC: dict[str, _Generators] = {
    "T": ((3, (0, 0, 1)), (2, (0, math.sqrt(2), 1))),
    "O": ((4, (0, 0, 1)), (3, (1, 1, 1))),
    "I1": ((2, (1, 0, 0)), (5, (_GOLDEN, 0, -1))),
    "I2": ((2, (0, 0, 1)), (5, (1, 0, _GOLDEN))),
    "I3": ((5, (0, 0, 1)), (2, (-1, 0, _GOLDEN))),
    "I4": ((2, (1, 0, _GOLDEN)), (5, (2, 0, 1))),
}


def symmetry_rotations(group: str) -> Tensor:
    """Rotations of a point group, float64 ``(operations, 3, 3)`` acting on ``(x, y, z)``; the identity first.

    ``C<n>`` rotates about z; ``D<n>`` also about x; ``T`` has a three-fold, ``O`` a four-fold axis along z;
    ``I1`` to ``I4`` are RELION's settings of the icosahedron, ``I`` is ``I2``.

    Raises
    ------
    CryoflowError
        For groups with mirrors or inversion, which no protein has, and for unknown names.
    """
    name = "I2" if group.upper() == "I" else group.upper()
    cyclic = re.fullmatch(r"([CD])([1-9]\d*)", name)
    if cyclic is None and name not in _CUBIC:
        raise CryoflowError(
            f"symmetry {group}: unknown point group; use C1, C2 ..., D1, D2 ..., T, O or I1 to I4"
        )
    if cyclic is None:
        return _closed([_rotation(axis, fold) for fold, axis in _CUBIC[name]])
    generators = [_rotation((0, 0, 1), int(cyclic[2]))]
    return _closed(generators + [_rotation((1, 0, 0), 2)] * (cyclic[1] == "D"))


def _rotation(axis: tuple[float, float, float], fold: int) -> Tensor:
    """A rotation by ``360 / fold`` degrees (Rodrigues)."""
    x, y, z = torch.tensor(axis, dtype=torch.float64) / math.hypot(*axis)
    zero = torch.zeros_like(x)
    cross = torch.stack((zero, -z, y, z, zero, -x, -y, x, zero)).reshape(3, 3)
    angle = 2 * math.pi / fold
    return torch.eye(3, dtype=torch.float64) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross


def _closed(generators: list[Tensor]) -> Tensor:
    """All products of the generators."""
    group = [torch.eye(3, dtype=torch.float64)]
    for element in group:  # grows while it is walked through
        for generator in generators:
            product = generator @ element
            if not any(torch.allclose(product, known, atol=1e-9) for known in group):
                group.append(product)
    return torch.stack(group)
