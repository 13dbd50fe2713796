"""`cryoflow.ctf` against the formula, written out by itself."""

import numpy as np
import pandas as pd
import pytest
import torch

import cryoflow as cf

ONE = cf.Ctf(
    defocus_u_a=11000, defocus_v_a=10500, defocus_angle_deg=30, voltage_kv=200, cs_mm=1.4,
    amplitude_contrast=0.1, phase_shift_deg=5, b_factor_a2=50, scale=0.9,
)  # fmt: skip
ROW = {"rlnDefocusU": 11000.0, "rlnDefocusV": 10500.0, "rlnDefocusAngle": 30.0, "rlnVoltage": 200.0,
       "rlnSphericalAberration": 1.4, "rlnAmplitudeContrast": 0.1, "rlnPhaseShift": 5.0,
       "rlnCtfBfactor": 50.0, "rlnCtfScalefactor": 0.9}  # fmt: skip


def formula(y: float, x: float) -> float:
    """Scheres 2012 with underfocus positive, at a frequency in 1/A, from nothing but numpy."""
    wavelength = 12.2643247 / np.sqrt(2e5 * (1 + 2e5 * 0.978466e-6))
    k2 = y * y + x * x
    defocus = 10750 + 250 * np.cos(2 * (np.arctan2(y, x) - np.deg2rad(30)))
    phase = np.pi * wavelength * defocus * k2 - np.pi / 2 * 1.4e7 * wavelength**3 * k2**2
    phase += np.deg2rad(5) + np.arcsin(0.1)
    return float(0.9 * np.sin(phase) * np.exp(-50 * k2 / 4))


@pytest.mark.parametrize(("height", "width"), [(8, 8), (7, 10), (9, 5)])
def test_both_planes_hold_the_formula_at_their_frequencies(height: int, width: int) -> None:
    half, whole = (cf.ctf(ONE, (height, width), 1.5, centred=centred) for centred in (False, True))
    assert half.shape == (height, width // 2 + 1) and whole.shape == (height, width)
    for row, y in enumerate(np.fft.fftfreq(height, 1.5)):
        for column, x in enumerate(np.fft.rfftfreq(width, 1.5)):
            if abs(y) < 1 / 3 - 1e-9:  # at Nyquist the sign of y is a matter of convention
                assert half[row, column] == pytest.approx(formula(y, x), abs=1e-12)
    for row in range(height):
        for column in range(width):
            y, x = (row - height // 2) / (height * 1.5), (column - width // 2) / (width * 1.5)
            assert whole[row, column] == pytest.approx(formula(y, x), abs=1e-12)


def test_frequency_0_has_the_amplitude_contrast_with_a_plus() -> None:
    plain = cf.Ctf(defocus_u_a=10000, voltage_kv=300, cs_mm=2.7, amplitude_contrast=0.07)
    assert cf.ctf(plain, 16, 2.0)[0, 0] == pytest.approx(0.07)
    assert cf.ctf(plain, 16, 2.0, ignore_until_first_peak=True)[0, 0] == 1


def test_a_row_and_a_table_give_the_same_as_numbers() -> None:
    expected = cf.ctf(ONE, 12, 2.0)
    for row in (ROW, pd.Series(ROW)):
        np.testing.assert_array_equal(cf.ctf(cf.Ctf.from_row(row), 12, 2.0), expected)
    several = cf.ctf(cf.Ctf.from_frame(pd.DataFrame([ROW, {**ROW, "rlnDefocusU": 9000.0}])), 12, 2.0)
    assert several.shape == (2, 12, 7)
    np.testing.assert_array_equal(several[0], expected)
    assert ONE.to_row() == ROW


def test_tensors_in_tensors_out() -> None:
    found = cf.ctf(
        cf.Ctf(defocus_u_a=torch.tensor([1e4, 2e4]), voltage_kv=200, cs_mm=1.4, amplitude_contrast=0.1), 8, 2
    )
    assert isinstance(found, torch.Tensor) and found.shape == (2, 8, 5)
    assert found.dtype == torch.float64


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"voltage_kv": 0}, "give no finite CTF"),
        ({"defocus_u_a": float("nan")}, "give no finite CTF"),
        ({"amplitude_contrast": 1.5}, "give no finite CTF"),
        ({"cs_mm": "big"}, "expected numbers of one shape"),
        ({"cs_mm": np.zeros(3), "defocus_u_a": np.ones(2)}, "expected numbers of one shape"),
    ],
)
def test_values_that_make_no_ctf_are_refused(changed: dict[str, object], line: str) -> None:
    values = {"defocus_u_a": 1e4, "voltage_kv": 200, "cs_mm": 1.4, "amplitude_contrast": 0.1, **changed}
    with pytest.raises(cf.ArgumentError, match=line):
        cf.ctf(cf.Ctf(**values), 8, 2.0)  # type: ignore[arg-type]


def test_a_row_without_a_column_is_refused() -> None:
    short = {name: value for name, value in ROW.items() if name != "rlnVoltage"}
    with pytest.raises(cf.ArgumentError, match="no column rlnVoltage"):
        cf.Ctf.from_row(short)
    with pytest.raises(cf.ArgumentError, match="pixel_size_a"):
        cf.ctf(ONE, 8, 0)
    with pytest.raises(cf.ArgumentError, match="shape: 1 x 1"):
        cf.ctf(ONE, 1, 2.0)
