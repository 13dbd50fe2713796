"""Images that are no longer where a STAR file says."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cryoflow.files.mrc import join_image_name, split_image_name
from cryoflow.project.context import JobContext


def stacks_of(names: Iterable[str]) -> tuple[str, ...]:
    """The files that images are in, each once, in the order of the names."""
    return tuple(dict.fromkeys(split_image_name(str(name))[1] for name in names))


def image_beside(context: JobContext, name: str, star: Path) -> str:
    """Name of an image as given in a STAR file, or of a file of that name next to it.

    The STAR file of a renamed or copied job directory still names the old one; if that no longer
    exists and the file is next to the STAR file, it is used.
    """
    index, path = split_image_name(name)
    neighbour = star.with_name(Path(path).name)
    if (context.project / path).exists() or not neighbour.exists():
        return name
    moved = context.relative(neighbour)
    return join_image_name(index, moved) if "@" in name else moved
