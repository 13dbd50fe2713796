"""How values are spelt: Yes/No, numbers, off, none."""

import math
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from cryoflow.errors import SpecError
from cryoflow.spec import AutoPick, Class2D, Extract, Select, parse_spec
from cryoflow.spec.names import fold, spellings, suggestion

IO = {"input_micrographs_for_autopick": "m.star", "reference_2d": "r.star"}


def pick(**sections: Any) -> AutoPick:
    spec = parse_spec({"job": "AutoPick", "io": IO, **sections})
    assert isinstance(spec, AutoPick)
    return spec


def problem_of(mapping: dict[str, Any]) -> str:
    with pytest.raises(SpecError) as caught:
        parse_spec(mapping)
    assert len(caught.value.problems) == 1
    return caught.value.problems[0]


def pick_problem(**sections: Any) -> str:
    return problem_of({"job": "AutoPick", "io": IO, **sections})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("Yes", True),
        ("no", False),
        ("true", True),
        ("FALSE", False),
        (True, True),
        (False, False),
        ("on", True),
    ],
)
def test_flags(given: object, expected: bool) -> None:
    assert pick(autopicking={"write_fom_maps": given}).autopicking.write_fom_maps is expected


@pytest.mark.parametrize("given", ["Nope", "1", 1, 0, 1.0, "y", [], "ja"])
def test_what_is_no_flag(given: object) -> None:
    shown = f"'{given}'" if isinstance(given, str) else str(given)
    assert (
        pick_problem(autopicking={"Write FOM maps?": given})
        == f"spec: autopicking > Write FOM maps?: {shown} is neither Yes nor No"
    )


@pytest.mark.parametrize("given", ["3.54", 3.54, " 3.54 ", "+3.54", "354e-2"])
def test_numbers(given: object) -> None:
    size = pick(references={"Pixel size in references (A)": given}).references.pixel_size_in_references
    assert size == 3.54
    assert isinstance(size, float)


@pytest.mark.parametrize("given", ["nan", math.nan, "inf", -math.inf, "1e999", ".inf", 10**400])
def test_numbers_are_finite(given: object) -> None:
    assert pick_problem(autopicking={"picking_threshold": given}).endswith("is not a finite number")


@pytest.mark.parametrize("given", ["near", "1_000", "0x10", "1,5", True, [1], {"a": 1}, "1 2"])
def test_what_is_no_number(given: object) -> None:
    assert pick_problem(autopicking={"picking_threshold": given}).endswith("is not a number")


def test_whole_numbers() -> None:
    def box(given: object) -> int:
        spec = parse_spec(
            {
                "job": "Extract",
                "io": {"micrograph_star_file": "m", "input_coordinates": "c"},
                "extract": {"particle_box_size": given},
            }
        )
        assert isinstance(spec, Extract)
        return spec.extract.particle_box_size

    assert [box(value) for value in ("256", 256.0, "256.0", "0256")] == [256] * 4
    with pytest.raises(SpecError, match=r"^spec: extract > particle_box_size: 64.5 is not a whole number$"):
        box(64.5)
    with pytest.raises(SpecError, match="129 is out of range; allowed: >= 2, even"):
        box(129)
    io = {"micrograph_star_file": "m", "input_coordinates": "c"}
    with pytest.raises(SpecError, match="is out of range; allowed: 2 to 4096, even"):
        parse_spec({"job": "Extract", "io": io, "extract": {"re_scaled_size": 10**6}})
    assert pick(compute={"seed": str(2**53)}).compute.seed == 2**53
    assert pick_problem(compute={"seed": "1e18"}) == "spec: compute > seed: 1e+18 is too large"


OFF = [
    ("references", "highpass_filter", -1),
    ("references", "highpass_filter", "-1"),
    ("references", "highpass_filter", 0),
    ("references", "lowpass_filter_references", -5),
    ("references", "mask_diameter", "-"),
    ("references", "pixel_size_in_references", ""),
    ("references", "pixel_size_in_references", None),
    ("io", "pixel_size_in_micrographs", "null"),
    ("autopicking", "maximum_stddev_noise", -1),
    ("autopicking", "maximum_stddev_noise", "~"),
    ("autopicking", "minimum_avg_noise", -999),
    ("autopicking", "minimum_avg_noise", "-900"),
    ("laplacian", "maximum_resolution_to_consider", -1),
]


@pytest.mark.parametrize(("section", "name", "given"), OFF)
def test_off_is_none(section: str, name: str, given: object) -> None:
    fields = {name: given} if section != "io" else IO | {name: given}
    assert getattr(getattr(pick(**{section: fields}), section), name) is None


def test_negative_noise_is_a_value() -> None:
    assert pick(autopicking={"minimum_avg_noise": -0.5}).autopicking.minimum_avg_noise == -0.5


def test_a_background_circle_of_zero_is_no_off() -> None:
    mapping = {
        "job": "Extract",
        "io": {"micrograph_star_file": "m", "input_coordinates": "c"},
        "extract": {"Diameter background circle (pix)": 0},
    }
    assert problem_of(mapping) == (
        "spec: extract > Diameter background circle (pix): 0 is out of range; allowed: > 0 (or -1 for off)"
    )


def test_none_is_no_value_of_a_needed_field() -> None:
    assert pick_problem(autopicking={"picking_threshold": "-"}) == (
        "spec: autopicking > picking_threshold: needs a value; remove the line for the default (0.05)"
    )
    assert problem_of({"job": "Extract", "io": {"micrograph_star_file": "-", "input_coordinates": "c"}}) == (
        "spec: I/O > micrograph STAR file: needs a value".replace(
            "I/O > micrograph STAR file", "io > micrograph_star_file"
        )
    )


def test_choices() -> None:
    for given in ("7.5 degrees", "7.5", 7.5):
        assert pick(io=IO | {"3D angular sampling:": given}).io.angular_sampling_3d == "7.5 degrees"
    assert "'20' is not one of: 30 degrees, 15 degrees" in pick_problem(io=IO | {"angular_sampling_3d": 20})
    assert pick(star_style=3.1).star_style == "3.1"
    assert pick_problem(star_style="2.0") == "spec: star_style: '2.0' is not one of: input, 3.0, 3.1"
    assert pick_problem(compute={"precision": "half"}) == (
        "spec: compute > precision: 'half' is not one of: single, double"
    )


@pytest.mark.parametrize(
    "group", ["C1", "c4", "D2", "T", "O", "I", "I1", "i3", "D7", "Td", "IH", "S6", "C2v"]
)
def test_point_groups(group: str) -> None:
    assert pick(io=IO | {"Symmetry": group}).io.symmetry == group.upper()


@pytest.mark.parametrize("group", ["C0", "D", "X2", "4", "I9", "S5", "C1 D2"])
def test_what_is_no_point_group(group: str) -> None:
    assert f"'{group}' is not a point group; give one such as" in pick_problem(io=IO | {"symmetry": group})


def test_devices() -> None:
    for device in ("auto", "cpu", "cuda", "cuda:3"):
        assert pick(compute={"device": device}).compute.device == device
    for device in ("gpu", "cuda:", "cuda:x", "cpu:0"):
        assert f"'{device}' is not a device" in pick_problem(compute={"device": device})


@pytest.mark.parametrize("alias", ["a b", "a/b", "job012", ".a", "-x", "a\nb"])
def test_aliases_that_cannot_name_a_directory(alias: str) -> None:
    assert pick_problem(alias=alias).startswith("spec: alias: ")


def test_aliases_and_numbers() -> None:
    assert pick(alias="template_based", number="10").number == 10
    assert pick(alias="-").alias is None
    assert pick_problem(number=0) == "spec: number: 0 is out of range; allowed: 1 to 999999"


@pytest.mark.parametrize(
    "typed",
    [
        "Picking threshold",
        "picking threshold:",
        "PICKING_THRESHOLD",
        "picking_threshold",
        "Picking-threshold",
    ],
)
def test_spellings_of_a_field(typed: str) -> None:
    assert pick(Autopicking={typed: 0.6}).autopicking.picking_threshold == 0.6


@pytest.mark.parametrize("typed", ["2D reference", "2D references:", "2d reference", "reference_2d"])
def test_label_of_the_tutorial_and_of_relion(typed: str) -> None:
    io = {"Input micrographs for autopick:": "m.star", typed: "r.star"}
    spec = parse_spec({"job": "AutoPick", "I/O": io})
    assert isinstance(spec, AutoPick)
    assert spec.io.reference_2d == "r.star"


@pytest.mark.parametrize("typed", ["Mask diameter (A)", "Mask diameter", "mask diameter (Å):"])
def test_units_may_be_left_out(typed: str) -> None:
    assert pick(References={typed: 200}).references.mask_diameter == 200


def test_another_unit_is_another_field() -> None:
    assert pick_problem(References={"Mask diameter (pix)": 200}) == (
        "spec: References > Mask diameter (pix): unknown field; did you mean 'Mask diameter (A)'?"
    )


def test_sections_by_heading_in_any_case() -> None:
    spec = parse_spec(
        {
            "job": "Class2D",
            "i/o": {"Input images STAR file": "p.star"},
            "ctf": None,
            "OPTIMISATION": {"Number of classes": "100"},
            "Sampling": "",
        }
    )
    assert isinstance(spec, Class2D)
    assert spec.optimization.number_of_classes == 100


def test_specs_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        pick().autopicking.picking_threshold = 1.0  # type: ignore[misc]


def test_selection_values() -> None:
    def selection(**given: Any) -> Any:
        mapping = {"job": "Select", "io": {"Select classes from model.star": "m.star"}, "selection": given}
        spec = parse_spec(mapping)
        assert isinstance(spec, Select)
        return spec.selection

    assert selection(classes=["1", 4]).classes == [1, 4]
    assert selection(classes="7").classes == [7]
    assert selection(classes="-").classes is None
    top = selection(classes={"top": "5"}).classes
    assert (top.top, top.by, top.ascending) == (5, "rlnClassDistribution", False)
    columns = selection(columns={"_rlnX": {"min": "0.5"}, "rlnY": {"min": -1, "max": 2}}).columns
    assert [(name, bounds.min, bounds.max) for name, bounds in columns.items()] == [
        ("rlnX", 0.5, None),
        ("rlnY", -1, 2),
    ]
    rows = selection(top={"n": 50, "by": "rlnAutopickFigureOfMerit"}).top
    assert (rows.n, rows.by, rows.ascending) == (50, "rlnAutopickFigureOfMerit", False)
    assert selection().ascending is True
    assert selection().sort_by == "rlnParticleSelectZScore"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (
            {"classes": [0]},
            "classes: give class numbers from 1, e.g. [1, 4, 7], or {top: 10, by: rlnClassDistribution}",
        ),
        (
            {"classes": []},
            "classes: give class numbers from 1, e.g. [1, 4, 7], or {top: 10, by: rlnClassDistribution}",
        ),
        ({"classes": [1, "1"]}, "classes: a class number is given twice"),
        ({"classes": "all"}, "classes: 'all' is not a number"),
        ({"classes": {"top": 0}}, "classes > top: 0 is out of range; allowed: >= 1"),
        ({"classes": {"by": "rlnX"}}, "classes > top: is missing; this field is required"),
        ({"columns": {"rlnX": {}}}, "columns > rlnX: give min, or max, or both"),
        ({"columns": {"rlnX": {"min": 2, "max": 1}}}, "columns > rlnX: min (2) exceeds max (1)"),
        (
            {"columns": {"rlnX": {"min_quantile": 0.5, "max_quantile": 0.1}}},
            "columns > rlnX: min_quantile (0.5) exceeds max_quantile (0.1)",
        ),
        (
            {"columns": {"rlnX": {"min_quantile": 20}}},
            "columns > rlnX > min_quantile: 20 is out of range; allowed: 0 to 1",
        ),
        ({"class_score_min": 1.5}, "class_score_min: 1.5 is out of range; allowed: 0 to 1"),
        ({"columns": {"rlnX": 3}}, "columns > rlnX: expected fields below this heading, got '3'"),
        ({"columns": "rlnX"}, "columns: expected fields below this heading, got 'rlnX'"),
        (
            {"top": 5},
            "top: for classes: selection.classes.top=5; for particles: selection.top.n=5",
        ),
        ({"top": {"n": 3}}, "top > by: is missing; this field is required"),
        ({"top": {"n": 3, "by": "a", "of": 1}}, "top > of: unknown field"),
    ],
)
def test_selection_problems(given: dict[str, Any], problem: str) -> None:
    mapping = {"job": "Select", "io": {"Select classes from model.star": "m.star"}, "selection": given}
    assert problem_of(mapping) == f"spec: selection > {problem}"


@hypothesis.given(st.text(max_size=40))
@hypothesis.example("OR:0")
@hypothesis.example("_or OR: 0")
def test_folding_is_stable(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    assert fold(text) in spellings(text)


def test_suggestions() -> None:
    assert suggestion("Picking treshold", ["Picking threshold", "Shrink factor"]) == (
        "; did you mean 'Picking threshold'?"
    )
    assert suggestion("xyz", ["Picking threshold"]) == ""
