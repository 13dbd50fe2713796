"""A class that has become empty takes half of the largest."""

import numpy as np
import torch
from helpers.class2d_problem import model, options, phantom

from cryoflow.compute.class2d import reseed_empty
from cryoflow.compute.class2d.state import Model

BOX = 32


def three(noise_left: float) -> Model:
    """Of three classes the middle one is empty."""
    references = torch.tensor(np.stack([phantom(BOX, 0), np.zeros((BOX, BOX)), phantom(BOX, 1)]))
    made = model(references, torch.ones(1, BOX // 2 + 1).double())
    return made._replace(
        share=torch.tensor([0.3, 0.0, 0.7]).double(), sigma2=torch.full_like(made.sigma2, noise_left)
    )


def test_the_largest_class_is_split_by_the_noise_left_in_it() -> None:
    before, left = three(2e-5), 2e-5
    after = reseed_empty(before, options(BOX), torch.Generator().manual_seed(1))
    assert np.allclose(after.share, [0.3, 0.35, 0.35])
    assert torch.equal(after.references[0], before.references[0])
    middle = (after.references[1] + after.references[2]) / 2
    assert torch.allclose(middle, before.references[2])
    inside = slice(BOX // 2 - 4, BOX // 2 + 4)
    spread = (after.references[2] - after.references[1])[inside, inside] / 2
    ratio = float(spread.var()) / (
        2 * left * BOX**2
    )  # both parts of each of n^2 components have that variance
    assert 0.5 < ratio < 1.6
    assert not (after.references[2] - after.references[1])[0, :8].any()  # beyond the mask


def test_noise_stays_below_the_resolution_of_the_class() -> None:
    before = three(2e-5)
    ssnr = torch.ones_like(before.ssnr) * 10
    ssnr[2, 8:] = 0.5
    after = reseed_empty(before._replace(ssnr=ssnr), options(BOX), torch.Generator().manual_seed(1))
    noise = torch.fft.rfft2(after.references[2] - before.references[2]).abs().square()
    k = torch.fft.fftfreq(BOX, 1 / BOX)
    radius = torch.hypot(k[:, None], k[None, : BOX // 2 + 1])
    beyond = noise[radius > 11].mean() / noise[radius < 7].mean()  # the mask spreads it over two shells or so
    assert beyond < 1e-3


def test_nothing_changes_without_empty_classes() -> None:
    full = three(1e-5)._replace(share=torch.tensor([0.3, 0.1, 0.6]).double())
    after = reseed_empty(full, options(BOX), torch.Generator().manual_seed(1))
    assert torch.equal(after.references, full.references) and torch.equal(after.share, full.share)


def test_several_empty_classes_split_what_is_then_the_largest() -> None:
    share = torch.tensor([0.0, 0.0, 1.0]).double()
    after = reseed_empty(three(1e-5)._replace(share=share), options(BOX), torch.Generator().manual_seed(1))
    assert sorted(after.share.tolist()) == [0.25, 0.25, 0.5]
    assert len({round(float(image.abs().sum()), 6) for image in after.references}) == 3


def test_no_more_than_are_wanted_are_filled() -> None:
    share = torch.tensor([0.0, 0.0, 1.0]).double()
    after = reseed_empty(three(1e-5)._replace(share=share), options(BOX), torch.Generator().manual_seed(1), 2)
    assert after.share.tolist() == [0.5, 0.0, 0.5]
    assert not after.references[1].any()


def test_a_small_class_is_filled_and_what_it_held_is_shared() -> None:
    share = torch.tensor([0.04, 0.0, 0.96]).double()
    before = three(1e-5)._replace(share=share)
    after = reseed_empty(before, options(BOX), torch.Generator().manual_seed(1), 2, 0.05)
    assert torch.allclose(after.share, torch.tensor([0.5, 0.0, 0.5]).double())
    assert torch.allclose((after.references[0] + after.references[2]) / 2, before.references[2])
    kept = reseed_empty(before, options(BOX), torch.Generator().manual_seed(1), 2, 0.03)
    assert torch.equal(kept.references, before.references) and torch.equal(kept.share, share)


def test_more_in_use_than_wanted_are_left() -> None:
    """As when a run that began with all its classes is gone on from."""
    share = torch.tensor([0.3, 0.0, 0.7]).double()
    after = reseed_empty(three(1e-5)._replace(share=share), options(BOX), torch.Generator().manual_seed(1), 1)
    assert torch.equal(after.share, share)
