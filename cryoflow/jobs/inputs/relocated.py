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
    """Name of an image as it stands in a STAR file, or of the file of that name beside it.

    A job's folder that was renamed or copied still names its images by the old folder; when nothing is
    there, but the STAR file has a neighbour of that name, that is the one meant.
    """
    index, path = split_image_name(name)
    neighbour = star.with_name(Path(path).name)
    if (context.project / path).exists() or not neighbour.exists():
        return name
    moved = context.relative(neighbour)
    return join_image_name(index, moved) if "@" in name else moved
