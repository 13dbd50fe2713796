"""Select classes of a 2D classification, and their particles (step 16)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from cryoflow.errors import FileError
from cryoflow.files.star import StarStyle
from cryoflow.files.tables import Table, read_particles, require
from cryoflow.jobs.select.averages import Averages, write_averages
from cryoflow.jobs.select.conditions import (
    Condition,
    Mask,
    Source,
    best,
    column_conditions,
    combine,
    report_conditions,
    row_conditions,
    within,
)
from cryoflow.jobs.select.groups import regroup
from cryoflow.jobs.select.junk import kept_junk_warnings
from cryoflow.jobs.select.model import ClassModel, class_numbers, data_beside, files_beside, read_model
from cryoflow.jobs.select.named import add_named
from cryoflow.jobs.select.output import PARTICLES, Output, result, style_of, write_backup, write_rows
from cryoflow.jobs.select.scored import add_scored
from cryoflow.jobs.select.scores import SCORE, report_scores, score_classes, write_scores
from cryoflow.project.context import JobContext, JobResult
from cryoflow.spec import Select
from cryoflow.spec.selection import Selection, TopClasses


class Conditions(NamedTuple):
    """Conditions on classes, and those on particles."""

    classes: list[Condition]
    particles: list[Condition]


def run(spec: Select, context: JobContext) -> JobResult:
    """Write the particles and averages of the selected classes, and the list of classes."""
    given = spec.io.select_classes_from_model_star
    assert given is not None
    path = context.resolve(given)
    context.reads(map(context.relative, files_beside(path)))
    model = read_model(path)
    data = data_beside(path)
    table = read_particles(context.resolve(context.relative(data)))
    number = class_numbers(table, model)
    classes, outputs = _scored(spec, context, model, number, style_of(spec, table))
    conditions = _conditions(spec.selection, model._replace(classes=classes), table)
    particles = Source(table.rows, table.path, "particles")
    named = add_named(spec.selection, context, conditions.particles, particles)
    named += add_scored(spec.selection, context, conditions.particles, particles)
    chosen, keep = _choose(spec.selection, conditions, model, number)
    _report_selection(spec.selection, context, conditions, chosen, keep)
    for line in kept_junk_warnings(spec.selection, classes, chosen, number[keep]):
        context.report.warn(line)
    inputs = [given, context.relative(data), *named]
    averages = _write_classes(spec, context, model, chosen, style_of(spec, table))
    inputs, outputs = [*inputs, *averages.inputs], [*outputs, *averages.outputs]
    rows = table.rows[keep]
    if spec.class_options.regroup_the_particles:
        rows = _regroup(spec, context, table._replace(rows=rows), model)
    outputs.append(write_rows(spec, context, table, rows, "particles.star", PARTICLES))
    counts: dict[str, int | float] = {"classes": int(chosen.sum()), "particles": len(rows)}
    summary = f"{len(rows)} particles of {int(chosen.sum())} classes"
    return result(inputs, outputs, counts, summary)


def _scored(
    spec: Select, context: JobContext, model: ClassModel, number: npt.NDArray[np.int64], style: StarStyle
) -> tuple[pd.DataFrame, list[Output]]:
    """The class table with scores; without them where the averages cannot be read and are not needed."""
    if model.dimensions != 2 or len(model.classes) == 0:
        return model.classes, []
    try:
        scores = score_classes(context, model, number)
    except FileError as error:
        if spec.selection.class_score_min is not None:
            raise
        context.report.warn(f"classes were not scored: {error}")
        return model.classes, []
    report_scores(context, scores)
    new = scores.drop(columns=scores.columns.intersection(model.classes.columns))
    return pd.concat([model.classes, new], axis=1), [write_scores(context, scores, style)]


def _write_classes(
    spec: Select, context: JobContext, model: ClassModel, chosen: Mask, style: StarStyle
) -> Averages:
    """Write which classes were selected, and their averages."""
    backup = write_backup(context, chosen, style)
    if model.dimensions != 2:
        return Averages([backup], ())
    recentre = spec.class_options.re_center_the_class_averages
    classes = model.classes[chosen]
    found = write_averages(context, classes, model.path, model.pixel_size_a, recentre, style)
    return found._replace(outputs=[backup, *found.outputs])


def _conditions(selection: Selection, model: ClassModel, table: Table) -> Conditions:
    """A column condition applies to classes if the class table has that column, else to particles."""
    classes = Source(model.classes, model.path, "classes")
    particles = Source(table.rows, table.path, "particles")
    columns = selection.columns or {}
    of_classes = {name: bounds for name, bounds in columns.items() if name in model.classes.columns}
    rest = {name: bounds for name, bounds in columns.items() if name not in of_classes}
    for name in rest:
        if name not in table.rows.columns:
            raise FileError(model.path, f"neither its class table nor {table.path.name} has a column {name}")
    on_classes = column_conditions(of_classes, classes)
    if selection.classes is not None:
        on_classes.append(_chosen_classes(selection, classes))
    if selection.class_score_min is not None:
        if SCORE not in model.classes.columns:
            raise FileError(model.path, "only classes of a 2D classification can be scored")
        score = within(classes, SCORE, selection.class_score_min, None)
        on_classes.append(score._replace(text=f"class score >= {selection.class_score_min:g}"))
    on_particles = row_conditions(selection.model_copy(update={"columns": rest}), particles)
    return Conditions(on_classes, on_particles)


def _chosen_classes(selection: Selection, classes: Source) -> Condition:
    wanted = selection.classes
    if isinstance(wanted, TopClasses):
        return best(classes, wanted.by, wanted.top, wanted.ascending)
    assert wanted is not None
    strange = [number for number in wanted if number > len(classes.rows)]
    if strange:
        raise FileError(
            classes.path,
            f"has {len(classes.rows)} classes; there is no class {strange[0]}",
        )
    keep = classes.rows["rlnClassNumber"].isin(wanted).to_numpy()
    return Condition(f"classes {', '.join(map(str, wanted))}", keep)


def _choose(
    selection: Selection, conditions: Conditions, model: ClassModel, number: npt.NDArray[np.int64]
) -> tuple[Mask, Mask]:
    """Selected classes and kept particles; inverted, each is the complement of its conditions."""
    chosen = combine(conditions.classes, len(model.classes), False)
    both = [*conditions.particles]
    if conditions.classes:
        both.append(Condition("in the chosen classes", chosen[number - 1]))
    keep = combine(both, len(number), selection.invert)
    return combine(conditions.classes, len(chosen), selection.invert), keep


def _report_selection(
    selection: Selection, context: JobContext, conditions: Conditions, chosen: Mask, keep: Mask
) -> None:
    report_conditions(context, conditions.classes, chosen, "classes", selection.invert)
    if chosen.any() and not chosen.all():
        context.report.say(f"selected classes: {', '.join(map(str, np.flatnonzero(chosen) + 1))}")
    report_conditions(context, conditions.particles, keep, "particles", selection.invert)


def _regroup(spec: Select, context: JobContext, table: Table, model: ClassModel) -> pd.DataFrame:
    if model.groups is None:
        raise FileError(model.path, "lacks the table data_model_groups, which regrouping needs")
    require(table, "rlnGroupNumber")
    wanted = spec.class_options.approximate_nr_of_groups
    groups = Source(model.groups, model.path, "groups")
    rows = regroup(Source(table.rows, table.path, "particles"), groups, wanted)
    context.report.say(f"regrouped the particles into {rows['rlnGroupNumber'].nunique()} groups")
    return rows
