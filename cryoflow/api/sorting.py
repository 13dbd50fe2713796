"""Ranking of particles by how unusual their difference from the reference is, as in Sort."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd
import torch
from torch import Tensor

from cryoflow.api.arrays import Array, as_tensor, instance, like, numpy
from cryoflow.api.images import Particles, References, table_of
from cryoflow.compute.image.masks import disc
from cryoflow.compute.image.rotate import padded_transform
from cryoflow.compute.parallel import one_thread_each
from cryoflow.compute.sort import features as compute
from cryoflow.compute.sort.fit_references import fit_references
from cryoflow.compute.sort.residual import CtfOptions, MatchedReferences
from cryoflow.compute.sort.score import batches_of, particle_features
from cryoflow.errors import ArgumentError
from cryoflow.jobs.inputs.ctf import ctf_parameters
from cryoflow.jobs.sort.particles import MANUAL, check_rows, poses_of


@dataclass(frozen=True, eq=False)
class ZScores:
    """Z-scores of particles: low ones are ordinary, high ones outliers.

    Attributes
    ----------
    z : array
        ``(n,)`` float64; -1 for particles picked by hand (class -999).
    features : array
        ``(n, 6)`` float64 of the residual under the mask: mean, standard deviation, skewness, excess
        kurtosis, spread between quadrants, unevenness of the power on rings.
    rows : DataFrame
        Those of the particles.
    """

    z: Array
    features: Array
    rows: pd.DataFrame = field(repr=False)

    def __len__(self) -> int:
        return len(self.z)

    def to_frame(self) -> pd.DataFrame:
        """Return the rows of the particles with ``rlnParticleSelectZScore``."""
        return self.rows.assign(rlnParticleSelectZScore=numpy(self.z))


def z_scores(
    particles: Particles,
    references: References,
    *,
    ctf_corrected: bool = True,
    ignore_ctf_until_first_peak: bool = False,
) -> ZScores:
    """Compare particles with their references, and score how unusual the difference is among all of them.

    Parameters
    ----------
    particles : Particles
        Square, even boxes. Their rows have ``rlnAnglePsi``, ``rlnClassNumber`` (unless there is one
        reference; -999 for picked by hand), CTF columns, and ``rlnOriginX`` and ``rlnOriginY`` if any.
    references : References
        The references they were picked with; rescaled to the particles' pixel size here.
    ctf_corrected : bool
        The references are, so that each particle's CTF is applied to them.
    ignore_ctf_until_first_peak : bool
        The CTF is 1 up to its first peak.

    Returns
    -------
    ZScores
        Arrays of the same kind as the particles' images.

    Raises
    ------
    CryoflowError
        If a column is missing or cannot be used.
    ArgumentError
        If images or references cannot be used.
    """
    instance(particles, Particles, "particles")
    instance(references, References, "references")
    images = as_tensor(particles.images, "particles", "n box box")
    if not len(images) or images.shape[-1] % 2:
        box = images.shape[-1]
        raise ArgumentError(
            f"particles: {len(images)} in boxes of {box} px; give at least one, and an even box size"
        )
    table = table_of(particles)
    classes = check_rows(table, len(references), ctf_corrected)
    device, pixel = str(images.device), particles.pixel_size_a
    templates = as_tensor(references.images, "references", "n box box", dtype=torch.float64)
    fitted = fit_references(templates.cpu(), references.pixel_size_a, pixel, images.shape[-1])
    ctf = None
    if ctf_corrected:
        ctf = CtfOptions(ctf_parameters(table.rows, device), pixel, ignore_ctf_until_first_peak)
    poses = poses_of(table.rows, classes, device)
    matched = MatchedReferences(padded_transform(fitted.images.to(device, images.dtype)), poses, ctf)
    inside = disc(images.shape[-1], fitted.radius_squared, device)
    with one_thread_each(device) as spread:
        batches = batches_of(len(images), images.shape[-1], device)
        parts = particle_features(images.__getitem__, batches, matched, poses, inside, spread)
        found = torch.cat(list(parts))
    manual = torch.from_numpy(classes == MANUAL)
    z: Tensor = compute.z_scores(found, manual)
    return ZScores(like(z, particles.images), like(found, particles.images), particles.to_frame())
