import finufft
import numpy as np
import pytest
import torch
from helpers.rotated import rotated_images, rotated_transforms

from cryoflow.compute.image.rotate import padded_transform


def blobs(box: int) -> torch.Tensor:
    """An asymmetric, smooth image that is small at its borders."""
    y, x = np.indices((box, box)) - box // 2
    image = np.exp(-((y - box / 8) ** 2 + x**2) / (box / 3)) + 0.5 * np.exp(
        -((y + 2) ** 2 + (x - box / 5) ** 2) / (box / 6)
    )
    return torch.tensor(image)[None]


def rotated_by_nufft(image: np.ndarray, psi_deg: float, box: int) -> np.ndarray:
    """Exact half-plane transform of the rotated image about its centre, by a non-uniform FFT."""
    psi = np.deg2rad(psi_deg)
    ky, kx = np.meshgrid(np.fft.fftfreq(box), np.arange(box // 2 + 1) / box, indexing="ij")
    y, x = ky * np.cos(psi) + kx * np.sin(psi), -ky * np.sin(psi) + kx * np.cos(psi)
    values = finufft.nufft2d2(
        2 * np.pi * y.ravel(), 2 * np.pi * x.ravel(), image.astype(complex), isign=-1, eps=1e-12
    )
    return values.reshape(ky.shape)


@pytest.mark.parametrize("box", [32, 50])
@pytest.mark.parametrize("psi", [0.0, 5.0, 90.0, 217.0])
def test_rotated_transform_agrees_with_a_nonuniform_fft(box: int, psi: float) -> None:
    image = blobs(box)
    ours = rotated_transforms(padded_transform(image), torch.tensor([psi]))[0, 0].numpy()
    exact = rotated_by_nufft(image[0].numpy(), psi, box)
    inside = np.hypot(np.fft.fftfreq(box)[:, None], np.arange(box // 2 + 1)[None] / box) < 0.45
    error = np.linalg.norm((ours - exact)[inside]) / np.linalg.norm(exact[inside])
    assert error < 0.025  # psi = 0 falls on the grid and shows the whole gridding correction


def test_rotation_moves_a_point_as_the_convention_says() -> None:
    box = 40
    image = torch.zeros(1, box, box, dtype=torch.float64)
    image[0, box // 2, box // 2 + 10] = 1  # on the +x axis
    turned = rotated_images(padded_transform(image), torch.tensor([90.0, 30.0]))[0]
    peak = [divmod(int(t.argmax()), box) for t in turned]
    # (y, x) reads (y cos + x sin, -y sin + x cos): at 90 degrees (-10, 0) reads (0, 10)
    assert peak[0] == (box // 2 - 10, box // 2)
    assert peak[1] == (box // 2 - 5, box // 2 + 9)


def test_no_rotation_returns_the_image() -> None:
    image = blobs(32)
    padded = padded_transform(image)
    # no angle, no interpolation: what is left is the gridding correction
    radius = torch.hypot(*torch.meshgrid(*[torch.arange(32) - 16.0] * 2, indexing="ij"))
    expected = image[0] / torch.sinc(radius / 64) ** 2
    assert torch.allclose(rotated_images(padded, torch.tensor([0.0]))[0, 0], expected, atol=1e-3)
