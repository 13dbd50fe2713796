"""AutoPick: find particles in micrographs, with references or as blobs (steps 10 and 11)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cryoflow.compute.parallel import keeping_large_images, short_switch_interval, single_threads
from cryoflow.errors import CryoflowError
from cryoflow.files.job_paths import check_files_written
from cryoflow.jobs.autopick.concurrency import concurrency
from cryoflow.jobs.autopick.log_picker import BlobPicker
from cryoflow.jobs.autopick.map_cache import PickingCache
from cryoflow.jobs.autopick.micrograph_task import Work
from cryoflow.jobs.autopick.micrographs import Micrograph, list_micrographs
from cryoflow.jobs.autopick.output import Finished, Picked, write_lists
from cryoflow.jobs.autopick.picker import Picker
from cryoflow.jobs.autopick.q_values import assign_q_values
from cryoflow.jobs.autopick.references import GivenReferences, project_3d_reference, read_2d_references
from cryoflow.jobs.autopick.statistics import greyscale_warning
from cryoflow.jobs.autopick.template_picker import ReferencePicker
from cryoflow.project.context import Failure, JobContext, JobResult
from cryoflow.spec import AutoPick


def run(spec: AutoPick, context: JobContext) -> JobResult:
    """Pick from all micrographs; each one's coordinates are written as soon as they are found.

    With ``context.continuing`` micrographs are left alone that were finished with the same settings before.

    Raises
    ------
    CryoflowError
        When the inputs do not fit each other, FOM maps are of other settings, or no micrograph can be done.
    """
    if context.cache is not None:
        context.cache.part(PickingCache).picks.clear()
    listed = list_micrographs(spec, context)
    picker, given = make_picker(spec, context, listed.micrographs[0].pixel_size_a)
    inputs, outputs = (given.files, given.outputs) if given else ((), ())
    work = Work(spec, context, picker, listed.style, Finished(context.directory / "finished.txt"))
    for micrograph in listed.micrographs:
        if spec.autopicking.read_fom_maps:
            work.check_maps(micrograph)
        else:
            picker.settings(micrograph)  # references that do not fit are told before anything is written
    results = context.report.progress(
        _work_all(work, listed.micrographs), "micrographs", len(listed.micrographs)
    )
    done = list(results)
    picked = [one for one in done if isinstance(one, Picked)]
    failures = tuple(one for one in done if isinstance(one, Failure))
    if not picked:
        raise CryoflowError(f"no micrograph could be picked from; {failures[0].item}: {failures[0].message}")
    judged = None
    if spec.statistics.decoys:
        judged = assign_q_values(context, [one.name for one in picked], [one.outputs[0] for one in picked])
    check_files_written(context.directory, [context.project / one.outputs[0] for one in picked])
    lists = write_lists(context, spec.io.input_micrographs_for_autopick, picked, listed.style, judged)
    _report(spec, context, picked)
    particles = sum(one.particles for one in picked)
    read = () if spec.autopicking.read_fom_maps else tuple(one.name for one in picked)
    return JobResult(
        inputs=(spec.io.input_micrographs_for_autopick, *inputs, *read),
        outputs=(*outputs, *(name for one in picked for name in one.outputs), *lists),
        counts={
            "micrographs": len(picked),
            "particles": particles,
            "kept": sum(one.kept for one in picked),
            **(judged.counts if judged else {}),
        },
        failures=failures,
        summary=f"{particles} particles on {len(picked)} micrographs{judged.summary if judged else ''}",
        nodes=((lists[1], "MicrographCoordsGroup.star.relion.autopick"),),
    )


def make_picker(
    spec: AutoPick, context: JobContext, pixel_size_a: float
) -> tuple[Picker, GivenReferences | None]:
    """How to pick, and the references if there are any; for micrographs of ``pixel_size_a``."""
    if spec.io.use_laplacian_of_gaussian:
        return BlobPicker(spec, context), None
    if spec.io.provide_a_3d_reference:
        given = project_3d_reference(spec, context, pixel_size_a)
    else:
        given = read_2d_references(spec, context)
    return ReferencePicker(spec, context, given), given


def _work_all(work: Work, micrographs: Sequence[Micrograph]) -> Iterator[Picked | Failure]:
    """Results in the order of the micrographs, several of which are worked on at a time.

    Each has one thread of its own, for three reasons: the results do not depend on how many there are, no
    thread waits for another, and the references are shared.
    """
    at_once = concurrency(work.spec, work.context.device)
    with keeping_large_images(), short_switch_interval(), single_threads(at_once) as pool:
        yield from pool.map(work.do, micrographs)


def _report(spec: AutoPick, context: JobContext, picked: Sequence[Picked]) -> None:
    kept = sum(one.kept for one in picked)
    if kept:
        context.report.say(f"kept the picks of {kept} micrographs that were finished before")
    warning = greyscale_warning([one.statistics for one in picked if one.statistics is not None])
    if warning is not None:
        context.report.warn(warning)
    empty = [one for one in picked if not one.particles]
    best = [one.best_fom for one in empty if one.best_fom is not None]
    if not empty:
        return
    line = f"no picks on {len(empty)} of {len(picked)} micrographs, such as {empty[0].name}"
    if best and not spec.io.use_laplacian_of_gaussian:
        line += (
            f"; their best figures of merit are {min(best):.3g} to {max(best):.3g}, "
            f"the threshold is {spec.autopicking.picking_threshold:g}"
        )
    context.report.warn(line)
