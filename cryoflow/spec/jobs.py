"""The job types by name."""

from __future__ import annotations

from cryoflow.errors import SpecError
from cryoflow.spec.autopick import AutoPick
from cryoflow.spec.base import JobSpec
from cryoflow.spec.class2d import Class2D
from cryoflow.spec.extract import Extract
from cryoflow.spec.names import suggestion
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


def job_type(typed: object) -> type[JobSpec]:
    """Return the job type meant by a name in any case.

    Raises
    ------
    SpecError
        With one line, if there is none.
    """
    for name, cls in JOB_TYPES.items():
        if str(typed).strip().casefold() == name.casefold():
            return cls
    hint = suggestion(str(typed), JOB_TYPES) or f"; job types: {', '.join(JOB_TYPES)}"
    raise SpecError([f"unknown job type '{typed}'{hint}"])
