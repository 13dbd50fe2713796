"""AutoPick: find particles in micrographs, with references or as blobs (steps 10 and 11)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cryoflow.compute.parallel import keeping_large_images, short_switch_interval, single_threads
from cryoflow.errors import CryoflowError
from cryoflow.files.job_paths import check_files_written
from cryoflow.jobs.autopick.concurrency import concurrency
from cryoflow.jobs.autopick.contrast import warn_of_contrast
from cryoflow.jobs.autopick.log_picker import BlobPicker
from cryoflow.jobs.autopick.map_cache import PickingCache
from cryoflow.jobs.autopick.map_files import check_maps
from cryoflow.jobs.autopick.micrograph_files import files_of
from cryoflow.jobs.autopick.micrograph_task import Work
from cryoflow.jobs.autopick.micrographs import Micrograph, list_micrographs
from cryoflow.jobs.autopick.output import Finished, Picked, write_lists
from cryoflow.jobs.autopick.picker import Picker, Recipe
from cryoflow.jobs.autopick.q_values import Judged, assign_q_values
from cryoflow.jobs.autopick.references import GivenReferences, project_3d_reference, read_2d_references
from cryoflow.jobs.autopick.report import report_picks, report_thresholds
from cryoflow.jobs.autopick.setting_warnings import warn_of_settings
from cryoflow.jobs.autopick.template_picker import ReferencePicker
from cryoflow.jobs.autopick.thresholds import propose_thresholds
from cryoflow.project.context import Failure, JobContext, JobResult
from cryoflow.spec import AutoPick


def run(spec: AutoPick, context: JobContext) -> JobResult:
    """Pick from all micrographs; each one's coordinates are written as soon as they are found.

    With ``context.continuing`` micrographs are skipped that were finished with the same settings before.

    Raises
    ------
    CryoflowError
        When the inputs do not fit each other, FOM maps are of other settings, or no micrograph can be
        picked.
    """
    if context.cache is not None:
        context.cache.part(PickingCache).picks.clear()
    listed = list_micrographs(spec, context)
    picker, given = make_picker(spec, context, listed.micrographs[0].pixel_size_a)
    # references that do not fit, and maps of other settings, are refused before anything is written
    recipes = [_checked_recipe(spec, context, picker, micrograph) for micrograph in listed.micrographs]
    if given is not None and context.cache is None:  # not at every point of a sweep
        warn_of_contrast(spec, context, listed.micrographs, given)
        warn_of_settings(spec, context, listed.micrographs[0].pixel_size_a, given)
    count, finished = len(given.images) if given else 0, Finished(context.directory / "finished.txt")
    work = Work(spec, context, picker, count, listed.style, finished)
    every = _work_all(work, listed.micrographs, recipes)
    done = list(context.report.progress(every, "micrographs", len(recipes)))
    picked = [one for one in done if isinstance(one, Picked)]
    failures = tuple(one for one in done if isinstance(one, Failure))
    if not picked:
        raise CryoflowError(f"no micrograph could be picked; {failures[0].item}: {failures[0].message}")
    judged = None
    if spec.statistics.decoys:
        judged = assign_q_values(context, [one.name for one in picked], [one.outputs[0] for one in picked])
    check_files_written(context.directory, [context.project / one.outputs[0] for one in picked])
    others = [one.statistics.others for one in picked if one.statistics and one.statistics.others]
    proposed = propose_thresholds(others, judged) if others else None
    table = spec.io.input_micrographs_for_autopick
    lists = write_lists(context, table, picked, listed.style, judged, proposed)
    report_picks(spec, context, picked)
    if proposed is not None:
        report_thresholds(spec, context, picked, proposed)
    return _result(spec, given, picked, failures, lists, judged)


def make_picker(
    spec: AutoPick, context: JobContext, pixel_size_a: float
) -> tuple[Picker, GivenReferences | None]:
    """Return the picker, and the references if any, for micrographs of ``pixel_size_a``."""
    if spec.io.use_laplacian_of_gaussian:
        return BlobPicker(spec, context), None
    if spec.io.provide_a_3d_reference:
        given = project_3d_reference(spec, context, pixel_size_a)
    else:
        given = read_2d_references(spec, context)
    return ReferencePicker(spec, context, given), given


def _checked_recipe(spec: AutoPick, context: JobContext, picker: Picker, micrograph: Micrograph) -> Recipe:
    recipe = picker.recipe(micrograph)
    maps = files_of(spec, context, micrograph, recipe).maps
    if spec.autopicking.read_fom_maps and maps.exists():
        context.reads([context.relative(maps)])
        check_maps(maps, context.relative(maps), recipe)
    return recipe


def _work_all(
    work: Work, micrographs: Sequence[Micrograph], recipes: Sequence[Recipe]
) -> Iterator[Picked | Failure]:
    """Results in the order of the micrographs, several of which are processed concurrently.

    Each has its own thread, for three reasons: the results do not depend on how many there are, no
    thread waits for another, and the references are shared.
    """
    at_once = concurrency(work.spec, work.context.device)
    with keeping_large_images(), short_switch_interval(), single_threads(at_once) as pool:
        yield from pool.map(work.do, micrographs, recipes)


def _result(
    spec: AutoPick,
    given: GivenReferences | None,
    picked: Sequence[Picked],
    failures: tuple[Failure, ...],
    lists: tuple[str, ...],
    judged: Judged | None,
) -> JobResult:
    """Result of the job: files read and written, and counts."""
    particles = sum(one.particles for one in picked)
    files, outputs = (given.files, given.outputs) if given else ((), ())
    read = () if spec.autopicking.read_fom_maps else tuple(one.name for one in picked)
    counts = {
        "micrographs": len(picked),
        "particles": particles,
        "kept_micrographs": sum(one.kept for one in picked),
    }
    return JobResult(
        inputs=(spec.io.input_micrographs_for_autopick, *files, *read),
        outputs=(*outputs, *(name for one in picked for name in one.outputs), *lists),
        counts=counts | (judged.counts if judged else {}),
        failures=failures,
        summary=f"{particles} particles on {len(picked)} micrographs{judged.summary if judged else ''}",
        nodes=((lists[1], "MicrographCoordsGroup.star.relion.autopick"),),
    )
