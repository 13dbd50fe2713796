"""The report of a sweep: a table, a picture of it, and one micrograph with the picks of each point."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cryoflow.errors import CryoflowError
from cryoflow.project.record import read_record

if TYPE_CHECKING:
    from cryoflow.launch.sweep.table import Row, SweepTable


def report_sweep(
    directory: Path, project: Path, points: Sequence[Sequence[str]], found: Sequence[Row]
) -> tuple[SweepTable, list[str]]:
    """Write table and pictures into the directory of a sweep; a failed picture does not fail the sweep.

    Returns
    -------
    tuple
        The table, and what went wrong with the pictures.
    """
    from cryoflow.launch.sweep.table import make_table, write_table

    table = make_table(points, found)
    write_table(directory, table)
    try:
        _draw(directory, project, table)
    except (CryoflowError, OSError, ValueError, KeyError) as error:
        return table, [f"no picture: {' '.join(str(error).split())}"]
    return table, []


def _draw(directory: Path, project: Path, table: SweepTable) -> None:
    import pandas as pd

    from cryoflow.view.pictures import save
    from cryoflow.view.sweep import draw_grid

    shown = [name for name in table.shown if pd.api.types.is_numeric_dtype(table.rows[name].dtype)]
    if shown and table.varied:
        save(draw_grid(table.rows, table.varied, shown), directory / "sweep.png")
    _draw_picks(directory, project, table)


def _draw_picks(directory: Path, project: Path, table: SweepTable) -> None:
    from cryoflow.files.star import read_star, table_block
    from cryoflow.view.pictures import save
    from cryoflow.view.sweep import draw_picks, spread

    rows = table.rows[table.rows["state"] != "failed"]
    rows = rows.iloc[spread(len(rows))]
    paths, captions, radii, micrograph = [], [], [], ""
    for row in rows.to_dict("records"):
        listed = project / str(row["job"]) / "autopick.star"
        if not listed.exists():
            return
        files = table_block(listed, read_star(listed), "coordinate_files")
        micrograph = micrograph or str(files["rlnMicrographName"].iloc[0])
        mine = files[files["rlnMicrographName"] == micrograph]["rlnMicrographCoordinates"]
        if len(mine):
            paths.append(project / str(mine.iloc[0]))
            captions.append(" ".join(str(row[name]) for name in table.varied))
            radii.append(_radius_px(project, str(row["job"]), micrograph))
    if paths:
        save(draw_picks(project, micrograph, paths, captions, radii), directory / "picks.png")


def _radius_px(project: Path, job: str, micrograph: str) -> float:
    """Return half the least distance between picks: circles of neighbours then touch."""
    from cryoflow.files.mrc import read_header

    distance = read_record(project / job)["spec"]["autopicking"]["minimum_inter_particle_distance"]
    return float(distance) / 2 / (read_header(project / micrograph).pixel_size or 1.0)
