"""Class2D: group particles into classes and average each (step 15)."""

from __future__ import annotations

import time

import torch
from torch import Tensor

from cryoflow.compute.class2d import Fill, State, classes_in_use, iterate, reseed_empty, start, to_fill
from cryoflow.compute.class2d.sampling import next_perturbation
from cryoflow.errors import CryoflowError
from cryoflow.jobs.class2d.exact import forget_states
from cryoflow.jobs.class2d.output import Run, convergence_path, iteration_path, write_iteration
from cryoflow.jobs.class2d.progress import ProgressReporter
from cryoflow.jobs.class2d.resume import Begin, find_begin
from cryoflow.jobs.class2d.saved import read_poses
from cryoflow.jobs.class2d.setup import Input, prepare_input
from cryoflow.jobs.class2d.subsets import subset_of
from cryoflow.project.context import JobContext, JobResult
from cryoflow.seeds import seed_for
from cryoflow.spec import Class2D

HALVES_EVERY = 5
"""Iterations from one comparison of half-set averages to the next; the last one has it in any case."""


def run(spec: Class2D, context: JobContext) -> JobResult:
    """Classify, writing every iteration; go on from an earlier iteration where asked to."""
    begin = find_begin(spec, context)
    given = prepare_input(spec, context, begin.table)
    if begin.state is not None and given.failures:
        item, why = given.failures[0]
        raise CryoflowError(f"{item}: {why}; a run cannot go on without particles that it began with")
    files = _files(spec, context, given, begin)
    state, written = _first_state(spec, begin, given, files)
    progress = ProgressReporter(
        context.report, given.options, spec.optimization.number_of_iterations - state.iteration
    )
    todo = range(state.iteration + 1, spec.optimization.number_of_iterations + 1)
    for iteration in context.report.progress(todo, "iterations", len(todo)):
        began = time.monotonic()
        state = iterate(
            state,
            given.data,
            given.options,
            _perturbation(spec, state),
            subset_of(spec, given.data.seed, iteration),
            halves=iteration % HALVES_EVERY == 0 or iteration == todo[-1],
        )
        fill = _to_fill(spec, iteration) if iteration < todo[-1] else None
        if fill is not None:
            state = _filled(spec, given, state, fill)
        if fill is None or fill.wanted == spec.optimization.number_of_classes:
            progress.classes(state)
        written += [context.relative(path) for path in write_iteration(files, state)]
        progress.iteration(state, time.monotonic() - began)
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


def _first_state(spec: Class2D, begin: Begin, given: Input, files: Run) -> tuple[State, list[str]]:
    """The state to go on from, or that of a new start, which is written."""
    if begin.state is not None:
        return _grown(spec, given, begin.state, begin.planned), _written_before(files, begin.state.iteration)
    seeds, poses = _seeds(spec, given), read_poses(given.table.rows)
    nowhere = torch.full_like(poses.class_index, -1)  # picks come with the number of their reference
    poses = poses._replace(class_index=nowhere)
    classes = spec.optimization.number_of_classes
    grow, iterations = spec.optimization.grow_classes, spec.optimization.number_of_iterations
    first = classes_in_use(classes, 0, iterations) if grow else classes
    state = start(given.data, classes, seeds, given.options, poses, first)
    return state, [f"{files.relative}/{path.name}" for path in write_iteration(files, state)]


def _grown(spec: Class2D, given: Input, state: State, planned: int) -> State:
    """A state to go on from, with the classes that a run of as many iterations as now would have in use.

    In one planned longer fewer were, and growth may be over before the first iteration is done.
    """
    asked = spec.optimization
    classes, iterations = asked.number_of_classes, asked.number_of_iterations
    had, wanted = (classes_in_use(classes, state.iteration, whole) for whole in (planned, iterations))
    if not asked.grow_classes or wanted <= had or state.iteration == iterations:
        return state
    return _filled(spec, given, state, Fill(wanted, 0.0))


def _written_before(files: Run, last: int) -> list[str]:
    """Iterations of an earlier run in this directory, up to the one that is gone on from."""
    numbers = range(last + 1)
    paths = (path for n in numbers for path in sorted(files.directory.glob(f"{files.root}_it{n:03d}_*")))
    return [f"{files.relative}/{path.name}" for path in paths]


def _seeds(spec: Class2D, given: Input) -> Tensor:
    names = given.table.rows["rlnImageName"]
    return torch.tensor([seed_for(spec.compute.seed, "class2d start", str(name)) for name in names])


def _perturbation(spec: Class2D, state: State) -> float:
    """How the grid of the next iteration is moved; a function of seed and iteration."""
    if not spec.sampling.perform_image_alignment:
        return 0.0
    number = seed_for(spec.compute.seed, "class2d perturbation", str(state.iteration + 1))
    return next_perturbation(state.perturbation, number / 2**63)


def _to_fill(spec: Class2D, iteration: int) -> Fill | None:
    """Which classes to fill after an iteration, which are empty or nearly; None when all are left alone."""
    asked = spec.optimization
    classes = asked.number_of_classes
    growing = to_fill(classes, iteration, asked.number_of_iterations) if asked.grow_classes else None
    return growing or (Fill(classes, 0.0) if asked.reseed_empty_classes else None)


def _filled(spec: Class2D, given: Input, state: State, fill: Fill) -> State:
    """A state without classes to fill; a function of seed and iteration."""
    number = seed_for(spec.compute.seed, "class2d reseed", str(state.iteration))
    generator = torch.Generator().manual_seed(number)
    return state._replace(model=reseed_empty(state.model, given.options, generator, *fill))


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
