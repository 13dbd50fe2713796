"""Output common to all kinds of selection."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd

from cryoflow.files.star import StarStyle, write_star
from cryoflow.files.tables import Table, write_table
from cryoflow.jobs.select.conditions import Mask
from cryoflow.project.context import Failure, JobContext, JobResult
from cryoflow.spec import Select

PARTICLES = "ParticleGroupMetadata.star.relion"
MICROGRAPHS = "MicrographGroupMetadata.star.relion"
AVERAGES = "Image2DGroupMetadata.star.relion.classaverages"


class Output(NamedTuple):
    """One written file, project-relative, and RELION's label if later jobs use it."""

    name: str
    label: str = ""


def style_of(spec: Select, table: Table) -> StarStyle:
    """Version of the tables to write."""
    return table.style if spec.star_style == "input" else spec.star_style


def write_rows(
    spec: Select, context: JobContext, table: Table, rows: pd.DataFrame, name: str, label: str = ""
) -> Output:
    """Write some rows of a table into the job's directory."""
    target = context.directory / name
    write_table(target, table._replace(rows=rows.reset_index(drop=True)), style_of(spec, table))
    return Output(context.relative(target), label)


def write_backup(context: JobContext, keep: Mask, style: StarStyle) -> Output:
    """Write ``backup_selection.star``: ``rlnSelected`` for every input row."""
    target = context.directory / "backup_selection.star"
    write_star(target, {"": pd.DataFrame({"rlnSelected": keep.astype(int)})}, style)
    return Output(context.relative(target))


def result(
    inputs: Iterable[str],
    outputs: list[Output],
    counts: dict[str, int | float],
    summary: str,
    failures: tuple[Failure, ...] = (),
) -> JobResult:
    """Assemble a job's result; files with a label become nodes."""
    names = tuple(output.name for output in outputs)
    nodes = tuple((output.name, output.label) for output in outputs if output.label)
    return JobResult(tuple(inputs), names, counts, failures, summary, nodes)
