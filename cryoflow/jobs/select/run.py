"""Select: keep a subset of classes, micrographs or particles (steps 14 and 16)."""

from __future__ import annotations

from cryoflow.jobs.select import classes, coordinates, tables
from cryoflow.project.context import JobContext, JobResult
from cryoflow.spec import Select


def run(spec: Select, context: JobContext) -> JobResult:
    """Write the chosen rows, in the order of the input, with the files that RELION's display saves."""
    if spec.io.select_classes_from_model_star is not None:
        return classes.run(spec, context)
    if spec.io.select_from_picked_coords is not None:
        return coordinates.run(spec, context)
    return tables.run(spec, context)
