"""The posterior and the sums against plain loops over everything."""

import itertools
import math
from typing import NamedTuple

import numpy as np
import pytest
import torch
from helpers.class2d_problem import data, model, options, particles, phantom
from helpers.rotated import rotated_transforms

from cryoflow.compute.class2d.batching import CPU
from cryoflow.compute.class2d.e_step.accumulate import Record
from cryoflow.compute.class2d.e_step.expectation import expectation
from cryoflow.compute.class2d.e_step.grids import ERROR
from cryoflow.compute.class2d.e_step.setup import make_search
from cryoflow.compute.class2d.sampling import ImageSizes, make_sampling
from cryoflow.compute.class2d.state import Data, Model, Options, Particles
from cryoflow.compute.image.ctf import CtfParameters, ctf_at
from cryoflow.compute.image.rotate import padded_transform

BOX, NUMBER = 16, 3
SIZE = 12
PERTURBATION = 0.2


class Problem(NamedTuple):
    model: Model
    data: Data
    options: Options
    particles: Particles
    images: np.ndarray


@pytest.fixture(scope="module")
def problem() -> Problem:
    """Three noisy particles, two classes, two groups of different scale, offsets to start from."""
    rng = np.random.default_rng(3)
    references = torch.tensor(np.stack([phantom(BOX, 0), phantom(BOX, 1)]))
    images = torch.tensor(rng.normal(size=(NUMBER, BOX, BOX)) * 0.6 + phantom(BOX, 0))
    noise = torch.tensor(rng.uniform(0.5, 1.5, (2, BOX // 2 + 1)) * 0.18 / BOX**2)
    made = model(
        references, noise, share=torch.tensor([0.7, 0.3]).double(), scale=torch.tensor([1.2, 0.9]).double(),
        class_offset=torch.tensor([[0.3, -0.2], [0.0, 0.5]]).double(), norm_mean=0.9,
    )  # fmt: skip
    at = particles(NUMBER)._replace(
        offset_px=torch.tensor([[0.4, 1.2], [-0.6, 0.0], [2.0, -1.5]]).double(),
        norm=torch.tensor([0.8, 1.0, 1.1]).double(),
    )
    return Problem(made, data(images, groups=2), options(BOX, significant_fraction=1.0), at, images.numpy())


def found(problem: Problem, order: list[int] | None = None) -> Record:
    search = make_search(problem.model, problem.data, problem.options, ImageSizes(SIZE, SIZE))
    subset = torch.arange(NUMBER) if order is None else torch.tensor(order)
    return expectation(search, problem.particles, make_sampling(problem.options, PERTURBATION), subset)


class Sample(NamedTuple):
    log_weight: float
    k: int
    psi: float
    offset: np.ndarray
    cross: np.ndarray
    power: np.ndarray


class Loops(NamedTuple):
    samples: list[Sample]
    weights: np.ndarray
    log_likelihood: float
    residual: np.ndarray


def centred_mask(image: np.ndarray, diameter_px: float) -> np.ndarray:
    y, x = np.mgrid[:BOX, :BOX] - BOX // 2
    radius = np.hypot(y, x)
    outside = np.clip((radius - diameter_px / 2) / 5, 0, 1)
    outside = 0.5 - 0.5 * np.cos(np.pi * outside)
    return (1 - outside) * image + outside * (outside * image).sum() / outside.sum()


def moved(image: np.ndarray, dy: int, dx: int) -> np.ndarray:
    out = np.zeros_like(image)
    for y, x in itertools.product(range(BOX), range(BOX)):
        if 0 <= y - dy < BOX and 0 <= x - dx < BOX:
            out[y, x] = image[y - dy, x - dx]
    return out


def away(value: float) -> int:
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


def by_loops(problem: Problem, i: int) -> Loops:
    """Everything about particle i, sample by sample and point by point."""
    p, o = problem, problem.options
    group = int(p.data.group[i])
    noise, scale = p.model.noise[group].numpy(), float(p.model.scale[group])
    dy, dx = (away(float(v)) for v in p.particles.offset_px[i])
    image = moved(p.images[i] * p.model.norm_mean / float(p.particles.norm[i]), dy, dx)
    masked = np.fft.fft2(np.fft.ifftshift(centred_mask(image, o.mask_diameter_a / o.pixel_size_a))) / BOX**2
    points = [
        (y, x) for x in range(BOX // 2 + 1) for y in range(-BOX // 2 + 1, BOX // 2 + 1) if x > 0 or y >= 0
    ]
    shell = {q: away(math.hypot(*q)) for q in points}
    radius = SIZE // 2
    ctf = {q: scale * ctf_of(p.data.ctf, i, q, o) for q in points}
    transform = padded_transform(p.model.references, radius)
    sampling = make_sampling(o, PERTURBATION)
    turned = rotated_transforms(transform, sampling.psi_fine).numpy() / BOX**2  # (2, psis, BOX, BOX // 2 + 1)
    inside = [q for q in points if shell[q] <= radius and not (q[0] == -radius and shell[q] == radius)]
    constant = sum(math.log(2 * math.pi * noise[shell[q]]) for q in inside if shell[q] > 0)
    beyond = sum(abs(masked[q]) ** 2 for q in points if radius < shell[q] <= BOX // 2)
    priors = offset_priors(problem, np.array([dy, dx]), sampling.offset_prior.numpy())
    samples = []
    for k, (a, psi), (t, offset) in itertools.product(
        range(2), enumerate(sampling.psi_fine.tolist()), enumerate(sampling.offset_fine.numpy())
    ):
        cross, power, difference = np.zeros(BOX // 2 + 1), np.zeros(BOX // 2 + 1), 0.0
        for q in inside:
            x = masked[q] * np.exp(-2j * np.pi * (q[0] * offset[0] + q[1] * offset[1]) / BOX)
            r = ctf[q] * turned[k, a, q[0], q[1]] if q[0] ** 2 + q[1] ** 2 <= radius**2 else 0
            cross[shell[q]] += (np.conj(r) * x).real
            power[shell[q]] += abs(r) ** 2
            difference += abs(x - r) ** 2 / (2 * noise[shell[q]]) if shell[q] > 0 else 0
        samples.append(
            Sample(
                priors[k, t // 4] - difference - beyond / 2, k, psi, offset + np.array([dy, dx]), cross, power
            )
        )
    logs = np.array([s.log_weight for s in samples])
    top = logs.max()
    weights = np.exp(logs - top) / np.exp(logs - top).sum()
    images = np.zeros(BOX // 2 + 1)
    for q in points:
        if shell[q] <= BOX // 2 and (q in set(inside) or shell[q] > radius):
            images[shell[q]] += abs(masked[q]) ** 2
    residual = images - sum(w * (2 * s.cross - s.power) for w, s in zip(weights, samples, strict=True))
    return Loops(samples, weights, top + math.log(np.exp(logs - top).sum()) - constant, residual)


def ctf_of(ctf: CtfParameters, i: int, q: tuple[int, int], o: Options) -> float:
    one = CtfParameters(*(field[i] for field in ctf))
    extent = o.box * o.pixel_size_a
    return float(ctf_at(one, torch.tensor(q[0] / extent).double(), torch.tensor(q[1] / extent).double()))


def offset_priors(problem: Problem, shift: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    away_from = (shift + offsets)[None] - problem.model.class_offset.numpy()[:, None]
    gauss = np.exp(-(away_from**2).sum(-1) / (2 * problem.model.offset_variance))
    share = problem.model.share.numpy()
    return np.log(gauss / gauss.mean()) + np.log(share / share.mean())[:, None]


def test_posterior_and_likelihood_are_those_of_loops(problem: Problem) -> None:
    record = found(problem)
    for i in range(NUMBER):
        loops = by_loops(problem, i)
        best = loops.samples[int(loops.weights.argmax())]
        after = record.particles
        assert float(after.log_likelihood[i]) == pytest.approx(loops.log_likelihood, rel=1e-9)
        assert float(after.pmax[i]) == pytest.approx(loops.weights.max(), rel=1e-8)
        assert int(after.class_index[i]) == best.k
        assert float(after.psi_deg[i]) == pytest.approx(best.psi)
        assert after.offset_px[i].tolist() == pytest.approx(best.offset.tolist())
        norm = (
            float(problem.particles.norm[i]) / problem.model.norm_mean * math.sqrt(2 * loops.residual.sum())
        )
        assert float(after.norm[i]) == pytest.approx(norm, rel=1e-8)


def test_sums_are_those_of_loops(problem: Problem) -> None:
    record = found(problem)
    loops = [by_loops(problem, i) for i in range(NUMBER)]
    share, offset, squared = np.zeros(2), np.zeros((2, 2)), 0.0
    noise, cross, power = np.zeros((2, 9)), np.zeros((2, 9)), np.zeros((2, 9))
    for i, one in enumerate(loops):
        g = int(problem.data.group[i])
        scale = float(problem.model.scale[g])
        noise[g] += one.residual
        for w, s in zip(one.weights, one.samples, strict=True):
            share[s.k] += w
            offset[s.k] += w * s.offset
            squared += w * ((s.offset - problem.model.class_offset[s.k].numpy()) ** 2).sum()
            cross[g] += w * s.cross / scale
            power[g] += w * s.power / scale**2
    sums = record.sums
    assert np.allclose(sums.share, share) and np.allclose(sums.offset, offset)
    assert sums.offset_squared == pytest.approx(squared)
    assert np.allclose(sums.noise, noise, rtol=1e-7) and np.allclose(sums.group_weight, [2, 1])
    assert np.allclose(sums.image_reference, cross, atol=1e-9 * cross.max())
    assert np.allclose(sums.reference_reference, power, atol=1e-9 * power.max())
    assert sums.log_likelihood == pytest.approx(sum(one.log_likelihood for one in loops))


def test_order_of_particles_does_not_matter(problem: Problem) -> None:
    one, other = found(problem), found(problem, [2, 0, 1])
    assert torch.allclose(one.sums.data, other.sums.data) and torch.allclose(
        one.sums.weight, other.sums.weight
    )
    assert torch.allclose(one.particles.log_likelihood, other.particles.log_likelihood)


def test_as_many_particles_as_rows_get_the_poses_of_each_alone(problem: Problem) -> None:
    """Two coarse angles share a row, so that two classes have two rows."""
    few = problem._replace(options=problem.options._replace(psi_step_deg=180.0))
    both = found(few, [0, 1]).particles
    for i in (0, 1):
        alone = found(few, [i]).particles
        assert torch.equal(both.class_index[i], alone.class_index[i])
        assert torch.equal(both.psi_deg[i], alone.psi_deg[i])
        assert torch.equal(both.offset_px[i], alone.offset_px[i])


@pytest.mark.parametrize(("most", "threads"), [(-1.0, 1), (1.0, 1), (1.0, 0), (0.5, 3)])
def test_sums_depend_neither_on_what_is_taken_together_nor_on_threads(
    problem: Problem, monkeypatch: pytest.MonkeyPatch, most: float, threads: int
) -> None:
    """All rows for all particles, each particle by itself (or, as on a GPU, class by class), one particle a
    thread."""
    few = problem._replace(options=problem.options._replace(significant_fraction=0.9, psi_step_deg=45.0))
    whole = found(few)
    monkeypatch.setattr("cryoflow.compute.class2d.e_step.fine_pass.MOST", most)
    monkeypatch.setattr("cryoflow.compute.class2d.batching.CPU", CPU._replace(chunk=1 if threads > 1 else 3))
    if not threads:
        monkeypatch.setattr("cryoflow.compute.class2d.e_step.fine_pass.one_by_one", lambda where: False)
    before = torch.get_num_threads()
    torch.set_num_threads(max(threads, 1))
    try:
        parts = found(few)
    finally:
        torch.set_num_threads(before)
    for name in ("data", "weight", "share", "offset", "noise", "image_reference", "reference_reference"):
        assert torch.allclose(getattr(parts.sums, name), getattr(whole.sums, name)), name
    assert torch.equal(parts.particles.psi_deg, whole.particles.psi_deg)
    assert torch.allclose(parts.particles.norm, whole.particles.norm)


def test_single_precision_agrees_with_double(problem: Problem) -> None:
    images = torch.tensor(problem.images).float()
    single = found(problem._replace(data=problem.data._replace(images=lambda i: images[i])))
    double = found(problem)
    assert torch.allclose(single.particles.log_likelihood, double.particles.log_likelihood, atol=ERROR)
    assert torch.allclose(
        single.sums.data, double.sums.data, atol=ERROR * float(double.sums.data.abs().max())
    )


def test_the_samples_left_out_carry_little(problem: Problem) -> None:
    narrow = problem._replace(options=problem.options._replace(psi_step_deg=24.0, offset_step_px=1.0))
    usual = found(narrow._replace(options=narrow.options._replace(significant_fraction=0.999)))
    full = found(narrow)
    assert torch.all(usual.particles.significant < full.particles.significant)
    assert torch.allclose(usual.sums.share, full.sums.share, atol=0.03)
    assert float(usual.sums.share.sum()) >= 0.998 * NUMBER


def test_kept_poses_give_the_class_posterior_alone(problem: Problem) -> None:
    """With poses on the fine grid, classes weigh as among the samples of that pose, but for the offset
    prior."""
    sampling = make_sampling(problem.options, PERTURBATION)
    shift = torch.tensor([[0.0, 1.0], [-1.0, 0.0], [2.0, -2.0]]).double()
    at = problem.particles._replace(
        psi_deg=sampling.psi_fine[torch.tensor([0, 3, 5])], offset_px=shift + sampling.offset_fine[6]
    )
    kept = found(problem._replace(particles=at, options=problem.options._replace(align=False)))
    assert torch.equal(kept.particles.psi_deg, at.psi_deg)
    assert torch.allclose(kept.particles.offset_px, at.offset_px)
    rounded = problem._replace(particles=at._replace(offset_px=shift))
    for i in range(NUMBER):
        loops = by_loops(rounded, i)
        mine = [
            s
            for s in loops.samples
            if s.psi == float(at.psi_deg[i]) and np.allclose(s.offset, at.offset_px[i])
        ]
        away_from = at.offset_px[i].numpy() - problem.model.class_offset.numpy()
        prior = -(away_from**2).sum(1) / (2 * problem.model.offset_variance)
        coarse = offset_priors(rounded, shift[i].numpy(), sampling.offset_prior.numpy()[1:2])[:, 0]
        share = np.log(problem.model.share.numpy())
        logs = np.array([s.log_weight for s in mine]) - coarse + share + prior
        weights = np.exp(logs - logs.max())
        assert int(kept.particles.class_index[i]) == int(weights.argmax())
        if np.array_equal(away_rounded(at.offset_px[i]), shift[i].numpy()):
            assert float(kept.particles.pmax[i]) == pytest.approx(weights.max() / weights.sum(), rel=1e-6)


@pytest.mark.parametrize("align", [True, False])
def test_offsets_that_are_nearly_all_the_same_leave_weights(problem: Problem, align: bool) -> None:
    """Without alignment a particle keeps its offset, however unlikely that is, and only classes weigh."""
    narrow = problem.model._replace(offset_variance=1e-9, class_offset=torch.zeros(2, 2).double())
    wide = narrow._replace(offset_variance=4.0)
    given = problem.options._replace(align=align)
    here = found(problem._replace(model=narrow, options=given))
    assert float(here.sums.share.sum()) == pytest.approx(NUMBER)
    if align:
        assert float(here.particles.offset_px.norm(dim=1).max()) < problem.options.offset_step_px
    else:
        there = found(problem._replace(model=wide, options=given))
        assert torch.allclose(here.sums.share, there.sums.share)
        assert torch.equal(here.particles.class_index, there.particles.class_index)


def away_rounded(offset: torch.Tensor) -> np.ndarray:
    return np.array([away(float(v)) for v in offset], dtype=float)
