"""Hashes, and when a file is read again."""

import hashlib
import os
import time
from pathlib import Path
from typing import Any

import pytest

from cryoflow.project.fingerprints import Store, fingerprints

OLD = 1_000_000_000_000_000_000


def test_fingerprints_are_sorted_by_name_each_once(tmp_path: Path) -> None:
    (tmp_path / "b.star").write_bytes(b"bee\n")
    (tmp_path / "a.star").write_bytes(b"")
    found = fingerprints(tmp_path, ["b.star", "a.star", "b.star", "gone.star"], threads=3)
    assert [entry["path"] for entry in found] == ["a.star", "b.star", "gone.star"]
    assert found[1] == {"path": "b.star", "size": 4, "sha256": hashlib.sha256(b"bee\n").hexdigest()}
    assert found[2] == {"path": "gone.star", "size": None, "sha256": None}


def _write(path: Path, content: bytes, mtime_ns: int = OLD) -> None:
    path.write_bytes(content)
    os.utime(path, ns=(mtime_ns, mtime_ns))


def _sha(project: Path, **options: bool) -> str:
    return str(fingerprints(project, ["a.star"], **options)[0]["sha256"])  # type: ignore[arg-type]


def test_file_that_stays_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(tmp_path / "a.star", b"one")
    first = _sha(tmp_path)
    monkeypatch.setattr(hashlib, "file_digest", None)  # whoever reads again fails
    assert _sha(tmp_path) == first == hashlib.sha256(b"one").hexdigest()


def test_hashes_of_other_processes_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        _write(tmp_path / f"{name}.star", name.encode())
    fingerprints(tmp_path, ["a.star"])
    other = Store(tmp_path / ".cryoflow" / "hashes")
    other.catch_up()
    for name in "abc":
        other.fingerprint(tmp_path, f"{name}.star", fresh=False)
    other.save()
    assert other.path.read_text().count("a.star") == 1
    monkeypatch.setattr(hashlib, "file_digest", None)  # whoever reads again fails
    found = fingerprints(tmp_path, ["a.star", "b.star", "c.star"])
    assert [entry["sha256"] for entry in found] == [
        hashlib.sha256(name.encode()).hexdigest() for name in "abc"
    ]


def test_file_that_changes_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.star"
    seen = []
    for content, mtime in ((b"one", OLD), (b"three", OLD), (b"seven", OLD + 1)):
        _write(path, content, mtime)
        seen.append(_sha(tmp_path))
    _write(tmp_path / "new", b"eight", OLD + 1)  # another inode, everything else the same
    (tmp_path / "new").replace(path)
    seen.append(_sha(tmp_path))
    assert seen == [hashlib.sha256(content).hexdigest() for content in (b"one", b"three", b"seven", b"eight")]


def test_file_that_has_just_changed_may_change_once_more_unseen(tmp_path: Path) -> None:
    now = time.time_ns() + 10**9
    for content in (b"one", b"two"):
        _write(tmp_path / "a.star", content, now)
        assert _sha(tmp_path) == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(("age_ns", "kept"), [(10**6, False), (10**9, True)])
def test_a_hash_is_kept_of_files_older_than_a_tick_of_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age_ns: int, kept: bool
) -> None:
    _write(tmp_path / "a.star", b"one")
    with monkeypatch.context() as patch:
        patch.setattr(time, "time_ns", lambda: OLD + age_ns)
        _sha(tmp_path)
    _write(tmp_path / "a.star", b"two")
    assert _sha(tmp_path) == hashlib.sha256(b"one" if kept else b"two").hexdigest()


def test_a_hash_of_a_file_that_changes_meanwhile_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, digest = tmp_path / "a.star", hashlib.file_digest
    _write(path, b"one")

    def changed(stream: Any, name: str) -> Any:
        _write(path, b"two", OLD + 1)
        return digest(stream, name)

    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "file_digest", changed)
        _sha(tmp_path)
    _write(path, b"one")
    assert _sha(tmp_path) == hashlib.sha256(b"one").hexdigest()


def test_a_store_that_another_process_has_replaced_is_read_anew(tmp_path: Path) -> None:
    _write(tmp_path / "a.star", b"a")
    assert _sha(tmp_path) == _sha(tmp_path) == hashlib.sha256(b"a").hexdigest()  # written, then read
    store = tmp_path / ".cryoflow" / "hashes"
    digest, size, mtime_ns, inode, _ = store.read_text().split()
    other = "".join(
        f"{'0' * len(digest)} {size} {mtime_ns} {inode} {name}\n" for name in ("a.star", "x" * 99)
    )
    (tmp_path / "new").write_text(other)  # larger than the one before, and another inode
    (tmp_path / "new").replace(store)
    assert _sha(tmp_path) == "0" * len(digest)


def test_fresh_reads_what_looks_the_same(tmp_path: Path) -> None:
    _write(tmp_path / "a.star", b"one")
    known = _sha(tmp_path)
    _write(tmp_path / "a.star", b"0ne")
    assert _sha(tmp_path) == known
    assert _sha(tmp_path, fresh=True) == hashlib.sha256(b"0ne").hexdigest() == _sha(tmp_path)


def test_half_a_line_is_no_hash(tmp_path: Path) -> None:
    _write(tmp_path / "a.star", b"one")
    first = _sha(tmp_path)
    store = tmp_path / ".cryoflow" / "hashes"
    store.write_text(store.read_text()[:40])
    assert _sha(tmp_path) == first


def test_read_only_project_is_hashed_all_the_same(tmp_path: Path) -> None:
    _write(tmp_path / "a.star", b"one")
    (tmp_path / ".cryoflow").write_text("a file where a folder should be")
    assert _sha(tmp_path) == hashlib.sha256(b"one").hexdigest()
