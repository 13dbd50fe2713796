"""Figures of merit against loops over the formulas, and the steps before them."""

import math

import numpy as np
import pytest
import torch
from helpers.rotated import rotated_images

from cryoflow.compute.image.ctf import CtfParameters, ctf_half_plane
from cryoflow.compute.image.masks import disc
from cryoflow.compute.image.rotate import padded_transform
from cryoflow.compute.pick.figure_of_merit import fom_maps
from cryoflow.compute.pick.micrograph import gradients, normalise_micrograph, remove_gradients
from cryoflow.compute.pick.reference_scale import reference_scale
from cryoflow.compute.pick.references import References, mask_width, prepare_references
from cryoflow.compute.pick.search import Search, prepare_search
from cryoflow.errors import CryoflowError

BOX, RADIUS, PIXEL = 16, 7, 2.0


def reference() -> torch.Tensor:
    """Smooth, without symmetry, and next to nothing at the disc's edge."""
    offset = torch.arange(BOX).double() - BOX // 2
    y, x = offset[:, None], offset[None, :]
    first = torch.exp(-((y - 1.5) ** 2 + (x + 1) ** 2) / (2 * 1.5**2))
    second = torch.exp(-((y + 1.5) ** 2 + (x - 1.5) ** 2) / (2 * 1.3**2))
    return (first - 0.6 * second) * disc(BOX, RADIUS**2)


def micrograph(height: int, width: int) -> torch.Tensor:
    image = torch.randn(height, width, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    image[20:36, 10:26] += 3 * torch.rot90(reference(), -1)
    return image * 3 + torch.linspace(0, 4, width) + 7


def ctf() -> CtfParameters:
    values = (9000.0, 8000.0, 30.0, 200.0, 1.4, 0.1, 0.0, 40.0, 0.9)
    return CtfParameters(*(torch.tensor(value, dtype=torch.float64) for value in values))


def search_for(image: torch.Tensor, psi_step: float = 90.0, highpass: float | None = None) -> Search:
    references = References(torch.stack((reference(), reference().T)), RADIUS, 30.0)
    return prepare_search(references, *image.shape, PIXEL, None, 1.0, psi_step, highpass)


def local_statistics(image: torch.Tensor, y: int, x: int) -> tuple[float, float]:
    values = []
    for dy in range(-BOX // 2, BOX // 2):
        for dx in range(-BOX // 2, BOX // 2):
            if dy * dy + dx * dx >= RADIUS**2:
                values.append(float(image[y + dy, x + dx]))
    return float(np.mean(values)), float(np.std(values))


def correlation(image: torch.Tensor, template: torch.Tensor, y: int, x: int) -> float:
    total = 0.0
    for dy in range(-BOX // 2, BOX // 2):
        for dx in range(-BOX // 2, BOX // 2):
            total += float(template[dy + BOX // 2, dx + BOX // 2]) * float(image[y + dy, x + dx])
    return total


def test_angles_may_be_more_than_sixteen_bits_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cryoflow.compute.pick.search._KEPT_BYTES", 0)  # turned a batch at a time instead
    references, wanted = References(5 * reference()[None], RADIUS, 30.0), 200.0
    image = 0.5 * torch.randn(48, 44, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    image[16:32, 14:30] += rotated_images(padded_transform(references.images), torch.tensor([wanted]))[0, 0]
    maps = fom_maps(prepare_search(references, 48, 44, PIXEL, 8.0, 0.0, 0.005), image, None)
    assert float(maps.psi_deg.flatten()[maps.fom.argmax()]) == pytest.approx(wanted, abs=3)


@pytest.mark.parametrize("shape", [(64, 52), (52, 64), (64, 64)])
def test_fom_is_the_formula_summed_directly(shape: tuple[int, int]) -> None:
    image = normalise_micrograph(micrograph(*shape))
    maps = fom_maps(search_for(image), image, None)
    inside = disc(BOX, RADIUS**2)
    count = int(inside.sum())
    for number, upright in enumerate((reference(), reference().T)):
        a1 = float(upright[inside].sum()) / (count + 1)
        a2 = float(upright[inside].square().sum()) / (count + 1)
        for y, x in ((28, 18), (31, 40), (9, 42)):
            mean, sd = local_statistics(image, y, x)
            scores = []
            for turns in range(4):
                c = correlation(image, quarter_rotations(upright, turns), y, x)
                ratio = math.exp(-((-2 * c / count + 2 * mean * a1) / sd + a2) / 2)
                scores.append((ratio - 1) / (math.exp(a2 / 2) - 1))
            assert float(maps.mean[y, x]) == pytest.approx(mean, abs=1e-5)
            assert float(maps.sd[y, x]) == pytest.approx(sd, rel=1e-5)
            assert float(maps.fom[number, y, x]) == pytest.approx(max(scores), rel=0.01)
            assert float(maps.psi_deg[number, y, x]) == 90 * int(np.argmax(scores))
        assert float(maps.expected[number]) == pytest.approx(math.exp(a2 / 2), rel=1e-4)
    assert maps.sampling[:] == (*shape, 1.0, 0.0, 0.0)


def quarter_rotations(image: torch.Tensor, turns: int) -> torch.Tensor:
    """The reference at psi = 90 turns: at (y, x) the value from (y cos + x sin, -y sin + x cos)."""
    cos, sin = ((1, 0), (0, 1), (-1, 0), (0, -1))[turns]
    out, half = torch.zeros_like(image), BOX // 2
    for y in range(1 - half, half):
        for x in range(1 - half, half):
            out[y + half, x + half] = image[y * cos + x * sin + half, -y * sin + x * cos + half]
    return out


def test_ctf_is_applied_to_the_references() -> None:
    image = normalise_micrograph(micrograph(64, 64))
    maps = fom_maps(search_for(image, 360), image, ctf(), first_peak=True)
    large = torch.zeros(64, 64, dtype=torch.float64)
    large[24:40, 24:40] = reference()
    values = ctf_half_plane(ctf(), 64, 64, PIXEL, first_peak=True)
    shown = torch.fft.irfft2(torch.fft.rfft2(large) * values, s=(64, 64))
    inside = torch.zeros(64, 64, dtype=torch.bool)
    inside[24:40, 24:40] = disc(BOX, RADIUS**2)
    count = int(inside.sum())
    a1, a2 = (float(v[inside].sum()) / (count + 1) for v in (shown, shown.square()))
    for y, x in ((28, 18), (40, 33)):
        rolled = torch.roll(shown, (y - 32, x - 32), (0, 1))
        mean, sd = local_statistics(image, y, x)
        exponent = (float((rolled * image).sum()) / count - mean * a1) / sd - a2 / 2
        expected = math.expm1(exponent) / math.expm1(a2 / 2)
        assert float(maps.fom[0, y, x]) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("shape", [(101, 83), (90, 101), (96, 70)])
def test_a_particle_scores_highest_where_it_lies(shape: tuple[int, int]) -> None:
    image = torch.zeros(shape, dtype=torch.float64)
    y, x = 47, 38
    image[y - 8 : y + 8, x - 8 : x + 8] = 5 * reference()
    references = References(5 * reference()[None], RADIUS, 30.0)
    search = prepare_search(references, *shape, PIXEL, 5.0, 0.0, 360)
    noise = 0.5 * torch.randn(shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    maps = fom_maps(search, image + noise, None)
    best = int(maps.fom[0].argmax())
    row, column = divmod(best, maps.fom.shape[2])
    sampling = maps.sampling
    assert abs(sampling.top + row * sampling.spacing - y) <= sampling.spacing / 2 + 1e-6
    assert abs(sampling.left + column * sampling.spacing - x) <= sampling.spacing / 2 + 1e-6


def test_opposite_angles_and_budgets_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    image = normalise_micrograph(micrograph(64, 52)).float()
    search = search_for(image, 30)
    kept = fom_maps(search, image.double(), None)
    again = fom_maps(search._replace(rotated=None), image.double(), None)
    torch.testing.assert_close(kept.fom, again.fom)
    assert torch.equal(kept.psi_deg, again.psi_deg)
    monkeypatch.setattr("cryoflow.compute.pick.figure_of_merit._CPU_BATCH_BYTES", 1)
    one_by_one = fom_maps(search, image.double(), None)
    torch.testing.assert_close(kept.fom, one_by_one.fom)
    assert torch.equal(kept.psi_deg, one_by_one.psi_deg)


@pytest.mark.parametrize("pixels", [1, 130, 1 << 20])
def test_normalising_takes_outliers_to_the_mean(monkeypatch: pytest.MonkeyPatch, pixels: int) -> None:
    monkeypatch.setattr("cryoflow.compute.image.blocks._CPU_VALUES", pixels)
    image = torch.randn(40, 50, generator=torch.Generator().manual_seed(4)) * 5 + 100
    image[3, 4] = 1e4
    mean, sd = float(image.double().mean()), float(image.double().std(correction=0))
    found = normalise_micrograph(image)
    assert float(found[3, 4]) == 0
    image[3, 4] = mean
    torch.testing.assert_close(found, (image - mean) / sd, atol=1e-5, rtol=1e-5)


def test_pixels_within_eight_sd_are_no_outliers() -> None:
    image = torch.randn(200, 200, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    image[3, 4], image[5, 6], image[7, 8] = 7.9, -7.9, 8.2  # a sd is 1.00 of these
    mean, sd = image.mean(), image.std(correction=0)
    found = normalise_micrograph(image)
    assert 7.5 < float(found[3, 4]) < 8 and found[3, 4] == pytest.approx(float((7.9 - mean) / sd))
    assert -8 < float(found[5, 6]) < -7.5 and found[5, 6] == pytest.approx(float((-7.9 - mean) / sd))
    assert float((8.2 - mean) / sd) > 8 and float(found[7, 8]) == 0


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        ({(1, 2): math.nan, (3, 3): math.inf}, "2 of 80 pixels are not finite"),
        (None, "all pixels equal 3: nothing to pick"),
    ],
)
def test_micrographs_without_signal_are_refused(
    spoil: dict[tuple[int, int], float] | None, message: str
) -> None:
    image = torch.full((8, 10), 3.0)
    for place, value in (spoil or {}).items():
        image[place] = value
    with pytest.raises(CryoflowError, match=message):
        normalise_micrograph(image)


@pytest.mark.parametrize("size", [48, 49])
def test_high_pass_is_a_raised_cosine_in_shells(size: int) -> None:
    image = torch.randn(size, size, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    half = torch.fft.rfft2(image)
    fy, fx = torch.fft.fftfreq(size).double() * size, torch.fft.rfftfreq(size).double() * size
    shell = torch.hypot(fy[:, None], fx)
    centre = math.floor(size * 2.0 / 20 + 0.5)
    keep = torch.where(shell < centre - 1, 0, 0.5 - 0.5 * torch.cos(math.pi * (shell - centre + 1) / 2))
    keep = torch.where(shell > centre + 1, 1.0, keep)
    expected = torch.fft.irfft2(half * keep, s=(size, size))
    torch.testing.assert_close(remove_gradients(image, gradients(size, size, 2.0, 20.0)), expected)


def test_high_pass_removes_a_gradient() -> None:
    y = torch.arange(100).double()[:, None]
    image = torch.sin(2 * math.pi * y / 100).expand(100, 80) + torch.zeros(100, 80)
    left = remove_gradients(image, gradients(100, 80, 1.0, 25.0))
    assert float(left[30:70, 30:50].abs().max()) < 0.1


def test_mask_width_by_hand() -> None:
    image = torch.zeros(12, 12)
    image[6, 2:9] = 1
    assert mask_width(image) == 6
    image[6, 5] = 0  # the first return to the background counts
    assert mask_width(image) == 2
    assert mask_width(torch.rand(12, 12)) in (10, 11)
    assert mask_width(torch.zeros(12, 12)) == 11


def test_references_are_enlarged_inverted_and_masked() -> None:
    image = torch.full((16, 16), 2.0)
    image[0, 0] = 1.999
    found = prepare_references(image[None], 4.0, 2.0, 40.0, inverted=True)
    assert found.box == 32 and found.radius == 8
    assert float(found.images[0, 16, 16]) == pytest.approx(-1, abs=0.01)  # -2 times 16 / 32
    assert float(found.images[0, 16, 8]) == 0 and float(found.images[0, 16, 9]) != 0


@pytest.mark.parametrize(
    ("images", "diameter", "message"),
    [
        (torch.zeros(1, 16, 16), None, "reference 1 is empty: every pixel is 0"),
        (torch.full((1, 16, 16), 0.1), None, "reference 1 is empty: every pixel is 0.1"),
        (torch.eye(16)[None].log(), None, "reference 1 has pixels that are not finite"),
        (
            torch.rand(1, 16, 16),
            80.0,
            r"mask diameter \(80 A\) is larger than the box of the references \(32 A\)",
        ),
        (torch.rand(1, 16, 16), 6.0, "a mask diameter of 6 A leaves nothing to compare"),
    ],
)
def test_references_that_do_not_fit_are_refused(
    images: torch.Tensor, diameter: float | None, message: str
) -> None:
    with pytest.raises(CryoflowError, match=message):
        prepare_references(images, 2.0, 2.0, diameter, inverted=False)


@pytest.mark.parametrize("factor", [0.05, 1.0, 8.0, 1e4])
def test_scale_of_references_is_that_of_the_regression(factor: float) -> None:
    image = normalise_micrograph(micrograph(64, 52))
    references = References(factor * reference()[None], RADIUS, 30.0)
    maps = fom_maps(prepare_search(references, 64, 52, PIXEL, None, 1.0, 360), image, None)
    found = reference_scale(maps, BOX // 2)
    if factor == 1e4:  # beyond what numbers hold
        assert found < 0.3
        return
    inside = disc(BOX, RADIUS**2)
    count, wanted = int(inside.sum()), []
    for y in range(8, 64 - 8):
        for x in range(8, 52 - 8):
            mean, sd = local_statistics(image, y, x)
            a1, a2 = (float(v[inside].sum()) / (count + 1) for v in (reference(), reference().square()))
            wanted.append((correlation(image, reference(), y, x) / count - mean * a1) / (a2 * sd * factor))
    assert found == pytest.approx(sorted(wanted)[-1 - int(0.005 * len(wanted))], rel=0.15)
