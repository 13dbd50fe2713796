"""Whether references and micrographs have the same contrast, by the sign of the best fits."""

from __future__ import annotations

import torch
from torch import Tensor

TAIL = 0.002
"""Fraction of positions averaged at either end."""
PIXELS = 24
"""Pixels across a reference at the resolution of this test."""
CLIP_SD = 4.0


def contrast_ratio(micrograph: Tensor, references: Tensor, pixel_a: float, reference_pixel_a: float) -> float:
    """How much better the references fit than the references with contrast inverted.

    The rotational average of all references is correlated with the micrograph, both at low resolution, where
    neither the references' details nor the zeros of the CTF matter.

    Parameters
    ----------
    micrograph : Tensor, (h, w)
    references : Tensor, (refs, n, n)
        With the contrast that they are compared in.
    pixel_a, reference_pixel_a : float
        Pixel sizes.

    Returns
    -------
    float
        How far the highest correlations lie above the median, over how far the lowest lie below: above 1
        where the contrast is right, below where it is inverted; nan where there is nothing to compare.
    """
    wanted_a = references.shape[-1] * reference_pixel_a / PIXELS
    image = _binned(micrograph.double(), max(1, round(wanted_a / pixel_a)))
    image = (image - image.median()) / image.std()
    image = image.clamp(-CLIP_SD, CLIP_SD)
    template = _template(references, max(1, round(wanted_a / pixel_a)) * pixel_a / reference_pixel_a)
    size = [max(side, template.shape[-1]) for side in image.shape]
    spectrum = torch.fft.rfft2(image - image.mean(), s=size) * torch.fft.rfft2(template, s=size).conj()
    scores = torch.fft.irfft2(spectrum, s=size)
    margin = template.shape[-1]
    inside = scores[: image.shape[0] - margin + 1, : image.shape[1] - margin + 1].flatten()
    if len(inside) < 4 / TAIL:
        return float("nan")
    inside = inside - inside.median()
    count = max(1, int(TAIL * len(inside)))
    above, below = inside.topk(count).values.mean(), -inside.topk(count, largest=False).values.mean()
    return float(above / below)


def _binned(image: Tensor, step: int) -> Tensor:
    h, w = (side // step for side in image.shape)
    return image[: h * step, : w * step].reshape(h, step, w, step).mean((1, 3))


def _template(references: Tensor, step: float) -> Tensor:
    """Rotational average of the references, of mean 0 on a disc, ``step`` reference pixels a pixel."""
    n = references.shape[-1]
    axis = torch.arange(n, dtype=torch.float64) - (n - 1) / 2
    radius = torch.hypot(axis[:, None], axis[None, :]).round().long()
    inside = radius <= n // 2
    mean = references.double().cpu().mean(0)
    total = torch.zeros(n, dtype=torch.float64).index_add_(0, radius[inside], mean[inside])
    count = torch.zeros(n, dtype=torch.float64).index_add_(0, radius[inside], torch.ones_like(mean[inside]))
    profile = total / count.clamp_min(1)
    side = max(3, int(n / step))
    place = (torch.arange(side, dtype=torch.float64) - (side - 1) / 2) * step
    distance = torch.hypot(place[:, None], place[None, :])
    disc = distance <= n / 2
    template = torch.where(disc, profile[distance.round().long().clamp_max(n // 2)], 0.0)
    return torch.where(disc, template - template[disc].mean(), 0.0)
