"""Read and write RELION's pipeline files: a handful of small tables of words.

They are kept as words, not as typed tables, so that whatever RELION wrote is preserved; and they are read
while other processes wait for the lock, so nothing heavy is imported for them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cryoflow.errors import FileError
from cryoflow.files.atomic import read_bytes, write_bytes


@dataclass
class Loop:
    """A table: column names without underscore, and rows of words."""

    columns: list[str]
    rows: list[list[str]] = field(default_factory=list)

    def find(self, **wanted: str) -> list[str] | None:
        """Return the first row that has these words in these columns."""
        places = {self.columns.index(column): word for column, word in wanted.items()}
        return next((row for row in self.rows if all(row[at] == word for at, word in places.items())), None)

    def add(self, **words: str) -> None:
        """Append a row unless an equal one is there; columns not given get ``1`` (a depth) in RELION 5."""
        if self.find(**words) is None:
            self.rows.append([words.get(column, "1") for column in self.columns])

    def put(self, row: list[str], **words: str) -> None:
        """Change words of a row."""
        for column, word in words.items():
            row[self.columns.index(column)] = word


@dataclass
class WordFile:
    """A STAR file of words: ``# version`` tag (empty for RELION 3.0), then key-value blocks and loops."""

    version: str = ""
    blocks: dict[str, dict[str, str] | Loop] = field(default_factory=dict)


def read_words(path: Path) -> WordFile:
    """Read a STAR file of words.

    Raises
    ------
    FileError
        If it contains anything but blocks of unquoted words.
    """
    result, name = WordFile(), ""
    block: dict[str, str] | Loop | None = None
    text = read_bytes(path).decode("utf-8", "surrogateescape")  # names of files need not be UTF-8
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if line.startswith("# version"):
            result.version = line.strip()
        elif not words or line.startswith("#"):
            continue
        elif words[0].startswith("data_"):
            name = words[0].removeprefix("data_")
            if name in result.blocks:
                raise FileError(path, f"a second block data_{name}", number)
            block = result.blocks[name] = {}
        elif words[0] == "loop_" and block == {}:
            block = result.blocks[name] = Loop([])
        elif block is None or any(word[0] in "\"';" for word in words):
            raise FileError(path, "cannot be read as a table of words", number)
        else:
            _take(block, words, path, number)
    return result


def _take(block: dict[str, str] | Loop, words: list[str], path: Path, number: int) -> None:
    if isinstance(block, dict):
        if len(words) != 2 or not words[0].startswith("_"):
            raise FileError(path, "expected a label and its value", number)
        block[words[0].removeprefix("_")] = words[1]
    elif words[0].startswith("_"):
        block.columns.append(words[0].removeprefix("_"))
    elif len(words) != len(block.columns):
        raise FileError(path, f"{len(words)} values for {len(block.columns)} columns", number)
    else:
        block.rows.append(words)


def write_words(path: Path, content: WordFile) -> None:
    """Write a STAR file of words, atomically."""
    text = "".join(_block_text(content, name) for name in content.blocks)
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def _block_text(content: WordFile, name: str) -> str:
    block = content.blocks[name]
    head = f"\n{content.version}\n" if content.version else ""
    head += f"\ndata_{name}\n\n"
    if isinstance(block, dict):
        return head + "".join(f"_{label:<42} {value}\n" for label, value in block.items()) + " \n"
    labels = "".join(f"_{column} #{place} \n" for place, column in enumerate(block.columns, start=1))
    rows = "".join(" ".join(f"{word:>12}" for word in row) + " \n" for row in block.rows)
    return f"{head}loop_ \n{labels}{rows} \n"
