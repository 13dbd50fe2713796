"""A project with extracted particles."""

from pathlib import Path

import pytest
from helpers.particle_project import context, extract_spec, make_project

from cryoflow.jobs.extract.run import run as extract


@pytest.fixture
def project(tmp_path: Path) -> Path:
    make_project(tmp_path)
    extract(extract_spec(), context(tmp_path, "Extract/job012"))
    return tmp_path
