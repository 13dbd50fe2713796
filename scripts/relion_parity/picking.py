"""Picking against RELION 3.0.8: maps, and picks at matched figures of merit.

RELION puts a random term into the expected ratio of each reference and micrograph, so its figures of
merit carry one arbitrary factor each. It is taken from RELION's maps where there are any (it is the same
in all cases that compare the same references in the same way), and else measured at RELION's picks. Our
maps are multiplied by it before peaks are found. The other randomness of RELION, noise around micrographs
that are not square, stays.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.spatial import cKDTree

from cryoflow.compute.correlate import FomMaps, Sampling
from cryoflow.compute.peaks import Picks
from cryoflow.files.coordinates import read_coordinates
from cryoflow.files.fom_maps import has_relion_maps, read_relion_maps
from cryoflow.jobs.autopick import make_picker
from cryoflow.jobs.autopick.micrographs import Micrograph, list_micrographs, read_micrograph
from cryoflow.jobs.autopick.picker import Picker
from cryoflow.jobs.autopick.with_references import ReferencePicker
from cryoflow.project.context import JobContext
from cryoflow.spec import AutoPick

LEAST_CORRELATION = 0.9999
LEAST_MATCHED = 0.98
LEAST_ALIKE = 0.97
XY = ["rlnCoordinateX", "rlnCoordinateY"]


class Agreement(NamedTuple):
    """One micrograph."""

    relion: int
    ours: int
    relion_found: int
    """RELION's picks that have one of ours within a work pixel."""
    ours_found: int
    same_reference: int
    same_psi: int
    """Within one step of the in-plane sampling."""
    correlations: dict[str, float]
    """By kind of map, the lowest, inside the picking margin; empty without maps of RELION."""


class Case(NamedTuple):
    """Settings and folders of a comparison."""

    name: str
    spec: AutoPick
    project: Path
    relion: Path
    """RELION's job folder."""
    micrographs: str
    read: bool = False
    maps: Path | None = None
    """RELION's job with maps of the same references, and so the same expected ratios."""
    scored: Path | None = None
    """RELION's job with the picks to measure the factors at, if not this one."""
    mirrored: bool = False
    """The references have the other sign there."""


def cases(reference: Path) -> list[Case]:
    """All cases: those of ``mini/parity`` and two jobs of ``bgal``."""
    told = json.loads((reference / "mini/parity/cases.json").read_text())
    found = [
        _case(reference / "mini", name, told["pick_defaults"] | changes, f"parity/{name}", "mic")
        for name, changes in told["pick"].items()
    ]
    for job, changes in (("job010", {"threshold": 0.8, "mindist": 200}), ("job011", {})):
        settings = told["pick_defaults"] | changes
        found.append(_case(reference / "bgal", f"bgal {job}", settings, f"AutoPick/{job}", "mic"))
    return found


def names(reference: Path) -> list[str]:
    """Names of all cases."""
    return [case.name for case in cases(reference)]


def compare(case: Case) -> list[Agreement]:
    """Compare all micrographs of a case."""
    with TemporaryDirectory() as scratch:
        context = JobContext(case.project, Path(scratch))
        listed = list_micrographs(case.spec, context).micrographs
        micrographs = [one for one in listed if case.micrographs in one.name]
        picker, _ = make_picker(case.spec, context, micrographs[0].pixel_size_a)
        return [_compare_one(case, context, picker, micrograph) for micrograph in micrographs]


def passes(results: list[Agreement]) -> bool:
    """Whether a case is within tolerance."""
    total = totals(results)
    matched = min(total["relion found"], total["ours found"]) >= LEAST_MATCHED
    alike = min(total["same reference"], total["same psi"]) >= LEAST_ALIKE
    return matched and alike and all(value >= LEAST_CORRELATION for value in correlations(results).values())


def totals(results: list[Agreement]) -> dict[str, float]:
    """Shares over all micrographs of a case."""
    relion, ours = sum(one.relion for one in results), sum(one.ours for one in results)
    matched = max(1, sum(one.relion_found for one in results))
    return {
        "relion found": sum(one.relion_found for one in results) / max(1, relion),
        "ours found": sum(one.ours_found for one in results) / max(1, ours),
        "same reference": sum(one.same_reference for one in results) / matched,
        "same psi": sum(one.same_psi for one in results) / matched,
    }


def correlations(results: list[Agreement]) -> dict[str, float]:
    """Lowest correlation of each kind of map."""
    kinds = {kind for one in results for kind in one.correlations}
    return {
        kind: min(one.correlations[kind] for one in results if one.correlations) for kind in sorted(kinds)
    }


def report(reference: Path, chosen: list[str]) -> bool:
    """Print the table; whether all cases are within tolerance."""
    print(
        "case                     RELION  ours  found  ours in RELION  reference   psi    "
        "lowest map correlations"
    )
    good = True
    for case in cases(reference):
        if chosen and case.name not in chosen:
            continue
        results = compare(case)
        share, maps = totals(results), correlations(results)
        fine = passes(results)
        good &= fine
        print(
            f"{case.name:24} {sum(one.relion for one in results):6} {sum(one.ours for one in results):5}"
            f" {share['relion found']:7.4f} {share['ours found']:11.4f} {share['same reference']:12.4f}"
            f" {share['same psi']:8.4f}  "
            + "  ".join(f"{kind} {value:.6f}" for kind, value in maps.items())
            + ("" if fine else "  OUT OF TOLERANCE"),
            flush=True,
        )
    return good


def _case(project: Path, name: str, told: dict[str, Any], relion: str, micrographs: str) -> Case:
    same = told["ctf"] and not told["first_peak"] and not told.get("log") and not told.get("ref3d")
    maps = project / ("parity/pick_tutorial10_write" if project.name == "mini" else "AutoPick/job010")
    return Case(
        name,
        AutoPick(references=_references(told), autopicking=_autopicking(told), **_target(told)),
        project,
        project / relion,
        micrographs,
        read=bool(told.get("read")),
        maps=maps if same else None,
        scored=None if project.name == "mini" else project / "AutoPick/job011",
        mirrored=not told["invert"],
    )


def _target(told: dict[str, Any]) -> dict[str, Any]:
    """The sections that say what to look for: references, projections of a map, or blobs."""
    io: dict[str, Any] = {"input_micrographs_for_autopick": "CtfFind/job003/micrographs_ctf.star"}
    if log := told.get("log"):
        fields = ("min_diameter_for_log_filter", "max_diameter_for_log_filter")
        fields += ("maximum_resolution_to_consider", "adjust_default_threshold")
        return {
            "io": io | {"use_laplacian_of_gaussian": True},
            "laplacian": dict(zip(fields, log, strict=True)),
        }
    if not told.get("ref3d"):
        return {"io": io | {"reference_2d": "Select/job009/class_averages.star"}}
    volume, symmetry, order = told["ref3d"]
    io |= {"provide_a_3d_reference": True, "reference_3d": volume, "symmetry": symmetry}
    return {"io": io | {"angular_sampling_3d": {1: "30 degrees", 2: "15 degrees"}[order]}}


def _references(told: dict[str, Any]) -> dict[str, Any]:
    return {
        "lowpass_filter_references": told["lowpass"],
        "highpass_filter": told["highpass"],
        "pixel_size_in_references": told["angpix_ref"],
        "mask_diameter": told["diameter"],
        "in_plane_angular_sampling": told["ang"],
        "references_have_inverted_contrast": told["invert"],
        "are_references_ctf_corrected": told["ctf"],
        "ignore_ctfs_until_first_peak": told["first_peak"],
    }


def _autopicking(told: dict[str, Any]) -> dict[str, Any]:
    return {
        "picking_threshold": told["threshold"],
        "minimum_inter_particle_distance": told["mindist"],
        "maximum_stddev_noise": told["maxstd"],
        "minimum_avg_noise": told["minavg"],
        "shrink_factor": told["shrink"],
    }


def _compare_one(case: Case, context: JobContext, picker: Picker, micrograph: Micrograph) -> Agreement:
    stem = f"{case.relion / micrograph.stem}_autopick"
    theirs = read_coordinates(f"{stem}.star")
    by_relion = picker.restore_relion(stem, micrograph) if has_relion_maps(stem) else None
    if case.read:
        assert by_relion is not None
        return _match(theirs, picker.pick(micrograph, by_relion), by_relion.sampling, case, {})
    maps = picker.compute(micrograph, read_micrograph(context, micrograph))
    if not isinstance(maps, FomMaps):
        return _match(theirs, picker.pick(micrograph, maps), maps.sampling, case, {})
    assert isinstance(picker, ReferencePicker)
    if isinstance(by_relion, FomMaps):
        margin = picker.references(micrograph.pixel_size_a).box // 2
        factors, similar = _compare_maps(maps, by_relion, margin)
    else:
        scored = read_coordinates(f"{(case.scored or case.relion) / micrograph.stem}_autopick.star")
        factors, similar = _told_factors(case, micrograph, maps) or _factors_at_picks(maps, scored), {}
    scaled = maps._replace(fom=maps.fom * torch.tensor(factors, dtype=torch.float32)[:, None, None])
    return _match(theirs, picker.pick(micrograph, scaled), maps.sampling, case, similar)


def _compare_maps(ours: FomMaps, theirs: FomMaps, margin: int) -> tuple[list[float], dict[str, float]]:
    skip = int(margin / ours.sampling.spacing) + 1
    h, w = (min(one, other) for one, other in zip(ours.sd.shape, theirs.sd.shape, strict=True))
    inside = (..., slice(skip, h - skip), slice(skip, w - skip))
    x, y = ours.fom[inside].flatten(1).double(), theirs.fom[inside].flatten(1).double()
    factors = (x * y).sum(1) / (x * x).sum(1)
    similar = {"sd": _correlation(ours.sd[inside], theirs.sd[inside])}
    similar["mean"] = _correlation(ours.mean[inside], theirs.mean[inside])
    similar["FOM"] = min(_correlation(one, other) for one, other in zip(x, y, strict=True))
    return factors.tolist(), similar


def _correlation(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack((one.flatten().double(), other.flatten().double())))[0, 1])


def _told_factors(case: Case, micrograph: Micrograph, maps: FomMaps) -> list[float] | None:
    """Factors from the expected ratios in the headers of RELION's maps.

    RELION's ratio is ``exp(a + b)``, ours ``exp(a)``, and b changes sign with the reference.
    """
    stem = f"{case.maps}/{micrograph.stem}_autopick"
    if case.maps is None or not has_relion_maps(stem):
        return None
    ours = maps.expected.numpy()
    told = np.array(read_relion_maps(stem, len(ours)).expected)
    return list((ours - 1) / ((ours**2 / told if case.mirrored else told) - 1))


def _factors_at_picks(maps: FomMaps, theirs: Any) -> list[float]:
    """RELION's figure of merit over ours, by least squares at RELION's picks of each reference."""
    row, column = _samples(maps.sampling, theirs)
    number = theirs["rlnClassNumber"].to_numpy() - 1
    ours, relion = maps.fom.numpy()[number, row, column], theirs["rlnAutopickFigureOfMerit"].to_numpy()
    factors = []
    for index in range(len(maps.fom)):
        x, y = ours[number == index], relion[number == index]
        factors.append(float((x @ y) / (x @ x)) if len(x) else 1.0)
    return factors


def _samples(sampling: Sampling, theirs: Any) -> tuple[np.ndarray, np.ndarray]:
    """Our sample numbers of RELION's picks; RELION counts from its first whole sample on the micrograph."""
    found = []
    shift = max(sampling.height, sampling.width) % 2
    axes = ((sampling.height, sampling.top, XY[1]), (sampling.width, sampling.left, XY[0]))
    for length, first, label in axes:
        centre = round((length // 2 - (first - shift)) / sampling.spacing)
        whole = int(length / sampling.spacing + 1e-9)
        number = np.rint(theirs[label].to_numpy() / sampling.spacing).astype(int)
        found.append(number - whole // 2 + centre)
    return found[0], found[1]


def _match(theirs: Any, picks: Picks, sampling: Sampling, case: Case, similar: dict[str, float]) -> Agreement:
    ours = np.stack([picks.x.numpy(), picks.y.numpy()], 1)
    if not len(theirs) or not len(ours):
        return Agreement(len(theirs), len(ours), 0, 0, 0, 0, similar)
    row, column = _samples(sampling, theirs)  # RELION's coordinates are up to a sample off theirs
    relion = np.stack((sampling.left + sampling.spacing * column, sampling.top + sampling.spacing * row), 1)
    near, index = cKDTree(ours).query(relion)
    back, _ = cKDTree(relion).query(ours)
    found = near <= sampling.spacing + 1e-6
    reference = picks.reference.numpy()[index] + 1 == theirs["rlnClassNumber"].to_numpy()
    turn = (picks.psi_deg.numpy()[index] - theirs["rlnAnglePsi"].to_numpy() + 180) % 360 - 180
    step = case.spec.references.in_plane_angular_sampling + 1e-3
    return Agreement(
        len(theirs),
        len(ours),
        int(found.sum()),
        int((back <= sampling.spacing + 1e-6).sum()),
        int(reference[found].sum()),
        int((np.abs(turn) <= step)[found].sum()),
        similar,
    )
