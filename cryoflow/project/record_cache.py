"""Records once read, as JSON in ``.cryoflow/records``: YAML takes thirty times as long to read.

A copy counts as long as size, time of change and inode of the record are those it was read with.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from cryoflow.errors import CryoflowError
from cryoflow.files.atomic import write_bytes
from cryoflow.plain_files import read_plain_text
from cryoflow.project.names import name_of
from cryoflow.project.record import RECORD, read_record
from cryoflow.project.record_model import JobRecord, checked

_FOLDER = Path(".cryoflow") / "records"


def read_cached(project: Path, directory: Path) -> dict[str, Any]:
    """Return what `read_record` does, from its copy if there is one of this record.

    Raises
    ------
    FileError
        See `read_record`.
    """
    copy = project / _FOLDER / f"{name_of(directory)}.json"
    state = _state(directory / RECORD)
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError, CryoflowError):
        kept = json.loads(read_plain_text(copy))
        if kept["state"] == state and state is not None:
            return checked(JobRecord, kept["record"])
    record = read_record(directory)
    with suppress(OSError, ValueError, CryoflowError):
        if state is not None and state == _state(directory / RECORD):
            write_bytes(copy, json.dumps({"state": state, "record": record}).encode("ascii"))
    return record


def _state(path: Path) -> list[int] | None:
    """Size, time of change and inode; None where there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns, found.st_ino]
