"""The evidence of one micrograph: features of its particles, and what targets and decoys have won."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor

from cryoflow.compute.score.decoys import NULLS, Null
from cryoflow.compute.score.features import View, measure, middle_band
from cryoflow.compute.score.picks import RIVALS_STEP, Competition, compete, own_peaks, rivals
from cryoflow.compute.score.prepared import Prepared, prepare
from cryoflow.compute.score.scene import COARSE, FINE, Level, Scene, whitened
from cryoflow.compute.score.search import search
from cryoflow.errors import CryoflowError, MachineError
from cryoflow.files.mrc import read_header, read_image
from cryoflow.jobs.sort.score_plan import Plan, micrograph_pixel
from cryoflow.project.context import Failure, JobContext

REACH, PEAK_REACH, APART = 0.25, 0.35, 0.5
"""Fractions of the diameter: maximum distance of a particle's best correlation, and of its peak, from its
coordinate, and the distance from which a peak belongs to no particle."""


class Round(NamedTuple):
    """Competition of targets and decoys of one null."""

    own: Tensor
    """Score of the target peak that each particle lies on, ``(n,)``; nan where it lies on none."""
    targets: Tensor
    """Scores of the peaks won by targets and by decoys."""
    decoys: Tensor
    rivals: Tensor
    """Best decoys near positions all over the micrograph, see `rivals`."""
    area: Tensor
    """Area searched for peaks, squared diameters, of each micrograph ``(1,)``."""


class Evidence(NamedTuple):
    """The evidence of one micrograph; on the CPU, float64."""

    row: Tensor
    """Numbers of its rows, ``(n,)``, in the order of their image names."""
    features: Tensor
    """``(n, features)``."""
    unpicked: Tensor
    """Features of the peaks that targets have won away from all particles, ``(m, features)``."""
    rounds: dict[Null, Round]
    """Against decoys of each null."""


def together(found: Sequence[Evidence]) -> Evidence:
    """The evidence of all micrographs."""
    row, features, unpicked = (
        torch.cat([getattr(one, name) for one in found]) for name in ("row", "features", "unpicked")
    )
    parts = {null: zip(*(one.rounds[null] for one in found), strict=True) for null in NULLS}
    return Evidence(row, features, unpicked, {null: Round(*map(torch.cat, parts[null])) for null in NULLS})


def evidence(plan: Plan, context: JobContext, name: str, rows: pd.DataFrame) -> Evidence | Failure:
    """Read and search one micrograph; errors become a `Failure`."""
    try:
        path = context.resolve(name)
        pixel_a = micrograph_pixel(plan, read_header(path).pixel_size)
        image = torch.from_numpy(read_image(path)).to(context.device)
        return micrograph_evidence(plan, image, pixel_a, rows)
    except MachineError:
        raise
    except CryoflowError as error:
        return Failure(name, f"its particles have no scores: {error}")


def micrograph_evidence(plan: Plan, image: Tensor, pixel_a: float, rows: pd.DataFrame) -> Evidence:
    """Search one micrograph.

    Parameters
    ----------
    plan : Plan
    image : Tensor
        ``(h, w)``, particles dark.
    pixel_a : float
        A per pixel.
    rows : DataFrame
        Its particles, some of the rows of the plan.

    Raises
    ------
    CryoflowError
        When pixels are not finite or mostly the same, or the micrograph is too small for the particle.
    """
    rows = rows.sort_values("rlnImageName", kind="stable")
    prepared = prepare(image, pixel_a, plan.diameter_a)
    y_a, x_a = (axis.to(prepared.image.device) for axis in plan.positions_a(rows, pixel_a))
    coarse, fine = (_view(plan, prepared, rows, level) for level in (COARSE, FINE))
    middle = middle_band(prepared, coarse.scene)
    row = torch.tensor(rows.index.to_numpy(), dtype=torch.int64)
    contests = {null: _contest(plan, coarse, null) for null in NULLS}
    places = ((y_a, x_a), _unpicked(plan, coarse.scene, contests["noise"].found, y_a, x_a))
    features, unpicked = (
        torch.stack(measure(coarse, fine, middle, place, REACH * plan.diameter_a).features, 1).cpu()
        for place in places
    )
    rounds = {null: _round(plan, coarse.scene, contests[null], y_a, x_a) for null in NULLS}
    return Evidence(row, features, unpicked, rounds)


class _Contest(NamedTuple):
    """Competition of targets and decoys of one null."""

    found: Competition
    decoy: Tensor
    """Correlation with the decoys, ``(h, w)``."""


def _contest(plan: Plan, view: View, null: Null) -> _Contest:
    scene = view.scene
    decoy = search(scene, plan.decoys[null].to(scene.image.device), plan.reference_pixel_a).ncc
    return _Contest(compete(view.match.ncc, decoy, plan.diameter_a / scene.pixel_a), decoy)


def _unpicked(
    plan: Plan, scene: Scene, found: Competition, y_a: Tensor, x_a: Tensor
) -> tuple[Tensor, Tensor]:
    """y and x in A of the peaks that targets have won away from all particles."""
    y, x = found.peaks.y[found.target] * scene.pixel_y_a, found.peaks.x[found.target] * scene.pixel_x_a
    gaps = torch.hypot(y[:, None] - y_a, x[:, None] - x_a)
    free = (gaps >= APART * plan.diameter_a).all(1)
    return y[free].double(), x[free].double()


def _round(plan: Plan, scene: Scene, contest: _Contest, y_a: Tensor, x_a: Tensor) -> Round:
    found, diameter = contest.found, plan.diameter_a / scene.pixel_a
    own = own_peaks(found, y_a / scene.pixel_y_a, x_a / scene.pixel_x_a, PEAK_REACH * diameter)
    values, won = found.peaks.value.double().cpu(), found.target.cpu()
    best = rivals(contest.decoy, diameter).double().cpu()
    area = torch.tensor([len(best) * (RIVALS_STEP / diameter) ** 2], dtype=torch.float64)
    return Round(own.cpu(), values[won], values[~won], best, area)


def _view(plan: Plan, prepared: Prepared, rows: pd.DataFrame, level: Level) -> View:
    ctf = plan.ctf(rows, str(prepared.image.device))
    scene = whitened(prepared, plan.diameter_a, ctf, level, plan.first_peak)
    return View(scene, search(scene, plan.references.to(scene.image.device), plan.reference_pixel_a))
