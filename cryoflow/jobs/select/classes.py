"""Select classes of a classification, and their particles (step 16)."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from cryoflow.errors import FileError
from cryoflow.files.star import Block, read_star
from cryoflow.files.tables import Table, read_particles, require
from cryoflow.jobs.select.averages import write_averages
from cryoflow.jobs.select.conditions import (
    Condition,
    Mask,
    Source,
    best,
    column_conditions,
    combine,
    row_conditions,
    tell,
)
from cryoflow.jobs.select.groups import regroup
from cryoflow.jobs.select.output import PARTICLES, result, style_of, write_backup, write_rows
from cryoflow.project.context import JobContext, JobResult
from cryoflow.spec import Select
from cryoflow.spec.selection import Selection, TopClasses


class Model(NamedTuple):
    """What a model.star tells about its classes."""

    path: Path
    classes: pd.DataFrame
    """With ``rlnReferenceImage`` and ``rlnClassNumber``."""
    groups: pd.DataFrame | None
    pixel_size_a: float | None
    dimensions: int


class Conditions(NamedTuple):
    """Conditions on classes, and those on particles."""

    classes: list[Condition]
    particles: list[Condition]


def run(spec: Select, context: JobContext) -> JobResult:
    """Write the chosen classes' particles and averages, and which classes were chosen."""
    given = spec.io.select_classes_from_model_star
    assert given is not None
    model = read_model(context.resolve(given))
    data = data_beside(model.path)
    table = read_particles(context.resolve(context.relative(data)))
    require(table, "rlnClassNumber")
    number = _class_numbers(table, model)
    conditions = _conditions(spec.selection, model, table)
    chosen, keep = _choose(spec.selection, conditions, model, number)
    _tell(spec.selection, context, conditions, chosen, keep)
    style = style_of(spec, table)
    inputs, outputs = [given, context.relative(data)], [write_backup(context, chosen, style)]
    if model.dimensions == 2:
        recentre = spec.class_options.re_center_the_class_averages
        classes = model.classes[chosen]
        averages = write_averages(context, classes, model.path, model.pixel_size_a, recentre, style)
        inputs, outputs = [*inputs, *averages.inputs], [*outputs, *averages.outputs]
    rows = table.rows[keep]
    if spec.class_options.regroup_the_particles:
        rows = _regroup(spec, context, table._replace(rows=rows), model)
    outputs.append(write_rows(spec, context, table, rows, "particles.star", PARTICLES))
    counts: dict[str, int | float] = {"classes": int(chosen.sum()), "particles": len(rows)}
    summary = f"{len(rows)} particles of {int(chosen.sum())} classes"
    return result(inputs, outputs, counts, summary)


def read_model(path: Path) -> Model:
    """Read the class and group tables of a model.star.

    Raises
    ------
    FileError
        When it has no table of classes, or that lacks the images.
    """
    blocks = read_star(path)
    classes = blocks.get("model_classes")
    if not isinstance(classes, pd.DataFrame):
        raise FileError(path, "is not a model.star: it has no table data_model_classes")
    if "rlnReferenceImage" not in classes.columns:
        raise FileError(path, "its data_model_classes lacks the column rlnReferenceImage")
    classes = classes.assign(rlnClassNumber=np.arange(1, len(classes) + 1))
    groups = blocks.get("model_groups")
    return Model(
        path,
        classes,
        groups if isinstance(groups, pd.DataFrame) else None,
        _general(blocks, "rlnPixelSize"),
        int(_general(blocks, "rlnReferenceDimensionality") or 2),
    )


def _general(blocks: dict[str, Block], key: str) -> float | None:
    general = blocks.get("model_general")
    value = general.get(key) if isinstance(general, dict) else None
    return None if value is None else float(value)


def data_beside(model: Path) -> Path:
    """``run_it025_data.star`` for ``run_it025_model.star`` (or a half's model)."""
    for ending in ("_half1_model.star", "_half2_model.star", "_model.star"):
        if model.name.endswith(ending):
            return model.with_name(model.name.removesuffix(ending) + "_data.star")
    raise FileError(model, "its name must end in _model.star, so that its _data.star can be found beside it")


def _class_numbers(table: Table, model: Model) -> npt.NDArray[np.int64]:
    number = table.rows["rlnClassNumber"].to_numpy(np.int64, copy=True)
    wrong = np.flatnonzero((number < 1) | (number > len(model.classes)))
    if wrong.size:
        row = int(wrong[0])
        known = f"{model.path.name} has {len(model.classes)} classes"
        raise FileError(table.path, f"row {row + 1} has rlnClassNumber {number[row]}, but {known}")
    return number


def _conditions(selection: Selection, model: Model, table: Table) -> Conditions:
    """A column condition is on classes where the class table has that column, else on particles."""
    classes = Source(model.classes, model.path, "classes")
    particles = Source(table.rows, table.path, "particles")
    columns = selection.columns or {}
    of_classes = {name: bounds for name, bounds in columns.items() if name in model.classes.columns}
    rest = {name: bounds for name, bounds in columns.items() if name not in of_classes}
    for name in rest:
        if name not in table.rows.columns:
            raise FileError(model.path, f"neither its classes nor {table.path.name} have the column {name}")
    on_classes = column_conditions(of_classes, classes)
    if selection.classes is not None:
        on_classes.append(_chosen_classes(selection, classes))
    on_particles = row_conditions(selection.model_copy(update={"columns": rest}), particles)
    return Conditions(on_classes, on_particles)


def _chosen_classes(selection: Selection, classes: Source) -> Condition:
    wanted = selection.classes
    if isinstance(wanted, TopClasses):
        return best(classes, wanted.by, wanted.top, wanted.ascending)
    assert wanted is not None
    strange = [number for number in wanted if number > len(classes.rows)]
    if strange:
        raise FileError(classes.path, f"has {len(classes.rows)} classes; there is no class {strange[0]}")
    keep = classes.rows["rlnClassNumber"].isin(wanted).to_numpy()
    return Condition(f"classes {', '.join(map(str, wanted))}", keep)


def _choose(
    selection: Selection, conditions: Conditions, model: Model, number: npt.NDArray[np.int64]
) -> tuple[Mask, Mask]:
    """Chosen classes and kept particles; inverted, each is the complement of what its conditions say."""
    chosen = combine(conditions.classes, len(model.classes), False)
    both = [*conditions.particles]
    if conditions.classes:
        both.append(Condition("in the chosen classes", chosen[number - 1]))
    keep = combine(both, len(number), selection.invert)
    return combine(conditions.classes, len(chosen), selection.invert), keep


def _tell(
    selection: Selection, context: JobContext, conditions: Conditions, chosen: Mask, keep: Mask
) -> None:
    tell(context, conditions.classes, chosen, "classes", selection.invert)
    if chosen.any() and not chosen.all():
        context.report.say(f"chosen classes: {', '.join(map(str, np.flatnonzero(chosen) + 1))}")
    tell(context, conditions.particles, keep, "particles", selection.invert)


def _regroup(spec: Select, context: JobContext, table: Table, model: Model) -> pd.DataFrame:
    if model.groups is None:
        raise FileError(model.path, "has no table data_model_groups, which regrouping needs")
    require(table, "rlnGroupNumber")
    wanted = spec.class_options.approximate_nr_of_groups
    groups = Source(model.groups, model.path, "groups")
    rows = regroup(Source(table.rows, table.path, "particles"), groups, wanted)
    context.report.say(f"regrouped the particles into {rows['rlnGroupNumber'].nunique()} groups")
    return rows
