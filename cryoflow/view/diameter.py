"""The particle's diameter, from the settings and references of a picking job."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from cryoflow.errors import CryoflowError
from cryoflow.files.mrc import read_header, read_images, read_stack, split_image_name
from cryoflow.files.star import read_star

DEFAULT_A = 100.0


def particle_diameter_a(settings: Mapping[str, str], project: Path) -> float:
    """Return the diameter of circles around picks, A.

    It is the mask diameter if given; the largest diameter of a Laplacian-of-Gaussian search; that of the
    mask of the references; or else the minimum distance between picks.

    Parameters
    ----------
    settings : mapping
        Fields of the job by label.
    project : Path
        Absolute project root.
    """
    given = _number(settings, "Mask diameter (A)")
    if settings.get("OR: use Laplacian-of-Gaussian?") == "Yes":
        given = _number(settings, "Max. diameter for LoG filter (A)")
    if given:
        return given
    measured: float | None = None
    with suppress(CryoflowError, OSError):
        measured = _reference_diameter_a(settings, project)
    return measured or _number(settings, "Minimum inter-particle distance (A)") or DEFAULT_A


def mask_diameter_px(image: npt.NDArray[np.float32]) -> float | None:
    """Diameter of the circle outside which ``(n, n)`` pixels equal the corner; None if it exceeds the box."""
    size = image.shape[-1]
    y, x = np.indices(image.shape) - size // 2
    inside = image != image[0, 0]
    if not inside.any():
        return None
    diameter = 2 * float(np.sqrt((y**2 + x**2)[inside].max())) + 1
    return diameter if diameter < size else None


def _reference_diameter_a(settings: Mapping[str, str], project: Path) -> float | None:
    name = settings.get("2D references:", "")
    if not name or not (project / name).is_file():
        return None
    images, stack = _references(project, name)
    found = [mask_diameter_px(image) for image in images]
    known = [diameter for diameter in found if diameter is not None]
    pixel_a = _number(settings, "Pixel size in references (A)") or read_header(stack).pixel_size
    return float(np.mean(known)) * pixel_a if known and pixel_a else None


def _references(project: Path, name: str) -> tuple[npt.NDArray[np.float32], Path]:
    path = project / name
    if path.suffix in {".mrc", ".mrcs"}:
        return read_stack(path), path
    for block in read_star(path).values():
        for column in ("rlnReferenceImage", "rlnImageName"):
            if isinstance(block, pd.DataFrame) and column in block.columns and len(block):
                names = block[column].astype(str).tolist()
                return read_images(names, project), project / split_image_name(names[0])[1]
    return np.zeros((0, 1, 1), np.float32), path


def _number(settings: Mapping[str, str], label: str) -> float | None:
    """Return a positive number of the settings, whose labels may end in a colon."""
    text = settings.get(label, settings.get(f"{label}:", ""))
    with suppress(ValueError):
        return float(text) if float(text) > 0 else None
    return None
