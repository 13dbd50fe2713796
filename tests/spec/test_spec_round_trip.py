"""Whatever spec can be said can be written down and read back."""

import json
from typing import Any

import pytest
from helpers.smallest_specs import SMALLEST
from hypothesis import given
from hypothesis import strategies as st

from cryoflow.errors import SpecError
from cryoflow.spec import SPEC_CLASSES, parse_spec, spec_dump
from cryoflow.spec.field import Declaration

TEXT = st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=20)


def values(known: Declaration) -> st.SearchStrategy[Any]:
    """Values a person might give, right and wrong ones."""
    numbers = st.one_of(
        st.floats(min_value=known.low, max_value=known.high, allow_nan=False, allow_infinity=False),
        st.integers(min_value=int(known.low or -1000), max_value=int(known.high or 1000)),
    )
    choices = st.sampled_from(known.choices) if known.choices else TEXT
    return st.one_of(
        numbers, numbers.map(str), choices, st.sampled_from(["Yes", "No", True, False, "-", None, -1])
    )


@st.composite
def trees(draw: st.DrawFn) -> dict[str, Any]:
    job = draw(st.sampled_from(list(SPEC_CLASSES)))
    tree: dict[str, Any] = {"job": job, **{name: dict(fields) for name, fields in SMALLEST[job].items()}}
    places = [
        (section, name, known)
        for section, model in SPEC_CLASSES[job].sections().items()
        for name, known in model.declarations().items()
    ]
    for section, name, known in draw(st.lists(st.sampled_from(places), max_size=5)):
        label = draw(st.sampled_from([name, known.label, known.relion_label]))
        fields = tree.setdefault(section, {})
        if not any(SPEC_CLASSES[job].sections()[section].resolve(key) == name for key in fields):
            fields[label] = draw(values(known))
    return tree


@given(trees())
def test_dump_and_read_back(tree: dict[str, Any]) -> None:
    try:
        spec = parse_spec(tree)
    except SpecError as error:
        assert all(problem.startswith("spec: ") and "\n" not in problem for problem in error.problems)
        return
    dumped = json.loads(json.dumps(spec_dump(spec), allow_nan=False))
    again = parse_spec(dumped)
    assert again == spec
    assert spec_dump(again) == dumped


@pytest.mark.parametrize("job", list(SPEC_CLASSES))
def test_dump_begins_with_the_job_and_ends_with_compute(job: str) -> None:
    names = list(spec_dump(parse_spec({"job": job, **SMALLEST[job]})))
    assert names[:6] == ["job", "number", "alias", "star_style", "objective", "io"]
    assert names[-1] == "compute"
