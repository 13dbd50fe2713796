"""The contrast transfer function, with RELION's signs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cryoflow.api.arrays import Array, like, positive
from cryoflow.compute.image.ctf import CtfParameters, ctf_at, ctf_half_plane
from cryoflow.errors import ArgumentError
from cryoflow.jobs.inputs.ctf import CTF_COLUMNS, CTF_NEEDED, ctf_parameters, usable


@dataclass(frozen=True, kw_only=True, eq=False)
class Ctf:
    """Parameters of one CTF (numbers), or of n (arrays ``(n,)``).

    Attributes
    ----------
    defocus_u_a, defocus_v_a : float or array
        Largest and smallest defocus in A, underfocus positive; ``defocus_v_a`` None: no astigmatism.
    defocus_angle_deg : float or array
        Azimuth of ``defocus_u_a``, degrees from the x axis towards +y.
    voltage_kv, cs_mm, amplitude_contrast : float or array
        Microscope: kV, mm, fraction.
    phase_shift_deg, b_factor_a2, scale : float or array
        Phase plate, envelope ``exp(-B k^2 / 4)``, and factor.
    """

    defocus_u_a: float | Array
    voltage_kv: float | Array
    cs_mm: float | Array
    amplitude_contrast: float | Array
    defocus_v_a: float | Array | None = None
    defocus_angle_deg: float | Array = 0.0
    phase_shift_deg: float | Array = 0.0
    b_factor_a2: float | Array = 0.0
    scale: float | Array = 1.0

    @classmethod
    def from_row(cls, row: Mapping[str, Any] | pd.Series) -> Ctf:
        """Read the CTF from a row of a STAR table (``rlnDefocusU``, ``rlnVoltage`` ...).

        Raises
        ------
        ArgumentError
            If a column is missing or the values give no finite CTF.
        """
        found = cls.from_frame(pd.DataFrame([dict(row)]))
        return cls(**{field.name: float(getattr(found, field.name)[0]) for field in fields(cls)})

    @classmethod
    def from_frame(cls, rows: pd.DataFrame) -> Ctf:
        """Read the CTF of every row of a table, arrays ``(n,)``."""
        missing = [name for name in CTF_NEEDED if name not in rows.columns]
        if missing:
            raise ArgumentError(f"ctf: no column {', '.join(missing)}")
        found = ctf_parameters(rows)
        good = usable(found)
        if not bool(good.all()):
            row = int((~good).nonzero()[0, 0])
            raise ArgumentError(f"ctf: the values of row {row + 1} give no finite CTF; remove the row")
        return cls(**{name: value.numpy() for name, value in found._asdict().items()})

    def to_row(self) -> dict[str, float]:
        """Return the columns of a STAR table; for one CTF only."""
        found = self.parameters()
        if found.scale.ndim:
            raise ArgumentError(f"ctf: expected one CTF, got {len(found.scale)}")
        return {CTF_COLUMNS[name]: float(value) for name, value in found._asdict().items()}

    def parameters(self, device: torch.device | str = "cpu") -> CtfParameters:
        """Return float64 tensors of one shape, ``()`` or ``(n,)``.

        Raises
        ------
        ArgumentError
            If the values give no finite CTF.
        """
        given = {name: getattr(self, name) for name in CtfParameters._fields}
        given["defocus_v_a"] = self.defocus_u_a if self.defocus_v_a is None else self.defocus_v_a
        try:
            tensors = [_float64(value, device) for value in given.values()]
            found = CtfParameters(*torch.broadcast_tensors(*tensors))  # type: ignore[no-untyped-call]
        except (TypeError, ValueError, RuntimeError) as error:
            raise ArgumentError(f"ctf: expected numbers of one shape: {error}") from None
        if not bool(usable(found).all()):
            raise ArgumentError("ctf: the values give no finite CTF (NaN, or out of range)")
        return found


def ctf(
    parameters: Ctf,
    shape: int | tuple[int, int],
    pixel_size_a: float,
    *,
    phase_flipped: bool = False,
    ignore_until_first_peak: bool = False,
    centred: bool = False,
) -> Array:
    """CTF of an image, as applied by all jobs.

    ``-sin(chi)`` with RELION's signs: +amplitude contrast at frequency 0, see `cryoflow.compute.image.ctf`.

    Parameters
    ----------
    parameters : Ctf
        One CTF, or n.
    shape : int or (int, int)
        Side of a square box, or height and width, pixels.
    pixel_size_a : float
        A per pixel.
    phase_flipped : bool
        Return the modulus.
    ignore_until_first_peak : bool
        1 up to the first peak.
    centred : bool
        Return the full plane with frequency 0 at pixel ``(h // 2, w // 2)``, for display; otherwise the half
        plane in the order of `numpy.fft.rfft2`, to multiply a transform by.

    Returns
    -------
    array
        Float64 ``(..., h, w // 2 + 1)``, or ``(..., h, w)`` if centred; axes y, x. A tensor if the parameters
        are tensors.

    Raises
    ------
    ArgumentError
        If an argument cannot be used.
    """
    pixel = positive(pixel_size_a, "pixel_size_a")
    height, width = (shape, shape) if isinstance(shape, int) else shape
    if min(height, width) < 2:
        raise ArgumentError(f"shape: {height} x {width} pixels; give at least 2 x 2")
    given = parameters.defocus_u_a
    found = parameters.parameters(given.device if isinstance(given, Tensor) else "cpu")
    if not centred:
        options = (height, width, pixel, phase_flipped, ignore_until_first_peak)
        return like(ctf_half_plane(found, *options), given)
    expanded = CtfParameters(*(field[..., None, None] for field in found))
    ky, kx = (_centred(n, pixel, found.scale.device) for n in (height, width))
    return like(ctf_at(expanded, ky[:, None], kx, phase_flipped, ignore_until_first_peak), given)


def _centred(length: int, pixel_size_a: float, device: torch.device) -> Tensor:
    """Frequencies with 0 at ``length // 2``, 1/A."""
    number = torch.arange(length, dtype=torch.float64, device=device) - length // 2
    return number / (length * pixel_size_a)


def _float64(value: Any, device: torch.device | str) -> Tensor:
    native = value if isinstance(value, Tensor) else np.asarray(value, dtype=np.float64).copy()
    return torch.as_tensor(native, dtype=torch.float64, device=device)
