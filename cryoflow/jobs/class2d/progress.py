"""Report lines and warnings of each iteration."""

from __future__ import annotations

from cryoflow.compute.class2d import Options, State
from cryoflow.compute.image.averages import median_correlation
from cryoflow.jobs.inputs.mask_fit import mask_warning
from cryoflow.project.context import Reporter

COLLAPSED = 0.8
"""Share of the particles in one class above which a warning is given."""
EARLY, NYQUIST = 3, 0.9
"""A resolution of this part of Nyquist by this iteration is no resolution of particles in ice."""
ALIKE, FEWEST, SETTLED = 0.96, 3, 5
"""Averages with a higher median correlation are all alike; of how many classes, after how many iterations."""


class ProgressReporter:
    """Reports one line per iteration, and warns of classes that become empty and, once, of a collapse.

    Parameters
    ----------
    report : Reporter
        Receives the lines.
    options : Options
        Box and pixel size.
    """

    def __init__(self, report: Reporter, options: Options) -> None:
        self._report, self._options = report, options
        self._collapsed = self._at_nyquist = False
        self._empty: set[int] = set()

    def classes(self, state: State) -> None:
        """Warn of classes that became empty, and of a collapse."""
        share = state.model.share
        empty = set(((share == 0).nonzero()[:, 0] + 1).tolist())
        if empty - self._empty:
            numbers = ", ".join(map(str, sorted(empty - self._empty)))
            self._report.warn(
                f"iteration {state.iteration}: no particle is left in class {numbers}; an empty class has an "
                "average of zeros and stays empty, unless 'Reseed empty classes' is on"
            )
        self._empty = empty
        largest = int(share.argmax())
        if float(share[largest]) > COLLAPSED and len(share) > 1 and not self._collapsed:
            self._collapsed = True
            self._report.warn(
                f"class {largest + 1} holds {100 * float(share[largest]):.0f} % of the particles; the "
                "classification has collapsed. Try a smaller T, fewer classes, or a limited E-step"
            )

    def resolution(self, state: State) -> None:
        """Warn, once, of a resolution that is there from the first iterations."""
        limit = self._options.box / 2
        if self._at_nyquist or state.iteration > EARLY or state.model.shell < NYQUIST * limit:
            return
        self._at_nyquist = True
        extent = self._options.box * self._options.pixel_size_a
        self._report.warn(
            f"iteration {state.iteration}: {extent / state.model.shell:.3g} A is next to Nyquist "
            f"({extent / limit:.3g} A) already; were the particles denoised, filtered or enlarged? Then "
            "resolutions mean nothing: use the original micrographs"
        )

    def averages(self, state: State) -> None:
        """Warn of averages that are all alike, and of a mask that does not fit what they show."""
        used, options = state.model.share > 0, self._options
        averages, share = state.model.references[used], state.model.share[used]
        if state.iteration < SETTLED or not len(share):
            return
        radius = options.mask_diameter_a / 2 / options.pixel_size_a
        if len(share) >= FEWEST and (alike := median_correlation(averages, radius)) > ALIKE:
            self._report.warn(
                f"the class averages are nearly all alike (median correlation {alike:.2f}): the classes tell "
                "neither views nor junk apart; use fewer classes, a smaller mask, or check the particles"
            )
        warning = mask_warning(averages, share, options.mask_diameter_a, options.pixel_size_a)
        if warning is not None:
            self._report.warn(warning)

    def iteration(self, state: State, seconds: float) -> None:
        """Report an iteration that took ``seconds``."""
        model, extent = state.model, self._options.box * self._options.pixel_size_a
        largest = int(model.share.argmax())
        used = int((model.share > 0).sum())
        self._report.say(
            f"iteration {state.iteration}: {extent / model.shell:.1f} A, largest class {largest + 1} with "
            f"{100 * float(model.share[largest]):.0f} %, {used} of {len(model.share)} in use, "
            f"{100 * state.changes.classes:.0f} % changed class, {seconds:.1f} s"
        )
