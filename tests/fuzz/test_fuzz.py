"""A short run of the fuzzer with a fixed seed; ``python tests/fuzz/run.py`` does it at length."""

import warnings
from pathlib import Path

import pytest

from fuzz.run import fuzz

KINDS = ["spec", "preset", "record", "sweep", "star", "pipeline", "mrc", "npz"]


@pytest.mark.parametrize("kind", KINDS)
def test_mutated_files_are_read_or_refused(tmp_path: Path, kind: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NumPy, about the numbers of damaged images
        assert fuzz(tmp_path, kind, 20 if kind == "spec" else 60, seed=1) == []
