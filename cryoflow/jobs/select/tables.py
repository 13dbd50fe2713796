"""Select rows of a table of particles or micrographs (step 14)."""

from __future__ import annotations

from typing import NamedTuple

from cryoflow.files.tables import Table, read_micrographs, read_particles
from cryoflow.jobs.select import tasks
from cryoflow.jobs.select.conditions import Source, combine, report_conditions, row_conditions
from cryoflow.jobs.select.named import add_named
from cryoflow.jobs.select.output import (
    MICROGRAPHS,
    PARTICLES,
    Output,
    result,
    style_of,
    write_backup,
    write_rows,
)
from cryoflow.jobs.select.scored import add_scored
from cryoflow.project.context import Failure, JobContext, JobResult
from cryoflow.spec import Select


class Given(NamedTuple):
    """Input table, and RELION's label for the rows kept."""

    name: str
    """Name of the file, as in the spec."""
    kind: str
    """particles or micrographs."""
    label: str
    """RELION's, for the kept rows."""


def run(spec: Select, context: JobContext) -> JobResult:
    """Keep the rows that meet the declared selection, then do the one RELION task that was requested."""
    if spec.io.select_from_particles_star is not None:
        given = Given(spec.io.select_from_particles_star, "particles", PARTICLES)
        table = read_particles(context.resolve(given.name))
    else:
        assert spec.io.select_from_micrographs_star is not None
        given = Given(spec.io.select_from_micrographs_star, "micrographs", MICROGRAPHS)
        table = read_micrographs(context.resolve(given.name))
    if len(table.rows) == 0:
        context.report.warn(f"{given.name} holds no {given.kind}")
    chosen = _select(spec, context, table, given.kind)
    done = (_split if spec.subsets.split_into_subsets else _keep)(spec, context, given, chosen.table)
    outputs = (*(one.name for one in chosen.backup), *done.outputs)
    return done._replace(inputs=(*done.inputs, *chosen.inputs), outputs=outputs)


class _Chosen(NamedTuple):
    """Rows to choose from, which of them were chosen, and the files with the conditions."""

    table: Table
    backup: tuple[Output, ...]
    inputs: tuple[str, ...]


def _select(spec: Select, context: JobContext, table: Table, kind: str) -> _Chosen:
    source = Source(table.rows, table.path, kind)
    conditions = row_conditions(spec.selection, source)
    read = add_named(spec.selection, context, conditions, source)
    read += add_scored(spec.selection, context, conditions, source)
    if not conditions:
        return _Chosen(table, (), read)
    keep = combine(conditions, len(table.rows), spec.selection.invert)
    report_conditions(context, conditions, keep, kind, spec.selection.invert)
    backup = write_backup(context, keep, style_of(spec, table))
    return _Chosen(table._replace(rows=table.rows[keep]), (backup,), read)


def _keep(spec: Select, context: JobContext, given: Given, table: Table) -> JobResult:
    kept, rows = _task(spec, context, table), table.rows
    outputs: list[Output] = []
    failures: tuple[Failure, ...] = ()
    inputs: tuple[str, ...] = (given.name,)
    if kept is not None:
        context.report.say(f"{kept.text}: {int(kept.keep.sum())} of {len(rows)} {given.kind}")
        rows, failures, inputs = rows[kept.keep], kept.failures, (given.name, *kept.inputs)
        if spec.duplicates.remove_duplicates:
            removed = table.rows[~kept.keep]
            outputs.append(write_rows(spec, context, table, removed, "particles_removed.star"))
        if len(rows) == 0:
            context.report.warn(f"no {given.kind} are left")
    outputs.append(write_rows(spec, context, table, rows, f"{given.kind}.star", given.label))
    return result(inputs, outputs, {given.kind: len(rows)}, f"{len(rows)} {given.kind}", failures)


def _task(spec: Select, context: JobContext, table: Table) -> tasks.Kept | None:
    if spec.subsets.select_based_on_metadata_values:
        return tasks.by_value(spec, table)
    if spec.subsets.select_on_image_statistics:
        return tasks.by_statistics(spec, context, table)
    if spec.duplicates.remove_duplicates:
        return tasks.without_duplicates(spec, context, table)
    return None


def _split(spec: Select, context: JobContext, given: Given, table: Table) -> JobResult:
    subsets = tasks.split(spec, context, table)
    digits = max(3, len(str(len(subsets))))
    outputs = []
    for number, rows in enumerate(subsets, 1):
        name = f"{given.kind}_split{number:0{digits}d}.star"
        outputs.append(write_rows(spec, context, table, rows, name, given.label))
    total = sum(map(len, subsets))
    counts: dict[str, int | float] = {given.kind: total, "subsets": len(subsets)}
    return result([given.name], outputs, counts, f"{total} {given.kind} in {len(subsets)} subsets")
