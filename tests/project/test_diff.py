"""Which fields of two specs change what is computed."""

from typing import Any

import pytest

from cryoflow.project.diff import same_work, work_key


def spec(**compute: Any) -> dict[str, Any]:
    return {"job": "Class2D", "io": {"input_images_star_file": "a.star"}, "compute": compute}


@pytest.mark.parametrize("field", ["device", "threads", "seed", "precision"])
def test_device_and_threads_are_no_part_of_the_work(field: str) -> None:
    value = {"device": "cpu", "threads": 3, "seed": 7, "precision": "double"}[field]
    differs = [f"compute.{field}"] if field in ("seed", "precision") else []
    assert same_work(spec(), spec(**{field: value})) == differs
    assert (work_key(spec()) == work_key(spec(**{field: value}))) == (not differs)


def test_workers_number_and_alias_are_no_part_of_the_work() -> None:
    io = {"micrograph_star_file": "m.star", "input_coordinates": "coords_suffix_autopick.star"}
    one = {"job": "Extract", "io": io}
    other = one | {"number": 12, "alias": "x", "compute": {"workers": 3}}
    assert same_work(one, other) == []
    assert work_key(one) == work_key(other)
