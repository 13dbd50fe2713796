"""A project with micrographs and picks."""

from pathlib import Path

import pytest
from helpers.particle_project import make_project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path)
