import numpy as np
import pytest
import torch
from helpers.rotated import rotated_images

from cryoflow.compute.image.ctf import CtfParameters, ctf_half_plane
from cryoflow.compute.image.rotate import PaddedTransform, padded_transform
from cryoflow.compute.sort.residual import CtfOptions, MatchedReferences, Poses, residuals, shift_integer


def blob(box: int, y0: float, x0: float, width: float) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(box), torch.arange(box), indexing="ij")
    squared = (y - box // 2 - y0) ** 2 + (x - box // 2 - x0) ** 2
    return torch.exp(-squared.double() / (2 * width**2))


def poses(reference: list[int], psi: list[float], y: list[float], x: list[float]) -> Poses:
    return Poses(torch.tensor(reference), *(torch.tensor(v, dtype=torch.float64) for v in (psi, y, x)))


def left_over(
    particles: torch.Tensor, references: PaddedTransform, chosen: Poses, ctf: CtfOptions | None = None
) -> torch.Tensor:
    matched = MatchedReferences(references, chosen, ctf)[0 : len(particles)]
    return residuals(particles, matched, chosen.origin_y, chosen.origin_x)


@pytest.mark.parametrize("size", [9, 8])
def test_integer_shifts_bring_in_zeros(size: int) -> None:
    images = torch.randn(4, size, size + 3, dtype=torch.float64)
    dy, dx = torch.tensor([0.4, 2.5, -1.6, 40.0]), torch.tensor([-0.4, -0.5, 3.0, 0.0])
    got = shift_integer(images, dy, dx).numpy()
    for image, out, (y, x) in zip(images.numpy(), got, [(0, 0), (3, -1), (-2, 3), (40, 0)], strict=True):
        padded = np.pad(image, 50)
        begin_y, begin_x = 50 - y, 50 - x
        np.testing.assert_array_equal(out, padded[begin_y : begin_y + size, begin_x : begin_x + size + 3])


@pytest.mark.parametrize("box", [32, 30])
def test_a_particle_that_is_its_reference_leaves_nothing(box: int) -> None:
    references = torch.stack([blob(box, 3, 1, 3), blob(box, -2, 4, 2.5)])
    transform = padded_transform(references)
    turned = rotated_images(transform, torch.tensor([0.0, 37.0, 200.0], dtype=torch.float64))
    moved = torch.roll(turned[1, 1], (-2, 1), (0, 1))
    particles = torch.stack([turned[0, 0], moved, turned[1, 2]])
    left = left_over(particles, transform, poses([0, 1, 1], [0, 37, 200], [0, 2, 0], [0, -1, 0]))
    assert left[:, 3:-3, 3:-3].abs().max() < 1e-3 and left[[0, 2]].abs().max() < 1e-5
    wrong = left_over(particles, transform, poses([0, 1, 1], [0, 37, 20], [0, 2, 0], [0, -1, 0]))
    assert wrong[2].abs().max() > 0.5 and torch.equal(wrong[:2], left[:2])


def test_the_reference_carries_each_particles_ctf() -> None:
    box, pixel = 32, 3.0
    transform = padded_transform(blob(box, 0, 2, 3)[None])
    fields = ([9000.0, 15000.0], [8500.0, 15000.0], [20.0, 0.0], [200.0] * 2, [1.4] * 2, [0.1] * 2)
    rest = ([0.0] * 2, [0.0] * 2, [1.0] * 2)
    parameters = CtfParameters(*(torch.tensor(f, dtype=torch.float64) for f in fields + rest))
    image = rotated_images(transform, torch.tensor([50.0], dtype=torch.float64))[0, 0]
    ctf = ctf_half_plane(parameters, box, box, pixel)
    particles = torch.fft.irfft2(torch.fft.rfft2(image) * ctf, s=(box, box))
    chosen = poses([0, 0], [50, 50], [0, 0], [0, 0])
    assert left_over(particles, transform, chosen, CtfOptions(parameters, pixel)).abs().max() < 1e-4
    assert left_over(particles, transform, chosen, CtfOptions(parameters, pixel, True)).abs().max() > 0.02


def test_particles_are_low_passed_at_nyquist() -> None:
    box = 16
    transform = padded_transform(torch.zeros(1, box, box, dtype=torch.float64))
    left = left_over(torch.randn(1, box, box, dtype=torch.float64), transform, poses([0], [0], [0], [0]))
    power = torch.fft.fft2(left)[0].abs()
    k = torch.fft.fftfreq(box, 1 / box)
    assert power[torch.hypot(k[:, None], k[None, :]) > box // 2 + 1].max() < 1e-10
