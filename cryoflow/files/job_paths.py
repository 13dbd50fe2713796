"""What files of a job are called below its directory: as what they were made from is below its own job's."""

from __future__ import annotations

import re
from os import PathLike
from pathlib import Path, PurePosixPath

_JOB = re.compile(r"^(?:\./)*[^/]+/job\d{3,}/")


def below_job(name: str | PathLike[str]) -> str:
    """Return a path without its leading ``Type/jobNNN/``, which a job repeats below its own directory.

    ``MotionCorr/job002/Micrographs/a.mrc`` becomes ``Micrographs/a.mrc``; other paths inside the project stay
    as they are. ``/data/a.mrc`` becomes ``data/a.mrc`` and ``../raw/a.mrc`` becomes ``raw/a.mrc``: a job
    writes nothing outside its directory.
    """
    rest = PurePosixPath(_JOB.sub("", Path(name).as_posix(), count=1))
    return "/".join(part for part in rest.parts if part not in {"/", "//", ".."})


def stem_below_job(micrograph: str) -> str:
    """``MotionCorr/job002/Movies/a.mrc`` is ``Movies/a``: its name in whatever job it passes."""
    name = PurePosixPath(below_job(micrograph))
    return str(name.parent / name.stem)
