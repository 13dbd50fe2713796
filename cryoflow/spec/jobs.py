"""The spec class of each job type."""

from __future__ import annotations

from cryoflow.errors import SpecError
from cryoflow.spec.autopick import AutoPick
from cryoflow.spec.base import JobSpec
from cryoflow.spec.class2d import Class2D
from cryoflow.spec.extract import Extract
from cryoflow.spec.names import suggestion
from cryoflow.spec.select import Select
from cryoflow.spec.sort import Sort

SPEC_CLASSES: dict[str, type[JobSpec]] = {
    cls.__name__: cls for cls in (AutoPick, Extract, Sort, Select, Class2D)
}
"""By job type, in the order of the tutorial's steps."""


def spec_class(typed: object) -> type[JobSpec]:
    """Return the spec class of a job type, named in any case.

    Raises
    ------
    SpecError
        With one line, if there is none.
    """
    for name, cls in SPEC_CLASSES.items():
        if str(typed).strip().casefold() == name.casefold():
            return cls
    hint = suggestion(str(typed), SPEC_CLASSES) or f"; job types: {', '.join(SPEC_CLASSES)}"
    raise SpecError([f"unknown job type '{typed}'{hint}"])
