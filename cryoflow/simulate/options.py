"""Options of the simulation; no heavy imports, so that the command line shows its help at once."""

from __future__ import annotations

import math
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass, fields

from cryoflow.errors import CryoflowError

PRESETS = {"tetramer": "D2", "barrel": "D7", "ring": "C8", "irregular": "C1"}
"""Particle models and their default point groups."""

MODES = ("int16", "float32")


@dataclass(frozen=True)
class SimulateOptions:
    """All options of a simulated project; the same options give the same bytes.

    Attributes
    ----------
    micrographs, selected : int
        Number of micrographs, and number of them (the first) listed in ``Select/job005``.
    size : (int, int)
        Height and width of a micrograph in pixels.
    pixel_size : float
        A per pixel of the micrographs; references have twice that.
    particles, broken, contaminants : int
        Objects per micrograph: intact particles, half particles, ice balls and filaments.
    model, symmetry : str
        A preset of `PRESETS` and a point group (``C1``, ``D2``, ``T`` ...; empty for the preset's).
    diameter, distance : float
        Largest particle diameter, and smallest distance between centres, both in A (0: 0.95 diameters).
    voltage, cs, amplitude_contrast : float
        kV, mm, fraction.
    defocus : (float, float)
        Smallest and largest underfocus in A.
    snr : float
        Variance of a particle's contrast inside its disc over that of the white noise.
    carbon : float
        Probability that a micrograph shows a carbon edge.
    hot_pixels : int
        Detector pixels per micrograph with far too many counts.
    references : int
        Number of reference views.
    mode : str
        ``int16`` or ``float32``.
    seed : int
        Random seed.
    """

    micrographs: int = 8
    selected: int = 5
    size: tuple[int, int] = (1855, 1919)
    pixel_size: float = 1.77
    particles: int = 130
    broken: int = 12
    contaminants: int = 18
    model: str = "tetramer"
    symmetry: str = ""
    diameter: float = 175.0
    distance: float = 0.0
    voltage: float = 200.0
    cs: float = 1.4
    amplitude_contrast: float = 0.1
    defocus: tuple[float, float] = (8000.0, 18000.0)
    snr: float = 0.008
    carbon: float = 0.25
    hot_pixels: int = 10
    references: int = 4
    mode: str = "int16"
    seed: int = 1

    def __post_init__(self) -> None:
        """Refuse options that cannot be simulated, with all problems in one message."""
        problems = [text for ok, text in self._values() if not ok]
        problems = problems or [text for ok, text in self._geometry() if not ok]
        if problems:
            raise CryoflowError("simulate: " + "; ".join(problems))

    def _values(self) -> tuple[tuple[bool, str], ...]:
        counts = (self.broken, self.contaminants, self.hot_pixels)
        physics = (self.pixel_size, self.voltage, self.snr)
        return (
            (self.micrographs >= 1, "at least 1 micrograph is needed"),
            (self.selected >= 1, "at least 1 micrograph must be selected"),
            (self.particles >= 1 and self.references >= 1, "at least 1 particle and 1 reference are needed"),
            (min(counts) >= 0, "numbers of objects and hot pixels cannot be negative"),
            (min(physics) > 0, "pixel size, voltage and SNR must be positive"),
            (self.cs >= 0, "Cs cannot be negative"),
            (0 <= self.amplitude_contrast < 1, "amplitude contrast must be 0 or more and below 1"),
            (
                0 < self.defocus[0] <= self.defocus[1],
                "defocus must be a range of underfocus, low to high",
            ),
            (0 <= self.carbon <= 1, "carbon must be a probability, 0 to 1"),
            (self.distance >= 0, "distance cannot be negative"),
            (self.mode in MODES, f"mode must be one of {', '.join(MODES)}"),
            (self.model in PRESETS, f"model must be one of {', '.join(PRESETS)}"),
        )

    def _geometry(self) -> tuple[tuple[bool, str], ...]:
        return (
            (self.diameter >= 20 * self.pixel_size, "the diameter must be at least 20 pixels"),
            (min(self.size) > 2 * self.box, f"micrographs must be larger than 2 boxes of {self.box} pixels"),
        )

    @property
    def point_group(self) -> str:
        """Point group of the particle, upper case."""
        return (self.symmetry or PRESETS[self.model]).upper()

    @property
    def spacing(self) -> float:
        """Smallest distance between two centres, A."""
        return self.distance or 0.95 * self.diameter

    @property
    def reference_box(self) -> int:
        """Even box of the references in their own (doubled) pixels: the diameter and a quarter more."""
        return 2 * math.ceil(1.25 * self.diameter / (4 * self.pixel_size))

    @property
    def box(self) -> int:
        """The same box in micrograph pixels."""
        return 2 * self.reference_box

    @classmethod
    def from_arguments(cls, arguments: Namespace) -> SimulateOptions:
        """Read the options from parsed command-line arguments (see `add_arguments`)."""
        values = {field.name: getattr(arguments, field.name) for field in fields(cls)}
        for pair in ("size", "defocus"):
            values[pair] = tuple(values[pair])
        return cls(**values)


_HELP = {
    "micrographs": "number of micrographs",
    "selected": "number of them listed in Select/job005",
    "pixel_size": "pixel size in A",
    "particles": "intact particles per micrograph",
    "broken": "half particles per micrograph",
    "contaminants": "ice balls and filaments per micrograph",
    "symmetry": "point group, e.g. C1, C6, D2, T, O, I (default: the model's own)",
    "diameter": "particle diameter in A",
    "distance": "smallest distance between centres in A (default: 0.95 diameters)",
    "voltage": "acceleration voltage in kV",
    "cs": "spherical aberration in mm",
    "amplitude_contrast": "amplitude contrast",
    "snr": "variance of a particle's contrast over that of the white noise",
    "carbon": "probability of a carbon edge",
    "hot_pixels": "hot pixels per micrograph",
    "references": "number of reference views",
    "seed": "random seed",
}


def add_arguments(parser: ArgumentParser) -> None:
    """Add an option for every field of `SimulateOptions`, with its default."""
    default = SimulateOptions()
    for name, text in _HELP.items():
        value = getattr(default, name)
        shown = text if value in ("", 0.0) else f"{text} (default: {value})"
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value, help=shown)
    groups = ", ".join(f"{name} ({group})" for name, group in PRESETS.items())
    parser.add_argument("--model", choices=tuple(PRESETS), default=default.model, help=f"particle: {groups}")
    parser.add_argument("--mode", choices=MODES, default=default.mode, help="number format of micrographs")
    _add_pair(parser, "size", int, default.size, ("HEIGHT", "WIDTH"), "micrograph size in pixels")
    _add_pair(parser, "defocus", float, default.defocus, ("LOW", "HIGH"), "range of underfocus in A")


def _add_pair(
    parser: ArgumentParser,
    name: str,
    kind: type,
    default: tuple[float, float],
    metavar: tuple[str, str],
    text: str,
) -> None:
    shown = f"{text} (default: {default[0]:g} {default[1]:g})"
    parser.add_argument(f"--{name}", type=kind, nargs=2, default=default, metavar=metavar, help=shown)
