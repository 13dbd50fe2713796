"""Learnt scores on real micrographs (EMPIAR-10017) against manual picks; these serve for judging only."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.spatial import cKDTree

from cryoflow.files.mrc import write_mrc
from cryoflow.files.star import read_star, write_star
from cryoflow.jobs.autopick.run import run as run_autopick
from cryoflow.jobs.extract.run import run as run_extract
from cryoflow.jobs.sort.run import run as run_sort
from cryoflow.project.context import JobContext
from cryoflow.spec import parse_spec

pytestmark = [pytest.mark.reference, pytest.mark.slow]
PIXEL_A, REFERENCE_A, TOLERANCE_A, MASK_A, DIAMETER_A = 1.77, 3.54, 60, 190, 180
CTF_TABLE, VOLUME = "CtfFind/job003/micrographs_ctf.star", "betagal_3.54A.mrc"
XY = ["rlnCoordinateX", "rlnCoordinateY"]
NO_CTF = {"are_references_ctf_corrected": False, "pixel_size_in_references": REFERENCE_A}
PICK: dict[str, Any] = {
    "job": "AutoPick",
    "io": {
        "input_micrographs_for_autopick": CTF_TABLE,
        "provide_a_3d_reference": True,
        "reference_3d": VOLUME,
        "symmetry": "D2",
        "angular_sampling_3d": "30 degrees",
    },
    "references": {"mask_diameter": MASK_A, "highpass_filter": -1, **NO_CTF},
    "autopicking": {
        "picking_threshold": 0.5,
        "minimum_inter_particle_distance": DIAMETER_A / 2,
        "maximum_stddev_noise": -1,
        "shrink_factor": 0,
        "figure_of_merit": "ncc",
    },
}
EXTRACT: dict[str, Any] = {
    "job": "Extract",
    "io": {
        "micrograph_star_file": CTF_TABLE,
        "input_coordinates": "AutoPick/job011/coords_suffix_autopick.star",
    },
    "extract": {"particle_box_size": 128, "rescale_particles": True, "re_scaled_size": 64},
}
SORT: dict[str, Any] = {
    "job": "Sort",
    "io": {
        "input_particles_to_be_sorted": "Extract/job012/particles.star",
        "autopicking_references": "AutoPick/job011/reference_projections.mrcs",
    },
    "reference": NO_CTF,
    "scores": {"learnt_scores": True, "particle_diameter": DIAMETER_A},
}


def table(path: Path) -> pd.DataFrame:
    rows = read_star(path)[""]
    assert isinstance(rows, pd.DataFrame)
    return rows


def make_project(source: Path, folder: Path) -> None:
    """The micrographs as MRC files, their table, and the map."""
    (folder / VOLUME).symlink_to(source / VOLUME)
    names = []
    for path in sorted((source / "jpg").glob("*.jpg")):
        names.append(f"Micrographs/{path.stem}.mrc")
        pixels = np.array(Image.open(path)).astype(np.int16)
        write_mrc(folder / names[-1], pixels, PIXEL_A)
    rows = {"rlnMicrographName": names, "rlnMagnification": 1e4, "rlnDetectorPixelSize": PIXEL_A}
    write_star(folder / CTF_TABLE, {"": pd.DataFrame(rows)})


def job(folder: Path, name: str, spec: dict[str, Any]) -> Path:
    directory = folder / name
    directory.mkdir(parents=True)
    runner = {"AutoPick": run_autopick, "Extract": run_extract, "Sort": run_sort}[spec["job"]]
    runner(parse_spec(spec), JobContext(folder, directory))
    return directory


def hits(rows: pd.DataFrame, truth: Path) -> tuple[np.ndarray, int]:
    """Whether each row finds a particle that no row of a higher score has found, and how many there are."""
    found, total = np.zeros(len(rows), bool), 0
    for name, own in rows.groupby("rlnMicrographName"):
        known = table(truth / f"{Path(str(name)).stem}.star")
        total += len(known)
        gaps, nearest = cKDTree(known[XY]).query(own[XY])
        near = gaps <= TOLERANCE_A / PIXEL_A
        best = pd.Series(own["cryoflowLogOdds"].to_numpy()[near]).groupby(nearest[near]).idxmax()
        found[own.index[near][best]] = True
    return found, total


def test_particles_rank_above_all_else(reference: Path, tmp_path: Path) -> None:
    source = reference / "empiar10017"
    make_project(source, tmp_path)
    job(tmp_path, "AutoPick/job011", PICK)
    job(tmp_path, "Extract/job012", EXTRACT)
    rows = table(job(tmp_path, "Sort/job013", SORT) / "particles_scores.star")
    found, total = hits(rows, source / "truth")
    hit = found[np.argsort(-rows["cryoflowLogOdds"].to_numpy(), kind="stable")]
    precision, recall = hit.cumsum() / np.arange(1, len(hit) + 1), hit.cumsum() / total
    assert recall[-1] > 0.98
    assert (2 * precision * recall / (precision + recall)).max() > 0.82
    assert precision[hit].sum() / total > 0.8
