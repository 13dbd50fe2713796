"""Class2D: group particles into classes and average each (step 15)."""

from __future__ import annotations

import time

from cryoflow.compute.class2d import State
from cryoflow.compute.class2d.classify import RunPlan, fill_after, first_state, grown, iterations
from cryoflow.errors import CryoflowError
from cryoflow.jobs.class2d.exact import forget_states
from cryoflow.jobs.class2d.output import Run, convergence_path, iteration_path, write_iteration
from cryoflow.jobs.class2d.progress import ProgressReporter
from cryoflow.jobs.class2d.resume import Begin, find_begin
from cryoflow.jobs.class2d.saved import read_poses
from cryoflow.jobs.class2d.setup import Input, prepare_input
from cryoflow.project.context import JobContext, JobResult
from cryoflow.spec import Class2D


def run(spec: Class2D, context: JobContext) -> JobResult:
    """Classify, writing every iteration; continue from an earlier iteration if requested."""
    begin = find_begin(spec, context)
    given = prepare_input(spec, context, begin.table)
    if begin.state is not None and given.failures:
        item, why = given.failures[0]
        raise CryoflowError(f"{item}: {why}; a run cannot be continued without particles it started with")
    files = _files(spec, context, given, begin)
    asked = run_plan(spec)
    state, written = _first_state(asked, begin, given, files)
    progress = ProgressReporter(context.report, given.options)
    started = time.monotonic()
    left = spec.optimization.number_of_iterations - state.iteration
    states = iterations(state, given.data, given.options, asked)
    for state in context.report.progress(states, "iterations", left):
        fill = fill_after(asked, state.iteration)
        if fill is None or fill.wanted == asked.classes:
            progress.classes(state)
        written += [context.relative(path) for path in write_iteration(files, state)]
        progress.iteration(state, time.monotonic() - started)
        progress.resolution(state)
        started = time.monotonic()
    progress.averages(state)
    forget_states(files.directory, files.root)
    written.append(context.relative(convergence_path(files)))
    return _result(context, given, begin, files, state, written)


def _files(spec: Class2D, context: JobContext, given: Input, begin: Begin) -> Run:
    style = given.table.style if spec.star_style == "input" else spec.star_style
    return Run(
        context.directory,
        begin.root,
        context.relative(context.directory),
        given.table,
        given.groups,
        given.data.group,
        given.options,
        spec.optimization.number_of_iterations,
        spec.compute.seed,
        spec.optimization.use_fast_subsets,
        style,
    )


def run_plan(spec: Class2D) -> RunPlan:
    """Number of iterations and classes of a spec's job."""
    asked = spec.optimization
    return RunPlan(
        asked.number_of_classes,
        asked.number_of_iterations,
        spec.compute.seed,
        asked.grow_classes,
        asked.reseed_empty_classes,
        asked.use_fast_subsets,
    )


def _first_state(asked: RunPlan, begin: Begin, given: Input, files: Run) -> tuple[State, list[str]]:
    """The state to continue from, or that of a new start, which is written."""
    if begin.state is not None:
        state = grown(begin.state, given.options, asked, begin.planned)
        return state, _written_before(files, begin.state.iteration)
    names = given.table.rows["rlnImageName"].astype(str).tolist()
    state = first_state(given.data, names, read_poses(given.table.rows), given.options, asked)
    return state, [f"{files.relative}/{path.name}" for path in write_iteration(files, state)]


def _written_before(files: Run, last: int) -> list[str]:
    """Iterations of an earlier run in this directory, up to the one that is continued."""
    numbers = range(last + 1)
    paths = (path for n in numbers for path in sorted(files.directory.glob(f"{files.root}_it{n:03d}_*")))
    return [f"{files.relative}/{path.name}" for path in paths]


def _result(
    context: JobContext, given: Input, begin: Begin, files: Run, state: State, written: list[str]
) -> JobResult:
    data, optimiser, model = (
        context.relative(iteration_path(files, state.iteration, what))
        for what in ("data.star", "optimiser.star", "model.star")
    )
    resolution = given.options.box * given.options.pixel_size_a / state.model.shell
    used = int((state.model.share > 0).sum())
    return JobResult(
        inputs=begin.inputs,
        outputs=tuple(written),
        counts={
            "particles": len(given.table.rows),
            "classes": len(state.model.share),
            "classes_used": used,
            "iterations": state.iteration,
            "resolution_a": round(resolution, 3),
        },
        failures=given.failures,
        summary=(
            f"{len(given.table.rows)} particles in {used} classes, {resolution:.1f} A after "
            f"{state.iteration} iterations"
        ),
        nodes=(
            (data, "ParticleGroupMetadata.star.relion.class2d"),
            (optimiser, "OptimiserData.star.relion.class2d"),
            (model, "ModelData.star.relion.class2d"),
        ),
    )
