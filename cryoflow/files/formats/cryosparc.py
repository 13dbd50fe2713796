"""cryoSPARC's ``.cs`` files: NumPy arrays of particles, picks or micrographs, joined by ``uid``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from cryoflow.errors import FileError
from cryoflow.files.atomic import replacing, unreadable
from cryoflow.files.formats.picks import CLASS, IMAGE, NAME, SCORE, Picks, X, Y
from cryoflow.files.image_names import join_image_name, split_image_name

Records = npt.NDArray[Any]
Columns = dict[str, npt.NDArray[Any]]

_CENTRE = (
    "cryoSPARC: centres as fractions of width and height, from the first row of the micrograph's MRC file"
)
_ROUNDING = "the fractions are of single precision; coordinates are rounded to 0.01 pixels"
_FLIP = (
    "where the micrographs are not cryoSPARC's own (its motion correction flips them) a flip in y is needed"
)
_POSES = "poses and shifts (alignments2D, alignments3D) are left out; classes are counted from 1"
_DECIMALS = 2

_PLAIN = {
    "ctf/accel_kv": "rlnVoltage", "ctf/cs_mm": "rlnSphericalAberration",
    "ctf/amp_contrast": "rlnAmplitudeContrast",
    "ctf/df1_A": "rlnDefocusU", "ctf/df2_A": "rlnDefocusV", "pick_stats/ncc_score": SCORE,
    "ctf/cross_corr_ctffind4": "rlnCtfFigureOfMerit", "ctf/ctf_fit_to_A": "rlnCtfMaxResolution",
}  # fmt: skip
_RADIANS = {"ctf/df_angle_rad": "rlnDefocusAngle", "ctf/phase_shift_rad": "rlnPhaseShift"}
_PATHS = ("location/micrograph_path", "micrograph_blob/path")
_PIXELS = ("blob/psize_A", "micrograph_blob/psize_A", "location/micrograph_psize_A")


def read_cs(path: Path, passthrough: Sequence[Path] = ()) -> Picks:
    """Read particles or picks, with what passthrough files of the same job know about them.

    Raises
    ------
    FileError
        When a file is not a ``.cs`` array, has objects that would need unpickling, lacks a particle of
        another, or there are neither locations nor images.
    """
    fields = _joined(path, passthrough)
    rows = pd.DataFrame({**_locations(path, fields), **_images(fields), **optics(fields)})
    if X not in rows.columns and IMAGE not in rows.columns:
        raise FileError(path, "has neither locations nor images; give the job's passthrough file as well")
    if "alignments2D/class" in fields:
        rows[CLASS] = fields["alignments2D/class"].astype(np.int64) + 1
    posed = any(name.endswith("/pose") for name in fields)
    return Picks(rows, (_CENTRE, _ROUNDING, _FLIP, *([_POSES] if posed else [])))


def read_exposures(path: Path, passthrough: Sequence[Path] = ()) -> pd.DataFrame:
    """Read the micrographs of a job, and their CTF: ``rlnMicrographName`` and what `optics` finds.

    Raises
    ------
    FileError
        As `read_cs`, and where the file names no micrographs.
    """
    fields = _joined(path, passthrough)
    name = next((name for name in reversed(_PATHS) if name in fields), None)
    if name is None:
        raise FileError(
            path, "names no micrographs (micrograph_blob/path); give the job's passthrough file as well"
        )
    rows = pd.DataFrame({NAME: _texts(fields[name]), **optics(fields)})
    return rows.drop_duplicates(NAME, ignore_index=True)


def optics(fields: Mapping[str, npt.NDArray[Any]]) -> Columns:
    """CTF, microscope and pixel size in RELION's terms, angles in degrees."""
    found: Columns = {label: _decimal(fields[name]) for name, label in _PLAIN.items() if name in fields}
    for name, label in _RADIANS.items():
        if name in fields:
            found[label] = np.rad2deg(fields[name].astype(np.float64))
    pixel = next((fields[name] for name in _PIXELS if name in fields), None)
    if pixel is not None:
        found["rlnMagnification"] = np.full(len(pixel), 10000.0)
        found["rlnDetectorPixelSize"] = _decimal(pixel)
    return found


def write_cs(path: Path, rows: pd.DataFrame, shape_of: Callable[[str], tuple[int, int]]) -> None:
    """Write particles or picks; ``shape_of`` gives height and width of a micrograph in pixels.

    Identifiers come from the micrographs' names and the order, so that the same rows give the same bytes.
    """
    names = rows[NAME].astype(str)
    shapes = np.array([shape_of(name) for name in names], np.uint32).reshape(-1, 2)
    order = names.groupby(names).cumcount()
    columns: dict[str, npt.NDArray[Any]] = {
        "uid": np.array([_uid(f"{name}#{n}") for name, n in zip(names, order, strict=True)], np.uint64),
        "location/micrograph_uid": np.array([_uid(name) for name in names], np.uint64),
        "location/exp_group_id": np.zeros(len(rows), np.uint32),
        "location/micrograph_path": _bytes(names),
        "location/micrograph_shape": shapes,
        "location/center_x_frac": (rows[X].to_numpy(np.float64) / shapes[:, 1]).astype(np.float32),
        "location/center_y_frac": (rows[Y].to_numpy(np.float64) / shapes[:, 0]).astype(np.float32),
        **_image_fields(rows),
        **_optics_fields(rows),
    }
    types = [(name, values.dtype.str, values.shape[1:]) for name, values in columns.items()]
    records = np.zeros(len(rows), np.dtype(types))
    for name, values in columns.items():
        records[name] = values
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, records, allow_pickle=False)


def _joined(path: Path, passthrough: Sequence[Path]) -> Columns:
    main = _load(path)
    fields = {name: main[name] for name in main.dtype.names or ()}
    for other in passthrough:
        extra = _load(other)
        place = {uid: index for index, uid in enumerate(extra["uid"].tolist())}
        lost = next((uid for uid in main["uid"].tolist() if uid not in place), None)
        if lost is not None:
            raise FileError(
                other, f"lacks uid {lost} of {path.name}; give the passthrough file of the same job"
            )
        order = np.array([place[uid] for uid in main["uid"].tolist()], np.int64)
        fields |= {name: extra[name][order] for name in extra.dtype.names or () if name not in fields}
    return fields


def _load(path: Path) -> Records:
    try:
        with path.open("rb") as file:
            found = np.load(file, allow_pickle=False)
    except OSError as error:
        raise unreadable(path, error) from error
    except ValueError as error:
        pickled = "Object arrays" in str(error) or "pickle" in str(error)
        what = "is not an array of numbers" if pickled else "is not a NumPy array"
        raise FileError(path, f"{what}, as cryoSPARC saves .cs files; export it again") from None
    if not isinstance(found, np.ndarray) or "uid" not in (found.dtype.names or ()):
        raise FileError(path, "is not a .cs file of cryoSPARC: it has no field uid")
    return found


def _locations(path: Path, fields: Columns) -> Columns:
    found: Columns = {}
    name = next((name for name in _PATHS if name in fields), None)
    if name is not None:
        found[NAME] = np.array(_texts(fields[name]), dtype=object)
    if "location/center_x_frac" in fields:
        if "location/micrograph_shape" not in fields or name is None:
            raise FileError(
                path, "has centres without the micrograph's path and shape; give the passthrough file"
            )
        height, width = fields["location/micrograph_shape"].astype(np.float64).T
        for label, fraction, size in (
            (X, "location/center_x_frac", width),
            (Y, "location/center_y_frac", height),
        ):
            found[label] = np.round(fields[fraction].astype(np.float64) * size, _DECIMALS)
    return found


def _images(fields: Columns) -> Columns:
    if "blob/path" not in fields:
        return {}
    pairs = zip(fields["blob/idx"].tolist(), _texts(fields["blob/path"]), strict=True)
    return {IMAGE: np.array([join_image_name(index, stack) for index, stack in pairs], dtype=object)}


def _image_fields(rows: pd.DataFrame) -> Columns:
    if IMAGE not in rows.columns:
        return {}
    pairs = [split_image_name(str(name)) for name in rows[IMAGE]]
    stacks = _bytes([stack for _, stack in pairs])
    return {"blob/path": stacks, "blob/idx": np.array([index for index, _ in pairs], np.uint32)}


def _optics_fields(rows: pd.DataFrame) -> Columns:
    found: Columns = {
        name: rows[label].to_numpy(np.float32) for name, label in _PLAIN.items() if label in rows.columns
    }
    for name, label in _RADIANS.items():
        if label in rows.columns:
            found[name] = np.deg2rad(rows[label].to_numpy(np.float64)).astype(np.float32)
    if IMAGE in rows.columns and "rlnDetectorPixelSize" in rows.columns:
        pixel = 1e4 * rows["rlnDetectorPixelSize"] / rows["rlnMagnification"]
        found["blob/psize_A"] = pixel.to_numpy(np.float32)
    return found


def _decimal(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Numbers as they print in single precision: 2.7 and not 2.70000005."""
    return np.array([float(str(value)) for value in values], np.float64)


def _texts(values: npt.NDArray[Any]) -> list[str]:
    """Paths as text; a leading ``>`` marks those that cryoSPARC has copied to a cache."""
    texts = [
        value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
        for value in values
    ]
    return [text.removeprefix(">") for text in texts]


def _bytes(texts: Sequence[str] | pd.Series) -> npt.NDArray[np.bytes_]:
    encoded = [text.encode("utf-8", "surrogateescape") for text in texts]
    return np.array(encoded, dtype=f"S{max(map(len, encoded), default=1)}")


def _uid(name: str) -> int:
    return int.from_bytes(blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest(), "little")
