"""Conversion of measured values to grey levels: binning, smoothing, contrast."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

Floats = npt.NDArray[np.float32]
Grey = npt.NDArray[np.uint8]


def bin_image(image: Floats, factor: int) -> Floats:
    """Mean over ``factor x factor`` pixels, ``(h // factor, w // factor)``; remainders are cut off."""
    height, width = (n // factor for n in image.shape)
    cut = image[: height * factor, : width * factor]
    return np.asarray(cut.reshape(height, factor, width, factor).mean((1, 3)))


def smooth(image: Floats, resolution: float) -> Floats:
    """Gaussian low-pass that halves the contrast of waves of the given length (pixels)."""
    sigma = resolution * np.sqrt(np.log(2) / 2) / np.pi
    return np.asarray(gaussian_filter(image, sigma, mode="nearest"))


def stretch(image: Floats, low: float = 0.5, high: float = 99.5) -> Grey:
    """Map the range between two percentiles to 0 .. 255; a flat image becomes black, and so does NaN."""
    finite = image[np.isfinite(image)].astype(np.float64)
    bottom, top = np.percentile(finite, (low, high)) if finite.size else (0, 0)
    if not top > bottom:
        return np.zeros(image.shape, np.uint8)
    scaled = (np.nan_to_num(image, nan=bottom, posinf=np.inf, neginf=-np.inf) - bottom) / (top - bottom)
    return np.asarray(np.rint(np.clip(scaled, 0, 1) * 255).astype(np.uint8))
