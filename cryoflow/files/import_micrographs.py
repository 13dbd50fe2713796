"""Import of micrographs into a table with optics, as by RELION's import."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from cryoflow.errors import CryoflowError, FileError
from cryoflow.files.formats.ctf_estimates import ESTIMATED, MICROSCOPE, PIXEL, read_ctf
from cryoflow.files.formats.picks import NAME
from cryoflow.files.job_paths import check_one_file_each, stem_below_job
from cryoflow.files.micrograph_names import MicrographNames
from cryoflow.files.mrc import read_header, write_mrc
from cryoflow.files.pictures import LOSSY, MOVIE, PICTURES, TIFF, read_picture
from cryoflow.files.star import StarStyle
from cryoflow.files.tables import Table, pixel_size, write_table
from cryoflow.files.vocabulary import SAME_SIZE

DEFAULTS = {"rlnVoltage": 300.0, "rlnSphericalAberration": 2.7, "rlnAmplitudeContrast": 0.1}
"""Defaults of RELION's import: kV, mm, and a fraction."""
_UNITS = {
    "rlnVoltage": "voltage {:g} kV",
    "rlnSphericalAberration": "Cs {:g} mm",
    "rlnAmplitudeContrast": "amplitude contrast {:g}",
}
_MRC, _MOVIES = frozenset({".mrc"}), frozenset({".eer", ".mrcs", ".dm4", ".dm3"})


class Microscope(NamedTuple):
    """Values given by the user; None to use the CTF estimates, or else RELION's defaults."""

    pixel_size_a: float | None = None
    voltage_kv: float | None = None
    cs_mm: float | None = None
    amplitude_contrast: float | None = None


class Imported(NamedTuple):
    """Result of an import, and lines to report."""

    micrographs: int
    copies: int
    said: tuple[str, ...]
    warned: tuple[str, ...]


def import_micrographs(
    given: Sequence[Path],
    out: Path,
    project: Path,
    microscope: Microscope,
    ctf: Sequence[Path] = (),
    copies: str = "Micrographs",
    style: StarStyle = "3.1",
    progress: Callable[[Sequence[Path]], Iterator[Path]] = iter,
) -> Imported:
    """Write a table of micrographs; those that are not MRC files are copied to MRC.

    Parameters
    ----------
    given : sequence of Path
        Files, or folders that are searched for them.
    out : Path
        The table.
    project : Path
        Root of the names in the table.
    microscope : Microscope
    ctf : sequence of Path
        CTF estimates (see `read_ctf`), joined by the micrographs' names.
    copies : str
        Folder of the project for MRC copies.
    style : {"3.0", "3.1"}
    progress : callable
        Called with the files, yields them.

    Raises
    ------
    FileError
        When there are no micrographs, one is a movie or cannot be read, no CTF estimate is of any of them, or
        the pixel size is not known.
    """
    files = _found(given)
    said, warned = list[str](), list[str]()
    names = [_name(file, project, copies) for file in files]
    check_one_file_each(out, names, "MRC copy")
    rows = pd.DataFrame({NAME: names})
    files_by_name = dict(zip(names, files, strict=True))
    if ctf:
        rows = _with_ctf(rows, ctf, said, warned)
    kept = [files_by_name[name] for name in rows[NAME]]
    headers = _header_pixels(kept)
    rows = _with_pixels(out, rows, headers, microscope.pixel_size_a, said, warned)
    rows = _with_microscope(rows, microscope, said)
    copied = _copied(kept, rows, project, progress, warned, said)
    write_table(out, Table(rows, style, out, "micrographs" if style == "3.1" else ""))
    return Imported(len(rows), copied, tuple(said), tuple(warned))


def _found(given: Sequence[Path]) -> list[Path]:
    files: list[Path] = []
    for path in given:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.suffix.lower() in _MRC | PICTURES)
            if not inside:
                movies = any(file.suffix.lower() in _MOVIES for file in path.rglob("*"))
                hint = f" but movies; {MOVIE}" if movies else " (.mrc, .tif, .png, .jpg)"
                raise FileError(path, f"holds no micrographs{hint}")
            files.extend(inside)
        elif not path.exists():
            raise FileError(path, "no such file")
        else:
            files.append(path)
    return list(dict.fromkeys(file.absolute() for file in files))  # links keep their names


def _name(file: Path, project: Path, copies: str) -> str:
    """The name in the table: of the file itself, or of the copy that will be made of it."""
    ending = file.suffix.lower()
    if ending in _MOVIES:
        raise FileError(file, f"is a movie ({ending}); {MOVIE}")
    own = file.relative_to(project).as_posix() if file.is_relative_to(project) else file.as_posix()
    if ending in _MRC:
        frames = read_header(file).nz
        if frames > 1:
            raise FileError(file, f"holds {frames} images; a movie? {MOVIE}")
        return own
    if ending not in PICTURES:
        raise FileError(file, "is not a micrograph; .mrc, .tif, .png and .jpg are read")
    below = Path(stem_below_job(own)) if file.is_relative_to(project) else Path(file.stem)
    return f"{copies}/{below.name if below.parent.name == copies else below}.mrc"


def _with_ctf(rows: pd.DataFrame, ctf: Sequence[Path], said: list[str], warned: list[str]) -> pd.DataFrame:
    """Join estimates to micrographs; those without one are skipped."""
    estimates = read_ctf(ctf)
    known = MicrographNames(rows[NAME])
    theirs = estimates[NAME].astype(str)
    owners = theirs.map(lambda name: _owner(known, ctf[0], name))
    matched = estimates.assign(**{NAME: owners})[owners.notna()]
    if not len(matched):
        pair = f"they are of {theirs.iloc[0]}, the micrographs are such as {rows[NAME].iloc[0]}"
        raise FileError(ctf[0], f"has no CTF estimates of the micrographs: {pair}")
    twice = matched[NAME][matched[NAME].duplicated()]
    if len(twice):
        raise FileError(ctf[0], f"has two CTF estimates of {twice.iloc[0]}; give one")
    joined = rows.merge(matched, on=NAME, how="left")
    lost = joined["rlnDefocusU"].isna()
    if lost.any():
        first = rows[NAME][lost].iloc[0]
        warned.append(f"{int(lost.sum())} micrographs without a CTF estimate are skipped, e.g. {first}")
    said.append(f"CTF estimates of {int((~lost).sum())} micrographs; defocus angles are taken as they are")
    return joined[~lost].reset_index(drop=True)


def _owner(known: MicrographNames, source: Path, name: str) -> str | None:
    """The micrograph an estimate is of: by its name, else without words like ``_ctffind`` behind it."""
    try:
        found = known.find(name)
        stem, mark, rest = Path(stem_below_job(name)).name.rpartition("_")
        while found is None and mark and not rest[:1].isdigit():
            found = known.find(stem)
            stem, mark, rest = stem.rpartition("_")
        return found
    except CryoflowError as error:
        raise FileError(source, str(error)) from None


def _header_pixels(files: Sequence[Path]) -> list[float | None]:
    return [read_header(file).known_pixel_size if file.suffix.lower() in _MRC else None for file in files]


def _with_pixels(
    out: Path,
    rows: pd.DataFrame,
    headers: Sequence[float | None],
    told: float | None,
    said: list[str],
    warned: list[str],
) -> pd.DataFrame:
    """Set the pixel size: the user's, else that of the CTF estimates, else that of every header."""
    known = np.array([np.nan if size is None else size for size in headers], np.float64)
    if told is not None:
        sizes, source = np.full(len(rows), told), "as given"
    elif set(PIXEL) <= set(rows.columns):
        sizes, source = pixel_size(rows), "from the CTF estimates"
    elif np.isfinite(known).all():
        sizes, source = known, "from the headers"
    else:
        lacks = sum(size is None for size in headers)
        raise FileError(
            out, f"the pixel size is unknown ({lacks} headers have none); give it with --pixel-size"
        )
    wrong = np.flatnonzero(np.abs(known - sizes) > SAME_SIZE * sizes)
    if wrong.size:
        name = rows[NAME].iloc[wrong[0]]
        theirs, ours = known[wrong[0]], sizes[wrong[0]]
        warned.append(f"{wrong.size} headers differ, e.g. {theirs:g} A of {name}; using {ours:g} A")
    low, high = sizes.min(), sizes.max()
    said.append(
        f"pixel size {low:g} A {source}" if high == low else f"pixel sizes {low:g} to {high:g} A {source}"
    )
    return rows.assign(rlnMagnification=10000.0, rlnDetectorPixelSize=sizes)


def _with_microscope(rows: pd.DataFrame, microscope: Microscope, said: list[str]) -> pd.DataFrame:
    told = dict(zip(MICROSCOPE, microscope[1:], strict=True))
    assumed = []
    for label, value in told.items():
        if value is not None:
            rows = rows.assign(**{label: value})
        elif label not in rows.columns:
            rows = rows.assign(**{label: DEFAULTS[label]})
            assumed.append(_UNITS[label].format(DEFAULTS[label]))
    if assumed:
        said.append(
            f"assumed: {', '.join(assumed)}; override wrong values (--voltage, --cs, --amplitude-contrast)"
        )
    order = [NAME, *MICROSCOPE, *PIXEL, *ESTIMATED]
    return rows[[label for label in order if label in rows.columns]]


def _copied(
    files: Sequence[Path],
    rows: pd.DataFrame,
    project: Path,
    progress: Callable[[Sequence[Path]], Iterator[Path]],
    warned: list[str],
    said: list[str],
) -> int:
    """Write MRC copies of pictures, in the mode that keeps their values."""
    targets = {
        file: (name, size) for file, name, size in zip(files, rows[NAME], pixel_size(rows), strict=True)
    }
    pictures = [file for file in files if file.suffix.lower() in PICTURES]
    for file in progress(pictures):
        name, size = targets[file]
        pixels, mode = read_picture(file)
        write_mrc(project / name, pixels, float(size), mode)
    if any(file.suffix.lower() in TIFF for file in pictures):
        said.append("rows of TIFF files are reversed in their MRC copies, as RELION and MotionCor read them")
    lossy = sum(file.suffix.lower() in LOSSY for file in pictures)
    if lossy:
        warned.append(
            f"{lossy} micrographs are PNG or JPEG: few grey values, often lossy; prefer MRC or TIFF"
        )
    return len(pictures)
