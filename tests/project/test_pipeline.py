"""RELION's pipeline file, in its versions."""

from pathlib import Path

import pytest

from cryoflow.errors import CryoflowError, FileError
from cryoflow.project.pipeline import JobEntry, job_counter, register_job
from cryoflow.project.pipeline_nodes import Node, ProcessType, guess_node
from cryoflow.project.pipeline_text import Loop, read_words

V30 = """
data_pipeline_general

_rlnPipeLineJobCounter                      10


data_pipeline_processes

loop_
_rlnPipeLineProcessName #1
_rlnPipeLineProcessAlias #2
_rlnPipeLineProcessType #3
_rlnPipeLineProcessStatus #4
CtfFind/job003/ CtfFind/ctffind/            2            2
Select/job009/ Select/templates4autopick/            7            2


data_pipeline_nodes

loop_
_rlnPipeLineNodeName #1
_rlnPipeLineNodeType #2
CtfFind/job003/micrographs_ctf.star            1


data_pipeline_output_edges

loop_
_rlnPipeLineEdgeProcess #1
_rlnPipeLineEdgeToNode #2
CtfFind/job003/ CtfFind/job003/micrographs_ctf.star

"""

V50 = """
# version 50001

data_pipeline_general

_rlnPipeLineJobCounter                       4


# version 50001

data_pipeline_processes

loop_
_rlnPipeLineProcessName #1
_rlnPipeLineProcessAlias #2
_rlnPipeLineProcessTypeLabel #3
_rlnPipeLineProcessStatusLabel #4
CtfFind/job003/       None relion.ctffind.ctffind4  Succeeded


# version 50001

data_pipeline_nodes

loop_
_rlnPipeLineNodeName #1
_rlnPipeLineNodeTypeLabel #2
_rlnPipeLineNodeTypeLabelDepth #3
CtfFind/job003/micrographs_ctf.star MicrographGroupMetadata.star.relion.ctf 1

"""


def _entry(state: str, *outputs: Node, job: str = "AutoPick", name: str = "AutoPick/job011") -> JobEntry:
    inputs = (
        guess_node("CtfFind/job003/micrographs_ctf.star"),
        guess_node("Select/job009/class_averages.star"),
    )
    return JobEntry(PROCESSES[job], name, "template_based", state, inputs, outputs)


def _project(root: Path, text: str, name: str = "AutoPick/job011") -> Path:
    (root / "default_pipeline.star").write_text(text)
    (root / name).mkdir(parents=True)
    return root / "default_pipeline.star"


def _rows(path: Path, block: str) -> list[list[str]]:
    loop = read_words(path).blocks[block]
    assert isinstance(loop, Loop)
    return loop.rows


#: As RELION's own pipelines have them.
PROCESSES = {
    "AutoPick": ProcessType(4, "relion.autopick"),
    "Sort": ProcessType(6, "relion.external"),
    "Class2D": ProcessType(8, "relion.class2d"),
}
PICKS = Node("AutoPick/job011/autopick.star", "MicrographCoordsGroup.star.relion.autopick")


def test_register_in_relion_30(tmp_path: Path) -> None:
    path = _project(tmp_path, V30)
    register_job(tmp_path, _entry("Running"))
    assert job_counter(tmp_path) == 12
    assert _rows(path, "pipeline_processes")[-1] == ["AutoPick/job011/", "AutoPick/template_based/", "4", "0"]
    register_job(tmp_path, _entry("Succeeded", PICKS))
    assert _rows(path, "pipeline_processes") == [
        ["CtfFind/job003/", "CtfFind/ctffind/", "2", "2"],
        ["Select/job009/", "Select/templates4autopick/", "7", "2"],
        ["AutoPick/job011/", "AutoPick/template_based/", "4", "2"],
    ]
    assert _rows(path, "pipeline_nodes") == [
        ["CtfFind/job003/micrographs_ctf.star", "1"],
        ["Select/job009/class_averages.star", "5"],
        ["AutoPick/job011/coords_suffix_autopick.star", "2"],
    ]
    assert _rows(path, "pipeline_input_edges") == [
        ["CtfFind/job003/micrographs_ctf.star", "AutoPick/job011/"],
        ["Select/job009/class_averages.star", "AutoPick/job011/"],
    ]
    assert _rows(path, "pipeline_output_edges") == [
        ["CtfFind/job003/", "CtfFind/job003/micrographs_ctf.star"],
        ["AutoPick/job011/", "AutoPick/job011/coords_suffix_autopick.star"],
    ]
    assert (tmp_path / ".pipeline_has_changed").exists()
    assert not (tmp_path / ".relion_lock").exists()
    assert (tmp_path / "AutoPick/job011/default_pipeline.star").read_text() == path.read_text()
    own = tmp_path / "AutoPick/job011/job_pipeline.star"
    assert _rows(own, "pipeline_processes") == _rows(path, "pipeline_processes")[-1:]


def test_names_that_are_not_utf_8_come_back_as_they_were(tmp_path: Path) -> None:
    path, name = tmp_path / "default_pipeline.star", b"CtfFind/caf\xe9/"
    path.write_bytes(V30.encode().replace(b"CtfFind/ctffind/", name))
    assert job_counter(tmp_path) == 10
    (tmp_path / "Sort" / "job013").mkdir(parents=True)
    register_job(tmp_path, JobEntry(PROCESSES["Sort"], "Sort/job013", None, "Running"))
    assert name in path.read_bytes() and job_counter(tmp_path) == 14


def test_register_in_relion_50(tmp_path: Path) -> None:
    path = _project(tmp_path, V50, "Class2D/job015")
    data = Node("Class2D/job015/run_it025_data.star", "ParticleGroupMetadata.star.relion.class2d")
    model = Node("Class2D/job015/run_it025_model.star", "ModelData.star.relion.class2d")
    register_job(tmp_path, _entry("Failed", data, model, job="Class2D", name="Class2D/job015"))
    assert path.read_text().count("# version 50001") == len(read_words(path).blocks) == 5
    assert _rows(path, "pipeline_processes")[-1] == [
        "Class2D/job015/",
        "Class2D/template_based/",
        "relion.class2d",
        "Failed",
    ]
    assert _rows(path, "pipeline_nodes")[2:] == [
        [data.name, data.label, "1"],
        ["Class2D/job015/run_it025_optimiser.star", "OptimiserData.star.relion.class2d", "1"],
    ]
    assert job_counter(tmp_path) == 16


def test_failed_jobs_stay_running_in_relion_30(tmp_path: Path) -> None:
    path = _project(tmp_path, V30)
    register_job(tmp_path, _entry("Failed"))
    assert _rows(path, "pipeline_processes")[-1][-1] == "0"


def test_project_without_pipeline_stays_without(tmp_path: Path) -> None:
    register_job(tmp_path, _entry("Succeeded", PICKS))
    assert list(tmp_path.iterdir()) == []
    assert job_counter(tmp_path) == 0


def test_lock_is_waited_for_and_respected(tmp_path: Path) -> None:
    path = _project(tmp_path, V30)
    (tmp_path / ".relion_lock").mkdir()
    with pytest.raises(CryoflowError, match=r"\.relion_lock: locked for 0 s, so AutoPick/job011 is not in"):
        register_job(tmp_path, _entry("Running"), wait=0.1)
    assert path.read_text() == V30
    assert (tmp_path / ".relion_lock").is_dir()


@pytest.mark.parametrize("bad", ['"CtfFind/job003/ x" None 2 2', "CtfFind/job003/ None 2"])
def test_file_not_understood_is_left_alone(tmp_path: Path, bad: str) -> None:
    text = V30.replace("CtfFind/job003/ CtfFind/ctffind/            2            2", bad)
    path = _project(tmp_path, text)
    with pytest.raises(FileError, match=r"default_pipeline.star:14: "):
        register_job(tmp_path, _entry("Running"))
    assert path.read_text() == text
    assert not (tmp_path / ".relion_lock").exists()


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("AutoPick/job011/coords_suffix_autopick.star", "MicrographCoordsGroup.star.relion"),
        ("ManualPick/job004/manualpick.star", "MicrographCoordsGroup.star.relion"),
        ("Select/job005/micrographs_selected.star", "MicrographGroupMetadata.star.relion"),
        ("Extract/job012/particles.star", "ParticleGroupMetadata.star.relion"),
        ("Class2D/job015/run_it025_optimiser.star", "OptimiserData.star.relion"),
        ("Class2D/job015/run_it025_model.star", "ModelData.star.relion"),
        ("Select/job009/class_averages.mrcs", "Image2DGroupMetadata.star.relion"),
        ("ref3d.mrc", "DensityMap.mrc"),
    ],
)
def test_kinds_are_told_from_names(name: str, label: str) -> None:
    assert guess_node(name) == Node(name, label)
