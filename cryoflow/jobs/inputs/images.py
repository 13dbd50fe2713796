"""Consistency of particle images and their table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from cryoflow.errors import FileError, MachineError
from cryoflow.files.mrc import MrcHeader, read_header, split_image_name
from cryoflow.files.tables import Table, pixel_size, states_pixel_size
from cryoflow.files.vocabulary import SAME_SIZE
from cryoflow.jobs.inputs.relocated import stacks_of
from cryoflow.project.context import JobContext


def stack_headers(context: JobContext, names: Sequence[str]) -> dict[str, MrcHeader | FileError]:
    """Header of every stack, or the error of reading it."""
    found: dict[str, MrcHeader | FileError] = {}
    for stack in stacks_of(names):
        try:
            found[stack] = read_header(context.resolve(stack))
        except MachineError:
            raise
        except FileError as error:
            found[stack] = error
    return found


def check_images(context: JobContext, table: Table, headers: Mapping[str, MrcHeader | FileError]) -> None:
    """Compare the names and sizes in a table with the stacks.

    Raises
    ------
    FileError
        When ``rlnImageSize`` is not that of the images.
    """
    names = table.rows["rlnImageName"].astype(str).tolist()
    stacks = [split_image_name(name)[1] for name in names]
    _warn_of_twins(context, table, names)
    told = table.rows["rlnImageSize"].to_numpy(np.float64) if "rlnImageSize" in table.rows.columns else None
    sizes = pixel_size(table) if states_pixel_size(table.rows) else None
    seen: set[str] = set()
    contradicting = []
    for row, stack in enumerate(stacks):
        header = headers[stack]
        if stack in seen or isinstance(header, FileError):
            continue
        seen.add(stack)
        if told is not None and told[row] > 0 and told[row] != header.nx:
            what = (
                f"rlnImageSize of row {row + 1} is {told[row]:g} px, but {stack} has images of {header.nx} px"
            )
            raise FileError(context.relative(table.path), f"{what}; correct the one that is wrong")
        pixel = header.known_pixel_size
        if sizes is not None and pixel is not None and abs(pixel - sizes[row]) > SAME_SIZE * sizes[row]:
            contradicting.append((stack, sizes[row], pixel))
    if contradicting:
        stack, size, pixel = contradicting[0]
        others = f" (and of {len(contradicting) - 1} more)" if len(contradicting) > 1 else ""
        name = context.relative(table.path)
        text = f"{name} says {size:g} A per pixel, which is used, although the header of {stack}{others} says"
        context.report.warn(f"{text} {pixel:g} A; correct the one that is wrong")


def _warn_of_twins(context: JobContext, table: Table, names: Sequence[str]) -> None:
    places = Counter(split_image_name(name) for name in names)
    again = len(names) - len(places)
    if not again:
        return
    first = next(name for name in names if places[split_image_name(name)] > 1)
    context.report.warn(
        f"{context.relative(table.path)}: {again} rows repeat the rlnImageName of another, such as {first}; "
        "each counts as a separate particle; remove the duplicates"
    )
