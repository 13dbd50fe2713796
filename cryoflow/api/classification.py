"""Two-dimensional classification, as in Class2D."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
from torch import Tensor

from cryoflow.api.arrays import Array, as_tensor, instance, like, positive
from cryoflow.api.images import Particles, table_of
from cryoflow.compute.class2d import Options, State
from cryoflow.compute.class2d.classify import RunPlan, first_state
from cryoflow.compute.class2d.classify import iterations as run_iterations
from cryoflow.errors import ArgumentError, CryoflowError
from cryoflow.files.tables import require
from cryoflow.jobs.class2d.class_star import class_blocks
from cryoflow.jobs.class2d.output import data_rows
from cryoflow.jobs.class2d.saved import read_poses
from cryoflow.jobs.class2d.source import group_names, make_ctf, particle_data
from cryoflow.jobs.inputs.ctf import CTF_NEEDED, usable


@dataclass(frozen=True, eq=False)
class Classification:
    """Classes of particles; K classes, n particles.

    Attributes
    ----------
    averages : array
        ``(K, box, box)`` float64: axes class, y, x; zeros for an empty class.
    class_number : array
        ``(n,)``: class of each particle from 1, by its best pose.
    psi_deg, origin_y, origin_x : array
        ``(n,)``: best pose; moving the particle by the origin (pixels) brings it onto its class.
    share : array
        ``(K,)``: share of the posterior weights of all particles.
    resolution_a : float
        Up to which averages are used for alignment.
    log_likelihood : array
        ``(iterations,)``.
    rows : DataFrame
        Rows of the particles with the results, as in RELION's ``run_itNNN_data.star``.
    classes : DataFrame
        One row per class, see `to_frame`.
    """

    averages: Array
    class_number: Array
    psi_deg: Array
    origin_y: Array
    origin_x: Array
    share: Array
    resolution_a: float
    log_likelihood: npt.NDArray[np.float64]
    rows: pd.DataFrame = field(repr=False)
    classes: pd.DataFrame = field(repr=False)

    def __len__(self) -> int:
        return len(self.averages)

    def to_frame(self) -> pd.DataFrame:
        """Return the rows of the particles: ``rlnClassNumber``, ``rlnAnglePsi``, ``rlnOriginX`` ..."""
        return self.rows.copy()


def classify(
    particles: Particles,
    *,
    classes: int,
    mask_diameter_a: float = 200.0,
    iterations: int = 25,
    regularisation: float = 2.0,
    psi_step_deg: float = 6.0,
    offset_range_px: float = 5.0,
    offset_step_px: float = 1.0,
    ctf_correct: bool = True,
    phase_flipped: bool = False,
    ignore_ctf_until_first_peak: bool = False,
    zero_mask: bool = True,
    align: bool = True,
    resolution_limit_a: float | None = None,
    grow: bool = True,
    seed: int = 0,
) -> Classification:
    """Group particles into classes and average each. Defaults are those of Class2D.

    Parameters
    ----------
    particles : Particles
        Normalised, square, even boxes, bright. Their rows have CTF columns if ``ctf_correct``; image names
        seed the initial assignment, micrograph names define the noise groups.
    classes : int
        Number of classes, at most the number of particles.
    mask_diameter_a : float
        Particle mask.
    iterations : int
    regularisation : float
        T: larger values let the averages have more detail.
    psi_step_deg, offset_range_px, offset_step_px : float
        Fine steps of the search, and the range of offsets in particle pixels.
    ctf_correct, phase_flipped, ignore_ctf_until_first_peak : bool
        Whether and how the CTF is corrected for.
    zero_mask : bool
        Replace pixels outside the mask by their mean; otherwise by noise.
    align : bool
        Search angles and offsets; otherwise keep those of the rows.
    resolution_limit_a : float, optional
        Detail beyond it is not used for alignment.
    grow : bool
        Start with two classes and split them: finds small classes.
    seed : int
        Seed of the initial assignment and of the random perturbations.

    Returns
    -------
    Classification
        Arrays of the same kind as the particles' images.

    Raises
    ------
    ArgumentError
        If an argument cannot be used.
    CryoflowError
        If a column is missing, or noise cannot be estimated.
    """
    instance(particles, Particles, "particles")
    images = as_tensor(particles.images, "particles", "n box box")
    options = Options(
        box=images.shape[-1],
        pixel_size_a=particles.pixel_size_a,
        mask_diameter_a=positive(mask_diameter_a, "mask_diameter_a"),
        tau_fudge=positive(regularisation, "regularisation"),
        correct_ctf=ctf_correct,
        phase_flipped=phase_flipped,
        first_peak=ignore_ctf_until_first_peak,
        zero_mask=zero_mask,
        align=align,
        psi_step_deg=2 * positive(psi_step_deg, "psi_step_deg"),
        offset_range_px=offset_range_px,
        offset_step_px=2 * positive(offset_step_px, "offset_step_px"),
        e_step_limit_a=resolution_limit_a,
    )
    run = RunPlan(classes, iterations, seed, grow)
    _check(images, options, run)
    return _classify(particles, images, options, run)


def _classify(particles: Particles, images: Tensor, options: Options, run: RunPlan) -> Classification:
    table = table_of(particles)
    require(table, "rlnImageName")
    if options.correct_ctf:
        require(table, *CTF_NEEDED, why="; give them, or set ctf_correct=False")
        if not bool(usable(make_ctf(table.rows, True)).all()):
            raise CryoflowError(
                "particles: the CTF columns of some rows give no finite CTF; remove those rows"
            )
    groups = group_names(table.rows)

    def some(index: Tensor) -> Tensor:
        return images[index.to(images.device)]

    data = particle_data(table.rows, some, run.seed, groups, options.correct_ctf)
    names = table.rows["rlnImageName"].astype(str).tolist()
    start = first_state(data, names, read_poses(table.rows), options, run)
    likelihood, last = [], start
    for last in run_iterations(start, data, options, run):
        likelihood.append(last.model.log_likelihood)
    rows = data_rows(table.rows, data.group, last)
    return _result(last, options, particles, rows, likelihood)


def _result(
    state: State, options: Options, particles: Particles, rows: pd.DataFrame, likelihood: list[float]
) -> Classification:
    found, model = state.particles, state.model
    classes = class_blocks(state, options)["classes"]
    assert isinstance(classes, pd.DataFrame)

    def array(values: Tensor) -> Array:
        return like(values, particles.images)

    return Classification(
        averages=array(model.references),
        class_number=array(found.class_index + 1),
        psi_deg=array(found.psi_deg),
        origin_y=array(found.offset_px[:, 0]),
        origin_x=array(found.offset_px[:, 1]),
        share=array(model.share),
        resolution_a=options.box * options.pixel_size_a / model.shell,
        log_likelihood=np.array(likelihood),
        rows=rows,
        classes=classes,
    )


def _check(images: Tensor, options: Options, run: RunPlan) -> None:
    count, box = len(images), options.box
    if box % 2:
        raise ArgumentError(f"particles: boxes of {box} pixels; give an even box size")
    for name, value in (("classes", run.classes), ("iterations", run.iterations)):
        if not isinstance(value, int) or value < 1:
            raise ArgumentError(f"{name}: {value!r}; give a positive integer")
    if run.classes > count:
        raise ArgumentError(f"classes: {run.classes} for {count} particles; give fewer classes")
    if options.mask_diameter_a > box * options.pixel_size_a:
        width = f"{box * options.pixel_size_a:g}"
        raise ArgumentError(
            f"mask_diameter_a: {options.mask_diameter_a:g} A exceeds the box of {width} A; give a smaller one"
        )
