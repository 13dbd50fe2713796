import pytest
import torch
from helpers.rotated import rotated_transforms

from cryoflow.compute.image.rotate import padded_transform
from cryoflow.compute.image.rotate_particles import rotated_each


@pytest.mark.parametrize(("box", "max_shell"), [(16, None), (18, 5)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 3e-4)])
def test_each_is_what_rotating_all_gives(
    box: int, max_shell: int | None, dtype: torch.dtype, tolerance: float
) -> None:
    images = torch.randn(3, box, box, dtype=dtype, generator=torch.Generator().manual_seed(0))
    transform = padded_transform(images, max_shell)
    psi = torch.tensor([0.0, 90.0, -37.3, 180.0, 210.1, 45.0], dtype=torch.float64)
    reference = torch.tensor([2, 0, 1, 1, 0, 2])
    everything = rotated_transforms(transform, psi)
    got = rotated_each(transform, reference, psi)
    for pose, (number, transformed) in enumerate(zip(reference.tolist(), got, strict=True)):
        assert (transformed - everything[number, pose]).abs().max() < tolerance * box
