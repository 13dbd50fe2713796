"""Points of a sweep, each a job with its directory."""

from pathlib import Path

import pytest
import yaml
from helpers.stand_in_job import listing, run_spec, stand_in_project

from cryoflow.errors import SpecError
from cryoflow.project.record import read_record

project = stand_in_project


def test_sweep_gives_every_point_a_directory(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overrides = ("Minimum metadata value=0,1,6,0.25", "maximum_metadata_value=99")
    assert run_spec(project, *overrides, multirun=True) == 1
    found = {
        path.name: read_record(path)["spec"]["subsets"]["minimum_metadata_value"]
        for path in (project / "Select").iterdir()
    }
    assert found == {"job100": 0, "job101": 1, "job102": 6, "job103": 0.25}
    states = [read_record(project / "Select" / name)["status"] for name in sorted(found)]
    assert states == ["succeeded", "failed", "partial", "succeeded"]
    out = capsys.readouterr().out.splitlines()
    assert out[-1] == "Sweep/sweep001/"
    assert out[-5:-1] == [f"Select/{name}/" for name in sorted(found)]
    assert "Select: 4 points, each with the next free number and no alias" in out


def test_sweep_with_a_bad_point_starts_nothing(project: Path) -> None:
    with pytest.raises(SpecError) as caught:
        run_spec(project, "sigma_value_for_discarding_images=3,-4,x", multirun=True)
    assert len(caught.value.problems) == 2
    assert not (project / "Select").exists()


def test_presets_are_launchers() -> None:
    from cryoflow.shipped import shipped_folder

    for path in (shipped_folder() / "launcher").glob("*.yaml"):
        assert yaml.safe_load(path.read_text())["_target_"].endswith("Launcher")


PARTICLES = """
data_

loop_
_rlnImageName #1
_rlnMicrographName #2
_rlnParticleSelectZScore #3
000001@Extract/job012/a.mrcs Micrographs/a.mrc 0.1
000002@Extract/job012/a.mrcs Micrographs/a.mrc 0.4
000003@Extract/job012/a.mrcs Micrographs/a.mrc 0.9
"""


def test_sweep_in_processes_of_joblib(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A real job, since workers know no stand-ins."""
    (tmp_path / "Extract" / "job012").mkdir(parents=True)
    (tmp_path / "Extract" / "job012" / "particles.star").write_text(PARTICLES)
    overrides = ("maximum_metadata_value=0.2,0.5", "minimum_metadata_value=-1", "device=cpu")
    assert run_spec(tmp_path, *overrides, multirun=True, launcher="joblib") == 0
    out = capsys.readouterr().out.splitlines()
    assert sorted(out[-3:-1]) == ["Select/job100/", "Select/job101/"]
    kept = {}
    for name in ("job100", "job101"):
        record = read_record(tmp_path / "Select" / name)
        text = (tmp_path / "Select" / name / "particles.star").read_text()
        kept[record["spec"]["subsets"]["maximum_metadata_value"]] = text.count("@Extract/job012/a.mrcs")
    assert kept == {0.2: 1, 0.5: 2}
    assert listing(tmp_path / ".cryoflow") == {"apart", "hashes", "numbers"}
