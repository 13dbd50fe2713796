"""Rules between fields: each broken rule is one line beside the field to change."""

from typing import Any

import pytest
from helpers.smallest_specs import SMALLEST

from cryoflow.errors import SpecError
from cryoflow.spec import SPEC_CLASSES, parse_spec

RULES: list[tuple[str, dict[str, Any], str]] = [
    (
        "AutoPick",
        {"io.reference_2d": "-"},
        "io > reference_2d: nothing to search for; give a 2D or a 3D reference,",
    ),
    (
        "AutoPick",
        {"io.use_laplacian_of_gaussian": "Yes"},
        "io > reference_2d: give only one of: 2D reference,",
    ),
    (
        "AutoPick",
        {"io.provide_a_3d_reference": True, "io.reference_3d": "a.mrc"},
        "io > reference_2d: give only one of",
    ),
    (
        "AutoPick",
        {"io.reference_2d": None, "io.provide_a_3d_reference": True},
        "io > 3D reference: a 3D reference is requested, but no map is given; name one",
    ),
    ("AutoPick", {"io.reference_3d": "a.mrc"}, "io > reference_3d: this map would be ignored; set 'OR:"),
    (
        "AutoPick",
        {"laplacian.min_diameter_for_log_filter": 300},
        "laplacian > min_diameter_for_log_filter: the smallest diameter (300 A) exceeds the largest (250 A)",
    ),
    (
        "AutoPick",
        {"references.highpass_filter": 20},
        "references > highpass_filter: would remove everything that the low-pass filter keeps; give more",
    ),
    (
        "AutoPick",
        {"references.lowpass_filter_references": 3, "io.pixel_size_in_micrographs": 1.77},
        "references > lowpass_filter_references: 3 A is beyond Nyquist for pixels of 1.77 A; "
        "give at least 3.54 A",
    ),
    (
        "AutoPick",
        {"autopicking.write_fom_maps": True, "autopicking.read_fom_maps": True},
        "autopicking > read_fom_maps: FOM maps are either written or read; set one of the two to No",
    ),
    (
        "AutoPick",
        {"references.ignore_ctfs_until_first_peak": True, "references.are_references_ctf_corrected": False},
        "references > ignore_ctfs_until_first_peak: has no effect if the references are not CTF corrected",
    ),
    (
        "AutoPick",
        {"autopicking.use_gpu_acceleration": True, "compute.device": "cpu"},
        "autopicking > use_gpu_acceleration: contradicts device 'cpu' of the compute section; set that",
    ),
    (
        "AutoPick",
        {"autopicking.which_gpus_to_use": 1},
        "autopicking > which_gpus_to_use: would be ignored; set 'Use GPU acceleration?' to Yes",
    ),
    (
        "AutoPick",
        {
            "autopicking.use_gpu_acceleration": True,
            "autopicking.which_gpus_to_use": "0:1",
            "compute.device": "cuda",
        },
        "autopicking > which_gpus_to_use: '0:1' is not one GPU; cryoflow uses one GPU per job",
    ),
    (
        "AutoPick",
        {
            "autopicking.use_gpu_acceleration": True,
            "autopicking.which_gpus_to_use": "1",
            "compute.device": "cuda:0",
        },
        "autopicking > which_gpus_to_use: contradicts device 'cuda:0' of the compute section; set that to",
    ),
    (
        "Extract",
        {"io.input_coordinates": ""},
        "io > input_coordinates: no positions; give the coordinates of a picking job, or re-extract",
    ),
    (
        "Extract",
        {"io.input_coordinates": "", "io.re_extract_refined_particles": "Yes"},
        "io > Refined particles STAR file: re-extraction needs the refined particles' STAR file; name it",
    ),
    (
        "Extract",
        {"io.re_extract_refined_particles": "Yes", "io.refined_particles_star_file": "d.star"},
        "io > input_coordinates: would be ignored when particles are re-extracted; remove it (-)",
    ),
    (
        "Extract",
        {"io.refined_particles_star_file": "d.star"},
        "io > refined_particles_star_file: would be ignored; set 'OR re-extract refined particles?' to Yes",
    ),
    (
        "Extract",
        {"io.re_center_refined_coordinates": True},
        "io > re_center_refined_coordinates: affects refined particles only; set 'OR re-extract",
    ),
    (
        "Extract",
        {
            "io.input_coordinates": None,
            "io.re_extract_refined_particles": True,
            "io.refined_particles_star_file": "d.star",
            "io.re_center_refined_coordinates": True,
            "io.reset_the_refined_offsets_to_zero": True,
        },
        "io > re_center_refined_coordinates: offsets are either reset or used for re-centering; choose one",
    ),
    (
        "Extract",
        {"extract.diameter_background_circle": 130},
        "extract > diameter_background_circle: a circle of 130 pix does not fit into a box of 128 pix",
    ),
    (
        "Sort",
        {"io.autopicking_references": "-"},
        "io > autopicking_references: no references; give a model.star",
    ),
    (
        "Sort",
        {"io.references_from_model_star": "m.star"},
        "io > references_from_model_star: give either a model.star or the references used",
    ),
    (
        "Sort",
        {"reference.ignore_ctfs_until_first_peak": True, "reference.are_references_ctf_corrected": False},
        "reference > ignore_ctfs_until_first_peak: has no effect if the references are not CTF corrected",
    ),
    (
        "Select",
        {"io.select_from_particles_star": "-"},
        "io > Select classes from model.star: nothing to select from; give",
    ),
    (
        "Select",
        {"io.select_from_micrographs_star": "m.star"},
        "io > select_from_particles_star: give only one input to select from, and - for the others",
    ),
    (
        "Select",
        {"class_options.regroup_the_particles": True},
        "class_options > regroup_the_particles: regrouping needs a model.star as input",
    ),
    (
        "Select",
        {"selection.classes": [1]},
        "selection > classes: selecting classes needs a model.star as input",
    ),
    (
        "Select",
        {"subsets.split_into_subsets": True, "duplicates.remove_duplicates": True},
        "duplicates > remove_duplicates: a job does only one of: metadata values, image statistics, subsets,",
    ),
    (
        "Select",
        {
            "io.select_from_particles_star": None,
            "io.select_from_micrographs_star": "m.star",
            "duplicates.remove_duplicates": True,
        },
        "duplicates > remove_duplicates: duplicates can only be removed from a particles.star",
    ),
    (
        "Select",
        {
            "io.select_from_particles_star": None,
            "io.select_classes_from_model_star": "m.star",
            "subsets.select_on_image_statistics": True,
        },
        "subsets > select_on_image_statistics: only works on a micrographs.star or a particles.star",
    ),
    (
        "Select",
        {"subsets.minimum_metadata_value": 2, "subsets.maximum_metadata_value": "1"},
        "subsets > minimum_metadata_value: the minimum (2) exceeds the maximum (1)",
    ),
    (
        "Select",
        {"subsets.split_into_subsets": True, "subsets.subset_size": -1},
        "subsets > subset_size: splitting needs a subset size or a number of subsets",
    ),
    (
        "Select",
        {"selection.invert": True},
        "selection > invert: has no effect without a condition to invert",
    ),
    (
        "Select",
        {"subsets.randomise_order_before_making_subsets": True},
        "subsets > randomise_order_before_making_subsets: has no effect unless the rows are split",
    ),
    (
        "Class2D",
        {"io.input_images_star_file": "-"},
        "io > input_images_star_file: no particles; give their STAR",
    ),
    (
        "Class2D",
        {"io.continue_from_here": "run_model.star"},
        "io > continue_from_here: 'run_model.star' is not the optimiser file of an iteration; give",
    ),
    (
        "Class2D",
        {"io.continue_from_here": "Class2D/job015/run_it025_optimiser.star"},
        "io > continue_from_here: iteration 25 is already done; give a larger total number of iterations",
    ),
    (
        "Class2D",
        {"ctf.have_data_been_phase_flipped": True, "ctf.do_ctf_correction": False},
        "ctf > have_data_been_phase_flipped: has no effect without CTF correction; set it to No",
    ),
    (
        "Class2D",
        {"sampling.fine_search": "exhaustive", "sampling.perform_image_alignment": False},
        "sampling > fine_search: has no effect without alignment; set it to adaptive",
    ),
    (
        "Class2D",
        {"compute.use_gpu_acceleration": True, "compute.device": "cpu"},
        "compute > use_gpu_acceleration: contradicts device 'cpu' of the compute section; set that to auto",
    ),
    (
        "Class2D",
        {"compute.number_of_pooled_particles": 30},
        "compute > number_of_pooled_particles: 30 is not supported: cryoflow chooses its batch size",
    ),
    (
        "Class2D",
        {"compute.use_parallel_disc_io": "No"},
        "compute > use_parallel_disc_io: No is not supported: every thread of cryoflow reads its own",
    ),
    (
        "Class2D",
        {"compute.copy_particles_to_scratch_directory": "/ssd"},
        "compute > copy_particles_to_scratch_directory: /ssd is not supported: cryoflow reads",
    ),
]


def changed(job: str, changes: dict[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {"job": job, **{name: dict(fields) for name, fields in SMALLEST[job].items()}}
    for dotted, value in changes.items():
        section, name = dotted.split(".")
        tree.setdefault(section, {})[name] = value
    return tree


@pytest.mark.parametrize(("job", "changes", "problem"), RULES, ids=lambda value: str(value)[:40])
def test_broken_rule(job: str, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(changed(job, changes))
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith(f"spec: {problem}")


KEPT: list[tuple[str, dict[str, Any]]] = [
    ("AutoPick", {"io.reference_2d": "-", "io.provide_a_3d_reference": True, "io.reference_3d": "a.mrc"}),
    ("AutoPick", {"io.reference_2d": "-", "io.use_laplacian_of_gaussian": True}),
    ("AutoPick", {"autopicking.use_gpu_acceleration": True, "compute.device": "cuda"}),
    ("AutoPick", {"autopicking.use_gpu_acceleration": True, "autopicking.which_gpus_to_use": 1}),
    (
        "AutoPick",
        {
            "autopicking.use_gpu_acceleration": True,
            "autopicking.which_gpus_to_use": 0,
            "compute.device": "cuda:0",
        },
    ),
    ("Extract", {"extract.diameter_background_circle": 128}),
    (
        "Extract",
        {
            "io.input_coordinates": None,
            "io.re_extract_refined_particles": True,
            "io.refined_particles_star_file": "d.star",
            "io.re_center_refined_coordinates": True,
        },
    ),
    ("Sort", {"io.references_from_model_star": "m.star", "io.autopicking_references": "-"}),
    (
        "Select",
        {"subsets.split_into_subsets": True, "subsets.number_of_subsets": 3, "subsets.subset_size": -1},
    ),
    ("Select", {"duplicates.remove_duplicates": True}),
    ("Class2D", {"io.input_images_star_file": "-", "io.continue_from_here": "a/run_it010_optimiser.star"}),
    ("Class2D", {"compute.number_of_pooled_particles": 3, "compute.use_parallel_disc_io": "Yes"}),
]


@pytest.mark.parametrize(("job", "changes"), KEPT, ids=lambda value: str(value)[:40])
def test_rules_kept(job: str, changes: dict[str, Any]) -> None:
    assert isinstance(parse_spec(changed(job, changes)), SPEC_CLASSES[job])


def test_models_know_the_rules_without_the_reader() -> None:
    with pytest.raises(ValueError, match=r"io.input_coordinates: no positions"):
        SPEC_CLASSES["Extract"].model_validate({"io": {"micrograph_star_file": "m.star"}})
