"""Stacks of particles that the reference data leave out: cut again at the coordinates of their tables."""

from __future__ import annotations

from pathlib import Path

from cryoflow.jobs.extract import run
from cryoflow.project.context import JobContext
from cryoflow.spec import Extract, parse_spec


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
    for place in project.glob("*/*"):
        if place.parent.name != "Extract":  # links below folders of its own, where new jobs are written
            link = folder / place.relative_to(project)
            link.parent.mkdir(exist_ok=True)
            link.symlink_to(place.resolve())
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
