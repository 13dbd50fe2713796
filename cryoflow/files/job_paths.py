"""Names of a job's files: the same below its directory as those of their sources below their own job's."""

from __future__ import annotations

import re
from collections.abc import Iterable
from os import PathLike
from pathlib import Path, PurePosixPath

from cryoflow.errors import FileError

_JOB = re.compile(r"^(?:\./)*[^/]+/job\d{3,}/")
_IMAGE = re.compile(r"\.(mrcs?|map|rec|st|tiff?|eer|dm[34]|hdf5?|h5|jpe?g|png|box|star)$", re.IGNORECASE)
"""Extensions that are not part of a micrograph's name; other text after a dot may be a time of day."""


def below_job(name: str | PathLike[str]) -> str:
    """Return a path without its leading ``Type/jobNNN/``, which a job repeats below its own directory.

    ``MotionCorr/job002/Micrographs/a.mrc`` becomes ``Micrographs/a.mrc``; other paths inside the project stay
    as they are. ``/data/a.mrc`` becomes ``data/a.mrc`` and ``../raw/a.mrc`` becomes ``raw/a.mrc``: a job
    writes nothing outside its directory.
    """
    rest = PurePosixPath(_JOB.sub("", Path(name).as_posix(), count=1))
    return "/".join(part for part in rest.parts if part not in {"/", "//", ".."})


def stem_below_job(micrograph: str) -> str:
    """``MotionCorr/job002/Movies/a_12.49.31.mrc`` is ``Movies/a_12.49.31``: its name in any later job."""
    return _IMAGE.sub("", below_job(micrograph))


def micrograph_file(folder: Path, micrograph: str, ending: str) -> Path:
    """Path of the file that this or another job writes for one micrograph.

    Every job takes the names of its per-micrograph files from here.

    Parameters
    ----------
    folder : Path
        The job's directory.
    micrograph : str
        Its name in the table of micrographs.
    ending : str
        All that follows the micrograph's name without its extension, as ``_autopick.star``.
    """
    stem = folder / stem_below_job(micrograph)
    return stem.with_name(stem.name + ending)


def check_one_file_each(table: str | PathLike[str], micrographs: Iterable[str], what: str) -> None:
    """Refuse a table in which two micrographs would write the same file.

    Raises
    ------
    FileError
        Naming both; ``what`` is the name of the file in the message.
    """
    seen: dict[str, str] = {}
    for name in micrographs:
        stem = stem_below_job(name)
        if seen.get(stem) == name:
            raise FileError(table, f"names the micrograph {name} twice; remove one of the rows")
        if stem in seen:
            raise FileError(table, f"{seen[stem]} and {name} would write the same {what}; rename one of them")
        seen[stem] = name


def check_files_written(folder: Path, files: Iterable[Path]) -> None:
    """Check at the end of a job that every micrograph has its own file and that it exists.

    Raises
    ------
    FileError
        When two micrographs share a file, or one is missing.
    """
    seen: set[Path] = set()
    for file in files:
        if file in seen:
            raise FileError(file, "was written for two micrographs; rename one of them and run the job again")
        if not file.exists():
            raise FileError(file, f"disappeared from {folder} while the job ran; run it again")
        seen.add(file)
