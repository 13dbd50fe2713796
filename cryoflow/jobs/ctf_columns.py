"""CTF parameters of the rows of a table, as tensors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from cryoflow.compute.ctf import CtfParameters

#: Columns without which there is no CTF.
CTF_NEEDED = ("rlnDefocusU", "rlnVoltage", "rlnSphericalAberration", "rlnAmplitudeContrast")


def ctf_parameters(rows: pd.DataFrame, device: str = "cpu") -> CtfParameters:
    """CTF of each row, float64 ``(n,)`` per field.

    Parameters
    ----------
    rows : DataFrame
        Flat, with the columns of `CTF_NEEDED`. Where others are missing there is no astigmatism, phase
        shift or B-factor, and the scale is 1, as in RELION.
    device : str
        Where the tensors go.
    """
    u = rows["rlnDefocusU"]
    fields = (
        u,
        rows.get("rlnDefocusV", u),
        rows.get("rlnDefocusAngle", 0.0),
        rows["rlnVoltage"],
        rows["rlnSphericalAberration"],
        rows["rlnAmplitudeContrast"],
        rows.get("rlnPhaseShift", 0.0),
        rows.get("rlnCtfBfactor", 0.0),
        rows.get("rlnCtfScalefactor", 1.0),
    )
    arrays = (np.broadcast_to(np.asarray(field, dtype=np.float64), (len(rows),)).copy() for field in fields)
    return CtfParameters(*(torch.from_numpy(array).to(device) for array in arrays))
