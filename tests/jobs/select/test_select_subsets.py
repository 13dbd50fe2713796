"""Image statistics, duplicates, and tables split into subsets."""

from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from helpers.select_job import (
    PARTICLES,
    given_rows,
    kept,
    select,
)

from cryoflow.errors import FileError
from cryoflow.files.mrc import read_stack, write_mrc
from cryoflow.files.star import write_star


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
        assert report.warned == ["5 of 20 subsets are empty: there are only 15 rows"]


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


def test_an_empty_table_cannot_be_split(project: Path) -> None:
    write_star(project / "none.star", {"": given_rows(project).iloc[:0]})
    with pytest.raises(FileError, match=r"none.star: has no rows to split"):
        select(project, io={"select_from_particles_star": "none.star"}, subsets={"split_into_subsets": True})
