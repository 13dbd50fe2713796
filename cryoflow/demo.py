"""``cryoflow demo``: simulate a small project, run the tutorial's steps on it, compare with the truth."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cryoflow.errors import CryoflowError
from cryoflow.screen import say
from cryoflow.shipped import shipped_folder
from cryoflow.simulate.options import SimulateOptions

if TYPE_CHECKING:
    import pandas as pd

OPTIONS = SimulateOptions(
    micrographs=12,
    selected=5,
    size=(1080, 1152),
    particles=30,
    broken=3,
    contaminants=4,
    model="barrel",
    diameter=160.0,
    distance=215.0,
    snr=0.03,
    carbon=0.25,
    seed=16,
)
"""The demo's project: the tutorial's pixel size, and sparse enough for the minimum distance between picks."""

CLASSES = 20

PICTURE = "demo.png"


class Step(NamedTuple):
    """One step of the tutorial."""

    spec: str
    overrides: tuple[str, ...] = ()


def steps(options: SimulateOptions) -> tuple[Step, ...]:
    """The tutorial's steps with the boxes and counts of a project smaller than the tutorial's."""
    background = 2 * round(0.55 * options.diameter / options.pixel_size)
    extraction = (
        f"particle_box_size={options.box}",
        f"re_scaled_size={options.reference_box}",
        f"diameter_background_circle={background}",
    )
    return (
        Step("10_optimise_params"),
        Step("11_template_based"),
        Step("12_extract_template_based", extraction),
        Step("13_sort_after_autopick"),
        Step("14_after_sort"),
        Step("15_class2d_after_sorting", (f"number_of_classes={CLASSES}",)),
        Step("16_class2d_aftersort", ("selection.classes=null", "selection.class_score_min=0.5")),
    )


def run_demo(directory: Path) -> int:
    """Simulate a project and run steps 10-16 on it.

    Parameters
    ----------
    directory : Path
        A new directory, or one without micrographs.

    Returns
    -------
    int
        Exit code: 0, or that of the step that failed.

    Raises
    ------
    CryoflowError
        When the directory cannot be used.
    """
    from cryoflow.simulate.project import simulate_project

    start = time.monotonic()
    specs = shipped_folder() / "tutorial"
    say(f"Simulating {OPTIONS.micrographs} micrographs in {directory}")
    simulate_project(directory, OPTIONS)
    for step in steps(OPTIONS):
        code = _run(specs / f"{step.spec}.yaml", step.overrides, directory)
        if code:
            return code
    say()
    for line in compare_with_truth(directory):
        say(line)
    say(f"\npicks and classes: {draw_summary(directory)}")
    say(f"everything: {directory} ({time.monotonic() - start:.0f} s)")
    return 0


def _run(spec: Path, overrides: tuple[str, ...], project: Path) -> int:
    from cryoflow.launch.options import RunOptions
    from cryoflow.launch.run import run_specs

    command = " ".join(("cryoflow run", str(spec), *overrides))
    say(f"\n$ {command}")
    return run_specs([spec], overrides, RunOptions(project.absolute(), command))


def compare_with_truth(project: Path) -> list[str]:
    """A table of what each step kept: how many, how many of them particles, how many of all particles."""
    from cryoflow.files.tables import read_micrographs, read_particles
    from cryoflow.simulate.project import CTF_TABLE, SELECTED_TABLE
    from cryoflow.simulate.score import score_table

    every, five = (
        read_micrographs(project / table).rows["rlnMicrographName"].tolist()
        for table in (CTF_TABLE, SELECTED_TABLE)
    )
    sorted_, chosen = (
        read_particles(project / f"Select/{job}/particles.star").rows for job in ("job014", "job016")
    )
    rows = (
        (f"step 10, {len(five)} micrographs, picks", _picks(project, "AutoPick/job010", five), five),
        (f"step 11, {len(every)} micrographs, picks", _picks(project, "AutoPick/job011", every), every),
        ("step 14, after sorting", sorted_, every),
        ("step 16, in the chosen classes", chosen, every),
    )
    lines = [f"{'against the truth':34}{'kept':>7}{'true':>7}{'precision':>11}{'recall':>9}"]
    for name, table, micrographs in rows:
        score = score_table(project, table, micrographs)
        shares = f"{score.precision:>11.2f}{score.recall:>9.2f}"
        lines.append(f"{name:34}{score.picks:>7}{score.found:>7}{shares}")
    return lines


def _picks(project: Path, job: str, micrographs: list[str]) -> pd.DataFrame:
    import pandas as pd

    from cryoflow.files.coordinates import read_coordinate_list, read_coordinates

    pairs = read_coordinate_list(project / job / "coords_suffix_autopick.star", project, micrographs)
    tables = [read_coordinates(path).assign(rlnMicrographName=name) for name, path in pairs]
    if not tables:
        raise CryoflowError(f"{job}: no picks on any micrograph")
    return pd.concat(tables).sort_values("rlnAutopickFigureOfMerit", ascending=False, kind="stable")


def draw_summary(project: Path) -> Path:
    """Draw the picks on the first micrograph next to the chosen classes."""
    from cryoflow.view.pictures import open_picture, side_by_side

    parts = [project / "AutoPick/job011/picks_mic001.png", project / "Select/job016/classes.png"]
    path = project / PICTURE
    side_by_side([open_picture(part) for part in parts], 540).save(path)
    return path
