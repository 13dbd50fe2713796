"""RELION 3.0's column names and units against those of 3.1 and later."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from cryoflow.errors import CryoflowError
from cryoflow.files.optics import LATER_LABELS

PIXELS_A = (0.01, 100.0)
"""Plausible pixel sizes; others come from columns in the wrong unit and would lead to huge images."""

_NOMINAL = 10000.0  # magnification at which rlnDetectorPixelSize in micrometres is the pixel size in Angstrom
_ORIGINS = {
    f"rlnOrigin{axis}{prior}": f"rlnOrigin{axis}{prior}Angst" for axis in "XYZ" for prior in ("", "Prior")
}
_LAST_RESORT = "rlnPixelSize"
_PIXEL_SIZE = {"particles": "rlnImagePixelSize", "micrographs": "rlnMicrographPixelSize"}
_PAIR = ["rlnMagnification", "rlnDetectorPixelSize"]
SAME_SIZE = 1e-2
"""Relative difference below which two pixel sizes count as equal."""
_SAME_OFFSET = 0.05  # pixels

# RELION 3.0 refuses unknown labels
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


def states_pixel_size(rows: pd.DataFrame) -> bool:
    """Whether rows have columns of a pixel size, whatever their values."""
    return set(_PAIR) <= set(rows.columns) or any(
        name in rows.columns for name in (*_PIXEL_SIZE.values(), _LAST_RESORT)
    )


def find_pixel_size(rows: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return the pixel size of each row in Angstrom, whichever way it is stated.

    Raises
    ------
    CryoflowError
        When it is not stated, is out of `PIXELS_A`, or is stated in two ways that differ.
    """
    own = _PIXEL_SIZE["particles" if "rlnImageName" in rows.columns else "micrographs"]
    if all(name in rows.columns for name in _PAIR):
        magnification, detector = (rows[name].to_numpy(np.float64) for name in _PAIR)
        with np.errstate(divide="ignore", invalid="ignore"):
            size = _positive(1e4 * detector / magnification, " and ".join(_PAIR))
        if own in rows.columns:
            _check_same(size, rows[own].to_numpy(np.float64), own)
        return size
    for name in dict.fromkeys((own, *_PIXEL_SIZE.values(), _LAST_RESORT)):
        if name in rows.columns:
            return _positive(rows[name].to_numpy(np.float64), name)
    stated = f"{' and '.join(_PAIR)}, or {' or '.join(_PIXEL_SIZE.values())}"
    raise CryoflowError(f"no pixel size: needs {stated}")


def _check_same(size: npt.NDArray[np.float64], other: npt.NDArray[np.float64], name: str) -> None:
    wrong = np.flatnonzero(~(np.abs(other - size) <= SAME_SIZE * size))
    if wrong.size:
        row = int(wrong[0])
        what = f"the pixel size of row {row + 1} is {size[row]:g} A by {' and '.join(_PAIR)}"
        raise CryoflowError(f"{what}, but {other[row]:g} A by {name}; remove the columns that are wrong")


def to_flat(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """Convert 3.1's terms, optics merged, to 3.0's; columns in 3.0's terms are kept.

    Raises
    ------
    CryoflowError
        As `find_pixel_size`, and when an offset is given in pixels and in Angstrom and the two differ.
    """
    rows = rows.copy()
    label = _PIXEL_SIZE[name]
    if label in rows.columns:
        size = find_pixel_size(rows)
        rows = rows.drop(columns=label)
        if not set(_PAIR) <= set(rows.columns):
            rows["rlnMagnification"], rows["rlnDetectorPixelSize"] = _NOMINAL, size
    for pixels, angstrom in _ORIGINS.items():
        if angstrom in rows.columns:
            rows[angstrom] = _offsets(rows, pixels, angstrom)
            rows = rows.drop(columns=pixels, errors="ignore").rename(columns={angstrom: pixels})
    return rows


def _offsets(rows: pd.DataFrame, pixels: str, angstrom: str) -> npt.NDArray[np.float64]:
    """Offsets in pixels from those in Angstrom; zeros need no pixel size."""
    offsets = rows[angstrom].to_numpy(np.float64)
    if offsets.any():
        try:
            offsets = offsets / find_pixel_size(rows)
        except CryoflowError as error:
            raise CryoflowError(f"{angstrom} is in A and cannot be converted to pixels: {error}") from None
    given = rows[pixels].to_numpy(np.float64) if pixels in rows.columns else offsets
    wrong = np.flatnonzero(~np.isclose(given, offsets, rtol=SAME_SIZE, atol=_SAME_OFFSET, equal_nan=True))
    if wrong.size:
        row = int(wrong[0])
        what = f"{pixels} of row {row + 1} is {given[row]:g} px, but {angstrom} makes it {offsets[row]:g} px"
        raise CryoflowError(f"{what}; remove the column that is wrong")
    return offsets


def to_optics_style(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """Convert 3.0's terms to 3.1's, optics values still in every row."""
    rows = rows.copy()
    size = find_pixel_size(rows)
    for pixels, angstrom in _ORIGINS.items():
        if pixels in rows.columns:
            rows[pixels] = rows[pixels] * size
            rows = rows.drop(columns=angstrom, errors="ignore").rename(columns={pixels: angstrom})
    rows = rows.drop(columns=_PAIR, errors="ignore")
    rows[_PIXEL_SIZE[name]] = size
    return rows


def to_relion_30(rows: pd.DataFrame, flat: bool) -> pd.DataFrame:
    """State the pixel size as in RELION 3.0, and drop the columns that it refuses.

    A ``flat`` table, which came without optics groups, keeps all that it came with.
    """
    if any(name in rows.columns for name in _PIXEL_SIZE.values()) and not set(_PAIR) <= set(rows.columns):
        size = find_pixel_size(rows)
        rows = rows.assign(rlnMagnification=_NOMINAL, rlnDetectorPixelSize=size)
    return rows if flat else rows.drop(columns=[name for name in rows.columns if name in _LATER_THAN_30])


def _positive(size: npt.NDArray[np.float64], source: str) -> npt.NDArray[np.float64]:
    least, most = PIXELS_A
    wrong = np.flatnonzero(~((size >= least) & (size <= most)))
    if wrong.size:
        row = int(wrong[0])
        what = f"the pixel size of row {row + 1} is {size[row]:g} A, by {source}"
        raise CryoflowError(f"{what}; it must be {least:g} to {most:g} A")
    return size
