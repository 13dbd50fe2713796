"""The pictures of each job type: one function a job, of its directory and the project root."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt
import pandas as pd

from cryoflow.errors import CryoflowError
from cryoflow.files.coordinates import read_coordinate_list, read_coordinates, read_suffix_file
from cryoflow.files.job_paths import stem_below_job
from cryoflow.files.mrc import read_header, read_image, read_images
from cryoflow.files.star import read_star, table_block
from cryoflow.files.tables import pixel_size, read_micrographs, read_particles
from cryoflow.files.vocabulary import SAME_SIZE
from cryoflow.view.classification import convergence_picture, history_picture
from cryoflow.view.contact import Part, contact_sheet, parts
from cryoflow.view.grey import smooth
from cryoflow.view.particle_scores import score_parts, scores_picture
from cryoflow.view.pick_statistics import draw_pick_statistics
from cryoflow.view.pictures import SMOOTHING_A, Circles, micrograph_picture, save, sheet

MICROGRAPHS, PARTICLES = 3, 100
"""Maximum number of micrographs and particles shown."""

PARTICLE_SMOOTHING = 5.0
"""Wavelength at which smoothing halves the contrast of particles, pixels."""


def draw_picks(directory: Path, project: Path) -> list[Path]:
    """Diagrams, and circles on the first micrographs coloured by figure of merit: blue at 1, red at 0."""
    picked = read_coordinate_list(directory / "coords_suffix_autopick.star", project)
    settings = read_settings(directory)
    distance = float(settings.get("Minimum inter-particle distance (A):", 0)) or 100.0
    pictures, told = _picture_names([name for name, _ in picked]), _table_pixels(directory, project)
    shown = zip(picked[:MICROGRAPHS], pictures, strict=False)
    drawn = [_draw_picks_on(*pick, directory / name, project, distance, told) for pick, name in shown]
    if picked:
        threshold = settings.get("Picking threshold:")
        diagrams = draw_pick_statistics(
            [path for _, path in picked],
            directory / "thresholds.star",
            None if threshold is None else float(threshold),
        )
        drawn.append(save(diagrams, directory / "statistics.png"))
    return drawn


def _table_pixels(directory: Path, project: Path) -> dict[str, float]:
    """Pixel size of each micrograph in A, as the table that was picked from states it."""
    try:
        table = read_micrographs(project / read_suffix_file(directory / "coords_suffix_autopick.star"))
        return dict(zip(table.rows["rlnMicrographName"], pixel_size(table).tolist(), strict=True))
    except CryoflowError:
        return {}


def _pixel_size(micrograph: Path, told: float | None) -> float:
    """The header's, unless nobody has set that or the table has another."""
    header = read_header(micrograph).known_pixel_size
    if header is None or (told is not None and abs(header - told) > SAME_SIZE * told):
        return told or 1.0
    return header


def _picture_names(micrographs: list[str]) -> list[str]:
    """What the pictures of picks are called; those of micrographs of one name lie in folders as these do."""
    stems = [PurePosixPath(stem_below_job(name)) for name in micrographs]
    names = Counter(stem.name for stem in stems)
    return [
        f"picks_{stem.name}.png" if names[stem.name] == 1 else f"{stem.parent}/picks_{stem.name}.png"
        for stem in stems
    ]


def _draw_picks_on(
    name: str, coordinates: Path, target: Path, project: Path, distance: float, told: dict[str, float]
) -> Path:
    table = read_coordinates(coordinates)
    pixel = _pixel_size(project / name, told.get(name))
    values = table.get("rlnAutopickFigureOfMerit")
    circles = Circles(
        table[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy(float),
        distance / 2 / pixel,
        None if values is None else values.to_numpy(float),
    )
    picture = micrograph_picture(read_image(project / name), circles, resolution=SMOOTHING_A / pixel)
    return save(picture, target)


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


def draw_classes(directory: Path, project: Path) -> list[Path]:
    """Class averages of the last iteration, the most populated first, and the course of the run."""
    models = sorted(directory.glob("run_*it[0-9][0-9][0-9]_model.star"), key=lambda path: path.stem[-9:-6])
    if not models:
        return []
    root = models[-1].name.partition("_it")[0]
    pictures = {
        "classes_history.png": history_picture(directory, root),
        "convergence.png": convergence_picture(directory, root),
    }
    drawn = [save(picture, directory / name) for name, picture in pictures.items() if picture is not None]
    return [_draw_model(models[-1], (), directory, project), *drawn]


def draw_selected(directory: Path, project: Path) -> list[Path]:
    """All classes with the selected ones framed, or a sheet of the selected particles."""
    model = read_settings(directory).get("Select classes from model.star:", "")
    backup = directory / "backup_selection.star"
    if model and backup.exists():
        (flags,) = (block for block in read_star(backup).values() if isinstance(block, pd.DataFrame))
        chosen = np.flatnonzero(flags["rlnSelected"].to_numpy(int))
        return [_draw_model(project / model, chosen.tolist(), directory, project)]
    return draw_extracted(directory, project) if (directory / "particles.star").exists() else []


def _draw_model(model: Path, chosen: list[int] | tuple[()], directory: Path, project: Path) -> Path:
    """Draw the classes that have particles, the largest first; ``chosen`` counts from 0."""
    classes = read_star(model)["model_classes"]
    assert isinstance(classes, pd.DataFrame)
    share = classes["rlnClassDistribution"].to_numpy(float)
    order = np.argsort(-share, kind="stable")[: max(1, np.count_nonzero(share))]
    scores = read_scores(directory)
    names = (classes if scores is None else scores)["rlnReferenceImage"]
    images = read_images(names.iloc[order].tolist(), project)
    captions = [f"{index + 1}: {100 * share[index]:.1f} %" for index in order]
    if scores is not None:
        values, kinds = scores["cryoflowClassScore"].astype(float), scores["cryoflowClassKind"]
        captions = [
            f"{text}\n{values[k]:.2f} {kinds[k]}" for text, k in zip(captions, order.tolist(), strict=True)
        ]
    framed = {place for place, index in enumerate(order) if index in set(chosen)}
    columns = max(1, min(10, round(np.sqrt(1.6 * len(images)))))
    return save(sheet(images, columns, _side(images, 96), captions, framed), directory / "classes.png")


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
    noisy = read_images(rows["rlnImageName"].tolist(), project)
    return np.stack([smooth(image, PARTICLE_SMOOTHING) for image in noisy])


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
