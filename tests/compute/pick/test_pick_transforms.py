"""Transforms at chosen frequencies, work grids and rotated references against direct sums and formulas."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from cryoflow.compute.image.blocks import row_blocks
from cryoflow.compute.image.partial_dft import centred_transform, folded_basis, forward, inverse_at
from cryoflow.compute.pick.band import PairInverse, band_within, paired
from cryoflow.compute.pick.search_grid import WorkGrid, relion_work_size, sampled_transform, work_grid
from cryoflow.compute.pick.templates import fine_transform, psi_angles, rotated_templates, template_sums

GEN = torch.Generator().manual_seed(3)


def direct(
    image: torch.Tensor, fy: torch.Tensor, fx: torch.Tensor, origin: tuple[float, float]
) -> np.ndarray:
    y = np.arange(image.shape[0]) - origin[0]
    x = np.arange(image.shape[1]) - origin[1]
    ey = np.exp(-2j * np.pi * np.outer(fy.numpy(), y))
    ex = np.exp(-2j * np.pi * np.outer(x, fx.numpy()))
    return np.asarray(ey @ image.double().numpy() @ ex)


@pytest.mark.parametrize("shape", [(8, 10), (9, 10), (7, 13), (1, 4)])
def test_partial_transforms_are_direct_sums(shape: tuple[int, int]) -> None:
    image = torch.randn(shape, generator=GEN, dtype=torch.float64)
    fy = torch.tensor([-0.31, 0.0, 0.123, 0.5, 0.31, -0.5], dtype=torch.float64)
    fx = torch.tensor([0.0, 0.07, -0.07, 0.41], dtype=torch.float64)
    bases = (folded_basis(n, f, torch.float64) for n, f in zip(shape, (fy, fx), strict=True))
    np.testing.assert_allclose(forward(image, *bases), direct(image, fy, fx, (0, 0)), atol=1e-12)
    centre = (shape[0] // 2, shape[1] // 2)
    np.testing.assert_allclose(centred_transform(image, fy, fx), direct(image, fy, fx, centre), atol=1e-12)


@pytest.mark.parametrize("pixels", [1, 30, 1 << 20])
def test_rows_are_transformed_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch, pixels: int) -> None:
    monkeypatch.setattr("cryoflow.compute.image.blocks._CPU_VALUES", pixels)
    images = torch.randn(2, 9, 12, generator=GEN, dtype=torch.float64)
    rows = {1: [1] * 9, 30: [2, 2, 2, 2, 1], 1 << 20: [9]}
    assert [block.shape[1] for block in row_blocks(images)] == rows[pixels]
    grid = work_grid(9, 12, 1.0, 4.0, 0.0)
    assert grid.spacing > 1
    y, x = grid.frequencies()
    found = sampled_transform(images, grid, lambda part: part.square() - 1)
    for image, transform in zip(images, found, strict=True):
        expected = direct(image.square() - 1, y, x, (grid.top, grid.left))
        np.testing.assert_allclose(transform, expected, atol=1e-12)


def test_inverse_at_is_the_inverse_transform() -> None:
    image = torch.randn(9, 11, generator=GEN, dtype=torch.float64)
    half = torch.fft.rfft2(image)
    fy, fx = torch.fft.fftfreq(9, dtype=torch.float64), torch.fft.rfftfreq(11, dtype=torch.float64)
    y, x = torch.tensor([0.0, 4.0, 8.0]).double(), torch.tensor([3.0, 10.0]).double()
    found = inverse_at(half, fy, fx, y, x) / image.numel()
    torch.testing.assert_close(found, image[[0, 4, 8]][:, [3, 10]])


@pytest.mark.parametrize(
    ("height", "width", "shrink"), [(60, 50, 0.0), (61, 47, 0.0), (40, 90, 0.5), (64, 50, 1.0)]
)
def test_samples_are_the_image_at_their_positions(height: int, width: int, shrink: float) -> None:
    grid = work_grid(height, width, 1.0, 4.0, shrink)
    y, x = torch.meshgrid(*(torch.arange(n).double() for n in (height, width)), indexing="ij")

    def blob(at_y: torch.Tensor, at_x: torch.Tensor) -> torch.Tensor:
        """Smooth enough for the coarsest grid here, and nothing at the borders."""
        return torch.exp(-((at_y - 21.3) ** 2 + (at_x - 24.6) ** 2) / (2 * 4.0**2))

    half = sampled_transform(blob(y, x), grid)
    h, w = grid.inside
    samples = torch.fft.irfft2(half, s=(grid.rows, grid.columns))[:h, :w] / grid.spacing**2
    at_y = grid.top + grid.spacing * torch.arange(h).double()[:, None]
    at_x = grid.left + grid.spacing * torch.arange(w).double()
    torch.testing.assert_close(samples, blob(at_y, at_x), atol=2e-4, rtol=0)
    row, column = grid.centre
    assert grid.top + row * grid.spacing == pytest.approx(height // 2)
    assert grid.left + column * grid.spacing == pytest.approx(width // 2)
    assert 0 <= grid.top < grid.spacing
    assert grid.top + (h - 1) * grid.spacing <= height - 1 + 1e-9 < grid.top + h * grid.spacing


@pytest.mark.parametrize(
    ("wanted", "limit", "work"), [(146, 820, 148), (340, 1919, 340), (820, 820, 814), (328, 820, 328)]
)
def test_work_sizes_are_relions(wanted: int, limit: int, work: int) -> None:
    assert relion_work_size(wanted, limit) == work


def test_oblong_and_large_micrographs_get_quick_rectangles() -> None:
    k3 = work_grid(4092, 5760, 0.83, 20.0, 0)
    assert (k3.rows, k3.columns) == (360, 486)
    assert k3.spacing == pytest.approx(5760 / 484)  # 478 and 480 have large prime factors
    full = work_grid(3710, 3838, 0.885, 20.0, 1)
    assert full.rows % 2 == 0 and full.rows * full.spacing >= 3710 and full.columns * full.spacing >= 3838
    tutorial = work_grid(3710, 3838, 0.885, 20.0, 0)
    assert (tutorial.rows, tutorial.columns) == (340, 340)


@pytest.mark.parametrize("limit", [0.05, 0.2, 0.5])
@pytest.mark.parametrize("rows", [30, 31])
def test_pairs_are_correlations_with_templates_and_their_opposites(limit: float, rows: int) -> None:
    grid = WorkGrid(29, 36, 1.0, rows, 36)
    images = torch.randn(3, rows, grid.columns, generator=GEN, dtype=torch.float64)
    band = band_within(grid, limit)
    blocks = band.cut(torch.fft.rfft2(images))
    micrograph, templates = blocks[0], blocks[1:]
    fy, fx = grid.frequencies()
    kept = (torch.hypot(fy[:, None], fx) <= limit * (1 + 1e-9)) & (fy.abs() < 0.5)[:, None] & (fx < 0.5)
    torch.testing.assert_close(band.cut(kept), band.inside & band.below_nyquist(grid))
    first, *others = torch.fft.rfft2(images) * kept
    inverse = PairInverse(band, grid, 2, micrograph)
    for _ in range(2):  # the buffers are used again
        found = inverse.images(paired(templates))
        for pair, other in zip(found, others, strict=True):
            for image, turned in zip(pair.unbind(-1), (other.conj(), other), strict=True):
                expected = torch.fft.irfft2(first * turned, s=(rows, 36))[:29, :36]
                torch.testing.assert_close(image, expected)
        torch.testing.assert_close(inverse.images(paired(templates[1:]))[0], found[1])


def test_psi_steps_divide_the_circle() -> None:
    assert len(psi_angles(5)) == 72 and float(psi_angles(5)[1]) == 5
    assert len(psi_angles(7)) == 51 and float(psi_angles(7)[1]) == pytest.approx(360 / 51)
    assert psi_angles(360).tolist() == [0.0]


@pytest.mark.parametrize("box", [32, 33])
def test_rotated_templates_turn_a_blob(box: int) -> None:
    sigma, dy, dx = 2.0, 3.0, -5.0
    offset = torch.arange(box).double() - box // 2
    blob = torch.exp(-((offset[:, None] - dy) ** 2 + (offset[None] - dx) ** 2) / (2 * sigma**2))
    grid = WorkGrid(70, 64, 1.25, 60, 54)
    band = band_within(grid, 0.2)
    psi = torch.tensor([0.0, 30.0, 90.0, 201.0])
    found = rotated_templates(fine_transform(blob[None], 0.2, 70), psi, band)[0]
    angle = torch.deg2rad(psi.double())[:, None, None]
    # the value at (y, x) comes from (y cos + x sin, -y sin + x cos), so a point p moves by the inverse
    y = dy * torch.cos(angle) - dx * torch.sin(angle)
    x = dy * torch.sin(angle) + dx * torch.cos(angle)
    fy, fx = band.y[:, None], band.x
    height = 2 * math.pi * sigma**2 * torch.exp(-2 * math.pi**2 * sigma**2 * (fy**2 + fx**2))
    turn = -2 * math.pi * (fy * y + fx * x)
    expected = torch.polar(height.expand_as(turn), turn) * band.inside
    # RELION's bilinear sampling dims what is 6 pixels from the centre by less than a percent
    whole = torch.hypot(fy, fx) < 0.2 - 1 / 70
    assert float(((found - expected) * whole).abs().max()) < 0.01 * float(height.max())


@pytest.mark.parametrize("psi_deg", [0.0, 30.0, 201.0])
def test_rotated_templates_are_sampled_from_a_disc_in_twice_the_micrograph(psi_deg: float) -> None:
    size, box, shells = 40, 16, 9
    image = torch.randn(1, box, box, generator=GEN, dtype=torch.float64)
    grid = work_grid(size, size, 1.0, size / shells, 1.0)
    band = band_within(grid, shells / size)
    padded = np.zeros((2 * size, 2 * size))
    corner = size - box // 2
    padded[corner : corner + box, corner : corner + box] = image[0].numpy()
    transform = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(padded)))
    y, x = np.mgrid[-size:size, -size:size]
    transform[np.hypot(y, x) > 2 * shells] = 0
    cos, sin = math.cos(math.radians(psi_deg)), math.sin(math.radians(psi_deg))
    fy, fx = band.y[:, None].numpy() * 2 * size, band.x.numpy() * 2 * size
    where = np.stack((fy * cos + fx * sin, fx * cos - fy * sin)) + size
    expected = map_coordinates(transform, where, order=1) * band.inside.numpy()
    fine = fine_transform(image, shells / size, size)
    found = rotated_templates(fine, torch.tensor([psi_deg]), band)[0, 0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize("shift", [0, 1])
def test_template_sums_are_sums_over_the_disc(shift: int) -> None:
    grid = WorkGrid(50, 48, 1.0, 50, 48)
    band = band_within(grid, 0.3)
    image = torch.randn(24, 24, generator=GEN, dtype=torch.float64)
    block = centred_transform(image[None], band.y, band.x) * band.inside
    full = torch.zeros(50, 25, dtype=torch.complex128)
    full[: band.top, : len(band.x)] = block[0, : band.top]
    full[-(len(band.y) - band.top) :, : len(band.x)] = block[0, band.top :]
    filtered = torch.fft.irfft2(full, s=(50, 48))
    total = square = 0.0
    count = 0
    for y in range(-7, 8):
        for x in range(-7, 8):
            if y * y + x * x < 49:
                value = float(filtered[y - shift, x - shift])
                total, square, count = total + value, square + value**2, count + 1
    sums = template_sums(block, band, 50 * 48, 7, shift)
    assert float(sums.mean) == pytest.approx(total / (count + 1))
    assert float(sums.mean_square) == pytest.approx(square / (count + 1))
    assert float(sums.expected_ratio) == pytest.approx(math.exp(square / 2 / (count + 1)))
