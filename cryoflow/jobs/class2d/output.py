"""Write the files of an iteration under RELION's names and labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from torch import Tensor

from cryoflow.compute.class2d import Options, State
from cryoflow.compute.class2d.pose_accuracy import UNKNOWN
from cryoflow.compute.class2d.sampling import coarse_psi
from cryoflow.files.mrc import join_image_name, write_mrc
from cryoflow.files.star import StarStyle, write_star
from cryoflow.files.star.types import Scalar
from cryoflow.files.tables import Table, write_table
from cryoflow.jobs.class2d.class_star import class_blocks
from cryoflow.jobs.class2d.convergence import add_row
from cryoflow.jobs.class2d.exact import forget_states, save_state
from cryoflow.jobs.class2d.labels import OPTIMISER
from cryoflow.jobs.class2d.model_star import model_blocks


class Run(NamedTuple):
    """Properties common to all iterations of a run."""

    directory: Path
    root: str
    """``run``, or ``run_ct010`` for one that continues iteration 10 of another."""
    relative: str
    """Project-relative job directory."""
    table: Table
    groups: tuple[str, ...]
    group: Tensor
    options: Options
    iterations: int
    seed: int
    fast_subsets: bool
    style: StarStyle


def iteration_path(run: Run, iteration: int, what: str) -> Path:
    """Path of a file of an iteration, e.g. ``data.star``."""
    return run.directory / f"{run.root}_it{iteration:03d}_{what}"


def convergence_path(run: Run) -> Path:
    """Path of the table with a row for every iteration."""
    return run.directory / f"{run.root}_convergence.star"


def write_iteration(run: Run, state: State) -> tuple[Path, ...]:
    """Write one iteration; the optimiser file, which names the others, comes last.

    Returns
    -------
    tuple of Path
        Everything written.
    """

    def path(what: str) -> Path:
        return iteration_path(run, state.iteration, what)

    def name(what: str) -> str:
        return f"{run.relative}/{path(what).name}"

    classes, model = path("classes.mrcs"), state.model
    write_mrc(classes, model.references.numpy().astype(np.float32), run.options.pixel_size_a)
    write_data(path("data.star"), run, state)
    images = [join_image_name(k, name("classes.mrcs")) for k in range(len(model.share))]
    write_star(path("model.star"), model_blocks(state, run.options, run.groups, run.group, images), "3.0")
    written = [classes, path("data.star"), path("model.star")]
    if state.iteration > 0:
        write_star(path("classes.star"), class_blocks(state, run.options))
        write_star(path("sampling.star"), {"sampling_general": _sampling(run, state)}, "3.0")
        add_row(convergence_path(run), state, run.options)
        written += [path("classes.star"), path("sampling.star")]
    save_state(run.directory, run.root, state)
    write_star(path("optimiser.star"), {"optimiser_general": _optimiser(run, state, name)}, "3.0")
    forget_states(run.directory, run.root, state.iteration)
    return (*written, path("optimiser.star"))


def write_data(path: Path, run: Run, state: State) -> None:
    """Write the particles with what was found for each."""
    rows = data_rows(run.table.rows, run.group, state)
    if run.style == "3.1":
        rows = rows.assign(rlnImageSize=run.options.box, rlnImageDimensionality=2)
    write_table(path, run.table._replace(rows=rows), run.style)


def data_rows(rows: pd.DataFrame, group: Tensor, state: State) -> pd.DataFrame:
    """Rows of particles with what was found for each; ``group`` counts their groups from 0, ``(n,)``."""
    found = state.particles
    columns: dict[str, Tensor | float] = {
        "rlnOriginX": found.offset_px[:, 1],
        "rlnOriginY": found.offset_px[:, 0],
        "rlnGroupNumber": group + 1,
        "rlnAngleRot": 0.0,
        "rlnAngleTilt": 0.0,
        "rlnAnglePsi": found.psi_deg,
        "rlnClassNumber": found.class_index + 1,
        "rlnNormCorrection": found.norm,
        "rlnLogLikeliContribution": found.log_likelihood,
        "rlnMaxValueProbDistribution": found.pmax,
        "rlnNrOfSignificantSamples": found.significant,
    }
    values = {
        label: value.numpy() if isinstance(value, Tensor) else value for label, value in columns.items()
    }
    return rows.assign(**values)


def _sampling(run: Run, state: State) -> dict[str, Scalar]:
    options = run.options
    return {
        "rlnIs3DSampling": 0,
        "rlnIs3DTranslationalSampling": 0,
        "rlnPsiStep": coarse_psi(options).step,
        "rlnOffsetRange": options.offset_range_px,
        "rlnOffsetStep": options.offset_step_px,
        "rlnHelicalOffsetStep": -1.0,
        "rlnSamplingPerturbInstance": state.perturbation,
        "rlnSamplingPerturbFactor": 0.5 if options.align else 0.0,
    }


def _optimiser(run: Run, state: State, name: Callable[[str], str]) -> dict[str, Scalar]:
    options, model, changes = run.options, state.model, state.changes
    extent = options.box * options.pixel_size_a
    values: dict[str, Scalar] = {
        "rlnOutputRootName": f"{run.relative}/{run.root}",
        "rlnModelStarFile": name("model.star"),
        "rlnExperimentalDataStarFile": name("data.star"),
        "rlnOrientSamplingStarFile": name("sampling.star"),
        "rlnCurrentIteration": state.iteration,
        "rlnNumberOfIterations": run.iterations,
        "rlnAdaptiveOversampleOrder": int(options.align),
        "rlnAdaptiveOversampleFraction": options.significant_fraction,
        "rlnRandomSeed": run.seed,
        "rlnParticleDiameter": options.mask_diameter_a,
        "rlnWidthMaskEdge": int(options.mask_edge_px),
        "rlnDoZeroMask": int(options.zero_mask),
        "rlnCoarseImageSize": state.coarse_size,
        "rlnMaximumCoarseImageSize": options.box,
        "rlnHighresLimitExpectation": -1.0 if options.e_step_limit_a is None else options.e_step_limit_a,
        "rlnIncrementImageSize": options.size_increment,
        "rlnDoFastSubsetOptimisation": int(run.fast_subsets),
        "rlnBestResolutionThusFar": model.shell / extent,
        "rlnDoSkipAlign": int(not options.align),
        "rlnOverallAccuracyRotations": float(model.accuracy_deg.min()) if state.iteration else UNKNOWN,
        "rlnOverallAccuracyTranslations": float(model.accuracy_px.min()) if state.iteration else UNKNOWN,
        "rlnChangesOptimalOrientations": changes.psi_deg,
        "rlnChangesOptimalOffsets": changes.offset_px,
        "rlnChangesOptimalClasses": changes.classes,
        "rlnSmallestChangesOrientations": changes.psi_deg,
        "rlnSmallestChangesOffsets": changes.offset_px,
        "rlnSmallestChangesClasses": int(changes.classes + 0.5),
        "rlnDoCorrectScale": int(len(run.groups) > 1),
        "rlnDoCorrectCtf": int(options.correct_ctf),
        "rlnDoIgnoreCtfUntilFirstPeak": int(options.first_peak),
        "rlnCtfDataArePhaseFlipped": int(options.phase_flipped),
    }
    return {
        label: values.get(label, "None" if given is None else given) for label, given in OPTIMISER.items()
    }
