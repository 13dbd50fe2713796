"""``job_record.yaml``: everything about a job that is needed to run it again and to compare."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

from cryoflow.errors import FileError
from cryoflow.files.atomic import unreadable, write_bytes
from cryoflow.plain_files import read_plain_text
from cryoflow.version import __version__
from cryoflow.yaml_limits import MOST_RECORDED, check_yaml

RECORD = "job_record.yaml"

# libyaml's are ten times as fast, which counts for records with thousands of micrographs
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

#: How Python's writer escapes a byte that is not UTF-8, which libyaml does not read.
_BYTES = re.compile(r"\\uD[C-F][0-9A-F]{2}", re.IGNORECASE)


def versions() -> dict[str, str]:
    """Return the versions that may change a result."""
    return dict(_versions())


@cache
def _versions() -> dict[str, str]:
    found = {"cryoflow": __version__, "python": platform.python_version()}
    for package in ("numpy", "torch"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found


def write_record(directory: Path, record: Mapping[str, Any]) -> None:
    """Write the record as sorted YAML; only ``timings`` differs from run to run.

    Its ``status`` is ``running`` from the start of the job to its end, then ``succeeded``, ``partial`` (some
    items failed) or ``failed``; a killed job is still ``running`` there, though no process holds its lock.
    """
    write_sorted(directory / RECORD, record)


def write_sorted(path: Path, mapping: Mapping[str, Any]) -> None:
    """Write a mapping as YAML with sorted keys."""
    given: dict[str, Any] = {"sort_keys": True, "allow_unicode": True, "width": 4096}
    try:
        text = yaml.dump(dict(mapping), Dumper=_DUMPER, **given)
    except UnicodeEncodeError:  # names of files that are not UTF-8, which only Python's own writer escapes
        text = yaml.dump(dict(mapping), Dumper=yaml.SafeDumper, **given)
    write_bytes(path, text.encode("utf-8"))


def load_yaml(text: str) -> Any:
    """Read YAML written by cryoflow, faster than `yaml.safe_load`.

    Raises
    ------
    yaml.YAMLError
        If it is no YAML, or too large or too deep for a record.
    """
    loader = yaml.SafeLoader if _BYTES.search(text) else _LOADER
    try:
        check_yaml(text, MOST_RECORDED, loader)
        return yaml.load(text, Loader=loader)
    except (ValueError, RecursionError) as error:  # a date such as 2026-99-99, or too deep
        raise yaml.YAMLError(str(error)) from error


def read_record(directory: Path) -> dict[str, Any]:
    """Read the record of a job directory, of this or an earlier version; see `record_model.JobRecord`.

    Raises
    ------
    FileError
        If there is none, or it cannot be read as one.
    """
    path = directory / RECORD
    try:
        return read_checked(path, "JobRecord")
    except FileNotFoundError:
        raise FileError(path, "no record of a cryoflow job here; give the spec as well") from None
    except ValueError as error:
        raise FileError(path, f"is no record of a job: {error}; give the spec as well") from error


def read_checked(path: Path, model: str) -> dict[str, Any]:
    """Read a record by a model of `record_model`, which only those who read records import.

    Raises
    ------
    FileNotFoundError
        If it does not exist.
    FileError
        If it cannot be read.
    ValueError
        If it is no such record, with the reason in one line.
    """
    from cryoflow.project import record_model

    try:
        plain = load_yaml(read_plain_text(path))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise unreadable(path, error) from error
    except yaml.YAMLError as error:
        raise ValueError(f"not readable as YAML: {' '.join(str(error).split())}") from error
    except UnicodeDecodeError as error:
        raise ValueError("not readable as YAML: it is no text") from error
    return record_model.checked(getattr(record_model, model), plain)
