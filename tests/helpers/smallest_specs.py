"""The least that each job type needs."""

from typing import Any

SMALLEST: dict[str, dict[str, Any]] = {
    "AutoPick": {"io": {"input_micrographs_for_autopick": "m.star", "reference_2d": "r.star"}},
    "Extract": {"io": {"micrograph_star_file": "m.star", "input_coordinates": "coords_suffix_autopick.star"}},
    "Sort": {"io": {"input_particles_to_be_sorted": "p.star", "autopicking_references": "r.star"}},
    "Select": {"io": {"select_from_particles_star": "p.star"}},
    "Class2D": {"io": {"input_images_star_file": "p.star"}},
}
