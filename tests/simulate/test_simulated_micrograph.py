"""Micrographs: what lies where, contrast, noise, carbon."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.fft import irfft2, rfft2
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import pdist

from cryoflow.errors import CryoflowError
from cryoflow.simulate.micrograph import COUNTS_PER_SD, MEAN_COUNT, Micrograph, simulate_micrograph
from cryoflow.simulate.optics import Optics, image_contrast, smooth_field
from cryoflow.simulate.options import SimulateOptions
from cryoflow.simulate.poses import rotation_matrices
from cryoflow.simulate.projection import projection
from cryoflow.simulate.sample import Sample, centred_radius

OPTIONS = SimulateOptions(
    size=(400, 331),
    pixel_size=3.0,
    diameter=150,
    particles=14,
    broken=2,
    contaminants=2,
    carbon=0,
    snr=0.05,
    seed=3,
)


@pytest.fixture(scope="module")
def sample() -> Sample:
    return Sample(OPTIONS)


@pytest.fixture(scope="module")
def micrograph(sample: Sample) -> Micrograph:
    return simulate_micrograph("mic001", sample)


def test_the_truth_is_where_the_clean_image_shows_the_particles(
    sample: Sample, micrograph: Micrograph
) -> None:
    """Each particle's own projection, blurred by the CTF, fits best at its position (to the pixel)."""
    scene, options = micrograph.scene, sample.options
    box = 96
    rotations = rotation_matrices(scene.angles_deg)
    offsets = []
    for kind, (y, x), rotation in zip(scene.kinds, scene.centres_yx, rotations, strict=True):
        if kind != 1:
            continue
        template = np.zeros(options.size)
        template[:box, :box] = image_contrast(
            projection(sample.model, rotation, box, options.pixel_size), scene.optics, options
        )
        template = np.roll(template, (-(box // 2), -(box // 2)), (0, 1))
        match = irfft2(rfft2(micrograph.clean) * rfft2(template).conj(), s=options.size)
        near = match[round(y) - 12 : round(y) + 13, round(x) - 12 : round(x) + 13]
        offsets.append(np.array(np.unravel_index(near.argmax(), near.shape)) - 12)
    offsets = np.array(offsets)
    assert len(offsets) == options.particles
    assert (np.abs(offsets) <= 1).mean() > 0.9  # a neighbour may pull one of them


def test_particles_are_darker_than_the_ice(sample: Sample, micrograph: Micrograph) -> None:
    smooth = gaussian_filter(micrograph.clean, 5)
    whole = micrograph.scene.kinds == 1
    y, x = np.rint(micrograph.scene.centres_yx[whole]).astype(int).T
    assert smooth[y, x].mean() < -3 * smooth.std() / np.sqrt(whole.sum())
    assert smooth[y, x].max() < smooth.max() / 4


def test_amplitude_contrast_alone_darkens_at_zero_frequency() -> None:
    spot = np.zeros((128, 130))
    spot[60:64, 50:54] = 1
    contrast = image_contrast(spot, Optics(15000, 15000, 0), OPTIONS)
    assert np.isclose(contrast.sum(), -OPTIONS.amplitude_contrast * 16, rtol=1e-3)
    assert np.unravel_index(contrast.argmin(), contrast.shape)[0] in range(59, 65)


def test_contrast_does_not_come_back_on_the_other_side(sample: Sample) -> None:
    options = replace(OPTIONS, particles=1, broken=0, contaminants=0)
    made = simulate_micrograph("mic009", Sample(options))
    y, x = made.scene.centres_yx[0]
    far = np.hypot(*np.ogrid[-y : 400 - y - 0.5, -x : 331 - x - 0.5]) > 120
    assert np.abs(made.clean[far]).max() < 0.02 * np.abs(made.clean).max()


def test_objects_keep_their_distance_and_stay_inside(micrograph: Micrograph) -> None:
    centres = micrograph.scene.centres_yx
    assert pdist(centres).min() * OPTIONS.pixel_size >= 0.95 * OPTIONS.diameter
    half = OPTIONS.box / 2
    assert (centres >= half).all() and (centres <= np.array(OPTIONS.size) - 1 - half).all()
    assert np.bincount(micrograph.scene.kinds).tolist() == [0, 14, 2, 2]


def test_signal_to_noise_and_counts_are_as_asked(sample: Sample, micrograph: Micrograph) -> None:
    noise = (micrograph.image - MEAN_COUNT) / COUNTS_PER_SD - micrograph.clean
    hot = noise > 8
    assert 1 <= hot.sum() <= OPTIONS.hot_pixels
    fine = (noise[1:, 1:] - noise[:-1, :-1])[~hot[1:, 1:] & ~hot[:-1, :-1]]
    assert np.isclose(fine.std(), np.sqrt(2), rtol=0.01)  # the slow part cancels
    disc = centred_radius(2 * 40) * OPTIONS.pixel_size <= OPTIONS.diameter / 2
    inside = []
    for kind, (y, x) in zip(
        micrograph.scene.kinds, np.rint(micrograph.scene.centres_yx).astype(int), strict=True
    ):
        window = micrograph.clean[y - 40 : y + 40, x - 40 : x + 40]
        if kind == 1 and window.shape == (80, 80):
            inside.append(window[disc].var())
    assert 0.5 < np.mean(inside) / OPTIONS.snr < 2


def test_carbon_is_dark_and_free_of_particles() -> None:
    options = replace(OPTIONS, size=(520, 531), carbon=1.0)
    made = simulate_micrograph("mic002", Sample(options))
    assert made.scene.edge is not None
    y, x = np.arange(520.0)[:, None], np.arange(531.0)[None, :]
    depth = made.scene.edge.depth(y, x)
    assert 0.02 < (depth > 0).mean() < 0.35
    dark = np.median(made.image[depth > 40]) - np.median(made.image[depth < -40])
    assert np.isclose(dark / COUNTS_PER_SD, -2, atol=0.6)
    whole = made.scene.centres_yx[made.scene.kinds < 3]
    assert (made.scene.edge.depth(whole[:, 0], whole[:, 1]) < 0).all()


def test_references_have_the_particles_greyscale(sample: Sample) -> None:
    images = sample.references()
    box = OPTIONS.reference_box
    assert images.shape == (4, box, box) and box % 2 == 0
    outside = centred_radius(box) * 2 * OPTIONS.pixel_size > OPTIONS.diameter / 2
    assert not images[:, outside].any() and (images[:, ~outside] > 0).all()
    # mass: that of a projection at the micrograph's pixel, times 2 for the binned noise, over the sd
    fine = projection(sample.model, np.eye(3), OPTIONS.box, OPTIONS.pixel_size) * sample.calibration.scale
    np.testing.assert_allclose(images.sum((1, 2)) * 4, 2 * fine.sum() / 1.02, rtol=0.03)


def test_smooth_fields_are_smooth() -> None:
    field = smooth_field((300, 401), 60, np.random.default_rng(0))
    assert field.shape == (300, 401)
    assert 0.6 < field.std() < 1.4
    assert np.abs(np.diff(field, axis=0)).max() < 0.2


def test_a_micrograph_depends_on_its_name_only(micrograph: Micrograph) -> None:
    again = simulate_micrograph("mic001", Sample(replace(OPTIONS, micrographs=99)))
    np.testing.assert_array_equal(again.image, micrograph.image)
    assert not np.array_equal(simulate_micrograph("mic002", Sample(OPTIONS)).image, micrograph.image)


def test_too_many_particles_are_refused() -> None:
    with pytest.raises(CryoflowError, match=r"only \d+ objects fit on 400 x 331 pixels"):
        simulate_micrograph("mic001", Sample(replace(OPTIONS, particles=200)))
