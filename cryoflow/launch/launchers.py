"""Launchers of a sweep: presets in ``cryoflow/data/launcher``, or a YAML file of the user's own."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from cryoflow.errors import CryoflowError
from cryoflow.shipped import shipped_folder

_NAME = "cryoflow"


def preset_path(launcher: str) -> Path:
    """Return the YAML file of a preset name or path.

    Raises
    ------
    CryoflowError
        If there is none; the message lists those that exist.
    """
    folder = shipped_folder() / "launcher"
    for path in (folder / f"{launcher}.yaml", Path(launcher)):
        if path.is_file():
            return path
    known = ", ".join(sorted(path.stem for path in folder.glob("*.yaml")))
    raise CryoflowError(f"--launcher {launcher}: no such launcher; use {known}, or a YAML file")


def read_preset(launcher: str) -> dict[str, Any]:
    """Read a preset and check that its launcher is installed.

    Raises
    ------
    CryoflowError
        If it names no launcher, or one that is not installed.
    """
    path = preset_path(launcher)
    preset = yaml.safe_load(path.read_text(encoding="utf-8"))
    target = preset.get("_target_") if isinstance(preset, dict) else None
    if not isinstance(target, str) or "." not in target:
        raise CryoflowError(f"{path}: names no launcher; expected a line '_target_: ...'")
    if not is_installed(target.rpartition(".")[0]):
        package = target.split(".")[1].replace("_", "-")
        raise CryoflowError(f"--launcher {launcher}: not installed; run 'pip install {package}' first")
    return dict(preset)


def register_launcher(launcher: str) -> str:
    """Put a preset into Hydra's store and return the name to choose it by."""
    from hydra.core.config_store import ConfigStore

    ConfigStore.instance().store(_NAME, read_preset(launcher), group="hydra/launcher", provider="cryoflow")
    return _NAME


def is_installed(module: str) -> bool:
    """Return whether a module can be imported."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
