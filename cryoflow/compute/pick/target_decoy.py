"""Competition of picks and decoy picks: at one position the better figure of merit wins."""

from __future__ import annotations

from typing import NamedTuple

import torch
from scipy.spatial import cKDTree
from torch import Tensor

from cryoflow.compute.pick.peaks import Picks


class Competition(NamedTuple):
    """Result of the competition on one micrograph."""

    picks: Picks
    decoys: Picks
    picks_won: Tensor
    """Bool, one per pick: no better decoy lies within the distance."""
    decoys_won: Tensor
    """Bool, one per decoy: no better pick lies within the distance."""


def compete(picks: Picks, decoys: Picks, distance: float) -> Competition:
    """Let picks and decoys, each found by itself with the same thresholds, compete.

    Parameters
    ----------
    picks, decoys : Picks
    distance : float
        Two at most this many micrograph pixels apart are at one position.
    """
    pairs = _near(picks, decoys, distance)
    first, second = picks.fom[pairs[0]], decoys.fom[pairs[1]]
    won = [torch.ones(len(side.fom), dtype=torch.bool, device=side.fom.device) for side in (picks, decoys)]
    won[0][pairs[0][second > first]] = False
    won[1][pairs[1][first > second]] = False
    return Competition(picks, decoys, *won)


def _near(picks: Picks, decoys: Picks, distance: float) -> tuple[Tensor, Tensor]:
    """Numbers of the picks and of the decoys of each pair within the distance."""
    own, others = (cKDTree(torch.stack((side.y, side.x), 1).cpu().numpy()) for side in (picks, decoys))
    found = own.sparse_distance_matrix(others, distance, output_type="ndarray")
    first, second = (torch.from_numpy(found[name].astype("int64")).to(picks.y.device) for name in "ij")
    return first, second
