"""Particles from their table and stacks, as the classification takes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cryoflow.compute.class2d import Data
from cryoflow.compute.ctf import CtfParameters
from cryoflow.files.mrc import read_images
from cryoflow.files.seeds import seed_for
from cryoflow.project.paths import below_job

CTF_COLUMNS = {
    "defocus_u_a": ("rlnDefocusU", None),
    "defocus_v_a": ("rlnDefocusV", "rlnDefocusU"),
    "defocus_angle_deg": ("rlnDefocusAngle", 0.0),
    "voltage_kv": ("rlnVoltage", None),
    "cs_mm": ("rlnSphericalAberration", None),
    "amplitude_contrast": ("rlnAmplitudeContrast", None),
    "phase_shift_deg": ("rlnPhaseShift", 0.0),
    "b_factor_a2": ("rlnCtfBfactor", 0.0),
    "scale": ("rlnCtfScalefactor", 1.0),
}
"""Field of `CtfParameters`: column, and what stands in where it is missing (None: it is needed)."""


def make_data(rows: pd.DataFrame, project: Path, seed: int, like: Tensor, groups: tuple[str, ...]) -> Data:
    """Describe particles to the classification.

    Parameters
    ----------
    rows : DataFrame
        Flat table in RELION 3.0's terms.
    project : Path
        Stacks are named relative to it.
    seed : int
        Of the job.
    like : Tensor
        Images get its device and precision.
    groups : tuple of str
        Names of the groups, from `group_names`; particles of other groups are not allowed.
    """
    names = [str(name) for name in rows["rlnImageName"]]

    def images(index: Tensor) -> Tensor:
        stack = read_images([names[i] for i in index.tolist()], project)
        return torch.from_numpy(stack).to(like)

    number = {name: i for i, name in enumerate(groups)}
    group = torch.tensor([number[name] for name in group_of(rows)])
    seeds = torch.tensor([seed_for(seed, "class2d", name) for name in names])
    return Data(images, ctf_parameters(rows), group, seeds)


def group_of(rows: pd.DataFrame) -> list[str]:
    """Name of each particle's group: that of the table, else its micrograph's, else one for all."""
    if "rlnGroupName" in rows.columns:
        return [str(name) for name in rows["rlnGroupName"]]
    if "rlnMicrographName" in rows.columns:
        return [below_job(str(name)) for name in rows["rlnMicrographName"]]
    return ["group"] * len(rows)


def group_names(rows: pd.DataFrame) -> tuple[str, ...]:
    """Names of all groups, in the order of the names of their micrographs."""
    groups = group_of(rows)
    if "rlnMicrographName" not in rows.columns:
        return tuple(dict.fromkeys(groups))
    order = np.argsort(rows["rlnMicrographName"].astype(str).to_numpy(dtype=str), kind="stable")
    return tuple(dict.fromkeys(groups[i] for i in order))


def ctf_parameters(rows: pd.DataFrame) -> CtfParameters:
    """CTF values of each particle; zeros where the table has none (without CTF correction)."""

    def column(name: str, fallback: str | float | None) -> Tensor:
        if name in rows.columns:
            return torch.as_tensor(rows[name].to_numpy(dtype=float, copy=True), dtype=torch.float64)
        if isinstance(fallback, str):
            return column(fallback, None)
        return torch.full((len(rows),), fallback or 0.0, dtype=torch.float64)

    return CtfParameters(**{field: column(*source) for field, source in CTF_COLUMNS.items()})
