"""A learnt particle score on disk: plain JSON, readable by people and programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from os import PathLike
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.score.features import Features
from cryoflow.errors import FileError
from cryoflow.files.atomic import read_bytes, write_bytes
from cryoflow.learn.score.logistic import Logistic
from cryoflow.learn.score.mixture import Mixture
from cryoflow.learn.score.particle_score import LogOddsModel, Scale
from cryoflow.learn.score.robust import Shape
from cryoflow.learn.score.score_model import Calibration, ScoreModel

FORMAT = "cryoflow particle score 2"
KINDS = ("particle", "noise", "outlier")


class StoredModel(NamedTuple):
    """A model, and its origin."""

    model: ScoreModel
    micrographs: tuple[str, ...]
    """Micrographs whose particles it was trained on."""


def write_model(path: str | PathLike[str], stored: StoredModel) -> None:
    """Write a model; the same gives the same bytes."""
    text = json.dumps(_plain(stored), indent=1) + "\n"
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def _plain(stored: StoredModel) -> dict[str, Any]:
    scale, model, calibration, mixed = stored.model
    names = Features._fields
    terms = [*names, *(f"{name} squared" for name in names), "1"]
    return {
        "format": FORMAT,
        "features": {
            name: {"median": median, "mad": mad}
            for name, median, mad in zip(names, scale.median.tolist(), scale.mad.tolist(), strict=True)
        },
        "mixture": None if model.mixture is None else _plain_mixture(model.mixture, names[:mixed]),
        "logistic": {
            "weights": dict(zip(terms, model.logistic.weights.tolist(), strict=True)),
            **{name: getattr(model.logistic, name).tolist() for name in Logistic._fields[:-1]},
        },
        "calibration": calibration._asdict(),
        "micrographs": list(stored.micrographs),
    }


def _plain_mixture(mixture: Mixture, features: tuple[str, ...]) -> dict[str, Any]:
    shapes = zip(KINDS, mixture.shapes, mixture.shares.tolist(), strict=True)
    kinds = {
        kind: {"share": share, "centre": shape.centre.tolist(), "covariance": _rows(shape.covariance)}
        for kind, shape, share in shapes
    }
    return {"features": list(features), "kinds": kinds}


def _rows(matrix: Tensor) -> list[list[float]]:
    rows: list[list[float]] = matrix.tolist()
    return rows


def read_model(path: str | PathLike[str]) -> StoredModel:
    """Read what `write_model` wrote.

    Raises
    ------
    FileError
        When the file is missing or damaged, is not a score model, or uses other features.
    """
    try:
        plain = json.loads(read_bytes(path).decode("utf-8", "surrogateescape"))
        if plain["format"] != FORMAT:
            raise FileError(path, f"its format is {plain['format']!r}, not {FORMAT!r}")
        if tuple(plain["features"]) != Features._fields:
            raise FileError(path, "uses other features than this version measures; learn it again")
        return StoredModel(_model(plain), tuple(map(str, plain["micrographs"])))
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError) as error:
        what = "is not a particle score model; give the particles_model.json of a Sort job"
        raise FileError(path, f"{what}: {error}") from None


def _model(plain: dict[str, Any]) -> ScoreModel:
    scales = plain["features"].values()
    scale = Scale(*(_tensor([one[name] for one in scales]) for name in Scale._fields))
    given = plain["mixture"]
    mixture, mixed = (None, 0) if given is None else (_mixture(given), len(given["features"]))
    parts = plain["logistic"]
    terms = {name: _tensor(parts[name]) for name in Logistic._fields[:-1]}
    logistic = Logistic(**terms, weights=_tensor([*parts["weights"].values()]))
    model = ScoreModel(scale, LogOddsModel(mixture, logistic), Calibration(**plain["calibration"]), mixed)
    count = len(Features._fields)
    model.log_odds(torch.zeros(1, count, dtype=torch.float64))  # mismatched shapes fail here
    return model


def _mixture(plain: dict[str, Any]) -> Mixture:
    kinds = [plain["kinds"][kind] for kind in KINDS]
    particle, noise, outlier = (Shape(_tensor(k["centre"]), _tensor(k["covariance"])) for k in kinds)
    return Mixture((particle, noise, outlier), _tensor([kind["share"] for kind in kinds]))


def _tensor(values: Sequence[Any]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
