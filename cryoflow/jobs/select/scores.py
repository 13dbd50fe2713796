"""Scores and apparent kinds of a model's classes: ``class_scores.star``.

A separate file, since RELION 3.0 refuses unknown labels. Columns of ``data_class_scores``,
which ``selection`` accepts like those of the model:

rlnClassNumber, rlnReferenceImage, rlnClassDistribution, rlnEstimatedResolution
    As the model has them.
cryoflowClassScore, cryoflowClassKind
    `cryoflow.learn.class_score.class_score` and `class_kinds`.
cryoflowHardCount
    Particles assigned to the class.
cryoflowContrast, cryoflowEdgeEnergy, cryoflowRoundness, cryoflowCentring, cryoflowSharpness
    `cryoflow.compute.select.class_features.ClassFeatures`.
cryoflowBrightness
    Doublings of its strength over the usual one, `cryoflow.learn.class_score.brightness`.
cryoflowLogSsnr
    Mean log10 of the signal-to-noise ratio over the resolved shells.
cryoflowHalfSetResolution
    A; detail to which the averages of two halves of the class correlate 0.9 or more (inf: none). Only where
    the classification compared halves. It has no weight in the score: the halves share poses, by which noise
    agrees as well.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from cryoflow.compute.select.class_features import class_features
from cryoflow.errors import CryoflowError, FileError
from cryoflow.files.mrc import read_header, read_images, split_image_name
from cryoflow.files.star import StarStyle, write_star
from cryoflow.files.tables import read_particles
from cryoflow.jobs.inputs.relocated import image_beside, stacks_of
from cryoflow.jobs.select.model import ClassModel, class_numbers, data_beside, read_model
from cryoflow.jobs.select.output import Output
from cryoflow.learn.class_score import KINDS, ClassEvidence, brightness, class_kinds, class_score
from cryoflow.project.context import JobContext

SCORE, KIND = "cryoflowClassScore", "cryoflowClassKind"
LEAST_BOX = 8
UNRESOLVED = -3.0
"""Value for the logarithm of zero signal."""


def score_classes(context: JobContext, model: ClassModel, number: npt.NDArray[np.int64]) -> pd.DataFrame:
    """Score every class average of a model.

    Parameters
    ----------
    context : JobContext
    model : ClassModel
    number : ndarray
        Class number of each particle, from 1.

    Returns
    -------
    DataFrame
        One row per class, columns as in the module's docstring.

    Raises
    ------
    FileError
        When an average is missing or too small to judge.
    """
    names = [image_beside(context, str(name), model.path) for name in model.classes["rlnReferenceImage"]]
    context.reads(stacks_of(names))
    images = _read(context, model, names)
    pixel_a = model.pixel_size_a or read_header(context.project / split_image_name(names[0])[1]).pixel_size
    evidence = class_evidence(model, images, number, pixel_a)
    score = class_score(evidence)
    table = pd.DataFrame(
        {
            "rlnClassNumber": model.classes["rlnClassNumber"].to_numpy(),
            "rlnReferenceImage": names,
            SCORE: score.numpy(),
            KIND: class_kinds(evidence, score),
            "cryoflowHardCount": evidence.members.numpy(),
            **{
                name: model.classes[name].to_numpy()
                for name in ("rlnClassDistribution", "rlnEstimatedResolution")
                if name in model.classes.columns
            },
            "cryoflowContrast": evidence.features.contrast.numpy(),
            "cryoflowEdgeEnergy": evidence.features.edge_energy.numpy(),
            "cryoflowRoundness": evidence.features.roundness.numpy(),
            "cryoflowCentring": evidence.features.centring.numpy(),
            "cryoflowSharpness": evidence.features.sharpness.numpy(),
            "cryoflowBrightness": brightness(evidence).numpy(),
            "cryoflowLogSsnr": evidence.ssnr.numpy(),
        }
    )
    if model.half_set_resolution_a is not None:
        table["cryoflowHalfSetResolution"] = model.half_set_resolution_a
    return table


def scores_of_run(directory: Path, project: Path) -> pd.DataFrame | None:
    """Score the classes of a classification's last iteration; None where they cannot be scored."""
    models = sorted(directory.glob("run_*it[0-9][0-9][0-9]_model.star"), key=lambda path: path.stem[-9:-6])
    if not models:
        return None
    try:
        model = read_model(models[-1])
        number = class_numbers(read_particles(data_beside(models[-1])), model)
        return score_classes(JobContext(project, directory), model, number)
    except CryoflowError:
        return None


def _read(context: JobContext, model: ClassModel, names: list[str]) -> npt.NDArray[np.float32]:
    try:
        images = read_images(names, context.project)
    except FileError as error:
        raise FileError(model.path, f"names a class average that cannot be read: {error}") from error
    if min(images.shape[1:]) < LEAST_BOX:
        raise FileError(model.path, f"has class averages smaller than {LEAST_BOX} pixels, too small to score")
    return images


def class_evidence(
    model: ClassModel, images: npt.NDArray[np.float32], number: npt.NDArray[np.int64], pixel_a: float
) -> ClassEvidence:
    """Combine the evidence about each class."""
    box = images.shape[-1]
    radius = box / 2
    if model.mask_diameter_a and pixel_a > 0:
        radius = model.mask_diameter_a / 2 / pixel_a
    features = class_features(torch.from_numpy(images), radius)
    members = np.bincount(number, minlength=len(images) + 1)[1:]
    return ClassEvidence(
        torch.from_numpy(members),
        features,
        torch.tensor([_log_ssnr(spectrum) for spectrum in model.ssnr], dtype=torch.float64),
    )


def _log_ssnr(spectrum: npt.NDArray[np.float64] | None) -> float:
    """Mean of log10 of the signal-to-noise ratio over the first shells where data outweigh the prior."""
    if spectrum is None:
        return 0.0
    resolved = int((spectrum[1:] >= 1).cumprod().sum())
    return float(np.log10(spectrum[1 : resolved + 1]).mean()) if resolved else UNRESOLVED


def report_scores(context: JobContext, table: pd.DataFrame) -> None:
    """Report the apparent kinds of the classes."""
    for kind in KINDS:
        found = table["rlnClassNumber"][table[KIND] == kind]
        if len(found):
            context.report.say(f"classes by appearance, {kind}: {', '.join(map(str, found))}")


def write_scores(context: JobContext, table: pd.DataFrame, style: StarStyle) -> Output:
    """Write ``class_scores.star``."""
    target = context.directory / "class_scores.star"
    write_star(target, {"class_scores": table}, style)
    return Output(context.relative(target))
