"""Extract: crop particles from micrographs, normalise and rescale them (step 12)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, repeat

import pandas as pd

from cryoflow.compute.parallel import one_thread_each, single_threads
from cryoflow.errors import CryoflowError
from cryoflow.files.coordinates import write_suffix_file
from cryoflow.files.job_paths import check_files_written
from cryoflow.files.tables import Table, write_table
from cryoflow.jobs.extract.cuts import cut_picks
from cryoflow.jobs.extract.positions import find_positions
from cryoflow.jobs.extract.setup import micrographs_of, pixel_sizes, tasks_of, warn_of_enlarging
from cryoflow.jobs.extract.stack import Done, Task, fetch, work
from cryoflow.project.context import Failure, JobContext, JobResult, Reporter
from cryoflow.spec import Compute, Extract

FEWEST_PLACES, CORNER, MOST_OUTSIDE = 10, 0.6, 0.2
"""Minimum number of coordinates, covered share of width and height, and share outside, for warnings."""
BACKGROUND_TOLERANCE = 1e-3
"""Deviation of a written background from mean 0 and standard deviation 1 that causes a warning."""


def run(spec: Extract, context: JobContext) -> JobResult:
    """Write a stack and a table for every micrograph that has coordinates, and then ``particles.star``.

    Raises
    ------
    CryoflowError
        When no micrograph could be processed.
    """
    micrographs = micrographs_of(spec, context)
    warn_of_enlarging(spec, context)
    pixels = pixel_sizes(spec, context, micrographs)
    positions = cut_picks(spec, context, find_positions(spec, context, micrographs, pixels))
    tasks = tasks_of(spec, context, micrographs, pixels, positions)
    context.reads([*positions.inputs, *(task.name for task in tasks)])
    results = _work_all(tasks, spec.compute)
    done = list(context.report.progress(results, "micrographs", len(tasks)))
    failures = tuple(Failure(one.name, one.problem) for one in done if one.problem)
    if len(failures) == len(done):
        raise CryoflowError(f"no micrograph could be extracted; {failures[0].item}: {failures[0].message}")
    rows = _join([one.rows for one in done if not one.problem])
    _report(context, done, len(micrographs.rows) - len(tasks))
    outputs = [
        name
        for task, one in zip(tasks, done, strict=True)
        if len(one.rows)
        for name in _written(task, context)
    ]
    check_files_written(context.directory, [context.project / name for name in outputs])
    target = context.directory / "particles.star"
    write_table(target, Table(rows, tasks[0].frame.style, target, "", tasks[0].frame.optics))
    nodes = [(context.relative(target), "ParticleGroupMetadata.star.relion")]
    if spec.io.re_extract_refined_particles:
        nodes.append((_write_suffix(spec, context), "MicrographCoordsGroup.star.relion"))
    return JobResult(
        inputs=(
            spec.io.micrograph_star_file,
            *positions.inputs,
            *(one.name for one in done if not one.problem),
        ),
        outputs=(*outputs, *(name for name, _ in nodes)),
        counts=_counts(done, rows),
        failures=failures,
        summary=f"{len(rows)} particles from {sum(len(one.rows) > 0 for one in done)} micrographs",
        nodes=tuple(nodes),
    )


def _work_all(tasks: Sequence[Task], compute: Compute) -> Iterator[Done]:
    """Work on as many micrographs at a time as there are workers.

    Workers are threads: torch and file access release Python's lock, and starting a process can take longer
    than a whole job.
    """
    workers = min(compute.workers, len(tasks))
    at_once = compute.threads and compute.threads * workers
    following = chain(tasks[workers:], repeat(None))
    for task in tasks[:workers]:
        fetch(task)
    with one_thread_each(tasks[0].device, at_once) as spread, single_threads(workers) as pool:
        each = pool.map if workers > 1 else map
        yield from each(work, tasks, following, repeat(map if compute.threads == 1 else spread))


def _join(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """One table in the order of the micrographs; values missing for some are 0, as in RELION."""
    joined = pd.concat([rows for rows in tables if len(rows)] or tables[:1], ignore_index=True)
    for name in joined.columns[joined.isna().any()]:
        joined[name] = joined[name].fillna(0 if pd.api.types.is_numeric_dtype(joined[name].dtype) else "None")
    return joined


def _written(task: Task, context: JobContext) -> tuple[str, str]:
    return task.frame.stack, context.relative(task.table)


def _write_suffix(spec: Extract, context: JobContext) -> str:
    """List the new coordinates, so that they can be displayed and extracted like picks."""
    target = context.directory / "coords_suffix_extract.star"
    write_suffix_file(target, spec.io.micrograph_star_file)
    return context.relative(target)


def _report_places(report: Reporter, done: Sequence[Done]) -> None:
    """Warn if coordinates cover only a corner of the micrographs, or lie outside them: the scale is wrong."""
    picked = sum(one.picked for one in done)
    right, up = (max((one.reach[axis] for one in done), default=0.0) for axis in (0, 1))
    furthest = max((one.furthest_px for one in done), default=0.0)
    if picked and (furthest <= 1 or (picked >= FEWEST_PLACES and max(right, up) < CORNER)):
        report.warn(
            f"all {picked} coordinates lie within {furthest:.4g} px, {100 * right:.2g} % of the micrographs' "
            f"width and {100 * up:.2g} % of their height; are they fractions, or of binned micrographs? Give "
            "them in pixels of these micrographs"
        )
    outside = sum(one.outside for one in done)
    if outside > MOST_OUTSIDE * picked:
        report.warn(
            f"{outside} of {picked} coordinates lie outside the micrographs; are they in A, or of "
            "micrographs that were not binned? Give them in pixels of these micrographs"
        )


def _counts(done: Sequence[Done], rows: pd.DataFrame) -> dict[str, int | float]:
    return {
        "micrographs": sum(len(one.rows) > 0 for one in done),
        "particles": len(rows),
        "outside": sum(one.outside for one in done),
        "kept_micrographs": sum(one.kept for one in done),
        "background_mean": max(one.departures.mean for one in done),
        "background_sd_error": max(one.departures.sd for one in done),
    }


def _report(context: JobContext, done: Sequence[Done], without: int) -> None:
    report = context.report
    for one in done:
        if max(one.departures) > BACKGROUND_TOLERANCE:
            mean, sd = one.departures
            text = f"background means are up to {mean:.2g} from 0, standard deviations up to {sd:.2g} from 1"
            report.warn(f"{one.name}: {text}; check whether it is blank around its picks")
        if one.outside:
            report.warn(f"{one.name}: dropped {one.outside} particles entirely outside the micrograph")
    _report_places(report, done)
    if without:
        report.say(f"{without} micrographs have no coordinates")
    if not any(len(one.rows) for one in done):
        report.warn("no particles, since all coordinate files are empty; particles.star has no rows")
    kept = sum(one.kept for one in done)
    if kept:
        report.say(f"kept the stacks of {kept} micrographs finished earlier")
    mean, sd = max(one.departures.mean for one in done), max(one.departures.sd for one in done)
    ok = "ok" if max(mean, sd) <= BACKGROUND_TOLERANCE else "see the warnings"
    report.say(f"normalisation checked: {ok} (means within {mean:.2g} of 0, deviations within {sd:.2g} of 1)")
