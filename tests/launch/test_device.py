"""Devices and threads of a job."""

from pathlib import Path

import pytest
import torch
from helpers.stand_in_job import run_spec, stand_in_project

from cryoflow.launch.job import device
from cryoflow.launch.job.device import resolve_device
from cryoflow.spec import parse_spec
from cryoflow.spec.gpu import wanted_device

project = stand_in_project


@pytest.mark.parametrize(
    ("wanted", "count", "found"),
    [
        ("auto", 0, "cpu"),
        ("auto", 2, "cuda:0"),
        ("cpu", 2, "cpu"),
        ("cuda", 1, "cuda:0"),
        ("cuda:1", 2, "cuda:1"),
    ],
)
def test_device(monkeypatch: pytest.MonkeyPatch, wanted: str, count: int, found: str) -> None:
    _devices(monkeypatch, count)
    assert resolve_device(wanted) == found


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({}, "auto"),
        ({"use_gpu_acceleration": "Yes"}, "cuda"),
        ({"use_gpu_acceleration": "Yes", "which_gpus_to_use": "1"}, "cuda:1"),
        ({"use_gpu_acceleration": "Yes", "device": "cuda:2"}, "cuda:2"),
        ({"device": "cpu"}, "cpu"),
    ],
)
def test_yes_to_gpu_insists_on_one(values: dict[str, str], wanted: str) -> None:
    spec = {"job": "Class2D", "io": {"input_images_star_file": "a.star"}, "compute": values}
    assert wanted_device(parse_spec(spec)) == wanted
    sort = {"input_particles_to_be_sorted": "a.star", "autopicking_references": "b.star"}
    assert wanted_device(parse_spec({"job": "Sort", "io": sort})) == "auto"


@pytest.mark.parametrize(("wanted", "count"), [("cuda", 0), ("cuda:1", 1)])
def test_device_that_is_not_there(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    wanted: str,
    count: int,
) -> None:
    _devices(monkeypatch, count)
    assert run_spec(project, f"device={wanted}") == 2
    told = f"compute > Device: CUDA device {count} is not available (torch sees {count}); use cpu"
    assert told in capsys.readouterr().err
    assert not (project / "Select").exists()


def _devices(monkeypatch: pytest.MonkeyPatch, count: int) -> None:

    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


def test_threads_are_set_for_the_job_only() -> None:

    before = torch.get_num_threads()
    with device.torch_threads(before + 1) as threads:
        assert threads == torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
