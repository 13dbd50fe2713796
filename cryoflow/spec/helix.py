"""RELION's helical fields: known, to be refused by name and to stand in RELION's job files as "off"."""

from __future__ import annotations

from cryoflow.spec.field import Declaration

REFUSAL = (
    "helical processing is not part of cryoflow; leave this field out, or use RELION for helical specimens"
)


def _helical(relion_label: str, key: str, default: str) -> tuple[Declaration, str]:
    label = relion_label.rstrip(" :")
    return Declaration(label=label, relion_label=relion_label, key=key, help=REFUSAL), default


_TUBE = _helical("Tube diameter (A):", "helical_tube_outer_diameter", "200")
_UNITS = _helical("Number of asymmetrical units:", "helical_nr_asu", "1")

HELICAL: dict[str, tuple[tuple[Declaration, str], ...]] = {
    "AutoPick": (
        _helical("Pick 2D helical segments?", "do_pick_helical_segments", "No"),
        _helical("Pick amyloid segments?", "do_amyloid", "No"),
        _TUBE,
        _UNITS,
        _helical("Helical rise (A):", "helical_rise", "-1"),
        _helical("Maximum curvature (kappa):", "helical_tube_kappa_max", "0.1"),
        _helical("Minimum length (A):", "helical_tube_length_min", "-1"),
    ),
    "Extract": (
        _helical("Extract helical segments?", "do_extract_helix", "No"),
        _TUBE,
        _helical("Use bimodal angular priors?", "helical_bimodal_angular_priors", "Yes"),
        _helical("Coordinates are start-end only?", "do_extract_helical_tubes", "Yes"),
        _helical("Cut helical tubes into segments?", "do_cut_into_segments", "Yes"),
        _UNITS,
        _helical("Helical rise (A):", "helical_rise", "1"),
    ),
    "Class2D": (
        _helical("Classify 2D helical segments?", "do_helix", "No"),
        _TUBE,
        _helical("Do bimodal angular searches?", "do_bimodal_psi", "Yes"),
        _helical("Angular search range - psi (deg):", "range_psi", "6"),
    ),
}
"""By job type: each helical field of RELION 3.0, with its default as RELION's job files spell it."""
