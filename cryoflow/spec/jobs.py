"""The job types by name."""

from __future__ import annotations

from cryoflow.spec.autopick import AutoPick
from cryoflow.spec.base import JobSpec
from cryoflow.spec.class2d import Class2D
from cryoflow.spec.extract import Extract
from cryoflow.spec.select import Select
from cryoflow.spec.sort import Sort

JOB_TYPES: dict[str, type[JobSpec]] = {
    "AutoPick": AutoPick,
    "Extract": Extract,
    "Sort": Sort,
    "Select": Select,
    "Class2D": Class2D,
}
"""In the order of the tutorial's steps."""
