"""CTF estimates of other programs, in RELION's terms: one row per micrograph, by the program's name for
it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd

from cryoflow.errors import FileError
from cryoflow.files.atomic import read_bytes
from cryoflow.files.formats.cryosparc import read_exposures
from cryoflow.files.formats.eman import content_lines
from cryoflow.files.formats.picks import NAME, real
from cryoflow.files.tables import read_micrographs, require

MICROSCOPE = ("rlnVoltage", "rlnSphericalAberration", "rlnAmplitudeContrast")
PIXEL = ("rlnMagnification", "rlnDetectorPixelSize")
ESTIMATED = (
    "rlnCtfImage", "rlnDefocusU", "rlnDefocusV", "rlnCtfAstigmatism", "rlnDefocusAngle", "rlnPhaseShift",
    "rlnCtfFigureOfMerit", "rlnCtfMaxResolution", "rlnCtfBfactor", "rlnCtfIceRingDensity",
)  # fmt: skip
"""Columns taken from an estimate, besides those of the microscope and the pixel size."""

_ENDINGS = {".txt", ".star", ".cs", ".log", ".xml"}
_NO_RESULTS = ("_avrot.txt", "_plot.txt")
_CTFFIND = (
    "rlnDefocusU",
    "rlnDefocusV",
    "rlnDefocusAngle",
    "rlnPhaseShift",
    "rlnCtfFigureOfMerit",
    "rlnCtfMaxResolution",
)
_SETTINGS = {
    "rlnVoltage": r"acceleration voltage:\s*([\d.]+)",
    "rlnSphericalAberration": r"spherical aberration:\s*([\d.]+)",
    "rlnAmplitudeContrast": r"amplitude contrast:\s*([\d.]+)",
}


def read_ctf(given: Sequence[Path]) -> pd.DataFrame:
    """Read CTF estimates of RELION, CTFFIND, Gctf, cryoSPARC and Warp, from files or all files of a folder.

    Returns
    -------
    DataFrame
        ``rlnMicrographName`` and of `ESTIMATED`, `MICROSCOPE` and `PIXEL` what all of the files have.

    Raises
    ------
    FileError
        When a file holds no CTF estimate, or two files are of one micrograph.
    """
    files = [file for path in given for file in _files(path)]
    found = pd.concat([_read(file) for file in files], join="inner", ignore_index=True)
    wanted = [name for name in (NAME, *MICROSCOPE, *PIXEL, *ESTIMATED) if name in found.columns]
    twice = found[NAME][found[NAME].duplicated()]
    if len(twice):
        raise FileError(given[0], f"has two CTF estimates of {twice.iloc[0]}; give one")
    return found[wanted]


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    files = [file for file in sorted(path.rglob("*")) if file.suffix in _ENDINGS]
    kept = [file for file in files if not file.name.endswith(_NO_RESULTS) and file.suffix != ".star"]
    if not kept:
        raise FileError(path, "holds no CTF estimates (.txt of CTFFIND, _gctf.log, .cs, .xml of Warp)")
    yield from kept


def _read(path: Path) -> pd.DataFrame:
    if path.suffix == ".cs":
        return _needs_defocus(path, read_exposures(path))
    if path.suffix == ".star":
        table = read_micrographs(path)
        require(table, NAME)
        return _needs_defocus(path, table.rows)
    readers = {".txt": _read_ctffind, ".log": _read_gctf, ".xml": _read_warp}
    if path.suffix not in readers:
        raise FileError(path, "is not in a known format of CTF estimates: .star, .txt, .log, .cs or .xml")
    return readers[path.suffix](path)


def _needs_defocus(path: Path, rows: pd.DataFrame) -> pd.DataFrame:
    missing = [name for name in ("rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle") if name not in rows.columns]
    if missing:
        raise FileError(path, f"has no CTF estimate: it lacks {', '.join(missing)}")
    return rows


def _read_ctffind(path: Path) -> pd.DataFrame:
    """The summary of CTFFIND 4 and 5: seven columns (or more), the phase shift in radians."""
    head = read_bytes(path).decode("utf-8", "replace")
    rows = [line.split() for _, line in content_lines(path)]
    if "CTFFind" not in head or not rows or len(rows[0]) < 7:
        raise FileError(path, "is not a summary of CTFFIND 4 or 5")
    if len(rows) > 1:
        raise FileError(path, f"has estimates of {len(rows)} images of a stack; give single micrographs")
    values = [real(path, word, name) for word, name in zip(rows[0][1:7], _CTFFIND, strict=True)]
    found = dict(zip(_CTFFIND, values, strict=True))
    found["rlnPhaseShift"] = float(np.rad2deg(found["rlnPhaseShift"]))
    settings = {name: re.search(pattern, head) for name, pattern in _SETTINGS.items()}
    found |= {name: float(match.group(1)) for name, match in settings.items() if match}
    source = re.search(r"Input file:\s*(.+?)\s*;", head)
    return pd.DataFrame([{NAME: source.group(1) if source else path.stem, **found}])


def _read_gctf(path: Path) -> pd.DataFrame:
    """The log of Gctf: a line ``defocus U, V, angle, [phase shift,] correlation Final Values``."""
    text = read_bytes(path).decode("utf-8", "replace")
    final = re.search(r"^\s*([-+\d.eE \t]+?)\s+Final Values", text, re.MULTILINE)
    words = final.group(1).split() if final else []
    if len(words) not in (4, 5):
        raise FileError(path, "is not a log of Gctf: it has no line 'Final Values'")
    names = ["rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle", "rlnPhaseShift", "rlnCtfFigureOfMerit"]
    if len(words) == 4:
        names.remove("rlnPhaseShift")
    found = {name: real(path, word, name) for name, word in zip(names, words, strict=True)}
    limit = re.search(r"RES_LIMIT\s+([\d.]+)", text)
    if limit:
        found["rlnCtfMaxResolution"] = float(limit.group(1))
    return pd.DataFrame([{NAME: path.stem.removesuffix("_gctf"), **found}])


def _read_warp(path: Path) -> pd.DataFrame:
    """Warp's settings of a movie: mean defocus and half the difference in micrometres, phase shift in pi."""
    try:
        root = ElementTree.fromstring(read_bytes(path))
    except ElementTree.ParseError as error:
        raise FileError(path, f"is not an XML file: {error}") from None
    given = {param.get("Name"): param.get("Value") for param in root.findall("./CTF/Param")}
    if "Defocus" not in given:
        raise FileError(path, "has no CTF estimate of Warp (CTF, Param Defocus)")
    value = {name: real(path, text, str(name)) for name, text in given.items() if _is_number(text)}
    mean, delta = value["Defocus"] * 1e4, value.get("DefocusDelta", 0.0) * 1e4
    found = {
        "rlnDefocusU": mean + delta / 2,
        "rlnDefocusV": mean - delta / 2,
        "rlnDefocusAngle": value.get("DefocusAngle", 0.0),
        "rlnPhaseShift": value.get("PhaseShift", 0.0) * 180,
    }
    for name, label in (("Voltage", MICROSCOPE[0]), ("Cs", MICROSCOPE[1]), ("Amplitude", MICROSCOPE[2])):
        if name in value:
            found[label] = value[name]
    estimate = root.get("CTFResolutionEstimate")
    if _is_number(estimate):
        found["rlnCtfMaxResolution"] = real(path, estimate, "CTFResolutionEstimate")
    return pd.DataFrame([{NAME: path.stem, **found}])


def _is_number(text: str | None) -> bool:
    try:
        return text is not None and bool(np.isfinite(float(text)))
    except ValueError:
        return False
