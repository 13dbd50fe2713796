"""Extract: cut particles out of micrographs, normalise and rescale them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from cryoflow.spec.base import Broken, JobSpec, Section
from cryoflow.spec.field import NEGATIVE, field, own_field, positive_or_off, section
from cryoflow.spec.helix import ASYMMETRICAL_UNITS, TUBE_DIAMETER, helical


class Io(Section):
    """Micrographs, and where the particles lie in them."""

    micrograph_star_file: str = field(
        "micrograph STAR file:",
        "star_mics",
        takes="micrographs",
        help="STAR file of the micrographs to extract from.",
    )
    input_coordinates: str | None = field(
        "Input coordinates:",
        "coords_suffix",
        None,
        takes="coordinates",
        help="coords_suffix file or autopick.star of a picking job, or a folder with coordinate files.",
    )
    re_extract_refined_particles: bool = field(
        "OR re-extract refined particles?",
        "do_reextract",
        False,
        help="Yes takes positions from particles instead of picks, e.g. to go from binned to full size.",
    )
    refined_particles_star_file: str | None = field(
        "Refined particles STAR file:",
        "fndata_reextract",
        None,
        takes="particles",
        help="The particles to extract again, e.g. run_it025_data.star of a 2D classification.",
    )
    reset_the_refined_offsets_to_zero: bool = field(
        "Reset the refined offsets to zero?",
        "do_reset_offsets",
        False,
        help="Yes forgets the shifts found by refinement: particles stay where they were picked.",
    )
    re_center_refined_coordinates: bool = field(
        "OR: re-center refined coordinates?",
        "do_recenter",
        False,
        help="Yes moves every box by the shift found by refinement, so that particles sit in its middle.",
    )
    re_center_on_x_coordinate: float = field(
        "Re-center on X-coordinate (in pix):",
        "recenter_x",
        0.0,
        unit="pix",
        help="X of the point of the reference, from its centre, that shall come to the middle of the box.",
    )
    re_center_on_y_coordinate: float = field(
        "Re-center on Y-coordinate (in pix):",
        "recenter_y",
        0.0,
        unit="pix",
        help="Y of the point of the reference, from its centre, that shall come to the middle of the box.",
    )
    re_center_on_z_coordinate: float = field(
        "Re-center on Z-coordinate (in pix):",
        "recenter_z",
        0.0,
        unit="pix",
        help="Z of the point of the reference, from its centre; only for particles with 3D orientations.",
    )
    manually_set_pixel_size: bool = field(
        "Manually set pixel size?",
        "do_set_angpix",
        False,
        help="Yes only when the micrograph table does not tell the pixel size.",
    )
    pixel_size: float = field(
        "Pixel size (A)",
        "angpix",
        1.0,
        unit="A",
        low=0.01,
        high=100,
        help="Pixel size of the micrograph, before rescaling; used when it is set manually.",
    )


class ExtractTab(Section):
    """Box, contrast, background and size."""

    particle_box_size: int = field(
        "Particle box size (pix):",
        "extract_size",
        128,
        unit="pix",
        low=2,
        even=True,
        help="Side of the box in micrograph pixels; one and a half to two particle diameters.",
    )
    invert_contrast: bool = field(
        "Invert contrast?", "do_invert", True, help="Yes makes dark particles white, as later steps expect."
    )
    normalize_particles: bool = field(
        "Normalize particles?",
        "do_norm",
        True,
        help="Yes brings every background to mean 0 and standard deviation 1, as later steps expect.",
    )
    diameter_background_circle: float | None = field(
        "Diameter background circle (pix):",
        "bg_diameter",
        None,
        unit="pix",
        off=NEGATIVE,
        above=0,
        help="Pixels outside this circle are background (before rescaling); off: 75 % of the box.",
    )
    stddev_for_white_dust_removal: float | None = positive_or_off(
        "Stddev for white dust removal:",
        "white_dust",
        unit="sd",
        help="Pixels brighter than so many standard deviations are replaced by noise; off: none are.",
    )
    stddev_for_black_dust_removal: float | None = positive_or_off(
        "Stddev for black dust removal:",
        "black_dust",
        unit="sd",
        help="Pixels darker than so many standard deviations are replaced by noise; off: none are.",
    )
    rescale_particles: bool = field(
        "Rescale particles?",
        "do_rescale",
        False,
        help="Yes makes particles smaller: much faster classification at lower resolution.",
    )
    re_scaled_size: int = field(
        "Re-scaled size (pixels):",
        "rescale",
        128,
        unit="pixels",
        low=2,
        high=4096,
        even=True,
        help="Side of the box after rescaling; the pixel size grows by box / this.",
    )
    write_float16: bool = own_field(
        "Write float16?",
        False,
        help="Yes writes stacks of half the size (MRC mode 12); RELION 3 cannot read them.",
    )


_HELICAL = (
    helical("Extract helical segments?", "do_extract_helix", "No"),
    TUBE_DIAMETER,
    helical("Use bimodal angular priors?", "helical_bimodal_angular_priors", "Yes"),
    helical("Coordinates are start-end only?", "do_extract_helical_tubes", "Yes"),
    helical("Cut helical tubes into segments?", "do_cut_into_segments", "Yes"),
    ASYMMETRICAL_UNITS,
    helical("Helical rise (A):", "helical_rise", "1"),
)


class Extract(JobSpec):
    """Step 12 of the tutorial."""

    helical: ClassVar = _HELICAL

    job: Literal["Extract"] = own_field("Job", "Extract")
    io: Io = section("I/O", Io)
    extract: ExtractTab = section("extract", ExtractTab)

    def broken_rules(self) -> Iterator[Broken]:
        """Yield every rule between fields that this spec breaks."""
        yield from self._positions()
        yield from self._offsets()
        circle, box = self.extract.diameter_background_circle, self.extract.particle_box_size
        if circle is not None and circle > box:
            yield Broken(
                ("extract.diameter_background_circle", "extract.particle_box_size"),
                f"a circle of {circle:g} pix does not fit into a box of {box} pix",
            )

    def _positions(self) -> Iterator[Broken]:
        io = self.io
        if io.re_extract_refined_particles:
            if io.refined_particles_star_file is None:
                yield Broken(
                    ("io.refined_particles_star_file",),
                    "re-extraction needs the STAR file of the refined particles",
                )
            if io.input_coordinates is not None:
                yield Broken(
                    ("io.input_coordinates", "io.re_extract_refined_particles"),
                    "would not be used when particles are re-extracted; leave it out (-)",
                )
            return
        if io.input_coordinates is None:
            yield Broken(
                ("io.input_coordinates",),
                "no positions; give the coordinates of a picking job, or re-extract refined particles",
            )
        if io.refined_particles_star_file is not None:
            yield Broken(
                ("io.refined_particles_star_file", "io.re_extract_refined_particles"),
                "would not be used; set 'OR re-extract refined particles?' to Yes or leave it out (-)",
            )

    def _offsets(self) -> Iterator[Broken]:
        io = self.io
        reset, recenter = "io.reset_the_refined_offsets_to_zero", "io.re_center_refined_coordinates"
        if io.reset_the_refined_offsets_to_zero and io.re_center_refined_coordinates:
            yield Broken((recenter, reset), "offsets are either reset or used to re-center; choose one")
        if io.re_extract_refined_particles:
            return
        for name, asked in (
            (reset, io.reset_the_refined_offsets_to_zero),
            (recenter, io.re_center_refined_coordinates),
        ):
            if asked:
                yield Broken(
                    (name, "io.re_extract_refined_particles"),
                    "has an effect only on refined particles; set 'OR re-extract refined particles?' to Yes",
                )
