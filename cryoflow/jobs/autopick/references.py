"""The references of a picking job: class averages, or projections of a map."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.projection.directions import asymmetric_directions
from cryoflow.compute.projection.map_projection import project
from cryoflow.errors import FileError
from cryoflow.files.mrc import read_header, read_volume, write_mrc
from cryoflow.files.mrc.header import UNSET
from cryoflow.jobs.autopick.micrographs import SAME_SIZE
from cryoflow.jobs.inputs.references import read_references
from cryoflow.project.context import JobContext
from cryoflow.spec import AutoPick
from cryoflow.spec.autopick_tabs import ANGULAR_SAMPLINGS


class GivenReferences(NamedTuple):
    """References before they are resampled to the micrographs' pixel size."""

    images: Tensor
    """``(refs, n, n)``."""
    pixel_size_a: float | None
    """None: that of the micrographs."""
    header_pixel_a: float | None
    """Pixel size in the file's header, if set."""
    files: tuple[str, ...]
    """Project-relative names of what was read."""
    outputs: tuple[str, ...] = ()
    """And of what was written."""

    @property
    def digest(self) -> str:
        """Short hash of the pixels."""
        return hashlib.sha256(self.images.float().cpu().numpy().tobytes()).hexdigest()[:16]

    def pixel_size_for(self, micrograph_pixel_a: float) -> float:
        """Pixel size to use, A.

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
                f"its header says {self.header_pixel_a:g} A per pixel, the micrographs have "
                f"{micrograph_pixel_a:g} A; set 'Pixel size in references (A)'",
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
            f"using {given:g} A as the pixel size in references, from the spec, although the header of "
            f"{stack.files[-1]} says {stack.header_pixel_a:g} A"
        )
    return GivenReferences(stack.images, given, stack.header_pixel_a, stack.files)


def project_3d_reference(spec: AutoPick, context: JobContext, micrograph_pixel_a: float) -> GivenReferences:
    """Read a map and project it along the directions of its asymmetric unit.

    The projections are written as ``reference_projections.mrcs``; class numbers of picks count them from 1.

    Raises
    ------
    CryoflowError
        When the map cannot be read, is not a cube, or its symmetry is not a group of rotations.
    """
    name = spec.io.reference_3d
    assert name is not None
    path = context.resolve(name)
    header = read_header(path)
    if not header.nz == header.ny == header.nx:
        raise FileError(name, f"is {header.nx} x {header.ny} x {header.nz} pixels; a 3D reference is a cube")
    order = ANGULAR_SAMPLINGS.index(spec.io.angular_sampling_3d) + 1
    directions = asymmetric_directions(order, spec.io.symmetry)
    known = header.pixel_size if header.pixel_size not in UNSET else None
    given = GivenReferences(torch.zeros(1, 1, 1), spec.references.pixel_size_in_references, known, (name,))
    pixel = given.pixel_size_for(micrograph_pixel_a)
    volume = torch.from_numpy(read_volume(path)).double()
    images = project(volume, directions, pixel, spec.references.lowpass_filter_references)
    target = context.directory / "reference_projections.mrcs"
    write_mrc(target, images.float().numpy(), pixel)
    context.report.say(f"compares with {len(images)} projections of {name} ({spec.io.symmetry})")
    return given._replace(images=images, outputs=(context.relative(target),))


def _refuse_volume(context: JobContext, name: str) -> None:
    if name.endswith((".mrc", ".map")):
        header = read_header(context.resolve(name))
        if header.nz == header.ny == header.nx > 1:
            raise FileError(name, "is a volume; set 'OR: provide a 3D reference?' to Yes and give it there")


def _differ(one: float, other: float) -> bool:
    return abs(one - other) > SAME_SIZE * other
