"""Whole runs on synthetic particles of known class and angle."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from helpers.class2d_problem import PIXEL, ctf_parameters, data, options, particles, phantom
from helpers.rotated import rotated_images

from cryoflow.compute.class2d import Data, State, iterate, start
from cryoflow.compute.image.ctf import ctf_half_plane
from cryoflow.compute.image.fourier import shift_phases
from cryoflow.compute.image.rotate import padded_transform
from cryoflow.compute.image.shells import power_spectrum

BOX, NUMBER = 32, 120
OPTIONS = options(BOX, psi_step_deg=24.0, offset_range_px=3.0, offset_step_px=2.0)


class Truth(NamedTuple):
    data: Data
    kind: np.ndarray
    psi: np.ndarray
    offset: np.ndarray


def simulate(seed: int, noise: float, broken: int | None = None) -> Truth:
    """Two kinds at random angles, shifted a little, with CTF and white noise."""
    rng = np.random.default_rng(seed)
    kind, psi = rng.integers(0, 2, NUMBER), rng.uniform(0, 360, NUMBER)
    offset = rng.normal(size=(NUMBER, 2)) * 0.8
    images = torch.empty(NUMBER, BOX, BOX)
    defocus = rng.uniform(9000, 14000, NUMBER)
    ctf = ctf_half_plane(ctf_parameters(defocus), BOX, BOX, PIXEL)
    for k in (0, 1):
        mine = kind == k
        turned = rotated_images(
            padded_transform(torch.from_numpy(phantom(BOX, k))[None]), torch.tensor(psi[mine])
        )[0]
        images[mine] = 4 * turned.float()
    transform = torch.fft.rfft2(images) * ctf.float()
    transform = transform * shift_phases(
        BOX, BOX, torch.tensor(-offset[:, 0]), torch.tensor(-offset[:, 1]), transform
    )
    clean = torch.fft.irfft2(transform, s=(BOX, BOX))
    images = clean + noise * torch.from_numpy(rng.normal(size=clean.shape)).float()
    made = data(images, groups=2, defocus_a=defocus)
    return Truth(made, kind, psi, offset)


def classify(truth: Truth, iterations: int, classes: int = 2, seed: int = 0) -> State:
    seeds = torch.from_numpy(np.random.default_rng(seed).integers(0, 2**62, NUMBER))
    state = start(truth.data, classes, seeds, OPTIONS, particles(NUMBER))
    for i in range(iterations):
        state = iterate(state, truth.data, OPTIONS, 0.3 if i % 2 else -0.2)
    return state


@pytest.fixture(scope="module")
def truth() -> Truth:
    return simulate(1, 0.5)


@pytest.fixture(scope="module")
def result(truth: Truth) -> State:
    return classify(truth, 12)


def test_classes_are_found(truth: Truth, result: State) -> None:
    same = result.particles.class_index.numpy() == truth.kind
    assert max(same.mean(), 1 - same.mean()) > 0.97
    assert result.model.share.tolist() == pytest.approx([0.5, 0.5], abs=0.12)
    assert float(result.model.share.sum()) == pytest.approx(1)


def test_angles_and_offsets_are_found_up_to_the_pose_of_the_average(truth: Truth, result: State) -> None:
    found = result.particles
    for k in (0, 1):
        mine = truth.kind == k
        turn = np.deg2rad(found.psi_deg.numpy()[mine] - truth.psi[mine])
        common = np.angle(np.exp(1j * turn).mean())
        left = np.abs(np.angle(np.exp(1j * (turn - common))))
        assert np.median(np.rad2deg(left)) < 10 and (np.rad2deg(left) < 25).mean() > 0.9
        dy, dx = (found.offset_px.numpy() - truth.offset)[mine].T  # off by the centre of the average, turned
        psi = np.deg2rad(found.psi_deg.numpy()[mine])
        back = np.stack((dy * np.cos(psi) + dx * np.sin(psi), -dy * np.sin(psi) + dx * np.cos(psi)))
        assert np.median(np.abs(back - np.median(back, axis=1, keepdims=True))) < 0.7


def test_likelihood_rises_and_noise_is_that_of_the_images(truth: Truth, result: State) -> None:
    early = classify(truth, 3)
    assert result.model.log_likelihood > early.model.log_likelihood
    high = result.model.noise[:, 13:].mean()
    in_the_mask = 0.6  # the mask takes the rest of the noise away
    assert float(high) == pytest.approx(0.5**2 / (2 * BOX**2) * in_the_mask, rel=0.35)


def test_same_input_gives_the_same_bytes(truth: Truth) -> None:
    one, other = classify(truth, 2), classify(truth, 2)
    assert torch.equal(one.model.references, other.model.references)
    assert all(torch.equal(a, b) for a, b in zip(one.particles, other.particles, strict=True))
    assert not torch.equal(classify(truth, 2, seed=5).model.references, one.model.references)


def test_more_classes_than_kinds_leaves_all_finite(truth: Truth) -> None:
    state = classify(truth, 6, classes=9)
    assert all(torch.isfinite(field).all() for field in state.model if isinstance(field, torch.Tensor))
    assert float(state.model.share.sum()) == pytest.approx(1)


def test_an_empty_class_stays_empty(truth: Truth, result: State) -> None:
    model = result.model
    shrunk = model._replace(
        share=torch.cat((model.share, torch.zeros(1).double())),
        class_offset=torch.cat((model.class_offset, torch.zeros(1, 2).double())),
        references=torch.cat((model.references, model.references[:1])),
        **{
            f: torch.cat((getattr(model, f), getattr(model, f)[:1]))
            for f in ("ssnr", "tau2", "sigma2", "coverage", "orientability", "accuracy_deg", "accuracy_px")
        },
    )
    after = iterate(result._replace(model=shrunk), truth.data, OPTIONS, 0.1)
    plain = iterate(result, truth.data, OPTIONS, 0.1)
    assert float(after.model.share[2]) == 0 and float(after.model.references[2].abs().max()) == 0
    assert torch.allclose(after.model.references[:2], plain.model.references, atol=1e-6)
    assert float(after.model.accuracy_deg[2]) == 999


def test_a_subset_leaves_the_others_as_they_were(truth: Truth, result: State) -> None:
    subset = torch.arange(0, NUMBER, 3)
    after = iterate(result, truth.data, OPTIONS, 0.1, subset)
    others = torch.ones(NUMBER, dtype=torch.bool)
    others[subset] = False
    assert torch.equal(after.particles.psi_deg[others], result.particles.psi_deg[others])
    assert not torch.equal(after.particles.psi_deg[subset], result.particles.psi_deg[subset])


def test_noise_mask_and_limited_resolution_run(truth: Truth, result: State) -> None:
    o = OPTIONS._replace(zero_mask=False, e_step_limit_a=20.0)
    state = iterate(result, truth.data, o, 0.1)
    assert state.coarse_size == 2 * round(BOX * PIXEL / 20)
    same = state.particles.class_index == result.particles.class_index
    assert float(same.double().mean()) > 0.9


def test_first_noise_is_half_the_power_less_that_of_the_mean(truth: Truth) -> None:
    o = OPTIONS._replace(zero_mask=False)
    state = start(truth.data, 2, truth.data.seed, o, particles(NUMBER))
    images = truth.data.images(torch.arange(NUMBER)).double()
    transform = torch.fft.rfft2(images) / BOX**2
    for g in (0, 1):
        power = power_spectrum(transform[truth.data.group == g]).mean(0)
        expected = (power - power_spectrum(transform.mean(0, keepdim=True))[0]) / 2
        positive = expected > 0
        assert torch.allclose(state.model.noise[g][positive], expected[positive])
    assert float(state.model.noise.min()) > 0


def test_accuracy_gets_better_with_less_noise(result: State) -> None:
    assert float(result.model.accuracy_deg.max()) < 30 and float(result.model.accuracy_px.max()) < 5
    noisy = simulate(1, 2.0)
    after = iterate(
        result._replace(model=result.model._replace(noise=result.model.noise * 16)), noisy.data, OPTIONS
    )
    assert bool((after.model.accuracy_deg > result.model.accuracy_deg).all())
    assert result.model.orientability.sum(1).tolist() == pytest.approx([1, 1])
