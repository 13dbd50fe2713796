"""q-values of picks from competition with decoys, and how many picks are expected to be noise.

``cryoflowQValue`` is about noise: picks at empty positions. Contaminants and broken particles fit
references better than decoys and are not counted. ``cryoflowQValueShape`` is about everything picked for
its blob alone; this includes real particles of unclear shape, so it is conservative.

RELION's figure of merit compares the sums of references and not their shape alone: decoys fit the dark rims
of particles as well, and q-values are too large. Those of ``figure_of_merit: ncc`` are closer.

How many picks are noise is known within 10 % with ncc where particles are not crowded (0.98 to 1.08 times
the truth on simulations). Far from all objects decoys are as many as noise picks. But decoys that overlap a
particle fit its flank, where no noise is picked, and a particle's pick may lose to a better decoy near it;
both are counted as noise. Where most places are within a mask diameter of a particle the number is too high
(1.2 to 2.9 times, the more so the higher the threshold), and up to 1.4 times with RELION's figure of merit.
At thresholds that leave few noise picks it can also be too low (19 said of 51 on a simulation with carbon).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from cryoflow.compute.pick.target_decoy import Competition
from cryoflow.compute.score.decoys import NULLS, Null
from cryoflow.files.star import read_star, table_block, write_star
from cryoflow.learn.score.fdr import q_values
from cryoflow.project.context import JobContext

FILE = "picks_scores.star"
SUFFIXES: dict[Null, str] = {"noise": "", "shape": "Shape"}
"""Suffix of the columns of each null."""
Q_LEVEL = 0.05
"""The q-value whose figure of merit is proposed as a threshold."""
FOM, DECOY, WON = "rlnAutopickFigureOfMerit", "cryoflowDecoy", "cryoflowWon"


class Judged(NamedTuple):
    """q-values and expected noise of all picks."""

    output: Path
    expected: dict[Null, dict[str, int]]
    """Expected number of false picks by micrograph, for each null."""
    q_cut: float | None
    """Lowest figure of merit with a q-value of at most `Q_LEVEL`; None where no pick has one."""
    decoys: npt.NDArray[np.float64]
    """Figures of merit of the decoys that have won, of noise."""

    @property
    def counts(self) -> dict[str, int | float]:
        """Counts over all micrographs, for the record and the tables of sweeps."""
        names: dict[Null, str] = {"noise": "expected_false", "shape": "expected_false_shape"}
        return {names[null]: sum(self.expected[null].values()) for null in NULLS}

    @property
    def summary(self) -> str:
        """For the job's summary line."""
        count = self.counts["expected_false"]
        return f"; about {count} of them noise, or fewer if crowded (contaminants are not counted)"


def competition_file(coordinates: Path) -> Path:
    """Path of the competition of a coordinate file's picks."""
    return coordinates.with_name(f"{coordinates.stem}_decoys.star")


def write_competition(path: Path, competitions: Mapping[Null, Competition]) -> None:
    """Write the picks and the decoys of a micrograph, one block per null; RELION ignores the file."""
    write_star(path, {null: _rows(found) for null, found in competitions.items()})


def _rows(found: Competition) -> pd.DataFrame:
    sides = ((found.picks, found.picks_won), (found.decoys, found.decoys_won))
    tables = [
        pd.DataFrame(
            {
                "rlnCoordinateX": side.x.cpu().numpy(),
                "rlnCoordinateY": side.y.cpu().numpy(),
                FOM: side.fom.double().cpu().numpy(),
                DECOY: number,
                WON: won.cpu().numpy().astype(int),
            }
        )
        for number, (side, won) in enumerate(sides)
    ]
    return pd.concat(tables, ignore_index=True)


def assign_q_values(context: JobContext, micrographs: Sequence[str], coordinates: Sequence[str]) -> Judged:
    """Write ``picks_scores.star``: the q-values of all picks, from all micrographs' competitions.

    A q-value is the smallest share of noise in a list of picks that holds this one: of all winners with at
    least its figure of merit, the decoys over the picks. A pick that lost to a decoy has 1.

    Parameters
    ----------
    context : JobContext
    micrographs : sequence of str
    coordinates : sequence of str
        The file of each, project-relative; what `write_competition` wrote is next to it.
    """
    paths = [competition_file(context.resolve(name)) for name in coordinates]
    blocks = [(path, read_star(path)) for path in paths]
    tables = {null: [table_block(path, found, null) for path, found in blocks] for null in NULLS}
    picks = [table[table[DECOY] == 0] for table in tables[NULLS[0]]]
    names = np.repeat(np.array(micrographs, dtype=object), [len(table) for table in picks])
    scores = pd.concat(picks, ignore_index=True).drop(columns=[DECOY, WON])
    scores.insert(0, "rlnMicrographName", names)
    for null in NULLS:
        scores[f"cryoflowQValue{SUFFIXES[null]}"] = _q_values(pd.concat(tables[null], ignore_index=True))
    target = context.directory / FILE
    write_star(target, {"": scores})
    expected = {null: dict(zip(micrographs, map(_expected, tables[null]), strict=True)) for null in NULLS}
    noise = pd.concat(tables["noise"], ignore_index=True)
    decoys = noise[(noise[DECOY] == 1) & (noise[WON] == 1)][FOM].to_numpy(np.float64)
    sure = scores[scores["cryoflowQValue"] <= Q_LEVEL][FOM]
    return Judged(target, expected, float(sure.min()) if len(sure) else None, decoys)


def _q_values(table: pd.DataFrame) -> npt.NDArray[np.float64]:
    """q-values of the picks, in the order of the table."""
    picks = (table[DECOY] == 0).to_numpy()
    won = (table[WON] == 1).to_numpy()
    fom = torch.tensor(table[FOM].to_numpy(np.float64))
    q = np.ones(len(table))
    q[picks & won] = q_values(fom[picks & won], fom[~picks & won]).numpy()
    return q[picks]


def _expected(table: pd.DataFrame) -> int:
    """Picks that lost, and of the others as many as decoys that won; no more than there are picks."""
    count = int(((table[DECOY] == 1) == (table[WON] == 1)).sum())
    return min(count, int((table[DECOY] == 0).sum()))
