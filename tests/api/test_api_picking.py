"""Picking on arrays against AutoPick's own files."""

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.api_project import CTF, REFERENCES, make_project, run

import cryoflow as cf
from cryoflow.files.fom_maps import read_fom_maps
from cryoflow.files.star import read_star
from cryoflow.spec.autopick_tabs import Autopicking, Laplacian, References

JOB = "AutoPick/job010"
IO = {"input_micrographs_for_autopick": CTF, "reference_2d": REFERENCES}
SEARCH: dict[str, Any] = {"lowpass_a": 30, "psi_step_deg": 15, "shrink": 0}
PEAKS: dict[str, Any] = {"threshold": 0.2, "min_distance_a": 120}


def spec(**autopicking: Any) -> dict[str, Any]:
    references = {
        "lowpass_filter_references": 30,
        "in_plane_angular_sampling": 15,
        "pixel_size_in_references": 7.08,
    }
    gates = {"picking_threshold": 0.2, "minimum_inter_particle_distance": 120, "shrink_factor": 0}
    return {"job": "AutoPick", "io": IO, "references": references, "autopicking": {**gates, **autopicking}}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make_project(tmp_path_factory.mktemp("project"))
    run(root, JOB, spec(write_fom_maps=True))
    return root


@pytest.fixture(scope="module")
def micrograph(project: Path) -> cf.Micrograph:
    return cf.read_micrographs(CTF, project)[0]


@pytest.fixture(scope="module")
def references(project: Path) -> cf.References:
    return cf.read_references(REFERENCES, project=project)


def coordinates(project: Path, job: str, number: int = 1) -> pd.DataFrame:
    table = read_star(project / job / f"Micrographs/mic{number:03d}_autopick.star")[""]
    assert isinstance(table, pd.DataFrame)
    return table


def same_picks(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """To what a coordinate file holds: about seven digits."""
    assert len(found) >= 4
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=2e-6, atol=1e-6)


def test_maps_are_those_that_the_job_writes(project: Path, references: cf.References) -> None:
    for number, micrograph in enumerate(cf.read_micrographs(CTF, project), 1):
        found = cf.fom_maps(micrograph, references, **SEARCH)
        stored = read_fom_maps(project / JOB / f"Micrographs/mic{number:03d}_autopick_fom.mrcs")
        expected = np.split(stored.maps, [1, 2, 2 + len(references)])
        maps = (found.mean[None], found.sd[None], found.fom, found.psi_deg)
        for ours, theirs in zip(maps[:3], expected, strict=False):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=2e-5)
        assert (np.asarray(found.psi_deg) == expected[3]).mean() > 0.999  # near-equals may change places
        np.testing.assert_allclose(found.expected, stored.about["expected"], rtol=1e-5)
        assert found.sampling._asdict() == stored.about["sampling"]


def test_picks_are_those_that_the_job_writes(project: Path, references: cf.References) -> None:
    for number, micrograph in enumerate(cf.read_micrographs(CTF, project), 1):
        maps = cf.fom_maps(micrograph, references, **SEARCH)
        found = cf.find_peaks(maps, **PEAKS)
        same_picks(found.to_frame(), coordinates(project, JOB, number))
        same_picks(cf.pick(micrograph, references, **PEAKS, **SEARCH).to_frame(), found.to_frame())
        assert len(found) == len(found.x) and found.micrograph == micrograph.name


def test_the_correlation_coefficient_is_that_of_the_job(
    project: Path, micrograph: cf.Micrograph, references: cf.References
) -> None:
    run(project, "AutoPick/job011", spec(figure_of_merit="ncc", subpixel_peaks=True))
    found = cf.pick(micrograph, references, figure_of_merit="ncc", subpixel=True, **PEAKS, **SEARCH)
    same_picks(found.to_frame(), coordinates(project, "AutoPick/job011"))


def test_blobs_are_those_of_the_job(project: Path, micrograph: cf.Micrograph) -> None:
    io = {"input_micrographs_for_autopick": CTF, "use_laplacian_of_gaussian": True}
    laplacian = {"min_diameter_for_log_filter": 140, "max_diameter_for_log_filter": 180}
    run(project, "AutoPick/job012", {"job": "AutoPick", "io": io, "laplacian": laplacian})
    found = cf.pick_blobs(micrograph, min_diameter_a=140, max_diameter_a=180)
    pd.testing.assert_frame_equal(
        found.to_frame(), coordinates(project, "AutoPick/job012"), check_dtype=False, rtol=2e-6, atol=1e-6
    )


@pytest.mark.parametrize("dtype", [">i2", "<f4", "int32"])
def test_any_array_with_the_same_values_gives_the_same_picks(
    micrograph: cf.Micrograph, references: cf.References, dtype: str
) -> None:
    """The simulated micrograph holds whole numbers of 16 bits."""
    expected = cf.pick(micrograph, references, **PEAKS, **SEARCH).to_frame()
    pixels = np.asarray(micrograph.pixels)
    other = np.asfortranarray(np.repeat(pixels, 2, axis=1).astype(dtype))[:, ::2]
    found = cf.pick(
        cf.Micrograph(other, micrograph.pixel_size_a, micrograph.ctf), references, **PEAKS, **SEARCH
    )
    pd.testing.assert_frame_equal(found.to_frame(), expected)
    assert all(isinstance(part, np.ndarray) for part in (found.x, found.y, found.fom, found.reference))


def test_tensors_in_tensors_out(micrograph: cf.Micrograph, references: cf.References) -> None:
    expected = cf.pick(micrograph, references, **PEAKS, **SEARCH)
    maps = cf.fom_maps(micrograph.to("cpu"), references.to("cpu"), **SEARCH)
    found = cf.find_peaks(maps, **PEAKS)
    assert all(isinstance(part, torch.Tensor) for part in (maps.fom, maps.sd, found.x, found.fom))
    pd.testing.assert_frame_equal(found.to_frame(), expected.to_frame())


def test_what_references_need_is_made_once_for_micrographs_of_a_size(
    micrograph: cf.Micrograph, project: Path
) -> None:
    references = cf.read_references(REFERENCES, project=project)
    first = cf.fom_maps(micrograph, references, **SEARCH)
    (kept,) = references.prepared.values()
    cf.fom_maps(micrograph, references, **SEARCH)
    assert next(iter(references.prepared.values())) is kept
    references.images[0] *= 1.5  # changed in place: not what was prepared
    changed = cf.fom_maps(micrograph, references, **SEARCH)
    assert np.abs(changed.fom[0] - first.fom[0]).max() > 0.01


def refused(match: str) -> Any:
    return pytest.raises(cf.CryoflowError, match=match)


def test_arguments_that_do_not_fit_are_refused_in_one_line(
    micrograph: cf.Micrograph, references: cf.References
) -> None:
    pixels, size = np.array(micrograph.pixels), micrograph.pixel_size_a
    with refused("micrograph: expected a cryoflow.Micrograph, got ndarray"):
        cf.fom_maps(pixels, references)  # type: ignore[arg-type]
    with refused("references: expected a cryoflow.References"):
        cf.fom_maps(micrograph, references.images)  # type: ignore[arg-type]
    with refused("micrograph a.mrc: has no CTF; give one, or set ctf_corrected=False"):
        cf.fom_maps(cf.Micrograph(pixels, size, name="a.mrc"), references)
    with refused("micrograph: all pixels equal 3: nothing to pick"):
        cf.fom_maps(cf.Micrograph(np.full_like(pixels, 3), size, micrograph.ctf), references)
    with refused("smaller than the box of the references"):
        cf.fom_maps(cf.Micrograph(pixels[:20], size, micrograph.ctf), references)
    pixels[3, 4] = np.nan
    with refused("1 of 102000 values are NaN or infinite"):
        cf.fom_maps(cf.Micrograph(pixels, size, micrograph.ctf), references)
    for name in ("lowpass_a", "psi_step_deg", "mask_diameter_a"):
        with refused(f"{name}: -1; give a positive number"):
            cf.fom_maps(micrograph, references, **{name: -1})  # type: ignore[arg-type]
    with refused("figure_of_merit: 'ssim'"):
        cf.fom_maps(micrograph, references, figure_of_merit="ssim")  # type: ignore[arg-type]
    with refused("min_diameter_a: 300 exceeds"):
        cf.pick_blobs(micrograph, min_diameter_a=300)


def test_defaults_are_those_of_the_job() -> None:
    fields = {
        "lowpass_a": (References, "lowpass_filter_references"),
        "highpass_a": (References, "highpass_filter"),
        "psi_step_deg": (References, "in_plane_angular_sampling"),
        "mask_diameter_a": (References, "mask_diameter"),
        "inverted_contrast": (References, "references_have_inverted_contrast"),
        "ctf_corrected": (References, "are_references_ctf_corrected"),
        "ignore_ctf_until_first_peak": (References, "ignore_ctfs_until_first_peak"),
        "shrink": (Autopicking, "shrink_factor"),
        "figure_of_merit": (Autopicking, "figure_of_merit"),
        "threshold": (Autopicking, "picking_threshold"),
        "min_distance_a": (Autopicking, "minimum_inter_particle_distance"),
        "max_sd": (Autopicking, "maximum_stddev_noise"),
        "min_mean": (Autopicking, "minimum_avg_noise"),
        "subpixel": (Autopicking, "subpixel_peaks"),
        "min_diameter_a": (Laplacian, "min_diameter_for_log_filter"),
        "max_diameter_a": (Laplacian, "max_diameter_for_log_filter"),
        "white": (Laplacian, "are_the_particles_white"),
        "resolution_a": (Laplacian, "maximum_resolution_to_consider"),
        "adjust_threshold": (Laplacian, "adjust_default_threshold"),
    }
    for function in (cf.fom_maps, cf.find_peaks, cf.pick_blobs):
        for name, parameter in inspect.signature(function).parameters.items():
            if parameter.kind is parameter.KEYWORD_ONLY:
                section, field = fields[name]
                assert parameter.default == section.model_fields[field].default, name
