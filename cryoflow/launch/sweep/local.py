"""Run the points of a sweep on this machine, from a process that has everything imported and loaded."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import TypeAlias

from cryoflow.jobs.registry import JOB_TYPES
from cryoflow.launch.job.signals import end_at_once
from cryoflow.launch.outcome import Outcome, Request
from cryoflow.launch.previous_runs import Known
from cryoflow.launch.sweep.point import run_point_once
from cryoflow.launch.sweep.table import Row, results
from cryoflow.project.context import SweepCache
from cryoflow.spec import JobSpec

#: Fewer points than this run one after the other, in the order of their numbers.
MANY = 16

#: How a point ended, and what it has found.
Found: TypeAlias = tuple[Outcome, Row]

_PR_SET_PDEATHSIG = 1

#: In a child process: the parent's cache as it was at the fork; as an argument it would be pickled.
_inherited: SweepCache | None = None


def run_points(specs: Sequence[JobSpec], request: Request, known: Known) -> list[Found]:
    """Run points in order; many picking points in several processes, once the first has computed the maps.

    Picking from candidates that are known is many small steps in Python, which threads cannot share. Children
    of this process have the candidates in memory and nothing to import.

    Parameters
    ----------
    specs : sequence of JobSpec
        One a point.
    request : Request
        Where and how to run.
    known : dict
        Points that an earlier, interrupted run of this sweep has started or finished.
    """
    cache = SweepCache()
    found = [_run(spec, request, known, cache) for spec in specs[:1]]
    rest, processes = specs[1:], _processes(specs)
    if processes == 1:
        return found + [_run(spec, request, known, cache) for spec in rest]
    return found + _run_concurrently(rest, request._replace(concurrent=True), known, cache, processes)


def _processes(specs: Sequence[JobSpec]) -> int:
    """Return how many processes to use: one for a GPU job, or where a number of threads was set."""
    from cryoflow.launch.job.device import resolve_device

    wanted = specs[0].compute
    forks = JOB_TYPES[specs[0].job].sweep.forks
    if not forks or len(specs) < MANY or wanted.threads or sys.platform != "linux":
        return 1
    return len(os.sched_getaffinity(0)) if resolve_device(wanted.device) == "cpu" else 1


def _run_concurrently(
    specs: Sequence[JobSpec], request: Request, known: Known, cache: SweepCache, processes: int
) -> list[Found]:
    from cryoflow.compute.parallel import keeping_large_images

    sys.stdout.flush()
    sys.stderr.flush()
    pool = ProcessPoolExecutor(processes, get_context("fork"), _begin_child, (cache,))
    with keeping_large_images(), pool:  # in the children: else each point would fetch its memory anew
        ended = [pool.submit(_run_inherited, spec, request, known) for spec in specs]
        try:
            return [
                _found(future, spec, request, known, cache) for future, spec in zip(ended, specs, strict=True)
            ]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _found(future: Future[Found], spec: JobSpec, request: Request, known: Known, cache: SweepCache) -> Found:
    try:
        return future.result()
    except BrokenProcessPool:  # a killed child ends the pool, and this point may have been another child's
        return _run(spec, request, known, cache)


def _run_inherited(spec: JobSpec, request: Request, known: Known) -> Found:
    """Run a point in a child."""
    assert _inherited is not None
    return _run(spec, request, known, _inherited)


def _run(spec: JobSpec, request: Request, known: Known, cache: SweepCache) -> Found:
    outcome = run_point_once(spec, request, known, cache)
    return outcome, results(Path(request.project), outcome, cache)


def _begin_child(cache: SweepCache) -> None:
    """Use one thread, since OpenMP's do not survive a fork; and end with the parent, or at SIGTERM.

    A pool terminates its processes when one was killed, and then waits for them. Each may hold a lock that
    another waits for.
    """
    import ctypes

    import torch

    global _inherited
    _inherited = cache
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    end_at_once()
    torch.set_num_threads(1)
