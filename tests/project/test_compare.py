"""What differs between two files, and by how much."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cryoflow.files.mrc import write_mrc
from cryoflow.files.star import write_star
from cryoflow.project.compare import compare_files


def _tables(folder: Path, one: dict[str, list[object]], other: dict[str, list[object]]) -> tuple[Path, Path]:
    paths = folder / "one.star", folder / "other.star"
    for path, columns in zip(paths, (one, other), strict=True):
        write_star(path, {"": pd.DataFrame(columns)})
    return paths


@pytest.mark.parametrize(
    ("other", "verdict", "detail"),
    [
        ({"a": [1.0, 2.0], "b": ["x", "y"]}, "identical", ""),
        ({"a": [1.0, 2.0001], "b": ["x", "y"]}, "close", "a differs by up to 0.0001 in 1 of 2 rows"),
        ({"a": [1.5, 2.0], "b": ["x", "y"]}, "different", "a differs by up to 0.5 in 1 of 2 rows"),
        ({"a": [1.0, 2.0], "b": ["x", "z"]}, "different", "b differs in 1 of 2 rows"),
        ({"a": [1.0], "b": ["x"]}, "different", "data_: 2 and 1 rows"),
        ({"a": [1.0, 2.0], "c": ["x", "y"]}, "different", "data_: columns differ (b, c)"),
    ],
)
def test_tables(tmp_path: Path, other: dict[str, list[object]], verdict: str, detail: str) -> None:
    found = compare_files(*_tables(tmp_path, {"a": [1.0, 2.0], "b": ["x", "y"]}, other))
    assert found == (verdict, detail)


@pytest.mark.parametrize(("other", "verdict"), [(2.0001, "close"), (np.nan, "different"), (9.0, "different")])
def test_values_that_are_missing_in_both_agree(tmp_path: Path, other: float, verdict: str) -> None:
    columns = ({"a": [np.nan, last, 5.0], "b": [1, 2, 3]} for last in (2.0, other))
    found = compare_files(*_tables(tmp_path, *columns))
    assert found.verdict == verdict
    if verdict == "close":
        assert found.detail == "a differs by up to 0.0001 in 1 of 3 rows"


def test_the_name_of_the_job_does_not_count(tmp_path: Path) -> None:
    images = [["1@Extract/job012/a.mrcs"], ["1@Extract/job020/a.mrcs"]]
    paths = _tables(tmp_path, {"n": images[0], "a": [1.0]}, {"n": images[1], "a": [1.0]})
    names = ("Extract/job012", "Extract/job020")
    assert compare_files(*paths, names) == ("identical", "except for the job's own name")
    assert compare_files(*paths).verdict == "different"
    paths = _tables(tmp_path, {"n": images[0], "a": [1.0]}, {"n": images[1], "a": [1.00001]})
    assert compare_files(*paths, names) == ("close", "a differs by up to 1e-05 in 1 of 1 rows")


@pytest.mark.parametrize(("change", "verdict"), [(0.0, "identical"), (2e-4, "close"), (0.5, "different")])
def test_images(tmp_path: Path, change: float, verdict: str) -> None:
    images = np.zeros((70, 3, 5), np.float32)
    images[1, 2, 3] = 4
    write_mrc(tmp_path / "one.mrcs", images, 1.0)
    images[66, 0, 1] += change  # beyond the first part that is read
    write_mrc(tmp_path / "other.mrcs", images, 1.0)
    found = compare_files(tmp_path / "one.mrcs", tmp_path / "other.mrcs")
    assert found.verdict == verdict
    if change:
        rms = change / (70 * 3 * 5) ** 0.5
        told = f"pixels differ by up to {change:.3g}, {rms:.3g} rms; the largest value is 4"
        assert found.detail == told


def test_images_of_other_sizes_and_files_that_are_gone(tmp_path: Path) -> None:
    write_mrc(tmp_path / "one.mrc", np.zeros((3, 5), np.float32), 1.0)
    write_mrc(tmp_path / "other.mrc", np.zeros((4, 5), np.float32), 1.0)
    found = compare_files(tmp_path / "one.mrc", tmp_path / "other.mrc")
    assert found == ("different", "5 x 3 x 1 pixels and 5 x 4 x 1 pixels")
    assert compare_files(tmp_path / "one.mrc", tmp_path / "gone.mrc").detail == "the new file is missing"


def test_other_files_by_their_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "b.txt").write_text("three")
    assert compare_files(tmp_path / "a.txt", tmp_path / "b.txt") == ("different", "bytes differ (3 and 5)")


def test_large_files_are_compared_to_their_end(tmp_path: Path) -> None:
    content = bytes(3 << 20)
    for name, last in (("a.bin", b"x"), ("b.bin", b"x"), ("c.bin", b"y")):
        (tmp_path / name).write_bytes(content + last)
    assert compare_files(tmp_path / "a.bin", tmp_path / "b.bin").verdict == "identical"
    assert compare_files(tmp_path / "a.bin", tmp_path / "c.bin").verdict == "different"
