import numpy as np
import pytest
import torch

from cryoflow.compute.select.class_features import class_features


def grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:size, :size] - size // 2
    return y, x


def ellipse(size: int, along: float, across: float, dy: float = 0, dx: float = 0) -> np.ndarray:
    """One inside an ellipse whose long axis lies at 30 degrees."""
    y, x = grid(size)
    u, v = (
        (x - dx) * np.cos(np.pi / 6) + (y - dy) * np.sin(np.pi / 6),
        (y - dy) * np.cos(np.pi / 6) - (x - dx) * np.sin(np.pi / 6),
    )
    return ((u / along) ** 2 + (v / across) ** 2 <= 1).astype(float)


@pytest.mark.parametrize("size", [64, 65])
def test_roundness_is_the_ratio_of_the_axes(size: int) -> None:
    images = torch.from_numpy(np.stack([ellipse(size, 16, 16), ellipse(size, 20, 10), ellipse(size, 24, 3)]))
    found = class_features(images, size / 2 - 2)
    np.testing.assert_allclose(found.roundness, [1, 0.5, 0.125], atol=0.02)
    np.testing.assert_allclose(found.centring, 0, atol=1e-12)


@pytest.mark.parametrize("size", [64, 65])
def test_centring_is_the_distance_in_radii(size: int) -> None:
    images = torch.from_numpy(ellipse(size, 6, 6, 6, -8)[None])
    np.testing.assert_allclose(class_features(images, 25).centring, 10 / 25, atol=1e-6)


def test_contrast_counts_the_backgrounds_deviations() -> None:
    rng = np.random.default_rng(0)
    y, x = grid(256)
    core = np.hypot(y, x) <= 60
    noise = rng.normal(0, 2, size=(256, 256))
    found = class_features(torch.from_numpy(np.stack([noise + 10 * core, noise, noise + 5])), 120)
    np.testing.assert_allclose(found.contrast, [5, 0, 0], atol=0.1)
    np.testing.assert_allclose(found.edge_energy[1:], 1, atol=0.05)
    inside = np.hypot(y, x) <= 120
    power = 4 + 100 * (core & inside).sum() / inside.sum()
    np.testing.assert_allclose(found.edge_energy[0], 4 / power, rtol=0.05)
    np.testing.assert_allclose(found.strength[1:], 2, rtol=0.02)


def test_masks_larger_than_the_box_count_as_the_largest_that_fits() -> None:
    images = torch.from_numpy(np.random.default_rng(3).normal(size=(2, 32, 32)))
    for found, fitting in zip(class_features(images, 40), class_features(images, 15), strict=True):
        assert torch.equal(found, fitting)


def test_sharpness_is_the_frequency_of_a_wave() -> None:
    size, radius, wave = 128, 50, 8
    image = np.cos(2 * np.pi * grid(size)[1] / wave)
    found = class_features(torch.from_numpy(image[None]), radius)
    np.testing.assert_allclose(found.sharpness, 2 * radius / wave, rtol=0.03)  # the mask cuts the wave


def test_scale_and_level_do_not_matter() -> None:
    image = torch.from_numpy(ellipse(48, 9, 5, 2, 3) + np.random.default_rng(1).normal(0, 0.1, (48, 48)))[
        None
    ]
    one, other = class_features(image, 22), class_features(7 * image - 3, 22)
    for name in one._fields:
        factor = 7 if name == "strength" else 1
        np.testing.assert_allclose(getattr(other, name), factor * getattr(one, name), rtol=1e-9)


def test_flat_images_give_finite_numbers() -> None:
    found = class_features(torch.zeros(2, 16, 16), 30)  # a mask wider than the box
    assert all(torch.isfinite(values).all() for values in found)
    assert found.contrast.tolist() == [0, 0] and found.edge_energy.tolist() == [1, 1]


def test_dark_particles_have_the_opposite_contrast() -> None:
    noise = 0.1 * np.random.default_rng(2).normal(size=(64, 64))
    image = torch.from_numpy(ellipse(64, 10, 8) + noise)
    bright, dark = class_features(torch.stack((image, -image)), 28).contrast.tolist()
    assert bright > 2
    assert dark == pytest.approx(-bright, rel=1e-9)
