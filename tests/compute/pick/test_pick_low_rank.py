"""A basis for all references and angles against each of them compared by itself."""

import pytest
import torch

from cryoflow.compute.image.ctf import CtfParameters
from cryoflow.compute.image.masks import disc
from cryoflow.compute.pick.candidates import Candidates, find_candidates
from cryoflow.compute.pick.figure_of_merit import FomMaps, fom_maps
from cryoflow.compute.pick.low_rank import _Batches
from cryoflow.compute.pick.micrograph import normalise_micrograph
from cryoflow.compute.pick.references import References
from cryoflow.compute.pick.search import Search, prepare_search

BOX, RADIUS, PIXEL = 24, 10, 2.0


def references() -> References:
    """Six sums of smooth spots, different in every direction."""
    generator = torch.Generator().manual_seed(3)
    offset = torch.arange(BOX).double() - BOX // 2
    images = torch.zeros(6, BOX, BOX, dtype=torch.float64)
    for image in images:
        for y, x, height in torch.randn(4, 3, generator=generator, dtype=torch.float64) * 3:
            image += height * torch.exp(-((offset[:, None] - y) ** 2 + (offset - x) ** 2) / 8)
    return References(images * disc(BOX, RADIUS**2) * 0.02, RADIUS, 2 * RADIUS * PIXEL)


def micrograph(height: int, width: int) -> torch.Tensor:
    image = torch.randn(height, width, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    image[20 : 20 + BOX, 10 : 10 + BOX] += 40 * references().images[2]
    return normalise_micrograph(image)


def ctf() -> CtfParameters:
    values = (9000.0, 8000.0, 30.0, 200.0, 1.4, 0.1, 0.0, 40.0, 0.9)
    return CtfParameters(*(torch.tensor(value, dtype=torch.float64) for value in values))


def search_for(shape: tuple[int, int], error: float | None, step: float = 5.0) -> Search:
    return prepare_search(references(), *shape, PIXEL, 12.0, 0.0, step, None, error)


def agreement(one: FomMaps, other: FomMaps) -> float:
    return float((one.fom - other.fom).abs().max() / one.fom.abs().max())


@pytest.mark.parametrize("shape", [(96, 80), (81, 97), (90, 90)])
@pytest.mark.parametrize("corrected", [False, True])
def test_a_basis_gives_the_maps_of_all_references_and_angles(shape: tuple[int, int], corrected: bool) -> None:
    image, values = micrograph(*shape), ctf() if corrected else None
    exact = fom_maps(search_for(shape, None), image, values)
    search = search_for(shape, 0.01)
    assert search.low_rank is not None and search.low_rank.rank < 0.5 * 6 * 72
    assert 0 < search.low_rank.error <= 0.01
    near = fom_maps(search, image, values)
    assert agreement(exact, near) < 0.01
    best = exact.fom > 0.5 * exact.fom.max()
    turn = (exact.psi_deg - near.psi_deg + 180) % 360 - 180
    assert float((turn[best].abs() <= 5).double().mean()) > 0.95  # the rest are as good as ties
    assert torch.equal(exact.sd, near.sd) and torch.equal(exact.mean, near.mean)


@pytest.mark.parametrize("shape", [(96, 80), (81, 97), (90, 90)])
def test_candidates_are_those_of_all_references_and_angles(shape: tuple[int, int]) -> None:
    exact, near = (
        find_candidates(fom_maps(search_for(shape, error), micrograph(*shape), ctf()), BOX // 2, 0.0)
        for error in (None, 0.003)
    )
    places = {place: number for number, place in enumerate(places_of(near))}
    found = [places.get(place) for place in places_of(exact)]
    kept = torch.tensor([number is not None for number in found])
    assert len(found) > 300 and float(kept.double().mean()) > 0.98
    same, true = near.where(torch.tensor([n for n in found if n is not None])), exact.where(kept)
    assert float((same.fom - true.fom).abs().max()) < 0.005 * exact.best
    turn = (same.psi_deg - true.psi_deg + 180) % 360 - 180
    assert float((turn.abs() <= 5).double().mean()) > 0.95  # the rest are as good as ties


def places_of(candidates: Candidates) -> list[tuple[int, ...]]:
    """Reference, row and column of each."""
    places = torch.stack((candidates.reference, candidates.row, candidates.column), 1)
    return [tuple(place) for place in places.tolist()]


def test_samples_are_compared_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    search, image = search_for((96, 80), 0.01), micrograph(96, 80)
    at_once = fom_maps(search, image, None)
    few = _Batches(3, 6 * 72 * 70)
    monkeypatch.setattr("cryoflow.compute.pick.low_rank._CPU", few)
    assert few.samples(6 * 72) == 64 and at_once.fom[0].numel() % 64  # the last part overlaps
    in_parts = fom_maps(search, image, None)
    torch.testing.assert_close(in_parts.fom, at_once.fom)
    assert float((in_parts.psi_deg == at_once.psi_deg).double().mean()) > 0.999


@pytest.mark.parametrize(("step", "error"), [(5.0, 0.03), (20.0, 0.4)])
def test_the_error_is_that_of_the_templates(step: float, error: float) -> None:
    search = search_for((96, 80), error, step)
    basis = search.low_rank
    assert basis is not None
    rows, columns = (-torch.arange(n) % n for n in basis.pairs.shape[1:])
    opposite = basis.pairs[:, rows][:, :, columns]
    made = torch.zeros(round(180 / step), 6, rows.numel() * columns.numel(), dtype=basis.pairs.dtype)
    for kind, part in ((basis.even, basis.pairs + opposite), (basis.odd, basis.pairs - opposite)):
        rows = part[: sum(kind.rows)].flatten(1)
        mixed = rows.new_empty(len(kind.mix), 2 * 6, rows.shape[1])
        values = torch.empty_like(made)
        kind.values(rows, mixed, values)
        made += values / 2
    made = made.transpose(0, 1).reshape(-1, *basis.pairs.shape[1:])
    exact = search_for((96, 80), None, step).rotated
    assert exact is not None
    frequency = torch.hypot(search.band.y[:, None], search.band.full_x)
    weight = 0.1 + frequency / search.band.x.max()
    weight = weight * (frequency < 0.5 / search.grid.spacing)  # at the Nyquist frequency nothing is compared
    left = torch.linalg.vector_norm((made - exact.flatten(0, 1)) * weight, dim=(1, 2))
    share = left / torch.linalg.vector_norm(exact.flatten(0, 1) * weight, dim=(1, 2))
    assert float(share.max()) == pytest.approx(basis.error, rel=0.15)


def test_what_saves_nothing_or_needs_too_much_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert search_for((96, 80), 1e-7, 60.0).low_rank is None
    assert search_for((96, 80), 0.05, 360 / 7).low_rank is None  # no angle has its opposite
    monkeypatch.setattr("cryoflow.compute.pick.low_rank._CPU_BYTES", 1 << 16)
    assert search_for((96, 80), 0.05).low_rank is None
