"""Warnings about particles that classify badly."""

from __future__ import annotations

from cryoflow.compute.class2d import Data, Options
from cryoflow.jobs.class2d.images import Scan
from cryoflow.project.context import JobContext

SMALL_GROUP = 10
"""Particles below which a group's noise is poorly known."""


def warn_background(context: JobContext, scan: Scan, options: Options) -> None:
    """Warn unless backgrounds have means near 0 and standard deviations near 1 (RELION's test)."""
    wrong = (
        ((scan.mean / scan.deviation).abs() > 0.5)
        | (scan.deviation < 0.5)
        | (scan.deviation > 2)
        | (scan.deviation == 0)
    )
    if not wrong.any():
        return
    mean, deviation = scan.mean[wrong], scan.deviation[wrong]
    context.report.warn(
        f"{int(wrong.sum())} of {len(wrong)} images are not normalised: outside "
        f"{options.mask_diameter_a:g} A their means range from {mean.min():.3g} to {mean.max():.3g} and "
        f"their standard deviations from {deviation.min():.3g} to {deviation.max():.3g} (0 and 1 are "
        "expected); extract them with 'Normalize particles?'"
    )


def warn_groups(context: JobContext, data: Data, groups: tuple[str, ...]) -> None:
    """Warn of groups too small for a good noise estimate."""
    small = (data.group_sizes < SMALL_GROUP).nonzero()[:, 0]
    if len(small) and len(groups) > 1:
        first = int(small[0])
        context.report.warn(
            f"{len(small)} of {len(groups)} groups have fewer than {SMALL_GROUP} particles, e.g. "
            f"{groups[first]} with {int(data.group_sizes[first])}; their noise estimates are poor (see "
            "'Regroup the particles?' in Select)"
        )
