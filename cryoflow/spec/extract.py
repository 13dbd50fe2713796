"""Extract: crop particles from micrographs, normalise and rescale them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from cryoflow.spec.base import Broken, JobSpec, Section
from cryoflow.spec.field import NEGATIVE, field, own_field, positive_or_off, section
from cryoflow.spec.helix import ASYMMETRICAL_UNITS, TUBE_DIAMETER, helical


class Io(Section):
    """Micrographs, and the positions of the particles in them."""

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
        help="Yes takes positions from particles instead of picks, e.g. to return from binned to full size.",
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
        help="Yes discards the shifts found by refinement: particles stay where they were picked.",
    )
    re_center_refined_coordinates: bool = field(
        "OR: re-center refined coordinates?",
        "do_recenter",
        False,
        help="Yes shifts every box by the offset found by refinement, so that the particle is centred.",
    )
    re_center_on_x_coordinate: float = field(
        "Re-center on X-coordinate (in pix):",
        "recenter_x",
        0.0,
        unit="pix",
        help="X of the reference's point, relative to its centre, to place at the centre of the box.",
    )
    re_center_on_y_coordinate: float = field(
        "Re-center on Y-coordinate (in pix):",
        "recenter_y",
        0.0,
        unit="pix",
        help="Y of the reference's point, relative to its centre, to place at the centre of the box.",
    )
    re_center_on_z_coordinate: float = field(
        "Re-center on Z-coordinate (in pix):",
        "recenter_z",
        0.0,
        unit="pix",
        help="Z of the reference's point, relative to its centre; only for particles with 3D orientations.",
    )
    manually_set_pixel_size: bool = field(
        "Manually set pixel size?",
        "do_set_angpix",
        False,
        help="Yes only if the micrograph table has no pixel size.",
    )
    pixel_size: float = field(
        "Pixel size (A)",
        "angpix",
        1.0,
        unit="A",
        low=0.01,
        high=100,
        help="Pixel size of the micrographs, before rescaling; used if set manually.",
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
        help="Side of the box in micrograph pixels; 1.5 to 2 particle diameters.",
    )
    invert_contrast: bool = field(
        "Invert contrast?", "do_invert", True, help="Yes turns dark particles white, as later steps expect."
    )
    normalize_particles: bool = field(
        "Normalize particles?",
        "do_norm",
        True,
        help="Yes scales every background to mean 0 and standard deviation 1, as later steps expect.",
    )
    diameter_background_circle: float | None = field(
        "Diameter background circle (pix):",
        "bg_diameter",
        None,
        unit="pix",
        off=NEGATIVE,
        above=0,
        help="Pixels outside this circle are background (in pixels before rescaling); off: 75 % of the box.",
    )
    stddev_for_white_dust_removal: float | None = positive_or_off(
        "Stddev for white dust removal:",
        "white_dust",
        unit="sd",
        help="Pixels brighter than this many standard deviations are replaced by noise; off: none.",
    )
    stddev_for_black_dust_removal: float | None = positive_or_off(
        "Stddev for black dust removal:",
        "black_dust",
        unit="sd",
        help="Pixels darker than this many standard deviations are replaced by noise; off: none.",
    )
    rescale_particles: bool = field(
        "Rescale particles?",
        "do_rescale",
        False,
        help="Yes downscales particles: much faster classification at lower resolution.",
    )
    re_scaled_size: int = field(
        "Re-scaled size (pixels):",
        "rescale",
        128,
        unit="pixels",
        low=2,
        high=4096,
        even=True,
        help="Side of the box after rescaling; the pixel size grows accordingly.",
    )
    write_float16: bool = own_field(
        "Write float16?",
        False,
        help="Yes halves the size of the stacks (MRC mode 12), which RELION 3 cannot read.",
    )


class Picks(Section):
    """Which of the picks are extracted; without a bound, all of them."""

    minimum_autopick_fom: float | None = own_field(
        "Minimum autopick FOM",
        None,
        help="Lowest figure of merit of a pick (RELION 5's 'Use autopick FOM threshold?').",
    )
    q_value_max: float | None = own_field(
        "Q-value max",
        None,
        low=0,
        high=1,
        help="Highest q-value of a pick, e.g. 0.05, from picking with decoys.",
    )
    probability_min: float | None = own_field(
        "Probability min",
        None,
        low=0,
        high=1,
        help="Lowest probability of a pick, from a table with cryoflowProbability and positions.",
    )
    scores: str | None = own_field(
        "Scores",
        None,
        takes="scores",
        help="Table with q-values or probabilities; none: picks_scores.star next to the coordinates.",
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
    picks: Picks = section("Picks", Picks)

    def broken_rules(self) -> Iterator[Broken]:
        """Yield every rule between fields that this spec breaks."""
        yield from self._positions()
        yield from self._offsets()
        yield from self._picks()
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
                    "re-extraction needs the refined particles' STAR file; name it",
                )
            if io.input_coordinates is not None:
                yield Broken(
                    ("io.input_coordinates", "io.re_extract_refined_particles"),
                    "would be ignored when particles are re-extracted; remove it (-)",
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
                "would be ignored; set 'OR re-extract refined particles?' to Yes or remove it (-)",
            )

    def _offsets(self) -> Iterator[Broken]:
        io = self.io
        reset, recenter = "io.reset_the_refined_offsets_to_zero", "io.re_center_refined_coordinates"
        if io.reset_the_refined_offsets_to_zero and io.re_center_refined_coordinates:
            yield Broken((recenter, reset), "offsets are either reset or used for re-centering; choose one")
        if io.re_extract_refined_particles:
            return
        for name, asked in (
            (reset, io.reset_the_refined_offsets_to_zero),
            (recenter, io.re_center_refined_coordinates),
        ):
            if asked:
                yield Broken(
                    (name, "io.re_extract_refined_particles"),
                    "affects refined particles only; set 'OR re-extract refined particles?' to Yes",
                )

    def _picks(self) -> Iterator[Broken]:
        picks = self.picks
        scored = picks.q_value_max is not None or picks.probability_min is not None
        if picks.scores is not None and not scored:
            yield Broken(
                ("picks.scores", "picks.q_value_max"),
                "would be ignored; give 'Q-value max' or 'Probability min' too, or remove it (-)",
            )
        if self.io.re_extract_refined_particles and (scored or picks.minimum_autopick_fom is not None):
            yield Broken(
                ("picks.minimum_autopick_fom", "io.re_extract_refined_particles"),
                "picks are not cut when particles are re-extracted; select the particles before",
            )
