"""How alike two divisions of the same things into classes are, whatever the classes are called."""

from __future__ import annotations

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor


def matched_agreement(one: Tensor, other: Tensor) -> float:
    """Share of the things that are in corresponding classes; int64 labels ``(N,)`` from 0.

    The classes of the two divisions are paired one to one such that this share is highest (Kuhn 1955, Nav
    Res Logist Q 2:83).
    """
    shared = _shared(one, other).numpy()
    return float(shared[linear_sum_assignment(shared, maximize=True)].sum() / len(one))


def adjusted_rand_index(one: Tensor, other: Tensor) -> float:
    """Agreement about which pairs of things belong together; int64 labels ``(N,)`` from 0.

    1 for the same divisions, 0 on average for random ones (Hubert and Arabie 1985, J Classif 2:193).
    """
    shared = _shared(one, other)
    together = _pairs(shared)
    first, second = _pairs(shared.sum(1)), _pairs(shared.sum(0))
    expected, most = first * second / _pairs(shared.sum()), (first + second) / 2
    return 1.0 if most == expected else (together - expected) / (most - expected)


def _shared(one: Tensor, other: Tensor) -> Tensor:
    """How many things each class of the one shares with each of the other."""
    rows, columns = int(one.max()) + 1, int(other.max()) + 1
    return torch.bincount(one * columns + other, minlength=rows * columns).view(rows, columns)


def _pairs(counts: Tensor) -> float:
    return float((counts * (counts - 1) / 2).sum())
