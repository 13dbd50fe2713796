"""Pictures of what jobs wrote. Reads, and writes nothing but pictures."""

from __future__ import annotations

from pathlib import Path


def report(job_type: str, directory: Path, project: Path) -> list[Path]:
    """Draw what fits a finished job, into its directory.

    Parameters
    ----------
    job_type : str
        ``AutoPick``, ``Extract``, ``Sort``, ``Select`` or ``Class2D``; others get no pictures.
    directory : Path
        Job directory with its output.
    project : Path
        Project root, which names in tables are relative to.

    Returns
    -------
    list of Path
        The PNG files written.

    Raises
    ------
    CryoflowError
        When a table or an image cannot be read.
    """
    from cryoflow.view.draw import draw_report

    return draw_report(job_type, directory, project)
