"""Names of images in stacks: ``000001@Extract/job012/Micrographs/a.mrcs``, counted from 1."""

from __future__ import annotations

from functools import lru_cache
from os import PathLike, fspath
from pathlib import Path

from cryoflow.errors import CryoflowError


def split_image_name(name: str) -> tuple[int, str]:
    """Split ``"000012@a/b.mrcs"`` into ``(11, "a/b.mrcs")``; without ``@`` it is the first image.

    Raises
    ------
    CryoflowError
        When there is no number of 1 or more before the ``@``.
    """
    number, at, path = name.partition("@")
    if not at:
        return 0, name
    if not (number.isascii() and number.isdigit() and int(number) > 0 and path):
        raise CryoflowError(f"{name}: not an image name such as 000001@a/b.mrcs (counted from 1)")
    return int(number) - 1, path


def join_image_name(index: int, path: str | PathLike[str]) -> str:
    """Name an image of a stack by its index from 0: ``join_image_name(0, "b.mrcs") == "000001@b.mrcs"``."""
    return f"{index + 1:06d}@{_posix(fspath(path))}"


@lru_cache(maxsize=64)
def _posix(path: str) -> str:
    return Path(path).as_posix()
