"""Sort: rank particles by how unusual their difference from the reference is (step 13)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cryoflow.compute.image.masks import disc
from cryoflow.compute.image.rotate import PaddedTransform, padded_transform
from cryoflow.compute.parallel import one_thread_each
from cryoflow.compute.sort.features import z_scores
from cryoflow.compute.sort.residual import MatchedReferences
from cryoflow.compute.sort.score import batches_of, particle_features
from cryoflow.errors import FileError
from cryoflow.files.mrc import read_images
from cryoflow.files.tables import write_table
from cryoflow.jobs.inputs.references import read_references
from cryoflow.jobs.inputs.relocated import stacks_of
from cryoflow.jobs.sort.particles import Particles, ctf_options, poses_of, read
from cryoflow.jobs.sort.resized_references import prepare
from cryoflow.jobs.sort.score_plan import plan_scores
from cryoflow.jobs.sort.scores import write_scores
from cryoflow.project.context import JobContext, JobResult
from cryoflow.spec import Sort

COLUMN = "rlnParticleSelectZScore"


def run(spec: Sort, context: JobContext) -> JobResult:
    """Write ``particles_sort.star``: the input plus ``rlnParticleSelectZScore``; and the learnt scores."""
    given = spec.io.references_from_model_star or spec.io.autopicking_references
    assert given is not None
    stack = read_references(context, given)
    particles = read(spec, context, len(stack.images))
    context.reads(stacks_of(particles.names))
    plan = plan_scores(spec, context, particles, stack) if spec.scores.learnt_scores else None
    references = prepare(
        stack, spec.reference.pixel_size_in_references, particles.pixel_size_a, particles.box, context
    )
    dtype = torch.float64 if spec.compute.precision == "double" else torch.float32
    transform = padded_transform(references.images.to(context.device, dtype))
    inside = disc(particles.box, references.radius_squared, context.device)
    found = _features(spec, context, particles, transform, inside)
    _check_finite(found, particles.names)
    scores = z_scores(found, torch.from_numpy(particles.manual)).numpy()
    learnt = write_scores(plan, context) if plan else JobResult((), (), {})
    target = context.directory / "particles_sort.star"
    table = particles.table._replace(rows=particles.table.rows.assign(**{COLUMN: scores}))
    write_table(target, table, None if spec.star_style == "input" else spec.star_style)
    name, stacks = context.relative(target), stacks_of(particles.names)
    return JobResult(
        inputs=(spec.io.input_particles_to_be_sorted, *stacks, *stack.files, *learnt.inputs),
        outputs=(name, *learnt.outputs),
        counts={"particles": len(scores), "manual": int(particles.manual.sum()), **learnt.counts},
        failures=learnt.failures,
        summary=_summary(scores[~particles.manual]) + learnt.summary,
        nodes=((name, "ParticleGroupMetadata.star.relion"),),
    )


def _features(
    spec: Sort, context: JobContext, particles: Particles, references: PaddedTransform, inside: Tensor
) -> Tensor:
    rows, device, dtype = particles.table.rows, context.device, references.values.real.dtype
    batches = batches_of(len(rows), particles.box, device)
    poses = poses_of(rows, particles.classes, device)
    matched = MatchedReferences(references, poses, ctf_options(spec, rows, particles.pixel_size_a, device))

    def images(batch: slice) -> Tensor:
        return _images(particles.names[batch], particles.box, context).to(device, dtype)

    with one_thread_each(device) as spread:
        found = particle_features(images, batches, matched, poses, inside, spread)
        return torch.cat(list(context.report.progress(found, "batches of particles", len(batches))))


def _check_finite(found: Tensor, names: list[str]) -> None:
    """One particle that is not finite would invalidate all scores, which use means over all particles."""
    bad = (~found.isfinite().all(1)).nonzero()[:, 0].tolist()
    if bad:
        text = f"has pixels that are not finite, as have {len(bad)} of {len(names)} particles; remove them"
        raise FileError(names[bad[0]], text)


def _images(names: list[str], box: int, context: JobContext) -> Tensor:
    images = torch.from_numpy(read_images(names, context.project))
    if images.shape[-2:] != (box, box):
        raise FileError(names[0], f"is not {box} x {box} px like the particles before it")
    return images


def _summary(scores: npt.NDArray[np.float64]) -> str:
    if not len(scores):
        return "only particles picked by hand"
    low, middle, high = np.quantile(scores, (0.05, 0.5, 0.95))
    return f"{len(scores)} Z-scores: median {middle:.2f}, 90 % between {low:.2f} and {high:.2f}"
