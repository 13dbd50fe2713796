"""A pipeline file made afterwards says the same as one that was there from the start."""

from pathlib import Path

import pytest
from helpers.launch_project import cryoflow, make_project, select_spec

from cryoflow.project.pipeline import PIPELINE
from cryoflow.project.pipeline_text import Loop, WordFile, read_words

VERSIONS = ["3.0", "5"]


def run_jobs(project: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    specs = [
        select_spec(folder / "one.yaml", 0.5, number=14, alias="good"),
        select_spec(folder / "two.yaml", 0.2, "Select/job014/particles.star", number=15),
    ]
    for spec in specs:
        assert cryoflow(project, "run", spec, "device=cpu") == 0


def rows(content: WordFile) -> dict[str, object]:
    return {
        name: (block.columns, sorted(block.rows)) if isinstance(block, Loop) else block
        for name, block in content.blocks.items()
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_init_before_and_after_the_jobs_agree(version: str, tmp_path: Path, no_pictures: None) -> None:
    before, after = make_project(tmp_path / "before"), make_project(tmp_path / "after")
    assert cryoflow(before, "init", "--relion", version) == 0
    for project in (before, after):
        run_jobs(project, tmp_path / "specs")
    assert not (after / PIPELINE).exists()
    assert cryoflow(after, "init", "--relion", version) == 0
    first, second = read_words(before / PIPELINE), read_words(after / PIPELINE)
    assert first.version == second.version == ("" if version == "3.0" else "# version 50001")
    assert rows(first) == rows(second)
    own = "Select/job015/job_pipeline.star"
    assert rows(read_words(before / own)) == rows(read_words(after / own))
    assert (after / ".gui_projectdir").exists()


def test_the_tables_of_relion_5(
    tmp_path: Path, no_pictures: None, capsys: pytest.CaptureFixture[str]
) -> None:
    project = make_project(tmp_path / "project")
    run_jobs(project, tmp_path / "specs")
    capsys.readouterr()
    assert cryoflow(project, "init") == 0
    assert capsys.readouterr().out.splitlines()[:2] == ["Select/job014", "Select/job015"]
    blocks = read_words(project / PIPELINE).blocks
    assert blocks["pipeline_general"] == {"rlnPipeLineJobCounter": "16"}
    processes, nodes = blocks["pipeline_processes"], blocks["pipeline_nodes"]
    assert isinstance(processes, Loop) and isinstance(nodes, Loop)
    assert processes.rows == [
        ["Select/job014/", "Select/good/", "relion.select", "Succeeded"],
        ["Select/job015/", "None", "relion.select", "Succeeded"],
    ]
    assert nodes.columns[-1] == "rlnPipeLineNodeTypeLabelDepth"
    assert ["Select/job014/particles.star", "ParticleGroupMetadata.star.relion", "1"] in nodes.rows
    edges = blocks["pipeline_input_edges"]
    assert isinstance(edges, Loop) and ["Select/job014/particles.star", "Select/job015/"] in edges.rows


def test_numbers_of_relion_3_and_failed_jobs(tmp_path: Path, no_pictures: None) -> None:
    project = make_project(tmp_path / "project")
    spec = select_spec(tmp_path / "bad.yaml", 0.5, number=14)
    spec.write_text(spec.read_text().replace("rlnParticleSelectZScore", "rlnNoSuchColumn"))
    cryoflow(project, "run", spec, "device=cpu")
    assert cryoflow(project, "init", "--relion", "3.0") == 0
    processes = read_words(project / PIPELINE).blocks["pipeline_processes"]
    assert isinstance(processes, Loop) and [row[2:] for row in processes.rows] == [["7", "0"]]
    outputs = read_words(project / PIPELINE).blocks["pipeline_output_edges"]
    assert isinstance(outputs, Loop) and outputs.rows == []


def test_new_directories_and_existing_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = tmp_path / "new" / "project"
    assert cryoflow(project, "init") == 0
    assert read_words(project / PIPELINE).blocks["pipeline_general"] == {"rlnPipeLineJobCounter": "1"}
    content = (project / PIPELINE).read_bytes()
    assert cryoflow(project, "init") == 2
    assert "exists already: jobs are added to it as they run" in capsys.readouterr().err
    assert (project / PIPELINE).read_bytes() == content
    (project / PIPELINE).unlink()
    (project / "CtfFind/job031").mkdir(parents=True)
    assert cryoflow(project, "init") == 0
    assert "without a record, and so left out: CtfFind/job031" in capsys.readouterr().out
    assert read_words(project / PIPELINE).blocks["pipeline_general"] == {"rlnPipeLineJobCounter": "32"}
