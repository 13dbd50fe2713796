"""Projections against sums over a 3D grid; symmetry; poses."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cryoflow.compute.projection.point_groups import symmetry_rotations
from cryoflow.simulate.model import GaussianModel, build_model, half_of
from cryoflow.simulate.options import PRESETS
from cryoflow.simulate.poses import random_angles, rotation_matrices, spread_views
from cryoflow.simulate.projection import add_projection, projection


def density(model: GaussianModel, points: np.ndarray) -> np.ndarray:
    """The Gaussian sum at points (..., 3), straight from its definition."""
    d2 = ((points[..., None, :] - model.centres_a) ** 2).sum(-1)
    return (model.mass * np.exp(-d2 / (2 * model.sigma_a**2))).sum(-1) / (2 * np.pi * model.sigma_a**2) ** 1.5


def few(rng: np.random.Generator) -> GaussianModel:
    return GaussianModel(rng.uniform(-20, 20, (5, 3)), rng.uniform(0.5, 2, 5), 6.0)


@pytest.mark.parametrize("box", [24, 25])
def test_a_projection_is_the_integral_along_the_beam(box: int) -> None:
    rng = np.random.default_rng(1)
    model, pixel, step = few(rng), 3.1, 1.5
    angles = random_angles(1, rng)[0]
    image = projection(model, rotation_matrices(angles), box, pixel)
    offset = (np.arange(box) - box // 2) * pixel
    z = np.arange(-60, 60, step)
    lab = np.stack(np.meshgrid(z, offset, offset, indexing="ij")[::-1], -1)  # x, y, z of the microscope
    rotation = Rotation.from_euler("ZYZ", angles, degrees=True)
    integral = density(model, lab @ rotation.as_matrix()).sum(0) * step  # row vectors: R^T r
    np.testing.assert_allclose(image, integral, atol=1e-4 * integral.max())


def test_a_projection_is_cut_at_the_border_and_added_outside_whole_pixels() -> None:
    rng = np.random.default_rng(2)
    model = few(rng)
    whole = np.zeros((60, 70))
    add_projection(whole, model, np.eye(3), np.array([10.25, 66.5]), 3.0, 2.0)
    part = np.ones((20, 60))
    add_projection(part, model, np.eye(3), np.array([5.25, 56.5]), 3.0, 2.0)
    np.testing.assert_allclose(part - 1, whole[5:25, 10:], atol=1e-4 * whole.max())
    away = np.zeros((20, 60))
    add_projection(away, model, np.eye(3), np.array([200.0, 10.0]), 3.0, 2.0)
    assert not away.any()


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_has_its_symmetry_its_diameter_and_its_centre(preset: str) -> None:
    model = build_model(preset, PRESETS[preset], 150.0, np.random.default_rng(3))
    points = np.random.default_rng(4).uniform(-60, 60, (40, 3))
    here = density(model, points)
    for operation in symmetry_rotations(PRESETS[preset]).numpy():
        np.testing.assert_allclose(density(model, points @ operation), here, atol=1e-9 * here.max())
    np.testing.assert_allclose(model.mass @ model.centres_a, 0, atol=1e-9)
    assert np.isclose(np.linalg.norm(model.centres_a, axis=1).max() + 2 * model.sigma_a, 75)
    assert np.isclose(model.mass.sum(), 1)


def test_half_a_particle_lies_on_one_side() -> None:
    model = build_model("barrel", "D7", 150.0, np.random.default_rng(5))
    normal = np.array([0.2, -1.0, 0.4])
    half = half_of(model, normal)
    assert (half.centres_a @ normal > 0).all()
    assert 0.4 < half.mass.sum() < 0.6


def relion_matrix(rot: float, tilt: float, psi: float) -> np.ndarray:
    """RELION's rotation, element by element as its documentation of conventions gives it."""
    a, b, g = np.deg2rad((rot, tilt, psi))
    ca, cb, cg, sa, sb, sg = np.cos(a), np.cos(b), np.cos(g), np.sin(a), np.sin(b), np.sin(g)
    return np.array(
        [
            [cg * cb * ca - sg * sa, cg * cb * sa + sg * ca, -cg * sb],
            [-sg * cb * ca - cg * sa, -sg * cb * sa + cg * ca, sg * sb],
            [sb * ca, sb * sa, cb],
        ]
    )


def test_poses_translate_into_relions_angles() -> None:
    angles = random_angles(50, np.random.default_rng(6))
    assert ((angles[:, 1] >= 0) & (angles[:, 1] <= 180)).all()
    for pose, matrix in zip(angles, rotation_matrices(angles), strict=True):
        np.testing.assert_allclose(
            matrix, Rotation.from_euler("ZYZ", pose, degrees=True).as_matrix(), atol=1e-12
        )
        np.testing.assert_allclose(matrix, relion_matrix(*-pose[::-1]), atol=1e-12)  # -psi, -tilt, -rot


def test_turning_in_the_plane_turns_the_picture() -> None:
    model = few(np.random.default_rng(7))
    turned = rotation_matrices(np.array([90.0, 40, 10])), rotation_matrices(np.array([0.0, 40, 10]))
    quarter, straight = (projection(model, r, 31, 3.0) for r in turned)
    np.testing.assert_allclose(quarter, np.rot90(straight, -1), atol=1e-4 * straight.max())  # x goes to y


def test_views_lie_apart() -> None:
    rng = np.random.default_rng(8)
    group = symmetry_rotations("D2").numpy()
    directions = rotation_matrices(spread_views(6, group, rng))[:, 2]
    cosines = np.einsum("ai,oij,bj->abo", directions, group, directions).max(-1)
    assert cosines[~np.eye(6, dtype=bool)].max() < np.cos(np.deg2rad(33))
