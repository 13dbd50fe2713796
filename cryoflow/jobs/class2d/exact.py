"""The exact state of a run, so that a killed run resumes as if uninterrupted.

RELION's files hold six or seven digits of it: enough to continue, but not for identical bytes.
"""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from cryoflow.compute.class2d import Changes, Model, Particles, State
from cryoflow.errors import FileError
from cryoflow.files.atomic import replacing


def save_state(directory: Path, root: str, state: State) -> None:
    """Write the state of an iteration to a hidden file next to its other files."""
    parts = {name: getattr(state, name)._asdict() for name in _PARTS}
    plain = state._asdict() | parts | {"halves": None}  # which no later iteration needs
    with replacing(_path(directory, root, state.iteration)) as temporary:
        torch.save(plain, temporary)


def forget_states(directory: Path, root: str, but: int | None = None) -> None:
    """Remove the states of all iterations but one, if given."""
    for path in directory.glob(f".{root}_it*_state.pt"):
        if but is None or path != _path(directory, root, but):
            path.unlink()


def exact_state(directory: Path, root: str, rounded: State) -> State:
    """Return the state that was kept for an iteration; without it, the one from RELION's files.

    Raises
    ------
    FileError
        When the file is not a state, or one of another version.
    """
    path = _path(directory, root, rounded.iteration)
    if not path.exists():
        return rounded
    try:
        plain: dict[str, Any] = torch.load(path, weights_only=True)
        found = State(**plain | {name: part(**plain[name]) for name, part in _PARTS.items()})
    except (EOFError, KeyError, RuntimeError, TypeError, UnpicklingError) as error:
        what = "was not written by this version; remove it to continue from the iteration's STAR files"
        raise FileError(path, what) from error
    return found if _agree(found, rounded) else rounded


def _agree(exact: State, rounded: State) -> bool:
    """Whether both have the same numbers of classes and particles; files may have been replaced."""
    pairs: list[tuple[Tensor, Tensor]] = [
        (exact.model.references, rounded.model.references),
        (exact.particles.psi_deg, rounded.particles.psi_deg),
    ]
    return all(
        one.shape == other.shape and torch.allclose(one, other, rtol=1e-3, atol=1e-3) for one, other in pairs
    )


def _path(directory: Path, root: str, iteration: int) -> Path:
    return directory / f".{root}_it{iteration:03d}_state.pt"


_PARTS: dict[str, Any] = {"model": Model, "particles": Particles, "changes": Changes}
