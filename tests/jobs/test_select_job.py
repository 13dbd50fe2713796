from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.particle_project import Listener, context, extract_spec, make_project, micrograph_rows

from cryoflow.cli import main
from cryoflow.errors import FileError
from cryoflow.files.mrc import read_header, read_stack, write_mrc
from cryoflow.files.star import read_star, write_star
from cryoflow.files.tables import Table, read_micrographs, read_particles, write_table
from cryoflow.jobs.extract.run import run as extract
from cryoflow.jobs.select.run import run
from cryoflow.project.context import JobResult
from cryoflow.spec import parse_spec

PARTICLES = {"select_from_particles_star": "Extract/job012/particles.star"}
MODEL = {"select_classes_from_model_star": "Class2D/job015/run_it025_model.star"}
MICROGRAPHS = "CtfFind/job003/micrographs_ctf.star"
NOTHING, NAMES = {"rlnNothing": {"min": 0}}, {"rlnImageName": {"min": 0}}
FOM = "rlnAutopickFigureOfMerit"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    make_project(tmp_path)
    extract(extract_spec(), context(tmp_path, "Extract/job012"))
    return tmp_path


def select(project: Path, job: str = "Select/job014", **given: Any) -> tuple[JobResult, Listener]:
    where = context(project, job)
    result = run(parse_spec({"job": "Select", **given}), where)
    assert isinstance(where.report, Listener)
    for name in result.outputs:
        assert (project / name).is_file()
    return result, where.report


def given_rows(project: Path) -> pd.DataFrame:
    return read_particles(project / "Extract/job012/particles.star").rows


def kept(project: Path, name: str = "particles.star") -> list[str]:
    return read_particles(project / "Select/job014" / name).rows["rlnImageName"].tolist()


def selected(project: Path) -> list[int]:
    block = read_star(project / "Select/job014/backup_selection.star")[""]
    assert isinstance(block, pd.DataFrame)
    return block["rlnSelected"].tolist()


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


@pytest.mark.parametrize("n", [1, 6, 15, 40])
def test_sort_and_keep(project: Path, n: int) -> None:
    rows = given_rows(project)
    select(project, io=PARTICLES, selection={"top": {"n": n, "by": FOM, "ascending": True}})
    assert kept(project) == rows["rlnImageName"][rows[FOM].rank() <= n].tolist()


NAMED = {
    "images.txt": "# eye\n2@Extract/job012/Movies/mic1.mrcs\n\n5@Extract/job012/Movies/mic3.mrcs # ok",
    "places.txt": "MotionCorr/job002/Movies/mic1.mrc {1x:.0f} {1y:.0f}\n"
    "MotionCorr/job002/Movies/mic3.mrc {14x} {14y}",
}


@pytest.mark.parametrize("form", [*NAMED, "images.star", "places.star"])
def test_rows_that_a_file_names(project: Path, form: str) -> None:
    rows, wanted = given_rows(project), [1, 14]
    places = {f"{i}{axis.lower()}": rows[f"rlnCoordinate{axis}"][i] for i in wanted for axis in "XY"}
    if form.endswith(".txt"):
        text = NAMED[form]
        for key, value in places.items():
            text = text.replace(f"{{{key}:.0f}}", f"{value:.0f}").replace(f"{{{key}}}", str(value))
        (project / form).write_text(text)
    else:
        columns = ["rlnImageName"] if form == "images.star" else []
        columns += ["rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY"]
        write_star(project / form, {"": rows.loc[wanted[::-1], columns]})
    result, report = select(project, io=PARTICLES, selection={"rows_in": form})
    assert kept(project) == rows["rlnImageName"][wanted].tolist()
    assert report.said[0] == f"named in {form}: 2 of 15 particles"
    assert result.inputs == ("Extract/job012/particles.star", form)
    select(project, io=PARTICLES, selection={"rows_in": form, "invert": True})
    assert kept(project) == rows["rlnImageName"].drop(wanted).tolist()


def test_micrographs_that_a_file_names(project: Path) -> None:
    names = "MotionCorr/job002/Movies/mic3.mrc\nMotionCorr/job002/Movies/mic9.mrc\n"
    (project / "good.txt").write_text(names)
    selection = {"rows_in": "good.txt"}
    _, report = select(project, io={"select_from_micrographs_star": MICROGRAPHS}, selection=selection)
    kept_rows = read_micrographs(project / "Select/job014/micrographs.star").rows
    assert kept_rows["rlnMicrographName"].tolist() == ["MotionCorr/job002/Movies/mic3.mrc"]
    assert report.said[0] == "named in good.txt (1 of its 2 names are not there): 1 of 3 micrographs"
    result, _ = select(project, io=PARTICLES, selection=selection)
    assert len(kept(project)) == 5 and all("mic3" in name for name in kept(project))
    coordinates = {"select_from_picked_coords": "AutoPick/job011/coords_suffix_autopick.star"}
    result, _ = select(project, io=coordinates, selection=selection)
    assert result.counts["micrographs"] == 1 and result.inputs[-1] == "good.txt"
    classified(project)
    result, _ = select(project, io=MODEL, selection={"rows_in": "good.txt", "classes": [2]})
    assert kept(project) == given_rows(project)["rlnImageName"][[10, 13]].tolist()
    assert "good.txt" in result.inputs


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("7@elsewhere.mrcs\n", r"rows.txt: names 1 rows, but none of the particles of .*particles.star"),
        ("a.mrcs 12 b\n", r"rows.txt:1: 'a.mrcs 12 b' is neither an image"),
        ("x@a.mrcs\n", r"rows.txt:1: 'x@a.mrcs' is neither an image"),
    ],
)
def test_files_that_name_no_rows(project: Path, text: str, message: str) -> None:
    (project / "rows.txt").write_text(text)
    with pytest.raises(FileError, match=message) as caught:
        select(project, io=PARTICLES, selection={"rows_in": "rows.txt"})
    assert "\n" not in str(caught.value)
    write_star(project / "rows.star", {"": pd.DataFrame({"rlnDefocusU": [1.0]})})
    with pytest.raises(FileError, match=r"rows.star: names no rows"):
        select(project, io=PARTICLES, selection={"rows_in": "rows.star"})


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


def test_image_statistics_drop_the_strange_and_report_the_unreadable(project: Path) -> None:
    stack = project / "Extract/job012/Movies/mic2.mrcs"
    images = read_stack(stack)
    images[3] *= 40
    write_mrc(stack, images, 2.0)
    subsets = {"select_on_image_statistics": True, "sigma_value_for_discarding_images": 2.5}
    select(project, io=PARTICLES, subsets=subsets)
    names = given_rows(project)["rlnImageName"].tolist()
    assert kept(project) == [name for name in names if name != "000004@Extract/job012/Movies/mic2.mrcs"]
    (project / "Extract/job012/Movies/mic3.mrcs").unlink()
    result, _ = select(project, io=PARTICLES, subsets=subsets)
    assert [failure.item for failure in result.failures] == ["Extract/job012/Movies/mic3.mrcs"]
    assert not any("mic3" in name for name in kept(project)) and len(kept(project)) == 9


@pytest.mark.parametrize(
    ("size", "number", "sizes"),
    [(4, -1, [4, 4, 4, 3]), (-1, 4, [4, 4, 4, 3]), (4, 2, [4, 4]), (-1, 20, [1] * 15 + [0] * 5)],
)
def test_split(project: Path, size: int, number: int, sizes: list[int]) -> None:
    subsets = {"split_into_subsets": True, "subset_size": size, "number_of_subsets": number}
    result, report = select(project, io=PARTICLES, subsets=subsets)
    parts = [kept(project, Path(name).name) for name in result.outputs]
    assert [len(part) for part in parts] == sizes
    assert list(chain(*parts)) == given_rows(project)["rlnImageName"].tolist()[: sum(sizes)]
    assert Path(result.outputs[0]).name == "particles_split001.star"
    assert bool(report.warned) == (sum(sizes) < 15 or 0 in sizes)
    if 0 in sizes:
        assert report.warned == ["5 of 20 subsets are empty: there are 15 rows"]


def test_shuffling_depends_on_the_seed_and_on_names_only(project: Path) -> None:
    def parts(seed: int) -> list[str]:
        tab = {
            "split_into_subsets": True,
            "randomise_order_before_making_subsets": True,
            "subset_size": -1,
            "number_of_subsets": 2,
        }
        result, _ = select(project, io=PARTICLES, subsets=tab, compute={"seed": seed})
        return list(chain(*(kept(project, Path(name).name) for name in result.outputs)))

    names = given_rows(project)["rlnImageName"].tolist()
    first = parts(1)
    assert first != names and sorted(first) == sorted(names) and parts(2) != first
    path = project / "Extract/job012/particles.star"
    write_star(path, {"": given_rows(project).iloc[::-1]})
    assert parts(1) == first


@pytest.mark.parametrize(
    ("pixel", "distance", "removed"), [(None, 30, [0, 1]), (None, 29, [0]), (1, 10, [0, 1]), (1, 9, [0])]
)
def test_duplicates_count_offsets_and_both_pixel_sizes(
    project: Path, pixel: float | None, distance: float, removed: list[int]
) -> None:
    rows = given_rows(project)
    rows["rlnCoordinateX"], rows["rlnCoordinateY"] = np.arange(15) * 100.0, 0.0
    rows["rlnOriginX"], rows["rlnOriginY"] = 0.0, 0.0
    rows.loc[0, "rlnCoordinateX"] = 200.0  # as row 2
    rows.loc[1, ["rlnCoordinateX", "rlnOriginX"]] = [220.0, 5.0]  # 5 pixels of 2 A: 10 A off
    rows.loc[5, "rlnCoordinateX"] = 400.0  # as row 4, on another micrograph
    write_star(project / "Extract/job012/particles.star", {"": rows})
    duplicates = {
        "remove_duplicates": True,
        "minimum_inter_particle_distance": distance,
        "pixel_size_before_extraction": pixel,
    }
    select(project, io=PARTICLES, duplicates=duplicates)
    assert kept(project, "particles_removed.star") == rows["rlnImageName"][removed].tolist()
    assert kept(project) == rows["rlnImageName"].drop(removed).tolist()


@pytest.mark.parametrize("column", ["rlnCoordinateX", "rlnOriginY"])
def test_duplicates_need_positions_that_are_numbers(project: Path, column: str) -> None:
    rows = given_rows(project).assign(rlnOriginX=0.0, rlnOriginY=0.0)
    rows.loc[2, column] = np.nan
    write_star(project / "Extract/job012/particles.star", {"": rows})
    with pytest.raises(FileError, match=rf"particles.star: {column} of row 3 is not a finite number$"):
        select(project, io=PARTICLES, duplicates={"remove_duplicates": True})


def test_rows_without_a_value_are_counted(project: Path) -> None:
    rows = given_rows(project).assign(rlnParticleSelectZScore=[np.nan] * 4 + [0.5] * 11)
    write_star(project / "Extract/job012/particles.star", {"": rows})
    columns = {"rlnParticleSelectZScore": {"max": 1}}
    _, report = select(project, io=PARTICLES, selection={"columns": columns})
    assert report.said[0] == "rlnParticleSelectZScore <= 1 (4 have none): 11 of 15 particles"


def classified(project: Path, groups: bool = True) -> None:
    y, x = np.mgrid[:16, :16] - 8
    spots = [np.exp(-((y - dy) ** 2 + (x - dx) ** 2) / 6) for dy, dx in ((0, 2), (3, 0), (-1, -2))]
    folder = project / "Class2D/job015"
    write_mrc(folder / "run_it025_classes.mrcs", np.array(spots, np.float32), 0)
    names = [f"00000{i}@Class2D/job015/run_it025_classes.mrcs" for i in (1, 2, 3)]
    classes = pd.DataFrame({"rlnReferenceImage": names, "rlnClassDistribution": [0.5, 0.2, 0.3]})
    blocks: dict[str, Any] = {"model_general": {"rlnPixelSize": 3.54}, "model_classes": classes}
    if groups:
        scales = {"rlnGroupNumber": [1, 2, 3], "rlnGroupScaleCorrection": [1.1, 0.9, 1.0]}
        blocks["model_groups"] = pd.DataFrame(scales)
    write_star(folder / "run_it025_model.star", blocks)
    rows = given_rows(project).assign(rlnClassNumber=[1, 2, 3] * 5, rlnGroupNumber=np.repeat([1, 2, 3], 5))
    write_star(folder / "run_it025_data.star", {"": rows})


def test_classes_give_their_particles_and_centred_averages(project: Path) -> None:
    classified(project)
    result, report = select(project, io=MODEL, selection={"classes": [3, 1]})
    rows = read_particles(project / "Class2D/job015/run_it025_data.star").rows
    assert kept(project) == rows["rlnImageName"][rows["rlnClassNumber"] != 2].tolist()
    assert selected(project) == [1, 0, 1] and "chosen classes: 1, 3" in report.said
    averages = read_star(project / "Select/job014/class_averages.star")[""]
    assert isinstance(averages, pd.DataFrame)
    assert averages["rlnReferenceImage"].tolist() == [
        f"00000{i}@Select/job014/class_averages.mrcs" for i in (1, 2)
    ]
    assert averages["rlnClassNumber"].tolist() == [1, 3]
    stack = project / "Select/job014/class_averages.mrcs"
    assert read_header(stack).pixel_size == pytest.approx(3.54)
    for image in read_stack(stack):
        assert np.unravel_index(image.argmax(), image.shape) == (8, 8)
    assert dict(result.nodes)["Select/job014/class_averages.star"].startswith("Image2DGroupMetadata")


def test_classes_as_they_are_keep_their_names(project: Path) -> None:
    classified(project)
    options = {"re_center_the_class_averages": False}
    select(project, io=MODEL, class_options=options, selection={"classes": {"top": 2}})
    averages = read_star(project / "Select/job014/class_averages.star")[""]
    assert isinstance(averages, pd.DataFrame)
    assert averages["rlnReferenceImage"].tolist() == [
        f"00000{i}@Class2D/job015/run_it025_classes.mrcs" for i in (1, 3)
    ]
    assert not (project / "Select/job014/class_averages.mrcs").exists()


def test_conditions_on_classes_and_on_particles_together(project: Path) -> None:
    classified(project)
    rows = read_particles(project / "Class2D/job015/run_it025_data.star").rows
    columns = {"rlnClassDistribution": {"min": 0.25}, FOM: {"max": 0.7}}
    expected = rows["rlnClassNumber"].isin([1, 3]) & (rows[FOM] <= 0.7)
    select(project, io=MODEL, selection={"columns": columns})
    assert kept(project) == rows["rlnImageName"][expected].tolist() and selected(project) == [1, 0, 1]
    select(project, io=MODEL, selection={"columns": columns, "invert": True})
    assert kept(project) == rows["rlnImageName"][~expected].tolist() and selected(project) == [0, 1, 0]


def test_no_class_at_all_leaves_tables_without_rows(project: Path) -> None:
    classified(project)
    selection = {"columns": {"rlnClassDistribution": {"min": 0.9}}}
    result, report = select(project, io=MODEL, selection=selection)
    assert result.counts == {"classes": 0, "particles": 0} and report.warned
    averages = read_star(project / "Select/job014/class_averages.star")[""]
    assert len(averages) == 0 and not (project / "Select/job014/class_averages.mrcs").exists()


@pytest.mark.parametrize(
    ("wanted", "numbers"), [(3, [2, 1, 1]), (2, [2, 1, 1]), (1, [1, 1, 1]), (15, [3, 1, 2])]
)
def test_regrouping_goes_by_rising_scale(project: Path, wanted: int, numbers: list[int]) -> None:
    """Scales 1.1, 0.9, 1.0 and five particles each: a group is full once it has more than 15 / wanted."""
    classified(project)
    options = {"regroup_the_particles": True, "approximate_nr_of_groups": wanted}
    select(project, io=MODEL, class_options=options)
    rows = read_particles(project / "Select/job014/particles.star").rows
    assert rows["rlnGroupNumber"].tolist() == list(np.repeat(numbers, 5))
    digits = 2 if wanted > 10 else 1
    assert rows["rlnGroupName"].tolist() == [f"group_{i:0{digits}d}" for i in np.repeat(numbers, 5)]


def test_micrographs_of_picked_coordinates(project: Path) -> None:
    io = {"select_from_picked_coords": "AutoPick/job011/coords_suffix_autopick.star"}
    (project / "AutoPick/job011/Movies/mic3_autopick.star").unlink()
    selection = {"columns": {"rlnDefocusU": {"min": 9500}}}
    result, report = select(project, io=io, selection=selection)
    rows = read_micrographs(project / "Select/job014/micrographs_selected.star").rows
    assert rows["rlnDefocusU"].tolist() == [10000, 11000] and list(rows) == list(micrograph_rows())
    assert "2 of 3 micrographs have coordinates, 10 in all" in report.said
    assert result.inputs[:2] == (io["select_from_picked_coords"], "CtfFind/job003/micrographs_ctf.star")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"io": PARTICLES, "selection": {"columns": NOTHING}}, "lacks the column rlnNothing"),
        (
            {"io": PARTICLES, "selection": {"columns": {"rlnImageName": {"min": 0}}}},
            "not a column of numbers",
        ),
        ({"io": PARTICLES, "selection": {"above": "1@a.mrcs", "sort_by": FOM}}, "has no image 1@a.mrcs"),
        ({"io": PARTICLES, "selection": {"above": "1@a.mrcs"}}, "has no image|rlnParticleSelectZScore"),
        ({"io": MODEL, "selection": {"classes": [4]}}, "there is no class 4"),
        (
            {"io": MODEL, "selection": {"columns": {"rlnNothing": {"min": 0}}}},
            "model.star.*data.star.*rlnNothing",
        ),
        (
            {"io": {"select_classes_from_model_star": "CtfFind/job003/micrographs_ctf.star"}},
            "not a model.star",
        ),
        ({"io": {"select_from_picked_coords": "AutoPick/job011"}}, "is a folder"),
    ],
)
def test_what_cannot_be_selected_is_named(project: Path, given: dict[str, Any], message: str) -> None:
    classified(project)
    with pytest.raises(FileError, match=message) as caught:
        select(project, **given)
    assert "\n" not in str(caught.value)


def test_joins_that_fail_name_both_files(project: Path) -> None:
    classified(project, groups=False)
    regroup = {"regroup_the_particles": True, "approximate_nr_of_groups": 2}
    with pytest.raises(FileError, match=r"run_it025_model.star.*data_model_groups"):
        select(project, io=MODEL, class_options=regroup)
    data = project / "Class2D/job015/run_it025_data.star"
    rows = read_particles(data).rows
    write_star(data, {"": rows.assign(rlnClassNumber=7)})
    with pytest.raises(FileError, match=r"run_it025_data.star: .*rlnClassNumber 7.*run_it025_model.star"):
        select(project, io=MODEL)
    write_star(data, {"": rows.drop(columns="rlnClassNumber")})
    with pytest.raises(
        FileError, match=r"run_it025_data.star: lacks the column rlnClassNumber.*run_it025_model.star"
    ):
        select(project, io=MODEL)
    data.unlink()
    with pytest.raises(FileError, match=r"run_it025_data.star"):
        select(project, io=MODEL)


def test_values_that_are_no_numbers_are_told_with_their_place(project: Path) -> None:
    classified(project)
    data, model = (project / f"Class2D/job015/run_it025_{what}.star" for what in ("data", "model"))
    rows, blocks = read_particles(data).rows, read_star(model)
    write_star(data, {"": rows.assign(rlnClassNumber=["one", *rows["rlnClassNumber"].astype(str)[1:]])})
    with pytest.raises(FileError, match=r"run_it025_data.star:\d+: rlnClassNumber is 'one', not a number"):
        select(project, io=MODEL)
    write_star(data, {"": rows})
    blocks["model_general"]["rlnPixelSize"] = "wide"  # type: ignore[call-overload]
    write_star(model, blocks)
    with pytest.raises(FileError, match=r"run_it025_model.star:\d+: rlnPixelSize is 'wide', not a number"):
        select(project, io=MODEL)
    columns = {"columns": {FOM: {"min": 0}}}
    write_star(project / "text.star", {"": rows.assign(**{FOM: "good"})})
    with pytest.raises(FileError, match=rf"text.star:\d+: {FOM} is 'good', not a number"):
        select(project, io={"select_from_particles_star": "text.star"}, selection=columns)


def test_a_class_without_an_image_is_told(project: Path) -> None:
    classified(project)
    model = project / "Class2D/job015/run_it025_model.star"
    blocks = read_star(model)
    classes = blocks["model_classes"]
    assert isinstance(classes, pd.DataFrame)
    names = classes["rlnReferenceImage"].tolist()
    blocks["model_classes"] = classes.assign(rlnReferenceImage=[*names[:2], names[2].replace("3@", "9@")])
    write_star(model, blocks)
    message = r"run_it025_classes.mrcs: holds 3 images; there is no number 9"
    with pytest.raises(FileError, match=message):
        select(project, io=MODEL)
    with pytest.raises(FileError, match=r"run_it025_model.star: names a class average.*" + message):
        select(project, io=MODEL, selection={"class_score_min": 0.5})
    as_they_are = {"re_center_the_class_averages": False}
    result, report = select(project, io=MODEL, class_options=as_they_are)
    assert result.counts["particles"] == 15 and "no class scores" in report.warned[0]


def test_an_empty_table_cannot_be_split(project: Path) -> None:
    write_star(project / "none.star", {"": given_rows(project).iloc[:0]})
    with pytest.raises(FileError, match=r"none.star: has no rows to split"):
        select(project, io={"select_from_particles_star": "none.star"}, subsets={"split_into_subsets": True})


def scored(project: Path) -> None:
    """Classes of a blob, of noise and of a bright ball, with a mask of 40 pixels' diameter."""
    classified(project)
    folder, rng = project / "Class2D/job015", np.random.default_rng(1)
    y, x = np.mgrid[:48, :48] - 24
    noise, mask = rng.normal(0, 0.2, (3, 48, 48)), np.hypot(y, x) <= 20
    blob = 2 * np.exp(-(y**2 + 2 * x**2) / 120)
    ball = 30.0 * (np.hypot(y, x) <= 8)
    images = (noise + np.stack([blob, blob * 0, ball])) * mask
    write_mrc(folder / "run_it025_classes.mrcs", images.astype(np.float32), 3.54)
    blocks = read_star(folder / "run_it025_model.star")
    for k, level in enumerate((30.0, 3.0, 40.0), 1):
        blocks[f"model_class_{k}"] = pd.DataFrame({"rlnSpectralIndex": range(25), "rlnSsnrMap": level})
    write_star(folder / "run_it025_model.star", blocks)
    optimiser = {"rlnParticleDiameter": 40 * 3.54}
    write_star(folder / "run_it025_optimiser.star", {"optimiser_general": optimiser})


def test_classes_are_scored_named_and_chosen_by_score(project: Path) -> None:
    scored(project)
    result, report = select(project, io=MODEL, selection={"class_score_min": 0.5})
    table = read_star(project / "Select/job014/class_scores.star")["class_scores"]
    assert isinstance(table, pd.DataFrame)
    assert table["cryoflowClassKind"].tolist() == ["particle", "blank", "ice"]
    score = table["cryoflowClassScore"]
    assert score[0] > 0.5 > score[1:].max() and score.between(0, 1).all()
    assert table["cryoflowHardCount"].tolist() == [5, 5, 5]
    assert selected(project) == [1, 0, 0] and result.counts == {"classes": 1, "particles": 5}
    assert report.said[:3] == [
        f"classes that look like {kind}: {k}" for k, kind in ((1, "particle"), (2, "blank"), (3, "ice"))
    ]
    assert "class score >= 0.5: 1 of 3 classes" in report.said
    averages = read_star(project / "Select/job014/class_averages.star")[""]
    assert isinstance(averages, pd.DataFrame)
    assert not [
        name for name in averages.columns if not name.startswith("rln")
    ]  # RELION 3.0 would refuse them
    select(project, io=MODEL, selection={"columns": {"cryoflowRoundness": {"min": 0.9}}})
    assert selected(project)[0] == 0 and selected(project)[2] == 1
    select(project, io=MODEL, selection={"classes": {"top": 1, "by": "cryoflowClassScore"}})
    assert selected(project) == [1, 0, 0]


def test_detail_to_which_halves_agree_is_read_where_it_is_told(project: Path) -> None:
    scored(project)
    frc = [[0.99, 0.95, 0.9, 0.85, 0.95], [0.5, 0.99, 0.99, 0.99, 0.99], [0.99, 0.99, 0.99, 0.99, 0.99]]
    rows = [
        {"rlnClassNumber": k, "rlnSpectralIndex": s, "rlnResolution": s / 160, "cryoflowFrc": value}
        for k, values in enumerate(frc, 1)
        for s, value in enumerate([1.0, *values])
    ]
    beside = project / "Class2D/job015/run_it025_classes.star"
    write_star(beside, {"class_frc": pd.DataFrame(rows)})
    select(project, io=MODEL, selection={"columns": {"cryoflowHalfSetResolution": {"max": 60}}})
    table = read_star(project / "Select/job014/class_scores.star")["class_scores"]
    assert isinstance(table, pd.DataFrame)
    np.testing.assert_allclose(table["cryoflowHalfSetResolution"], [160 / 3, np.inf, 160 / 5], rtol=1e-6)
    assert selected(project) == [1, 0, 1]
    beside.unlink()
    with pytest.raises(FileError, match="cryoflowHalfSetResolution"):
        select(project, io=MODEL, selection={"columns": {"cryoflowHalfSetResolution": {"max": 60}}})


def test_an_empty_selection_ends_well_and_later_jobs_say_why_they_cannot_go_on(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = "job: Select\nnumber: 14\nio: {select_from_particles_star: Extract/job012/particles.star}\n"
    (project / "select.yaml").write_text(f"{spec}selection: {{columns: {{{FOM}: {{min: 99}}}}}}\n")
    assert main(["run", str(project / "select.yaml"), "--project", str(project)]) == 0
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
