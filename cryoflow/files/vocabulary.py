"""RELION 3.0's column names and units against those of 3.1 and later."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from cryoflow.errors import CryoflowError
from cryoflow.files.optics import LATER_LABELS

PIXELS_A = (0.01, 100.0)
"""Pixel sizes that can be meant; others come from columns in the wrong unit, and make images without end."""

_NOMINAL = 10000.0  # magnification at which rlnDetectorPixelSize in micrometres is the pixel size in Angstrom
_ORIGINS = {
    f"rlnOrigin{axis}{prior}": f"rlnOrigin{axis}{prior}Angst" for axis in "XYZ" for prior in ("", "Prior")
}
_PIXEL_SIZE = {"particles": "rlnImagePixelSize", "micrographs": "rlnMicrographPixelSize"}
_PAIR = ["rlnMagnification", "rlnDetectorPixelSize"]

# RELION 3.0 stops at a label that it does not know
_LATER_THAN_30 = frozenset(
    [
        *_ORIGINS.values(),
        *_PIXEL_SIZE.values(),
        *LATER_LABELS,
        "rlnCtfPowerSpectrum",
        "rlnCtfIceRingDensity",
        "rlnCtfBfactorPerElectronDose",
        "rlnCtfDataAreCtfCorrected",
        "rlnMicrographNameEven",
        "rlnMicrographNameOdd",
        "rlnMicrographIceThickness",
        "rlnMicrographCoordinates",
        "rlnHelicalTrackLengthAngst",
        "rlnNrHelicalNStart",
        "rlnPredictedClassScore",
        "rlnClassScore",
        "rlnClassIndex",
        "rlnGroupOriginalName",
    ]
)


def find_pixel_size(rows: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return the pixel size of each row in Angstrom, whichever way it is stated."""
    if all(name in rows.columns for name in _PAIR):
        magnification, detector = (rows[name].to_numpy(np.float64) for name in _PAIR)
        with np.errstate(divide="ignore", invalid="ignore"):
            return _positive(1e4 * detector / magnification, " and ".join(_PAIR))
    for name in _PIXEL_SIZE.values():
        if name in rows.columns:
            return _positive(rows[name].to_numpy(np.float64), name)
    stated = f"{' and '.join(_PAIR)}, or {' or '.join(_PIXEL_SIZE.values())}"
    raise CryoflowError(f"no pixel size: needs {stated}")


def to_flat(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """From 3.1's terms, optics merged, to 3.0's."""
    rows = rows.copy()
    label = _PIXEL_SIZE[name]
    if label in rows.columns:
        size = _positive(rows.pop(label).to_numpy(np.float64), label)
        rows["rlnMagnification"], rows["rlnDetectorPixelSize"] = _NOMINAL, size
    for pixels, angstrom in _ORIGINS.items():
        if angstrom in rows.columns:
            rows[angstrom] = rows[angstrom] / find_pixel_size(rows)
            rows = rows.drop(columns=pixels, errors="ignore").rename(columns={angstrom: pixels})
    return rows


def to_optics_style(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """From 3.0's terms to 3.1's, optics values still in every row."""
    rows = rows.copy()
    size = find_pixel_size(rows)
    for pixels, angstrom in _ORIGINS.items():
        if pixels in rows.columns:
            rows[pixels] = rows[pixels] * size
            rows = rows.drop(columns=angstrom, errors="ignore").rename(columns={pixels: angstrom})
    rows = rows.drop(columns=_PAIR, errors="ignore")
    rows[_PIXEL_SIZE[name]] = size
    return rows


def to_relion_30(rows: pd.DataFrame) -> pd.DataFrame:
    """Leave out what RELION 3.0 would stop at; state the pixel size its way."""
    if any(name in rows.columns for name in _PIXEL_SIZE.values()) and not set(_PAIR) <= set(rows.columns):
        size = find_pixel_size(rows)
        rows = rows.assign(rlnMagnification=_NOMINAL, rlnDetectorPixelSize=size)
    return rows.drop(columns=[name for name in rows.columns if name in _LATER_THAN_30])


def _positive(size: npt.NDArray[np.float64], source: str) -> npt.NDArray[np.float64]:
    least, most = PIXELS_A
    wrong = np.flatnonzero(~((size >= least) & (size <= most)))
    if wrong.size:
        row = int(wrong[0])
        told = f"the pixel size of row {row + 1} is {size[row]:g} A, by {source}"
        raise CryoflowError(f"{told}; it must be {least:g} to {most:g} A")
    return size
