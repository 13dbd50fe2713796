"""Settings of a picking job that can be used but are hardly meant."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from cryoflow.jobs.autopick.references import GivenReferences
from cryoflow.jobs.inputs.mask_fit import mask_warning
from cryoflow.project.context import JobContext
from cryoflow.spec import AutoPick


def warn_of_settings(
    spec: AutoPick, context: JobContext, pixel_size_a: float, given: GivenReferences
) -> None:
    """Warn of a distance of 0, a low-pass filter beyond Nyquist, and a mask that does not fit the references.

    Parameters
    ----------
    spec : AutoPick
    context : JobContext
    pixel_size_a : float
        Of the micrographs.
    given : GivenReferences
    """
    for line in _warnings(spec, pixel_size_a, given):
        context.report.warn(line)


def _warnings(spec: AutoPick, pixel_size_a: float, given: GivenReferences) -> Iterator[str]:
    if spec.autopicking.minimum_inter_particle_distance == 0:
        yield (
            "minimum inter-particle distance 0: every peak becomes a pick, many on one particle; set "
            "slightly less than the particle diameter"
        )
    reference_a, lowpass = given.pixel_size_for(pixel_size_a), spec.references.lowpass_filter_references
    nyquist = 2 * max(pixel_size_a, reference_a)
    if lowpass is not None and lowpass < nyquist:
        what = "micrographs" if pixel_size_a >= reference_a else "references"
        yield (
            f"low-pass filter of {lowpass:g} A is beyond Nyquist of the {what} ({nyquist:g} A), which hold "
            f"nothing finer; set at least {nyquist:g} A, usually 20 A"
        )
    diameter = spec.references.mask_diameter
    if diameter is not None:
        share = torch.ones(len(given.images), dtype=torch.float64)
        warning = mask_warning(given.images.cpu(), share, diameter, reference_a)
        if warning is not None:
            yield f"references: {warning}"
