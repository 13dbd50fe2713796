"""Messages that answer what to do next, where no other test pins them."""

from pathlib import Path

import pytest

from cryoflow.errors import CryoflowError, SpecError
from cryoflow.launch.chain.steps import Step, find_step
from cryoflow.project.report import JobReporter
from cryoflow.spec import parse_spec


def step(job: str, number: int | None, alias: str) -> Step:
    io = {
        "Select": {"select_from_particles_star": "a.star"},
        "Sort": {"input_particles_to_be_sorted": "a.star", "references_from_model_star": "b.star"},
    }[job]
    return Step(f"{alias}.yaml", parse_spec({"job": job, "number": number, "alias": alias, "io": io}))


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("17", r"no step '17' in this chain; its steps are 13 to 15$"),
        ("sort", r"no step 'sort' in this chain; its steps are Sort/a, Select/b, Select/c$"),
        ("Select", r"'Select' names 2 steps in this chain; give one of Select/b, Select/c$"),
    ],
)
def test_words_that_name_no_step(word: str, message: str) -> None:
    steps = [step("Sort", 13, "a"), step("Select", 14, "b"), step("Select", 15, "c")]
    with pytest.raises(CryoflowError, match=message):
        find_step(steps, word)


def test_a_step_without_a_number_is_named() -> None:
    steps = [step("Sort", None, "a"), step("Select", 14, "b")]
    with pytest.raises(CryoflowError, match=r"no step '13' .*; steps without a number are Sort/a$"):
        find_step(steps, "13")


def test_fields_that_exclude_each_other_say_which_to_remove() -> None:
    spec = {
        "job": "AutoPick",
        "io": {"input_micrographs_for_autopick": "a.star", "reference_2d": "b.star"},
        "autopicking": {"figure_of_merit": "ncc", "template_error": 0.1},
    }
    with pytest.raises(SpecError, match="cannot be used with figure_of_merit=ncc; remove one of them"):
        parse_spec(spec)


def test_a_stopped_job_knows_how_far_it_has_come(tmp_path: Path) -> None:
    with JobReporter(tmp_path, quiet=True) as report:
        assert report.reached == ""
        seen = []
        for item in report.progress(range(6), "iterations"):
            seen.append(report.reached)
            if item == 2:
                break
        assert seen == ["", "1 of 6 iterations", "2 of 6 iterations"]
        list(report.progress(range(3), "micrographs"))
        assert report.reached == ""
