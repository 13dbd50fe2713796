"""Python types of STAR files."""

from __future__ import annotations

from typing import Literal, TypeAlias

import pandas as pd

Scalar: TypeAlias = str | int | float
Block: TypeAlias = pd.DataFrame | dict[str, Scalar]
"""A loop block as a table, a simple block as keys and values; names without the leading underscore."""

StarStyle = Literal["3.0", "3.1"]
"""RELION 3.0 writes no version; 3.1 and later put ``# version 30001`` before each block."""
