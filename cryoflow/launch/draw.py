"""Draw the pictures of jobs and sweeps again, and of any micrograph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cryoflow.errors import CryoflowError
from cryoflow.jobs.registry import draw_pictures
from cryoflow.launch.sweep.folder import RECORD as SWEEP_RECORD
from cryoflow.launch.sweep.report import draw_sweep
from cryoflow.launch.sweep.table import read_table
from cryoflow.project.directory import find_job_directory
from cryoflow.project.record import read_record
from cryoflow.view.report import write_report


def draw(project: Path, given: str, micrographs: Sequence[str], everything: bool = False) -> list[Path]:
    """Draw pictures of a job or sweep into its directory and return their paths.

    Without micrographs, the pictures of a job are drawn again, and its report.

    Parameters
    ----------
    project : Path
        Absolute project root.
    given : str
        Job directory or alias, or directory of a sweep.
    micrographs : sequence of str
        Micrographs of a picking job or sweep, by name, file name or stem; only these are drawn.
    everything : bool
        Whether to draw all micrographs.

    Raises
    ------
    CryoflowError
        If there is no such job or micrograph, or a file cannot be read.
    """
    sweep = next((path for path in (project / given, Path(given)) if (path / SWEEP_RECORD).exists()), None)
    if sweep is not None:
        wanted = [] if everything else (micrographs or None)
        return draw_sweep(sweep.absolute(), project, read_table(sweep), wanted)
    directory = find_job_directory(project, given)
    job = read_record(directory)["spec"]["job"]
    if not (micrographs or everything):
        return [*draw_pictures(job, directory, project), write_report(directory)]
    if job != "AutoPick":
        raise CryoflowError(f"{given}: {job} has no pictures of micrographs; leave out the micrographs")
    from cryoflow.view.draw import read_settings
    from cryoflow.view.picks import choose, draw_micrographs, read_micrograph_list

    known = read_micrograph_list(directory, project)
    chosen = known if everything else choose(known, micrographs)
    return draw_micrographs(directory, project, chosen, read_settings(directory))
