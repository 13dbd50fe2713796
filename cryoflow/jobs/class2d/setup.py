"""The particles of a job: read, checked and prepared for the classification."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.class2d import Data, Options
from cryoflow.compute.image.masks import outside_disc
from cryoflow.errors import CryoflowError, FileError
from cryoflow.files.mrc import MrcHeader, read_images, split_image_name
from cryoflow.files.mrc.read import NO_NUMBER
from cryoflow.files.tables import Table, one_pixel_size, require
from cryoflow.jobs.class2d.memory import CACHE_BYTES
from cryoflow.jobs.class2d.memory_check import report_memory
from cryoflow.jobs.class2d.source import group_names, make_ctf, make_data
from cryoflow.jobs.inputs.ctf import CTF_NEEDED, usable
from cryoflow.jobs.inputs.images import check_images, stack_headers
from cryoflow.jobs.inputs.sanity import check_ctf
from cryoflow.project.context import Failure, JobContext
from cryoflow.spec import Class2D

SMALL_GROUP = 10
"""Particles below which a group's noise is poorly known."""
SCAN = 512
IMAGE_BROKEN = "its image has values that are not finite (NaN or infinite)"
CTF_BROKEN = "its CTF columns have invalid values (NaN, or out of range)"


class Input(NamedTuple):
    """Particles that can be classified."""

    table: Table
    """Without those left out."""
    groups: tuple[str, ...]
    data: Data
    options: Options
    failures: tuple[Failure, ...]


class Scan(NamedTuple):
    """Background of each image, ``(N,)``; NaN for images with values that are not finite."""

    mean: Tensor
    deviation: Tensor


def prepare_input(spec: Class2D, context: JobContext, table: Table) -> Input:
    """Check the table and all images; leave out broken and unreadable images.

    Raises
    ------
    FileError, CryoflowError
        When nothing can be classified.
    """
    name = context.relative(table.path)
    if len(table.rows) == 0:
        raise FileError(name, "holds no particles to classify")
    require(table, "rlnImageName")
    if spec.ctf.do_ctf_correction:
        require(table, *CTF_NEEDED, why=", and 'Do CTF-correction?' is Yes")
        check_ctf(context, table)
    headers = stack_headers(context, table.rows["rlnImageName"].astype(str).tolist())
    table, unreadable = _without_broken(table, _unreadable(table, headers))
    check_images(context, table, headers)
    options = _options(spec, name, one_pixel_size(table, name), _box(table, headers))
    report_memory(spec, context, len(table.rows), options.box)
    scan = _scan(context, table, options)
    broken = _broken(table, scan, spec.ctf.do_ctf_correction)
    table, failures = _without_broken(table, broken)
    good = torch.tensor([not why for why in broken])
    _warn_background(context, Scan(scan.mean[good], scan.deviation[good]), options)
    if spec.optimization.number_of_classes > len(table.rows):
        raise FileError(
            name,
            f"has fewer particles ({len(table.rows)}) than the {spec.optimization.number_of_classes} classes "
            "that are asked for; ask for fewer classes",
        )
    groups = group_names(table.rows)
    dtype = torch.float64 if spec.compute.precision == "double" else torch.float32
    like = torch.zeros(1, dtype=dtype, device=context.device)
    data = _cached(
        make_data(table.rows, context.project, spec.compute.seed, like, groups, spec.ctf.do_ctf_correction),
        options,
    )
    _warn_groups(context, data, groups)
    return Input(table, groups, data, options, unreadable + failures)


def _options(spec: Class2D, name: str, pixel_size_a: float, box: int) -> Options:
    if spec.optimization.mask_diameter > box * pixel_size_a:
        raise FileError(
            name,
            f"boxes of {box} px are {box * pixel_size_a:.4g} A wide, less than the mask diameter of "
            f"{spec.optimization.mask_diameter:g} A; give a smaller one",
        )
    sampling = spec.sampling
    options = Options(
        box=box,
        pixel_size_a=pixel_size_a,
        mask_diameter_a=spec.optimization.mask_diameter,
        tau_fudge=spec.optimization.regularisation_parameter_t,
        correct_ctf=spec.ctf.do_ctf_correction,
        phase_flipped=spec.ctf.have_data_been_phase_flipped,
        first_peak=spec.ctf.ignore_ctfs_until_first_peak,
        zero_mask=spec.optimization.mask_individual_particles_with_zeros,
        align=sampling.perform_image_alignment,
        psi_step_deg=2 * sampling.in_plane_angular_sampling,
        offset_range_px=sampling.offset_search_range,
        offset_step_px=2 * sampling.offset_search_step,
        e_step_limit_a=spec.optimization.limit_resolution_e_step_to,
    )
    return options._replace(significant_fraction=1.0) if sampling.fine_search == "exhaustive" else options


def _unreadable(table: Table, headers: Mapping[str, MrcHeader | FileError]) -> list[str]:
    """Why each image cannot be read; empty for those that can."""

    def why(name: str) -> str:
        index, stack = split_image_name(name)
        header = headers[stack]
        if isinstance(header, FileError):
            return header.message
        if "@" not in name and header.nz > 1:
            return f"{NO_NUMBER}, and its file holds {header.nz} images"
        return "" if index < header.nz else f"its stack holds {header.nz} images"

    return [why(str(name)) for name in table.rows["rlnImageName"]]


def _box(table: Table, headers: Mapping[str, MrcHeader | FileError]) -> int:
    """Side of the images, of which all can be read."""
    boxes: dict[int, str] = {}
    for stack in dict.fromkeys(split_image_name(str(name))[1] for name in table.rows["rlnImageName"]):
        header = headers[stack]
        assert not isinstance(header, FileError)
        if header.nx != header.ny or header.nx % 2:
            raise FileError(
                stack, f"images of {header.nx} x {header.ny} px; classification needs square, even boxes"
            )
        boxes.setdefault(header.nx, stack)
    if len(boxes) > 1:
        (first, one), (second, other), *_ = boxes.items()
        raise FileError(
            other, f"boxes of {second} px where {one} has {first} px; extract all with one box size"
        )
    return next(iter(boxes))


def _scan(context: JobContext, table: Table, options: Options) -> Scan:
    """Read every image once: mean and standard deviation outside of the particle."""
    names = [str(name) for name in table.rows["rlnImageName"]]
    radius = options.mask_diameter_a / (2 * options.pixel_size_a)
    outside = outside_disc(options.box, radius).flatten()
    outside = outside if outside.any() else torch.ones_like(outside)
    means, deviations = [], []
    for first in range(0, len(names), SCAN):
        images = torch.from_numpy(read_images(names[first : first + SCAN], context.project)).flatten(1)
        background = images[:, outside].double()
        bad = ~torch.isfinite(images).all(1)
        means.append(background.mean(1).masked_fill(bad, torch.nan))
        deviations.append(background.std(1, correction=0))
    return Scan(torch.cat(means), torch.cat(deviations))


def _broken(table: Table, scan: Scan, needs_ctf: bool) -> list[str]:
    """Why each particle cannot be used; empty for those that can."""
    pixels = torch.isnan(scan.mean).tolist()
    ctf = ~usable(make_ctf(table.rows, True)) if needs_ctf else torch.zeros_like(scan.mean, dtype=torch.bool)
    return [
        IMAGE_BROKEN if image else CTF_BROKEN if value else ""
        for image, value in zip(pixels, ctf.tolist(), strict=True)
    ]


def _without_broken(table: Table, broken: list[str]) -> tuple[Table, tuple[Failure, ...]]:
    names = table.rows["rlnImageName"]
    failures = tuple(Failure(str(name), why) for name, why in zip(names, broken, strict=True) if why)
    if len(failures) == len(names):
        raise CryoflowError(f"{failures[0].item}: {failures[0].message}, and no other particle can be used")
    good = [not why for why in broken]
    return table._replace(rows=table.rows[good].reset_index(drop=True)), failures


def _warn_background(context: JobContext, scan: Scan, options: Options) -> None:
    """RELION's test: backgrounds should have a mean near 0 and a standard deviation near 1."""
    wrong = (
        ((scan.mean / scan.deviation).abs() > 0.5)
        | (scan.deviation < 0.5)
        | (scan.deviation > 2)
        | (scan.deviation == 0)
    )
    if not wrong.any():
        return
    mean, deviation = scan.mean[wrong], scan.deviation[wrong]
    context.report.warn(
        f"{int(wrong.sum())} of {len(wrong)} images are not normalised: outside of "
        f"{options.mask_diameter_a:g} A their means go from {mean.min():.3g} to {mean.max():.3g} and their "
        f"standard deviations from {deviation.min():.3g} to {deviation.max():.3g} (0 and 1 are expected); "
        "extract them with 'Normalize particles?'"
    )


def _warn_groups(context: JobContext, data: Data, groups: tuple[str, ...]) -> None:
    small = (data.group_sizes < SMALL_GROUP).nonzero()[:, 0]
    if len(small) and len(groups) > 1:
        first = int(small[0])
        context.report.warn(
            f"{len(small)} of {len(groups)} groups have fewer than {SMALL_GROUP} particles, e.g. "
            f"{groups[first]} with {int(data.group_sizes[first])}; their noise estimates are poor (see "
            "'Regroup the particles?' in Select)"
        )


def _cached(data: Data, options: Options) -> Data:
    """Keep images in memory when they are few."""
    count = len(data.group)
    if count * options.box**2 * 4 > CACHE_BYTES:
        return data
    images = data.images(torch.arange(count))
    return data._replace(images=lambda index: images[index.to(images.device)])
