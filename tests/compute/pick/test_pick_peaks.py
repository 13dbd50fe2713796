"""Peaks and their pruning against plain loops, and blobs of known size."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from cryoflow.compute.pick.figure_of_merit import FomMaps, Sampling
from cryoflow.compute.pick.log_blobs import BlobThresholds, blob_maps, find_blobs, log_diameters
from cryoflow.compute.pick.peaks import Thresholds, find_peaks
from cryoflow.compute.pick.prune import Pruning, drop_mutually_close

Peak = tuple[float, int, int, int]
"""Figure of merit, reference, row, column."""


def random_maps(seed: int, spacing: float) -> FomMaps:
    generator = torch.Generator().manual_seed(seed)
    rough = torch.randn(3, 60, 50, generator=generator)
    smooth = torch.nn.functional.avg_pool2d(rough, 3, 1, 1) * 3
    sd, mean = torch.rand(60, 50, generator=generator) + 0.5, torch.rand(60, 50, generator=generator) - 0.5
    psi = torch.rand(3, 60, 50, generator=generator) * 360
    sampling = Sampling(round(60 * spacing), round(50 * spacing), spacing, 0.0, 0.0)
    return FomMaps(smooth, psi, sd, mean, torch.ones(3), sampling)


def squared(one: Peak, other: Peak) -> int:
    return (one[2] - other[2]) ** 2 + (one[3] - other[3]) ** 2


def slow_prune(peaks: list[Peak], radius: float, distance: float) -> list[Peak]:
    """Clusters by walking from peak to peak, and the best of what is left, again and again."""
    kept, left = [], list(peaks)
    while left:
        cluster = [left.pop(0)]
        for member in cluster:
            for other in [peak for peak in left if squared(member, peak) < radius**2]:
                cluster.append(other)
                left.remove(other)
        while cluster:
            best = max(cluster)
            kept.append(best)
            cluster = [peak for peak in cluster if squared(peak, best) >= distance**2]
    return kept


def slow_peaks(maps: FomMaps, t: Thresholds) -> Iterator[list[Peak]]:
    spacing = maps.sampling.spacing
    height, width = (int(n / spacing + 1e-9) for n in maps.sampling[:2])
    skip = max(1, int(t.margin / spacing))
    top, left = (
        round(n // 2 / spacing) - scaled // 2
        for n, scaled in zip(maps.sampling[:2], (height, width), strict=True)
    )
    for number, fom in enumerate(maps.fom.tolist()):
        found = []
        for y in range(top + skip, top + height - skip):
            for x in range(left + skip, left + width - skip):
                value = fom[y][x]
                near = (fom[y - 1][x], fom[y + 1][x], fom[y][x - 1], fom[y][x + 1])
                good = value >= t.least_fom and max(near) <= value
                good &= t.largest_sd is None or float(maps.sd[y, x]) <= t.largest_sd
                good &= t.least_mean is None or float(maps.mean[y, x]) >= t.least_mean
                if spacing == 1:
                    good &= min(near) >= t.least_fom
                if good:
                    found.append((value, number, y, x))
        yield found


@pytest.mark.parametrize("distance", [4, 25, 60])
def test_keeping_the_best_a_lower_threshold_picks_all_that_a_higher_one_does(distance: int) -> None:
    """As figure_of_merit: ncc has it; where RELION's does not, the job warns."""
    for seed in range(3):
        maps = random_maps(seed, 2.0)
        before: set[tuple[float, float]] = set()
        for least in (1.5, 1.0, 0.5, 0.2, 0.0, -0.5):
            found = find_peaks(maps, Thresholds(least, distance, 12, 8, keep_best=True))
            places = set(zip(found.y.tolist(), found.x.tolist(), strict=True))
            assert before <= places
            before = places
        assert len(before) > 1


@pytest.mark.parametrize("spacing", [1.0, 2.0, 3.7])
@pytest.mark.parametrize("gates", [(None, None), (1.1, None), (None, 0.1), (1.2, -0.2)])
@pytest.mark.parametrize("seed", [0, 1])
def test_peaks_are_those_of_plain_loops(
    seed: int, gates: tuple[float | None, float | None], spacing: float
) -> None:
    maps = random_maps(seed, spacing)
    t = Thresholds(0.2, round(5 * spacing), round(3.2 * spacing), round(4 * spacing), *gates)
    radius, distance = t.cluster_radius / spacing, t.least_distance / spacing
    kept: list[Peak] = []
    for peaks in slow_peaks(maps, t):
        kept += slow_prune(peaks, radius, distance)
    kept = slow_prune(kept, radius, distance)
    lonely = [
        peak
        for peak in kept
        if all(squared(peak, other) > distance**2 for other in kept if other is not peak)
    ]
    picks = find_peaks(maps, t)
    assert len(lonely) >= 5
    places = [(fom, ref, round(y / spacing), round(x / spacing)) for fom, ref, y, x in zip(
        picks.fom.tolist(), picks.reference.tolist(), picks.y.tolist(), picks.x.tolist(), strict=True
    )]  # fmt: skip
    assert places == sorted(lonely, reverse=True)
    _, ref, y, x = places[0]
    assert picks.psi_deg[0] == maps.psi_deg[ref, y, x]
    assert (picks.sd[0], picks.mean[0]) == (maps.sd[y, x], maps.mean[y, x])


@pytest.mark.parametrize("radius", [0.5, 1.2, 3.0, 6.5])
@pytest.mark.parametrize("distance", [0.9, 2.3, 4.0, 9.4])
@pytest.mark.parametrize("count", [1, 60, 900])
def test_pruning_is_that_of_plain_loops(count: int, distance: float, radius: float) -> None:
    samples = np.random.default_rng(count).permutation(np.repeat(np.arange(110 * 75), 2))[:count]
    y, x = samples // 75, samples % 75
    peaks = [(-float(rank), 0, int(y[rank]), int(x[rank])) for rank in range(count)]
    expected = sorted(-fom for fom, *_ in slow_prune(peaks, radius, distance))
    assert Pruning(np.stack((y, x)), radius).keep(distance).nonzero()[0].tolist() == expected


@pytest.mark.parametrize("distance", [0, 4, 9])
def test_the_best_of_picks_too_close_stays_whatever_the_clusters(distance: int) -> None:
    maps = random_maps(2, 2.0)
    t = Thresholds(0.1, 2 * distance, 5, 8, keep_best=True)
    kept: list[Peak] = []
    for peak in sorted((peak for peaks in slow_peaks(maps, t) for peak in peaks), reverse=True):
        if all(squared(peak, other) >= distance**2 for other in kept):
            kept.append(peak)
    picks = find_peaks(maps, t)
    assert picks.fom.tolist() == [fom for fom, *_ in kept]
    assert picks.y.tolist() == [2.0 * y for _, _, y, _ in kept]
    # RELION's way loses some of the best where they are many
    assert len(kept) > len(find_peaks(maps, t._replace(keep_best=False)).fom) or distance == 0


def test_equal_neighbours_are_both_dropped_or_both_kept() -> None:
    points = np.array([[0, 0, 0], [0, 5, 20]])
    assert drop_mutually_close(points, 5).tolist() == [False, False, True]
    assert drop_mutually_close(points, 4.9).tolist() == [True, True, True]
    assert Pruning(points, 6).keep(5).tolist() == [True, True, True]
    assert Pruning(points, 6).keep(5.1).tolist() == [True, False, True]
    # too close, but of two clusters: the next step takes both
    assert Pruning(points, 5).keep(6).tolist() == [True, True, True]


def test_no_peaks_is_a_result() -> None:
    maps = random_maps(0, 2.0)
    picks = find_peaks(maps, Thresholds(1e9, 10, 6, 8))
    assert all(len(part) == 0 for part in picks)


@pytest.mark.parametrize("shape", [(300, 260), (261, 301)])
@pytest.mark.parametrize("white", [False, True])
def test_blobs_are_found_at_their_centres_with_their_size(shape: tuple[int, int], white: bool) -> None:
    # a Gaussian of sd d / pi answers best to a disc of diameter 2 sqrt(2) d / pi = 0.9 d
    pixel, diameter = 2.0, 0.9 * 60.0
    y, x = torch.meshgrid(*(torch.arange(n).float() for n in shape), indexing="ij")
    centres = [(70.0, 60.0), (150.0, 180.0), (190.0, 75.0)]
    image = 0.02 * torch.randn(shape, generator=torch.Generator().manual_seed(6))
    for cy, cx in centres:
        image += (1 if white else -1) * (torch.hypot(y - cy, x - cx) < diameter / 2 / pixel)
    diameters = log_diameters(50.0, 70.0)
    assert diameters == [10, 13, 17, 25, 50, 60, 70, 140, 210, 280, 350]
    maps = blob_maps(image, pixel, diameters, 16.0, white)
    picks = find_blobs(maps, BlobThresholds(50.0, 70.0, 3.0), pixel)
    found = sorted(zip(picks.y.tolist(), picks.x.tolist(), strict=True))
    assert len(found) == 3
    for (py, px), (cy, cx) in zip(found, centres, strict=True):
        assert math.hypot(py - cy, px - cx) < maps.sampling.spacing
        row = round((cy - maps.sampling.top) / maps.sampling.spacing)
        column = round((cx - maps.sampling.left) / maps.sampling.spacing)
        assert float(maps.diameter_a[row, column]) == 60
    assert picks.reference.tolist() == [-1, -1, -1]
    assert picks.fom.tolist() == sorted(picks.fom.tolist(), reverse=True)


def test_blobs_keep_their_distance() -> None:
    image = torch.randn(200, 200, generator=torch.Generator().manual_seed(7))
    maps = blob_maps(image, 1.0, log_diameters(20.0, 24.0), 5.0, True)
    picks = find_blobs(maps, BlobThresholds(20.0, 24.0, -1.0), 1.0)
    points = torch.stack((picks.y, picks.x), 1)
    distances = torch.cdist(points, points) + 1e9 * torch.eye(len(points))
    assert len(points) > 10 and float(distances.min()) >= 19
    assert float(points.min()) >= 10 and float(points.max()) <= 190
