"""Candidates: the same picks as from maps at every threshold above the floor, and tops between samples."""

import numpy as np
import pytest
import torch

from cryoflow.compute.pick.candidates import find_candidates
from cryoflow.compute.pick.figure_of_merit import FomMaps, Sampling
from cryoflow.compute.pick.peaks import Thresholds, find_peaks, pick_candidates


def random_maps(seed: int, spacing: float) -> FomMaps:
    generator = torch.Generator().manual_seed(seed)
    smooth = torch.nn.functional.avg_pool2d(torch.randn(3, 61, 50, generator=generator), 3, 1, 1) * 3
    sd, mean, psi = (torch.rand(61, 50, generator=generator) for _ in range(3))
    sampling = Sampling(round(61 * spacing), round(50 * spacing), spacing, 0.5, 0.25)
    return FomMaps(smooth, psi.expand(3, 61, 50) * 360, sd, mean, torch.ones(3), sampling)


@pytest.mark.parametrize("spacing", [1.0, 3.7])
@pytest.mark.parametrize("gates", [(None, None), (0.7, None), (0.9, 0.2)])
def test_gates_applied_to_candidates_give_the_picks_of_maps(
    gates: tuple[float | None, float | None], spacing: float
) -> None:
    maps, margin = random_maps(3, spacing), round(4 * spacing)
    candidates = find_candidates(maps, margin, 0.1)
    for least in (0.1, 0.2, 0.55, 1.5, float(maps.fom.max()) + 1):
        for distance in (0, 3, 5, 9):
            t = Thresholds(least, round(distance * spacing), round(3.2 * spacing), margin, *gates)
            direct, again = find_peaks(maps, t), pick_candidates(candidates, t)
            assert all(torch.equal(one, other) for one, other in zip(direct, again, strict=True))
    assert candidates.best == find_candidates(maps, margin, 1e9).best
    ever_higher = maps._replace(fom=maps.fom.abs() + 10 * torch.arange(3.0)[:, None, None])
    one_by_one = [find_candidates(maps._replace(fom=fom[None]), margin, 0.1).best for fom in ever_higher.fom]
    assert [find_candidates(ever_higher, margin, 0.1, count).best for count in (1, 2, 3)] == one_by_one
    inside = maps.fom[:, 5:-5, 5:-5]
    assert float(inside.max()) <= candidates.best <= float(maps.fom.max())


def test_values_on_a_limit_pass() -> None:
    """A pick whose figure of merit, sd or mean is the limit stays; the next number leaves it out."""
    fom, psi, sd, mean, ratio, sampling = random_maps(5, 3.7)
    maps = FomMaps(fom[:1], psi[:1], sd, mean, ratio[:1], sampling)
    plain = Thresholds(0.1, 0, 0, 15)
    picks = find_peaks(maps, plain)
    number = len(picks.fom) // 2
    for gate, column, up in (
        ("least_fom", picks.fom, True),
        ("largest_sd", picks.sd, False),
        ("least_mean", picks.mean, True),
    ):
        value = column[number]
        beyond = torch.nextafter(value, torch.tensor(torch.inf if up else -torch.inf))
        passes = column >= value if up else column <= value
        at, past = (plain._replace(**{gate: float(limit)}) for limit in (value, beyond))
        assert torch.equal(find_peaks(maps, at).fom, picks.fom[passes])
        assert len(find_peaks(maps, past).fom) == int(passes.sum()) - 1
        from_candidates = pick_candidates(find_candidates(maps, 15, 0.1), at)
        assert torch.equal(from_candidates.fom, picks.fom[passes])


def test_tops_lie_between_samples() -> None:
    y, x = torch.arange(40.0)[:, None], torch.arange(30.0)
    fom = torch.zeros(2, 40, 30)
    fom[0] = 5 - (y - 12.3) ** 2 - 0.5 * (x - 20.4) ** 2
    fom[1] = 4 - (y - 27.6) ** 2 - 0.5 * (x - 9.0) ** 2
    flat = torch.ones(40, 30)
    maps = FomMaps(fom, fom * 0, flat, flat, torch.ones(2), Sampling(80, 60, 2.0, 0.5, 0.0))
    t = Thresholds(1, 4, 4, 4)
    exact = find_peaks(maps, t._replace(between_samples=True))
    assert exact.y.tolist() == pytest.approx([0.5 + 2 * 12.3, 0.5 + 2 * 27.6], abs=1e-4)
    assert exact.x.tolist() == pytest.approx([2 * 20.4, 2 * 9.0], abs=1e-4)
    assert find_peaks(maps, t).y.tolist() == [0.5 + 2 * 12, 0.5 + 2 * 28]


@pytest.mark.parametrize("floor", [0.0, 0.5])
def test_a_peak_exactly_at_the_threshold_is_a_pick(floor: float) -> None:
    fom = torch.zeros(1, 40, 40)
    below = float(np.nextafter(np.float32(0.5), np.float32(0)))
    fom[0, 10, 10], fom[0, 10, 30], fom[0, 30, 20] = 0.5, below, 0.75
    maps = FomMaps(
        fom, 0 * fom, torch.ones(40, 40), torch.zeros(40, 40), torch.ones(1), Sampling(80, 80, 2.0, 0, 0)
    )
    candidates = find_candidates(maps, 4, floor)
    picks = pick_candidates(candidates, Thresholds(0.5, 10, 6, 4))
    assert picks.fom.tolist() == [0.75, 0.5]
    assert (picks.y.tolist(), picks.x.tolist()) == ([60, 20], [40, 20])


def test_background_exactly_at_the_gates_is_let_pass() -> None:
    fom = torch.zeros(1, 40, 40)
    fom[0, 20, 20] = 1.0
    sampling = Sampling(80, 80, 2.0, 0, 0)
    maps = FomMaps(
        fom, 0 * fom, torch.full((40, 40), 1.25), torch.full((40, 40), -0.5), torch.ones(1), sampling
    )
    at = Thresholds(0.5, 10, 6, 4, largest_sd=1.25, least_mean=-0.5)
    assert len(find_peaks(maps, at).fom) == 1
    assert len(find_peaks(maps, at._replace(largest_sd=1.24)).fom) == 0
    assert len(find_peaks(maps, at._replace(least_mean=-0.49)).fom) == 0


def test_at_full_size_neighbours_exactly_at_the_threshold_let_a_peak_pass() -> None:
    fom = torch.zeros(1, 40, 40)
    fom[0, 19:22, 20] = fom[0, 20, 19:22] = 0.5
    fom[0, 20, 20] = 0.75
    maps = FomMaps(
        fom, 0 * fom, torch.ones(40, 40), torch.zeros(40, 40), torch.ones(1), Sampling(40, 40, 1.0, 0, 0)
    )
    assert find_peaks(maps, Thresholds(0.5, 5, 3, 4)).fom.tolist() == [0.75]
    assert len(find_peaks(maps, Thresholds(0.51, 5, 3, 4)).fom) == 0
