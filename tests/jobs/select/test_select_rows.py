"""Particles and micrographs selected by their values."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.particle_project import micrograph_rows, picks
from helpers.select_job import FOM, MODEL, PARTICLES, classified, given_rows, kept, select, selected

from cryoflow.cli import main
from cryoflow.errors import FileError
from cryoflow.files.star import read_star, write_star
from cryoflow.files.tables import Table, read_micrographs, read_particles, write_table
from cryoflow.jobs.select.conditions import Source, quantiles


def test_nothing_asked_keeps_everything_in_order(project: Path) -> None:
    result, _ = select(project, io=PARTICLES)
    assert kept(project) == given_rows(project)["rlnImageName"].tolist()
    assert result.nodes == (("Select/job014/particles.star", "ParticleGroupMetadata.star.relion"),)
    assert result.inputs == ("Extract/job012/particles.star",)


def test_conditions_are_combined_told_and_inverted(project: Path) -> None:
    rows = given_rows(project)
    selection = {
        "columns": {FOM: {"min": 0.3}, "rlnClassNumber": {"min": 1, "max": 1}},
        "top": {"n": 9, "by": FOM},
    }
    expected = (rows[FOM] >= 0.3) & (rows["rlnClassNumber"] == 1) & rows[FOM].rank(ascending=False).le(9)
    assert 0 < expected.sum() < 9
    _, report = select(project, io=PARTICLES, selection=selection)
    assert kept(project) == rows["rlnImageName"][expected].tolist()
    assert selected(project) == expected.astype(int).tolist()
    assert report.said == [
        f"{FOM} >= 0.3: {int((rows[FOM] >= 0.3).sum())} of 15 particles",
        "1 <= rlnClassNumber <= 1: 9 of 15 particles",
        f"the 9 with the highest {FOM}: 9 of 15 particles",
        f"kept {int(expected.sum())} of 15 particles",
    ]
    select(project, io=PARTICLES, selection={**selection, "invert": True})
    assert kept(project) == rows["rlnImageName"][~expected].tolist()


def test_quantiles_of_a_column(project: Path) -> None:
    rows = given_rows(project)
    order = rows[FOM].rank()
    _, report = select(project, io=PARTICLES, selection={"columns": {FOM: {"min_quantile": 0.5}}})
    assert kept(project) == rows["rlnImageName"][order >= 8].tolist()  # the middle one of 15 stays
    limit = float(np.sort(rows[FOM])[7])
    assert report.said[0] == f"{FOM} >= {limit:.6g} (quantile 0.5): 8 of 15 particles"
    both = {"min_quantile": 0.5, "max_quantile": 1.0, "min": 0.0}
    select(project, io=PARTICLES, selection={"columns": {FOM: both}})
    assert kept(project) == rows["rlnImageName"][order >= 8].tolist()
    gaps = rows.assign(**{FOM: rows[FOM].where(order > 5, np.nan)})
    write_star(project / "Extract/job012/particles.star", {"": gaps})
    select(project, io=PARTICLES, selection={"columns": {FOM: {"max_quantile": 0.1}}})
    assert kept(project) == rows["rlnImageName"][order == 6].tolist()


@pytest.mark.parametrize(
    ("values", "bounds", "expected"),
    [
        ([4.0, 5.0, np.inf], {"max_quantile": 0.5}, [4.0, 5.0]),
        ([4.0, 5.0, np.inf], {"max_quantile": 0.75}, [4.0, 5.0]),
        ([4.0, 5.0, np.inf], {"min_quantile": 0.75}, [np.inf]),
        ([4.0, 5.0, np.inf], {"min_quantile": 0.5}, [5.0, np.inf]),
        ([np.inf, 1.0, np.inf, 2.0, np.inf], {"max_quantile": 0.5}, [np.inf, 1.0, np.inf, 2.0, np.inf]),
        ([-np.inf, 1.0, 2.0], {"min_quantile": 0.25}, [1.0, 2.0]),
        ([-np.inf, 1.0, 2.0], {"max_quantile": 0.25}, [-np.inf]),
        ([3.0, np.nan, np.inf, 1.0, 2.0], {"max_quantile": 0.5}, [1.0, 2.0]),
        ([np.inf, np.inf], {"max_quantile": 0.5}, [np.inf, np.inf]),
    ],
)
def test_quantiles_beside_infinities(
    values: list[float], bounds: dict[str, float], expected: list[float]
) -> None:
    """As of a CTF that could not be fitted, whose resolution is infinite."""
    source = Source(pd.DataFrame({"rlnCtfMaxResolution": values}), Path("t.star"), "micrographs")
    found = quantiles(source, "rlnCtfMaxResolution", bounds.get("min_quantile"), bounds.get("max_quantile"))
    assert np.array(values)[found.keep].tolist() == expected and "nan" not in found.text


@pytest.mark.parametrize("n", [1, 6, 15, 40])
def test_sort_and_keep(project: Path, n: int) -> None:
    rows = given_rows(project)
    select(project, io=PARTICLES, selection={"top": {"n": n, "by": FOM, "ascending": True}})
    assert kept(project) == rows["rlnImageName"][rows[FOM].rank() <= n].tolist()


@pytest.mark.parametrize("ascending", [True, False])
def test_all_above_a_particle_includes_it(project: Path, ascending: bool) -> None:
    rows = given_rows(project)
    image = rows["rlnImageName"][6]
    selection = {"above": image.replace("000002@", "2@"), "sort_by": FOM, "ascending": ascending}
    select(project, io=PARTICLES, selection=selection)
    value = rows[FOM][6]
    expected = rows[FOM] <= value if ascending else rows[FOM] >= value
    assert kept(project) == rows["rlnImageName"][expected].tolist() and image in kept(project)


def test_an_empty_selection_is_a_result_that_can_be_read(project: Path) -> None:
    path = project / "Extract/job012/particles.star"
    rows = given_rows(project)
    for style in ("3.0", "3.1"):
        write_table(path, Table(rows, "3.0", path, ""), style)  # type: ignore[arg-type]
        result, report = select(project, io=PARTICLES, selection={"columns": {FOM: {"min": 99}}})
        table = read_particles(project / "Select/job014/particles.star")
        assert len(table.rows) == 0 and set(rows.columns) <= set(table.rows.columns) and table.style == style
        assert result.counts == {"particles": 0} and any("kept 0 of 15" in line for line in report.warned)
        again = {"select_from_particles_star": "Select/job014/particles.star"}
        result, report = select(project, "Select/job020", io=again)
        assert result.counts == {"particles": 0} and any("no particles" in line for line in report.warned)


def test_values_of_micrographs_include_both_ends(project: Path) -> None:
    io = {"select_from_micrographs_star": "CtfFind/job003/micrographs_ctf.star"}
    subsets = {
        "select_based_on_metadata_values": True,
        "metadata_label_for_subset_selection": "_rlnDefocusU",
        "minimum_metadata_value": 9000,
        "maximum_metadata_value": 10000,
    }
    result, _ = select(project, io=io, subsets=subsets)
    rows = read_micrographs(project / "Select/job014/micrographs.star").rows
    assert rows["rlnDefocusU"].tolist() == [9000, 10000]
    assert result.nodes[0][1] == "MicrographGroupMetadata.star.relion"


def test_rows_without_a_value_are_counted(project: Path) -> None:
    rows = given_rows(project).assign(rlnParticleSelectZScore=[np.nan] * 4 + [0.5] * 11)
    write_star(project / "Extract/job012/particles.star", {"": rows})
    columns = {"rlnParticleSelectZScore": {"max": 1}}
    _, report = select(project, io=PARTICLES, selection={"columns": columns})
    assert report.said[0] == "rlnParticleSelectZScore <= 1 (4 have none): 11 of 15 particles"


def test_micrographs_of_picked_coordinates(project: Path) -> None:
    io = {"select_from_picked_coords": "AutoPick/job011/coords_suffix_autopick.star"}
    (project / "AutoPick/job011/Movies/mic3_autopick.star").unlink()
    selection = {"columns": {"rlnDefocusU": {"min": 9500}}}
    result, report = select(project, io=io, selection=selection)
    rows = read_micrographs(project / "Select/job014/micrographs_selected.star").rows
    assert rows["rlnDefocusU"].tolist() == [10000, 11000] and list(rows) == list(micrograph_rows())
    assert "2 of 3 micrographs have coordinates, 10 in all" in report.said
    assert result.inputs[:2] == (io["select_from_picked_coords"], "CtfFind/job003/micrographs_ctf.star")


def test_micrographs_are_selected_by_statistics_of_their_picks(project: Path) -> None:
    io = {"select_from_picked_coords": "AutoPick/job011/coords_suffix_autopick.star"}
    fom = [picks(number)[FOM].round(6) for number in (1, 2, 3)]
    between = sorted(one.mean() for one in fom)[1]
    select(project, io=io, selection={"columns": {FOM: {"min": between + 1e-9}}})
    rows = read_micrographs(project / "Select/job014/micrographs_selected.star").rows
    best = int(np.argmax([one.mean() for one in fom]))
    assert rows["rlnMicrographName"].tolist() == [micrograph_rows()["rlnMicrographName"][best]]
    assert list(rows) == list(micrograph_rows())  # what was joined in is for the conditions only
    spread = [float(one.std(ddof=0)) for one in fom]
    least = {"cryoflowStddevFigureOfMerit": {"max": min(spread) + 1e-9}}
    select(project, io=io, selection={"columns": least})
    rows = read_micrographs(project / "Select/job014/micrographs_selected.star").rows
    assert rows["rlnDefocusU"].tolist() == [micrograph_rows()["rlnDefocusU"][int(np.argmin(spread))]]
    (project / "AutoPick/job011/Movies/mic3_autopick.star").unlink()
    select(project, io=io, selection={"columns": {"rlnGroupNrParticles": {"max": 0}}})
    rows = read_micrographs(project / "Select/job014/micrographs_selected.star").rows
    assert rows["rlnDefocusU"].tolist() == [11000]


def test_statistics_of_picking_are_joined_in(project: Path) -> None:
    io = {"select_from_picked_coords": "AutoPick/job011/coords_suffix_autopick.star"}
    names = micrograph_rows()["rlnMicrographName"]
    table = pd.DataFrame({"rlnMicrographName": names[::-1], "cryoflowExpectedFalsePicks": [7, 0, 3]})
    write_star(project / "AutoPick/job011/statistics.star", {"": table})
    columns = {"cryoflowExpectedFalsePicks": {"max": 5}}
    result, _ = select(project, io=io, selection={"columns": columns})
    rows = read_micrographs(project / "Select/job014/micrographs_selected.star").rows
    assert rows["rlnMicrographName"].tolist() == names[:2].tolist()
    assert "AutoPick/job011/statistics.star" in result.inputs


def test_an_empty_selection_ends_well_and_later_jobs_say_why_they_cannot_go_on(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = "job: Select\nnumber: 14\nio: {select_from_particles_star: Extract/job012/particles.star}\n"
    (project / "select.yaml").write_text(f"{spec}selection: {{columns: {{{FOM}: {{min: 99}}}}}}\n")
    assert main(["run", str(project / "select.yaml"), "--project", str(project)]) == 3
    assert "warning" in capsys.readouterr().err
    assert (project / "Select/job014/RELION_JOB_EXIT_SUCCESS").exists() and kept(project) == []
    later = {
        "Class2D": "io: {input_images_star_file: Select/job014/particles.star}",
        "Sort": "io: {input_particles_to_be_sorted: Select/job014/particles.star,"
        " autopicking_references: refs.star}",
    }
    classified(project)
    write_star(project / "refs.star", {"": read_star(project / MODEL[next(iter(MODEL))])["model_classes"]})
    for job, io in later.items():
        (project / "later.yaml").write_text(f"job: {job}\n{io}\n")
        assert main(["run", str(project / "later.yaml"), "--project", str(project)]) == 1
        assert "Select/job014/particles.star: holds no particles" in capsys.readouterr().err


def test_optics_groups_that_differ(project: Path) -> None:
    """A row of a group that the table lacks is told; groups of several settings stay apart."""
    path, rows = project / "Extract/job012/particles.star", given_rows(project)
    rows["rlnVoltage"] = [200.0] * 5 + [300.0] * 10
    write_table(path, Table(rows.assign(rlnOpticsGroup=1), "3.0", path, "particles"), "3.1")
    select(project, io=PARTICLES, selection={"columns": {"rlnVoltage": {"min": 250}}})
    table = read_particles(project / "Select/job014/particles.star")
    assert table.rows["rlnVoltage"].tolist() == [300.0] * 10 and table.rows["rlnOpticsGroup"].nunique() == 1
    blocks = read_star(path)
    particles = blocks["particles"]
    assert isinstance(particles, pd.DataFrame) and len(blocks["optics"]) == 2
    write_star(path, {**blocks, "particles": particles.assign(rlnOpticsGroup=7)}, "3.1")
    with pytest.raises(FileError, match=r"particles.star: .*rlnOpticsGroup 7 of row 1 is not in data_optics"):
        select(project, io=PARTICLES)
