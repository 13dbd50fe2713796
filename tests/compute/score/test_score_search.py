import numpy as np
import pytest
import torch

from cryoflow.compute.image.rotate import padded_transform
from cryoflow.compute.score.decoys import NULLS, Null, decoys, to_polar
from cryoflow.compute.score.features import View, measure
from cryoflow.compute.score.picks import (
    Competition,
    Peaks,
    best_near,
    compete,
    local_maxima,
    own_peaks,
    rivals,
)
from cryoflow.compute.score.prepared import Prepared, prepare
from cryoflow.compute.score.scene import COARSE, Scene, whitened
from cryoflow.compute.score.search import search, templates
from cryoflow.compute.score.spectrum import Spectrum, blurred, quiet_spectrum
from cryoflow.errors import CryoflowError

PIXEL, DIAMETER = 4.0, 96.0


def particle(size: int = 32) -> torch.Tensor:
    y, x = np.mgrid[:size, :size] - size // 2
    spots = ((-4, 0, 3.0), (3, 5, 2.0), (5, -4, 2.5))
    image = sum(np.exp(-((y - a) ** 2 + (x - b) ** 2) / (2 * s**2)) for a, b, s in spots)
    return torch.from_numpy(np.where(np.hypot(y, x) < size // 2 - 2, image, 0))


def noise(shape: tuple[int, int], seed: int = 1) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def scene_of(image: torch.Tensor) -> Scene:
    return whitened(prepare(image, PIXEL, DIAMETER), DIAMETER, None, COARSE)


def test_noise_gets_unit_variance_whatever_its_scale_and_colour() -> None:
    white = noise((211, 240))
    coloured = blurred(white, 0.8, 4.0) * 37 + 500
    for image in (white, coloured):
        scene = scene_of(image)
        inner = scene.image[8:-8, 8:-8]
        assert float(inner.std()) == pytest.approx(1.1, abs=0.15)  # the quietest tenth counts
        assert float(scene.variance.median().sqrt()) == pytest.approx(float(inner.std()), abs=0.1)


def test_blur_is_the_mirrored_gaussian() -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    image = noise((13, 18)).double()
    expected = ndimage.gaussian_filter(image.numpy(), 5.0, mode="reflect", truncate=2.0)
    np.testing.assert_allclose(blurred(image, 5.0, 2.0).numpy(), expected, atol=1e-12)


def test_spectrum_of_white_noise_is_its_variance() -> None:
    spectrum = quiet_spectrum(3 * noise((256, 200)), 32, 0.5)
    np.testing.assert_allclose(spectrum.power[4:-1], 9, rtol=0.12)
    between = spectrum.at(torch.tensor([4.25 / 32]))
    assert float(between) == pytest.approx(float(0.75 * spectrum.power[4] + 0.25 * spectrum.power[5]))


def test_spectrum_is_linear_between_shells_and_flat_beyond_them() -> None:
    spectrum = Spectrum(torch.tensor([100.0, 1.0, 2.0, 4.0]), 6)
    shells = torch.tensor([0.0, 0.5, 1.0, 1.5, 2.5, 3.0, 4.0])
    torch.testing.assert_close(spectrum.at(shells / 6), torch.tensor([1.0, 1.0, 1.0, 1.5, 3.0, 4.0, 4.0]))


def test_whitened_images_have_no_mean() -> None:
    scene = whitened(Prepared(noise((120, 132)) + 5, PIXEL, (480.0, 528.0)), DIAMETER, None, COARSE)
    assert abs(float(scene.image.mean())) < 1e-5


def test_local_correlation_is_that_of_loops() -> None:
    scene = scene_of(noise((170, 201)))
    reference = particle()[None].float()
    match = search(scene, reference, PIXEL)
    window, image = scene.window.double().numpy(), scene.image.double().numpy()
    n = len(window)
    transform = padded_transform(reference)
    angles = torch.arange(0, 360, 10.0)
    kernels = [templates(scene, transform, psi, PIXEL).images[0].double().numpy() for psi in angles]
    for y, x in ((n, n), (n + 3, n + 7)):
        box = image[y - n // 2 : y - n // 2 + n, x - n // 2 : x - n // 2 + n]
        z = [(kernel * box).sum() for kernel in kernels]
        area, total = window.sum(), (window * box).sum()
        variance = ((window * box**2).sum() - total**2 / area) / (area - 1)
        assert float(match.z[y, x]) == pytest.approx(max(z), abs=1e-4)
        assert float(match.mean[y, x]) == pytest.approx(np.mean(z), abs=1e-4)
        assert float(match.sd[y, x]) == pytest.approx(np.std(z), abs=1e-3)
        assert float(match.ncc[y, x]) == pytest.approx(max(z) / variance**0.5, abs=1e-4)


def test_a_particle_is_found_where_it_lies() -> None:
    image = noise((200, 230))
    image[76:108, 116:148] -= 3 * particle().rot90().float()  # dark; turned, its centre is at (91, 132)
    scene = scene_of(image)
    match = search(scene, particle()[None], PIXEL)
    y, x = np.unravel_index(int(match.ncc.argmax()), tuple(match.ncc.shape))
    assert abs(y * scene.pixel_y_a - 91 * PIXEL) < scene.pixel_a
    assert abs(x * scene.pixel_x_a - 132 * PIXEL) < scene.pixel_a


def test_features_are_those_of_the_best_place_in_reach() -> None:
    image = noise((200, 230))
    image[76:108, 116:148] -= 3 * particle().rot90().float()
    scene = scene_of(image)
    match, middle = search(scene, particle()[None], PIXEL), torch.zeros_like(scene.image)
    iy, ix = np.unravel_index(int(match.ncc.argmax()), tuple(match.ncc.shape))
    y, x = torch.tensor([[iy + 2.0], [ix]], dtype=torch.float64)  # two samples beside the peak
    place = (y * scene.pixel_y_a, x * scene.pixel_x_a)
    near, far = (
        measure(View(scene, match), View(scene, match), middle, place, reach * scene.pixel_a)
        for reach in (1.0, 2.5)
    )
    assert float(far.y_a) == pytest.approx(iy * scene.pixel_y_a)
    assert float(near.y_a) > float(far.y_a)
    assert float(far.features.ncc) == float(match.ncc[iy, ix]) > float(near.features.ncc)

    # what is left of the window without its projection on the template: z is that projection
    n = len(scene.window)
    padded = np.pad(scene.image.double().numpy(), n, mode="wrap")
    box = padded[iy + n - n // 2 :, ix + n - n // 2 :][:n, :n]
    window, area = scene.window.double().numpy(), float(scene.window.sum())
    squares = (window * (box - (window * box).sum() / area) ** 2).sum()
    left = squares / (area - 1) - float(match.z[iy, ix]) ** 2 / area
    assert float(far.features.log_residual) == pytest.approx(np.log(left), abs=1e-3)


def test_features_do_not_tell_the_level_of_the_background() -> None:
    scene = scene_of(noise((180, 200)))
    lifted = scene._replace(image=scene.image + 3, total=scene.total + 3 * scene.window.sum())
    match, middle = search(scene, particle()[None], PIXEL), torch.zeros_like(scene.image)
    place = (torch.tensor([300.0, 250.0]).double(), torch.tensor([200.0, 320.0]).double())
    views = [View(one, match) for one in (scene, lifted)]
    here, there = (measure(view, view, middle, place, 0.2 * DIAMETER).features for view in views)
    for before, after in zip(here, there, strict=True):
        torch.testing.assert_close(after, before, rtol=0, atol=1e-4)
    assert float(here.maximum.min()) > 1
    none = torch.zeros(0, dtype=torch.float64)
    nowhere = measure(views[0], views[0], middle, (none, none), 0.2 * DIAMETER).features
    assert all(feature.shape == (0,) for feature in nowhere)


def ring_power(image: torch.Tensor) -> np.ndarray:
    n = len(image)
    frequency = np.fft.fftfreq(n) * n
    ring = np.rint(np.hypot(frequency[:, None], frequency)).astype(int)
    power = np.abs(np.fft.fft2(image.numpy())) ** 2
    return np.array([power[ring == r].sum() for r in range(n // 2)])


@pytest.mark.parametrize("null", NULLS)
@pytest.mark.parametrize("size", [47, 48])
def test_decoys_keep_the_power_by_frequency_and_the_disc(null: Null, size: int) -> None:
    reference = particle(size)[None]
    decoy = decoys(reference, 5, null)
    expected = ring_power(reference[0])
    np.testing.assert_allclose(ring_power(decoy[0]), expected, atol=0.02 * expected.max())
    y, x = np.mgrid[:size, :size] - size // 2
    assert not decoy[0][torch.from_numpy(np.hypot(y, x) > size // 2 - 1)].any()


def test_shape_decoys_keep_the_blob_and_lose_the_rest_at_every_angle() -> None:
    reference = particle(48)[None]
    both = (reference[0], decoys(reference, 0, "shape")[0])
    before, after = (torch.fft.rfft(to_polar(image), dim=1).numpy()[:46] for image in both)
    radius = np.arange(46)[:, None]
    cross, power = ((radius * before * other.conj()).sum(0) for other in (after, before))
    assert cross[0].real > 0.9 * power[0].real
    assert np.abs(cross[1:8]).max() < 0.4 * np.abs(power[1:8]).max()


def test_decoys_keep_how_alike_references_are() -> None:
    references = torch.stack((particle(48), 0.5 * particle(48).roll(4, 0), particle(48).rot90()))
    false = decoys(references, 3)
    products = [torch.einsum("ayx,byx->ab", images, images) for images in (references, false)]
    np.testing.assert_allclose(products[1], products[0], atol=0.005 * float(products[0].max()))


def test_decoys_keep_the_power_by_radius_and_angular_order() -> None:
    reference = particle(48)[None]
    decoy = decoys(reference, 5)
    powers = [
        (np.abs(torch.fft.rfft(to_polar(image), dim=1).numpy()) ** 2)[:40, :12]
        for image in (reference[0], decoy[0])
    ]
    assert np.abs(powers[0] - powers[1]).max() < 0.03 * powers[0].max()
    np.testing.assert_allclose(powers[1].sum(1), powers[0].sum(1), atol=0.02 * powers[0].sum(1).max())
    assert np.corrcoef(reference.flatten(), decoy.flatten())[0, 1] < 0.5
    assert torch.equal(decoy, decoys(reference, 5)) and not torch.equal(decoy, decoys(reference, 6))


def test_decoys_and_targets_score_alike_on_noise() -> None:
    reference = particle()[None]
    false = decoys(reference, 3)
    won = []
    for seed in range(6):
        scene = scene_of(noise((400, 420), seed))
        maps = [search(scene, images, PIXEL).ncc for images in (reference, false)]
        won += compete(maps[0], maps[1], DIAMETER / scene.pixel_a).target.tolist()
    share = np.mean(won)
    assert len(won) > 200 and abs(share - 0.5) < 4 * 0.5 / len(won) ** 0.5


def test_maxima_are_those_of_a_plain_search() -> None:
    values = noise((31, 40))
    found = local_maxima(values, 3.5, 2)
    expected = []
    grid = np.stack(np.mgrid[:31, :40], -1)
    for y in range(2, 29):
        for x in range(2, 38):
            near = np.hypot(*(grid - (y, x)).reshape(-1, 2).T).reshape(31, 40) <= 3.5
            if values[y, x] > 0 and values[y, x] == values.numpy()[near].max():
                expected.append((y, x))
    assert list(zip(found.y.tolist(), found.x.tolist(), strict=True)) == expected


def test_competition_by_hand() -> None:
    """Peaks of either map, those below 0 left out; equals are the targets'."""
    target, decoy = torch.full((2, 40, 50), -1.0)
    target[10, 10], decoy[10, 12] = 3, 2  # within the distance: one peak
    target[10, 30], decoy[10, 30] = 3, 4
    target[25, 20], decoy[25, 20] = 2, 2
    target[25, 38] = -0.5
    found = compete(target, decoy, 10.0)
    places = zip(found.peaks.y.tolist(), found.peaks.x.tolist(), found.target.tolist(), strict=True)
    assert list(places) == [(10, 10, True), (10, 30, False), (25, 20, True)]
    assert found.peaks.value.tolist() == [3, 4, 2]


def test_rivals_are_the_best_within_the_distance_of_peaks() -> None:
    values = noise((31, 40))
    grid = np.stack(np.mgrid[:31, :40], -1)
    places = [(y, x) for y in range(3, 28, 3) for x in range(3, 37, 3)]  # a third of the diameter inside
    near = (np.hypot(*(grid - place).reshape(-1, 2).T).reshape(31, 40) <= 6 for place in places)
    assert rivals(values, 10.0).tolist() == [values.numpy()[own].max() for own in near]


def test_a_peak_belongs_to_the_nearest_position_in_reach() -> None:
    peaks = Peaks(torch.tensor([5, 5, 30]), torch.tensor([5, 20, 30]), torch.tensor([7.0, 8.0, 9.0]))
    found = Competition(peaks, torch.tensor([True, True, False]))
    y, x = torch.tensor([[5.0, 5, 5, 31, 90], [6, 4.5, 23.9, 30, 90]], dtype=torch.float64)
    values = own_peaks(found, y, x, 4.0)  # second of two at a peak; in reach; a decoy's; no peak
    assert values.isnan().tolist() == [True, False, False, True, True]
    assert values[1:3].tolist() == [7, 8] and own_peaks(found, y, x, 3.8)[1:3].isnan().tolist() == [
        False,
        True,
    ]
    none = Competition(Peaks(*(part[:0] for part in peaks)), torch.zeros(0, dtype=torch.bool))
    assert bool(own_peaks(none, y, x, 4.0).isnan().all())


def test_best_near_stays_within_reach_and_on_the_map() -> None:
    values = torch.zeros(9, 9)
    values[4, 6], values[4, 7] = 1.0, 2.0
    found = best_near(values, torch.tensor([4.0, -5.0]), torch.tensor([4.2, 20.0]), 2.0)
    assert (found.y.tolist(), found.x.tolist()) == ([4, 0], [6, 8])
    crowded = best_near(values, torch.tensor([4.0, 4.0, 4.0]), torch.tensor([4.2, 6.9, 5.9]), 3.0)
    assert crowded.x.tolist()[1:] == [7, 6] and float(crowded.value[0]) == 0  # each has what is nearest to it


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (torch.full((100, 100), torch.nan), "not finite"),
        (torch.ones(100, 100), "the same"),
        (noise((100, 40)), "smaller than two particle diameters"),
    ],
)
def test_micrographs_of_no_use_are_refused(image: torch.Tensor, message: str) -> None:
    with pytest.raises(CryoflowError, match=message):
        prepare(image, PIXEL, DIAMETER)


def test_dead_pixels_do_not_count() -> None:
    image = noise((120, 131))
    image[30, 40] = 1e6
    prepared: Prepared = prepare(image, PIXEL, DIAMETER)
    assert float(prepared.image.abs().max()) < 7


@pytest.mark.parametrize(("pixel", "binned"), [(4.0, 4.0), (2.6, 2.6), (2.4, 4.8), (1.0, 2.0)])
def test_binning_leaves_the_finest_detail_that_is_looked_at(pixel: float, binned: float) -> None:
    """A ninth of the diameter, and a tenth beyond: two pixels of each after binning."""
    prepared = prepare(noise((240, 280)), pixel, DIAMETER)
    factor = round(binned / pixel)
    assert prepared.pixel_a == pytest.approx(binned)
    assert tuple(prepared.image.shape) == (240 // factor, 280 // factor)


def test_pixels_beyond_six_deviations_are_mended() -> None:
    plain = noise((120, 130))
    plain[50, 60] = plain.median()
    mad = 1.4826 * float((plain - plain.median()).abs().median())
    there = {}
    for height in (0.0, 5.8, 6.2, -6.2):
        image = plain.clone()
        image[50, 60] += height * mad
        there[height] = float(prepare(image, PIXEL, DIAMETER).image[50, 60])
    assert there[5.8] - there[0.0] == pytest.approx(-5.8, abs=0.05)
    assert there[6.2] == pytest.approx(there[0.0], abs=0.01)
    assert there[-6.2] == pytest.approx(there[0.0], abs=0.01)
