"""The fast passes of the E-step against the formula."""

import math
from typing import NamedTuple

import numpy as np
import pytest
import torch
from helpers.class2d_problem import data, model, options, particles, phantom
from helpers.observed import Particle, Problem, observe, offset_priors

from cryoflow.compute.class2d.batching import CPU
from cryoflow.compute.class2d.e_step.accumulate import Record
from cryoflow.compute.class2d.e_step.coarse_pass import coarse_log_weights
from cryoflow.compute.class2d.e_step.expectation import expectation
from cryoflow.compute.class2d.e_step.formula import (
    ExpectedSums,
    Samples,
    expected_sums,
    image_term,
    log_likelihood,
    log_posterior,
    probabilities,
)
from cryoflow.compute.class2d.e_step.grids import ERROR, make_grids
from cryoflow.compute.class2d.e_step.prepare import prepare
from cryoflow.compute.class2d.e_step.setup import log_prior, make_setup
from cryoflow.compute.class2d.gridding import grid_back
from cryoflow.compute.class2d.sampling import ImageSizes, Points, make_sampling, points_within

BOX, NUMBER = 16, 3
SIZE = 12
PERTURBATION = 0.2


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
    setup = make_setup(problem.model, problem.data, problem.options, ImageSizes(SIZE, SIZE))
    subset = torch.arange(NUMBER) if order is None else torch.tensor(order)
    return expectation(setup, problem.particles, make_sampling(problem.options, PERTURBATION), subset)


class Expectation(NamedTuple):
    """By the formula, of one particle."""

    particle: Particle
    log_weight: torch.Tensor
    probability: torch.Tensor
    sums: ExpectedSums
    residual: np.ndarray


def by_formula(problem: Problem, i: int) -> Expectation:
    particle = observe(problem, i, make_sampling(problem.options, PERTURBATION), SIZE)
    log_weight = log_posterior(particle.observed, particle.samples, particle.seen)
    probability = probabilities(log_weight)
    sums = expected_sums(particle.observed, particle.samples, probability, BOX // 2 + 1)
    residual = particle.power - (2 * sums.cross - sums.power).numpy()
    return Expectation(particle, log_weight, probability, sums, residual)


def test_posterior_and_likelihood_are_those_of_the_formula(problem: Problem) -> None:
    record, sampling = found(problem), make_sampling(problem.options, PERTURBATION)
    for i in range(NUMBER):
        expected, after = by_formula(problem, i), record.particles
        one = expected.particle
        k, angle, offset = np.unravel_index(int(expected.probability.argmax()), expected.probability.shape)
        likelihood = log_likelihood(expected.log_weight, one.observed, one.seen) - one.beyond / 2
        assert float(after.log_likelihood[i]) == pytest.approx(likelihood, rel=1e-9)
        assert float(after.pmax[i]) == pytest.approx(float(expected.probability.max()), rel=1e-8)
        assert int(after.class_index[i]) == k
        assert float(after.psi_deg[i]) == pytest.approx(float(sampling.psi_fine[angle]))
        best = one.shift + sampling.offset_fine[offset].numpy()
        assert after.offset_px[i].tolist() == pytest.approx(best.tolist())
        spread = math.sqrt(2 * expected.residual.sum())
        norm = float(problem.particles.norm[i]) / problem.model.norm_mean * spread
        assert float(after.norm[i]) == pytest.approx(norm, rel=1e-8)


def test_sums_are_those_of_the_formula(problem: Problem) -> None:
    record = found(problem)
    every = [by_formula(problem, i) for i in range(NUMBER)]
    share, offset, squared = np.zeros(2), np.zeros((2, 2)), 0.0
    noise, cross, power = np.zeros((2, 9)), np.zeros((2, 9)), np.zeros((2, 9))
    for i, one in enumerate(every):
        g = int(problem.data.group[i])
        scale = float(problem.model.scale[g])
        noise[g] += one.residual
        cross[g] += one.sums.cross.numpy() / scale
        power[g] += one.sums.power.numpy() / scale**2
        for (k, _, d), p in np.ndenumerate(one.probability.numpy()):
            total = one.particle.shift + one.particle.samples.offset_px[d].numpy()
            share[k] += p
            offset[k] += p * total
            squared += p * ((total - problem.model.class_offset[k].numpy()) ** 2).sum()
    sums = record.sums
    assert np.allclose(sums.share, share) and np.allclose(sums.offset, offset)
    assert sums.offset_squared == pytest.approx(squared)
    assert np.allclose(sums.noise, noise, rtol=1e-7) and np.allclose(sums.group_weight, [2, 1])
    assert np.allclose(sums.image_reference, cross, atol=1e-9 * cross.max())
    assert np.allclose(sums.reference_reference, power, atol=1e-9 * power.max())
    assert sums.log_likelihood == pytest.approx(float(record.particles.log_likelihood.sum()))


def in_order(one: Particle, points: Points) -> list[int]:
    """Which of the particle's points each of ``points`` is."""
    place = {q: n for n, q in enumerate(zip(one.y.tolist(), one.x.tolist(), strict=True))}
    return [place[q] for q in zip(points.y.int().tolist(), points.x.int().tolist(), strict=True)]


def test_gridded_images_are_those_of_the_formula(problem: Problem) -> None:
    """Images times posterior, gridded at the fine angles."""
    record, sampling = found(problem), make_sampling(problem.options, PERTURBATION)
    points = points_within(BOX, SIZE // 2)
    data = torch.zeros_like(record.sums.data)
    weight = torch.zeros_like(record.sums.weight)
    for i in range(NUMBER):
        one = by_formula(problem, i)
        order = in_order(one.particle, points)
        rows, weights = (part[..., order].flatten(0, 1) for part in (one.sums.data, one.sums.weight))
        gridded = grid_back(rows, weights, BOX, sampling.psi_fine, points)
        data += gridded[0]
        weight += gridded[1]
    assert torch.allclose(record.sums.data, data, atol=1e-9 * float(data.abs().max()))
    assert torch.allclose(record.sums.weight, weight, atol=1e-9 * float(weight.max()))


@pytest.mark.parametrize("psi_step_deg", [90.0, 72.0])  # angles with and without opposites
def test_coarse_weights_are_those_of_the_formula(problem: Problem, psi_step_deg: float) -> None:
    problem = problem._replace(options=problem.options._replace(psi_step_deg=psi_step_deg))
    coarse, sampling = 8, make_sampling(problem.options, PERTURBATION)
    setup = make_setup(problem.model, problem.data, problem.options, ImageSizes(SIZE, coarse))
    index = torch.arange(NUMBER)
    images = prepare(index, problem.data, problem.model, problem.particles, problem.options, setup.where)
    prior = log_prior(setup, images.shift, sampling.offset_prior)
    found = coarse_log_weights(make_grids(setup, sampling).coarse, images, prior)  # (B, S, H, R)
    angles, offsets = len(sampling.psi_coarse), len(sampling.offset_coarse)
    found = found.view(NUMBER, offsets, -1, 2, angles // found.shape[2]).transpose(2, 3).flatten(3)
    for i in range(NUMBER):
        one = observe(problem, i, sampling, SIZE, fine=False)
        seen = one.seen & (one.y**2 + one.x**2 <= (coarse // 2) ** 2)
        expected = log_posterior(one.observed, one.samples, seen) + image_term(one.observed, seen)
        assert torch.allclose(found[i], expected.permute(2, 0, 1), rtol=1e-9)


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


def test_kept_poses_leave_the_posterior_of_classes(problem: Problem) -> None:
    """One angle and one offset a particle: the formula with the prior of that offset."""
    sampling = make_sampling(problem.options, PERTURBATION)
    shift = torch.tensor([[0.0, 1.0], [-1.0, 0.0], [2.0, -2.0]]).double()
    places = [0, 3, 5]
    at = problem.particles._replace(
        psi_deg=sampling.psi_fine[torch.tensor(places)], offset_px=shift + sampling.offset_fine[6]
    )
    here = problem._replace(particles=at, options=problem.options._replace(align=False))
    kept = found(here)
    assert torch.equal(kept.particles.psi_deg, at.psi_deg)
    assert torch.allclose(kept.particles.offset_px, at.offset_px)
    share = torch.zeros(2, dtype=torch.float64)
    for i, angle in enumerate(places):
        one = observe(here, i, sampling, SIZE)
        offset = at.offset_px[i] - torch.from_numpy(one.shift)
        samples = Samples(
            one.samples.references[:, [angle]],
            torch.exp(-2j * torch.pi / BOX * (one.y * offset[0] + one.x * offset[1]))[None],
            torch.from_numpy(offset_priors(here, one.shift, offset[None].numpy())),
            offset[None],
        )
        log_weight = log_posterior(one.observed, samples, one.seen)
        probability = probabilities(log_weight)[:, 0, 0]
        share += probability
        assert int(kept.particles.class_index[i]) == int(probability.argmax())
        assert float(kept.particles.pmax[i]) == pytest.approx(float(probability.max()), rel=1e-8)
        likelihood = log_likelihood(log_weight, one.observed, one.seen) - one.beyond / 2
        assert float(kept.particles.log_likelihood[i]) == pytest.approx(likelihood, rel=1e-9)
    assert torch.allclose(kept.sums.share, share)


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
