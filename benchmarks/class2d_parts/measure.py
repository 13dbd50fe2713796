"""One classification, measured in a process of its own."""

from __future__ import annotations

import functools
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks._peak_memory import peak_mib
from benchmarks.class2d_parts.products import recorded, seconds_alone

ITERATE = "cryoflow.compute.class2d.iterate"
STEPS = {
    "setting up": [("cryoflow.jobs.class2d.run", "prepare_input"), ("cryoflow.jobs.class2d.run", "start")],
    "E-step": [(ITERATE, "expectation")],
    "M-step": [(ITERATE, "maximization"), (ITERATE, "compare_halves")],
    "accuracy": [(ITERATE, "pose_accuracy")],
    "writing": [("cryoflow.jobs.class2d.run", "write_iteration")],
}
"""Functions of the job, as the modules that call them know them."""


class Case(NamedTuple):
    """What to classify, and how."""

    project: str
    table: str
    classes: int
    iterations: int
    threads: int
    mask_a: float
    device: str = "cpu"
    precision: str = "single"
    seed: int = 0
    search: str = "adaptive"
    job: str = "job020"


class Measured(NamedTuple):
    """Seconds, but for the memory."""

    whole: float
    steps: dict[str, float]
    iterations: list[float]
    reading: float
    """In the E-step, summed over its threads."""
    products: float
    """Bare, for the products of the E-steps; 0 if not asked for."""
    flop: float
    peak_mib: float
    base_mib: float
    """Of a process that has only imported everything."""


def measure(case: Case, products: bool = False) -> Measured:
    """Run in a new process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_measure, case, products).result()


def spec_of(case: Case) -> Any:
    from cryoflow.spec import parse_spec

    return parse_spec(
        {
            "job": "Class2D",
            "io": {"input_images_star_file": case.table},
            "optimization": {
                "number_of_classes": case.classes,
                "number_of_iterations": case.iterations,
                "mask_diameter": case.mask_a,
            },
            "sampling": {"fine_search": case.search},
            "compute": {
                "threads": case.threads,
                "device": case.device,
                "precision": case.precision,
                "seed": case.seed,
            },
        }
    )


def _measure(case: Case, products: bool) -> Measured:
    import torch

    from cryoflow.jobs.class2d.run import run
    from cryoflow.project.context import JobContext

    base = peak_mib()
    torch.set_num_threads(case.threads)
    project = Path(case.project)
    directory = project / "Class2D" / case.job
    directory.mkdir(parents=True)
    context = JobContext(project, directory, case.device)
    with timed() as clock:
        start = time.perf_counter()
        run(spec_of(case), context)
        whole = time.perf_counter() - start
    peak = peak_mib()
    alone = flop = 0.0
    if products:
        flop = sum(product.flop for product in clock.products)
        alone = seconds_alone(clock.products, case.threads, case.device)
    return Measured(whole, dict(clock.steps), clock.iterations, clock.reading, alone, flop, peak, base)


class Clock:
    """What has been measured so far."""

    def __init__(self) -> None:
        self.steps: dict[str, float] = defaultdict(float)
        self.iterations: list[float] = []
        self.reading = 0.0
        self.products: list[Any] = []
        self.lock = threading.Lock()


@contextmanager
def timed() -> Iterator[Clock]:
    """Time the steps of the job and note the products of the E-step."""
    import cryoflow.jobs.class2d as job

    clock = Clock()

    def step(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            with recorded() as products:
                start = time.perf_counter()
                out = function(*arguments, **named)
                clock.steps[name] += time.perf_counter() - start
            if name == "E-step":
                clock.products += products
            return _with_timed_images(out, clock) if function.__name__ == "prepare_input" else out

        return call

    places = [(name, sys.modules[module], what) for name, ps in STEPS.items() for module, what in ps]
    kept = [(module, what, getattr(module, what)) for _, module, what in places] + [
        (job, "iterate", job.iterate)
    ]
    for name, module, what in places:
        setattr(module, what, step(name, getattr(module, what)))
    job.iterate = _timed_iteration(job.iterate, clock)  # type: ignore[attr-defined]
    try:
        yield clock
    finally:
        for module, what, function in kept:
            setattr(module, what, function)


def _with_timed_images(given: Any, clock: Clock) -> Any:
    images = given.data.images

    def call(index: Any) -> Any:
        start = time.perf_counter()
        out = images(index)
        with clock.lock:
            clock.reading += time.perf_counter() - start
        return out

    return given._replace(data=given.data._replace(images=call))


def _timed_iteration(iterate: Callable[..., Any], clock: Clock) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        if not clock.iterations:
            clock.reading = 0.0  # that of the start
        start = time.perf_counter()
        out = iterate(*arguments, **named)
        clock.iterations.append(time.perf_counter() - start)
        return out

    return call
