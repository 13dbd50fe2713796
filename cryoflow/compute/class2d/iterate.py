"""One iteration of expectation maximisation, as a function from state to state.

Scheres 2012, J Struct Biol 180:519 and J Mol Biol 415:406.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cryoflow.compute.class2d.accuracy import pose_accuracy
from cryoflow.compute.class2d.expectation import expectation
from cryoflow.compute.class2d.grid import image_sizes, make_sampling
from cryoflow.compute.class2d.maximization import maximization
from cryoflow.compute.class2d.search import make_search
from cryoflow.compute.class2d.types import Changes, Data, Options, Particles, State


def iterate(
    state: State, data: Data, options: Options, perturbation: float = 0.0, subset: Tensor | None = None
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
        By what part of a coarse step all angles and offsets of this iteration are moved; -0.5 to 0.5.
    subset : Tensor, optional
        int64 indices of the particles to use; default all.
    """
    sizes = image_sizes(state.model.shell, options)
    subset = torch.arange(len(data.group)) if subset is None else subset
    search = make_search(state.model, data, options, sizes)
    accuracy = pose_accuracy(search, state.particles)
    record = expectation(search, state.particles, make_sampling(options, perturbation), subset)
    model = maximization(search, record.sums)
    model = model._replace(
        accuracy_deg=accuracy.psi_deg, accuracy_px=accuracy.offset_px, orientability=accuracy.orientability
    )
    changes = _changes(state.particles, record.particles, subset)
    return State(
        state.iteration + 1, model, record.particles, perturbation, sizes.current, sizes.coarse, changes
    )


def _changes(old: Particles, new: Particles, subset: Tensor) -> Changes:
    turn = ((new.psi_deg - old.psi_deg)[subset].abs()) % 360
    move = (new.offset_px - old.offset_px)[subset].square().sum(1)
    changed = (new.class_index != old.class_index)[subset]
    return Changes(float(turn.mean()), float((move.mean() / 2).sqrt()), float(changed.double().mean()))
