"""Whole jobs: one worker and two, and picks made again from candidates."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.autopick_parts.project import Case, job, spec_of
from benchmarks.autopick_parts.steps import Clock, bare_cost
from cryoflow.compute.parallel import single_threads
from cryoflow.files.arrays import read_arrays
from cryoflow.jobs.autopick.candidates_file import read_candidates
from cryoflow.jobs.autopick.micrographs import list_micrographs
from cryoflow.jobs.autopick.run import make_picker
from cryoflow.project.context import JobContext

BARE_RUNS = 4
"""Bare costs to share among threads: a whole number for each."""
HIGHER = (1.5, 2.0, 4.0)
"""Other thresholds, over that of the job."""


class Again(NamedTuple):
    """Picks made again from candidates."""

    candidates: int
    """On all micrographs."""
    seconds: dict[float, float]
    """By threshold, for all micrographs."""


def speeds(root: Path, case: Case, repeats: int) -> Clock:
    """Seconds of jobs and of bare costs with 1 and 2 threads, a micrograph: ``job 1``, ``bare 1``, ..."""
    clock, bare = Clock(), bare_cost(root, case)
    for turn in range(repeats):
        for workers in (1, 2):
            start = time.perf_counter()
            job(root, case, workers, f"job{turn}{workers}")
            clock.note(f"job {workers}", (time.perf_counter() - start) / case.micrographs)
            with single_threads(workers) as pool:
                start = time.perf_counter()
                list(pool.map(bare.run, [Clock() for _ in range(BARE_RUNS)]))
                clock.note(f"bare {workers}", (time.perf_counter() - start) / BARE_RUNS)
    return clock


def picked_alike(root: Path) -> bool:
    """Whether one worker and two have left the same coordinates."""
    one, two = (sorted((root / "AutoPick" / name).rglob("*_autopick.star")) for name in ("job01", "job02"))
    return [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def pick_again(root: Path, case: Case) -> Again:
    """Pick at other thresholds from the candidates that a job has left, once they are loaded."""
    context, spec = JobContext(root, root / "AutoPick/job01"), spec_of(case)
    micrographs = list_micrographs(spec, context).micrographs
    loaded = []
    for micrograph in micrographs:
        path = context.directory / f"{micrograph.stem}_autopick_candidates.npz"
        candidates = read_candidates(path, read_arrays(path).about["made_from"], math.inf)
        assert candidates is not None
        loaded.append(candidates)
    seconds = {}
    for threshold in (case.threshold * factor for factor in HIGHER):
        gates = spec.autopicking.model_copy(update={"picking_threshold": threshold})
        picker, _ = make_picker(spec.model_copy(update={"autopicking": gates}), context, case.pixel_a)
        picker.recipe(micrographs[0])  # the references are ready then
        start = time.perf_counter()
        for micrograph, candidates in zip(micrographs, loaded, strict=True):
            picker.pick(micrograph, candidates)
        seconds[threshold] = time.perf_counter() - start
    return Again(sum(len(candidates.fom) for candidates in loaded), seconds)
