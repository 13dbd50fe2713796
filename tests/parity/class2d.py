"""Classification: one iteration from each of RELION's own states, and the first noise spectra."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch
from torch import Tensor

from cryoflow.compute.class2d import State, iterate, start
from cryoflow.compute.image.ring_correlation import ring_correlation
from cryoflow.jobs.class2d.saved import Saved, read_saved
from cryoflow.jobs.class2d.source import make_data
from parity.particles import extract_again

CASES = {
    "class2d_k3": (0, 2, 7),
    "class2d_k1": (0, 4),
    "class2d_noctf": (1,),
    "class2d_firstpeak": (2,),
    "class2d_skipalign": (0, 2),
}
"""Case of ``mini``: iterations to start from."""
BGAL = (5, 19)
"""Iterations of job008 of ``bgal`` to start from: 520 particles, 8 classes."""
CERTAIN = 0.3
"""Weight of the best pose above which it has to be the same."""


class Agreement(NamedTuple):
    """How far cryoflow's next state is from RELION's."""

    frc: float
    """Lowest Fourier ring correlation of class averages up to the current resolution."""
    averages: float
    """Largest difference, relative to the largest value."""
    noise: float
    """Largest relative difference of a noise spectrum."""
    share: float
    likelihood: float
    norm: float
    offset_variance: float
    scale: float
    sizes_equal: bool
    """Current resolution, current and coarse size."""
    significant: float
    """Mean difference of the number of significant samples."""
    certain: int
    """Particles with a weight above `CERTAIN`; the next three are shares of these (of all if none)."""
    classes: float
    psi: float
    offsets: float


def step(project: Path, case: str, iteration: int, dtype: torch.dtype = torch.float32) -> tuple[State, Saved]:
    """Run one iteration from RELION's state, moved as RELION's next one; that one comes along."""
    folder = next(f for f in (project / "parity" / case, project / "Class2D" / case) if f.is_dir())
    before = read_saved(folder / f"run_it{iteration:03d}_optimiser.star", project)
    after = read_saved(folder / f"run_it{iteration + 1:03d}_optimiser.star", project)
    data = make_data(
        before.table.rows,
        project,
        0,
        torch.zeros(1, dtype=dtype),
        before.group_names,
        after.options.correct_ctf,
    )
    return iterate(before.state, data, after.options, after.state.perturbation), after


def agreement(ours: State, saved: Saved) -> Agreement:
    """Compare a state with RELION's."""
    m, r, p, q = ours.model, saved.state.model, ours.particles, saved.state.particles
    certain = q.pmax > CERTAIN
    looked = certain if certain.any() else torch.ones_like(certain)
    turn = ((p.psi_deg - q.psi_deg + 180) % 360 - 180).abs()
    move = (p.offset_px - q.offset_px).abs().amax(1)
    fine = saved.options.psi_step_deg / 2

    def share(agreed: Tensor) -> float:
        return float(agreed[looked].double().mean())

    def relative(one: Tensor | float, other: Tensor | float) -> float:
        return float((torch.as_tensor(one) / torch.as_tensor(other) - 1).abs().max())

    full = r.references.abs().amax((1, 2)) > 0
    return Agreement(
        frc=float(ring_correlation(m.references[full], r.references[full])[:, 1 : r.shell + 1].min()),
        averages=float((m.references - r.references).abs().max() / r.references.abs().max()),
        noise=relative(m.noise, r.noise),
        share=float((m.share - r.share).abs().max()),
        likelihood=relative(m.log_likelihood, r.log_likelihood),
        norm=relative(m.norm_mean, r.norm_mean),
        offset_variance=relative(m.offset_variance, r.offset_variance),
        scale=relative(m.scale, r.scale),
        sizes_equal=(m.shell, ours.current_size, ours.coarse_size)
        == (r.shell, saved.state.current_size, saved.state.coarse_size),
        significant=float((p.significant - q.significant).abs().double().mean()),
        certain=int(certain.sum()),
        classes=share(p.class_index == q.class_index),
        psi=share(turn < fine + 0.01),
        offsets=share(move < 1),
    )


def first_noise(project: Path, case: str) -> float:
    """Largest relative difference of the noise spectra before the first iteration."""
    saved = read_saved(project / "parity" / case / "run_it000_optimiser.star", project)
    data = make_data(
        saved.table.rows, project, 0, torch.zeros(1), saved.group_names, saved.options.correct_ctf
    )
    ours = start(data, 1, data.seed, saved.options, saved.state.particles)
    return float((ours.model.noise / saved.state.model.noise - 1).abs().max())


def names(_: Path) -> list[str]:
    """Names of all cases."""
    return [*CASES, "job008"]


def report(reference: Path, cases: list[str]) -> bool:
    """Print a table of all cases; False when something is out of tolerance."""
    print(f"{'case':<20} {'step':>7} {'FRC':>8} {'noise':>8} {'share':>8} {'LL':>8} {'sizes':>5} {'sig.':>5} "
          f"{'n > 0.3':>7} {'class':>6} {'psi':>6} {'offset':>6}")  # fmt: skip
    good = [
        _line(reference / "mini", case, i) for case in CASES if case in (cases or CASES) for i in CASES[case]
    ]
    if not cases or "job008" in cases:
        with TemporaryDirectory() as folder:
            project = extract_again(reference / "bgal", "job007", Path(folder))
            good += [_line(project, "job008", i) for i in BGAL]
    if not cases or "class2d_k3" in cases:
        noise = first_noise(reference / "mini", "class2d_k3")
        good.append(noise < 0.01)
        print(f"first noise spectra: within {noise:.1e} of RELION's")
    return all(good)


def _line(project: Path, case: str, iteration: int) -> bool:
    """Print one step; False when it is out of tolerance."""
    a = agreement(*step(project, case, iteration))
    good = (
        a.frc >= 0.99 and a.noise < 0.02 and a.share < 0.02 and a.likelihood < 1e-3 and a.sizes_equal
        and min(a.classes, a.psi, a.offsets) >= 0.97
    )  # fmt: skip
    sizes = "same" if a.sizes_equal else "DIFF"
    numbers = " ".join(f"{value:8.1e}" for value in (a.noise, a.share, a.likelihood))
    shares = " ".join(f"{value:6.3f}" for value in (a.classes, a.psi, a.offsets))
    line = (
        f"{case:<20} {iteration:>2} -> {iteration + 1} {a.frc:8.5f} {numbers} {sizes:>5} {a.significant:5.1f}"
    )
    print(f"{line} {a.certain:7d} {shares}{'' if good else '  OUT OF TOLERANCE'}")
    return good
