"""Optics groups of RELION 3.1: merged into every row, and split off again."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from cryoflow.errors import CryoflowError

_GROUP, _NAME = "rlnOpticsGroup", "rlnOpticsGroupName"
_ABERRATIONS = ("rlnOddZernike", "rlnEvenZernike", *(f"rlnMagMat{i}{j}" for i in "01" for j in "01"))
LATER_LABELS = (_NAME, _GROUP, "rlnMtfFileName", *_ABERRATIONS)
"""Columns of optics groups that RELION 3.0 does not know."""
_USUAL = (
    _NAME,
    _GROUP,
    "rlnMtfFileName",
    "rlnMicrographOriginalPixelSize",
    "rlnVoltage",
    "rlnSphericalAberration",
    "rlnAmplitudeContrast",
    "rlnMicrographPixelSize",
    "rlnImagePixelSize",
    "rlnImageSize",
    "rlnImageDimensionality",
    "rlnCtfDataAreCtfPremultiplied",
    "rlnBeamTiltX",
    "rlnBeamTiltY",
    *_ABERRATIONS,
)
_TOLERANCE = 1e-4  # relative; exact comparison would split groups by rounding errors


def merge_optics(rows: pd.DataFrame, optics: pd.DataFrame) -> pd.DataFrame:
    """Merge the optics values into every row; if both have a column, the optics table takes precedence.

    Raises
    ------
    CryoflowError
        When a row's group is missing, or a group appears twice.
    """
    if _GROUP in optics.columns and _GROUP not in rows.columns and len(optics) == 1:
        rows = rows.assign(**{_GROUP: optics[_GROUP].iloc[0]})  # there is only one group
    for what, table in (("data_optics", optics), ("the table", rows)):
        if _GROUP not in table.columns:
            raise CryoflowError(f"{what} lacks the column {_GROUP}")
    groups = optics.set_index(_GROUP)
    if not groups.index.is_unique:
        raise CryoflowError(f"{_GROUP} {groups.index[groups.index.duplicated()][0]} is in data_optics twice")
    unknown = ~rows[_GROUP].isin(groups.index).to_numpy()
    if unknown.any():
        row = int(np.flatnonzero(unknown)[0])
        raise CryoflowError(f"{_GROUP} {rows[_GROUP].iloc[row]} of row {row + 1} is not in data_optics")
    values = groups.loc[rows[_GROUP]].reset_index(drop=True)
    own = rows.drop(columns=list(groups.columns), errors="ignore").reset_index(drop=True)
    return pd.concat([own, values], axis=1)


def split_optics(rows: pd.DataFrame, columns: tuple[str, ...]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Move the optics values from the rows into a table with one row per group.

    Parameters
    ----------
    rows : DataFrame
        In 3.1's terms, with the optics values in every row.
    columns : tuple of str
        The optics columns, in order; RELION's usual ones if empty.

    Returns
    -------
    optics, rows : DataFrame
    """
    present = [name for name in dict.fromkeys((*columns, *_USUAL)) if name in rows.columns]
    shared = rows[present]
    number = _group_numbers(shared)
    first = np.unique(number, return_index=True)[1]
    optics = shared.iloc[first].reset_index(drop=True)
    optics[_GROUP], optics[_NAME] = number[first], _names(optics, number[first])
    optics = optics[[name for name in (_NAME, _GROUP) if name not in present] + present]
    kept = [name for name in rows.columns if name == _GROUP or name not in present]
    return optics, rows.assign(**{_GROUP: number})[list(dict.fromkeys((*kept, _GROUP)))]


def _group_numbers(shared: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Number the groups: as the rows do if that fits, else from 1 in order of appearance."""
    codes = pd.DataFrame({name: _codes(shared[name]) for name in shared.columns}, index=shared.index)
    ngroup = codes.groupby(list(codes.columns), sort=False).ngroup()
    groups = np.asarray(ngroup, dtype=np.int64)
    if _GROUP in shared.columns:
        given: npt.NDArray[np.int64] = shared[_GROUP].to_numpy(np.int64)
        if len(np.unique(given)) == len(np.unique(groups)):
            return given
    return np.add(groups, 1)


def _codes(values: pd.Series) -> npt.NDArray[np.int64]:
    """Number the distinct values of a column, taking numbers within the tolerance as equal."""
    if values.dtype.kind not in "iuf":
        return pd.factorize(values)[0].astype(np.int64)
    numbers = np.nan_to_num(values.to_numpy(np.float64))
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    steps = np.diff(ordered) > _TOLERANCE * np.abs(ordered[1:])
    codes = np.zeros(len(numbers), dtype=np.int64)
    codes[order[1:]] = np.cumsum(steps)
    return codes


def _names(optics: pd.DataFrame, numbers: npt.NDArray[np.int64]) -> list[str]:
    given = optics[_NAME].astype(str).tolist() if _NAME in optics.columns else []
    if given and len(set(given)) == len(given):
        return given
    return [f"opticsGroup{number}" for number in numbers.tolist()]
