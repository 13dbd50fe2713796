"""A complete classification: the initial state, and the iterations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.class2d.initialise import start
from cryoflow.compute.class2d.iterate import iterate
from cryoflow.compute.class2d.sampling import next_perturbation
from cryoflow.compute.class2d.schedule import Fill, classes_in_use, to_fill
from cryoflow.compute.class2d.split_classes import reseed_empty
from cryoflow.compute.class2d.state import Data, Options, Particles, State
from cryoflow.seeds import seed_for

HALVES_EVERY = 5
"""Half-set averages are compared every this many iterations, and in the last one."""
PER_CLASS = 100
"""Particles of each class in the first iterations of a run with fast subsets."""


class RunPlan(NamedTuple):
    """Length of a classification and its number of classes."""

    classes: int
    iterations: int
    seed: int
    grow: bool = True
    """Start with two classes and split them; otherwise with all of them."""
    reseed: bool = False
    """Reseed classes that have become empty."""
    fast_subsets: bool = False


def first_state(data: Data, names: Sequence[str], poses: Particles, options: Options, run: RunPlan) -> State:
    """State before the first iteration.

    Parameters
    ----------
    data : Data
    names : sequence of str
        Names of the particles: with the seed they determine the initial classes and angles.
    poses : Particles
        Initial poses; their classes, such as reference numbers of a picking job, are not used.
    options : Options
    run : RunPlan
    """
    seeds = torch.tensor([seed_for(run.seed, "class2d start", name) for name in names])
    poses = poses._replace(class_index=torch.full_like(poses.class_index, -1))
    first = classes_in_use(run.classes, 0, run.iterations) if run.grow else run.classes
    return start(data, run.classes, seeds, options, poses, first)


def iterations(state: State, data: Data, options: Options, run: RunPlan) -> Iterator[State]:
    """States after each remaining iteration; a function of the seed and the state."""
    for iteration in range(state.iteration + 1, run.iterations + 1):
        last = iteration == run.iterations
        state = iterate(
            state,
            data,
            options,
            _perturbation(state, options, run),
            subset_of(run, data.seed, iteration),
            halves=last or iteration % HALVES_EVERY == 0,
        )
        wanted = fill_after(run, iteration)
        state = state if wanted is None else filled(state, options, run, wanted)
        yield state


def _perturbation(state: State, options: Options, run: RunPlan) -> float:
    """Perturbation of the grid of the next iteration; a function of seed and iteration."""
    if not options.align:
        return 0.0
    number = seed_for(run.seed, "class2d perturbation", str(state.iteration + 1))
    return next_perturbation(state.perturbation, number / 2**63)


def fill_after(run: RunPlan, iteration: int) -> Fill | None:
    """Which empty or nearly empty classes to reseed after an iteration; None for none."""
    if iteration >= run.iterations:
        return None
    growing = to_fill(run.classes, iteration, run.iterations) if run.grow else None
    return growing or (Fill(run.classes, 0.0) if run.reseed else None)


def filled(state: State, options: Options, run: RunPlan, fill: Fill) -> State:
    """A state whose empty classes are reseeded; a function of seed and iteration."""
    number = seed_for(run.seed, "class2d reseed", str(state.iteration))
    generator = torch.Generator().manual_seed(number)
    return state._replace(model=reseed_empty(state.model, options, generator, *fill))


def grown(state: State, options: Options, run: RunPlan, planned: int) -> State:
    """A state to continue from, with as many classes in use as a run of the current length would have.

    A run planned with ``planned`` iterations had fewer, and growth may end before the first iteration is
    done.
    """
    had, wanted = (classes_in_use(run.classes, state.iteration, whole) for whole in (planned, run.iterations))
    if not run.grow or wanted <= had or state.iteration == run.iterations:
        return state
    return filled(state, options, run, Fill(wanted, 0.0))


def subset_of(run: RunPlan, seeds: Tensor, iteration: int) -> Tensor | None:
    """Indices of the particles to use, in the order of the table; None for all.

    Fast subsets: 100 particles a class up to iteration 5, 300 up to 10, then up to 15 the larger of that and
    30 % of all. The choice depends on the seeds of the particles and the iteration, not on their order.
    """
    if not run.fast_subsets:
        return None
    classes, total = run.classes, len(seeds)
    size = PER_CLASS * classes if iteration <= 5 else 3 * PER_CLASS * classes
    if iteration > 10:
        size = max(size, int(0.3 * total))
    if iteration > 15 or size >= total:
        return None
    salt = seed_for(run.seed, "class2d subset", str(iteration))
    mixed = (seeds ^ salt) * 0x5851F42D4C957F2D  # wraps around, which mixes the bits
    return mixed.argsort(stable=True)[:size].sort().values
