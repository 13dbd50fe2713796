"""Pictures of the course of a classification: convergence, and averages every few iterations."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from cryoflow.files.mrc import read_stack
from cryoflow.files.star import read_star
from cryoflow.view.curves import Curve, draw_curves
from cryoflow.view.pictures import sheet

EVERY, ACROSS = 5, 20
"""Iterations between rows of averages, and maximum number of classes in a row."""
SHOWN = {
    "rlnLogLikelihood": ("Log-likelihood", "log-likelihood"),
    "rlnCurrentResolution": ("Current resolution", "resolution (Å)"),
    "rlnChangesOptimalClasses": ("Particles that changed class", "share of particles"),
    "rlnChangesOptimalOrientations": ("Mean change of psi", "change (degrees)"),
    "rlnChangesOptimalOffsets": ("RMS change of offsets", "change (pixels)"),
    "cryoflowLargestDistribution": ("Largest class", "share of particles"),
}
"""Columns of ``run_convergence.star`` that get a chart: its title and y-axis label."""

_STACK = re.compile(r"(run(?:_ct\d+)?)_it(\d+)_classes\.mrcs")


def convergence_picture(directory: Path, root: str) -> Image.Image | None:
    """Charts over the iterations of a run; None if there is no table."""
    path = directory / f"{root}_convergence.star"
    table = read_star(path)["convergence"] if path.exists() else None
    if not isinstance(table, pd.DataFrame):
        return None
    iterations = table["rlnCurrentIteration"].to_numpy(float)
    return draw_curves(
        [
            Curve(title, iterations, table[name].to_numpy(float), "iteration", y_label)
            for name, (title, y_label) in SHOWN.items()
        ]
    )


def history_picture(directory: Path, root: str) -> Image.Image | None:
    """Averages of every fifth iteration and the last one in rows, the same class in each column.

    Classes are ordered by their final size. None for fewer than two such iterations.
    """
    stacks = {
        int(match[2]): path
        for path in directory.glob(f"{root}_it*_classes.mrcs")
        if (match := _STACK.fullmatch(path.name))
    }
    wanted = [n for n in sorted(stacks) if n % EVERY == 0 or n == max(stacks)]
    if len(wanted) < 2:
        return None
    classes = read_star(directory / f"{root}_it{wanted[-1]:03d}_model.star")["model_classes"]
    share = pd.DataFrame(classes)["rlnClassDistribution"].to_numpy(float)
    order = np.argsort(-share, kind="stable")[:ACROSS]
    images = np.concatenate([read_stack(stacks[n], order) for n in wanted])
    captions = [f"it {n}: {k + 1}" for n in wanted for k in order.tolist()]
    return sheet(images, len(order), int(np.clip(images.shape[-1], 64, 96)), captions)
