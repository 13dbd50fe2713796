import numpy as np
import pytest
import torch

from cryoflow.compute.extract.normalize import background, background_statistics
from cryoflow.compute.extract.particles import AT_ONCE, SHARES, ExtractSettings, extract
from cryoflow.compute.extract.windows import corners
from cryoflow.compute.image.masks import outside_disc


def test_a_smooth_spot_stays_on_the_centre() -> None:
    y, x = np.mgrid[:64, :48]
    micrograph = torch.tensor(np.exp(-((y - 30) ** 2 + (x - 20) ** 2) / 18))
    settings = ExtractSettings(24, 12, 18, normalize=False, invert=False)
    begin = corners(torch.tensor([30.0]), torch.tensor([20.0]), 24)
    (small,) = torch.cat([*extract(micrograph, begin, settings, [0])]).numpy()
    rows, columns = np.mgrid[:12, :12] - 6
    np.testing.assert_allclose(small, np.exp(-(rows**2 + columns**2) / 4.5), atol=2e-3)


def test_parts_of_a_micrograph_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the noise in place of dust, of which each window has a seed of its own."""
    rng = torch.Generator().manual_seed(5)
    micrograph = torch.randn(90, 70, generator=rng, dtype=torch.float64)
    places = torch.linspace(20.0, 60.0, 7), torch.linspace(50.0, 15.0, 7)
    settings = ExtractSettings(16, 16, 8, white=1.5)
    begin, seeds = corners(*places, 16), list(range(7))
    (whole,) = extract(micrograph, begin, settings, seeds, torch.float64)
    monkeypatch.setitem(AT_ONCE, "cpu", 2 * SHARES * 16**2)
    parts = [*extract(micrograph, begin, settings, seeds, torch.float64)]
    assert [len(part) for part in parts] == [2, 2, 2, 1]
    torch.testing.assert_close(torch.cat(parts), whole)


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
    found = background_statistics(done, background(outside_disc(32, 12), torch.float32))
    torch.testing.assert_close(found.mean, torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.sd, torch.ones(2), atol=1e-5, rtol=0)
    assert float((done[0] * plain[0]).sum()) < 0
