"""Write the chosen class averages, for display and as references for picking."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from cryoflow.compute.select.centering import centre
from cryoflow.files.mrc import join_image_name, read_header, read_images, write_mrc
from cryoflow.files.star import StarStyle, write_star
from cryoflow.jobs.inputs.relocated import image_beside, stacks_of
from cryoflow.jobs.select.output import AVERAGES, Output
from cryoflow.project.context import JobContext


class Averages(NamedTuple):
    """Files written, and the stacks read for them."""

    outputs: list[Output]
    inputs: tuple[str, ...]


def write_averages(
    context: JobContext,
    classes: pd.DataFrame,
    beside: Path,
    pixel_size_a: float | None,
    recentre: bool,
    style: StarStyle,
) -> Averages:
    """Write ``class_averages.star`` and, when they are re-centred, ``class_averages.mrcs``.

    Parameters
    ----------
    context : JobContext
    classes : DataFrame
        The chosen rows of the model's class table, with ``rlnReferenceImage``.
    beside : Path
        The model.star: averages that were moved are searched for next to it.
    pixel_size_a : float or None
        For the stack's header; None: as the averages' own header says.
    recentre : bool
        Move each average's centre of mass of positive density to the middle of the box.
    style : {"3.0", "3.1"}
    """
    stack = context.directory / "class_averages.mrcs"
    outputs: list[Output] = []
    inputs: tuple[str, ...] = ()
    rows = classes.reset_index(drop=True)
    if recentre and len(rows):
        names = [image_beside(context, str(name), beside) for name in rows["rlnReferenceImage"]]
        context.reads(stacks_of(names))
        images = centre(torch.from_numpy(read_images(names, context.project))).numpy()
        inputs = stacks_of(names)
        header = read_header(context.project / inputs[0])
        write_mrc(stack, images.astype(np.float32), pixel_size_a or header.pixel_size)
        relative = context.relative(stack)
        rows = rows.assign(rlnReferenceImage=[join_image_name(i, relative) for i in range(len(rows))])
        outputs.append(Output(relative))
    target = context.directory / "class_averages.star"
    write_star(target, {"": rows}, style)
    return Averages([*outputs, Output(context.relative(target), AVERAGES)], inputs)
