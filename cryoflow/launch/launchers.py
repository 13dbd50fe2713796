"""Launchers of a sweep: presets in ``cryoflow/data/launcher``, or a YAML file of the user's own."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from cryoflow.errors import CryoflowError, FileError
from cryoflow.plain_files import read_plain_text
from cryoflow.shipped import shipped_folder
from cryoflow.spec.load import LONGEST
from cryoflow.yaml_limits import check_yaml

_NAME = "cryoflow"

#: A class or function in a module, as Hydra calls it.
_TARGET = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", re.ASCII)


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
    preset = _plain_preset(path)
    target = preset.get("_target_")
    if not isinstance(target, str) or not _TARGET.fullmatch(target):
        raise CryoflowError(f"{path}: names no launcher; expected a line '_target_: ...'")
    if not is_installed(target.rpartition(".")[0]):
        package = target.split(".")[1].replace("_", "-")
        raise CryoflowError(f"--launcher {launcher}: not installed; run 'pip install {package}' first")
    return preset


def _plain_preset(path: Path) -> dict[str, Any]:
    """Read the keys and values of a preset, all keys text."""
    try:
        text = read_plain_text(path, LONGEST)
        check_yaml(text)
        preset = yaml.safe_load(text)
    except OSError as error:
        raise FileError(path, f"cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise FileError(path, f"is no preset of a launcher: {' '.join(str(error).split())}") from error
    if not isinstance(preset, dict) or not _plain(preset):
        raise FileError(
            path, "is no preset of a launcher: names no launcher; expected a line '_target_: ...'"
        )
    return preset


def _plain(value: Any) -> bool:
    """Return whether a value is made of what a configuration of Hydra can hold."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and _plain(one) for key, one in value.items())
    if isinstance(value, list):
        return all(map(_plain, value))
    return value is None or isinstance(value, str | int | float)


def register_launcher(launcher: str) -> str:
    """Put a preset into Hydra's store and return the name to choose it by."""
    from hydra.core.config_store import ConfigStore

    ConfigStore.instance().store(_NAME, read_preset(launcher), group="hydra/launcher", provider="cryoflow")
    return _NAME


def is_installed(module: str) -> bool:
    """Return whether a module can be imported."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False
