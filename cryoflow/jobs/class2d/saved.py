"""Read the state of a run, ours or RELION's, from the files of one of its iterations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Tensor

from cryoflow.compute.class2d import Changes, Model, Particles, State
from cryoflow.compute.class2d.initialise import START_FREQUENCY
from cryoflow.compute.class2d.m_step.maximization import resolution_shell
from cryoflow.compute.class2d.sampling import round_away
from cryoflow.compute.class2d.state import Options
from cryoflow.files.mrc import read_images
from cryoflow.files.star import read_star
from cryoflow.files.tables import Table, pixel_size, read_particles
from cryoflow.jobs.class2d.star_blocks import block_of, find_file, numbers_of, read_block, table_of

SPECTRA = {
    "ssnr": "rlnSsnrMap",
    "tau2": "rlnReferenceTau2",
    "sigma2": "rlnReferenceSigma2",
    "coverage": "rlnFourierCompleteness",
}

CLASS_COLUMNS = ("rlnReferenceImage", "rlnClassDistribution", "rlnClassPriorOffsetX", "rlnClassPriorOffsetY")
NOISE_COLUMNS = ("rlnSpectralIndex", "rlnSigma2Noise")

LATER = "rlnSigmaOffsetsAngst"
"""Column of RELION 3.1 and later, whose models have offsets in A."""


class Saved(NamedTuple):
    """One iteration as stored on disk."""

    optimiser: Mapping[str, Any]
    general: Mapping[str, Any]
    sampling: Mapping[str, Any]
    table: Table
    group_names: tuple[str, ...]
    state: State
    options: Options
    paths: tuple[Path, ...]


def read_saved(path: Path, project: Path) -> Saved:
    """Read ``run_itNNN_optimiser.star`` and the files that it names.

    Parameters
    ----------
    path : Path
        The optimiser file.
    project : Path
        Names inside are relative to it; a missing file is searched for next to the optimiser.

    Raises
    ------
    FileError
        When a file is missing or lacks what is needed.
    """
    optimiser = read_block(path, "optimiser_general")
    names = {
        key: find_file(str(optimiser[key]), path, project)
        for key in ("rlnModelStarFile", "rlnExperimentalDataStarFile")
    }
    model_path = names["rlnModelStarFile"]
    table = read_particles(names["rlnExperimentalDataStarFile"])
    blocks = read_star(model_path)
    general = block_of(blocks, "model_general", model_path)
    iteration = int(optimiser["rlnCurrentIteration"])
    sampling_path = find_file(str(optimiser["rlnOrientSamplingStarFile"]), path, project)
    sampling = read_block(sampling_path, "sampling_general") if sampling_path.exists() else {}
    options = read_options(optimiser, general, sampling, float(pixel_size(table)[0]))
    model = _model(blocks, general, iteration, options, model_path, project)
    state = State(
        iteration, model, read_poses(table.rows), float(sampling.get("rlnSamplingPerturbInstance", 0.0)),
        int(general["rlnCurrentImageSize"]), int(optimiser.get("rlnCoarseImageSize", 0)),
        Changes(*(float(optimiser[f"rlnChangesOptimal{what}"]) for what in ("Orientations", "Offsets",
        "Classes"))),
    )  # fmt: skip
    groups = tuple(table_of(blocks, "model_groups", model_path, "rlnGroupName")["rlnGroupName"].astype(str))
    paths = (path, model_path, table.path, *([sampling_path] if sampling else []))
    return Saved(optimiser, general, sampling, table, groups, state, options, paths)


def read_options(
    optimiser: Mapping[str, Any],
    general: Mapping[str, Any],
    sampling: Mapping[str, Any],
    pixel_size_a: float,
) -> Options:
    """Fixed settings of the saved run."""
    unit = pixel_size_a if LATER in general else 1.0
    limit = float(optimiser.get("rlnHighresLimitExpectation", -1))
    return Options(
        box=int(general["rlnOriginalImageSize"]),
        pixel_size_a=pixel_size_a,
        mask_diameter_a=float(optimiser["rlnParticleDiameter"]),
        tau_fudge=float(general["rlnTau2FudgeFactor"]),
        correct_ctf=bool(optimiser["rlnDoCorrectCtf"]),
        phase_flipped=bool(optimiser["rlnCtfDataArePhaseFlipped"]),
        first_peak=bool(optimiser["rlnDoIgnoreCtfUntilFirstPeak"]),
        zero_mask=bool(optimiser["rlnDoZeroMask"]),
        align=not bool(optimiser["rlnDoSkipAlign"]),
        psi_step_deg=float(sampling.get("rlnPsiStep", 12.0)),
        offset_range_px=float(sampling.get("rlnOffsetRange", 5 * unit)) / unit,
        offset_step_px=float(sampling.get("rlnOffsetStep", 2 * unit)) / unit,
        e_step_limit_a=limit if limit > 0 else None,
        mask_edge_px=float(optimiser.get("rlnWidthMaskEdge", 5)),
    )


def read_poses(rows: pd.DataFrame) -> Particles:
    """Poses and statistics of particles; missing columns get neutral values."""

    def column(name: str, default: float) -> Tensor:
        if name not in rows.columns:
            return torch.full((len(rows),), default, dtype=torch.float64)
        return torch.as_tensor(rows[name].to_numpy(dtype=float, copy=True), dtype=torch.float64)

    return Particles(
        psi_deg=column("rlnAnglePsi", 0),
        offset_px=torch.stack((column("rlnOriginY", 0), column("rlnOriginX", 0)), 1),
        class_index=column("rlnClassNumber", 0).long() - 1,
        norm=column("rlnNormCorrection", 1),
        log_likelihood=column("rlnLogLikeliContribution", 0),
        pmax=column("rlnMaxValueProbDistribution", 0),
        significant=column("rlnNrOfSignificantSamples", 0).long(),
    )


def _model(
    blocks: Mapping[str, Any],
    general: Mapping[str, Any],
    iteration: int,
    options: Options,
    path: Path,
    project: Path,
) -> Model:
    unit, suffix = (options.pixel_size_a, "Angst") if LATER in general else (1.0, "")
    accuracy = ("rlnAccuracyRotations", f"rlnAccuracyTranslations{suffix}")
    classes = table_of(blocks, "model_classes", path, *CLASS_COLUMNS, *accuracy)
    groups = table_of(blocks, "model_groups", path, "rlnGroupScaleCorrection")
    tables = [table_of(blocks, f"model_class_{k + 1}", path, *SPECTRA.values()) for k in range(len(classes))]
    spectra = {
        key: torch.stack([numbers_of(table, label) for table in tables]) for key, label in SPECTRA.items()
    }
    start = round_away(START_FREQUENCY * options.box)
    sigma_offset = float(general[f"rlnSigmaOffsets{suffix}"]) / unit
    return Model(
        references=_references(classes, path, project),
        share=numbers_of(classes, "rlnClassDistribution"),
        class_offset=torch.stack([numbers_of(classes, f"rlnClassPriorOffset{a}") for a in "YX"], 1) / unit,
        **spectra,
        noise=torch.stack([_noise(blocks, g + 1, options, path) for g in range(len(groups))]),
        scale=numbers_of(groups, "rlnGroupScaleCorrection"),
        norm_mean=float(general["rlnNormCorrectionAverage"]),
        offset_variance=sigma_offset**2,
        shell=resolution_shell(spectra["ssnr"], options) if iteration > 0 else start,
        log_likelihood=float(general["rlnLogLikelihood"]),
        mean_pmax=float(general["rlnAveragePmax"]),
        accuracy_deg=numbers_of(classes, accuracy[0]),
        accuracy_px=numbers_of(classes, accuracy[1]) / unit,
        orientability=torch.zeros_like(spectra["ssnr"]),
    )


def _references(classes: pd.DataFrame, path: Path, project: Path) -> Tensor:
    names = [str(name) for name in classes["rlnReferenceImage"]]
    images = []
    for name in names:
        number, _, stack = name.partition("@")
        found = find_file(stack, path, project)
        images.append(f"{number}@{found}")
    return torch.from_numpy(read_images(images, project)).double()


def _noise(blocks: Mapping[str, Any], group: int, options: Options, path: Path) -> Tensor:
    own = f"model_group_{group}"  # later versions have one spectrum for all groups of an optics group
    table = table_of(blocks, own if own in blocks else "model_optics_group_1", path, *NOISE_COLUMNS)
    out = torch.full((options.shells,), 1e-12, dtype=torch.float64)
    out[torch.as_tensor(table["rlnSpectralIndex"].to_numpy(dtype=int, copy=True))] = numbers_of(
        table, "rlnSigma2Noise"
    )
    return out
