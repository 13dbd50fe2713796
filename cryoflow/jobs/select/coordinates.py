"""Select micrographs of a picking job."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cryoflow.errors import FileError
from cryoflow.files.coordinates import (
    missing_coordinates,
    read_coordinate_list,
    read_coordinates,
    read_suffix_file,
    table_of_suffix_file,
)
from cryoflow.files.tables import Table, read_micrographs
from cryoflow.jobs.select.conditions import Source, combine, report_conditions, row_conditions
from cryoflow.jobs.select.named import add_named
from cryoflow.jobs.select.output import MICROGRAPHS, result, style_of, write_backup, write_rows
from cryoflow.jobs.select.pick_statistics import with_pick_statistics
from cryoflow.project.context import JobContext, JobResult
from cryoflow.spec import Select


def run(spec: Select, context: JobContext) -> JobResult:
    """Write ``micrographs_selected.star``: the picked micrographs that meet the declared selection."""
    given = spec.io.select_from_picked_coords
    assert given is not None
    path = context.resolve(given)
    if path.is_dir():
        raise FileError(given, "is a folder; give the coords_suffix_*.star or autopick.star inside it")
    context.reads(table_of_suffix_file(path))
    listed = read_coordinate_list(path, context.project)
    looked_for = [*listed, *missing_coordinates(path, context.project)]
    context.reads(context.relative(file) for _, file in looked_for)
    table, inputs = _micrographs(context, path, given, [name for name, _ in listed])
    found = {name: read_coordinates(file) for name, file in listed}
    picks = sum(map(len, found.values()))
    context.report.say(f"{len(listed)} of {len(table.rows)} micrographs have coordinates, {picks} in all")
    rows, beside = with_pick_statistics(context, table.rows, found, path.parent)
    inputs += beside
    source = Source(rows, table.path, "micrographs")
    conditions = row_conditions(spec.selection, source)
    named = add_named(spec.selection, context, conditions, source)
    keep = combine(conditions, len(table.rows), spec.selection.invert)
    report_conditions(context, conditions, keep, "micrographs", spec.selection.invert)
    outputs = [write_backup(context, keep, style_of(spec, table))]
    rows = table.rows[keep]
    outputs.append(write_rows(spec, context, table, rows, "micrographs_selected.star", MICROGRAPHS))
    files = tuple(context.relative(file) for _, file in listed)
    counts: dict[str, int | float] = {"micrographs": len(rows)}
    return result((given, *inputs, *files, *named), outputs, counts, f"{len(rows)} micrographs")


def _micrographs(
    context: JobContext, path: Path, given: str, names: list[str]
) -> tuple[Table, tuple[str, ...]]:
    """The table that a coords_suffix file names; RELION 4's list names the micrographs only."""
    if path.name.startswith("coords_suffix_"):
        name = read_suffix_file(path)
        return read_micrographs(context.resolve(name)), (name,)
    return Table(pd.DataFrame({"rlnMicrographName": names}), "3.0", Path(given), "micrographs"), ()
