"""Particles from their table and stacks, as input of the classification."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cryoflow.compute.class2d import Data
from cryoflow.compute.image.ctf import CtfParameters
from cryoflow.files.job_paths import below_job
from cryoflow.files.mrc import read_images
from cryoflow.jobs.inputs.ctf import ctf_parameters
from cryoflow.seeds import seed_for


def make_data(
    rows: pd.DataFrame,
    project: Path,
    seed: int,
    like: Tensor,
    groups: tuple[str, ...],
    correct_ctf: bool = True,
) -> Data:
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
    correct_ctf : bool
        Whether the table has to have CTF values.
    """
    names = [str(name) for name in rows["rlnImageName"]]

    def images(index: Tensor) -> Tensor:
        stack = read_images([names[i] for i in index.tolist()], project)
        return torch.from_numpy(stack).to(like)

    return particle_data(rows, images, seed, groups, correct_ctf)


def particle_data(
    rows: pd.DataFrame,
    images: Callable[[Tensor], Tensor],
    seed: int,
    groups: tuple[str, ...],
    correct_ctf: bool,
) -> Data:
    """Describe particles whose images ``(m, n, n)`` come from a function of their indices ``(m,)``."""
    names = [str(name) for name in rows["rlnImageName"]]
    number = {name: i for i, name in enumerate(groups)}
    group = torch.tensor([number[name] for name in group_of(rows)])
    seeds = torch.tensor([seed_for(seed, "class2d", name) for name in names])
    return Data(images, make_ctf(rows, correct_ctf), group, seeds)


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


def make_ctf(rows: pd.DataFrame, correct: bool) -> CtfParameters:
    """CTF values of each particle, of scale 1 as RELION takes them; zeros without CTF correction."""
    if correct:
        return ctf_parameters(rows)._replace(scale=torch.ones(len(rows), dtype=torch.float64))
    return CtfParameters(*(torch.zeros(len(rows), dtype=torch.float64) for _ in CtfParameters._fields))
