"""The starting point of a job: its particles, or an iteration of this or of an earlier run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from cryoflow.compute.class2d import State
from cryoflow.errors import CryoflowError, FileError
from cryoflow.files.tables import Table, read_particles
from cryoflow.jobs.class2d.exact import exact_state
from cryoflow.jobs.class2d.saved import read_saved
from cryoflow.project.context import JobContext
from cryoflow.spec import Class2D

_OPTIMISER = re.compile(r"(run(?:_ct\d+)?)_it(\d+)_optimiser\.star")


class Begin(NamedTuple):
    """The particles, and the state to continue from, if any."""

    table: Table
    state: State | None
    root: str
    """First part of the names of the output."""
    inputs: tuple[str, ...]
    """Project-relative."""
    planned: int = 0
    """Iterations that the run of the state was to have."""


def find_begin(spec: Class2D, context: JobContext) -> Begin:
    """Find the starting point.

    An earlier run named in the spec is continued under ``run_ctNNN``; a continued directory resumes from its
    last complete iteration.

    Raises
    ------
    CryoflowError
        When the state does not match the spec, or no iteration is left.
    """
    given = spec.io.continue_from_here
    own = _last_whole(context.directory) if context.continuing else None
    if own is not None:
        begin = _go_on(spec, context, own, _OPTIMISER.fullmatch(own.name)[1], own=True)  # type: ignore[index]
        assert begin.state is not None
        state = exact_state(context.directory, begin.root, begin.state)
        inputs = _first_inputs(spec, context)
        context.reads(inputs)
        return begin._replace(state=state, inputs=inputs)
    if given is not None:
        path = context.resolve(given)
        iteration = _OPTIMISER.fullmatch(path.name)
        begin = _go_on(spec, context, path, f"run_ct{int(iteration[2]) if iteration else 0}")
        context.reads(begin.inputs)
        return begin
    name = spec.io.input_images_star_file
    assert name is not None
    return Begin(read_particles(context.resolve(name)), None, "run", (name,))


def _go_on(spec: Class2D, context: JobContext, path: Path, root: str, own: bool = False) -> Begin:
    saved = read_saved(path, context.project)
    state, wanted = saved.state, spec.optimization.number_of_classes
    name = context.relative(path)
    if len(state.model.share) != wanted:
        raise FileError(
            name, f"has {len(state.model.share)} classes; set the number of classes to that, not {wanted}"
        )
    # a run killed after its last iteration only needs its final steps
    last = spec.optimization.number_of_iterations
    if state.iteration > last or (state.iteration == last and not own):
        raise CryoflowError(
            f"{name}: iteration {state.iteration} is already done; give a larger number of iterations than "
            f"{spec.optimization.number_of_iterations}"
        )
    paths = tuple(context.relative(file) for file in saved.paths)
    return Begin(saved.table, state, root, paths, int(saved.optimiser.get("rlnNumberOfIterations", last)))


def _first_inputs(spec: Class2D, context: JobContext) -> tuple[str, ...]:
    """Inputs of the job when it was first started."""
    given, table = spec.io.continue_from_here, spec.io.input_images_star_file
    if given is None:
        return (str(table),)
    return tuple(context.relative(path) for path in read_saved(context.resolve(given), context.project).paths)


def _last_whole(directory: Path) -> Path | None:
    """Optimiser file of the last iteration that was written whole; it is always the last of its files."""
    found = [
        (int(m[2]), p) for p in directory.glob("run*_optimiser.star") if (m := _OPTIMISER.fullmatch(p.name))
    ]
    return max(found)[1] if found else None
