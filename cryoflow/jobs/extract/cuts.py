"""Which picks are extracted: cuts by figure of merit, q-value and probability."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from cryoflow.errors import CryoflowError, FileError
from cryoflow.files.coordinates import read_coordinates
from cryoflow.files.micrograph_names import MicrographNames
from cryoflow.files.star import as_table, read_star
from cryoflow.jobs.extract.positions import Positions, Source
from cryoflow.project.context import JobContext
from cryoflow.spec import Extract

SCORES = "picks_scores.star"
"""What AutoPick calls its table of q-values."""
_NAME, _X, _Y, _FOM = "rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY", "rlnAutopickFigureOfMerit"
_Q, _PROBABILITY = "cryoflowQValue", "cryoflowProbability"
_DECIMALS = 2
"""Of coordinates in pixels, to find a pick in the table of scores."""

Mask = npt.NDArray[np.bool_]
Scores = dict[str, pd.DataFrame]


def cut_picks(spec: Extract, context: JobContext, positions: Positions) -> Positions:
    """Leave out picks that do not meet the section ``picks``; without one, nothing is read or changed.

    Raises
    ------
    FileError
        When coordinates lack a figure of merit, or the scores lack a column, a micrograph or a pick.
    """
    picks = spec.picks
    bounds = (picks.minimum_autopick_fom, picks.q_value_max, picks.probability_min)
    if bounds == (None, None, None):
        return positions
    file = _scores_file(spec, context) if bounds[1:] != (None, None) else None
    read = (*positions.inputs, *([] if file is None else [context.relative(file)]))
    context.reads(read)
    scores = {} if file is None else _read_scores(spec, context, file, list(positions.sources))
    sources: dict[str, Source] = {}
    total = kept = 0
    for name, source in positions.sources.items():
        try:
            rows = source if isinstance(source, pd.DataFrame) else read_coordinates(source)
        except CryoflowError:
            sources[name] = source  # fails by itself, as without a cut
            continue
        where = (
            str(spec.io.input_coordinates) if isinstance(source, pd.DataFrame) else context.relative(source)
        )
        keep = _kept(spec, where, rows, scores.get(name), name, file)
        sources[name] = rows[keep].reset_index(drop=True)
        total, kept = total + len(rows), kept + int(keep.sum())
    context.report.say(f"{kept} of {total} picks have {_in_words(spec)}")
    return Positions(sources, read)


def _kept(
    spec: Extract, where: str, rows: pd.DataFrame, scores: pd.DataFrame | None, name: str, file: Path | None
) -> Mask:
    keep: Mask = np.ones(len(rows), dtype=bool)
    picks = spec.picks
    if not len(rows):
        return keep
    if picks.minimum_autopick_fom is not None:
        if _FOM not in rows.columns:
            raise FileError(where, f"lacks {_FOM}, which 'Minimum autopick FOM' needs; leave that out")
        keep &= rows[_FOM].to_numpy(np.float64) >= picks.minimum_autopick_fom
    if file is not None:
        found = _looked_up(file, where, rows, scores, name)
        if picks.q_value_max is not None:
            keep &= found[_Q].to_numpy(np.float64) <= picks.q_value_max
        if picks.probability_min is not None:
            keep &= found[_PROBABILITY].to_numpy(np.float64) >= picks.probability_min
    return keep


def _scores_file(spec: Extract, context: JobContext) -> Path:
    if spec.picks.scores is not None:
        return context.resolve(spec.picks.scores)
    path = context.resolve(str(spec.io.input_coordinates))
    file = (path if path.is_dir() else path.parent) / SCORES
    if not file.exists():
        missing = f"there is no {SCORES} beside {spec.io.input_coordinates}"
        raise CryoflowError(
            f"{missing}; pick with decoys (decoys=yes), or name a table of scores in 'Scores'"
        )
    return file


def _read_scores(spec: Extract, context: JobContext, file: Path, names: list[str]) -> Scores:
    """Rows of scores by micrograph, in the names of the micrographs' table."""
    wanted = {_Q: spec.picks.q_value_max, _PROBABILITY: spec.picks.probability_min}
    needed = [_NAME, _X, _Y, *(column for column, bound in wanted.items() if bound is not None)]
    table = next((as_table(block) for block in read_star(file).values()), pd.DataFrame())
    missing = [column for column in needed if column not in table.columns]
    if missing:
        raise FileError(context.relative(file), f"lacks {', '.join(missing)}, which the cut of picks needs")
    known = MicrographNames(names)
    owners = (
        table[_NAME].astype(str).map({str(name): known.find(str(name)) for name in table[_NAME].unique()})
    )
    return {str(name): rows for name, rows in table.groupby(owners, sort=False)}


def _looked_up(
    file: Path, where: str, rows: pd.DataFrame, scores: pd.DataFrame | None, name: str
) -> pd.DataFrame:
    """Scores of the picks, in their order, found by position."""
    if scores is None:
        raise FileError(file, f"has no scores of {name}; give the scores of the same picking job")
    ours = rows[[_X, _Y]].round(_DECIMALS)
    theirs = scores.assign(**{axis: scores[axis].round(_DECIMALS) for axis in (_X, _Y)})
    found = ours.merge(theirs.drop_duplicates([_X, _Y]), on=[_X, _Y], how="left", indicator=True)
    lost = int((found["_merge"] == "left_only").sum())
    if lost:
        raise FileError(file, f"has no scores of {lost} picks of {where}; give those of the same picking job")
    return found


def _in_words(spec: Extract) -> str:
    picks = spec.picks
    parts = (
        ("a figure of merit of at least", picks.minimum_autopick_fom),
        ("a q-value of at most", picks.q_value_max),
        ("a probability of at least", picks.probability_min),
    )
    return " and ".join(f"{text} {bound:g}" for text, bound in parts if bound is not None)
