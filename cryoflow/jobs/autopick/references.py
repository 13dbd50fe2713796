"""The references of a picking job, as files give them."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from torch import Tensor

from cryoflow.errors import FileError
from cryoflow.files.mrc import read_header
from cryoflow.jobs.autopick.micrographs import SAME_SIZE
from cryoflow.jobs.sort.references import read_references
from cryoflow.project.context import JobContext
from cryoflow.spec import AutoPick


class GivenReferences(NamedTuple):
    """References before they are brought to the micrographs' pixels."""

    images: Tensor
    """``(refs, n, n)``."""
    pixel_size_a: float | None
    """None: that of the micrographs."""
    header_pixel_a: float | None
    """What the file says, if anything."""
    files: tuple[str, ...]
    """Project-relative names of what was read."""

    @property
    def digest(self) -> str:
        """Short hash of the pixels."""
        return hashlib.sha256(self.images.float().cpu().numpy().tobytes()).hexdigest()[:16]

    def pixel_size_for(self, micrograph_pixel_a: float) -> float:
        """Pixel size to take, A.

        Raises
        ------
        FileError
            When none is given and the file's header contradicts that of the micrographs.
        """
        if self.pixel_size_a is not None:
            return self.pixel_size_a
        if self.header_pixel_a and _differ(self.header_pixel_a, micrograph_pixel_a):
            raise FileError(
                self.files[-1],
                f"its header says {self.header_pixel_a:g} A a pixel, the micrographs have "
                f"{micrograph_pixel_a:g} A; set 'Pixel size in references (A)' to what is right",
            )
        return micrograph_pixel_a


def read_2d_references(spec: AutoPick, context: JobContext) -> GivenReferences:
    """Read class averages from a STAR file or a stack.

    Raises
    ------
    FileError
        When they cannot be read or are not square images.
    """
    name = spec.io.reference_2d
    assert name is not None
    _refuse_volume(context, name)
    stack = read_references(context, name)
    height, width = stack.images.shape[-2:]
    if height != width:
        raise FileError(name, f"references are {width} x {height} pixels; they must be square")
    given = spec.references.pixel_size_in_references
    if given is not None and stack.header_pixel_a is not None and _differ(given, stack.header_pixel_a):
        context.report.warn(
            f"using {given:g} A for pixels in references, as the spec says, although the header of "
            f"{stack.files[-1]} says {stack.header_pixel_a:g} A"
        )
    return GivenReferences(stack.images, given, stack.header_pixel_a, stack.files)


def _refuse_volume(context: JobContext, name: str) -> None:
    if name.endswith((".mrc", ".map")):
        header = read_header(context.resolve(name))
        if header.nz == header.ny == header.nx > 1:
            raise FileError(name, "is a volume; set 'OR: provide a 3D reference?' to Yes and give it there")


def _differ(one: float, other: float) -> bool:
    return abs(one - other) > SAME_SIZE * other
