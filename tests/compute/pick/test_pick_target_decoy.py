"""Picks against decoys: the better of two at one place wins."""

import numpy as np
import pytest
import torch

from cryoflow.compute.pick.peaks import Picks
from cryoflow.compute.pick.target_decoy import compete


def random_picks(seed: int, count: int) -> Picks:
    rng = np.random.default_rng(seed)
    y, x, fom = (torch.from_numpy(values) for values in rng.uniform(0, 100, (3, count)))
    return Picks(y, x, torch.zeros(count, dtype=torch.int64), y, fom.float(), y, y)


@pytest.mark.parametrize("counts", [(30, 40), (0, 5), (5, 0)])
def test_the_better_wins_as_in_loops(counts: tuple[int, int]) -> None:
    picks, decoys = (random_picks(seed, count) for seed, count in enumerate(counts))
    found = compete(picks, decoys, 12.0)
    for own, others, won in ((picks, decoys, found.picks_won), (decoys, picks, found.decoys_won)):
        for i in range(len(own.fom)):
            distance = torch.hypot(others.y - own.y[i], others.x - own.x[i])
            assert bool(won[i]) == bool((others.fom[distance <= 12] <= own.fom[i]).all())
    if all(counts):
        assert 0 < int(found.picks_won.sum()) < counts[0]


def test_equals_at_one_place_both_win() -> None:
    picks = random_picks(3, 5)
    found = compete(picks, picks, 1e-3)
    assert bool(found.picks_won.all()) and bool(found.decoys_won.all())
