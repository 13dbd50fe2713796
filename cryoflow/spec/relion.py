"""A spec in the form of RELION's job files."""

from __future__ import annotations

from cryoflow.spec.base import JobSpec
from cryoflow.spec.field import Declaration


def relion_job_options(spec: JobSpec) -> list[tuple[str, str]]:
    """Return label and value of every option that RELION 3.0 writes into ``run.job`` for this job type.

    None becomes RELION's number for "off", helical options are off; the options of
    RELION's "Running" tab, which name queues and MPI processes, are not part of a spec.
    The order is RELION's: by key.
    """
    options = {known.key: (known.relion_label, value) for known, value in spec.helical}
    for section in spec.sections():
        model = getattr(spec, section)
        for name, known in model.declarations().items():
            if known.key is not None:
                options[known.key] = (known.relion_label, relion_text(getattr(model, name), known))
    return [options[key] for key in sorted(options, key=str)]


def relion_text(value: object, known: Declaration) -> str:
    """Spell a value as RELION's job files do: Yes/No, -1 or -999 for off, whole numbers without a point."""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if value is None:
        return f"{known.off.written:g}" if known.off else ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)
