"""CTF parameters of the rows of a table, as tensors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cryoflow.compute.image.ctf import CtfParameters, ctf_at

#: Columns without which there is no CTF.
CTF_NEEDED = ("rlnDefocusU", "rlnVoltage", "rlnSphericalAberration", "rlnAmplitudeContrast")

CTF_COLUMNS = {
    "defocus_u_a": "rlnDefocusU",
    "defocus_v_a": "rlnDefocusV",
    "defocus_angle_deg": "rlnDefocusAngle",
    "voltage_kv": "rlnVoltage",
    "cs_mm": "rlnSphericalAberration",
    "amplitude_contrast": "rlnAmplitudeContrast",
    "phase_shift_deg": "rlnPhaseShift",
    "b_factor_a2": "rlnCtfBfactor",
    "scale": "rlnCtfScalefactor",
}
"""RELION's column of each field of `CtfParameters`."""
_DEFAULTS = {"defocus_angle_deg": 0.0, "phase_shift_deg": 0.0, "b_factor_a2": 0.0, "scale": 1.0}


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
    defaults = {**_DEFAULTS, "defocus_v_a": rows["rlnDefocusU"]}
    fields = (
        rows[column] if column in rows.columns else defaults[name] for name, column in CTF_COLUMNS.items()
    )
    arrays = (np.broadcast_to(np.asarray(field, dtype=np.float64), (len(rows),)).copy() for field in fields)
    return CtfParameters(*(torch.from_numpy(array).to(device) for array in arrays))


def usable(ctf: CtfParameters) -> Tensor:
    """Whether parameters give a finite CTF, bool ``(n,)``.

    They do not if one is not finite, the voltage is not positive, the amplitude contrast exceeds 1, or a
    negative B-factor makes the CTF overflow; tested up to the Nyquist frequency of 1 A pixels.
    """
    finest = torch.full_like(ctf.voltage_kv, 0.5)
    return ctf_at(ctf, finest, finest).isfinite() & (ctf.voltage_kv > 0)
