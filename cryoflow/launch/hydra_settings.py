"""Hydra's own settings on the command line, e.g. ``hydra/sweeper=optuna hydra.sweeper.n_trials=20``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from cryoflow.errors import CryoflowError
from cryoflow.launch.launchers import is_installed
from cryoflow.launch.sweep.objective import direction
from cryoflow.spec import JobSpec

_CHOOSES = ("hydra/launcher", "hydra/sweeper")


class HydraWords(NamedTuple):
    """Settings of Hydra.

    Attributes
    ----------
    words : tuple of str
        As given.
    launcher, sweeper : str
        The selected ones; empty for Hydra's default.
    """

    words: tuple[str, ...]
    launcher: str
    sweeper: str

    @property
    def search(self) -> bool:
        """Whether the sweeper chooses the points as it goes."""
        return self.sweeper not in {"", "basic"}


#: None given.
NO_WORDS = HydraWords((), "", "")


def take_hydra_words(overrides: Sequence[str]) -> tuple[list[str], HydraWords]:
    """Separate Hydra's settings from the overrides of specs.

    Raises
    ------
    CryoflowError
        If a launcher or sweeper is selected that is not installed.
    """
    words = tuple(word for word in overrides if word.startswith(("hydra/", "hydra.")))
    chosen = {name: value for name, _, value in (word.partition("=") for word in words) if name in _CHOOSES}
    for name, value in chosen.items():
        _check_installed(name, value)
    own = [word for word in overrides if word not in words]
    return own, HydraWords(words, *(chosen.get(name, "") for name in _CHOOSES))


def check_hydra_words(hydra: HydraWords, multirun: bool, launcher: str) -> None:
    """Refuse Hydra's settings without a sweep, or where they contradict ``--launcher``."""
    if hydra.words and not multirun:
        raise CryoflowError(f"{hydra.words[0]}: Hydra's settings apply to sweeps; add --multirun")
    if hydra.launcher and launcher != "local":
        raise CryoflowError(
            f"--launcher {launcher} and hydra/launcher={hydra.launcher}: use only one of them"
        )


def search_words(hydra: HydraWords, spec: JobSpec) -> tuple[str, ...]:
    """Return Hydra's settings, with the objective and the seed of the spec for a search.

    Raises
    ------
    CryoflowError
        If the spec names no objective.
    """
    if not hydra.search:
        return hydra.words
    if spec.objective is None:
        raise CryoflowError(
            f"hydra/sweeper={hydra.sweeper} needs an objective, a column of the sweep's table: "
            "objective=f1 maximises it, objective=-seconds minimises it"
        )
    ours = [f"hydra.sweeper.direction={direction(spec.objective)}"]
    if hydra.sweeper == "optuna":  # a failed point has no value; the search continues
        ours += ["hydra.sweeper.max_failure_rate=1", "hydra.sweeper.n_jobs=1"]
    if not _named(hydra.words, "hydra/sweeper/sampler"):
        ours.append(f"hydra.sweeper.sampler.seed={spec.compute.seed}")
    return (*(word for word in ours if not _named(hydra.words, word.partition("=")[0])), *hydra.words)


def _named(words: Iterable[str], name: str) -> bool:
    return any(word.partition("=")[0].lstrip("+") == name for word in words)


def _check_installed(name: str, value: str) -> None:
    kind = name.partition("/")[2]
    plugin = f"hydra_{value.partition('_')[0]}_{kind}"
    if value == "basic" or is_installed(f"hydra_plugins.{plugin}"):
        return
    raise CryoflowError(
        f"{name}={value}: not installed; run 'pip install {plugin.replace('_', '-')}' first, "
        "or use another one"
    )
