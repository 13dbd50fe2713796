"""Quality of a choice from probabilities, without truth: expected particles and expected F1."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]


def expected_f1(chosen: Values, every: Values) -> float:
    """F1 of a choice, with its counts replaced by their expectations: 2 E[true chosen] / (chosen + E[true]).

    Parameters
    ----------
    chosen : ndarray
        Probability of each chosen row, ``(k,)``; nan counts as 0.
    every : ndarray
        Probability of every row to choose from, ``(n,)``.

    Returns
    -------
    float
        0 where nothing is chosen.
    """
    true = float(np.nansum(every))
    return 2 * float(np.nansum(chosen)) / (len(chosen) + true) if len(chosen) else 0.0


def best_expected_f1(every: Values) -> float:
    """Highest `expected_f1` of all choices of the most probable rows; 0 without rows."""
    falling = np.sort(np.nan_to_num(every))[::-1]
    if not len(falling):
        return 0.0
    counts = np.arange(1, len(falling) + 1)
    return float((2 * falling.cumsum() / (counts + falling.sum())).max())
