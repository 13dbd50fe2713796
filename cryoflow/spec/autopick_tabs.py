"""The tabs of AutoPick: what to search for, how to prepare it, and which peaks become picks."""

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
    """Micrographs, and what to search for in them."""

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
        help="Needed only if the table has no pixel size; off: the STAR file's.",
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
        help="Yes: search with projections of a map instead of class averages.",
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
        help="Point group of the 3D reference (C1, D2, O, I1 ...); higher symmetry needs fewer projections.",
    )
    angular_sampling_3d: str = field(
        "3D angular sampling:",
        "ref3d_sampling",
        "30 degrees",
        choices=ANGULAR_SAMPLINGS,
        help="Angle between neighbouring projections; 30 degrees suffice unless the symmetry is high.",
    )
    use_laplacian_of_gaussian: bool = field(
        "OR: use Laplacian-of-Gaussian?",
        "do_log",
        False,
        help="Yes: find blobs of about the particle's size, without a reference.",
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
        help="No for cryo-EM micrographs, where protein is dark; Yes for inverted contrast or stain.",
    )
    maximum_resolution_to_consider: float | None = positive_or_off(
        "Maximum resolution to consider (A)",
        "log_maxres",
        20.0,
        unit="A",
        help="Micrographs are first downscaled to this resolution; off: searched at full size.",
    )
    adjust_default_threshold: float = field(
        "Adjust default threshold",
        "log_adjust_thr",
        0.0,
        unit="sd",
        help="Shifts the threshold by this many standard deviations: negative picks more, positive fewer.",
    )


class References(Section):
    """How references and micrographs are prepared."""

    lowpass_filter_references: float | None = positive_or_off(
        "Lowpass filter references (A)",
        "lowpass",
        20.0,
        unit="A",
        help='Removes finer detail, which guards against reference bias ("Einstein from noise").',
    )
    highpass_filter: float | None = positive_or_off(
        "Highpass filter (A)",
        "highpass",
        unit="A",
        help="Removes larger features such as ice gradients; often 200 to 400 A; off: no filter.",
    )
    pixel_size_in_references: float | None = positive_or_off(
        "Pixel size in references (A)",
        "angpix_ref",
        unit="A",
        low=0.01,
        high=100,
        help="Differs from the micrographs' for class averages of rescaled particles; off: the same.",
    )
    mask_diameter: float | None = positive_or_off(
        "Mask diameter (A)",
        "particle_diameter",
        unit="A",
        help="Diameter of the disc that is compared; off: measured from the references.",
    )
    in_plane_angular_sampling: float = field(
        "In-plane angular sampling (deg)",
        "psi_sampling_autopick",
        5.0,
        unit="deg",
        low=0.01,
        high=360,
        help="References are rotated in steps of this angle; halving it doubles the time.",
    )
    references_have_inverted_contrast: bool = field(
        "References have inverted contrast?",
        "do_invert_refs",
        True,
        help="Yes if particles are white in the references and dark in the micrographs, as usual.",
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
        help="Minimum figure of merit; lower gives more picks with ncc, with RELION's not always.",
    )
    minimum_inter_particle_distance: float = field(
        "Minimum inter-particle distance (A):",
        "mindist_autopick",
        100.0,
        unit="A",
        low=0,
        high=100_000,
        help="Of picks closer than this, the best is kept; use slightly less than the particle diameter.",
    )
    maximum_stddev_noise: float | None = positive_or_off(
        "Maximum stddev noise:",
        "maxstddevnoise_autopick",
        1.1,
        help="Skips regions whose background varies more, such as carbon and ice; useful: 1.0 to 1.2.",
    )
    minimum_avg_noise: float | None = field(
        "Minimum avg noise:",
        "minavgnoise_autopick",
        None,
        off=VERY_NEGATIVE,
        help="Skips regions whose mean background is below this, such as thick ice; useful: -0.5 to 0.",
    )
    write_fom_maps: bool = field(
        "Write FOM maps?",
        "do_write_fom_maps",
        False,
        help="Yes writes the maps, so that threshold and distance can be tuned later within seconds.",
    )
    read_fom_maps: bool = field(
        "Read FOM maps?",
        "do_read_fom_maps",
        False,
        help="Yes picks again from the maps that an earlier run of this job wrote; use with --continue.",
    )
    shrink_factor: float = field(
        "Shrink factor:",
        "shrink",
        1.0,
        low=0,
        high=1,
        help="0 downscales micrographs to the low-pass filter (fast, usually as good); 1 keeps full size.",
    )
    use_gpu_acceleration: bool = use_gpu_field()
    which_gpus_to_use: str = gpu_ids_field()
    figure_of_merit: str = own_field(
        "Figure of merit",
        "relion",
        choices=("relion", "ncc"),
        help="ncc: correlation coefficient within the mask, comparable across references and micrographs.",
    )
    subpixel_peaks: bool = own_field(
        "Subpixel peaks?",
        False,
        help="Yes: interpolates coordinates between the samples of the search with a parabola.",
    )
    template_error: float | None = positive_or_off(
        "Template error",
        None,
        high=0.3,
        help="0.1: searches with fewer templates, faster for many references; FOMs are within 0.2 %.",
    )
    candidate_floor: float = own_field(
        "Candidate floor",
        0.3,
        low=0,
        help="Peaks down to this value (or the threshold) are stored; --continue retunes above it at once.",
    )


class Statistics(Section):
    """Statistics of the picks without ground truth (cryoflow's own)."""

    decoys: bool = own_field(
        "Decoys?",
        False,
        help="Yes also searches with decoys, at 3 times the cost: picks_scores.star gets a q-value per pick.",
    )
