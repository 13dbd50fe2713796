"""Extraction against RELION 3.0.8 on the same coordinates."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import torch

from cryoflow.compute.extract.normalize import background, remove_dust
from cryoflow.compute.image.masks import outside_disc
from cryoflow.files.mrc import read_header, read_stack
from cryoflow.files.tables import read_particles
from cryoflow.jobs.extract.run import run
from cryoflow.project.context import JobContext
from cryoflow.spec import parse_spec

pytestmark = pytest.mark.reference

Floats = npt.NDArray[np.float32]
CASES = ("tutorial", "noscale", "nonorm", "noinvert", "dust", "recenter", "reset")


def settings(reference: Path, case: str) -> dict[str, Any]:
    cases = json.loads((reference / "mini/parity/cases.json").read_text())
    return {**cases["extract_defaults"], **cases["extract"][f"extract_{case}"]}


def spec(given: dict[str, Any], workers: int = 1) -> Any:
    extract = {
        "particle_box_size": given["size"],
        "invert_contrast": given["invert"],
        "normalize_particles": given["norm"],
        "diameter_background_circle": given["bg"] if given["norm"] else None,
        "stddev_for_white_dust_removal": given["white"],
        "stddev_for_black_dust_removal": given["black"],
        "rescale_particles": given["scale"] is not None,
        "re_scaled_size": given["scale"] or 128,
    }
    io: dict[str, Any] = {"micrograph_star_file": "CtfFind/job003/micrographs_ctf.star"}
    if "reextract" in given:
        io |= {"re_extract_refined_particles": True, "refined_particles_star_file": given["reextract"]}
        io["re_center_refined_coordinates"] = "--recenter" in given["re"]
        io["reset_the_refined_offsets_to_zero"] = "--reset_offsets" in given["re"]
    else:
        io["input_coordinates"] = "parity/pick_tutorial11"
    return parse_spec({"job": "Extract", "io": io, "extract": extract, "compute": {"workers": workers}})


def extract(reference: Path, folder: Path, case: str, workers: int = 1) -> Path:
    for name in ("CtfFind", "Micrographs", "parity", "Extract"):
        (folder / name).symlink_to(reference / "mini" / name)
    directory = folder / "Out" / "job012"
    directory.mkdir(parents=True)
    given = settings(reference, case)
    result = run(spec(given, workers), JobContext(folder, directory))
    assert not result.failures
    return directory


def same_table(ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    assert list(ours.columns) == list(theirs.columns)
    for name in theirs.columns:
        if name == "rlnImageName":
            assert [n[:6] for n in ours[name]] == [n[:6] for n in theirs[name]]
        elif theirs[name].dtype.kind in "if":
            np.testing.assert_allclose(ours[name].astype(float), theirs[name], atol=2e-6, err_msg=name)
        else:
            assert list(ours[name]) == list(theirs[name])


@pytest.mark.parametrize("case", CASES)
def test_tables_and_pixels_agree(reference: Path, tmp_path: Path, case: str) -> None:
    directory = extract(reference, tmp_path, case)
    theirs = reference / "mini/parity" / f"extract_{case}"
    same_table(
        read_particles(directory / "particles.star").rows, read_particles(theirs / "particles.star").rows
    )
    for path in sorted(theirs.glob("Micrographs/*.mrcs")):
        mine = directory / "Micrographs" / path.name
        assert read_header(mine).pixel_size == pytest.approx(read_header(path).pixel_size, abs=1e-3)
        a, b = read_stack(mine), read_stack(path)
        assert a.shape == b.shape
        if case == "dust":
            raw = read_stack(reference / "mini/parity/extract_nonorm/Micrographs" / path.name)
            dust_apart(a, b, -raw)
        else:
            assert (np.abs(a - b) / b.std((1, 2), keepdims=True)).max() < 1e-4


def dust_apart(ours: Floats, theirs: Floats, raw: Floats) -> None:
    """The same pixels are noise; the others differ by the plane and scale that noise changes."""
    y, x = np.mgrid[: ours.shape[1], : ours.shape[2]]
    basis = np.stack([y.ravel(), x.ravel(), np.ones(y.size)], 1)
    where = background(outside_disc(64, 25), torch.float32)
    dust = remove_dust(torch.from_numpy(raw), where, 3.5, 3.5, [0] * len(raw)).replaced.numpy()
    assert dust.any() and dust.mean() < 0.01
    noise = []
    for a, b, replaced in zip(ours, theirs, dust, strict=True):
        same = ~replaced.ravel()
        design = np.concatenate([basis, a.reshape(-1, 1)], 1)
        fit, *_ = np.linalg.lstsq(design[same], b.ravel()[same], rcond=None)
        assert np.abs(b.ravel() - design @ fit)[same].max() < 1e-4
        noise += [*a[replaced], *b[replaced]]
    assert abs(np.mean(noise)) < 0.3 and abs(np.std(noise) - 1) < 0.3
