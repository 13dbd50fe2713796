"""What low-rank templates find, beside what all pairs of a reference and an angle find."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from scipy.spatial import cKDTree

from benchmarks.autopick_parts.project import Case, spec_of
from cryoflow.compute.pick.peaks import Picks
from cryoflow.jobs.autopick.micrographs import list_micrographs, read_micrograph
from cryoflow.jobs.autopick.run import make_picker
from cryoflow.project.context import JobContext


def accuracy_shown(root: Path, case: Case) -> str:
    """In words, over the picks of all micrographs."""
    exact, near = picks_of(root, case._replace(error=None)), picks_of(root, case)
    compared = [compared_picks(one, other) for one, other in zip(exact, near, strict=True)]
    off, alike = (torch.cat(side) for side in zip(*compared, strict=True))
    counts = [sum(len(picks.x) for picks in side) for side in (exact, near)]
    return (
        f"all pairs give {counts[0]} picks above {case.threshold:g}, the templates {counts[1]}; "
        f"{len(off)} ({len(off) / counts[0]:.1%}) at the same places, {float(alike.double().mean()):.1%} of "
        f"these with the same reference and angle; their figures of merit are off by "
        f"{float(off.square().mean().sqrt()):.2%} (rms), {float(off.abs().quantile(0.99)):.2%} (99 of 100), "
        f"{float(off.abs().max()):.2%} (largest)"
    )


def picks_of(root: Path, case: Case) -> list[Picks]:
    context, spec = JobContext(root, root / "AutoPick"), spec_of(case)
    micrographs = list_micrographs(spec, context).micrographs
    picker, _ = make_picker(spec, context, case.pixel_a)
    found = []
    for one in micrographs:
        maps = picker.compute(one, read_micrograph(context, one))
        found.append(picker.pick(one, picker.candidates(one, maps)).picks)
    return found


def compared_picks(exact: Picks, near: Picks) -> tuple[torch.Tensor, torch.Tensor]:
    """Of picks at the same sample: share by which the FOM is off, and whether reference and angle agree."""
    places = [torch.stack((picks.y, picks.x), 1).numpy() for picks in (exact, near)]
    distance, number = cKDTree(places[1]).query(places[0])
    same = np.flatnonzero(distance < 1e-6)
    one, other = torch.from_numpy(same), torch.from_numpy(number[same])
    alike = (exact.reference[one] == near.reference[other]) & (exact.psi_deg[one] == near.psi_deg[other])
    return near.fom[other].double() / exact.fom[one].double() - 1, alike
