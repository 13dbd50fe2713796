"""Whether references have the micrographs' greyscale, from figure-of-merit maps alone."""

import math

import torch
from torch import Tensor

from cryoflow.compute.pick.candidates import clear_of_sides
from cryoflow.compute.pick.figure_of_merit import FomMaps

SHARE = 0.005
"""Fraction of samples taken as the tops of peaks: about ten per particle on a well-filled micrograph."""


def reference_scale(maps: FomMaps, margin: int) -> float:
    """Factor by which references are multiplied to fit the best places of a micrograph.

    The factor of the regression of a place on the reference, ``(c / n - mu a1) / (a2 sd)`` in the terms of
    `cryoflow.compute.pick.figure_of_merit`, is ``(ln(1 + FOM (E - 1)) + ln E) / (2 ln E)``: the figure of
    merit holds it. Noise adds to it at the best places, so that right references fit with 1 to 2.5.

    Parameters
    ----------
    maps : FomMaps
        Of RELION's figure of merit.
    margin : int
        Micrograph pixels left out along all sides.

    Returns
    -------
    float
        Of the best reference, where all but the best 0.5 % of the samples fit with less; nan when the maps
        give no estimate.
    """
    h, w = maps.fom.shape[-2:]
    clear = clear_of_sides(maps.sampling, h, w, margin).to(maps.fom.device)
    if not bool(clear.any()):
        return math.nan
    tops = [_top(fom[clear]) for fom in maps.fom]
    return max(_scale(top, expected) for top, expected in zip(tops, maps.expected.tolist(), strict=True))


def _top(values: Tensor) -> float:
    count = len(values)
    return float(torch.kthvalue(values, max(1, count - int(SHARE * count))).values)


def _scale(fom: float, expected: float) -> float:
    if expected <= 1:
        return math.nan
    ratio = 1 + fom * (expected - 1)
    if not 0 < ratio < math.inf:  # overflow: far too strong
        return 0.0
    return 0.5 + 0.5 * math.log(ratio) / math.log(expected)
