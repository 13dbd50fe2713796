"""Files of learnt scores that are damaged or something else."""

from pathlib import Path

import pytest

from cryoflow.errors import FileError
from cryoflow.jobs.sort.model_file import read_model


@pytest.mark.parametrize("text", ["[" * 100_000, "[]", "3", '{"format": []}', '{"format": 1e999}'])
def test_damaged_models_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "particles_model.json"
    path.write_text(text)
    with pytest.raises(FileError):
        read_model(path)
