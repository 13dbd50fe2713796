"""Directions on the sphere, point groups, and projections of maps."""

import math

import pytest
import torch

from cryoflow.compute.projection.directions import Directions, asymmetric_directions, healpix
from cryoflow.compute.projection.map_projection import project
from cryoflow.compute.projection.point_groups import symmetry_rotations
from cryoflow.errors import CryoflowError

ORDERS = {
    "C1": 1,
    "C5": 5,
    "D1": 2,
    "D2": 4,
    "D7": 14,
    "T": 12,
    "O": 24,
    "I": 60,
    "I1": 60,
    "I3": 60,
    "I4": 60,
}


def test_healpix_pixels_are_evenly_spread() -> None:
    vectors = healpix(2).vectors
    assert vectors.shape == (192, 3)
    torch.testing.assert_close(vectors.sum(0), torch.zeros(3, dtype=torch.float64), atol=1e-9, rtol=0)
    # the second moments of an even distribution
    torch.testing.assert_close(vectors.mT @ vectors / 192, torch.eye(3).double() / 3, atol=3e-3, rtol=0)
    nearest = (vectors @ vectors.mT - 2 * torch.eye(192)).max(1).values
    assert math.degrees(math.acos(float(nearest.max()))) > 10
    assert math.degrees(math.acos(float(nearest.min()))) < 17


def test_first_pixels_are_healpix_own() -> None:
    """Values of Gorski 2005 for one pixel per face: four rings of latitude at z = 2/3, 0 and -2/3."""
    directions = healpix(0)
    assert directions.rot.tolist() == [45, 135, -135, -45, 0, 90, 180, -90, 45, 135, -135, -45]
    expected = [math.degrees(math.acos(z)) for z in (2 / 3, 0, -2 / 3) for _ in range(4)]
    assert directions.tilt.tolist() == pytest.approx(expected)


@pytest.mark.parametrize(("group", "order"), ORDERS.items())
def test_groups_are_closed_sets_of_rotations(group: str, order: int) -> None:
    rotations = symmetry_rotations(group)
    assert len(rotations) == order
    identity = torch.eye(3, dtype=torch.float64)
    torch.testing.assert_close(rotations @ rotations.mT, identity.expand(order, 3, 3))
    torch.testing.assert_close(torch.linalg.det(rotations), torch.ones(order, dtype=torch.float64))
    products = torch.einsum("aij,bjk->abik", rotations, rotations).reshape(-1, 1, 9)
    assert float((products - rotations.reshape(1, -1, 9)).abs().amax(2).min(1).values.max()) < 1e-9


@pytest.mark.parametrize("group", ["CS", "D2H", "IH", "S4"])
def test_groups_with_mirrors_are_refused(group: str) -> None:
    with pytest.raises(CryoflowError, match=f"symmetry {group}: unknown point group"):
        symmetry_rotations(group)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("group", ORDERS)
def test_directions_cover_all_views_and_hardly_any_twice(group: str, order: int) -> None:
    kept = asymmetric_directions(order, group).vectors
    rotations = symmetry_rotations(group)
    everywhere = torch.einsum("gij,nj->gni", rotations, kept).reshape(-1, 3)
    views = healpix(4).vectors
    apart = torch.rad2deg(torch.acos((views @ everywhere.mT).max(1).values.clamp(-1, 1)))
    assert float(apart.max()) < 42 / 2 ** (order - 1)
    share = 12 * 4**order / len(rotations)
    assert max(1, 0.7 * share - 2) <= len(kept) <= 1.3 * share + 2


@pytest.mark.parametrize("box", [24, 30])
def test_projections_are_sums_along_the_line_of_sight(box: int) -> None:
    """Of Gaussian blobs, whose projections are Gaussians at the projected places."""
    sigma, offset = 1.7, torch.arange(box, dtype=torch.float64) - box // 2
    places = torch.tensor([[3.0, -2.0, 4.0], [-4.0, 1.0, -1.0]], dtype=torch.float64)  # x, y, z
    volume = torch.zeros(box, box, box, dtype=torch.float64)
    for x, y, z in places.tolist():
        squared = (offset[:, None, None] - z) ** 2 + (offset[:, None] - y) ** 2 + (offset - x) ** 2
        volume += torch.exp(-squared / (2 * sigma**2))
    angles = torch.tensor([[0.0, 0.0], [90.0, 0.0], [0.0, 90.0], [-130.0, 75.0]], dtype=torch.float64)
    images = project(volume, Directions(*angles.mT), 1.0, None)
    for (rot, tilt), image in zip(torch.deg2rad(angles).tolist(), images, strict=True):
        # turn by -rot about z, then by -tilt about y: what was along the direction is now along z
        about_z = torch.tensor(
            [[math.cos(rot), math.sin(rot), 0], [-math.sin(rot), math.cos(rot), 0], [0, 0, 1]]
        ).double()
        about_y = torch.tensor(
            [[math.cos(tilt), 0, -math.sin(tilt)], [0, 1, 0], [math.sin(tilt), 0, math.cos(tilt)]]
        ).double()
        expected = torch.zeros(box, box, dtype=torch.float64)
        for x, y, _ in (places @ (about_y @ about_z).mT).tolist():
            squared = (offset[:, None] - y) ** 2 + (offset - x) ** 2
            expected += math.sqrt(2 * math.pi) * sigma * torch.exp(-squared / (2 * sigma**2))
        assert float((image - expected).abs().max()) < 0.06 * float(expected.max())


def test_low_pass_leaves_nothing_beyond_its_shell() -> None:
    volume = torch.randn(20, 20, 20, generator=torch.Generator().manual_seed(8), dtype=torch.float64)
    images = project(volume, healpix(0), 2.0, 13.0)
    frequency = torch.fft.fftfreq(20).double()
    radius = torch.hypot(frequency[:, None], torch.fft.rfftfreq(20).double()) * 20
    power = torch.fft.rfft2(images).abs()
    assert float(power[:, radius > 4.001].max()) < 1e-9 < float(power[:, (radius > 3) & (radius < 4)].max())
