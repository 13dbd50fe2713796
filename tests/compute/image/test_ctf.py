import math

import pytest
import torch

from cryoflow.compute.image.ctf import CtfParameters, ctf_at, ctf_half_plane


def parameters(**changes: float) -> CtfParameters:
    values = {"defocus_u_a": 15000.0, "defocus_v_a": 14000.0, "defocus_angle_deg": 30.0}
    values |= {"voltage_kv": 200.0, "cs_mm": 1.4, "amplitude_contrast": 0.1}
    values |= {"phase_shift_deg": 0.0, "b_factor_a2": 0.0, "scale": 1.0}
    return CtfParameters(**{k: torch.tensor(v, dtype=torch.float64) for k, v in (values | changes).items()})


def by_hand(k: float, azimuth_deg: float, phase_shift_deg: float = 0.0) -> float:
    """The CTF of `parameters` written out with the math module, defocus positive under."""
    wavelength = 12.2643247 / math.sqrt(200e3 * (1 + 200e3 * 0.978466e-6))
    z = 14500 + 500 * math.cos(2 * math.radians(azimuth_deg - 30))
    gamma = math.pi * wavelength * z * k**2 - math.pi / 2 * 1.4e7 * wavelength**3 * k**4
    return math.sin(gamma + math.radians(phase_shift_deg) + math.asin(0.1))


@pytest.mark.parametrize(("k", "azimuth"), [(0.0, 0), (0.01, 30), (0.05, 120), (0.12, -75), (0.2, 200)])
@pytest.mark.parametrize("phase_shift", [0.0, 80.0])
def test_against_the_formula_written_out(k: float, azimuth: float, phase_shift: float) -> None:
    ky, kx = (torch.tensor(k * f(math.radians(azimuth)), dtype=torch.float64) for f in (math.sin, math.cos))
    value = ctf_at(parameters(phase_shift_deg=phase_shift), ky, kx)
    assert float(value) == pytest.approx(by_hand(k, azimuth, phase_shift), abs=1e-9)


def test_half_plane_positions_and_options() -> None:
    plane = ctf_half_plane(parameters(b_factor_a2=50.0, scale=0.5), 10, 9, 1.77)
    assert plane.shape == (10, 5)
    ky, kx = -3 / 10 / 1.77, 2 / 9 / 1.77
    k = math.hypot(ky, kx)
    expected = by_hand(k, math.degrees(math.atan2(ky, kx))) * math.exp(-50 * k * k / 4) * 0.5
    assert float(plane[7, 2]) == pytest.approx(expected, abs=1e-9)
    assert float(plane[0, 0]) == pytest.approx(0.05)
    flipped = ctf_half_plane(parameters(), 64, 64, 3.54, phase_flipped=True)
    assert torch.equal(flipped, ctf_half_plane(parameters(), 64, 64, 3.54).abs())
    first = ctf_half_plane(parameters(), 64, 64, 3.54, first_peak=True)[0]
    plain = ctf_half_plane(parameters(), 64, 64, 3.54)[0]
    peak = int(plain.argmax())
    assert first[:peak].tolist() == [1.0] * peak
    assert torch.equal(first[peak + 1 :], plain[peak + 1 :])
