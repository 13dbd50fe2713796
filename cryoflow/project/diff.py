"""Compare the records of two jobs: settings, inputs, counts, versions, files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from cryoflow.errors import SpecError
from cryoflow.files.job_paths import below_job
from cryoflow.spec import parse_spec, spec_dump

#: Fields of a spec that do not change what is computed.
NON_COMPUTATIONAL_FIELDS = frozenset(
    {"number", "alias", "objective", "compute.device", "compute.threads", "compute.workers"}
)


_RUN = ("status", "device", "threads")


class Row(NamedTuple):
    """Something in which two jobs differ.

    Attributes
    ----------
    part : str
        ``setting``, ``input``, ``run``, ``version``, ``count``, ``failure`` or ``output``.
    name : str
        E.g. ``autopicking.picking_threshold``.
    one, other : str
        What the first and the second job have; ``-`` for nothing.
    """

    part: str
    name: str
    one: str
    other: str


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[Row]:
    """Return what differs between the records of two jobs."""
    both = (one, other)
    rows = [
        *_rows("setting", flat(one["spec"]), flat(other["spec"])),
        *_rows("input", *(_hashes(record, "inputs", own=False) for record in both)),
        *_rows("run", *({key: record.get(key) for key in _RUN} for record in both)),
        *_rows("version", one["versions"], other["versions"]),
        *_rows("count", one["counts"], other["counts"]),
        *_rows("failure", *({f["item"]: f["message"] for f in record["failures"]} for record in both)),
        *_rows("output", *(_hashes(record, "outputs", own=True) for record in both)),
    ]
    seconds = tuple(record["timings"]["seconds"].get("job") for record in both)
    return [*rows, Row("run", "seconds", *map(_text, seconds))]


def flat(tree: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return the values of a spec by dotted name."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{above}{key}"
        found |= flat(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return found


def same_work(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return the fields in which two specs differ, of those that change what is computed.

    A field that is newer than a record counts as having its default there.
    """
    flats = flat(_filled(one)), flat(_filled(other))
    names = dict.fromkeys([*flats[0], *flats[1]])
    return [
        name
        for name in names
        if name not in NON_COMPUTATIONAL_FIELDS and flats[0].get(name) != flats[1].get(name)
    ]


def work_key(spec: Mapping[str, Any]) -> str:
    """Return a hash of what a spec computes: equal for two specs without a difference by `same_work`."""
    work = {
        name: value for name, value in flat(_filled(spec)).items() if name not in NON_COMPUTATIONAL_FIELDS
    }
    return hashlib.sha256(json.dumps(work, sort_keys=True).encode()).hexdigest()


def _filled(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return spec_dump(parse_spec(spec))
    except SpecError:  # of a version with other fields
        return spec


def _rows(part: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[Row]:
    for name in dict.fromkeys([*one, *other]):
        if one.get(name) != other.get(name):
            yield Row(part, str(name), _text(one.get(name)), _text(other.get(name)))


def _hashes(record: Mapping[str, Any], kind: str, own: bool) -> dict[str, str]:
    """Return short hashes by name; a job's own files by their name below its directory."""
    entries: Iterable[Mapping[str, Any]] = record[kind]
    return {
        (below_job(entry["path"]) if own else entry["path"]): (entry["sha256"] or "absent")[:10]
        for entry in entries
    }


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
