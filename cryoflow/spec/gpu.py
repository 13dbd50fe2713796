"""RELION's two GPU fields, which cryoflow accepts as long as they agree with its own `compute > device`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cryoflow.spec.base import Broken, JobSpec
from cryoflow.spec.field import field

_ASKED, _WHICH = "use_gpu_acceleration", "which_gpus_to_use"


def use_gpu_field() -> Any:
    """Declare ``use_gpu_acceleration``, which several jobs have."""
    return field(
        "Use GPU acceleration?",
        "use_gpu",
        False,
        help="Yes requires a GPU (device auto then means cuda); No leaves the choice to the compute section.",
    )


def gpu_ids_field() -> Any:
    """Declare ``which_gpus_to_use``."""
    return field(
        "Which GPUs to use:",
        "gpu_ids",
        "",
        help="Number of the GPU, as in device cuda:1 of the compute section; empty: that section decides.",
    )


def wanted_device(spec: JobSpec) -> str:
    """Return the device that a spec requests: ``auto`` means a GPU if one is required."""
    asking = [tab for name in spec.sections() if getattr(tab := getattr(spec, name), _ASKED, False)]
    if spec.compute.device != "auto" or not asking:
        return spec.compute.device
    number = str(getattr(asking[0], _WHICH))
    return f"cuda:{int(number)}" if number else "cuda"


def broken_gpu_rules(spec: JobSpec, section: str) -> Iterator[Broken]:
    """Yield contradictions between RELION's fields, in a section, and `compute > device`."""
    tab, device = getattr(spec, section), spec.compute.device
    use_gpu, gpu_ids = bool(getattr(tab, _ASKED)), str(getattr(tab, _WHICH))
    asked, which = f"{section}.{_ASKED}", f"{section}.{_WHICH}"
    if use_gpu and device == "cpu":
        yield Broken(
            (asked, "compute.device"),
            "contradicts device 'cpu' of the compute section; set that to auto or cuda, or this to No",
        )
    if gpu_ids and not use_gpu:
        yield Broken(
            (which, asked), "would be ignored; set 'Use GPU acceleration?' to Yes or leave this empty"
        )
    elif gpu_ids and not gpu_ids.isdecimal():
        yield Broken((which,), f"'{gpu_ids}' is not one GPU; cryoflow uses one GPU per job, give its number")
    elif gpu_ids and device.startswith("cuda") and device != f"cuda:{int(gpu_ids)}":
        yield Broken(
            (which, "compute.device"),
            f"contradicts device '{device}' of the compute section; set that to cuda:{int(gpu_ids)}",
        )
