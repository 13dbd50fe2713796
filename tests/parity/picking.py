"""Picking against RELION 3.0.8: maps, and picks at matched figures of merit.

RELION draws random numbers: for the expected ratio of each reference and micrograph, so that its figures of
merit carry one arbitrary factor each, and for noise around micrographs that are not square. The same numbers
are drawn here (`parity.noise`). Our maps are multiplied by the factors before peaks are found.

The noise is left out, as it is by the job, and picks of either program without one of the other within a work
pixel are counted: "unmatched". Then the search is done once more with RELION's noise around the micrograph.
Picks that are unmatched "with noise" too differ for another reason; all others differ by that noise. A case
is within tolerance when it is so with the noise, and marked "differs by noise" when it is not without; yet
without it no fewer may match than with other noise.

Where the noise tells: everywhere, as the edge of the low-pass makes references reach far. At mini's
pick_tutorial11 it changes figures of merit by 0.005 of a perfect match (rms) at 64 pixels from it and by
0.001 in the middle, with a high-pass by 0.02 and 0.004. Peaks nearly as high as others then change places
with them, and all that they suppress. With three other seeds of RELION's noise 95.5 to 98 % of the picks at
pick_highpass match, without noise 97.5 and 99.0 %.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from scipy.spatial import cKDTree

from cryoflow.compute.pick.figure_of_merit import FomMaps, Sampling
from cryoflow.compute.pick.peaks import Picks
from cryoflow.files.coordinates import read_coordinates
from cryoflow.files.fom_maps import has_relion_maps
from cryoflow.jobs.autopick.map_files import relion_fom_maps
from cryoflow.jobs.autopick.micrographs import Micrograph, list_micrographs, read_micrograph
from cryoflow.jobs.autopick.picker import Maps, Picker
from cryoflow.jobs.autopick.run import make_picker
from cryoflow.jobs.autopick.template_picker import ReferencePicker
from cryoflow.project.context import JobContext
from cryoflow.spec import AutoPick
from parity.padded import PaddedSearch

LEAST_CORRELATION = 0.9999
LEAST_MATCHED = 0.98
LEAST_ALIKE = 0.97
LEAST_WITHOUT_NOISE = 0.955
"""Found of picks when the noise is another, RELION's own included."""
XY = ["rlnCoordinateX", "rlnCoordinateY"]


class Matches(NamedTuple):
    """Picks of one micrograph, or of several."""

    relion: int
    ours: int
    relion_found: int
    """RELION's picks that have one of ours within a work pixel."""
    ours_found: int
    same_reference: int
    same_psi: int
    """Within one step of the in-plane sampling."""

    @property
    def unmatched(self) -> int:
        """Picks of both without a match."""
        return self.relion + self.ours - self.relion_found - self.ours_found

    @property
    def shares(self) -> tuple[float, float]:
        """Of RELION's picks and of ours, those that match."""
        return self.relion_found / max(1, self.relion), self.ours_found / max(1, self.ours)

    @property
    def alike(self) -> tuple[float, float]:
        """Of RELION's picks that match, those of the same reference, and of the same angle."""
        found = max(1, self.relion_found)
        return self.same_reference / found, self.same_psi / found

    def within(self, least_matched: float) -> bool:
        """Whether enough picks match, and enough of these are alike."""
        return min(self.shares) >= least_matched and min(self.alike) >= LEAST_ALIKE

    @classmethod
    def total(cls, parts: list[Self]) -> Self:
        """Of several micrographs."""
        return cls(*(sum(column) for column in zip(*parts, strict=True)))


class Agreement(NamedTuple):
    """One micrograph."""

    plain: Matches
    with_noise: Matches
    """With RELION's noise around the micrograph; of blobs, and from RELION's maps, the same as without."""
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
        if case.read or not isinstance(picker, ReferencePicker):
            return [_compare_plainly(case, context, picker, micrograph) for micrograph in micrographs]
        padded = PaddedSearch(picker)
        return [
            _compare_one(case, padded, micrograph, read_micrograph(context, micrograph), place)
            for place, micrograph in enumerate(micrographs)
        ]


def passes(results: list[Agreement]) -> bool:
    """Whether a case is within tolerance but for RELION's noise."""
    plain = Matches.total([one.plain for one in results]).within(LEAST_WITHOUT_NOISE)
    with_noise = Matches.total([one.with_noise for one in results]).within(LEAST_MATCHED)
    similar = all(value >= LEAST_CORRELATION for value in correlations(results).values())
    return plain and with_noise and similar


def correlations(results: list[Agreement]) -> dict[str, float]:
    """Lowest correlation of each kind of map."""
    kinds = {kind for one in results for kind in one.correlations}
    return {
        kind: min(one.correlations[kind] for one in results if one.correlations) for kind in sorted(kinds)
    }


def report(reference: Path, chosen: list[str]) -> bool:
    """Print the table; whether all cases are within tolerance."""
    print(
        "case                     RELION  ours  found  ours in RELION  reference   psi   "
        "unmatched  with noise  lowest map correlations"
    )
    good = True
    for case in cases(reference):
        if chosen and case.name not in chosen:
            continue
        results = compare(case)
        good &= passes(results)
        print(_line(case.name, results), flush=True)
    return good


def _line(name: str, results: list[Agreement]) -> str:
    plain = Matches.total([one.plain for one in results])
    left = Matches.total([one.with_noise for one in results]).unmatched
    (found, back), (reference, psi) = plain.shares, plain.alike
    verdict = "" if plain.within(LEAST_MATCHED) else "  differs by noise"
    return (
        f"{name:24} {plain.relion:6} {plain.ours:5} {found:7.4f} {back:11.4f} {reference:12.4f} {psi:8.4f}"
        f" {plain.unmatched:7} {left:11}     "
        + "  ".join(f"{kind} {value:.6f}" for kind, value in correlations(results).items())
        + (verdict if passes(results) else "  OUT OF TOLERANCE")
    )


def _case(project: Path, name: str, told: dict[str, Any], relion: str, micrographs: str) -> Case:
    return Case(
        name,
        AutoPick(references=_references(told), autopicking=_autopicking(told), **_target(told)),
        project,
        project / relion,
        micrographs,
        read=bool(told.get("read")),
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


def _compare_plainly(case: Case, context: JobContext, picker: Picker, micrograph: Micrograph) -> Agreement:
    """Compare picks from RELION's maps, or of blobs."""
    stem = _stem(case, micrograph)
    maps: Maps
    if case.read:
        assert isinstance(picker, ReferencePicker)
        maps = relion_maps(picker, stem, micrograph)
    else:
        maps = picker.compute(micrograph, read_micrograph(context, micrograph))
    picks = picker.pick(micrograph, picker.candidates(micrograph, maps)).picks
    found = _match(read_coordinates(f"{stem}.star"), picks, maps.sampling, case)
    return Agreement(found, found, {})


def _compare_one(
    case: Case, search: PaddedSearch, micrograph: Micrograph, image: torch.Tensor, place: int
) -> Agreement:
    stem, picker = _stem(case, micrograph), search.picker
    theirs = read_coordinates(f"{stem}.star")
    maps = picker.compute(micrograph, image)
    padded, expected = search.maps(micrograph, image, place)
    by_relion = relion_maps(picker, stem, micrograph) if has_relion_maps(stem) else None
    margin = picker.searches.references(micrograph.pixel_size_a).box // 2

    def matches(found: FomMaps) -> Matches:
        factors = (found.expected - 1) / (expected - 1)
        scaled = found._replace(fom=found.fom * factors.float()[:, None, None])
        picks = picker.pick(micrograph, picker.candidates(micrograph, scaled)).picks
        return _match(theirs, picks, maps.sampling, case)

    similar = {} if by_relion is None else _correlations(maps, by_relion, margin)
    return Agreement(matches(maps), matches(padded), similar)


def relion_maps(picker: ReferencePicker, stem: str, micrograph: Micrograph) -> FomMaps:
    """Read the maps that RELION has left."""
    return relion_fom_maps(picker.spec, picker.context, micrograph, stem, len(picker.given.images))


def _correlations(ours: FomMaps, theirs: FomMaps, margin: int) -> dict[str, float]:
    skip = int(margin / ours.sampling.spacing) + 1
    h, w = (min(one, other) for one, other in zip(ours.sd.shape, theirs.sd.shape, strict=True))
    inside = (..., slice(skip, h - skip), slice(skip, w - skip))
    pairs = zip(ours.fom[inside], theirs.fom[inside], strict=True)
    return {
        "sd": _correlation(ours.sd[inside], theirs.sd[inside]),
        "mean": _correlation(ours.mean[inside], theirs.mean[inside]),
        "FOM": min(_correlation(one, other) for one, other in pairs),
    }


def _correlation(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack((one.flatten().double(), other.flatten().double())))[0, 1])


def _stem(case: Case, micrograph: Micrograph) -> str:
    return f"{case.relion / micrograph.stem}_autopick"


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


def _match(theirs: Any, picks: Picks, sampling: Sampling, case: Case) -> Matches:
    ours = np.stack([picks.x.numpy(), picks.y.numpy()], 1)
    if not len(theirs) or not len(ours):
        return Matches(len(theirs), len(ours), 0, 0, 0, 0)
    row, column = _samples(sampling, theirs)  # RELION's coordinates are up to a sample off theirs
    relion = np.stack((sampling.left + sampling.spacing * column, sampling.top + sampling.spacing * row), 1)
    near, index = cKDTree(ours).query(relion)
    back, _ = cKDTree(relion).query(ours)
    found = near <= sampling.spacing + 1e-6
    reference = picks.reference.numpy()[index] + 1 == theirs["rlnClassNumber"].to_numpy()
    turn = (picks.psi_deg.numpy()[index] - theirs["rlnAnglePsi"].to_numpy() + 180) % 360 - 180
    step = case.spec.references.in_plane_angular_sampling + 1e-3
    return Matches(
        len(theirs),
        len(ours),
        int(found.sum()),
        int((back <= sampling.spacing + 1e-6).sum()),
        int(reference[found].sum()),
        int((np.abs(turn) <= step)[found].sum()),
    )
