import numpy as np
import pytest
import torch
from helpers.class2d_problem import PIXEL, data, model, options, phantom
from helpers.rotated import rotated_images

from cryoflow.compute.class2d.e_step.prepare import translate
from cryoflow.compute.class2d.e_step.setup import make_setup
from cryoflow.compute.class2d.e_step.sums import Sums
from cryoflow.compute.class2d.gridding import (
    grid_back,
    radial_power,
    reference_transform,
    rotated_rows,
)
from cryoflow.compute.class2d.m_step.maximization import maximization, resolution_shell, solvent_mask
from cryoflow.compute.class2d.m_step.reconstruct import kaiser_bessel_transform, reconstruct
from cryoflow.compute.class2d.sampling import ImageSizes, points_within
from cryoflow.compute.image.masks import mask_with_mean, mask_with_noise, noise_image, outside_weight
from cryoflow.compute.image.rotate import PADDING, padded_transform
from cryoflow.compute.image.shells import padded_shells, power_spectrum

BOX = 32


def smooth(kind: int) -> torch.Tensor:
    return torch.from_numpy(phantom(BOX, kind))[None]


def test_gridding_back_is_the_transpose_of_turning() -> None:
    rng = torch.Generator().manual_seed(0)
    points, psi = points_within(BOX, 9), torch.tensor([0.0, 31.0, 137.0]).double()
    transform = reference_transform(torch.randn(2, BOX, BOX, generator=rng, dtype=torch.float64), BOX // 2)
    rows = rotated_rows(transform, psi, points, torch.zeros(1).double())
    other = torch.randn(6, len(points.x), generator=rng, dtype=torch.complex128)
    grids, weight = grid_back(other, torch.ones(6, len(points.x)).double(), BOX, psi, points)
    here = (grids.conj() * transform.values[..., : BOX + 1]).real
    here[:, :, [0, -1]] /= 2  # columns whose pairs are both there
    here[:, 0, 0] *= 2
    for k in range(2):
        mine = slice(3 * k, 3 * k + 3)
        expected = (rows.real[mine] * other.real[mine] + rows.imag[mine] * other.imag[mine]).sum()
        assert float(here[k].sum()) == pytest.approx(float(expected), rel=1e-9)
    weight[:, :, [0, -1]] /= 2
    weight[:, 0, 0] *= 2
    assert weight.sum((1, 2)).tolist() == pytest.approx([3.0 * len(points.x)] * 2)


def test_a_row_serves_the_opposite_angle() -> None:
    points, psi = points_within(BOX, 12), torch.tensor([17.0, 197.0]).double()
    transform = reference_transform(smooth(1), BOX // 2)
    rows = rotated_rows(transform, psi, points, torch.zeros(1).double())
    assert torch.allclose(rows.real[0], rows.real[1]) and torch.allclose(rows.imag[0], -rows.imag[1])


@pytest.mark.parametrize("kind", [0, 1])
def test_turned_copies_average_to_the_image(kind: int) -> None:
    """Noise-free copies at known angles, well weighted: the average is the image, low-passed."""
    radius, psi = 14, torch.arange(0, 360, 7.0).double()
    images = rotated_images(padded_transform(smooth(kind)), psi)[0]
    points = points_within(BOX, radius)
    transform = (torch.fft.rfft2(images).flatten(1) / BOX**2)[:, points.position] * points.sign
    weight = torch.full((len(psi), len(points.x)), 1e4, dtype=torch.float64)
    data_sum, weight_sum = grid_back(transform * weight, weight, BOX, psi, points)
    share = torch.tensor([len(psi)]).double()
    average = reconstruct(data_sum, weight_sum, None, share, radius, options(BOX)).images[0]
    inside = solvent_mask(options(BOX)) > 0.5
    error = (average - smooth(kind)[0])[inside].abs().max()
    assert float(error) < 0.04 * float(smooth(kind).max())


def test_prior_shrinks_by_the_wiener_factor() -> None:
    """Uniform weights w and signal power t: averages times w / (w + 1 / (4 T t)) where there is a prior."""
    radius, tau, weight_value = 10, 0.01, 30.0
    o = options(BOX, tau_fudge=2.0)
    ring, inside, _ = padded_shells(BOX, PADDING, radius, inclusive=False)
    weight = torch.full((1, 2 * BOX, BOX + 1), weight_value, dtype=torch.float64) * inside
    transform = padded_transform(smooth(0)).values[..., : BOX + 1] / BOX**2 * inside
    tau2 = torch.full((1, BOX // 2 + 1), tau, dtype=torch.float64)
    one = torch.ones(1).double()
    free = reconstruct(transform * weight, weight, None, one, radius, o)
    bound = reconstruct(transform * weight, weight, tau2, one, radius, o)
    factor = weight_value / (weight_value + 1 / (4 * 2 * tau))
    assert bound.ssnr[0, 2:9].tolist() == pytest.approx([weight_value * 4 * 2 * tau] * 7)
    assert bound.ssnr[0, radius + 1 :].abs().max() == 0
    assert bound.sigma2[0, 2:9].tolist() == pytest.approx([1 / (4 * weight_value)] * 7)
    assert bound.coverage[0, :10].tolist() == [1.0] * 10
    spectra = [power_spectrum(torch.fft.rfft2(a.images))[0] for a in (free, bound)]
    high = slice(o.first_prior_shell + 2, radius - 1)
    assert (spectra[1] / spectra[0])[high].sqrt().tolist() == pytest.approx([factor] * 2, rel=0.12)
    assert ring.max() == BOX // 2


def test_power_of_a_flat_spectrum() -> None:
    """A point at the centre has the modulus 1 / n^2 everywhere."""
    point = torch.zeros(1, BOX, BOX, dtype=torch.float64)
    point[0, BOX // 2, BOX // 2] = 1
    power = radial_power(reference_transform(point, 12))
    assert power[0, :12].tolist() == pytest.approx([0.5 / BOX**4] * 12)
    assert power[0, 14:].abs().max() == 0


def test_kernel_transform_is_that_of_the_window() -> None:
    """Against the radial integral of the Kaiser-Bessel window in three dimensions."""
    r = np.linspace(0, 3.8, 20001)
    window = np.i0(15 * np.sqrt(1 - (r / 3.8) ** 2))
    frequencies = np.array([0.02, 0.2, 0.5, 0.7])
    integrals = [np.trapezoid(window * r * np.sin(2 * np.pi * w * r) / w, r) for w in frequencies]
    ours = kaiser_bessel_transform(torch.from_numpy(frequencies)).numpy()
    assert ours / ours[0] == pytest.approx(np.array(integrals) / integrals[0], rel=1e-4)


def sums_for(setup_model: object, **values: object) -> Sums:
    sums = Sums.zeros(setup_model, options(16))  # type: ignore[arg-type]
    for name, value in values.items():
        setattr(sums, name, value)
    return sums


def test_parameters_follow_from_the_sums() -> None:
    references = torch.from_numpy(np.stack([phantom(16, 0), phantom(16, 1), phantom(16, 0)]))
    noise = torch.full((3, 9), 1e-4, dtype=torch.float64)
    before = model(references, noise, class_offset=torch.ones(3, 2).double())
    given = data(torch.zeros(10, 16, 16), groups=3)  # groups of 4, 3 and 3
    setup = make_setup(before, given, options(16), ImageSizes(12, 12))
    sums = sums_for(
        before,
        share=torch.tensor([6.0, 0.0, 4.0]).double(),
        offset=torch.tensor([[6.0, 3.0], [0, 0], [-4, 8]]).double(),
        offset_squared=50.0, norm=8.0, log_likelihood=-5.0, pmax=2.5,
        noise=torch.full((3, 9), 0.02, dtype=torch.float64),
        group_weight=torch.tensor([4.0, 0.0, 3.0]).double(),
        image_reference=torch.tensor([[2.0], [1.0], [90.0]]).double().expand(3, 9).clone(),
        reference_reference=torch.tensor([[2.0], [1.0], [3.0]]).double().expand(3, 9).clone(),
    )  # fmt: skip
    sums.weight += 1e4
    after = maximization(setup, sums)
    assert after.share.tolist() == [0.6, 0.0, 0.4]
    assert torch.allclose(after.class_offset, torch.tensor([[0.6, 0.3], [0, 0], [-0.4, 0.8]]).double())
    assert (after.offset_variance, after.norm_mean, after.mean_pmax) == (2.5, 0.8, 0.25)
    assert float(after.references[1].abs().max()) == 0 and float(after.ssnr[1].max()) == 0
    points_in_shell_1 = 4  # (0, 1), (1, 0), (1, 1), (-1, 1): rounded radius 1
    assert float(after.noise[0, 1]) == pytest.approx(0.02 / (2 * 4 * points_in_shell_1))
    assert torch.equal(after.noise[1], noise[1])  # nothing seen of this group
    # group 1 keeps its 1; group 2 is held to five times the median
    raw = torch.tensor([1.0, 1.0, 5.0]).double()
    assert torch.allclose(after.scale, raw * 10 / (4 + 3 + 15))


def test_resolution_ends_at_the_first_unresolved_shell() -> None:
    ssnr = torch.zeros(2, 17, dtype=torch.float64)
    ssnr[0, :9], ssnr[1, :7] = 5, 5
    ssnr[1, 8:12] = 5
    assert resolution_shell(ssnr, options(BOX)) == 8
    assert resolution_shell(ssnr * 0, options(BOX)) == 5


def test_translation_fills_with_zeros() -> None:
    image = torch.arange(1.0, 37.0).view(1, 6, 6)
    out = translate(image, torch.tensor([[2, -1]]))[0]
    assert torch.equal(out[2:, :5], image[0, :4, 1:])
    assert out[:2].abs().max() == 0 and out[:, 5].abs().max() == 0


def test_masks_blend_into_mean_or_noise() -> None:
    outside = outside_weight(BOX, 8, 5)
    assert outside[BOX // 2, BOX // 2 + 8] == 0 and outside[0, 0] == 1
    assert float(outside[BOX // 2 + 8, BOX // 2]) == 0 and 0 < outside[BOX // 2, BOX // 2 + 10] < 0.5
    image = torch.randn(BOX, BOX, generator=torch.Generator().manual_seed(2), dtype=torch.float64) + 3
    masked = mask_with_mean(image, outside)
    assert float(masked[0, 0]) == pytest.approx(float((image * outside).sum() / outside.sum()))
    assert masked[BOX // 2, BOX // 2] == image[BOX // 2, BOX // 2]
    noise = torch.full((BOX, BOX), 7.0, dtype=torch.float64)
    assert mask_with_noise(image, outside, noise)[0, 0] == 7


def test_noise_has_the_spectrum_asked_for() -> None:
    spectrum = torch.linspace(3, 1, BOX // 2 + 1).double()
    total = torch.zeros(BOX // 2 + 1, dtype=torch.float64)
    for seed in range(200):
        image = noise_image(torch.Generator().manual_seed(seed), spectrum)
        total += power_spectrum(torch.fft.rfft2(image)[None] / BOX**2)[0] / 2
    assert (total / 200)[2:].tolist() == pytest.approx(spectrum[2:].tolist(), rel=0.06)
    assert PIXEL > 0


@pytest.mark.parametrize(
    ("ssnr", "last"),
    [([9, 2, 1, 0.9, 5], 2), ([9, 2, 1, 1, 0.5], 3), ([9, 0.5, 9, 9, 9], 1), ([0, 1, 1, 1, 1], 4)],
)
def test_resolution_is_the_last_shell_before_the_prior_outweighs_the_data(
    ssnr: list[float], last: int
) -> None:
    spectra = torch.zeros(2, 17, dtype=torch.float64)
    spectra[1, :5] = torch.tensor(ssnr)
    assert resolution_shell(spectra, options(32)._replace(first_prior_shell=1)) == last
