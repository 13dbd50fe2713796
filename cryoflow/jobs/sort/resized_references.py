"""The references that particles are compared with, at the particles' pixel size and box."""

from __future__ import annotations

from cryoflow.compute.sort.fit_references import SortReferences, fit_references
from cryoflow.errors import FileError
from cryoflow.jobs.inputs.references import Stack
from cryoflow.project.context import JobContext


def prepare(
    stack: Stack, given_pixel_a: float | None, pixel_size_a: float, box: int, context: JobContext
) -> SortReferences:
    """Bring references to the particles' pixel size and box.

    Parameters
    ----------
    stack : Stack
    given_pixel_a : float or None
        Pixel size of the references by the spec. None: that of the particles; but references of another
        box, which RELION refuses, then count as the header of their file says.
    pixel_size_a, box : float, int
        Of the particles.
    context : JobContext
        Receives the report lines.

    Raises
    ------
    FileError
        When pixels are not finite.
    """
    if not bool(stack.images.isfinite().all()):
        raise FileError(stack.files[-1], "references contain pixels that are not finite")
    old = stack.images.shape[-1]
    pixel = given_pixel_a
    if pixel is None:
        pixel = stack.header_pixel_a if old != box and stack.header_pixel_a else pixel_size_a
    fitted = fit_references(stack.images, pixel, pixel_size_a, box)
    if fitted.resized_box != box or fitted.resized_box != old:
        context.report.say(
            f"rescaled the references from {old} px of {pixel:g} A to {box} px of {pixel_size_a:g} A"
        )
    return fitted
