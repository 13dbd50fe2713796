"""Class2D: group particles into classes and average each (maximum a posteriori)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, Literal

from cryoflow.spec.base import Broken, Compute, JobSpec, Section
from cryoflow.spec.field import field, own_field, positive_or_off, section
from cryoflow.spec.gpu import broken_gpu_rules, gpu_ids_field, use_gpu_field
from cryoflow.spec.helix import TUBE_DIAMETER, helical

_OPTIMISER = re.compile(r".*_it(\d+)_optimiser\.star")


class Io(Section):
    """Particles, or the earlier run to continue."""

    input_images_star_file: str | None = field(
        "Input images STAR file:",
        "fn_img",
        None,
        takes="particles",
        help="STAR file of the particles; optional when an earlier run is continued.",
    )
    continue_from_here: str | None = field(
        "Continue from here:",
        "fn_cont",
        None,
        takes="optimiser",
        help="The _optimiser.star of the iteration to continue from, e.g. run_it010_optimiser.star.",
    )


class Ctf(Section):
    """How the contrast transfer function is treated."""

    do_ctf_correction: bool = field(
        "Do CTF-correction?",
        "do_ctf_correction",
        True,
        help="Yes needs CTF values for every particle; No only for data without them.",
    )
    have_data_been_phase_flipped: bool = field(
        "Have data been phase-flipped?",
        "ctf_phase_flipped",
        False,
        help="Yes if phases were flipped in earlier processing.",
    )
    ignore_ctfs_until_first_peak: bool = field(
        "Ignore CTFs until first peak?",
        "ctf_intact_first_peak",
        False,
        help="Yes leaves low resolution uncorrected; try it when classes look like featureless blobs.",
    )


class Optimization(Section):
    """How many classes, and how thorough the search is."""

    number_of_classes: int = field(
        "Number of classes:",
        "nr_classes",
        1,
        low=1,
        help="Aim for a few hundred particles per class; more classes take longer and resolve rarer views.",
    )
    regularisation_parameter_t: float = field(
        "Regularisation parameter T:",
        "tau_fudge",
        2.0,
        above=0,
        help="Weight of the data against the prior: 1 to 2 for 2D; larger gives more detail, and more noise.",
    )
    number_of_iterations: int = field(
        "Number of iterations:",
        "nr_iter",
        25,
        low=1,
        help="Total number, including those of a continued run.",
    )
    use_fast_subsets: bool = field(
        "Use fast subsets (for large data sets)?",
        "do_fast_subsets",
        False,
        help="Yes runs the first iterations on subsets; useful from about 100,000 particles.",
    )
    mask_diameter: float = field(
        "Mask diameter (A):",
        "particle_diameter",
        200.0,
        unit="A",
        above=0,
        help="Diameter of the soft circular mask; slightly larger than the particle's longest dimension.",
    )
    mask_individual_particles_with_zeros: bool = field(
        "Mask individual particles with zeros?",
        "do_zero_mask",
        True,
        help="Yes sets the surroundings of the particle to zero; No fills them with random noise.",
    )
    limit_resolution_e_step_to: float | None = positive_or_off(
        "Limit resolution E-step to (A):",
        "highres_limit",
        unit="A",
        help="Finer detail is not used for alignment, to avoid overfitting; often 7 to 12 A; off: no limit.",
    )
    grow_classes: bool = own_field(
        "Grow classes?",
        True,
        help="Yes starts from two classes and splits the largest until all are used; No: starts from all.",
    )
    reseed_empty_classes: bool = own_field(
        "Reseed empty classes?",
        False,
        help="Yes splits the largest class whenever a class becomes empty; No: it stays empty.",
    )


class Sampling(Section):
    """Which orientations and shifts are searched."""

    perform_image_alignment: bool = field(
        "Perform image alignment?",
        "dont_skip_align",
        True,
        help="No keeps the input's angles and shifts and only assigns classes.",
    )
    in_plane_angular_sampling: float = field(
        "In-plane angular sampling:",
        "psi_sampling",
        6.0,
        unit="deg",
        low=0.01,
        high=180,
        help="Finest step of the in-plane angle; 5 to 6 degrees is usual.",
    )
    offset_search_range: float = field(
        "Offset search range (pix):",
        "offset_range",
        5.0,
        unit="pix",
        low=0,
        high=1000,
        help="Largest shift searched, around that of the previous iteration.",
    )
    offset_search_step: float = field(
        "Offset search step (pix):",
        "offset_step",
        1.0,
        unit="pix",
        low=0.01,
        high=20,
        help="Finest step of the shifts.",
    )
    fine_search: str = own_field(
        "Fine search",
        "adaptive",
        choices=("adaptive", "exhaustive"),
        help="adaptive: only around the coarse poses that hold 99.9 % of the weight; exhaustive: all poses.",
    )


class Class2DCompute(Compute):
    """Device and threads, and RELION's own compute fields, which have no counterpart here."""

    number_of_pooled_particles: int = field(
        "Number of pooled particles:",
        "nr_pool",
        3,
        low=1,
        fixed="cryoflow chooses its batch size itself",
        help="Only RELION's default; cryoflow chooses its batch size itself.",
    )
    use_parallel_disc_io: bool = field(
        "Use parallel disc I/O?",
        "do_parallel_discio",
        True,
        fixed="every thread of cryoflow reads its own particles",
        help="Only RELION's default; every thread reads its own particles.",
    )
    pre_read_all_particles_into_ram: bool = field(
        "Pre-read all particles into RAM?",
        "do_preread_images",
        False,
        fixed="cryoflow always keeps up to half a gigabyte of particles in memory",
        help="Only RELION's default; up to half a gigabyte of particles is kept in memory.",
    )
    copy_particles_to_scratch_directory: str | None = field(
        "Copy particles to scratch directory:",
        "scratch_dir",
        None,
        fixed="cryoflow reads particle stacks in place",
        help="Only RELION's default; stacks are read in place.",
    )
    combine_iterations_through_disc: bool = field(
        "Combine iterations through disc?",
        "do_combine_thru_disc",
        False,
        fixed="cryoflow combines iterations in memory",
        help="Only RELION's default; iterations are combined in memory.",
    )
    use_gpu_acceleration: bool = use_gpu_field()
    which_gpus_to_use: str = gpu_ids_field()


_HELICAL = (
    helical("Classify 2D helical segments?", "do_helix", "No"),
    TUBE_DIAMETER,
    helical("Do bimodal angular searches?", "do_bimodal_psi", "Yes"),
    helical("Angular search range - psi (deg):", "range_psi", "6"),
)


class Class2D(JobSpec):
    """Step 15 of the tutorial."""

    helical: ClassVar = _HELICAL

    job: Literal["Class2D"] = own_field("Job", "Class2D")
    io: Io = section("I/O", Io)
    ctf: Ctf = section("CTF", Ctf)
    optimization: Optimization = section("Optimization", Optimization, relion_heading="Optimisation")
    sampling: Sampling = section("Sampling", Sampling)
    compute: Class2DCompute = section("Compute", Class2DCompute)

    def broken_rules(self) -> Iterator[Broken]:
        """Yield every rule between fields that this spec breaks."""
        yield from self._start()
        flipped, first_peak = self.ctf.have_data_been_phase_flipped, self.ctf.ignore_ctfs_until_first_peak
        for name, asked in (
            ("ctf.have_data_been_phase_flipped", flipped),
            ("ctf.ignore_ctfs_until_first_peak", first_peak),
        ):
            if asked and not self.ctf.do_ctf_correction:
                yield Broken(
                    (name, "ctf.do_ctf_correction"), "has no effect without CTF correction; set it to No"
                )
        if self.sampling.fine_search == "exhaustive" and not self.sampling.perform_image_alignment:
            yield Broken(
                ("sampling.fine_search", "sampling.perform_image_alignment"),
                "has no effect without alignment; set it to adaptive",
            )
        yield from broken_gpu_rules(self, "compute")

    def _start(self) -> Iterator[Broken]:
        start = self.io.continue_from_here
        if start is None:
            if self.io.input_images_star_file is None:
                yield Broken(
                    ("io.input_images_star_file",),
                    "no particles; give their STAR file, or a run to continue",
                )
            return
        match = _OPTIMISER.fullmatch(start)
        if match is None:
            yield Broken(
                ("io.continue_from_here",),
                f"'{start}' is not the optimiser file of an iteration; give e.g. run_it010_optimiser.star",
            )
        elif int(match[1]) >= self.optimization.number_of_iterations:
            yield Broken(
                ("optimization.number_of_iterations", "io.continue_from_here"),
                f"iteration {int(match[1])} is already done; give a larger total number of iterations",
            )
