"""One iteration of expectation maximisation, as a function from state to state.

Scheres 2012, J Struct Biol 180:519 and J Mol Biol 415:406.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cryoflow.compute.class2d.e_step.accumulate import Record
from cryoflow.compute.class2d.e_step.expectation import expectation
from cryoflow.compute.class2d.e_step.setup import EStepSetup, make_setup
from cryoflow.compute.class2d.e_step.sums import Sums, sum_of
from cryoflow.compute.class2d.m_step.half_sets import compare_halves, half_of
from cryoflow.compute.class2d.m_step.maximization import maximization
from cryoflow.compute.class2d.pose_accuracy import pose_accuracy
from cryoflow.compute.class2d.sampling import PoseSampling, image_sizes, make_sampling
from cryoflow.compute.class2d.state import Changes, Data, Options, Particles, State


def iterate(
    state: State,
    data: Data,
    options: Options,
    perturbation: float = 0.0,
    subset: Tensor | None = None,
    halves: bool = False,
) -> State:
    """The next state.

    Parameters
    ----------
    state : State
        From `start`, from this function, or read from disk.
    data : Data
        The particles.
    options : Options
        What stays fixed.
    perturbation : float
        Fraction of a coarse step by which all angles and offsets of this iteration are moved; -0.5 to 0.5.
    subset : Tensor, optional
        int64 indices of the particles to use; default all.
    halves : bool
        Whether to compare averages of two halves of the particles as well. The result is the same but for
        rounding; rotating the references twice costs a little time.
    """
    sizes = image_sizes(state.model.shell, options)
    subset = torch.arange(len(data.group)) if subset is None else subset
    setup = make_setup(state.model, data, options, sizes)
    accuracy = pose_accuracy(setup, state.particles)
    sampling = make_sampling(options, perturbation)
    sums, after = _expect(setup, state.particles, sampling, _parts(subset, data) if halves else [subset])
    model = maximization(setup, sum_of(sums))
    model = model._replace(
        accuracy_deg=accuracy.psi_deg, accuracy_px=accuracy.offset_px, orientability=accuracy.orientability
    )
    changes = _changes(state.particles, after, subset)
    compared = compare_halves(setup, sums) if halves else None
    return State(
        state.iteration + 1, model, after, perturbation, sizes.current, sizes.coarse, changes, compared
    )


def _parts(subset: Tensor, data: Data) -> list[Tensor]:
    half = half_of(data.seed[subset])
    return [subset[half == 0], subset[half == 1]]


def _expect(
    setup: EStepSetup, particles: Particles, sampling: PoseSampling, parts: Sequence[Tensor]
) -> tuple[list[Sums], Particles]:
    """An E-step over the parts of the particles in turn: the sums of each part, and all new poses."""
    sums = []
    for part in parts:
        nothing = Record.start(setup, particles)
        record = expectation(setup, particles, sampling, part) if len(part) else nothing
        sums.append(record.sums)
        particles = record.particles
    return sums, particles


def _changes(old: Particles, new: Particles, subset: Tensor) -> Changes:
    rotation = ((new.psi_deg - old.psi_deg)[subset].abs()) % 360
    move = (new.offset_px - old.offset_px)[subset].square().sum(1)
    changed = (new.class_index != old.class_index)[subset]
    return Changes(float(rotation.mean()), float((move.mean() / 2).sqrt()), float(changed.double().mean()))
