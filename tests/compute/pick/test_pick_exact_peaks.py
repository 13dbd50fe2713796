"""Exact values at the peaks of low-rank templates against a search with all references and angles."""

import math

import pytest
import torch
from compute.pick.test_pick_low_rank import BOX, ctf, micrograph, places_of, search_for

from cryoflow.compute.pick.candidates import Candidates, find_candidates
from cryoflow.compute.pick.exact_peaks import make_peaks_exact
from cryoflow.compute.pick.figure_of_merit import FomMaps, fom_maps


def found(shape: tuple[int, int], error: float | None, floor: float, corrected: bool = True) -> FomMaps:
    values = ctf() if corrected else None
    return fom_maps(search_for(shape, error), micrograph(*shape), values, floor=floor)


def candidates(maps: FomMaps, floor: float) -> Candidates:
    return find_candidates(maps, BOX // 2, floor)


# in micrographs that are hardly larger than references bilinear sampling of these has ghosts
@pytest.mark.parametrize(
    ("shape", "off"), [((96, 80), 5e-4), ((81, 97), 0.002), ((90, 90), 0.005), ((240, 301), 3e-4)]
)
@pytest.mark.parametrize("corrected", [False, True])
def test_peaks_have_the_values_of_all_pairs(shape: tuple[int, int], off: float, corrected: bool) -> None:
    exact = found(shape, None, 0, corrected)
    near, rough = (found(shape, 0.1, floor, corrected) for floor in (0.05, math.inf))
    peaks = candidates(near, 0.05)
    place = (peaks.reference, peaks.row, peaks.column)
    assert len(peaks.fom) > 100
    left, before = (float((maps.fom - exact.fom)[place].abs().max()) for maps in (near, rough))
    assert left < off * float(exact.fom.max()) and left < before / 3
    turn = (peaks.psi_deg - exact.psi_deg[place] + 180) % 360 - 180
    assert float((turn == 0).double().mean()) > 0.95 and float((turn.abs() <= 5).double().mean()) > 0.98
    assert torch.equal(near.sd, exact.sd) and torch.equal(near.mean, exact.mean)


def test_peaks_are_those_of_all_pairs() -> None:
    floor = 0.1
    wanted = places_of(candidates(found((240, 301), None, 0), floor))
    peaks = places_of(candidates(found((240, 301), 0.03, floor), floor))
    assert len(wanted) > 1000
    assert len(set(wanted) & set(peaks)) > 0.98 * max(len(wanted), len(peaks))


def test_places_are_taken_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = found((96, 80), 0.05, 0.0)
    monkeypatch.setattr("cryoflow.compute.pick.exact_correlation._CPU_VALUES", 5000)
    in_parts = found((96, 80), 0.05, 0.0)
    torch.testing.assert_close(in_parts.fom, at_once.fom)
    assert float((in_parts.psi_deg == at_once.psi_deg).double().mean()) > 0.999


def smooth(seed: int) -> torch.Tensor:
    values = torch.randn(3, 40, 52, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.avg_pool2d(values, 3, 1, 1)


@pytest.mark.parametrize("floor", [0.2, 0.6, 1.4])
def test_every_peak_ends_up_exact(floor: float) -> None:
    true = smooth(0)
    maps, index = true + 0.15 * smooth(1), torch.zeros(true.shape, dtype=torch.int16)
    asked = []

    def exact(reference: int, row: torch.Tensor, column: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        asked.append(len(row))
        return true[reference, row, column], torch.full_like(row, 7, dtype=torch.int16)

    make_peaks_exact(maps, index, exact, floor)
    edge = torch.nn.functional.pad(maps, (1, 1, 1, 1), value=-torch.inf)
    beside = torch.stack([edge[:, :-2, 1:-1], edge[:, 2:, 1:-1], edge[:, 1:-1, :-2], edge[:, 1:-1, 2:]]).amax(
        0
    )
    peaks = (maps >= beside) & (maps >= floor)
    assert torch.equal(maps[peaks], true[peaks]) and bool((index[peaks] == 7).all())
    assert sum(asked) == int((index == 7).sum()) < 0.3 * true.numel()  # each once
    highest = int(true.argmax())  # above the floor in truth, whatever the maps said
    assert maps.view(-1)[highest] == true.view(-1)[highest] or float(true.max()) < floor - 0.1
