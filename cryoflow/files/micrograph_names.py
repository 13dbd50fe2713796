"""Matching of names from other programs to micrographs, by as much of the name as both have."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from cryoflow.errors import CryoflowError
from cryoflow.files.job_paths import stem_below_job

_CRYOSPARC = re.compile(r"^\d{15,21}_|(_(patch|rigid|full)_aligned)?(_doseweighted)?$")
"""Prefix (a number) and suffix (the processing) that cryoSPARC adds to names of movies."""


def shared_folders(one: Sequence[str], other: Sequence[str]) -> int:
    """Count how many folders agree, from the last: ``a/b/c`` and ``x/b/c`` share two."""
    count = 0
    while count < min(len(one), len(other)) and one[-1 - count] == other[-1 - count]:
        count += 1
    return count


class MicrographNames:
    """Micrographs of a table, found by their names in other tables.

    A name means the micrograph of the same name, else the one of the same name below its job
    (``MotionCorr/job002/Movies/a.mrc`` and ``Movies/a``), else the one of the same file name whose last
    folders agree. A name without folders, ``a.mrc``, means the only micrograph of that file name. Where none
    of these is there, what cryoSPARC adds to names is left out: ``012345678901234567890_a_patch_aligned.mrc``
    means ``a.mrc``.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        self._by_file: dict[str, list[str]] = defaultdict(list)
        self._by_movie: dict[str, list[str]] = defaultdict(list)
        self._names = set()
        for name in dict.fromkeys(names):
            stem = stem_below_job(name)
            self._names.add(name)
            self._by_stem[stem].append(name)
            self._by_file[PurePosixPath(stem).name].append(name)
            self._by_movie[_movie(PurePosixPath(stem).name)].append(name)

    def find(self, name: str) -> str | None:
        """Return the micrograph's own name, or None where there is none of this name.

        Raises
        ------
        CryoflowError
            When several fit equally well.
        """
        if name in self._names:
            return name
        stem = PurePosixPath(stem_below_job(name))
        found = self._by_stem.get(str(stem)) or self._by_folders(stem) or self._by_movies(stem.name)
        if len(found) > 1:
            text = f"{name} is ambiguous: {found[0]} or {found[1]}; give the names with their folders"
            raise CryoflowError(text)
        return found[0] if found else None

    def _by_folders(self, stem: PurePosixPath) -> list[str]:
        folders = stem.parent.parts
        ranked = [
            (shared_folders(folders, own), name)
            for name in self._by_file.get(stem.name, [])
            for own in [PurePosixPath(stem_below_job(name)).parent.parts]
            if not own or not folders or own[-1] == folders[-1]
        ]
        most = max((count for count, _ in ranked), default=0)
        return [name for count, name in ranked if count == most]

    def _by_movies(self, stem: str) -> list[str]:
        movie = _movie(stem)
        found = self._by_movie.get(movie, [])
        if movie != stem:
            return found
        return [name for name in found if PurePosixPath(stem_below_job(name)).name != movie]


def _movie(stem: str) -> str:
    return _CRYOSPARC.sub("", stem)
