"""Cuts on q-value and probability, which are in separate tables next to particles and picks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from cryoflow.errors import FileError
from cryoflow.files.star import read_star
from cryoflow.jobs.inputs.row_keys import row_keys
from cryoflow.jobs.select.conditions import Condition, Source, numbers, within
from cryoflow.project.context import JobContext
from cryoflow.spec.selection import Selection

BESIDE = "particles_scores.star"
"""Searched for next to the rows if the spec names no table of scores."""
_NEEDED = {"cryoflowQValue": "statistics.decoys or learnt_scores", "cryoflowProbability": "learnt_scores"}


class Cut(NamedTuple):
    """Lowest and highest value kept of a column of scores."""

    column: str
    low: float | None
    high: float | None


def add_scored(
    selection: Selection, context: JobContext, conditions: list[Condition], source: Source
) -> tuple[str, ...]:
    """Add ``q_value_max`` and ``probability_min`` where they are given; return the scores' name as an input.

    Scores belong to a row by its image name, or where they have none by micrograph and coordinates. Rows
    without a score do not meet the condition, which says how many they are.

    Raises
    ------
    FileError
        When there are no scores, they lack the column, or are of other rows.
    """
    cuts = cuts_of(selection.q_value_max, selection.probability_min)
    if not cuts:
        return ()
    path = context.resolve(selection.scores) if selection.scores else source.path.with_name(BESIDE)
    context.reads([context.relative(path)])
    if not path.exists():
        what = "; run Sort with learnt_scores: Yes, or name the scores in selection > scores"
        raise FileError(path, f"does not exist, but selection > {_field(cuts[0])} needs it{what}")
    conditions.extend(scored_conditions(cuts, Source(read_scores(path), path, "rows"), source))
    return (context.relative(path),)


def cuts_of(q_value_max: float | None, probability_min: float | None) -> list[Cut]:
    """Return the cuts for those of the limits that are given."""
    cuts = []
    if q_value_max is not None:
        cuts.append(Cut("cryoflowQValue", None, q_value_max))
    if probability_min is not None:
        cuts.append(Cut("cryoflowProbability", probability_min, None))
    return cuts


def scored_conditions(cuts: Sequence[Cut], scores: Source, source: Source) -> list[Condition]:
    """Conditions of cuts on rows whose scores are in another table; see `add_scored`."""
    place = places_of_scores(source, scores)
    return [_condition(cut, scores, place, source.unit) for cut in cuts]


def _field(cut: Cut) -> str:
    return "q_value_max" if cut.low is None else "probability_min"


def read_scores(path: Path) -> pd.DataFrame:
    """Read the last table of a file of scores; FileError where it has none."""
    tables = [block for block in read_star(path).values() if isinstance(block, pd.DataFrame)]
    if not tables:
        raise FileError(path, "holds no table of scores")
    return tables[-1]


def _condition(cut: Cut, scores: Source, place: npt.NDArray[np.int64], unit: str) -> Condition:
    if cut.column not in scores.rows.columns:
        what = f"lacks {cut.column}, which {_field(cut)} needs; {_NEEDED[cut.column]}: Yes writes it"
        raise FileError(scores.path, what)
    text, good = within(scores, cut.column, cut.low, cut.high)
    lost = int(((place < 0) | np.isnan(numbers(scores, cut.column))[place]).sum())
    told = f"{text} ({lost} {unit} have none)" if lost else text
    return Condition(told, good[place] & (place >= 0))


def places_of_scores(source: Source, scores: Source) -> npt.NDArray[np.int64]:
    """Index of the scores' row for each row; -1 for none."""
    by_image = "rlnImageName" in scores.rows.columns
    number = {key: place for place, key in enumerate(row_keys(scores.rows, scores.path, by_image))}
    place = np.array(
        [number.get(key, -1) for key in row_keys(source.rows, source.path, by_image)], dtype=np.int64
    )
    if len(place) and (place < 0).all():
        how = "image name" if by_image else "micrograph and coordinates"
        raise FileError(
            scores.path, f"has no scores for the {source.unit} of {source.path}, matched by {how}"
        )
    return place
