"""Report at the end of a picking job."""

from __future__ import annotations

from collections.abc import Sequence

from cryoflow.jobs.autopick.output import Picked
from cryoflow.jobs.autopick.statistics import greyscale_warning
from cryoflow.jobs.autopick.thresholds import Proposed, merging_warning, proposal_lines
from cryoflow.project.context import JobContext
from cryoflow.spec import AutoPick


def report_picks(spec: AutoPick, context: JobContext, picked: Sequence[Picked]) -> None:
    """Report skipped micrographs; warn of references with a wrong greyscale and of missing picks."""
    kept = sum(one.kept for one in picked)
    if kept:
        context.report.say(f"kept the picks of {kept} micrographs that were finished before")
    warnings = (
        greyscale_warning([one.statistics for one in picked if one.statistics is not None]),
        _empty_warning(spec, picked),
    )
    for line in warnings:
        if line is not None:
            context.report.warn(line)


def report_thresholds(
    spec: AutoPick, context: JobContext, picked: Sequence[Picked], proposed: Proposed
) -> None:
    """Report the proposed thresholds; warn where a higher one than the spec's picks more."""
    for line in proposal_lines(proposed, spec.autopicking.picking_threshold, spec.statistics.decoys):
        context.report.say(line)
    known = [one.statistics for one in picked if one.statistics is not None]
    others = [one.others for one in known if one.others is not None]
    warning = merging_warning(spec, others)
    if warning is not None:
        context.report.warn(warning)


def _empty_warning(spec: AutoPick, picked: Sequence[Picked]) -> str | None:
    """Return the warning about micrographs without picks."""
    empty = [one for one in picked if not one.particles]
    if not empty:
        return None
    line = f"no picks on {len(empty)} of {len(picked)} micrographs, such as {empty[0].name}"
    best = [one.best_fom for one in empty if one.best_fom is not None]
    if best and not spec.io.use_laplacian_of_gaussian:
        line += (
            f"; their best figures of merit are {min(best):.3g} to {max(best):.3g}, "
            f"the threshold is {spec.autopicking.picking_threshold:g}"
        )
    return line
