"""The lines of a STAR file, and errors with line numbers."""

from __future__ import annotations

from os import PathLike

from cryoflow.errors import FileError
from cryoflow.files.atomic import read_bytes
from cryoflow.files.magic import file_kind
from cryoflow.files.star.values import words


class Lines:
    """The lines of one file, counted from 0 here and from 1 in messages."""

    def __init__(self, path: str | PathLike[str]) -> None:
        content = read_bytes(path)
        if not content.strip():
            raise FileError(path, "the file is empty")
        if b"\0" in content:
            raise FileError(path, f"not a STAR file: it is {file_kind(path, content) or 'binary'}")
        text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
        self.path = path
        self.lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")

    def __len__(self) -> int:
        return len(self.lines)

    def __getitem__(self, index: int) -> str:
        return self.lines[index]

    def error(self, index: int, message: str) -> FileError:
        """Return an error about line `index`."""
        return FileError(self.path, message, index + 1)

    def words(self, index: int) -> list[str]:
        """Split a line into words, quoted ones whole."""
        try:
            return words(self.lines[index])
        except ValueError as error:
            raise self.error(index, str(error)) from error

    def is_blank(self, index: int) -> bool:
        """Return whether a line is empty or a comment."""
        stripped = self.lines[index].lstrip()
        return not stripped or stripped.startswith("#")

    def skip_blank(self, start: int, end: int) -> int:
        """Return the index of the first line from `start` that is not blank, or `end`."""
        while start < end and self.is_blank(start):
            start += 1
        return start

    def strip_blank(self, start: int, end: int) -> int:
        """Return `end` moved before any trailing blank lines."""
        while end > start and self.is_blank(end - 1):
            end -= 1
        return end
