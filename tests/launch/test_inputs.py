"""Which fields take files, of which kind, and what a job's name means there."""

from pathlib import Path
from typing import get_args

import pytest
from helpers.smallest_specs import SMALLEST

from cryoflow.launch.chain.steps import read_chain
from cryoflow.launch.inputs import FILE_NAMES, expected_files, input_files, with_files
from cryoflow.spec import SPEC_CLASSES, parse_spec
from cryoflow.spec.base import JobSpec
from cryoflow.spec.field import FileKind

#: Texts in tabs of inputs that are not files.
NOT_FILES = {"symmetry", "angular_sampling_3d", "above", "sort_by"}


def _takes(job: str) -> dict[str, str | None]:
    cls: type[JobSpec] = SPEC_CLASSES[job]
    return {
        field: known.takes
        for name in ("io", "scores", "selection")
        if name in cls.sections()
        for field, known in cls.sections()[name].declarations().items()
        if cls.sections()[name].model_fields[field].annotation in (str, str | None) and field not in NOT_FILES
    }


def test_every_kind_has_file_names() -> None:
    assert set(FILE_NAMES) == set(get_args(FileKind))


@pytest.mark.parametrize("job", SPEC_CLASSES)
def test_every_field_for_a_file_says_which_kind(job: str) -> None:
    takes = _takes(job)
    assert takes and set(takes.values()) <= set(FILE_NAMES)


@pytest.mark.parametrize("job", SPEC_CLASSES)
def test_a_job_means_its_file_of_the_kind(tmp_path: Path, job: str) -> None:
    """Every kind is there, so that a field of another kind would find another file."""
    folder = tmp_path / "Any/job007"
    folder.mkdir(parents=True)
    for patterns in FILE_NAMES.values():
        (folder / patterns[0].replace("*it[0-9][0-9][0-9]", "it003")).touch()
    given = SMALLEST[job]["io"]
    files = [name for name in given if name in _takes(job)]
    spec = parse_spec({"job": job, "io": given | dict.fromkeys(files, "Any/job007")})
    assert files and input_files(spec) == ("Any/job007",)
    meant = with_files(tmp_path, spec).model_dump()["io"]
    expected = {
        "input_micrographs_for_autopick": "micrographs_ctf.star",
        "reference_2d": "class_averages.star",
        "micrograph_star_file": "micrographs_ctf.star",
        "input_coordinates": "coords_suffix_autopick.star",
        "input_particles_to_be_sorted": "particles_sort.star",
        "autopicking_references": "class_averages.star",
        "references_from_model_star": "run_it003_model.star",
        "select_from_particles_star": "particles_sort.star",
        "input_images_star_file": "particles_sort.star",
    }
    assert {name: meant[name] for name in files} == {name: f"Any/job007/{expected[name]}" for name in files}


def test_a_map_is_that_of_a_refinement(tmp_path: Path) -> None:
    (tmp_path / "Refine3D/job020").mkdir(parents=True)
    for name in ("run_class001.mrc", "run_it009_class001.mrc", "particles.star"):
        (tmp_path / "Refine3D/job020" / name).touch()
    io = {"input_micrographs_for_autopick": "m.star", "provide_a_3d_reference": True}
    spec = parse_spec({"job": "AutoPick", "io": {**io, "reference_3d": "Refine3D/job020"}})
    assert input_files(with_files(tmp_path, spec)) == ("m.star", "Refine3D/job020/run_class001.mrc")


def test_a_dry_run_names_the_files_that_the_tutorial_makes(tmp_path: Path) -> None:
    """Of every step that takes files of another: as RELION and cryoflow call them."""
    steps = read_chain(str(Path(__file__).parents[2] / "specs" / "tutorial.yaml"))
    makers = {step.title: step.spec for step in steps}
    named = {step.spec.number: expected_files(with_files(tmp_path, step.spec), makers) for step in steps}
    assert {number: files[-1] if number == 12 else files[0] for number, files in named.items()} == {
        10: "Select/job005/micrographs_selected.star",
        11: "CtfFind/job003/micrographs_ctf.star",
        12: "AutoPick/template_based/coords_suffix_autopick.star",
        13: "Extract/template_based/particles.star",
        14: "Sort/after_autopick/particles_sort.star",
        15: "Select/after_sort/particles.star",
        16: "Class2D/after_sorting/run_it025_model.star",
    }
