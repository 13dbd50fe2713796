"""Inputs of the learnt scores, checked: micrographs, coordinates, references, decoys and a diameter."""

from __future__ import annotations

import math
from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor

from cryoflow.compute.image.ctf import CtfParameters
from cryoflow.compute.image.resize import fit_box
from cryoflow.compute.score.decoys import NULLS, Null, decoys
from cryoflow.compute.sort.features import sorting_radius_squared
from cryoflow.errors import CryoflowError, FileError
from cryoflow.files.mrc.header import UNSET
from cryoflow.files.tables import PIXEL_TOLERANCE, require
from cryoflow.jobs.inputs.ctf import ctf_parameters
from cryoflow.jobs.inputs.references import Stack
from cryoflow.jobs.sort.labels import Labels, read_labels
from cryoflow.jobs.sort.model_file import StoredModel, read_model
from cryoflow.jobs.sort.particles import Particles
from cryoflow.project.context import JobContext
from cryoflow.seeds import seed_for
from cryoflow.spec import Sort


class Plan(NamedTuple):
    """Everything needed to score a micrograph."""

    rows: pd.DataFrame
    """Rows of the particles, as in ``particles_sort.star``, numbered from 0."""
    particle_pixel_a: float
    references: Tensor
    """``(refs, n, n)``, n even."""
    decoys: dict[Null, Tensor]
    """As many of each null."""
    reference_pixel_a: float
    diameter_a: float
    seed: int
    ctf_corrected: bool
    first_peak: bool
    """The CTF is 1 up to its first peak."""
    labels: Labels | None = None
    """Labels of the rows, if given."""
    stored: StoredModel | None = None
    """Learnt by another job; None to learn here."""
    micrograph_pixel_a: float | None = None
    """None: from the headers."""
    files: tuple[str, ...] = ()
    """Project-relative names of labels and model."""

    def ctf(self, rows: pd.DataFrame, device: str) -> CtfParameters | None:
        """CTF of the first of the rows, which are of one micrograph; None when it is not to be used."""
        if not self.ctf_corrected:
            return None
        return CtfParameters(*(field[0] for field in ctf_parameters(rows.iloc[:1], device)))

    def positions_a(self, rows: pd.DataFrame, pixel_a: float) -> tuple[Tensor, Tensor]:
        """y and x of the particles' centres in A from the micrograph's first pixel; ``pixel_a`` is its."""
        y, x = (self._position(rows, axis, pixel_a) for axis in "YX")
        return y, x

    def _position(self, rows: pd.DataFrame, axis: str, pixel_a: float) -> Tensor:
        centre = rows[f"rlnCoordinate{axis}"].astype(float) * pixel_a
        offset = f"rlnOrigin{axis}"
        if offset in rows.columns:
            centre = centre - rows[offset].astype(float) * self.particle_pixel_a
        return torch.tensor(centre.to_numpy(), dtype=torch.float64)


def plan_scores(spec: Sort, context: JobContext, particles: Particles, stack: Stack) -> Plan:
    """Check what the learnt scores need, before anything is computed.

    The references' pixel size is the spec's, else that of their header, else that of the particles.

    Raises
    ------
    FileError
        When a column is missing, there is no diameter, or labels or model are unusable.
    """
    require(particles.table, "rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY")
    particle_a = particles.pixel_size_a
    pixel_a = spec.reference.pixel_size_in_references or stack.header_pixel_a or particle_a
    diameter_a = spec.scores.particle_diameter or mask_diameter(stack.images, pixel_a)
    if diameter_a is None:
        what = "no mask to measure a diameter; give one, e.g. scores.particle_diameter=180 (A)"
        raise FileError(stack.files[0], what)
    plan = make_plan(
        particles.table.rows,
        particle_a,
        stack.images,
        pixel_a,
        diameter_a,
        spec.compute.seed,
        spec.reference.are_references_ctf_corrected,
        spec.reference.ignore_ctfs_until_first_peak,
    )
    labels = read_labels(spec.scores, context, particles.table)
    model = spec.scores.score_model
    stored = None if model is None else read_model(context.resolve(model))
    context.report.say(f"learnt scores for particles of {diameter_a:g} A")
    named = (spec.scores.good_particles, spec.scores.bad_particles, model)
    return plan._replace(
        labels=labels,
        stored=stored,
        micrograph_pixel_a=spec.scores.micrograph_pixel_size,
        files=tuple(name for name in named if name is not None),
    )


def make_plan(
    rows: pd.DataFrame,
    particle_pixel_a: float,
    references: Tensor,
    reference_pixel_a: float,
    diameter_a: float,
    seed: int,
    ctf_corrected: bool,
    first_peak: bool,
) -> Plan:
    """Plan for references ``(refs, n, n)``, with decoys of a seed; the rows are numbered from 0."""
    size = references.shape[-1]
    images = fit_box(references, size + size % 2)
    false = {null: decoys(images, seed_for(seed, "decoys"), null) for null in NULLS}
    numbered = rows.reset_index(drop=True)
    about = (reference_pixel_a, diameter_a, seed, ctf_corrected, first_peak)
    return Plan(numbered, particle_pixel_a, images, false, *about)


def mask_diameter(references: Tensor, pixel_a: float) -> float | None:
    """Diameter of the mask of references ``(refs, n, n)`` in A; None where they have none."""
    radius = sorting_radius_squared(references) ** 0.5
    if radius < 1 or radius >= references.shape[-1] / 2:
        return None
    return float(2 * radius * pixel_a)


def micrograph_pixel(plan: Plan, header_a: float) -> float:
    """Pixel size of a micrograph in A: the spec's, or its header's.

    Raises
    ------
    CryoflowError
        When neither gives it; a header's 1 A, which many programs write for an unknown pixel size, is
        accepted only if the particles have the same.
    """
    given = plan.micrograph_pixel_a
    if given is not None:
        return float(given)
    if header_a <= 0:
        raise CryoflowError("the header has no pixel size; give scores.micrograph_pixel_size")
    if header_a in UNSET and not math.isclose(header_a, plan.particle_pixel_a, rel_tol=PIXEL_TOLERANCE):
        raise CryoflowError(
            f"the header's pixel size of {header_a:g} A looks unset, since the particles' is "
            f"{plan.particle_pixel_a:g} A; give scores.micrograph_pixel_size"
        )
    return header_a
