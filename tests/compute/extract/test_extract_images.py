import numpy as np
import pytest
import torch

from cryoflow.compute.extract.normalize import background, background_mask, background_statistics
from cryoflow.compute.extract.particles import ExtractSettings, extract, rescale
from cryoflow.compute.extract.windows import corners


def coefficient(image: np.ndarray, ky: int, kx: int) -> complex:
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    return complex((image * np.exp(-2j * np.pi * (ky * y + kx * x) / image.shape[0])).mean())


@pytest.mark.parametrize(("old", "new"), [(16, 10), (10, 16), (12, 12)])
def test_rescaling_keeps_the_fourier_coefficients_below_nyquist(old: int, new: int) -> None:
    image = np.random.default_rng(1).normal(size=(old, old))
    got = rescale(torch.tensor(image[None]), new)[0].numpy()
    assert got.shape == (new, new)
    half = min(old, new) // 2
    for ky, kx in [(0, 0), (1, 2), (-half + 1, 1), (2, half - 1), (half - 2, half - 3)]:
        if ky**2 + kx**2 < half**2 or new <= old:
            assert abs(coefficient(got, ky, kx) - coefficient(image, ky, kx)) < 1e-12


def test_enlarging_leaves_nothing_outside_the_old_nyquist_circle() -> None:
    image = np.random.default_rng(2).normal(size=(10, 10))
    power = np.abs(np.fft.fft2(rescale(torch.tensor(image[None]), 16)[0].numpy())) ** 2
    k = np.fft.fftfreq(16, 1 / 16)
    assert power[np.hypot(k[:, None], k[None, :]) > 5.01].max() < 1e-20
    assert power[4, 4] < 1e-20


def test_a_smooth_spot_stays_on_the_centre() -> None:
    y, x = np.mgrid[:64, :48]
    micrograph = torch.tensor(np.exp(-((y - 30) ** 2 + (x - 20) ** 2) / 18))
    settings = ExtractSettings(24, 12, 18, normalize=False, invert=False)
    begin = corners(torch.tensor([30.0]), torch.tensor([20.0]), 24)
    (small,) = torch.cat([*extract(micrograph, begin, settings, [0])]).numpy()
    rows, columns = np.mgrid[:12, :12] - 6
    np.testing.assert_allclose(small, np.exp(-(rows**2 + columns**2) / 4.5), atol=2e-3)


def test_contrast_and_normalisation() -> None:
    rng = torch.Generator().manual_seed(3)
    micrograph = torch.randn(90, 70, generator=rng) * 30 + 500
    begin = corners(torch.tensor([2.0, 40.0]), torch.tensor([3.0, 60.0]), 32)

    def images(settings: ExtractSettings) -> torch.Tensor:
        return torch.cat([*extract(micrograph, begin, settings, [0, 0])])

    plain = images(ExtractSettings(32, 32, 24, normalize=False, invert=False))
    raw = images(ExtractSettings(32, 32, 24, normalize=False))
    assert torch.equal(raw, -plain)
    done = images(ExtractSettings(32, 32, 24))
    found = background_statistics(done, background(background_mask(32, 12), torch.float32))
    torch.testing.assert_close(found.mean, torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.sd, torch.ones(2), atol=1e-5, rtol=0)
    assert float((done[0] * plain[0]).sum()) < 0
