"""From the spec and the micrographs' table to one task per micrograph."""

from __future__ import annotations

from cryoflow.compute.extract.particles import ExtractSettings, extract_settings
from cryoflow.errors import FileError
from cryoflow.files.job_paths import check_one_file_each, micrograph_file
from cryoflow.files.star import StarStyle
from cryoflow.files.tables import PIXEL_TOLERANCE, Table, pixel_size, read_micrographs, require
from cryoflow.jobs.extract.positions import Positions
from cryoflow.jobs.extract.rows import Frame
from cryoflow.jobs.extract.stack import Task
from cryoflow.jobs.inputs.ctf import CTF_NEEDED
from cryoflow.jobs.inputs.pixel_sizes import micrograph_pixel_sizes
from cryoflow.jobs.inputs.sanity import check_ctf
from cryoflow.project.context import JobContext
from cryoflow.spec import Extract

FLOAT32, FLOAT16 = 2, 12
"""MRC modes of stacks."""


def settings_of(spec: Extract) -> ExtractSettings:
    """Return the settings of particle images.

    Raises
    ------
    CryoflowError
        When the circle leaves too little background to normalise on.
    """
    tab = spec.extract
    return extract_settings(
        tab.particle_box_size,
        tab.re_scaled_size if tab.rescale_particles else None,
        tab.diameter_background_circle,
        tab.normalize_particles,
        tab.invert_contrast,
        tab.stddev_for_white_dust_removal,
        tab.stddev_for_black_dust_removal,
    )


def warn_of_enlarging(spec: Extract, context: JobContext) -> None:
    """Warn where rescaling makes particles larger."""
    tab = spec.extract
    if tab.rescale_particles and tab.re_scaled_size > tab.particle_box_size:
        context.report.warn(
            f"particles are enlarged from {tab.particle_box_size} to {tab.re_scaled_size} pixels, which adds "
            "no detail and slows later steps; set a smaller 're-scaled size', or 'Rescale particles?' to No"
        )


def micrographs_of(spec: Extract, context: JobContext) -> Table:
    """Read and check the micrographs' table.

    Raises
    ------
    FileError
        When it is empty, lacks columns, or two micrographs would write the same stack.
    """
    table = read_micrographs(context.resolve(spec.io.micrograph_star_file))
    positions = spec.io.refined_particles_star_file or spec.io.input_coordinates
    require(table, "rlnMicrographName", why=f", which joins its micrographs to {positions}")
    if len(table.rows) == 0:
        raise FileError(spec.io.micrograph_star_file, "holds no micrographs")
    if "rlnDefocusU" in table.rows.columns:
        require(table, *CTF_NEEDED)
        check_ctf(context, table, used=False)
    check_one_file_each(table.path, table.rows["rlnMicrographName"].astype(str), "stack")
    return table


def pixel_sizes(spec: Extract, context: JobContext, micrographs: Table) -> dict[str, float | None]:
    """Pixel size in A by micrograph name; None where neither the user, the table nor a header gives it.

    Raises
    ------
    FileError
        When it is needed but not given: for refined offsets, and for tables of RELION 3.1.
    """
    names = micrographs.rows["rlnMicrographName"].astype(str)
    given = spec.io.pixel_size if spec.io.manually_set_pixel_size else None
    found = micrograph_pixel_sizes(context, micrographs, given, "Manually set pixel size?")
    if found is None:
        if spec.io.re_extract_refined_particles or style_of(spec, micrographs) == "3.1":
            pixel_size(micrographs)  # refuses
        context.report.warn(
            f"{spec.io.micrograph_star_file} has no pixel size, so the particles will not have one either; "
            "set 'Manually set pixel size?' to Yes and give it"
        )
        return dict.fromkeys(names)
    low, high = min(found.values), max(found.values)
    if high > low * (1 + PIXEL_TOLERANCE):
        context.report.warn(
            f"micrographs of several pixel sizes ({low:g} to {high:g} A): Sort and Class2D need one; "
            "extract each kind separately, rescaled to a common pixel size"
        )
    return dict(zip(names, found.values, strict=True))


def style_of(spec: Extract, micrographs: Table) -> StarStyle:
    """Version of the tables to write."""
    return micrographs.style if spec.star_style == "input" else spec.star_style


def tasks_of(
    spec: Extract,
    context: JobContext,
    micrographs: Table,
    pixels: dict[str, float | None],
    positions: Positions,
) -> list[Task]:
    """Make one task for every micrograph that has coordinates, in the order of the table."""
    settings = settings_of(spec)
    style = style_of(spec, micrographs)
    optics = tuple(name for name in micrographs.optics if name in micrographs.rows.columns)
    tasks = []
    for record in micrographs.rows.to_dict("records"):
        row = {str(column): value for column, value in record.items()}
        name = str(row["rlnMicrographName"])
        if name not in positions.sources:
            continue
        stack = context.relative(micrograph_file(context.directory, name, ".mrcs"))
        manual = spec.io.manually_set_pixel_size
        size, rescaled = settings.size, settings.rescaled
        frame = Frame(row, stack, pixels[name], size, rescaled, manual, optics, style)
        tasks.append(
            Task(
                project=context.project,
                source=positions.sources[name],
                frame=frame,
                listed=spec.io.micrograph_star_file,
                table=micrograph_file(context.directory, name, "_extract.star"),
                settings=settings,
                seed=spec.compute.seed,
                device=context.device,
                double=spec.compute.precision == "double",
                keep=context.continuing,
                mode=FLOAT16 if spec.extract.write_float16 else FLOAT32,
            )
        )
    return tasks
