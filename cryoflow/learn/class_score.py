"""A score for class averages: roughly the fraction of a class's particles that are intact.

A logistic function of a few interpretable features. Its coefficients were learnt on simulated projects
of other particles than those used to evaluate it, from the true fraction of intact particles in each class
(``scripts/learn_class_score.py``). 0.5 means that half of them are something else.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.select.class_features import ClassFeatures

BLANK_CONTRAST, BLANK_EDGE = 2.2, 0.35
"""Below this contrast, or above this edge energy, a class has nothing in its middle."""
BRIGHT = 0.8
"""Doublings of the particles' strength above which a class shows something other than a particle."""
USUALLY_BRIGHT = 0.3
"""Brightness counts above this, and dimness below its negative: views of a particle differ by this much."""
ROUND, THIN = 0.85, 0.25
CARBON_EDGE = 0.2
ASIDE = 0.6
USUAL_EDGE = 0.5
"""Classes with less edge energy have something in the middle; the usual strength is theirs."""
USUAL_PART = 0.75
"""Quantile of their particles' strength taken as the usual one: noise among its members weakens a class."""

KINDS = ("particle", "unclear", "blank", "ice", "carbon", "filament", "off-centre", "empty")


class ClassEvidence(NamedTuple):
    """Evidence about each class, each ``(K,)``."""

    members: Tensor
    """Particles assigned to it."""
    features: ClassFeatures
    """Features of its average."""
    ssnr: Tensor
    """Mean over the resolved shells of log10 of the signal-to-noise ratio."""


COEFFICIENTS = {
    "offset": -1.95,
    "contrast": 0.88,
    "edge_energy": -0.75,
    "brightness": -2.97,
    "dimness": -1.76,
    "ssnr": 0.39,
}
"""Weight of each term of `terms`."""


def brightness(evidence: ClassEvidence) -> Tensor:
    """Doublings of each class's strength over the usual one, ``(K,)``.

    The usual strength is the upper quartile, by particles, of the classes with something in their middle;
    those far brighter than their median are left out.
    """
    strength, middle = evidence.features.strength, evidence.features.edge_energy < USUAL_EDGE
    weight = evidence.members.double() * (middle if (evidence.members[middle] > 0).any() else 1)
    median = _quantile(strength, weight, 0.5)
    usual = _quantile(strength, weight * (strength <= median * 2**BRIGHT), USUAL_PART)
    return torch.log2(strength.clamp_min(1e-12) / usual.clamp_min(1e-12))


def _quantile(values: Tensor, weight: Tensor, share: float) -> Tensor:
    """Weighted quantile: the smallest value that this share of the weight does not exceed."""
    order = values.argsort()
    enough = weight[order].cumsum(0) >= share * weight.sum()
    return values[order][enough.int().argmax()]


def terms(evidence: ClassEvidence) -> dict[str, Tensor]:
    """Terms of the score's weighted sum, each ``(K,)`` and bounded, so that no outlier decides alone."""
    bright = brightness(evidence)
    return {
        "offset": torch.ones_like(evidence.features.contrast),
        "contrast": torch.log2(evidence.features.contrast.clamp(0.5, 8)),
        "edge_energy": evidence.features.edge_energy.clamp(0, 1),
        "brightness": (bright - USUALLY_BRIGHT).clamp(0, 1),
        "dimness": (-bright - USUALLY_BRIGHT).clamp(0, 1),
        "ssnr": evidence.ssnr.clamp(0, 2),
    }


def class_score(evidence: ClassEvidence) -> Tensor:
    """Score between 0 and 1, ``(K,)``; 0 for classes without particles or without contrast."""
    total = torch.zeros_like(evidence.features.contrast)
    for name, values in terms(evidence).items():
        total = total + COEFFICIENTS[name] * values
    return torch.where(_empty(evidence), 0.0, torch.sigmoid(total))


def class_kinds(evidence: ClassEvidence, score: Tensor) -> list[str]:
    """Apparent kind of each class, one of `KINDS`; the first rule that applies.

    ``empty`` has no particles or no contrast; ``ice`` is bright, round and in the middle; ``filament`` bright
    and thin; ``carbon`` bright up to the edge; ``off-centre`` has its density far from the middle; ``blank``
    shows nothing in its middle; of the others a score of 0.5 or more means ``particle``.
    """
    bright = brightness(evidence) > BRIGHT
    edge = evidence.features.edge_energy
    rules = (
        ("empty", _empty(evidence)),
        ("ice", bright & (evidence.features.roundness > ROUND) & (edge < CARBON_EDGE)),
        ("filament", bright & (evidence.features.roundness < THIN)),
        ("carbon", bright & (edge >= CARBON_EDGE)),
        ("off-centre", evidence.features.centring > ASIDE),
        ("blank", (edge > BLANK_EDGE) | (evidence.features.contrast < BLANK_CONTRAST)),
        ("particle", score >= 0.5),
    )
    return [next((name for name, holds in rules if holds[k]), "unclear") for k in range(len(score))]


def _empty(evidence: ClassEvidence) -> Tensor:
    return (evidence.members == 0) | (evidence.features.strength < 1e-6)
