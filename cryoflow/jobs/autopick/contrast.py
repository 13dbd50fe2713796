"""Check that references and micrographs have the same contrast."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cryoflow.compute.pick.contrast import contrast_ratio
from cryoflow.errors import FileError
from cryoflow.jobs.autopick.micrographs import Micrograph, read_micrograph
from cryoflow.jobs.autopick.references import GivenReferences
from cryoflow.project.context import JobContext
from cryoflow.spec import AutoPick

LOOKED_AT = 5
"""Micrographs, from all over the list."""
INVERTED = 0.85
"""Mean ratio, on a logarithmic scale, below which the references fit better inverted."""
FIELD = "References have inverted contrast?"


def warn_of_contrast(
    spec: AutoPick, context: JobContext, micrographs: Sequence[Micrograph], given: GivenReferences
) -> None:
    """Warn when the micrographs fit the references better with contrast inverted."""
    inverted = spec.references.references_have_inverted_contrast
    references = -given.images if inverted else given.images
    step = max(1, len(micrographs) // LOOKED_AT)
    ratios = []
    for micrograph in micrographs[::step][:LOOKED_AT]:
        try:
            pixels = read_micrograph(context, micrograph)
            reference_a = given.pixel_size_for(micrograph.pixel_size_a)
            ratio = contrast_ratio(pixels, references, micrograph.pixel_size_a, reference_a)
        except FileError:  # reported when it is picked
            continue
        if math.isfinite(ratio) and ratio > 0:
            ratios.append(math.log(ratio))
    if ratios and math.exp(sum(ratios) / len(ratios)) < INVERTED:
        context.report.warn(
            f"the micrographs fit the references better with contrast inverted; is '{FIELD}' "
            f"{'Yes' if inverted else 'No'} right?"
        )
