"""What the two ways of picking have in common, as the job sees them."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

from torch import Tensor

from cryoflow.compute.pick.candidates import Candidates
from cryoflow.compute.pick.figure_of_merit import FomMaps
from cryoflow.compute.pick.log_blobs import BlobMaps
from cryoflow.compute.pick.peaks import Picks
from cryoflow.compute.pick.target_decoy import Competition
from cryoflow.compute.score.decoys import Null
from cryoflow.files.fom_maps import StoredMaps
from cryoflow.jobs.autopick.micrographs import Micrograph

Maps: TypeAlias = FomMaps | BlobMaps
Settings: TypeAlias = dict[str, Any]


class Picker(Protocol):
    """From a micrograph to maps, to disk and back, and from maps to picks."""

    def settings(self, micrograph: Micrograph) -> Settings:
        """All that shapes the maps of a micrograph, as JSON values."""
        ...

    def thresholds(self, micrograph: Micrograph) -> Settings:
        """All that shapes the picks beyond the maps, as JSON values."""
        ...

    def compute(self, micrograph: Micrograph, image: Tensor) -> Maps:
        """Work out the maps of a micrograph, ``(h, w)`` float32 pixels as read."""
        ...

    def pick(self, micrograph: Micrograph, maps: Maps) -> Picks:
        """Find picks in maps."""
        ...

    @property
    def floor(self) -> float:
        """Least figure of merit of candidates."""
        ...

    @property
    def exact_from(self) -> float | None:
        """Least figure of merit of peaks that are exact in maps; None where maps are exact everywhere."""
        ...

    def candidates(self, micrograph: Micrograph, maps: Maps) -> Candidates | None:
        """All peaks of maps down to the floor; None when picks do not come from single peaks."""
        ...

    def pick_candidates(self, micrograph: Micrograph, candidates: Candidates) -> Picks:
        """Find the picks of `pick` in candidates."""
        ...

    def compete(self, micrograph: Micrograph, candidates: Candidates) -> dict[Null, Competition]:
        """Let the picks in candidates compete with decoys; only where the spec wants decoys."""
        ...

    def best(self, micrograph: Micrograph, maps: Maps) -> float:
        """Highest figure of merit away from the sides, whatever the gates."""
        ...

    def store(self, maps: Maps) -> StoredMaps:
        """Maps as a file holds them; `settings` are added by the job."""
        ...

    def restore(self, stored: StoredMaps) -> Maps:
        """Maps as they were before `store`."""
        ...

    def restore_relion(self, stem: str, micrograph: Micrograph) -> Maps:
        """Maps that RELION wrote as ``<stem>_*.spi``."""
        ...
