"""Report lines and warnings of each iteration."""

from __future__ import annotations

from cryoflow.compute.class2d import Options, State
from cryoflow.project.context import Reporter

COLLAPSED = 0.9
"""Share of the particles in one class above which a warning is given."""


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
        self._collapsed = False
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
