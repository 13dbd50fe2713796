"""Mean and standard deviation of images, and which of them are not outliers."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Moments(NamedTuple):
    """Mean and population standard deviation of each image, float64 ``(n,)``."""

    mean: Tensor
    sd: Tensor


def moments(images: Tensor) -> Moments:
    """Mean and standard deviation of each of ``(n, h, w)`` images."""
    values = images.double().flatten(1)
    mean = values.mean(1)
    return Moments(mean, (values - mean[:, None]).square().mean(1).sqrt())


def ordinary(values: Tensor, sigma: float) -> Tensor:
    """Which values lie within ``sigma`` population standard deviations of their mean, bool ``(n,)``.

    All do when all are equal.
    """
    departure = (values - values.mean()).abs()
    sd = departure.square().mean().sqrt()
    return (departure < sigma * sd) | (departure <= torch.finfo(values.dtype).eps * values.abs())
