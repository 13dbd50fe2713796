"""The reference data as a project to work in, with the stacks that they leave out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cryoflow.jobs.extract.run import run
from cryoflow.project.context import JobContext
from cryoflow.spec import Extract, parse_spec


def link_files(project: Path, folder: Path, parts: Iterable[str]) -> None:
    """Link every file below some parts of a project by itself, so that nothing written comes to lie there.

    Parameters
    ----------
    project : Path
        Where the files are.
    folder : Path
        Where they shall be seen as well, in folders of its own.
    parts : iterable of str
        Names in ``project``.
    """
    for part in parts:
        for path in (project / part).rglob("*"):
            if path.is_file():
                link = folder / path.relative_to(project)
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(path.resolve())


def extract_again(project: Path, job: str, folder: Path) -> Path:
    """Make a project in ``folder`` that is the reference project ``bgal`` and has the stacks of one job.

    Parameters
    ----------
    project : Path
        The reference project.
    job : str
        ``job007`` or ``job012b``, in its ``Extract``.
    folder : Path
        Empty.
    """
    link_files(project, folder, [part.name for part in project.iterdir() if part.name != "Extract"])
    directory = folder / "Extract" / job
    directory.mkdir(parents=True)
    (folder / "coordinates.star").symlink_to((project / "Extract" / job / "particles.star").resolve())
    spec = parse_spec(
        {
            "job": "Extract",
            "io": {
                "micrograph_star_file": "CtfFind/job003/micrographs_ctf.star",
                "re_extract_refined_particles": True,
                "refined_particles_star_file": "coordinates.star",
            },
            "extract": {
                "particle_box_size": 128,
                "rescale_particles": True,
                "re_scaled_size": 64,
                "diameter_background_circle": 100,
            },
        }
    )
    assert isinstance(spec, Extract)
    result = run(spec, JobContext(folder.resolve(), directory.resolve()))
    assert not result.failures
    return folder
