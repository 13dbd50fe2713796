"""Probabilities of being an intact particle, learnt from the micrographs as in Sort."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from cryoflow.api.arrays import Array, WarningReporter, as_tensor, instance, numpy, positive
from cryoflow.api.images import Micrograph, Particles, References
from cryoflow.api.reading import MicrographTable
from cryoflow.compute.parallel import one_thread_each
from cryoflow.errors import ArgumentError, CryoflowError
from cryoflow.files.tables import Table, one_pixel_size, require
from cryoflow.jobs.inputs.ctf import CTF_NEEDED
from cryoflow.jobs.sort.score_micrograph import Evidence, micrograph_evidence, together
from cryoflow.jobs.sort.score_plan import Plan, make_plan, mask_diameter
from cryoflow.jobs.sort.scores import score_rows

_COLUMNS = {
    "probability": "cryoflowProbability",
    "log_odds": "cryoflowLogOdds",
    "q_value": "cryoflowQValue",
    "q_value_shape": "cryoflowQValueShape",
}


@dataclass(frozen=True, eq=False)
class LearntScores:
    """Scores of particles; arrays ``(n,)`` float64.

    Attributes
    ----------
    probability : ndarray
        Probability of being an intact particle.
    log_odds : ndarray
        The same as log-odds.
    q_value, q_value_shape : ndarray
        Share of noise, and of blobs without the references' shape, among all particles with at most this
        value; contaminants are not noise.
    how : str
        What they were learnt from.
    table : DataFrame
        With the features, see `to_frame`.
    """

    probability: npt.NDArray[np.float64]
    log_odds: npt.NDArray[np.float64]
    q_value: npt.NDArray[np.float64]
    q_value_shape: npt.NDArray[np.float64]
    how: str
    table: pd.DataFrame = field(repr=False)

    def __len__(self) -> int:
        return len(self.probability)

    def to_frame(self) -> pd.DataFrame:
        """Return the table ``particles_scores.star``: ``cryoflowProbability``, ``cryoflowQValue`` ..."""
        return self.table.copy()


def learnt_scores(
    particles: Particles | pd.DataFrame,
    references: References,
    micrographs: MicrographTable | Sequence[Micrograph],
    *,
    diameter_a: float | None = None,
    ctf_corrected: bool = True,
    ignore_ctf_until_first_peak: bool = False,
    labels: Array | Sequence[float] | None = None,
    seed: int = 0,
) -> LearntScores:
    """Score particles by the micrographs around their positions; a few hundred are needed.

    Parameters
    ----------
    particles : Particles or DataFrame
        Only their rows are used: names of images and micrographs, coordinates, CTF and pixel size.
    references : References
        Those that they were picked with, bright.
    micrographs : MicrographTable or sequence of Micrograph
        Those that the rows name; a table reads one after the other.
    diameter_a : float, optional
        Largest diameter of the particle; by default that of the references' mask.
    ctf_corrected : bool
        The references are, so that the CTF of each micrograph's first particle is applied to them.
    ignore_ctf_until_first_peak : bool
        The CTF is 1 up to its first peak.
    labels : array, optional
        ``(n,)``: 1 for good particles, 0 for bad ones, NaN for unknown; by default scores are learnt without
        labels.
    seed : int
        Seed of decoys and folds.

    Returns
    -------
    LearntScores

    Raises
    ------
    ArgumentError
        If an argument cannot be used, or a micrograph is missing.
    CryoflowError
        If a column is missing, a micrograph cannot be scored, or there are too few labels.
    """
    instance(references, References, "references")
    table = _table(particles, ctf_corrected)
    images = as_tensor(references.images, "references", "n box box", dtype=torch.float64).cpu()
    if diameter_a is None:
        diameter_a = mask_diameter(images, references.pixel_size_a)
    plan = make_plan(
        table.rows,
        one_pixel_size(table, "particles"),
        images,
        references.pixel_size_a,
        positive(diameter_a, "diameter_a"),
        seed,
        ctf_corrected,
        ignore_ctf_until_first_peak,
    )
    plan = plan._replace(labels=_labels(labels, len(table.rows)))
    scored = score_rows(plan, WarningReporter(), together(_search(plan, micrographs)))
    columns = {name: scored.table[column].to_numpy(np.float64) for name, column in _COLUMNS.items()}
    return LearntScores(**columns, how=scored.learnt.how, table=scored.table)


def _table(particles: Particles | pd.DataFrame, ctf_corrected: bool) -> Table:
    if not isinstance(particles, Particles | pd.DataFrame):
        raise ArgumentError(f"particles: expected Particles or a DataFrame, got {type(particles).__name__}")
    rows = particles.rows if isinstance(particles, Particles) else particles
    table = Table(rows.reset_index(drop=True), "3.0", Path("particles"), "")
    require(table, "rlnImageName", "rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY")
    if ctf_corrected:
        require(table, *CTF_NEEDED, why="; give them, or set ctf_corrected=False")
    if not len(rows):
        raise ArgumentError("particles: none given")
    return table


def _labels(labels: Array | Sequence[float] | None, count: int) -> npt.NDArray[np.float64] | None:
    if labels is None:
        return None
    values = numpy(as_tensor(labels, "labels", "n", finite=False, dtype=torch.float64))
    if len(values) != count:
        raise ArgumentError(f"labels: {len(values)} values for {count} particles")
    if not np.isin(values[~np.isnan(values)], (0, 1)).all():
        raise ArgumentError("labels: give 1 for good, 0 for bad, NaN for unknown")
    return values


def _search(plan: Plan, micrographs: MicrographTable | Sequence[Micrograph]) -> list[Evidence]:
    """Evidence of each micrograph, in the order of their names."""
    place = _places(micrographs)
    groups = sorted(plan.rows.groupby("rlnMicrographName"), key=lambda group: str(group[0]))
    missing = [str(name) for name, _ in groups if str(name) not in place]
    if missing:
        raise ArgumentError(f"micrographs: {missing[0]} is missing, and {len(missing) - 1} more")

    def work(group: tuple[object, pd.DataFrame]) -> Evidence:
        micrograph = micrographs[place[str(group[0])]]
        pixels = as_tensor(micrograph.pixels, micrograph.label, "h w")
        try:
            return micrograph_evidence(plan, pixels, micrograph.pixel_size_a, group[1])
        except CryoflowError as error:
            raise CryoflowError(f"{micrograph.label}: {error}") from error

    first = None if isinstance(micrographs, MicrographTable) else micrographs[0].pixels
    with one_thread_each(str(first.device) if isinstance(first, Tensor) else "cpu") as spread:
        return list(spread(work, groups))


def _places(micrographs: MicrographTable | Sequence[Micrograph]) -> dict[str, int]:
    """Index of each micrograph by its name; of a table no micrograph is read."""
    if isinstance(micrographs, MicrographTable):
        names = micrographs.rows["rlnMicrographName"].astype(str).tolist()
    else:
        names = [instance(one, Micrograph, "micrographs").name for one in micrographs]
    return {name: number for number, name in enumerate(names)}
