"""The job types: one `JobType` record each, with everything besides the fields.

Code is named by reference, ``module:function``, and imported when it is needed: torch takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from cryoflow.project.context import JobContext, JobResult, SweepCache
from cryoflow.project.pipeline_nodes import ProcessType
from cryoflow.spec import AutoPick, Class2D, Extract, JobSpec, Select, Sort

#: ``(spec, context) -> result``: runs the job.
Run = Callable[[Any, JobContext], JobResult]
#: ``(directory, project) -> PNG files``: draws the pictures of a finished job.
Draw = Callable[[Path, Path], list[Path]]
#: ``(directory, project) -> measured``: what the pictures of a job show beyond its files, or None.
Measure = Callable[[Path, Path], Any]
#: ``(spec, project) -> bytes``: expected memory in addition to the program itself; needs the job's inputs.
ExpectedBytes = Callable[[Any, Path], float]
#: ``(project, job directory, counts, cache) -> columns``: what one point of a sweep found.
Columns = Callable[[Path, str, Mapping[str, Any], SweepCache | None], dict[str, Any]]
#: ``(spec, project) -> names``: the columns that one point of a sweep will have, besides its counts.
ColumnNames = Callable[[Any, Path], tuple[str, ...]]


@dataclass(frozen=True)
class SweepTraits:
    """How the points of a sweep of a job type differ from single jobs.

    Attributes
    ----------
    overrides : tuple of str
        ``field=value`` for every point, unless the sweep varies the field.
    pictures : bool
        Whether each point draws the job's pictures; not where one picture of the sweep replaces them.
    forks : bool
        Whether the points after the first are short enough to run concurrently in forked processes.
    counts : tuple of str
        Counts that every job of this type has.
    columns : str
        Reference to a `Columns` function; empty where the counts are all there is.
    names : str
        Reference to a `ColumnNames` function; empty where the counts are all there is.
    notes : str
        Reference to a function of the table's rows and the varied columns: a mark or None for each row, and
        lines to report; empty where there is nothing to say.
    """

    overrides: tuple[str, ...] = ()
    pictures: bool = True
    forks: bool = False
    counts: tuple[str, ...] = ("particles",)
    columns: str = ""
    names: str = ""
    notes: str = ""


@dataclass(frozen=True)
class JobType:
    """A job type.

    Attributes
    ----------
    spec : type of JobSpec
        Its fields; they declare the files that the job takes.
    process : ProcessType
        What RELION calls it.
    run : str
        Reference to a `Run` function.
    pictures : str
        Reference to a `Draw` function; empty for a job without pictures.
    measured : str
        Reference to a `Measure` function, whose result the pictures take as well; empty where they need none.
    memory : str
        Reference to an `ExpectedBytes` function; empty where memory does not matter.
    rerun_overrides : tuple of str
        ``field=value`` for a rerun in a new directory, where nothing of an earlier run can be read.
    completes : bool
        Whether a job that is continued keeps its micrographs and adds those that it lacked.
    sweep : SweepTraits
        Its sweeps.
    """

    spec: type[JobSpec]
    process: ProcessType
    run: str
    pictures: str = ""
    measured: str = ""
    memory: str = ""
    rerun_overrides: tuple[str, ...] = ()
    completes: bool = False
    sweep: SweepTraits = SweepTraits()


JOB_TYPES: dict[str, JobType] = {
    job.spec.__name__: job
    for job in (
        JobType(
            spec=AutoPick,
            process=ProcessType(4, "relion.autopick"),
            run="cryoflow.jobs.autopick.run:run",
            pictures="cryoflow.view.draw:draw_picks",
            memory="cryoflow.jobs.autopick.memory:expected_bytes",
            rerun_overrides=("autopicking.read_fom_maps=no",),
            completes=True,
            sweep=SweepTraits(
                # the points share their maps in memory
                overrides=("autopicking.write_fom_maps=no", "autopicking.read_fom_maps=no"),
                pictures=False,
                forks=True,
                counts=("micrographs", "particles"),
                columns="cryoflow.jobs.autopick.sweep_columns:sweep_columns",
                names="cryoflow.jobs.autopick.sweep_columns:sweep_names",
                notes="cryoflow.jobs.autopick.sweep_notes:sweep_notes",
            ),
        ),
        JobType(
            spec=Extract,
            process=ProcessType(5, "relion.extract"),
            run="cryoflow.jobs.extract.run:run",
            pictures="cryoflow.view.draw:draw_extracted",
            memory="cryoflow.jobs.extract.memory:expected_bytes",
            completes=True,
            sweep=SweepTraits(
                counts=("micrographs", "particles", "outside", "background_mean", "background_sd_error")
            ),
        ),
        JobType(
            spec=Sort,
            process=ProcessType(6, "relion.external"),  # RELION 4 and later have no sorting
            run="cryoflow.jobs.sort.run:run",
            pictures="cryoflow.view.draw:draw_sorted",
            sweep=SweepTraits(
                counts=("particles", "manual"),
                columns="cryoflow.jobs.sort.sweep_columns:sweep_columns",
                names="cryoflow.jobs.sort.sweep_columns:sweep_names",
            ),
        ),
        JobType(
            spec=Select,
            process=ProcessType(7, "relion.select"),
            run="cryoflow.jobs.select.run:run",
            pictures="cryoflow.view.draw:draw_selected",
            sweep=SweepTraits(
                counts=(),
                columns="cryoflow.jobs.select.sweep_columns:sweep_columns",
                names="cryoflow.jobs.select.sweep_columns:sweep_names",
            ),
        ),
        JobType(
            spec=Class2D,
            process=ProcessType(8, "relion.class2d"),
            run="cryoflow.jobs.class2d.run:run",
            pictures="cryoflow.view.draw:draw_classes",
            measured="cryoflow.jobs.select.scores:scores_of_run",
            memory="cryoflow.jobs.class2d.memory:expected_bytes",
            sweep=SweepTraits(counts=("particles", "classes", "classes_used", "iterations", "resolution_a")),
        ),
    )
}
"""By the name of the spec class, in the order of the tutorial's steps."""


def load(reference: str) -> Callable[..., Any]:
    """Import the function that ``module:function`` names."""
    module, _, name = reference.partition(":")
    return cast(Callable[..., Any], getattr(import_module(module), name))


def draw_pictures(job: str, directory: Path, project: Path) -> list[Path]:
    """Draw the pictures of a finished job into its directory.

    Returns
    -------
    list of Path
        The PNG files written.

    Raises
    ------
    CryoflowError
        When a table or an image cannot be read.
    """
    kind = JOB_TYPES[job]
    measured = [load(kind.measured)(directory, project)] if kind.measured else []
    drawn: list[Path] = load(kind.pictures)(directory, project, *measured) if kind.pictures else []
    return drawn


def runner(job: str) -> Run:
    """Return the function that runs jobs of type ``job``."""
    return load(JOB_TYPES[job].run)
