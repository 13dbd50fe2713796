"""Half-set averages against plain means, and that halves change nothing else."""

import numpy as np
import torch
from helpers.class2d_problem import data, model, options, particles, phantom

from cryoflow.compute.class2d import State, iterate
from cryoflow.compute.class2d.m_step.half_sets import agreeing_shells, half_of
from cryoflow.compute.class2d.m_step.maximization import solvent_mask
from cryoflow.compute.class2d.state import Changes, Model, Options, Particles

BOX, NUMBER = 32, 90


def images_of(noise: float) -> torch.Tensor:
    rng = np.random.default_rng(11)
    return torch.tensor(phantom(BOX, 0) + noise * rng.normal(size=(NUMBER, BOX, BOX)))


def state_of(made: Model, at: Particles) -> State:
    return State(3, made, at, 0.0, 0, 0, Changes(0, 0, 0))


def one_class(noise: float) -> Model:
    spectrum = torch.full((1, BOX // 2 + 1), noise**2 / (2 * BOX**2), dtype=torch.float64)
    return model(torch.tensor(phantom(BOX, 0))[None], spectrum, shell=12)


def by_rings(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Ring correlation over the whole plane, point by point."""
    n = one.shape[-1]
    a, b = np.fft.fft2(one), np.fft.fft2(other)
    k = np.fft.fftfreq(n, 1 / n)
    shell = np.floor(np.hypot(k[:, None], k[None]) + 0.5).astype(int)
    out = []
    for s in range(n // 2 + 1):
        p, q = a[shell == s], b[shell == s]
        out.append((p * q.conj()).sum().real / np.sqrt((abs(p) ** 2).sum() * (abs(q) ** 2).sum()))
    return np.array(out)


def kept_poses(**changed: object) -> Options:
    return options(BOX, align=False, correct_ctf=False, **changed)


def test_correlation_is_that_of_the_means_of_two_halves() -> None:
    """At known poses and without CTFs an average is a mean, but for its way over the padded grid."""
    measured, settings = data(images_of(3.0)), kept_poses()
    after = iterate(state_of(one_class(3.0), particles(NUMBER)), measured, settings, halves=True)
    assert after.halves is not None
    half, mask = half_of(measured.seed), solvent_mask(settings)
    means = [
        (measured.images(torch.arange(NUMBER))[half == h].mean(0) * mask).numpy()
        for h in (0, 1)
    ]  # fmt: skip
    expected = by_rings(*means)
    found = after.halves.correlation[0].numpy()
    assert np.abs(found[1:16] - expected[1:16]).max() < 0.08
    assert expected[1:4].min() > 0.6 and np.abs(expected[10:16]).max() < 0.4
    assert after.halves.share.sum(1).tolist() == np.bincount(half.numpy()).tolist()


def test_halves_change_nothing_but_rounding() -> None:
    at = particles(NUMBER)
    two = model(
        torch.tensor(np.stack([phantom(BOX, 0), phantom(BOX, 1)])), one_class(1.0).noise.repeat(2, 1), shell=8
    )
    measured = data(images_of(1.0), groups=2)
    plain = iterate(state_of(two, at), measured, options(BOX), 0.2)
    halved = iterate(state_of(two, at), measured, options(BOX), 0.2, halves=True)
    assert plain.halves is None and halved.halves is not None
    assert torch.allclose(plain.model.references, halved.model.references, atol=1e-9)
    assert torch.allclose(plain.model.noise, halved.model.noise, rtol=1e-9)
    for one, other in zip(plain.particles, halved.particles, strict=True):
        assert torch.allclose(one, other, atol=1e-9)
    assert torch.allclose(halved.halves.share.sum(0) / NUMBER, halved.model.share, atol=1e-3)


def test_half_goes_with_the_particle() -> None:
    seeds = torch.from_numpy(np.random.default_rng(1).integers(0, 2**63 - 1, 4000))
    order = torch.randperm(4000, generator=torch.Generator().manual_seed(2))
    assert torch.equal(half_of(seeds)[order], half_of(seeds[order]))
    assert abs(float(half_of(seeds).double().mean()) - 0.5) < 0.04


def test_one_particle_has_no_halves_to_compare() -> None:
    measured = data(images_of(1.0)[:1])
    after = iterate(state_of(one_class(1.0), particles(1)), measured, kept_poses(), halves=True)
    assert after.halves is not None
    assert float(after.halves.correlation.abs().max()) == 0
    assert sorted(after.halves.share[:, 0].tolist()) == [0, 1]


def test_shells_agree_up_to_the_first_that_does_not() -> None:
    correlation = torch.tensor([[1, 0.9, 0.143, 0.1, 0.9], [1, 0.1, 0.9, 0.9, 0.9], [0, 0.9, 0.9, 0.9, 0.9]])
    assert agreeing_shells(correlation).tolist() == [2, 0, 4]
