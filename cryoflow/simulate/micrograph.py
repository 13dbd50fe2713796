"""One micrograph: contrast, noise, background, carbon, hot pixels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cryoflow.compute.image.fourier import good_size
from cryoflow.seeds import seed_for
from cryoflow.simulate.optics import image_contrast, smooth_field
from cryoflow.simulate.sample import GRADIENT, SLOW_SD, Sample
from cryoflow.simulate.scene import Scene, draw_density, random_scene

Image = npt.NDArray[np.float32]

MEAN_COUNT, COUNTS_PER_SD = 4000.0, 400.0
BORDER_A = 250.0
"""Margin around a micrograph, so that signal does not wrap around its edges."""
SLOW_SPACING_A = 500.0
CARBON_DARKENING, CARBON_GRAIN, CARBON_SOFTNESS_A = 2.0, 0.7, 40.0


class Micrograph(NamedTuple):
    """A simulated micrograph."""

    image: Image
    """``(h, w)`` detector counts."""
    clean: Image
    """``(h, w)`` contrast of the objects and the carbon's grain alone, in sds of the white noise."""
    scene: Scene


def simulate_micrograph(name: str, sample: Sample) -> Micrograph:
    """Simulate one micrograph; its name, the options and their seed determine every pixel."""
    options = sample.options
    scene = random_scene(name, options)
    rng = np.random.default_rng(seed_for(options.seed, "simulate", "noise", name))
    clean = _clean(scene, sample, rng)
    image = clean + rng.standard_normal(options.size, dtype=np.float32)
    image += _background(scene, sample, rng)
    _add_hot_pixels(image, options.hot_pixels, rng)
    return Micrograph(MEAN_COUNT + COUNTS_PER_SD * image, clean, scene)


def _clean(scene: Scene, sample: Sample, rng: np.random.Generator) -> Image:
    """Contrast without detector noise, cut out of a larger canvas."""
    (height, width), border = sample.options.size, int(BORDER_A / sample.options.pixel_size)
    canvas = (good_size(height + 2 * border), good_size(width + 2 * border))
    density = draw_density(scene, sample, canvas, (border, border))
    if scene.edge is not None:
        grain = CARBON_GRAIN * rng.standard_normal(canvas, dtype=np.float32)
        density += grain * _carbon(scene, sample, canvas, border)
    contrast = image_contrast(density, scene.optics, sample.options)
    return contrast[border : border + height, border : border + width]


def _carbon(scene: Scene, sample: Sample, size: tuple[int, int], border: int = 0) -> Image:
    """Share of the carbon's thickness, 0 to 1."""
    if scene.edge is None:
        return np.zeros(size, np.float32)
    y, x = (np.arange(n, dtype=float) - border for n in size)
    depth = scene.edge.depth(y[:, None], x[None, :]) * sample.options.pixel_size
    return (0.5 + 0.5 * np.tanh(depth / CARBON_SOFTNESS_A)).astype(np.float32)


def _background(scene: Scene, sample: Sample, rng: np.random.Generator) -> Image:
    """Ice gradient, slow variation and the carbon's darkness."""
    height, width = size = sample.options.size
    heading, slope = rng.uniform(0, 2 * np.pi), rng.uniform(*GRADIENT)
    y = (np.arange(height) / height - 0.5) * np.sin(heading)
    x = (np.arange(width) / width - 0.5) * np.cos(heading)
    slow = SLOW_SD * smooth_field(size, SLOW_SPACING_A / sample.options.pixel_size, rng)
    plane = (slope * (y[:, None] + x[None, :])).astype(np.float32)
    return np.asarray(slow + plane - CARBON_DARKENING * _carbon(scene, sample, size))


def _add_hot_pixels(image: Image, count: int, rng: np.random.Generator) -> None:
    where = rng.integers(0, image.size, count)
    image.reshape(-1)[where] = rng.uniform(20, 60, count)
