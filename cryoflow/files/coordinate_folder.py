"""Coordinate files below a folder, and the micrographs that they belong to."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from cryoflow.errors import FileError
from cryoflow.files.job_paths import stem_below_job
from cryoflow.files.micrograph_names import shared_folders

ENDINGS = (frozenset({".star", ".box"}), frozenset({".cbox", ".json"}))
"""Of coordinate files; the second only count where there are none of the first."""
_HIDDEN = (".", "coords_suffix")
_SEPARATORS = "_-."
_NUMBER = re.compile(r"[_.-]\d")


class _Match(NamedTuple):
    """A file, its micrograph, and how they were matched."""

    file: Path
    micrograph: str
    rest: str
    """Part of the file's name after the micrograph's, without the extension."""
    shared: int
    """Number of folders that agree, counted from the last."""
    inside: bool
    """The file is in a subfolder of the given one."""


def files_of_micrographs(folder: Path, micrographs: Sequence[str]) -> list[tuple[str, Path]]:
    """Find the coordinate file of each micrograph below a folder, in the order of the micrographs.

    A file is called as its micrograph or begins so (``mic1_topaz.star`` of ``mic1.mrc``). If several folders
    have a micrograph of this name, it belongs to the one whose last folders are the file's.

    Raises
    ------
    FileError
        When a file may be of two micrographs, a micrograph has two files, or no file is of a kind that is
        read.
    """
    files = coordinate_files(folder)
    if not files:
        raise FileError(folder, _what_is_there(_shown(folder)))
    matches = _without_others(_matches(folder, files, micrographs))
    if any(match.inside and match.shared for match in matches):
        matches = [match for match in matches if match.shared or not match.inside]
    by_name: dict[str, list[_Match]] = defaultdict(list)
    for match in matches:
        by_name[match.micrograph].append(match)
    return [(name, _only(folder, by_name[name])) for name in micrographs if name in by_name]


def coordinate_files(folder: Path) -> list[Path]:
    """Return the files below a folder that may hold coordinates, sorted."""
    shown = _shown(folder)
    kinds = ([file for file in shown if file.suffix in endings] for endings in ENDINGS)
    return next(filter(None, kinds), [])


def _shown(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file() and not file.name.startswith(_HIDDEN))


def _what_is_there(files: list[Path]) -> str:
    kinds = Counter(file.suffix or file.name for file in files)
    there = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(3)) or "no files"
    return f"holds no coordinate files (.star, EMAN's .box or .json, crYOLO's .cbox); it has {there}"


def _matches(folder: Path, files: Sequence[Path], micrographs: Sequence[str]) -> list[_Match]:
    by_stem: dict[str, list[str]] = defaultdict(list)
    for name in micrographs:
        by_stem[PurePosixPath(stem_below_job(name)).name].append(name)
    found = ((file, _longest_stem(file.stem, by_stem)) for file in files)
    return [_owner(folder, file, stem, by_stem[stem]) for file, stem in found if stem is not None]


def _longest_stem(name: str, stems: dict[str, list[str]]) -> str | None:
    """Find the micrograph a file belongs to: mic1_2_pick is of mic1_2, if there is one, and not of mic1."""
    if name in stems:
        return name
    ends = (end for end in range(len(name) - 1, 0, -1) if name[end] in _SEPARATORS)
    return next((name[:end] for end in ends if name[:end] in stems), None)


def _owner(folder: Path, file: Path, stem: str, names: Sequence[str]) -> _Match:
    shared = [
        shared_folders(file.parent.parts, PurePosixPath(stem_below_job(name)).parent.parts) for name in names
    ]
    most = max(shared)
    best = [name for name, count in zip(names, shared, strict=True) if count == most]
    if len(best) > 1:
        what = f"{file.relative_to(folder)} may be of {best[0]} or of {best[1]}"
        raise FileError(folder, f"{what}; put it into a folder named like the micrograph's")
    return _Match(file, best[0], file.stem[len(stem) :], most, file.parent != folder)


def _without_others(matches: list[_Match]) -> list[_Match]:
    """Leave out files of other micrographs: ``mic1_2_pick`` is not of mic1 where others end in ``_pick``."""
    rests = {match.rest for match in matches}
    return [match for match in matches if not any(_is_numbered(match.rest, rest) for rest in rests)]


def _is_numbered(rest: str, ending: str) -> bool:
    return rest.endswith(ending) and _NUMBER.match(rest.removesuffix(ending)) is not None


def _only(folder: Path, matches: list[_Match]) -> Path:
    """The file whose folders agree best with the micrograph's."""
    most = max(match.shared for match in matches)
    first, *others = [match.file for match in matches if match.shared == most]
    if others:
        pair = f"{first.relative_to(folder)} and {others[0].relative_to(folder)}"
        raise FileError(folder, f"two coordinate files for {matches[0].micrograph}: {pair}; remove one")
    return first
