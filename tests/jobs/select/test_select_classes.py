"""Classes chosen by number, value or score, and their averages."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.select_job import FOM, MODEL, classified, kept, select, selected

from cryoflow.errors import FileError
from cryoflow.files.mrc import read_header, read_stack, write_mrc
from cryoflow.files.star import read_star, write_star
from cryoflow.files.tables import read_particles


def test_classes_give_their_particles_and_centred_averages(project: Path) -> None:
    classified(project)
    result, report = select(project, io=MODEL, selection={"classes": [3, 1]})
    rows = read_particles(project / "Class2D/job015/run_it025_data.star").rows
    assert kept(project) == rows["rlnImageName"][rows["rlnClassNumber"] != 2].tolist()
    assert selected(project) == [1, 0, 1] and "selected classes: 1, 3" in report.said
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
        f"classes by appearance, {kind}: {k}" for k, kind in ((1, "particle"), (2, "blank"), (3, "ice"))
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
