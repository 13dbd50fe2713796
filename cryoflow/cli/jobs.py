"""Names of job types as a user types them."""

from __future__ import annotations

from difflib import get_close_matches

from cryoflow.cli.parser import JOBS
from cryoflow.errors import SpecError


def job_type(name: str) -> str:
    """Return the job type meant by a name in any case.

    Raises
    ------
    SpecError
        If there is none.
    """
    known = {job.casefold(): job for job in JOBS}
    if name.casefold() in known:
        return known[name.casefold()]
    close = get_close_matches(name.casefold(), known, n=1)
    hint = f"did you mean {known[close[0]]}?" if close else f"there are {', '.join(JOBS)}"
    raise SpecError([f"{name}: no such job type; {hint}"])
