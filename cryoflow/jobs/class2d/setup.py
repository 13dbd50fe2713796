"""The particles of a job: read, checked and prepared for the classification."""

from __future__ import annotations

from typing import NamedTuple

import torch

from cryoflow.compute.class2d import Data, Options
from cryoflow.errors import FileError
from cryoflow.files.tables import Table, one_pixel_size, require
from cryoflow.jobs.class2d.images import (
    Scan,
    box_of,
    scan_images,
    why_broken,
    why_unreadable,
    without_broken,
)
from cryoflow.jobs.class2d.input_warnings import warn_background, warn_groups
from cryoflow.jobs.class2d.memory import CACHE_BYTES
from cryoflow.jobs.class2d.memory_check import report_memory
from cryoflow.jobs.class2d.source import group_names, make_data
from cryoflow.jobs.inputs.ctf import CTF_NEEDED
from cryoflow.jobs.inputs.images import check_images, stack_headers
from cryoflow.jobs.inputs.relocated import stacks_of
from cryoflow.jobs.inputs.sanity import check_ctf
from cryoflow.project.context import Failure, JobContext
from cryoflow.spec import Class2D


class Input(NamedTuple):
    """Particles that can be classified."""

    table: Table
    """Without those left out."""
    groups: tuple[str, ...]
    data: Data
    options: Options
    failures: tuple[Failure, ...]


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
    context.reads(stacks_of(table.rows["rlnImageName"]))
    headers = stack_headers(context, table.rows["rlnImageName"].astype(str).tolist())
    table, unreadable = without_broken(table, why_unreadable(table, headers))
    check_images(context, table, headers)
    options = _options(spec, name, one_pixel_size(table, name), box_of(table, headers))
    report_memory(spec, context, len(table.rows), options.box)
    scan = scan_images(context, table, options)
    broken = why_broken(table, scan, spec.ctf.do_ctf_correction)
    table, failures = without_broken(table, broken)
    good = torch.tensor([not why for why in broken])
    warn_background(context, Scan(scan.mean[good], scan.deviation[good]), options)
    if spec.optimization.number_of_classes > len(table.rows):
        raise FileError(
            name,
            f"has fewer particles ({len(table.rows)}) than the {spec.optimization.number_of_classes} classes "
            "of the spec; use fewer classes",
        )
    groups = group_names(table.rows)
    dtype = torch.float64 if spec.compute.precision == "double" else torch.float32
    like = torch.zeros(1, dtype=dtype, device=context.device)
    data = _cached(
        make_data(table.rows, context.project, spec.compute.seed, like, groups, spec.ctf.do_ctf_correction),
        options,
    )
    warn_groups(context, data, groups)
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


def _cached(data: Data, options: Options) -> Data:
    """Keep images in memory when they are few."""
    count = len(data.group)
    if count * options.box**2 * 4 > CACHE_BYTES:
        return data
    images = data.images(torch.arange(count))
    return data._replace(images=lambda index: images[index.to(images.device)])
