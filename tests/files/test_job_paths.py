"""Names below job directories."""

import pytest

from cryoflow.files.job_paths import below_job, stem_below_job


@pytest.mark.parametrize(
    ("name", "below"),
    [
        ("MotionCorr/job002/Micrographs/a.mrc", "Micrographs/a.mrc"),
        ("./MotionCorr/job002/Micrographs/a.mrc", "Micrographs/a.mrc"),
        ("Import/job1234/a.mrc", "a.mrc"),
        ("Micrographs/a.mrc", "Micrographs/a.mrc"),
        ("a/b/job002/c.mrc", "a/b/job002/c.mrc"),
        ("/data/raw/a.mrc", "data/raw/a.mrc"),
        ("../raw/../../a.mrc", "raw/a.mrc"),
        ("Import/job001/../../a.mrc", "a.mrc"),
        ("MotionCorr/jobs/a.mrc", "MotionCorr/jobs/a.mrc"),
    ],
)
def test_below_job(name: str, below: str) -> None:
    assert below_job(name) == below


@pytest.mark.parametrize("name", ["Movies/a.b.mrc", "MotionCorr/job002/Movies/a.b.mrc", "../Movies/a.b.tif"])
def test_stem_below_job(name: str) -> None:
    assert stem_below_job(name) == "Movies/a.b"
