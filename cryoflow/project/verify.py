"""Check whether the files of a job still match its record."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from cryoflow.project.fingerprints import fingerprints

#: The most files read at the same time.
_THREADS = 4

#: Files from which another thread is worth its start.
_WORTH = 8

#: What has become of a file.
GONE, MISSING, EMPTIED = "is gone", "was missing when recorded", "is empty"


class Changed(NamedTuple):
    """A file that does not match the record.

    Attributes
    ----------
    kind : str
        ``input`` or ``output``.
    path : str
        Project-relative.
    what : str
        `GONE`, `MISSING`, `EMPTIED`, or what has changed.
    """

    kind: str
    path: str
    what: str


def changed_files(
    project: Path, record: dict[str, Any], kinds: Iterable[str] = ("input", "output"), fresh: bool = False
) -> list[Changed]:
    """Return the inputs and outputs that do not match a record.

    Parameters
    ----------
    project : Path
        Absolute project root.
    record : dict
        See `cryoflow.project.record.read_record`.
    kinds : iterable of str
        ``input``, ``output`` or both.
    fresh : bool
        Read every file, even one whose size, time and inode have not changed since it was last hashed.
    """
    return [change for kind in kinds for change in _changed(project, kind, record[f"{kind}s"], fresh)]


def _changed(project: Path, kind: str, entries: list[dict[str, Any]], fresh: bool) -> list[Changed]:
    threads = min(_THREADS, os.cpu_count() or 1, len(entries) // _WORTH + 1)
    found = fingerprints(project, (entry["path"] for entry in entries), threads, fresh)
    now = {entry["path"]: entry for entry in found}
    return [
        Changed(kind, then["path"], _what(then, now[then["path"]], project))
        for then in entries
        if then != now[then["path"]]
    ]


def _what(then: dict[str, Any], now: dict[str, Any], project: Path) -> str:
    if now["size"] is None:
        return GONE
    if then["size"] is None:
        return MISSING
    if then["sha256"] is None:
        return "changed while the job ran, or could not be read"
    if now["sha256"] is None:
        return "cannot be read"
    if now["size"] == 0 and then["size"]:
        return EMPTIED
    if then["size"] != now["size"]:
        unit = "coordinate files" if (project / then["path"]).is_dir() else "bytes"
        return f"has changed: {then['size']} {unit} when recorded, now {now['size']}"
    return "has changed, with the same size"
