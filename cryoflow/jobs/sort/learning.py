"""The score of particles from their features: learnt here, from labels, or by another job."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cryoflow.compute.score.features import MIXTURE, Features
from cryoflow.errors import CryoflowError
from cryoflow.jobs.sort.score_micrograph import Evidence
from cryoflow.jobs.sort.score_plan import Plan
from cryoflow.learn.score.mixture import SURE_OBJECT
from cryoflow.learn.score.particle_score import FOLDS, TEACHES_ONLY, lacks_noise, teaches
from cryoflow.learn.score.score_model import ScoreModel, self_taught, taught_by_labels
from cryoflow.project.context import Reporter
from cryoflow.seeds import seed_for

LEAST = 3 * len(Features._fields)
"""Good and bad particles required outside each fold."""


class Learnt(NamedTuple):
    """Scores of particles, and how they were learnt."""

    log_odds: Tensor
    model: ScoreModel | None
    """None where there was too little to learn from."""
    how: str
    """In words, for the user."""


def learn_scores(
    plan: Plan, report: Reporter, whole: Evidence, chance: Tensor, unpicked: Tensor, unseen: float
) -> Learnt:
    """Score particles.

    Parameters
    ----------
    plan : Plan
    report : Reporter
        Takes warnings.
    whole : Evidence
        Of all micrographs.
    chance, unpicked : Tensor
        1 less the local false-discovery rate, of the particles ``(n,)`` and of the unpicked peaks ``(m,)``.
    unseen : float
        Probability that a position lies on an unseen object.

    Raises
    ------
    CryoflowError
        When there are too few labels to learn from.
    """
    if plan.stored is not None:
        seen = set(plan.stored.micrographs).intersection(plan.rows["rlnMicrographName"])
        if seen:
            warning = f"the model was trained on {len(seen)} of these micrographs: scores are optimistic"
            report.warn(warning)
        return Learnt(plan.stored.model.log_odds(whole.features), plan.stored.model, "by the given model")
    fold = _folds(plan, whole.row)
    if plan.labels is not None:
        label = torch.from_numpy(plan.labels)[whole.row]
        _check_labels(label, fold)
        scored = taught_by_labels(whole.features, label, fold)
        return Learnt(*scored, f"from {int((label == 1).sum())} good and {int((label == 0).sum())} bad ones")
    if teaches(chance):
        return _without_labels(whole, chance, unpicked, fold, unseen)
    few = "too few clear particles to learn from"
    report.warn(f"{few}: the probability is 1 - local false-discovery rate")
    return Learnt(torch.logit(chance, 1e-6), None, "from the correlation alone")


def _without_labels(whole: Evidence, chance: Tensor, unpicked: Tensor, fold: Tensor, unseen: float) -> Learnt:
    """Learn from the particles; if there is hardly any noise among them, use peaks that the picker left out.

    Sure objects that it left out are mostly parts of contaminants and would be mistaken for particles.
    """
    features = whole.features
    if lacks_noise(chance):
        shown = unpicked <= SURE_OBJECT
        features, chance = torch.cat((features, whole.unpicked[shown])), torch.cat((chance, unpicked[shown]))
        fold = torch.cat((fold, torch.full((int(shown.sum()),), TEACHES_ONLY)))
    return Learnt(*self_taught(features, chance, fold, len(MIXTURE), unseen), "without labels")


def _folds(plan: Plan, row: Tensor) -> Tensor:
    """Fold of each row, drawn by names of micrographs if labels teach, else of particles.

    Without labels a particle's neighbours leak nothing, and folds of whole micrographs would differ
    in defocus and thickness: with few micrographs their models score on different scales.
    """
    rows = plan.rows.iloc[row.numpy()]
    several = plan.labels is not None and rows["rlnMicrographName"].nunique() > 1
    column = "rlnMicrographName" if several else "rlnImageName"
    names = rows[column].astype(str)
    drawn = sorted(set(names), key=lambda name: seed_for(plan.seed, "fold", name))
    fold = {name: place % FOLDS for place, name in enumerate(drawn)}
    return torch.tensor([fold[name] for name in names])


def _check_labels(label: Tensor, fold: Tensor) -> None:
    for kind, name in ((1, "good"), (0, "bad")):
        count = np.bincount(fold[label == kind].numpy(), minlength=int(fold.max()) + 1)
        left = int(count.sum() - count.max())
        if left < LEAST:
            found = (
                f"{count.sum()} {name} particles, {left} without those of the fullest quarter of micrographs"
            )
            raise CryoflowError(f"{found}, are too few to learn from: at least {LEAST} are needed")
