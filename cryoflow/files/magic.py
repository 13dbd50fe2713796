"""Kinds of files by their first bytes, for messages about unsupported files."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

_SIGNATURES = (
    (b"II*\0", "a TIFF image"),
    (b"MM\0*", "a TIFF image"),
    (b"II+\0", "a BigTIFF image"),
    (b"MM\0+", "a BigTIFF image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x89PNG", "a PNG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF document"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"\x1f\x8b", "a gzip-compressed file"),
    (b"BZh", "a bzip2-compressed file"),
    (b"\xfd7zXZ", "an xz-compressed file"),
    (b"(\xb5/\xfd", "a zstd-compressed file"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself"),
    (b"<!DOCTYPE", "a web page"),
    (b"<html", "a web page"),
    (b"SIMPLE  =", "a FITS image"),
)
LONGEST = max(len(start) for start, _ in _SIGNATURES)


def file_kind(path: str | PathLike[str], start: bytes) -> str | None:
    """Name the kind of a file by its first bytes, such as "a TIFF image"; None if unknown."""
    kind = next((kind for magic, kind in _SIGNATURES if start.startswith(magic)), None)
    return "an EER movie" if kind and "TIFF" in kind and Path(path).suffix.lower() == ".eer" else kind
