"""cryoflow: steps 10-16 of the RELION single-particle tutorial as declarative, reproducible jobs.

``import cryoflow as cf`` offers the computations of the jobs on numpy arrays or torch tensors, and the jobs
themselves (`cryoflow.run`). A name is imported when it is first used: torch and pandas take seconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from cryoflow.version import __version__ as __version__

if TYPE_CHECKING:
    from cryoflow.api.blobs import pick_blobs as pick_blobs
    from cryoflow.api.classification import Classification as Classification
    from cryoflow.api.classification import classify as classify
    from cryoflow.api.ctf import Ctf as Ctf
    from cryoflow.api.ctf import ctf as ctf
    from cryoflow.api.extraction import extract as extract
    from cryoflow.api.images import Micrograph as Micrograph
    from cryoflow.api.images import Particles as Particles
    from cryoflow.api.images import References as References
    from cryoflow.api.jobs import Outcome as Outcome
    from cryoflow.api.jobs import run as run
    from cryoflow.api.maps import FomMaps as FomMaps
    from cryoflow.api.maps import fom_maps as fom_maps
    from cryoflow.api.picking import Picks as Picks
    from cryoflow.api.picking import find_peaks as find_peaks
    from cryoflow.api.picking import pick as pick
    from cryoflow.api.reading import MicrographTable as MicrographTable
    from cryoflow.api.reading import read_micrograph as read_micrograph
    from cryoflow.api.reading import read_micrographs as read_micrographs
    from cryoflow.api.reading import read_particles as read_particles
    from cryoflow.api.reading import read_references as read_references
    from cryoflow.api.reading import read_star as read_star
    from cryoflow.api.reading import read_table as read_table
    from cryoflow.api.reading import write_star as write_star
    from cryoflow.api.scoring import LearntScores as LearntScores
    from cryoflow.api.scoring import learnt_scores as learnt_scores
    from cryoflow.api.selection import Selection as Selection
    from cryoflow.api.selection import select as select
    from cryoflow.api.sorting import ZScores as ZScores
    from cryoflow.api.sorting import z_scores as z_scores
    from cryoflow.errors import ArgumentError as ArgumentError
    from cryoflow.errors import CryoflowError as CryoflowError
    from cryoflow.simulate.options import SimulateOptions as SimulateOptions
    from cryoflow.simulate.project import simulate_project as simulate_project

_NAMES = {
    "api.blobs": ("pick_blobs",),
    "api.classification": ("Classification", "classify"),
    "api.ctf": ("Ctf", "ctf"),
    "api.extraction": ("extract",),
    "api.images": ("Micrograph", "Particles", "References"),
    "api.jobs": ("Outcome", "run"),
    "api.maps": ("FomMaps", "fom_maps"),
    "api.picking": ("Picks", "find_peaks", "pick"),
    "api.reading": (
        "MicrographTable",
        "read_micrograph",
        "read_micrographs",
        "read_particles",
        "read_references",
        "read_star",
        "read_table",
        "write_star",
    ),
    "api.scoring": ("LearntScores", "learnt_scores"),
    "api.selection": ("Selection", "select"),
    "api.sorting": ("ZScores", "z_scores"),
    "errors": ("ArgumentError", "CryoflowError"),
    "simulate.options": ("SimulateOptions",),
    "simulate.project": ("simulate_project",),
}
_MODULES = {name: f"cryoflow.{module}" for module, names in _NAMES.items() for name in names}

__all__ = ["__version__", *sorted(_MODULES)]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'cryoflow' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
