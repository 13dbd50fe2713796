"""A classification's model.star, and the files next to it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from cryoflow.errors import FileError
from cryoflow.files.star import Block, as_table, read_star
from cryoflow.files.tables import Table
from cryoflow.jobs.select.conditions import Source, numbers
from cryoflow.jobs.select.halves import half_set_resolution

Spectrum = npt.NDArray[np.float64]


class ClassModel(NamedTuple):
    """Classes of a model.star."""

    path: Path
    classes: pd.DataFrame
    """With ``rlnReferenceImage`` and ``rlnClassNumber``."""
    groups: pd.DataFrame | None
    pixel_size_a: float | None
    dimensions: int
    mask_diameter_a: float | None
    """From the optimiser.star next to it."""
    ssnr: tuple[Spectrum | None, ...]
    """Signal-to-noise ratio of each class by shell, if the model has it."""
    half_set_resolution_a: Spectrum | None = None
    """Resolution to which the averages of two halves of each class agree, if a file next to it has it."""


def read_model(path: Path) -> ClassModel:
    """Read the class and group tables of a model.star.

    Raises
    ------
    FileError
        When it has no table of classes, or that lacks the images.
    """
    blocks = read_star(path)
    classes = as_table(blocks.get("model_classes", {}))
    if classes.empty:
        raise FileError(path, "is not a model.star: it has no table data_model_classes")
    if "rlnReferenceImage" not in classes.columns:
        raise FileError(path, "its data_model_classes lacks the column rlnReferenceImage")
    classes = classes.assign(rlnClassNumber=np.arange(1, len(classes) + 1))
    groups, general = blocks.get("model_groups"), blocks.get("model_general")
    return ClassModel(
        path,
        classes,
        None if groups is None else as_table(groups),
        _number(general, "rlnPixelSize"),
        int(_number(general, "rlnReferenceDimensionality") or 2),
        _mask_diameter(path),
        tuple(_spectrum(path, blocks.get(f"model_class_{k}")) for k in classes["rlnClassNumber"]),
        half_set_resolution(_beside(path, "classes.star"), len(classes)),
    )


def _number(block: Block | None, key: str) -> float | None:
    value = block.get(key) if isinstance(block, dict) else None
    return None if value is None else float(value)


def _mask_diameter(model: Path) -> float | None:
    optimiser = _beside(model, "optimiser.star")
    if not optimiser.exists():
        return None
    return _number(read_star(optimiser).get("optimiser_general"), "rlnParticleDiameter")


def _spectrum(path: Path, block: Block | None) -> Spectrum | None:
    if not isinstance(block, pd.DataFrame) or "rlnSsnrMap" not in block.columns:
        return None
    return numbers(Source(block, path, "shells"), "rlnSsnrMap")


def data_beside(model: Path) -> Path:
    """``run_it025_data.star`` for ``run_it025_model.star`` (or a half's model)."""
    return _beside(model, "data.star")


def files_beside(model: Path) -> list[Path]:
    """Return the files next to a model.star that are read with it, if they exist."""
    if not model.name.endswith("_model.star"):
        return []
    return [_beside(model, what) for what in ("data.star", "optimiser.star", "classes.star")]


def _beside(model: Path, what: str) -> Path:
    for ending in ("_half1_model.star", "_half2_model.star", "_model.star"):
        if model.name.endswith(ending):
            return model.with_name(f"{model.name.removesuffix(ending)}_{what}")
    raise FileError(model, f"its name must end in _model.star, so that its _{what} can be found")


def class_numbers(table: Table, model: ClassModel) -> npt.NDArray[np.int64]:
    """Class number of each particle, from 1.

    Raises
    ------
    FileError
        When the column is missing, or a number is not a class of the model.
    """
    if "rlnClassNumber" not in table.rows.columns:
        text = "lacks the column rlnClassNumber, which joins its particles to the classes of"
        raise FileError(table.path, f"{text} {model.path}")
    number = numbers(Source(table.rows, table.path, "particles"), "rlnClassNumber")
    wrong = np.flatnonzero(~np.isin(number, model.classes["rlnClassNumber"]))
    if wrong.size:
        row = int(wrong[0])
        known = f"{model.path.name} has {len(model.classes)} classes"
        raise FileError(table.path, f"row {row + 1} has rlnClassNumber {number[row]:g}, but {known}")
    return number.astype(np.int64)
