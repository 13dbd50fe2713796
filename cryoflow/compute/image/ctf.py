"""The contrast transfer function, with RELION's constants and signs.

``lambda [A] = 12.2643247 / sqrt(V (1 + V 0.978466e-6))``; underfocus is positive;
``chi = pi lambda dz k^2 + pi/2 Cs lambda^3 k^4 - phase_shift - atan(Q0 / sqrt(1 - Q0^2))`` with
``dz = -[(dU + dV)/2 + (dU - dV)/2 cos 2(atan2(ky, kx) - angle)]``; ``CTF = -sin(chi) exp(-B k^2 / 4) scale``,
so that CTF(0) = +Q0 (Scheres 2012, J Struct Biol 180:519; Rohou and Grigorieff 2015, J Struct Biol 192:216).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.image.fourier import frequencies


class CtfParameters(NamedTuple):
    """CTF parameters, each a float64 tensor of the same shape ``(...,)``."""

    defocus_u_a: Tensor
    """Largest defocus in A, underfocus positive."""
    defocus_v_a: Tensor
    """Defocus at right angles to it, A."""
    defocus_angle_deg: Tensor
    """Azimuth of ``defocus_u_a`` from the x axis towards +y, degrees."""
    voltage_kv: Tensor
    cs_mm: Tensor
    amplitude_contrast: Tensor
    phase_shift_deg: Tensor
    b_factor_a2: Tensor
    scale: Tensor


def ctf_at(
    parameters: CtfParameters, ky: Tensor, kx: Tensor, phase_flipped: bool = False, first_peak: bool = False
) -> Tensor:
    """CTF at given spatial frequencies.

    Parameters
    ----------
    parameters : CtfParameters
        Fields that broadcast against ``ky`` and ``kx``.
    ky, kx : Tensor
        Spatial frequencies, 1/A.
    phase_flipped : bool
        The data were phase-flipped already: return the modulus.
    first_peak : bool
        Put 1 wherever ``|chi| < pi/2`` (RELION's "Ignore CTFs until first peak").

    Returns
    -------
    Tensor
        CTF values, float64.
    """
    p = parameters
    volts = p.voltage_kv * 1e3
    wavelength = 12.2643247 / torch.sqrt(volts * (1 + volts * 0.978466e-6))
    cs_a = p.cs_mm * 1e7
    k2 = ky * ky + kx * kx
    azimuth = torch.atan2(ky, kx) - torch.deg2rad(p.defocus_angle_deg)
    mean, half = (p.defocus_u_a + p.defocus_v_a) / 2, (p.defocus_u_a - p.defocus_v_a) / 2
    defocus = -(mean + half * torch.cos(2 * azimuth))
    amplitude_phase = torch.atan(p.amplitude_contrast / torch.sqrt(1 - p.amplitude_contrast**2))
    chi = torch.pi * wavelength * defocus * k2 + torch.pi / 2 * cs_a * wavelength**3 * k2**2
    chi = chi - torch.deg2rad(p.phase_shift_deg) - amplitude_phase
    values = -torch.sin(chi)
    if first_peak:
        values = torch.where(chi.abs() < torch.pi / 2, torch.ones_like(values), values)
    values = values * torch.exp(-p.b_factor_a2 * k2 / 4)
    return (values.abs() if phase_flipped else values) * p.scale


def ctf_half_plane(
    parameters: CtfParameters,
    height: int,
    width: int,
    pixel_size_a: float,
    phase_flipped: bool = False,
    first_peak: bool = False,
) -> Tensor:
    """CTF on the half-plane of a ``(height, width)`` image, float64 ``(..., height, width // 2 + 1)``."""
    grid = frequencies(height, width, parameters.defocus_u_a.device, torch.float64)
    expanded = CtfParameters(*(field[..., None, None] for field in parameters))
    return ctf_at(expanded, grid.y / pixel_size_a, grid.x / pixel_size_a, phase_flipped, first_peak)
