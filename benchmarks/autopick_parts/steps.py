"""The steps of the job on one micrograph, and the least that they could cost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import torch

from benchmarks.autopick_parts.project import Case, spec_of
from cryoflow.compute.pick import figure_of_merit as correlate
from cryoflow.compute.pick.peaks import Picks
from cryoflow.compute.pick.search_grid import work_grid
from cryoflow.jobs.autopick.candidates_file import write_candidates
from cryoflow.jobs.autopick.micrographs import list_micrographs, read_micrograph
from cryoflow.jobs.autopick.output import write_coordinates
from cryoflow.jobs.autopick.run import make_picker
from cryoflow.project.context import JobContext

BATCH_BYTES = 2 << 20
"""Of the bare inverse FFTs, few enough to stay in the caches."""


_EXACT, _LOW_RANK = ("_best_over_psi",), ("best_over_psi", "Places", "make_peaks_exact")
"""What correlates, in `correlate`."""


class Clock:
    """Seconds by step, the least of all repeats."""

    def __init__(self) -> None:
        self.least: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.note(name, time.perf_counter() - start)

    def note(self, name: str, seconds: float) -> None:
        self.least[name] = min(seconds, self.least.get(name, seconds))


class Bare(NamedTuple):
    """What searching one micrograph takes at least."""

    path: Path
    shape: tuple[int, int]
    work: tuple[int, int]
    """Samples of the search."""
    pairs: int
    """Of a reference and an angle."""

    def run(self, clock: Clock) -> None:
        with clock.step("bytes"):
            self.path.read_bytes()
        image = torch.ones(self.shape)
        with clock.step("two FFTs"):
            torch.fft.rfft2(image)
            torch.fft.rfft2(image)
        rows, columns = self.work[0], self.work[1] // 2 + 1
        batch = max(1, min(self.pairs, BATCH_BYTES // (8 * rows * columns)))
        products = torch.ones(batch, rows, columns, dtype=torch.complex64)
        with clock.step("inverse FFTs"):
            for start in range(0, self.pairs, batch):
                torch.fft.irfft2(products[: min(batch, self.pairs - start)], s=self.work)


def bare_cost(root: Path, case: Case) -> Bare:
    spec = spec_of(case)
    micrograph = list_micrographs(spec, JobContext(root, root)).micrographs[0]
    lowpass_a = spec.references.lowpass_filter_references
    grid = work_grid(case.height, case.width, case.pixel_a, lowpass_a, case.shrink)
    pairs = case.references * round(360 / case.angle)
    return Bare(root / micrograph.name, (case.height, case.width), (grid.rows, grid.columns), pairs)


def measure(root: Path, case: Case, repeats: int) -> tuple[Clock, Clock]:
    """The bare cost and the steps, of one micrograph."""
    context, spec = JobContext(root, root / "AutoPick"), spec_of(case)
    micrograph = list_micrographs(spec, context).micrographs[0]
    picker, _ = make_picker(spec, context, micrograph.pixel_size_a)
    picker.compute(micrograph, read_micrograph(context, micrograph))  # the references are ready then
    least = bare_cost(root, case)
    bare, steps = Clock(), Clock()
    for _ in range(repeats):
        least.run(bare)
        with steps.step("reading"):
            image = read_micrograph(context, micrograph)
        correlating = Clock()
        start = time.perf_counter()
        names = _EXACT if case.error is None else _LOW_RANK
        with patch.multiple(correlate, **{name: timed(correlating, name) for name in names}):
            maps = picker.compute(micrograph, image)
        whole = time.perf_counter() - start
        steps.note("preparing", whole - correlating.least["sum"])
        steps.note("correlating", correlating.least["sum"])
        with steps.step("peak finding"):
            candidates = picker.candidates(micrograph, maps)
            picks = picker.pick(micrograph, candidates).picks
        with steps.step("writing"):
            write_all(root / "AutoPick", picks, candidates)
    return bare, steps


def write_all(folder: Path, picks: Picks, candidates: Any) -> None:
    write_coordinates(folder / "bare.star", picks, "3.0")
    write_candidates(folder / "bare.npz", candidates, {}, 0)


def timed(clock: Clock, name: str) -> Any:
    """A function of `correlate` whose seconds add to the sum."""
    function = getattr(correlate, name)
    clock.least["sum"] = 0

    def call(*arguments: Any) -> Any:
        start = time.perf_counter()
        found = function(*arguments)
        clock.least["sum"] += time.perf_counter() - start
        return found

    return call
