"""``job_record.yaml``: everything about a job that is needed to run it again and to compare."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

from cryoflow.errors import FileError
from cryoflow.files.atomic import write_bytes
from cryoflow.version import __version__

RECORD = "job_record.yaml"

# libyaml's are ten times as fast, which counts for records with thousands of micrographs
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


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
    text = yaml.dump(dict(mapping), Dumper=_DUMPER, sort_keys=True, allow_unicode=True, width=4096)
    write_bytes(path, text.encode("utf-8"))


def load_yaml(text: str) -> Any:
    """Read YAML written by cryoflow, faster than `yaml.safe_load`."""
    return yaml.load(text, Loader=_LOADER)


def read_record(directory: Path) -> dict[str, Any]:
    """Read the record of a job directory.

    Raises
    ------
    FileError
        If there is none, or it cannot be read as one.
    """
    path = directory / RECORD
    try:
        record = load_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileError(path, "no record of a cryoflow job here; give the spec as well") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FileError(path, "not readable as YAML; give the spec as well") from error
    if not isinstance(record, dict) or not isinstance(record.get("spec"), dict):
        raise FileError(path, "contains no spec; give the spec as well")
    return record
