"""Projections of Gaussian sums onto pixels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cryoflow.simulate.model import GaussianModel

Array = npt.NDArray[np.float64]

REACH = 4.5
"""Gaussians are cut off beyond this many widths (4e-5 of their height)."""


def add_projection(
    canvas: Array, model: GaussianModel, rotation: Array, centre_yx: Array, pixel_size_a: float, scale: float
) -> None:
    """Add the projection along z of a rotated particle to an image, in place.

    ``canvas[y, x] += scale sum_i mass_i / (2 pi s^2) exp(-((x - x_i)^2 + (y - y_i)^2) pixel^2 / (2 s^2))``
    with ``(x_i, y_i, .) = centre + R c_i / pixel`` and s the width: mass per A^2, sampled at pixel centres.

    Parameters
    ----------
    canvas : ndarray
        ``(h, w)``; parts of the particle outside it are left out.
    model : GaussianModel
        The particle.
    rotation : ndarray
        ``(3, 3)``, from the particle's frame to the microscope's (column vectors x, y, z).
    centre_yx : ndarray
        Where the particle's origin lies, pixels.
    pixel_size_a : float
        A per pixel.
    scale : float
        Factor on the projected mass.
    """
    turned = model.centres_a @ rotation.T
    sigma = model.sigma_a / pixel_size_a
    y, x = (turned[:, axis] / pixel_size_a + centre for axis, centre in zip((1, 0), centre_yx, strict=True))
    rows, columns = (_window(p, REACH * sigma, n) for p, n in zip((y, x), canvas.shape, strict=True))
    height = scale * model.mass / (2 * np.pi * model.sigma_a**2)
    gy = np.exp(-((rows - y[:, None]) ** 2) / (2 * sigma**2)) * height[:, None]
    gx = np.exp(-((columns - x[:, None]) ** 2) / (2 * sigma**2))
    if len(rows) and len(columns):
        canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] += gy.T @ gx


def _window(points: Array, reach: float, length: int) -> npt.NDArray[np.int64]:
    """Pixels from 0 to ``length`` within reach of any of the points."""
    low = max(0, int(np.floor(points.min() - reach)))
    return np.arange(low, min(length, int(np.ceil(points.max() + reach)) + 1))


def projection(model: GaussianModel, rotation: Array, box: int, pixel_size_a: float) -> Array:
    """One projection in a box, its origin at pixel ``box // 2``: ``(box, box)``, mass per A^2."""
    image = np.zeros((box, box))
    add_projection(image, model, rotation, np.array([box // 2, box // 2]), pixel_size_a, 1.0)
    return image
