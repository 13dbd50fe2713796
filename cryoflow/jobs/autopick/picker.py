"""Common interface of picking with references and with blobs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias

from torch import Tensor

from cryoflow.compute.pick.candidates import Candidates
from cryoflow.compute.pick.figure_of_merit import FomMaps
from cryoflow.compute.pick.log_blobs import BlobMaps
from cryoflow.compute.pick.peaks import Picks
from cryoflow.compute.pick.target_decoy import Competition
from cryoflow.compute.score.decoys import Null
from cryoflow.jobs.autopick.micrographs import Micrograph

Maps: TypeAlias = FomMaps | BlobMaps
Source: TypeAlias = Candidates | BlobMaps
"""Source of picks: a blob blanks its surroundings, so that blobs need their maps."""
Settings: TypeAlias = dict[str, Any]

RAISED = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Added to the picking threshold, to see whether it picks fewer than a higher one."""


class Recipe(NamedTuple):
    """Settings that determine the maps and picks of one micrograph, besides its pixels."""

    maps: Settings
    """Settings of the maps, as JSON values."""
    gates: Settings
    """Further settings of the picks, as JSON values."""
    floor: float | None = None
    """Lowest figure of merit of candidates; None when picks are chosen from maps."""
    exact_from: float | None = None
    """Least figure of merit of peaks that are exact in maps; None when maps are exact everywhere."""


class OtherThresholds(NamedTuple):
    """Picks of other thresholds on one micrograph."""

    peaks: Tensor
    """Figures of merit of peaks down to the floor of the candidates, the best within the distance each."""
    raised: tuple[int, ...]
    """Picks at thresholds higher by `RAISED`; empty where a lower one always keeps them."""
    kept: tuple[int, ...] = ()
    """The job's own picks from each of these thresholds on: fewer where a lower threshold loses some."""


class Found(NamedTuple):
    """Result of one micrograph."""

    picks: Picks
    best: float
    """Highest figure of merit away from the edges, for any gates."""
    scale: float = math.nan
    """From `cryoflow.compute.pick.reference_scale.reference_scale`; nan for other figures of merit."""
    competitions: Mapping[Null, Competition] = {}
    """Picks against decoys, by null; empty without decoys."""
    others: OtherThresholds | None = None
    """None in a sweep, whose points are other thresholds, and for blobs."""


class Picker(Protocol):
    """Computes maps of a micrograph, and picks from maps."""

    def recipe(self, micrograph: Micrograph) -> Recipe:
        """Return what maps and picks depend on.

        Raises
        ------
        CryoflowError
            When the references do not fit the micrograph.
        """
        ...

    def compute(self, micrograph: Micrograph, image: Tensor) -> Maps:
        """Compute the maps of a micrograph, ``(h, w)`` float32 pixels as read."""
        ...

    def candidates(self, micrograph: Micrograph, maps: Maps) -> Source:
        """Reduce maps to the candidates that picks are chosen from."""
        ...

    def pick(self, micrograph: Micrograph, source: Source) -> Found:
        """Choose the picks that pass the gates."""
        ...
