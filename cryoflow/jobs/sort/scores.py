"""``particles_scores.star``: a calibrated probability, a q-value and features of every particle.

``cryoflowProbability`` is the probability of being an intact particle: of those with 0.8, about 80 % are.
Learnt without labels, it is valid where particles are more alike than contaminants and the references
separate them from noise, and it is never below the probability that a position without visible signal lies on
a particle hidden by something nearby; learnt from labels, it means what they mean; by a model from another
job, it also requires the same fraction of good particles.

``cryoflowQValue`` is the share of noise among all particles with at most this value. It is valid where
decoys score like positions without a particle: where noise is isotropic and the CTF nearly round.
Contaminants and broken particles are not noise, fit references better than decoys, and are not counted: cut
those by probability. ``cryoflowQValueShape`` is against a blob of the references' power without their shape:
cautious, as particles of unclear shape count as blobs.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cryoflow.compute.parallel import one_thread_each
from cryoflow.compute.score.decoys import NULLS
from cryoflow.compute.score.features import Features
from cryoflow.errors import CryoflowError
from cryoflow.files.star import write_star
from cryoflow.jobs.sort.learning import Learnt, learn_scores
from cryoflow.jobs.sort.model_file import StoredModel, write_model
from cryoflow.jobs.sort.report import write_report
from cryoflow.jobs.sort.score_micrograph import PEAK_REACH, Evidence, Round, evidence, together
from cryoflow.jobs.sort.score_plan import Plan
from cryoflow.learn.score.fdr import hidden_objects, local_fdr, picked_share, q_values
from cryoflow.project.context import Failure, JobContext, JobResult, Reporter
from cryoflow.seeds import seed_for

FILE, REPORT, MODEL = "particles_scores.star", "scores_report.star", "particles_model.json"
PREFIX = "cryoflow"
"""Prefix of column names that RELION does not know."""
LEVEL = 0.01
"""False-discovery rate at which the summary counts."""


def write_scores(plan: Plan, context: JobContext) -> JobResult:
    """Score every particle and write the table; its rows are those of ``particles_sort.star``.

    Particles of micrographs that could not be read have no numbers (``nan``) and are reported as failures.

    Raises
    ------
    CryoflowError
        When no micrograph could be read.
    """
    groups = sorted(plan.rows.groupby("rlnMicrographName"), key=lambda group: str(group[0]))
    context.reads(str(name) for name, _ in groups)
    found = _search(plan, context, [(str(name), rows) for name, rows in groups])
    done = [one for one in found if isinstance(one, Evidence)]
    failures = tuple(one for one in found if isinstance(one, Failure))
    bad = {failure.item for failure in failures}
    if not done:
        raise CryoflowError(f"no micrograph could be scored; {failures[0].item}: {failures[0].message}")
    whole = together(done)
    table, learnt = score_rows(plan, context.report, whole)
    written = [context.directory / FILE]
    write_star(written[0], {"": table})
    written.append(context.directory / REPORT)
    seed = seed_for(plan.seed, "importance")
    write_report(written[-1], whole, learnt.model, table, plan.labels, seed)
    if learnt.model is not None:
        written.append(context.directory / MODEL)
        micrographs = tuple(str(name) for name, _ in groups if str(name) not in bad)
        write_model(written[-1], plan.stored or StoredModel(learnt.model, micrographs))
    return JobResult(
        inputs=(*plan.files, *(str(name) for name, _ in groups if str(name) not in bad)),
        outputs=tuple(context.relative(path) for path in written),
        counts={"scored": sum(len(one.row) for one in done)},
        failures=failures,
        summary=_summary(table, learnt.how),
    )


class RowScores(NamedTuple):
    """The table of scores, and how they were learnt."""

    table: pd.DataFrame
    learnt: Learnt


def score_rows(plan: Plan, report: Reporter, whole: Evidence) -> RowScores:
    """Score the rows of a plan by the evidence of all micrographs; ``report`` takes warnings."""
    noise = whole.rounds["noise"]
    chance, unpicked = (
        1 - local_fdr(noise.targets, noise.decoys, places[:, 0])
        for places in (whole.features, whole.unpicked)
    )
    learnt = learn_scores(plan, report, whole, chance, unpicked, unseen_chance(noise))
    return RowScores(_table(plan, whole, learnt.log_odds), learnt)


def _search(
    plan: Plan, context: JobContext, groups: list[tuple[str, pd.DataFrame]]
) -> list[Evidence | Failure]:
    with one_thread_each(context.device) as spread:
        found = spread(lambda group: evidence(plan, context, *group), groups)
        return list(context.report.progress(found, "micrographs scored", len(groups)))


def _table(plan: Plan, whole: Evidence, log_odds: Tensor) -> pd.DataFrame:
    q, q_shape = (_q_values(whole.rounds[null]) for null in NULLS)
    known = {"Probability": torch.sigmoid(log_odds), "LogOdds": log_odds, "QValue": q, "QValueShape": q_shape}
    known |= {camel(name): whole.features[:, i] for i, name in enumerate(Features._fields)}
    columns = {PREFIX + name: _all_rows(values, whole.row, len(plan.rows)) for name, values in known.items()}
    names = ("rlnImageName", "rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY")
    return plan.rows[list(names)].assign(**columns)


def unseen_chance(noise: Round) -> float:
    """Probability that a position lies within reach of an object hidden by something higher nearby."""
    reach, area = math.pi * PEAK_REACH**2, float(noise.area.sum())
    hidden = hidden_objects(noise.targets, noise.decoys, noise.rivals)
    return min(0.5, hidden * reach / area) if area else 0.0


def _q_values(whole: Round) -> Tensor:
    """q-values of the peaks that particles lie on, among all peaks; 1 where targets won none."""
    q = torch.ones_like(whole.own)
    holds = ~whole.own.isnan()
    own = whole.own[holds]
    q[holds] = q_values(own, whole.decoys, picked_share(whole.targets, own, whole.decoys))
    return q


def _all_rows(values: Tensor, index: Tensor, rows: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    column = np.full(rows, np.nan)
    column[index.numpy()] = values.numpy()
    return column


def camel(name: str) -> str:
    """Name of a feature as a column has it, without the prefix."""
    return "".join(part.capitalize() for part in name.split("_"))


def _summary(table: pd.DataFrame, how: str) -> str:
    probability, q = table[f"{PREFIX}Probability"], table[f"{PREFIX}QValue"]
    good, sure = int((probability >= 0.5).sum()), int((q <= LEVEL).sum())
    particles = f"{good} of {len(table)} are probably particles (p >= 0.5)"
    return f"; scored {how}: {particles}, {sure} not noise (q <= {LEVEL:g}; ice and carbon may be among them)"
