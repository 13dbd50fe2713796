"""The pictures of each job type: one function per job type, of job directory and project root."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from cryoflow.files.mrc import read_header, read_images, split_image_name
from cryoflow.files.star import read_star, table_block
from cryoflow.files.tables import read_particles
from cryoflow.view.classification import convergence_picture, history_picture
from cryoflow.view.contact import Part, contact_sheet, parts
from cryoflow.view.grey import smooth
from cryoflow.view.particle_scores import score_parts, scores_picture
from cryoflow.view.pick_statistics import draw_pick_statistics
from cryoflow.view.picks import draw_micrographs, read_micrograph_list
from cryoflow.view.pictures import SMOOTHING_A, save, sheet

MICROGRAPHS, PARTICLES = 3, 100
"""Maximum number of micrographs and particles shown."""

LEAST_SMOOTHING_PX = 5.0
"""Particles of larger pixels are smoothed more than `SMOOTHING_A`: single pixels show only noise."""


def draw_picks(directory: Path, project: Path) -> list[Path]:
    """Charts, and the picks on the first micrographs that have any."""
    settings = read_settings(directory)
    picked = [one for one in read_micrograph_list(directory, project) if one.coordinates is not None]
    drawn = draw_micrographs(directory, project, picked[:MICROGRAPHS], settings)
    if picked:
        threshold = settings.get("Picking threshold:")
        charts = draw_pick_statistics(
            [one.coordinates for one in picked if one.coordinates is not None],
            directory / "thresholds.star",
            None if threshold is None else float(threshold),
        )
        drawn.append(save(charts, directory / "statistics.png"))
    return drawn


def draw_extracted(directory: Path, project: Path) -> list[Path]:
    """A sheet of particles sampled evenly from the table, and one of the first, best and worst."""
    table = directory / "particles.star"
    drawn = _draw_particles(table, project, {"particles.png": _spread})
    found = parts(read_particles(table).rows)
    if found:
        drawn.append(_draw_parts(found, project, directory / "contact.png"))
    return drawn


def draw_sorted(directory: Path, project: Path) -> list[Path]:
    """The best and the worst particles by Z-score, best and worst first, and the learnt scores."""
    best, worst = (_by_score(ascending) for ascending in (True, False))
    pictures = {"sorted_best.png": best, "sorted_worst.png": worst}
    drawn = _draw_particles(directory / "particles_sort.star", project, pictures)
    report, scores = directory / "scores_report.star", directory / "particles_scores.star"
    if drawn and report.exists():
        drawn.append(save(scores_picture(report), directory / "scores.png"))
        found = score_parts(table_block(scores, read_star(scores), ""))
        drawn.append(_draw_parts(found, project, directory / "scores_particles.png"))
    return drawn


def _draw_parts(found: list[Part], project: Path, path: Path) -> Path:
    images = [_smoothed(part.rows, project) for part in found]
    return save(contact_sheet(found, images, _side(images[0], 64)), path)


def draw_classes(directory: Path, project: Path, scores: pd.DataFrame | None = None) -> list[Path]:
    """Class averages of the last iteration, the most populated first, and the course of the run.

    Parameters
    ----------
    directory, project : Path
    scores : DataFrame, optional
        ``cryoflowClassScore`` and ``cryoflowClassKind`` of each class.
    """
    model = last_model(directory)
    if model is None:
        return []
    root = model.name.partition("_it")[0]
    pictures = {
        "classes_history.png": history_picture(directory, root),
        "convergence.png": convergence_picture(directory, root),
    }
    drawn = [save(picture, directory / name) for name, picture in pictures.items() if picture is not None]
    return [_draw_model(model, (), directory, project, scores), *drawn]


def last_model(directory: Path) -> Path | None:
    """``run_itNNN_model.star`` of a classification's last iteration; None if there is none."""
    models = sorted(directory.glob("run_*it[0-9][0-9][0-9]_model.star"), key=lambda path: path.stem[-9:-6])
    return models[-1] if models else None


def draw_selected(directory: Path, project: Path) -> list[Path]:
    """All classes with the selected ones framed, or a sheet of the selected particles."""
    model = read_settings(directory).get("Select classes from model.star:", "")
    backup = directory / "backup_selection.star"
    if model and backup.exists():
        (flags,) = (block for block in read_star(backup).values() if isinstance(block, pd.DataFrame))
        chosen = np.flatnonzero(flags["rlnSelected"].to_numpy(int))
        return [_draw_model(project / model, chosen.tolist(), directory, project, read_scores(directory))]
    return draw_extracted(directory, project) if (directory / "particles.star").exists() else []


def _draw_model(
    model: Path, chosen: Sequence[int], directory: Path, project: Path, scores: pd.DataFrame | None
) -> Path:
    """Draw the classes that have particles, the largest first; ``chosen`` counts from 0."""
    classes = read_star(model)["model_classes"]
    assert isinstance(classes, pd.DataFrame)
    share = classes["rlnClassDistribution"].to_numpy(float)
    order = np.argsort(-share, kind="stable")[: max(1, np.count_nonzero(share))].tolist()
    names = (classes if scores is None else scores)["rlnReferenceImage"]
    images = read_images(names.iloc[order].tolist(), project)
    captions = [class_caption(classes, scores, index) for index in order]
    framed = {place for place, index in enumerate(order) if index in set(chosen)}
    columns = max(1, min(10, round(np.sqrt(1.6 * len(images)))))
    return save(sheet(images, columns, _side(images, 96), captions, framed), directory / "classes.png")


def class_caption(classes: pd.DataFrame, scores: pd.DataFrame | None, index: int) -> str:
    """Return number, share, resolution and score of a class, as far as they are known."""
    row = classes.iloc[index]
    text = f"{index + 1}: {100 * float(row['rlnClassDistribution']):.1f} %"
    resolution = float(row.get("rlnEstimatedResolution", np.nan))
    if np.isfinite(resolution):
        text += f", {resolution:.3g} A"
    if scores is not None:
        score = scores.iloc[index]
        text += f"\n{float(score['cryoflowClassScore']):.2f} {score['cryoflowClassKind']}"
    return text


def read_scores(directory: Path) -> pd.DataFrame | None:
    """The class scores that a selection wrote, with the names of the averages as it found them."""
    path = directory / "class_scores.star"
    table = read_star(path)["class_scores"] if path.exists() else None
    return table if isinstance(table, pd.DataFrame) else None


def _draw_particles(
    table: Path, project: Path, pictures: dict[str, Callable[[pd.DataFrame], pd.DataFrame]]
) -> list[Path]:
    rows = read_particles(table).rows
    if rows.empty or "rlnImageName" not in rows.columns:
        return []
    drawn = []
    for name, choose in pictures.items():
        images = _smoothed(choose(rows), project)
        drawn.append(save(sheet(images, 10, _side(images, 64)), table.parent / name))
    return drawn


def _smoothed(rows: pd.DataFrame, project: Path) -> npt.NDArray[np.float32]:
    names = rows["rlnImageName"].tolist()
    pixel_a = read_header(project / split_image_name(names[0])[1]).pixel_size or 1.0
    smoothing = max(SMOOTHING_A / pixel_a, LEAST_SMOOTHING_PX)
    return np.stack([smooth(image, smoothing) for image in read_images(names, project)])


def _spread(rows: pd.DataFrame) -> pd.DataFrame:
    step = max(1, len(rows) // PARTICLES)
    return rows.iloc[::step][:PARTICLES]


def _by_score(ascending: bool) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def choose(rows: pd.DataFrame) -> pd.DataFrame:
        return rows.sort_values("rlnParticleSelectZScore", ascending=ascending, kind="stable")[:PARTICLES]

    return choose


def _side(images: npt.NDArray[np.float32], least: int) -> int:
    return int(np.clip(images.shape[-1], least, 128))


def read_settings(directory: Path) -> dict[str, str]:
    """The job's fields by label, from ``run.job``; empty if there is none."""
    path = directory / "run.job"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {label.strip(): value.strip() for label, _, value in (line.partition(" == ") for line in lines)}
