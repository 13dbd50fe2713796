"""Checks for values in wrong units, and for unsupported ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cryoflow.errors import FileError
from cryoflow.files.tables import Table
from cryoflow.project.context import JobContext

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

PREMULTIPLIED = "rlnCtfDataAreCtfPremultiplied"


class _Rule(NamedTuple):
    """The valid range of columns."""

    columns: tuple[str, ...]
    low: float
    high: float
    unit: str
    hint: str
    impossible: bool
    """Values outside are impossible: if most are, the unit is wrong and the table is refused."""
    magnitude: bool = False
    """The sign does not matter."""


_DEFOCUS = ("rlnDefocusU", "rlnDefocusV")
_RULES = (
    _Rule(("rlnVoltage",), 60, 1500, "kV", "are they volts?", True),
    _Rule(("rlnAmplitudeContrast",), 0, 1, "(a fraction)", "are they percent?", True),
    _Rule(("rlnSphericalAberration",), 0, 20, "mm", "are they A or micrometres?", True),
    _Rule(_DEFOCUS, 500, 1e5, "A", "are they micrometres or nanometres?", False, magnitude=True),
    _Rule(_DEFOCUS, 0, np.inf, "A", "underfocus is positive; change the sign", False),
    _Rule(("rlnPhaseShift",), -360, 360, "degrees", "is the unit degrees?", False),
)
_MICROMETRES = 100.0
"""Defocus in A: if all values of a table are below, they must be micrometres."""


def check_ctf(context: JobContext, table: Table, used: bool = True) -> None:
    """Check the CTF columns of a table.

    Parameters
    ----------
    context : JobContext
        Receives warnings about implausible values.
    table : Table
    used : bool
        Whether the job uses the CTF: impossible values are then refused, otherwise only warned of.

    Raises
    ------
    FileError
        When most values of a column cannot be in RELION's unit, or images are multiplied by their CTF.
    """
    name = context.relative(table.path)
    for rule in _RULES:
        for column in (column for column in rule.columns if column in table.rows.columns):
            values = table.rows[column].to_numpy(np.float64, copy=True)
            if rule.magnitude and "rlnPhaseShift" in table.rows.columns:  # phase plates work near focus
                values[(table.rows["rlnPhaseShift"] != 0) & (np.abs(values) < rule.low)] = np.nan
            _apply(context, name, column, values, rule, used)
    if used and PREMULTIPLIED in table.rows.columns and table.rows[PREMULTIPLIED].any():
        row = int(np.flatnonzero(table.rows[PREMULTIPLIED])[0]) + 1
        what = f"{PREMULTIPLIED} of row {row} is 1: images premultiplied by their CTF are not supported"
        raise FileError(name, f"{what}; extract them without, or run without CTF correction")


def _apply(context: JobContext, name: str, column: str, values: Floats, rule: _Rule, used: bool) -> None:
    sized = np.abs(values) if rule.magnitude else values
    wrong = np.isfinite(values) & ((sized < rule.low) | (sized > rule.high))
    if not wrong.any():
        return
    row = int(np.flatnonzero(wrong)[0])
    bounds = f"{rule.low:g} to {rule.high:g} {rule.unit}" if np.isfinite(rule.high) else "negative"
    what = "is negative" if bounds == "negative" else f"is outside {bounds}"
    magnitude = "|" if rule.magnitude else ""
    text = (
        f"{magnitude}{column}{magnitude} of {int(wrong.sum())} of {len(values)} rows {what}, e.g. "
        f"{values[row]:g} in row {row + 1}; {rule.hint}"
    )
    if used and 2 * int(wrong.sum()) > len(values) and (rule.impossible or _are_micrometres(rule, sized)):
        raise FileError(name, text)
    context.report.warn(f"{name}: {text}")


def _are_micrometres(rule: _Rule, sized: Floats) -> bool:
    return rule.magnitude and bool((sized < _MICROMETRES).all()) and bool((sized > 0).any())
