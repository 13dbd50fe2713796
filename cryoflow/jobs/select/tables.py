"""Select rows of a table of particles or micrographs (step 14)."""

from __future__ import annotations

from cryoflow.files.tables import Table, read_micrographs, read_particles
from cryoflow.jobs.select import tasks
from cryoflow.jobs.select.conditions import Source, combine, row_conditions, tell
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


def run(spec: Select, context: JobContext) -> JobResult:
    """Keep the rows that meet the declared selection, then do the one task of RELION's that was asked for."""
    if spec.io.select_from_particles_star is not None:
        given, kind, label = spec.io.select_from_particles_star, "particles", PARTICLES
        table = read_particles(context.resolve(given))
    else:
        assert spec.io.select_from_micrographs_star is not None
        given, kind, label = spec.io.select_from_micrographs_star, "micrographs", MICROGRAPHS
        table = read_micrographs(context.resolve(given))
    outputs: list[Output] = []
    chosen, read = _select(spec, context, table, kind, outputs)
    if len(table.rows) == 0:
        context.report.warn(f"{given} holds no {kind}")
    work = _split if spec.subsets.split_into_subsets else _keep
    done = work(spec, context, given, chosen, kind, label, outputs)
    return done._replace(inputs=(*done.inputs, *read))


def _select(
    spec: Select, context: JobContext, table: Table, kind: str, outputs: list[Output]
) -> tuple[Table, tuple[str, ...]]:
    """The rows that meet the conditions, and the names of the files that these stand in."""
    source = Source(table.rows, table.path, kind)
    conditions = row_conditions(spec.selection, source)
    read = add_named(spec.selection, context, conditions, source)
    read += add_scored(spec.selection, context, conditions, source)
    if not conditions:
        return table, read
    keep = combine(conditions, len(table.rows), spec.selection.invert)
    tell(context, conditions, keep, kind, spec.selection.invert)
    outputs.append(write_backup(context, keep, style_of(spec, table)))
    return table._replace(rows=table.rows[keep]), read


def _keep(
    spec: Select,
    context: JobContext,
    given: str,
    table: Table,
    kind: str,
    label: str,
    outputs: list[Output],
) -> JobResult:
    kept = _task(spec, context, table)
    rows = table.rows
    failures: tuple[Failure, ...] = ()
    inputs: tuple[str, ...] = (given,)
    if kept is not None:
        context.report.say(f"{kept.text}: {int(kept.keep.sum())} of {len(rows)} {kind}")
        rows, failures, inputs = rows[kept.keep], kept.failures, (given, *kept.inputs)
        if spec.duplicates.remove_duplicates:
            removed = table.rows[~kept.keep]
            outputs.append(write_rows(spec, context, table, removed, "particles_removed.star"))
    if len(rows) == 0:
        context.report.warn(f"no {kind} are left")
    outputs.append(write_rows(spec, context, table, rows, f"{kind}.star", label))
    return result(inputs, outputs, {kind: len(rows)}, f"{len(rows)} {kind}", failures)


def _task(spec: Select, context: JobContext, table: Table) -> tasks.Kept | None:
    if spec.subsets.select_based_on_metadata_values:
        return tasks.by_value(spec, table)
    if spec.subsets.select_on_image_statistics:
        return tasks.by_statistics(spec, context, table)
    if spec.duplicates.remove_duplicates:
        return tasks.without_duplicates(spec, context, table)
    return None


def _split(
    spec: Select,
    context: JobContext,
    given: str,
    table: Table,
    kind: str,
    label: str,
    outputs: list[Output],
) -> JobResult:
    subsets = tasks.split(spec, context, table)
    digits = max(3, len(str(len(subsets))))
    for number, rows in enumerate(subsets, 1):
        name = f"{kind}_split{number:0{digits}d}.star"
        outputs.append(write_rows(spec, context, table, rows, name, label))
    total = sum(map(len, subsets))
    counts: dict[str, int | float] = {kind: total, "subsets": len(subsets)}
    return result([given], outputs, counts, f"{total} {kind} in {len(subsets)} subsets")
