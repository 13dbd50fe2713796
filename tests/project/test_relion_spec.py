"""Jobs that RELION has run become specs: by label from run.job, by key from job.star."""

import json
import re
from pathlib import Path

import pytest
from helpers.smallest_specs import SMALLEST

from cryoflow.cli import main
from cryoflow.errors import FileError
from cryoflow.project.relion_job import write_run_job
from cryoflow.project.relion_spec import read_relion_job, relion_spec
from cryoflow.spec import SPEC_CLASSES, load_spec, parse_spec
from cryoflow.spec.relion import relion_job_options

FIELDS = json.loads((Path(__file__).parents[1] / "data/relion_fields.json").read_text())
NUMBERS = {"AutoPick": 4, "Extract": 5, "Sort": 6, "Select": 7, "Class2D": 8}


def job_star(
    folder: Path, label: str, options: dict[str, str], version: int = 50001, kind: str = "Label"
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    rows = "\n".join(f"{key:>10} {value if value else chr(34) * 2} " for key, value in options.items())
    (folder / "job.star").write_text(
        f"\n# version {version}\n\ndata_job\n\n_rlnJobType{kind}             {label}\n"
        "_rlnJobIsContinue       0\n \n"
        f"\n# version {version}\n\ndata_joboptions_values\n\nloop_ \n_rlnJobOptionVariable #1 \n"
        f"_rlnJobOptionValue #2 \n{rows}\n \n"
    )
    return folder


PICK_31 = {
    "angpix": "-1", "angpix_ref": "3.54", "do_amyloid": "No", "do_ctf_autopick": "Yes", "do_log": "No",
    "do_pick_helical_segments": "No", "do_queue": "No", "do_ref3d": "No", "do_write_fom_maps": "Yes",
    "fn_input_autopick": "Select/job005/micrographs_selected.star", "fn_ref3d_autopick": "",
    "fn_refs_autopick": "Select/job009/class_averages.star", "gpu_ids": "", "helical_nr_asu": "1",
    "log_upper_thr": "5", "maxstddevnoise_autopick": "-1", "minavgnoise_autopick": "-999",
    "mindist_autopick": "100", "nr_mpi": "1", "other_args": "", "particle_diameter": "-1",
    "ref3d_sampling": "30__degrees", "shrink": "0", "threshold_autopick": "0.4", "use_gpu": "Yes",
}  # fmt: skip
EXTRACT_5 = {
    "bg_diameter": "200", "coords_suffix": "AutoPick/job006/autopick.star", "do_extract_helix": "No",
    "do_float16": "Yes", "do_fom_threshold": "Yes", "minimum_pick_fom": "-3", "do_rescale": "Yes",
    "extract_size": "256", "fndata_reextract": "", "rescale": "64", "nr_mpi": "24",
    "star_mics": "CtfFind/job003/micrographs_ctf.star", "white_dust": "-1",
}  # fmt: skip
CLASS_5 = {
    "allow_coarser": "No", "do_center": "Yes", "do_em": "No", "do_grad": "Yes", "do_helix": "No",
    "fn_cont": "", "fn_img": "Extract/job007/particles.star", "gpu_ids": "0:1", "helical_rise": "4.75",
    "nr_classes": "50", "nr_iter_em": "25", "nr_iter_grad": "200", "nr_pool": "30", "nr_threads": "8",
    "other_args": "--fast_subsets", "particle_diameter": "200", "tau_fudge": "2", "use_gpu": "Yes",
}  # fmt: skip


@pytest.mark.parametrize("job", list(SPEC_CLASSES))
def test_run_job_of_every_type_comes_back(job: str, tmp_path: Path) -> None:
    """What cryoflow writes for RELION 3.0, which its own programs read, says the same when read back."""
    spec = parse_spec({"job": job, **SMALLEST[job]})
    directory = tmp_path / job / "job010"
    directory.mkdir(parents=True)
    write_run_job(directory, NUMBERS[job], relion_job_options(spec), continuing=False)
    found = relion_spec(directory)
    (tmp_path / "spec.yaml").write_text(found.text)
    again = load_spec(tmp_path / "spec.yaml")
    assert not found.problems and dict(relion_job_options(again)) == dict(relion_job_options(spec))
    assert "no counterpart" not in found.text


@pytest.mark.parametrize("job", list(SPEC_CLASSES))
def test_every_label_and_key_of_relion_has_its_place(job: str, tmp_path: Path) -> None:
    wanted = {field["key"] for field in FIELDS[job] if not field["helical"]}
    directory = job_star(tmp_path / job / "job001", f"relion.{job.lower()}", dict.fromkeys(wanted, "7"))
    text = relion_spec(directory).text
    assert "no counterpart" not in text and len(re.findall(": 7(: .*)?\n| 7: a job takes", text)) == len(
        wanted
    )


def test_job_star_of_relion_31(tmp_path: Path) -> None:
    directory = job_star(tmp_path / "AutoPick/job011", "4", PICK_31, 30001, "")
    found = relion_spec(directory)
    assert found.problems == ()
    (tmp_path / "a.yaml").write_text(found.text)
    spec = load_spec(tmp_path / "a.yaml").model_dump()
    assert spec["io"]["input_micrographs_for_autopick"] == "Select/job005/micrographs_selected.star"
    assert spec["references"]["pixel_size_in_references"] == 3.54
    assert spec["autopicking"]["picking_threshold"] == 0.4
    assert "# log_upper_thr: 5: no counterpart\n" in found.text
    assert "# RELION's Running tab is not part of a spec: do_queue No, nr_mpi 1\n" in found.text
    assert found.text.startswith("# From AutoPick/job011/job.star.\n") and "30 degrees" in found.text


def test_job_star_of_relion_5(tmp_path: Path) -> None:
    found = relion_spec(job_star(tmp_path / "Extract/job007", "relion.extract", EXTRACT_5))
    (tmp_path / "a.yaml").write_text(found.text)
    spec = load_spec(tmp_path / "a.yaml").model_dump()
    assert spec["extract"]["write_float16"] is True and spec["extract"]["particle_box_size"] == 256
    assert spec["io"]["input_coordinates"] == "AutoPick/job006/autopick.star"
    assert spec["picks"]["minimum_autopick_fom"] == -3 and "pick_fom" not in found.text
    off = relion_spec(
        job_star(tmp_path / "Extract/job008", "relion.extract", {**EXTRACT_5, "do_fom_threshold": "No"})
    )
    assert "FOM" not in off.text


def test_vdam_gpus_and_arguments_are_commented(tmp_path: Path) -> None:
    found = relion_spec(job_star(tmp_path / "Class2D/job008", "relion.class2d", CLASS_5))
    (tmp_path / "a.yaml").write_text(found.text)
    spec = load_spec(tmp_path / "a.yaml")
    assert found.problems == () and dict(relion_job_options(spec))["Number of iterations:"] == "25"
    assert (
        "# do_grad: Yes: VDAM is not part of cryoflow; the spec classifies by expectation max" in found.text
    )
    assert "# off or empty, and without a counterpart: allow_coarser, do_em\n" in found.text
    assert "# gpu_ids: 0:1: a job takes one GPU" in found.text
    assert "# other_args: --fast_subsets: no counterpart\n" in found.text


def test_clicked_classes_are_named(tmp_path: Path) -> None:
    directory = job_star(
        tmp_path / "Select/job016",
        "relion.select.interactive",
        {"fn_model": "Class2D/job015/run_it025_model.star"},
    )
    (directory / "backup_selection.star").write_text("data_\nloop_\n_rlnSelected #1\n1\n0\n0\n1\n")
    found = relion_spec(directory)
    (tmp_path / "a.yaml").write_text(found.text)
    assert load_spec(tmp_path / "a.yaml").model_dump()["selection"]["classes"] == [1, 4]
    ranked = {"fn_model": "a_model.star", "do_class_ranker": "Yes", "rank_threshold": "0.35"}
    found = relion_spec(job_star(tmp_path / "Select/job017", "relion.select.class2dauto", ranked))
    (tmp_path / "b.yaml").write_text(found.text)
    assert load_spec(tmp_path / "b.yaml").model_dump()["selection"]["class_score_min"] == 0.35
    assert "# do_class_ranker: Yes: 'Class score min' below stands for it" in found.text


def test_helical_jobs_and_other_types(tmp_path: Path) -> None:
    helical = relion_spec(
        job_star(
            tmp_path / "AutoPick/job001",
            "relion.autopick.ref2d.helical",
            {**PICK_31, "do_pick_helical_segments": "Yes"},
        )
    )
    assert "# do_pick_helical_segments: Yes: helical processing is not part of cryoflow\n" in helical.text
    with pytest.raises(
        FileError, match=r"job.star: is a job of type relion.refine3d; specs are of AutoPick, Extract"
    ):
        relion_spec(job_star(tmp_path / "Refine3D/job002", "relion.refine3d", {}))
    with pytest.raises(
        FileError, match=r"job003: has neither job.star nor run.job: no job that RELION has run$"
    ):
        relion_spec(tmp_path / "AutoPick/job003")


def test_values_that_a_spec_refuses_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job_star(tmp_path / "Extract/job007", "relion.extract", {**EXTRACT_5, "extract_size": "255"})
    project = ["--project", str(tmp_path)]
    assert main(["spec", "Extract/job007", str(tmp_path / "e.yaml"), *project]) == 2
    err = capsys.readouterr().err
    assert err.startswith("to be changed: job007: extract > Particle box size (pix): ") and "even" in err
    assert "Particle box size (pix): 255\n" in (tmp_path / "e.yaml").read_text()
    assert main(["spec", "Extract/job007", str(tmp_path / "e.yaml"), *project]) == 2
    assert "e.yaml: exists already and is not overwritten; give another file" in capsys.readouterr().err


def test_the_command_prints_and_names_what_there_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job_star(tmp_path / "Extract/job007", "relion.extract", EXTRACT_5)
    assert main(["spec", "Extract/job007", "--project", str(tmp_path)]) == 0
    assert capsys.readouterr().out == relion_spec(tmp_path / "Extract/job007").text
    assert main(["spec", "tutorail", "--project", str(tmp_path)]) == 2
    assert "tutorail: no such job directory" in (err := capsys.readouterr().err)
    assert "shipped specs: recommended, tutorial, launcher" in err
    assert read_relion_job(tmp_path / "Extract/job007").job == "Extract"
