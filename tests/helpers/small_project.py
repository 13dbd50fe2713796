"""A simulated project whose steps take a second each, and what the tutorial's specs need to run on it."""

from __future__ import annotations

from cryoflow.simulate.options import SimulateOptions

SMALL = SimulateOptions(
    micrographs=2,
    selected=1,
    size=(340, 300),
    pixel_size=3.54,
    particles=6,
    broken=0,
    contaminants=1,
    model="barrel",
    diameter=160.0,
    distance=215.0,
    snr=0.1,
    carbon=0.0,
    seed=3,
)

VALUES = (
    "device=cpu",
    "threads=1",
    "lowpass_filter_references=30",
    "picking_threshold=0.2",
    "particle_box_size=64",
    "re_scaled_size=32",
    "diameter_background_circle=48",
    "number_of_classes=2",
    "number_of_iterations=4",
    "16:selection.classes.top=1",
)
