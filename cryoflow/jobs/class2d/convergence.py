"""Convergence of a run: ``run_convergence.star``, one row per iteration.

rlnCurrentIteration
rlnLogLikelihood
    Of all particles used.
rlnChangesOptimalClasses
    Share of the particles whose best pose is in another class than before.
rlnChangesOptimalOrientations, rlnChangesOptimalOffsets
    Mean change of psi in degrees (from 359 to 1 is 358, as RELION counts), and root mean square change of
    the offsets in pixels.
rlnCurrentResolution, rlnCurrentImageSize
    A, and pixels of the transforms.
rlnAveragePmax
    Mean weight of the best pose.
cryoflowLargestClass, cryoflowLargestDistribution
    Number of the largest class and its share of the weights.
cryoflowEmptyClasses
    Number of classes without any weight; while their number grows, also those not yet in use.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cryoflow.compute.class2d import Options, State
from cryoflow.files.star import read_star, write_star

BLOCK = "convergence"


def add_row(path: Path, state: State, options: Options) -> None:
    """Append an iteration to the table; later ones, left by a killed run, are removed."""
    row = _row(state, options)
    before = read_star(path).get(BLOCK) if path.exists() else None
    if isinstance(before, pd.DataFrame):
        row = pd.concat([before[before["rlnCurrentIteration"] < state.iteration], row])
    write_star(path, {BLOCK: row})


def _row(state: State, options: Options) -> pd.DataFrame:
    model, changes = state.model, state.changes
    largest = int(model.share.argmax())
    return pd.DataFrame(
        {
            "rlnCurrentIteration": [state.iteration],
            "rlnLogLikelihood": model.log_likelihood,
            "rlnChangesOptimalClasses": changes.classes,
            "rlnChangesOptimalOrientations": changes.psi_deg,
            "rlnChangesOptimalOffsets": changes.offset_px,
            "rlnCurrentResolution": options.box * options.pixel_size_a / model.shell,
            "rlnCurrentImageSize": state.current_size,
            "rlnAveragePmax": model.mean_pmax,
            "cryoflowLargestClass": largest + 1,
            "cryoflowLargestDistribution": float(model.share[largest]),
            "cryoflowEmptyClasses": int((model.share == 0).sum()),
        }
    )
