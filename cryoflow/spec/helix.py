"""RELION's helical fields: known only to be refused by name, and written as "off" to RELION's job files.

The job types that have any declare them as `JobSpec.helical`.
"""

from __future__ import annotations

from typing import NamedTuple

from cryoflow.spec.field import Declaration

REFUSAL = (
    "helical processing is not part of cryoflow; leave this field out, or use RELION for helical specimens"
)


class HelicalField(NamedTuple):
    """A helical field, and RELION's default as its job files spell it."""

    declaration: Declaration
    default: str


def helical(relion_label: str, key: str, default: str) -> HelicalField:
    """Declare a helical field by RELION's label and key."""
    label = relion_label.rstrip(" :")
    return HelicalField(Declaration(label=label, relion_label=relion_label, key=key, help=REFUSAL), default)


TUBE_DIAMETER = helical("Tube diameter (A):", "helical_tube_outer_diameter", "200")
ASYMMETRICAL_UNITS = helical("Number of asymmetrical units:", "helical_nr_asu", "1")
