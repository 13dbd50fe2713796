"""What a file is by its first bytes, for messages about files of another kind."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

_SIGNATURES = (
    (b"II*\0", "a TIFF picture"),
    (b"MM\0*", "a TIFF picture"),
    (b"II+\0", "a BigTIFF picture"),
    (b"MM\0+", "a BigTIFF picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x89PNG", "a PNG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"\x1f\x8b", "compressed by gzip"),
    (b"BZh", "compressed by bzip2"),
    (b"\xfd7zXZ", "compressed by xz"),
    (b"(\xb5/\xfd", "compressed by zstd"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x93NUMPY", "an array of NumPy"),
    (b"version https://git-lfs", "a pointer of Git LFS and not the file itself"),
    (b"<!DOCTYPE", "a web page"),
    (b"<html", "a web page"),
    (b"SIMPLE  =", "a FITS image"),
)
LONGEST = max(len(start) for start, _ in _SIGNATURES)


def file_kind(path: str | PathLike[str], start: bytes) -> str | None:
    """Tell what a file is that begins with these bytes, such as "a TIFF picture"; None if nothing known."""
    kind = next((kind for magic, kind in _SIGNATURES if start.startswith(magic)), None)
    return "an EER movie" if kind and "TIFF" in kind and Path(path).suffix.lower() == ".eer" else kind
