"""Files appear whole or not at all."""

import os
import pickle
from pathlib import Path

import pytest

from cryoflow.errors import CryoflowError, FileError
from cryoflow.files.atomic import read_bytes, replacing, write_bytes


def test_content_takes_the_place_of_the_old(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "table.star"
    write_bytes(target, b"old")
    write_bytes(target, b"ne", b"w")
    assert target.read_bytes() == b"new"
    assert [path.name for path in target.parent.iterdir()] == ["table.star"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "table.star"
    target.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="stop"), replacing(target) as temporary:
        temporary.write_bytes(b"half")
        assert temporary.suffix == ".star" and temporary.name.startswith(".table.")
        raise RuntimeError("stop")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_permissions_follow_the_mask_of_the_user(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_bytes(tmp_path / "a", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_a_folder_in_the_way_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileError, match=r"file/a.star: cannot be written: (Not a directory|File exists)$"):
        write_bytes(tmp_path / "file" / "a.star", b"")
    (tmp_path / "folder.star").mkdir()
    with pytest.raises(FileError, match=r"folder.star: cannot be written: Is a directory$"):
        write_bytes(tmp_path / "folder.star", b"")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.star"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_told_in_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(FileError, match=r"a.star: cannot be written: Permission denied$"):
        write_bytes(tmp_path / "a.star", b"")


def test_errors_of_other_files_pass_unchanged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="elsewhere"), replacing(tmp_path / "a"):
        (tmp_path / "elsewhere").read_bytes()


def test_missing_and_unreadable_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"gone.mrc: no such file$"):
        read_bytes(tmp_path / "gone.mrc")
    with pytest.raises(FileError, match=r"cannot be read: Is a directory$"):
        read_bytes(tmp_path)


def test_errors_survive_pickling() -> None:
    error = FileError("a.star", "11 values where the loop has 12 columns", 17)
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == "a.star:17: 11 values where the loop has 12 columns"
    assert (again.path, again.message, again.line) == (error.path, error.message, error.line)
    assert isinstance(again, CryoflowError)


def test_whoever_reads_the_old_file_reads_it_to_its_end(tmp_path: Path) -> None:
    target = tmp_path / "table.star"
    write_bytes(target, b"the old content")
    with target.open("rb") as file:
        assert file.read(4) == b"the "
        write_bytes(target, b"something else that is longer")
        assert file.read() == b"old content"
    assert target.read_bytes() == b"something else that is longer"
