"""Maps on disk: cryoflow's, whose settings must match the spec, and RELION's."""

from __future__ import annotations

from glob import escape
from pathlib import Path
from typing import Any

import torch

from cryoflow.compute.pick.figure_of_merit import FomMaps, Sampling, sampling_of
from cryoflow.compute.pick.log_blobs import BlobMaps
from cryoflow.compute.pick.search_grid import work_grid
from cryoflow.errors import CryoflowError, FileError
from cryoflow.files.fom_maps import StoredMaps, read_about, read_fom_maps, read_relion_maps, write_fom_maps
from cryoflow.files.mrc import read_header
from cryoflow.jobs.autopick.micrographs import Micrograph
from cryoflow.jobs.autopick.picker import Maps, Recipe
from cryoflow.project.context import JobContext
from cryoflow.spec import AutoPick

_AGAIN = "set 'Read FOM maps?' to No to compute the maps again"


def write_maps(path: Path, maps: Maps, recipe: Recipe, pixel_size_a: float) -> None:
    """Write the maps of a micrograph and what they were made with."""
    stored = _stored(maps)
    stored.about["settings"] = recipe.maps
    if isinstance(maps, FomMaps):
        stored.about["exact_from"] = recipe.exact_from
    write_fom_maps(path, stored, pixel_size_a * maps.sampling.spacing)


def _stored(maps: Maps) -> StoredMaps:
    """Response and diameter of blobs; of references mean, sd, the FOM maps, then the angles."""
    sampling = maps.sampling._asdict()
    if isinstance(maps, BlobMaps):
        sections = torch.stack((maps.response, maps.diameter_a))
        return StoredMaps(sections.float().cpu().numpy(), {"sampling": sampling})
    sections = torch.cat((maps.mean[None], maps.sd[None], maps.fom, maps.psi_deg))
    about = {"expected": maps.expected.tolist(), "sampling": sampling}
    return StoredMaps(sections.float().cpu().numpy(), about)


def read_maps(path: Path) -> Maps:
    """Read maps as they were before `write_maps`."""
    stored = read_fom_maps(path)
    maps, sampling = torch.from_numpy(stored.maps), Sampling(**stored.about["sampling"])
    if "expected" not in stored.about:
        return BlobMaps(maps[0], maps[1], sampling)
    expected = torch.tensor(stored.about["expected"], dtype=torch.float64)
    fom, psi = maps[2 : 2 + len(expected)], maps[2 + len(expected) :]
    return FomMaps(fom, psi, maps[1], maps[0], expected, sampling)


def check_maps(path: Path, name: str, recipe: Recipe) -> None:
    """Check that maps on disk were made with the settings of the spec.

    Raises
    ------
    FileError
        Of the file as ``name``, saying what differs.
    """
    about = read_about(path)
    made = about.get("settings")
    if not isinstance(made, dict):
        raise FileError(name, "has no settings; write the maps again")
    for field, value in recipe.maps.items():
        if made.get(field) != value:
            raise FileError(
                name, f"made with {field} {_short(made.get(field))}, but now it is {_short(value)}; {_AGAIN}"
            )
    exact_from, wanted = about.get("exact_from"), recipe.exact_from
    if wanted is not None and (exact_from is None or exact_from > wanted):
        raise FileError(
            name,
            f"peaks below {_short(exact_from)} are not exact, and the spec needs those from "
            f"{_short(wanted)}; {_AGAIN}",
        )


def _short(value: Any) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def relion_fom_maps(
    spec: AutoPick, context: JobContext, micrograph: Micrograph, stem: str, references: int
) -> FomMaps:
    """Read the maps that RELION wrote as ``<stem>_*.spi`` for a number of references.

    RELION's squares are cut to the samples on the micrograph.

    Raises
    ------
    CryoflowError
        When the spec needs maps that RELION does not write, or their size differs.
    """
    _check_relion_has_these(spec, f"{stem}_*.spi")
    maps = Path(stem).parent.glob(f"{escape(Path(stem).name)}_*.spi")
    context.reads([micrograph.name, *map(context.relative, maps)])
    header = read_header(context.resolve(micrograph.name))
    lowpass, shrink = spec.references.lowpass_filter_references, spec.autopicking.shrink_factor
    grid = work_grid(header.ny, header.nx, micrograph.pixel_size_a, lowpass, shrink)
    found = read_relion_maps(stem, references)
    work = round(max(header.ny, header.nx) / grid.spacing)
    if found.sd.shape != (work, work):
        raise FileError(
            f"{stem}_*.spi",
            f"maps of {found.sd.shape[0]} pixels, but shrink factor and low-pass of the spec give {work}",
        )
    (h, w), (row, column) = grid.inside, (work // 2 - centre for centre in grid.centre)
    window = (..., slice(row, row + h), slice(column, column + w))
    fom, psi, sd, mean = (torch.from_numpy(part[window].copy()) for part in found[:4])
    expected = torch.tensor(found.expected, dtype=torch.float64)
    return FomMaps(fom, psi, sd, mean, expected, sampling_of(grid))


def _check_relion_has_these(spec: AutoPick, files: str) -> None:
    why = ""
    if spec.io.use_laplacian_of_gaussian:
        why = "RELION's Laplacian maps cannot be read"
    elif spec.statistics.decoys:
        why = "RELION's maps have no decoys"
    elif spec.autopicking.figure_of_merit != "relion":
        why = "the maps hold RELION's figure of merit"
    if why:
        raise CryoflowError(f"{files}: {why}; set 'Read FOM maps?' to No")
