"""The correlation coefficient under the disc against loops over its formula."""

import numpy as np
import pytest
import torch

from cryoflow.compute.image.ctf import CtfParameters, ctf_half_plane
from cryoflow.compute.image.masks import disc
from cryoflow.compute.pick.figure_of_merit import fom_maps
from cryoflow.compute.pick.references import References
from cryoflow.compute.pick.search import prepare_search

BOX, RADIUS, PIXEL = 16, 7, 2.0


def reference() -> torch.Tensor:
    offset = torch.arange(BOX).double() - BOX // 2
    y, x = offset[:, None], offset[None, :]
    first = torch.exp(-((y - 1.5) ** 2 + (x + 1) ** 2) / (2 * 1.5**2))
    return (first - 0.6 * torch.exp(-((y + 1.5) ** 2 + (x - 1.5) ** 2) / (2 * 1.3**2))) * disc(BOX, RADIUS**2)


def noise(height: int, width: int) -> torch.Tensor:
    return torch.randn(height, width, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def ctf() -> CtfParameters:
    values = (9000.0, 8000.0, 30.0, 200.0, 1.4, 0.1, 0.0, 40.0, 0.9)
    return CtfParameters(*(torch.tensor(value, dtype=torch.float64) for value in values))


def filtered(image: torch.Tensor, lowpass_a: float, factor: torch.Tensor | float = 1.0) -> np.ndarray:
    """Cut at a shell, by FFT of the square as it is."""
    size = len(image)
    y, x = torch.fft.fftfreq(size).double()[:, None], torch.fft.rfftfreq(size).double()
    keep = torch.hypot(y, x) * size <= round(size * PIXEL / lowpass_a) + 1e-9
    return torch.fft.irfft2(torch.fft.rfft2(image) * keep * factor, s=image.shape).numpy()


def direct(image: np.ndarray, shown: np.ndarray, y: int, x: int) -> float:
    """Coefficient of ``shown`` (centre at 32, 32) and what lies around (y, x)."""
    ours, theirs = [], []
    for dy in range(-RADIUS, RADIUS + 1):
        for dx in range(-RADIUS, RADIUS + 1):
            if dy * dy + dx * dx < RADIUS**2:
                ours.append(shown[32 + dy, 32 + dx])
                theirs.append(image[y + dy, x + dx])
    return float(np.corrcoef(ours, theirs)[0, 1])


@pytest.mark.parametrize("with_ctf", [False, True])
def test_coefficient_is_the_formula_summed_directly(with_ctf: bool) -> None:
    size, lowpass = 64, 6.0
    image = noise(size, size) + torch.linspace(0, 4, size)
    image[20:36, 10:26] += 3 * reference()
    references = References(torch.stack((reference(), reference().T)), RADIUS, 30.0)
    search = prepare_search(references, size, size, PIXEL, lowpass, 1.0, 180)
    maps = fom_maps(search, image, ctf() if with_ctf else None, merit="ncc")
    factor = ctf_half_plane(ctf(), size, size, PIXEL) if with_ctf else 1.0
    seen = filtered(image, lowpass)
    for number, upright in enumerate((reference(), reference().T)):
        large = torch.zeros(size, size, dtype=torch.float64)
        large[24:40, 24:40] = upright
        turned = large.flip(0, 1).roll((1, 1), (0, 1))
        shown = [filtered(one, lowpass, factor) for one in (large, turned)]
        for y, x in ((28, 18), (31, 40), (9, 52), (45, 30)):
            scores = [direct(seen, one, y, x) for one in shown]
            assert float(maps.fom[number, y, x]) == pytest.approx(max(scores), abs=2e-3)
            assert float(maps.psi_deg[number, y, x]) == 180 * int(np.argmax(scores))
    assert float(maps.fom.abs().max()) <= 1 + 1e-6
    assert maps.expected.tolist() == [1, 1]


@pytest.mark.parametrize("shape", [(101, 83), (90, 101), (96, 70)])
def test_coefficient_does_not_depend_on_scale(shape: tuple[int, int]) -> None:
    y, x = 47, 38
    image = 0.3 * noise(*shape)
    image[y - 8 : y + 8, x - 8 : x + 8] += 5 * reference()
    best = []
    for scale in (1.0, 40.0):
        references = References(scale * reference()[None], RADIUS, 30.0)
        search = prepare_search(references, *shape, PIXEL, 5.0, 0.0, 360)
        maps = fom_maps(search, image / scale, None, merit="ncc")
        row, column = divmod(int(maps.fom[0].argmax()), maps.fom.shape[2])
        sampling = maps.sampling
        assert abs(sampling.top + row * sampling.spacing - y) <= sampling.spacing / 2 + 1e-6
        assert abs(sampling.left + column * sampling.spacing - x) <= sampling.spacing / 2 + 1e-6
        best.append(float(maps.fom.max()))
    assert best[0] == pytest.approx(best[1], abs=1e-5) and 0.9 < best[0] <= 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nothing_correlates_with_a_flat_place(dtype: torch.dtype) -> None:
    image = noise(200, 160).to(dtype)
    image[60:160, 30:130] = 0
    references = References(reference()[None].to(dtype), RADIUS, 30.0)
    search = prepare_search(references, 200, 160, PIXEL, 8.0, 1.0, 360)
    maps = fom_maps(search, image, None, merit="ncc")
    assert float(maps.fom[0, 105:115, 75:85].abs().max()) < 0.6  # what is left there is ringing, not rounding
    empty = fom_maps(search, 0 * image, None, merit="ncc")
    assert float(empty.fom.abs().max()) == 0
