"""Shells against plain loops over frequencies."""

import math

import numpy as np
import pytest
import torch

from cryoflow.compute.image import shells


def round_half_up(radius: float) -> int:
    return math.floor(radius + 0.5)


def half_plane(box: int) -> list[tuple[int, int, int]]:
    """Row, frequency along y and frequency along x of each point, row by row."""
    return [
        (row, int(ky), kx)
        for row, ky in enumerate(np.fft.fftfreq(box, 1 / box))
        for kx in range(box // 2 + 1)
    ]


@pytest.mark.parametrize("box", [6, 7, 16])
def test_shells_are_rounded_radii(box: int) -> None:
    index = shells.shell_index(box)
    for row, ky, kx in half_plane(box):
        assert int(index[row, kx]) == round_half_up(math.hypot(ky, kx))


@pytest.mark.parametrize("box", [9, 12])
@pytest.mark.parametrize("count", [3, 5, 20])
def test_sums_counts_and_means_leave_out_what_lies_beyond(box: int, count: int) -> None:
    values = np.random.default_rng(box).normal(size=(3, box, box // 2 + 1))
    sums, counts = np.zeros((3, count)), np.zeros(count, dtype=int)
    for row, ky, kx in half_plane(box):
        shell = round_half_up(math.hypot(ky, kx))
        if shell < count:
            sums[:, shell] += values[:, row, kx]
            counts[shell] += 1
    index = shells.shell_index(box)
    assert shells.shell_sums(torch.from_numpy(values), index, count).numpy() == pytest.approx(sums)
    assert shells.shell_counts(index, count).tolist() == counts.tolist()
    if counts.all():
        means = shells.shell_means(torch.from_numpy(values), index, count)
        assert means.numpy() == pytest.approx(sums / counts)


def test_power_spectrum_of_waves_lies_in_their_shells() -> None:
    box = 16
    y, x = np.mgrid[:box, :box]
    images = np.stack([np.cos(2 * np.pi * (3 * y + 4 * x) / box), np.cos(2 * np.pi * 2 * x / box)])
    power = shells.power_spectrum(torch.fft.rfft2(torch.from_numpy(images))).numpy()
    points = [sum(round_half_up(math.hypot(ky, kx)) == s for _, ky, kx in half_plane(box)) for s in (5, 2)]
    expected = np.zeros((2, box // 2 + 1))
    expected[0, 5], expected[1, 2] = (box**2 / 2) ** 2 / points[0], (box**2 / 2) ** 2 / points[1]
    assert power == pytest.approx(expected, abs=1e-9)


def test_products_with_the_indicator_are_sums() -> None:
    index = torch.tensor([0, 2, 1, 2, 5, 3])
    values = torch.arange(12.0).view(2, 6)
    assert (values @ shells.shell_indicator(index, 3).float()).tolist() == [[0, 2, 4], [6, 8, 16]]


@pytest.mark.parametrize(("box", "radius"), [(16, 5), (16, 8), (12, 3)])
def test_each_conjugate_pair_counts_once(box: int, radius: int) -> None:
    counted = shells.shell_indicator_once(box, radius).view(box, box // 2 + 1, -1)
    for row, ky, kx in half_plane(box):
        y = abs(ky) if 2 * ky == -box else ky  # the Nyquist row counts as positive
        shell = round_half_up(math.hypot(y, kx))
        missing = (kx == 0 and y < 0) or shell > box // 2 or (y == -radius and shell == radius)
        expected = np.zeros(box // 2 + 1)
        expected[min(shell, box // 2)] = not missing
        assert counted[row, kx].tolist() == expected.tolist()


@pytest.mark.parametrize("inclusive", [True, False])
def test_padded_shells_are_those_of_the_unpadded_box(inclusive: bool) -> None:
    box, padding, radius = 10, 2, 4
    found = shells.padded_shells(box, padding, radius, inclusive)
    values = np.random.default_rng(1).normal(size=(1, padding * box, box + 1))
    sums, counts = np.zeros(box // 2 + 1), np.zeros(box // 2 + 1)
    for row, ky, kx in half_plane(padding * box):
        shell = min(round_half_up(math.hypot(ky, kx) / padding), box // 2)
        squared, limit = ky**2 + kx**2, (padding * radius) ** 2
        inside = squared < limit or (inclusive and squared == limit)
        assert bool(found.inside[row, kx]) == inside
        sums[shell] += values[0, row, kx]
        counts[shell] += inside
    assert found.sums(torch.from_numpy(values))[0].numpy() == pytest.approx(sums)
    assert found.counts.tolist() == counts.tolist()
