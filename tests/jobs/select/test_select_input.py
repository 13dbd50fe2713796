"""Tables and columns that Select refuses."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from helpers.select_job import FOM, MODEL, PARTICLES, classified, select

from cryoflow.errors import FileError
from cryoflow.files.star import read_star, write_star
from cryoflow.files.tables import read_particles

NOTHING, NAMES = {"rlnNothing": {"min": 0}}, {"rlnImageName": {"min": 0}}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"io": PARTICLES, "selection": {"columns": NOTHING}}, "lacks the column rlnNothing"),
        ({"io": PARTICLES, "selection": {"columns": NAMES}}, "not a column of numbers"),
        ({"io": PARTICLES, "selection": {"above": "1@a.mrcs", "sort_by": FOM}}, "has no image 1@a.mrcs"),
        ({"io": PARTICLES, "selection": {"above": "1@a.mrcs"}}, "has no image|rlnParticleSelectZScore"),
        ({"io": MODEL, "selection": {"classes": [4]}}, "there is no class 4"),
        ({"io": MODEL, "selection": {"columns": NOTHING}}, "model.star.*data.star.*rlnNothing"),
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
    message = r"run_it025_classes.mrcs: holds 3 images; image 9 does not exist"
    with pytest.raises(FileError, match=message):
        select(project, io=MODEL)
    with pytest.raises(FileError, match=r"run_it025_model.star: names a class average.*" + message):
        select(project, io=MODEL, selection={"class_score_min": 0.5})
    as_they_are = {"re_center_the_class_averages": False}
    result, report = select(project, io=MODEL, class_options=as_they_are)
    assert result.counts["particles"] == 15 and "classes were not scored" in report.warned[0]
