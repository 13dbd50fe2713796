"""Selections against RELION 3.0.8, and classes chosen from a job of RELION 5."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cryoflow.files.mrc import read_header, read_images
from cryoflow.files.star import read_star
from cryoflow.files.tables import Table, read_particles
from cryoflow.jobs.select.run import run
from cryoflow.project.context import JobContext, JobResult
from cryoflow.spec import parse_spec

pytestmark = pytest.mark.reference


def select(project: Path, folder: Path, given: dict[str, Any]) -> tuple[JobResult, Path]:
    for item in project.iterdir():
        (folder / item.name).symlink_to(item)
    directory = folder / "Chosen" / "job014"
    directory.mkdir(parents=True)
    return run(parse_spec({"job": "Select", **given}), JobContext(folder, directory)), directory


def same(ours: Path, theirs: Path) -> None:
    a, b = read_particles(ours).rows, read_particles(theirs).rows
    pd.testing.assert_frame_equal(a, b, check_dtype=False, atol=1e-6)


def test_values(reference: Path, tmp_path: Path) -> None:
    mini = reference / "mini"
    subsets = {
        "select_based_on_metadata_values": True,
        "metadata_label_for_subset_selection": "rlnParticleSelectZScore",
        "maximum_metadata_value": 0.5,
    }
    io = {"select_from_particles_star": "parity/sort_tutorial/particles_sort.star"}
    result, directory = select(mini, tmp_path, {"io": io, "subsets": subsets})
    same(directory / "particles.star", mini / "parity/select_value/particles.star")
    assert result.counts == {"particles": 166}


def test_split(reference: Path, tmp_path: Path) -> None:
    mini = reference / "mini"
    io = {"select_from_particles_star": "parity/extract_tutorial/particles.star"}
    subsets = {"split_into_subsets": True, "subset_size": -1, "number_of_subsets": 3}
    result, directory = select(mini, tmp_path, {"io": io, "subsets": subsets})
    names = [f"particles_split{number:03d}.star" for number in (1, 2, 3)]
    assert [Path(name).name for name in result.outputs] == names
    for name in names:
        same(directory / name, mini / "parity/select_split" / name)


def test_duplicates(reference: Path, tmp_path: Path) -> None:
    mini = reference / "mini"
    io = {"select_from_particles_star": "parity/class2d_k3/run_it008_data.star"}
    duplicates = {
        "remove_duplicates": True,
        "minimum_inter_particle_distance": 180,
        "pixel_size_before_extraction": 1.77,
    }
    _, directory = select(mini, tmp_path, {"io": io, "duplicates": duplicates})
    for name in ("particles.star", "particles_removed.star"):
        same(directory / name, mini / "parity/select_dup" / name)


def test_classes_of_relion_5(reference: Path, tmp_path: Path) -> None:
    io = {"select_classes_from_model_star": "Class2D/job015/run_it025_model.star"}
    selection = {"classes": [12, 17]}
    result, directory = select(reference / "bgal", tmp_path, {"io": io, "selection": selection})
    table = read_particles(directory / "particles.star")
    given = read_particles(reference / "bgal/Class2D/job015/run_it025_data.star")
    chosen = given.rows["rlnClassNumber"].isin([12, 17])
    assert table.style == "3.1" and chosen.sum() == result.counts["particles"] > 100
    pd.testing.assert_frame_equal(table.rows, given.rows[chosen].reset_index(drop=True), atol=1e-5)
    selected = read_star(directory / "backup_selection.star")[""]
    assert isinstance(selected, pd.DataFrame)
    assert list(np.flatnonzero(selected["rlnSelected"]) + 1) == [12, 17] and len(selected) == 20
    averages = read_star(directory / "class_averages.star")[""]
    assert isinstance(averages, pd.DataFrame)
    names = list(averages["rlnReferenceImage"])
    assert names == [f"00000{i}@Chosen/job014/class_averages.mrcs" for i in (1, 2)]
    assert list(averages["rlnClassNumber"]) == [12, 17]
    assert read_header(directory / "class_averages.mrcs").pixel_size == pytest.approx(3.54)
    for image in read_images(names, tmp_path):
        y, x = np.mgrid[:64, :64] - 32
        positive = np.clip(image, 0, None)
        assert abs((positive * y).sum()) < 0.1 * positive.sum()
        assert abs((positive * x).sum()) < 0.1 * positive.sum()
        assert abs(np.fft.ifftshift(image)[0, 0]) > 0


def test_class_scores_pass_particles_and_no_contaminants(reference: Path, tmp_path: Path) -> None:
    """Classes 5 and 10 are ice balls, 13 a filament, 19 a carbon edge; 12 and 17 are 94 % particles."""
    io = {"select_classes_from_model_star": "Class2D/job015/run_it025_model.star"}
    _, directory = select(reference / "bgal", tmp_path, {"io": io, "selection": {"class_score_min": 0.5}})
    selected = read_star(directory / "backup_selection.star")[""]
    scores = read_star(directory / "class_scores.star")["class_scores"]
    assert isinstance(selected, pd.DataFrame) and isinstance(scores, pd.DataFrame)
    passed = set(np.flatnonzero(selected["rlnSelected"]) + 1)
    assert {11, 12, 17} <= passed and not passed & {1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 19}
    kinds = dict(zip(scores["rlnClassNumber"], scores["cryoflowClassKind"], strict=True))
    assert {k: kinds[k] for k in (5, 10, 13, 19)} == {5: "ice", 10: "ice", 13: "filament", 19: "carbon"}
    assert all(kinds[k] == "blank" for k in (3, 4, 6, 7, 8, 18))
    assert all(kinds[k] == "particle" for k in (11, 12, 17))


def test_regrouped_classes_of_relion_3(reference: Path, tmp_path: Path) -> None:
    io = {"select_classes_from_model_star": "Class2D/job008/run_it025_model.star"}
    options = {"regroup_the_particles": True, "approximate_nr_of_groups": 2}
    given = {"io": io, "class_options": options, "selection": {"classes": {"top": 3}}}
    _, directory = select(reference / "bgal", tmp_path, given)
    table: Table = read_particles(directory / "particles.star")
    assert table.style == "3.0" and set(table.rows["rlnClassNumber"]) == {1, 3, 7}
    groups = table.rows.groupby("rlnMicrographName")["rlnGroupName"].unique().map(list).to_dict()
    # scales 1.008 1.020 0.902 1.070: micrographs 3 and 1 fill the first group
    assert {Path(name).stem: names for name, names in groups.items()} == {
        "mic001": ["group_1"],
        "mic002": ["group_2"],
        "mic003": ["group_1"],
        "mic004": ["group_2"],
    }
