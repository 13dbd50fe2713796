"""Learn the coefficients of the class score from classifications of simulated projects.

    learn_class_score.py PROJECT/Class2D/job015/run_it015_model.star ... [--judge MODEL ...]

Each model belongs to a project made by `cryoflow simulate` (with its truth/). The score shall be the part of
whole particles among the members of each class: a logistic regression on `cryoflow.learn.class_score.terms`,
every class weighing as the square root of its members. Prints the coefficients, how well each project is told
by coefficients learnt on the other projects, and the scores of the models to judge, which take no part in the
learning. The area under the ROC curve is for classes of mostly whole particles against the others, each
weighing as its members.

The coefficients in `cryoflow.learn.class_score` come from iterations 8, 11 and 15 of six projects. Three are

    cryoflow simulate DIR --model {barrel,ring,irregular} --micrographs 5 --selected 5 --size 1400 1400
        --particles 80 --broken 8 --contaminants 12 --snr 0.02 --pixel-size 2.2 --hot-pixels 5 --seed 7

picked with the four references (threshold 0.2, 120 A, 10 degrees, shrink 0), extracted (box 112 to 48, circle
84) and classified (K = 12, 15 iterations, mask 190 A, 12 degrees). The others have 5 micrographs of 3080 A
with 70 particles, and

    --model barrel --symmetry D3 --seed 11 --snr 0.01 --carbon 0.6 --contaminants 15 --broken 8
        --pixel-size 2.2 --diameter 175
    --model ring --symmetry C5 --seed 12 --snr 0.03 --carbon 0.3 --contaminants 30 --broken 10
        --pixel-size 2 --diameter 160
    --model irregular --symmetry C2 --seed 13 --snr 0.014 --carbon 0.3 --contaminants 14 --broken 25
        --pixel-size 2.4 --diameter 190

picked at threshold 0.1 and 0.7 diameters, extracted in boxes of 1.4 diameters to 48 pixels and classified
(K = 12, 16, 16, mask 1.1 diameters).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize
from scipy.spatial import cKDTree

from cryoflow.files.mrc import read_stack
from cryoflow.files.tables import Table, read_particles
from cryoflow.jobs.select.model import class_numbers, data_beside, read_model
from cryoflow.jobs.select.scores import class_evidence
from cryoflow.learn import class_score
from cryoflow.simulate.score import PARTICLE, read_truth

Array = npt.NDArray[np.float64]
RIDGE = 0.001
"""Weight of the squared coefficients, the offset's left out, per unit of the classes' weight."""


class Classes(NamedTuple):
    """Classes of one model."""

    project: str
    terms: Array
    """``(K, terms)``."""
    truth: Array
    """Part of whole particles, ``(K,)``; NaN for empty classes."""
    members: Array
    """Particles of each class, ``(K,)``."""
    kinds: list[str]


def read_classes(path: Path) -> Classes:
    model = read_model(path)
    table = read_particles(data_beside(path))
    number = class_numbers(table, model)
    images = read_stack(path.with_name(path.name.replace("_model.star", "_classes.mrcs")))
    assert model.pixel_size_a is not None
    evidence = class_evidence(model, images, number, model.pixel_size_a)
    whole = whole_particles(path.parents[2], table)
    members = np.bincount(number, minlength=len(images) + 1)[1:].astype(float)
    hits = np.bincount(number, whole, minlength=len(images) + 1)[1:]
    truth = np.divide(hits, members, out=np.full(len(members), np.nan), where=members > 0)
    terms = torch.stack(list(class_score.terms(evidence).values()), 1).numpy()
    kinds = class_score.class_kinds(evidence, class_score.class_score(evidence))
    return Classes(str(path.parents[2]), terms, truth, members, kinds)


def whole_particles(project: Path, table: Table) -> Array:
    """Whether a whole particle lies under each row."""
    found = np.zeros(len(table.rows))
    for name, rows in table.rows.reset_index(drop=True).groupby("rlnMicrographName"):
        truth = read_truth(project, str(name))
        gaps, nearest = cKDTree(truth.xy).query(rows[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy(float))
        found[rows.index] = (gaps <= truth.tolerance) & (truth.kinds[nearest] == PARTICLE)
    return found


def learn(sets: list[Classes]) -> Array:
    """Coefficients of the logistic regression."""
    terms, truth, members = (
        np.concatenate([getattr(one, name) for one in sets]) for name in ("terms", "truth", "members")
    )
    known = np.isfinite(truth)
    terms, truth, weight = terms[known], truth[known], np.sqrt(members[known])
    weight = weight / weight.sum()

    def loss(coefficients: Array) -> float:
        total = terms @ coefficients
        entropy = np.logaddexp(0, total) - truth * total
        return float(weight @ entropy + RIDGE * (coefficients[1:] ** 2).sum())

    return np.asarray(minimize(loss, np.zeros(terms.shape[1])).x)


def area(score: Array, one: Classes) -> float:
    """Area under the ROC curve; NaN where all classes are of one sort."""
    known = np.isfinite(one.truth)
    good = (one.truth >= 0.5)[known]
    score, weight = score[known], one.members[known]
    pairs = weight[good][:, None] * weight[~good]
    apart = score[good][:, None] - score[~good]
    return float((pairs * (np.sign(apart) + 1) / 2).sum() / pairs.sum()) if pairs.size else np.nan


def report(one: Classes, coefficients: Array) -> None:
    score = 1 / (1 + np.exp(-one.terms @ coefficients))
    known = np.isfinite(one.truth)
    error = np.sqrt(np.average((score - one.truth)[known] ** 2, weights=one.members[known]))
    right = ((score >= 0.5) == (one.truth >= 0.5))[known]
    passed = one.members[score >= 0.5] @ np.nan_to_num(one.truth[score >= 0.5])
    total = one.members @ np.nan_to_num(one.truth)
    kept = one.members[score >= 0.5].sum()
    sys.stdout.write(
        f"{one.project}: error of the score {error:.3f}, area under the curve {area(score, one):.3f}, "
        f"{right.sum()} of {known.sum()} classes on the right side; "
        f"keeps {passed / total:.3f} of the particles with purity {passed / max(kept, 1):.3f}\n"
    )


def table(one: Classes, coefficients: Array) -> None:
    score = 1 / (1 + np.exp(-one.terms @ coefficients))
    for k in range(len(score)):
        sys.stdout.write(
            f"  class {k + 1:3d}: {one.members[k]:5.0f} members, {one.truth[k]:.2f} whole, "
            f"score {score[k]:.2f} {one.kinds[k]}\n"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--judge", type=Path, nargs="*", default=[])
    options = parser.parse_args()
    sets = [read_classes(path.absolute()) for path in options.models]
    coefficients = learn(sets)
    for name, value in zip(class_score.COEFFICIENTS, coefficients, strict=True):
        sys.stdout.write(f'    "{name}": {value:.2f},\n')
    projects = {one.project for one in sets}
    for one in sets if len(projects) > 1 else ():
        report(one, learn([other for other in sets if other.project != one.project]))
    for path in options.judge:
        one = read_classes(path.absolute())
        report(one, coefficients)
        table(one, coefficients)


if __name__ == "__main__":
    main()
