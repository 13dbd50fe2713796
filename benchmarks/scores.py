"""Judge the learnt scores of Sort on simulated projects that they were not developed on.

    benchmark.py scores [NAME ...] [--micrographs 8] [--seed 9000] [--clean] [--directory DIR]

Simulates projects of different particles, sizes, defoci and shares of contaminants, picks them at threshold
0, extracts, sorts with learnt scores, and prints for each

    AUC           area under the ROC curve of the probability: particles against all else, background, broken
                  particles, contaminants
    AP            average precision
    ECE, mean p   calibration error of the probability, 10 bins; its mean less the share of particles
    FDP 5 %, 10 % share of background among the particles with a q-value up to that, nominally as much
    luck          after ECE, what true probabilities would have on the average, for so few particles there
                  are; after FDP, sd of its distance to the nominal, for the counts of both sides
    P-FDP 5 %     the same of everything wrong, cut where the mean probability kept is 95 %

A particle counts as what lies within 0.35 diameters of it. Labels are used for judging only, but for the line
"labelled": a model that was told what the other micrographs' particles are, of the same features. It shows
how much these can tell.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from scipy.spatial import cKDTree
from scipy.stats import rankdata

from cryoflow.compute.score.features import Features
from cryoflow.files.star import read_star
from cryoflow.jobs.autopick.run import run as run_autopick
from cryoflow.jobs.extract.run import run as run_extract
from cryoflow.jobs.sort.run import run as run_sort
from cryoflow.jobs.sort.scores import PREFIX, camel
from cryoflow.learn.score.particle_score import FOLDS
from cryoflow.learn.score.score_model import taught_by_labels
from cryoflow.project.context import JobContext
from cryoflow.simulate.options import SimulateOptions
from cryoflow.simulate.project import CTF_TABLE, REFERENCES, simulate_project
from cryoflow.simulate.score import read_truth
from cryoflow.spec import parse_spec

Array = npt.NDArray[np.float64]
Kinds = npt.NDArray[np.int64]

CASES: dict[str, dict[str, Any]] = {
    "tetramer": {"contaminants": 18, "broken": 12},
    "barrel": {"model": "barrel", "diameter": 150.0, "contaminants": 40, "defocus": (10000.0, 25000.0)},
    "ring": {"model": "ring", "diameter": 200.0, "particles": 70, "broken": 20, "snr": 0.005},
    "irregular": {
        "model": "irregular",
        "diameter": 190.0,
        "particles": 90,
        "contaminants": 10,
        "references": 8,
    },
    "small": {"diameter": 125.0, "particles": 200, "contaminants": 30, "snr": 0.012, "carbon": 0.5},
    "sparse": {"model": "barrel", "diameter": 220.0, "particles": 30, "broken": 4, "contaminants": 25},
    "coarse": {"pixel_size": 2.6, "diameter": 180.0, "particles": 220, "contaminants": 30, "voltage": 300.0},
}
"""Options of `SimulateOptions`; each is simulated as it is, and without broken particles and contaminants."""
CLEAN = {"contaminants": 0, "broken": 0}
BROKEN, CONTAMINANT = 2, 3
COLUMNS = ("AUC", "backgr.", "broken", "contam.", "AP", "ECE", "luck", "mean p")
COLUMNS += ("FDP 5%", "luck", "10%", "luck", "P-FDP 5%")
LEVELS = (0.05, 0.1)


class Judged(NamedTuple):
    """Scores of particles and what they are."""

    probability: Array
    log_odds: Array
    q: Array
    kind: Kinds
    """0 background, 1 particle, 2 broken, 3 contaminant."""


def run_job(project: Path, name: str, mapping: dict[str, Any]) -> str:
    """Run a job's function on a spec; the folder of the job, from the project's."""
    directory = project / mapping["job"] / name
    directory.mkdir(parents=True)
    runner = {"AutoPick": run_autopick, "Extract": run_extract, "Sort": run_sort}[mapping["job"]]
    runner(parse_spec(mapping), JobContext(project, directory))
    return f"{mapping['job']}/{name}"


def sorted_project(project: Path, options: SimulateOptions) -> pd.DataFrame:
    """Simulate, pick, extract and sort; the table of learnt scores."""
    simulate_project(project, options)
    diameter, box = options.diameter, options.box + options.box % 4
    half = {"particle_box_size": box, "rescale_particles": True, "re_scaled_size": box // 2}
    references = {"mask_diameter": diameter, "pixel_size_in_references": 2 * options.pixel_size}
    source = {"input_micrographs_for_autopick": CTF_TABLE, "reference_2d": REFERENCES}
    cuts = {"picking_threshold": 0, "minimum_inter_particle_distance": 0.6 * diameter, "shrink_factor": 0}
    cuts["maximum_stddev_noise"] = -1
    picks = run_job(
        project,
        "job011",
        {"job": "AutoPick", "io": source, "references": references, "autopicking": cuts},
    )
    coordinates = f"{picks}/coords_suffix_autopick.star"
    source = {"micrograph_star_file": CTF_TABLE, "input_coordinates": coordinates}
    particles = run_job(project, "job012", {"job": "Extract", "io": source, "extract": half})
    source = {
        "input_particles_to_be_sorted": f"{particles}/particles.star",
        "autopicking_references": REFERENCES,
    }
    scores = {"learnt_scores": True, "particle_diameter": diameter}
    done = run_job(project, "job013", {"job": "Sort", "io": source, "scores": scores})
    table = read_star(project / done / "particles_scores.star")[""]
    assert isinstance(table, pd.DataFrame)
    return table


def judged(project: Path, table: pd.DataFrame) -> Judged:
    """Look up what the particles are."""
    kind = np.zeros(len(table), np.int64)
    for name, rows in table.groupby("rlnMicrographName"):
        truth = read_truth(project, str(name))
        gaps, nearest = cKDTree(truth.xy).query(rows[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy(float))
        kind[rows.index] = np.where(gaps <= truth.tolerance, truth.kinds[nearest], 0)
    columns = ("cryoflowProbability", "cryoflowLogOdds", "cryoflowQValue")
    return Judged(*(table[column].to_numpy(float) for column in columns), kind)


def labelled(table: pd.DataFrame, kind: Kinds) -> Judged:
    """Score the particles by labels, cross-fitted over micrographs; without q-values."""
    columns = [PREFIX + camel(name) for name in Features._fields]
    features = torch.from_numpy(table[columns].to_numpy(float))
    fold = torch.from_numpy(pd.factorize(table["rlnMicrographName"], sort=True)[0] % FOLDS)
    log_odds = taught_by_labels(features, torch.from_numpy(kind == 1).double(), fold).log_odds
    return Judged(torch.sigmoid(log_odds).numpy(), log_odds.numpy(), np.full(len(kind), np.nan), kind)


def area(good: Array, bad: Array) -> float:
    """Area under the ROC curve; nan where there is nothing to tell apart."""
    if not len(good) or not len(bad):
        return float("nan")
    ranks = rankdata(np.concatenate((good, bad)))[: len(good)]
    return float((ranks.sum() - len(good) * (len(good) + 1) / 2) / (len(good) * len(bad)))


def average_precision(score: Array, good: npt.NDArray[np.bool_]) -> float:
    hit = good[np.argsort(-score, kind="stable")]
    return float((hit.cumsum() / np.arange(1, len(hit) + 1))[hit].mean())


def calibration_error(probability: Array, good: npt.NDArray[np.bool_], bins: int = 10) -> float:
    """Mean distance of probability and share of particles over bins of equal width, by their sizes."""
    off = np.bincount(_bin(probability, bins), probability - good, bins)
    return float(np.abs(off).sum() / len(good))


def calibration_luck(probability: Array, bins: int = 10) -> float:
    """Expected calibration error of true probabilities: half-normal distances of the bins' counts."""
    variance = np.bincount(_bin(probability, bins), probability * (1 - probability), bins)
    return float(np.sqrt(2 / np.pi * variance).sum() / len(probability))


def _bin(probability: Array, bins: int) -> Kinds:
    return np.minimum((probability * bins).astype(np.int64), bins - 1)


def false_luck(bad: npt.NDArray[np.bool_], kept: npt.NDArray[np.bool_], level: float) -> float:
    """Sd of a realised less the nominal share: false ones and the decoys they are told by are counts."""
    count = kept.sum()
    return float(np.sqrt(bad[kept].sum() + level * count) / count) if count else float("nan")


def false_share(bad: npt.NDArray[np.bool_], kept: npt.NDArray[np.bool_]) -> float:
    return float(bad[kept].mean()) if kept.any() else float("nan")


def by_probability(probability: Array, level: float) -> npt.NDArray[np.bool_]:
    """The most probable ones, as many as have a mean probability of at least 1 - level."""
    order = np.argsort(-probability, kind="stable")
    error = np.cumsum(1 - probability[order]) / np.arange(1, len(order) + 1)
    kept = np.zeros(len(order), bool)
    kept[order[: int((error <= level).sum())]] = True
    return kept


def figures(one: Judged) -> list[float]:
    """The columns of the table."""
    good, score = one.kind == 1, one.log_odds
    areas = [
        area(score[good], score[bad]) for bad in (~good, *(one.kind == k for k in (0, BROKEN, CONTAMINANT)))
    ]
    noise, kept = one.kind == 0, [(one.q <= level, level) for level in LEVELS]
    shares = [value for k, level in kept for value in (false_share(noise, k), false_luck(noise, k, level))]
    return [
        *areas,
        average_precision(score, good),
        calibration_error(one.probability, good),
        calibration_luck(one.probability),
        float(one.probability.mean() - good.mean()),
        *shares,
        false_share(~good, by_probability(one.probability, 0.05)),
    ]


def line(name: str, one: Judged) -> str:
    values = " ".join("      - " if np.isnan(value) else f"{value:8.3f}" for value in figures(one))
    return f"{name:18s}{len(one.kind):6d}{int((one.kind == 1).sum()):6d} {values}\n"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(CASES)}; all")
    parser.add_argument("--micrographs", type=int, default=8, help="of each project")
    parser.add_argument("--seed", type=int, default=9000, help="of the first case; the next ones follow")
    parser.add_argument("--clean", action="store_true", help="only without contaminants and broken ones")
    parser.add_argument("--directory", type=Path, help="keep the projects there")
    given = parser.parse_args(arguments)
    names = given.names or list(CASES)
    with tempfile.TemporaryDirectory() as folder:
        bench(given.directory or Path(folder), names, given.micrographs, given.seed, given.clean)
    return 0


def bench(folder: Path, names: list[str], micrographs: int, seed: int, only_clean: bool) -> None:
    sys.stdout.write(f"{'':18s} picks  good {' '.join(f'{column:>8s}' for column in COLUMNS)}\n")
    clean: list[Judged] = []
    for name in names:
        own = seed + list(CASES).index(name)
        for label, other in ((name, {}), (f"{name}, clean", CLEAN))[only_clean:]:
            options = SimulateOptions(micrographs=micrographs, seed=own, **CASES[name] | other)
            project = folder / label.replace(", ", "_")
            table = sorted_project(project, options)
            one = judged(project, table)
            clean += [one] if other else []
            sys.stdout.write(line(label, one) + line("  labelled", labelled(table, one.kind)))
            sys.stdout.flush()
    sys.stdout.write(
        line("all clean ones", Judged(*(np.concatenate(parts) for parts in zip(*clean, strict=True))))
    )
