"""A few functions of the offset against the phases of all offsets."""

import pytest
import torch

from cryoflow.compute.class2d.e_step.setup import shift_phases
from cryoflow.compute.class2d.e_step.shift_basis import moved, shift_basis
from cryoflow.compute.class2d.sampling import points_within

BOX = 24
POINTS = points_within(BOX, 9)
OFFSETS = torch.rand(40, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64) * 8 - 4
PHASES = shift_phases(OFFSETS, POINTS, BOX, torch.zeros(1, dtype=torch.float64))
WEIGHT = 50 / (1 + POINTS.shell.double()) ** 2


def error_of(amplitude: torch.Tensor, basis: torch.Tensor) -> float:
    difference = PHASES - amplitude.to(basis) @ basis
    return float((difference.abs().square() * WEIGHT).sum(1).mean().sqrt())


@pytest.mark.parametrize("error", [3.0, 1.0, 0.1])
def test_error_is_within_its_bound_and_one_function_less_would_not_do(error: float) -> None:
    amplitude, basis = shift_basis(PHASES, WEIGHT, error)
    assert error_of(amplitude, basis) <= error
    assert error_of(amplitude[:, 1:], basis[1:]) > error
    assert len(basis) < len(PHASES)


def test_no_error_takes_all_functions() -> None:
    amplitude, basis = shift_basis(PHASES, WEIGHT, 0.0)
    assert error_of(amplitude, basis) < 1e-12


def test_moved_images_are_products() -> None:
    images = torch.randn(3, len(POINTS.x), dtype=torch.complex128, generator=torch.Generator().manual_seed(1))
    real, imag = moved(images, PHASES)
    assert torch.allclose(torch.complex(real, imag), images[:, None] * PHASES)
