"""The specs shipped with the package: recommended, the tutorial's, and the presets of launchers."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path

from cryoflow.errors import FileError

#: Name -> the patterns of its files, relative to `shipped_folder`.
COLLECTIONS = {
    "recommended": ("recommended.yaml", "recommended/*.yaml"),
    "tutorial": ("tutorial.yaml", "tutorial/*.yaml"),
    "launcher": ("launcher/*.yaml",),
}


def shipped_folder() -> Path:
    """Return the folder with the shipped specs, installed or in a clone (where it is ``specs/``)."""
    return Path(str(files("cryoflow") / "data"))


def shipped_files(collection: str) -> list[str]:
    """Return the files of a collection, relative to `shipped_folder`, sorted pattern by pattern."""
    folder = shipped_folder()
    return [
        str(path.relative_to(folder))
        for pattern in COLLECTIONS[collection]
        for path in sorted(folder.glob(pattern))
    ]


def copy_shipped(collection: str, directory: Path) -> list[Path]:
    """Copy a collection into a directory, laid out as shipped, so that a chain finds its specs.

    Parameters
    ----------
    collection : str
        A name of `COLLECTIONS`.
    directory : Path
        Made if it does not exist.

    Returns
    -------
    list of Path
        The copies.

    Raises
    ------
    FileError
        If a file of that name exists, or the directory cannot be written; nothing is overwritten.
    """
    names = shipped_files(collection)
    copies = [directory / name for name in names]
    for copy in copies:
        if copy.exists() or copy.is_symlink():
            raise FileError(copy, "exists already and is not overwritten; give another directory")
    try:
        for name, copy in zip(names, copies, strict=True):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(shipped_folder() / name, copy)
    except OSError as error:
        raise FileError(directory, f"cannot be written: {error.strerror}") from None
    return copies
