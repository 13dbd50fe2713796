"""The tabs of AutoPick: what to look for, how to prepare it, and which peaks become picks."""

from __future__ import annotations

import re

from pydantic import field_validator

from cryoflow.spec.base import Section
from cryoflow.spec.field import VERY_NEGATIVE, field, own_field, positive_or_off
from cryoflow.spec.gpu import gpu_ids_field, use_gpu_field
from cryoflow.spec.values import refusal

ANGULAR_SAMPLINGS = tuple(
    f"{step} degrees" for step in ("30", "15", "7.5", "3.7", "1.8", "0.9", "0.5", "0.2", "0.1")
)
_POINT_GROUP = re.compile(r"C[1-9]\d*[VH]?|C[IS]|D[1-9]\d*[VH]?|S[1-9]\d*|T[DH]?|OH?|I[1-5]?H?")


class Io(Section):
    """Micrographs, and what to look for in them."""

    input_micrographs_for_autopick: str = field(
        "Input micrographs for autopick:",
        "fn_input_autopick",
        takes="micrographs",
        help="STAR file of the micrographs to pick from, with CTF values if references are CTF corrected.",
    )
    pixel_size_in_micrographs: float | None = positive_or_off(
        "Pixel size in micrographs (A)",
        "angpix",
        unit="A",
        low=0.01,
        high=100,
        help="Only for tables that do not tell it; off: as the STAR file says.",
    )
    reference_2d: str | None = field(
        "2D references:",
        "fn_refs_autopick",
        None,
        label="2D reference",
        takes="averages",
        help="STAR file or stack of class averages in RELION's absolute greyscale.",
    )
    provide_a_3d_reference: bool = field(
        "OR: provide a 3D reference?",
        "do_ref3d",
        False,
        help="Yes: look for projections of a map instead of class averages.",
    )
    reference_3d: str | None = field(
        "3D reference:",
        "fn_ref3d_autopick",
        None,
        takes="map",
        help="The map (MRC) to project, in RELION's greyscale.",
    )
    symmetry: str = field(
        "Symmetry:",
        "ref3d_symmetry",
        "C1",
        help="Point group of the 3D reference (C1, D2, O, I1 ...); symmetry saves projections.",
    )
    angular_sampling_3d: str = field(
        "3D angular sampling:",
        "ref3d_sampling",
        "30 degrees",
        choices=ANGULAR_SAMPLINGS,
        help="Angle between neighbouring projections; 30 degrees will do unless the symmetry is high.",
    )
    use_laplacian_of_gaussian: bool = field(
        "OR: use Laplacian-of-Gaussian?",
        "do_log",
        False,
        help="Yes: look for blobs of about the particle's size, without any reference.",
    )

    @field_validator("symmetry")
    @classmethod
    def _point_group(cls, symmetry: str) -> str:
        group = symmetry.upper()
        if not _POINT_GROUP.fullmatch(group) or (group[0] == "S" and int(group[1:]) % 2):
            raise refusal(f"'{symmetry}' is not a point group; give one such as C1, C4, D2, T, O or I1")
        return group


class Laplacian(Section):
    """Blob detection; used only with "use Laplacian-of-Gaussian?"."""

    min_diameter_for_log_filter: float = field(
        "Min. diameter for LoG filter (A)",
        "log_diam_min",
        200.0,
        unit="A",
        above=0,
        help="Shortest diameter of the particle in any view.",
    )
    max_diameter_for_log_filter: float = field(
        "Max. diameter for LoG filter (A)",
        "log_diam_max",
        250.0,
        unit="A",
        above=0,
        help="Longest diameter of the particle in any view.",
    )
    are_the_particles_white: bool = field(
        "Are the particles white?",
        "log_invert",
        False,
        help="No for unstained cryo-EM micrographs, where protein is dark; Yes after inverting, or in stain.",
    )
    maximum_resolution_to_consider: float | None = positive_or_off(
        "Maximum resolution to consider (A)",
        "log_maxres",
        20.0,
        unit="A",
        help="Micrographs are scaled down to this resolution first; off: searched at full size.",
    )
    adjust_default_threshold: float = field(
        "Adjust default threshold",
        "log_adjust_thr",
        0.0,
        unit="sd",
        help="Moves the threshold by so many standard deviations: below 0 picks more, above 0 fewer.",
    )


class References(Section):
    """How references and micrographs are prepared."""

    lowpass_filter_references: float | None = positive_or_off(
        "Lowpass filter references (A)",
        "lowpass",
        20.0,
        unit="A",
        help="Finer detail is left out, so that noise is not picked for its looks (Einstein from noise).",
    )
    highpass_filter: float | None = positive_or_off(
        "Highpass filter (A)",
        "highpass",
        unit="A",
        help="Removes ice gradients: features larger than this go, often 200 to 400 A; off: none.",
    )
    pixel_size_in_references: float | None = positive_or_off(
        "Pixel size in references (A)",
        "angpix_ref",
        unit="A",
        low=0.01,
        high=100,
        help="Class averages of rescaled particles have larger pixels than the micrographs; off: the same.",
    )
    mask_diameter: float | None = positive_or_off(
        "Mask diameter (A)",
        "particle_diameter",
        unit="A",
        help="Disc around the reference that is compared; off: measured from the references themselves.",
    )
    in_plane_angular_sampling: float = field(
        "In-plane angular sampling (deg)",
        "psi_sampling_autopick",
        5.0,
        unit="deg",
        low=0.01,
        high=360,
        help="References are turned in steps of this angle; halving it doubles the time.",
    )
    references_have_inverted_contrast: bool = field(
        "References have inverted contrast?",
        "do_invert_refs",
        True,
        help="Yes when particles are white in the references and dark in the micrographs, as usual.",
    )
    are_references_ctf_corrected: bool = field(
        "Are References CTF corrected?",
        "do_ctf_autopick",
        True,
        help="Yes for RELION's class averages: each micrograph's CTF is then applied to them.",
    )
    ignore_ctfs_until_first_peak: bool = field(
        "Ignore CTFs until first peak?",
        "do_ignore_first_ctfpeak_autopick",
        False,
        help="Yes only if the references were made with the same option.",
    )


class Autopicking(Section):
    """Which peaks become picks; the fields to tune."""

    picking_threshold: float = field(
        "Picking threshold:",
        "threshold_autopick",
        0.05,
        low=0,
        help="Least figure of merit of a pick (1 is a perfect match); lower it to pick more, and more junk.",
    )
    minimum_inter_particle_distance: float = field(
        "Minimum inter-particle distance (A):",
        "mindist_autopick",
        100.0,
        unit="A",
        low=0,
        high=100_000,
        help="Of picks closer than this one is kept; somewhat less than the particle's diameter.",
    )
    maximum_stddev_noise: float | None = positive_or_off(
        "Maximum stddev noise:",
        "maxstddevnoise_autopick",
        1.1,
        help="Keeps off carbon and ice, where the background varies more than this; useful: 1.0 to 1.2.",
    )
    minimum_avg_noise: float | None = field(
        "Minimum avg noise:",
        "minavgnoise_autopick",
        None,
        off=VERY_NEGATIVE,
        help="Keeps off dark regions, where the mean background is below this; useful: -0.5 to 0.",
    )
    write_fom_maps: bool = field(
        "Write FOM maps?",
        "do_write_fom_maps",
        False,
        help="Yes keeps the maps, so that threshold and distance can be tuned later within seconds.",
    )
    read_fom_maps: bool = field(
        "Read FOM maps?",
        "do_read_fom_maps",
        False,
        help="Yes picks again from maps that an earlier run of this job wrote; use it with --continue.",
    )
    shrink_factor: float = field(
        "Shrink factor:",
        "shrink",
        1.0,
        low=0,
        high=1,
        help="0 scales micrographs down to the low-pass filter (fast, usually as good), 1 keeps every pixel.",
    )
    use_gpu_acceleration: bool = use_gpu_field()
    which_gpus_to_use: str = gpu_ids_field()
    figure_of_merit: str = own_field(
        "Figure of merit",
        "relion",
        choices=("relion", "ncc"),
        help="ncc: correlation coefficient under the mask, comparable between references and micrographs.",
    )
    subpixel_peaks: bool = own_field(
        "Subpixel peaks?",
        False,
        help="Yes: coordinates between the samples of the search, at the top of a parabola.",
    )
    template_error: float | None = positive_or_off(
        "Template error",
        None,
        high=0.3,
        help="0.1: fewer templates find peaks among many references, faster; picks have FOMs good to 0.2 %.",
    )
    candidate_floor: float = own_field(
        "Candidate floor",
        0.3,
        low=0,
        help="Peaks down to here (or the threshold) are kept, so that --continue tunes above it in no time.",
    )


class Statistics(Section):
    """What can be told of the picks without truth (cryoflow's own)."""

    decoys: bool = own_field(
        "Decoys?",
        False,
        help="Yes compares with decoys too, at 3 times the cost: picks_scores.star has a q-value a pick.",
    )
