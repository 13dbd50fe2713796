"""Micrographs, tables and references that AutoPick sets aside or refuses."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.autopick_job import CTF, PIXEL, SHAPES, coordinates, particle, pick, table

from cryoflow.errors import CryoflowError
from cryoflow.files.coordinates import read_coordinate_list
from cryoflow.files.mrc import read_image, write_mrc
from cryoflow.files.star import write_star


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def overwrite(image: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    return lambda path: write_mrc(path, image(read_image(path)), PIXEL)


def holed(image: np.ndarray) -> np.ndarray:
    image[3, 4] = math.nan
    return image


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (Path.unlink, "no such file"),
        (truncate, "truncated"),
        (overwrite(holed), "1 of 19200 pixels are not finite"),
        (overwrite(np.ones_like), "all pixels equal 1: nothing to pick"),
        (
            overwrite(lambda image: image[:20]),
            "150 x 20 pixels, smaller than the box of the references, 24 pixels",
        ),
        (overwrite(lambda image: np.stack([image, image])), "holds 2 images, expected one"),
    ],
)
def test_one_bad_micrograph_leaves_the_others_alone(
    project: Path, harm: Callable[[Path], None], message: str
) -> None:
    pick(project, "job009")
    harm(project / "Movies/b.mrc")
    result, _ = pick(project)
    assert [one.item for one in result.failures] == ["Movies/b.mrc"]
    assert message in result.failures[0].message and "\n" not in result.failures[0].message
    whole = coordinates(project, "job009")
    assert coordinates(project) == {name: whole[name] for name in ("a_autopick.star", "c_autopick.star")}
    listed = read_coordinate_list(project / "AutoPick/job010/autopick.star", project)
    assert [name for name, _ in listed] == ["Movies/a.mrc", "Movies/c.mrc"]


def test_a_micrograph_without_ctf_values_is_a_failure(project: Path) -> None:
    unusable = {"rlnDefocusU": [11000.0, math.nan, 11000.0], "rlnAmplitudeContrast": [0.1, 0.1, 7.0]}
    table(project, list(SHAPES), **unusable)
    result, _ = pick(project)
    assert [one.item for one in result.failures] == ["Movies/b.mrc", "Movies/c.mrc"]
    assert all("no usable CTF values" in one.message for one in result.failures)
    result, _ = pick(project, "job011", references__are_references_ctf_corrected=False)
    assert not result.failures


def test_figures_of_merit_beyond_all_numbers_are_reported(project: Path) -> None:
    write_mrc(project / "refs.mrcs", np.stack([1e38 * particle()] * 2).astype(np.float32), PIXEL)
    with pytest.raises(CryoflowError, match=r"no micrograph .* figures of merit are not finite"):
        pick(project)


def test_nothing_that_can_be_picked_from_is_an_error(project: Path) -> None:
    for name in SHAPES:
        (project / f"Movies/{name}.mrc").unlink()
    with pytest.raises(CryoflowError, match=r"no micrograph could be picked; Movies/a.mrc: no such file"):
        pick(project)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"references__mask_diameter": 200}, "mask diameter .200 A. is larger than the box"),
        ({"io__pixel_size_in_micrographs": 2}, "its header says 4 A per pixel, the micrographs have 2 A"),
        ({"io__reference_2d": "Movies/a.mrc"}, "references are 150 x 128 pixels; they must be square"),
        ({"io__reference_2d": "cube.mrc"}, "is a volume"),
        ({"io__reference_2d": "mics.star"}, "holds no references"),
        ({"io__reference_2d": "empty.mrcs"}, "reference 2 is empty: every pixel is 0"),
        ({"references__pixel_size_in_references": 0.01}, "pixels of 0.01 A are less than 2 pixels of 4 A"),
        ({"references__lowpass_filter_references": 1e4}, "161 pixels of 4 A would be shrunk to 0|150 pixels"),
        ({"io__reference_2d": "nan.mrcs"}, "reference 2 has pixels that are not finite"),
        ({"io__reference_2d": "unnamed.star"}, "unnamed.star: rlnReferenceImage of row 2 is empty"),
    ],
)
def test_references_that_do_not_fit_are_refused(project: Path, changes: dict[str, Any], message: str) -> None:
    write_mrc(project / "cube.mrc", np.ones((8, 8, 8), np.float32), PIXEL)
    write_mrc(project / "empty.mrcs", np.stack([particle(), 0 * particle()]).astype(np.float32), PIXEL)
    broken = np.stack([particle(), np.where(particle() > 0.5, np.nan, 0)]).astype(np.float32)
    write_mrc(project / "nan.mrcs", broken, PIXEL)
    unnamed = pd.DataFrame({"rlnReferenceImage": ["000001@refs.mrcs", ""]})
    write_star(project / "unnamed.star", {"": unnamed})
    with pytest.raises(CryoflowError, match=message):
        pick(project, **changes)
    assert not list((project / "AutoPick/job010").rglob("*_autopick.star"))


def test_tables_that_lack_something_are_refused(project: Path) -> None:
    rows = pd.DataFrame({"rlnMicrographName": ["Movies/a.mrc"], **CTF})
    write_star(project / "mics.star", {"": rows.assign(rlnMicrographName="")})
    with pytest.raises(CryoflowError, match="rlnMicrographName of row 1 is empty"):
        pick(project)
    write_star(project / "mics.star", {"": rows.drop(columns="rlnVoltage")})
    with pytest.raises(CryoflowError, match=r"lacks the column rlnVoltage, and 'Are References CTF corr"):
        pick(project)
    write_star(project / "mics.star", {"": rows.iloc[:0]})
    with pytest.raises(CryoflowError, match="holds no micrographs"):
        pick(project)
    write_star(project / "mics.star", {"": pd.concat([rows, rows])})
    with pytest.raises(CryoflowError, match=r"names the micrograph Movies/a.mrc twice"):
        pick(project)
