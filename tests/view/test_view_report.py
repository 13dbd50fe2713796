"""Reports of jobs, from the files that jobs leave."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cryoflow.files.mrc import join_image_name, write_mrc
from cryoflow.files.star import write_star
from cryoflow.view.draw import (
    class_caption,
    draw_classes,
    draw_extracted,
    draw_picks,
    draw_selected,
    draw_sorted,
)
from cryoflow.view.legend import legend_height
from cryoflow.view.pick_statistics import draw_pick_statistics, fom_histogram
from cryoflow.view.pictures import BLUE, RED, sheet_corner


def load(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_picks_are_drawn_for_the_micrographs_that_have_any(tmp_path: Path) -> None:
    names = [f"MotionCorr/job002/Movies/m{i}.mrc" for i in (1, 2)]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_mrc(tmp_path / name, np.zeros((200, 240), np.float32), 4.0)
    write_star(tmp_path / "mics.star", {"": pd.DataFrame({"rlnMicrographName": names})})
    job = tmp_path / "AutoPick/job010"
    (job / "Movies").mkdir(parents=True)
    (job / "coords_suffix_autopick.star").write_text("mics.star\n")
    (job / "run.job").write_text("job_type == 4\nMinimum inter-particle distance (A): == 160\n")
    picks = {"rlnCoordinateX": [100.0], "rlnCoordinateY": [60.0], "rlnAutopickFigureOfMerit": [1.2]}
    write_star(job / "Movies/m2_autopick.star", {"": pd.DataFrame(picks)})
    assert draw_picks(job, tmp_path) == [job / "picks_m2.png", job / "statistics.png"]
    drawn = load(job / "picks_m2.png")
    assert drawn.shape == (200 + legend_height(), 240, 3)
    assert tuple(drawn[60, 120]) == BLUE and tuple(drawn[40, 100]) == BLUE  # 80 A are 20 pixels


def test_figures_of_merit_are_counted_and_the_few_far_ones_held() -> None:
    values = np.concatenate((np.repeat([0.1, 0.5, 0.9], (50, 200, 150)), [40.0]))
    ((_, counts),) = (histogram := fom_histogram(values)).series
    assert counts.sum() == 401 and counts[0] == 50 and counts[-1] == 151
    assert histogram.title == "Figures of merit of 401 picks; the outermost bins hold 1 from beyond"
    assert 0.1 < histogram.x[0] < 0.12 and 0.88 < histogram.x[-1] < 0.9
    assert fom_histogram(np.array([2.0])).series[0][1].sum() == 1


def test_picks_without_figures_of_merit_are_counted(tmp_path: Path) -> None:
    for name, count in (("a", 3), ("b", 1)):
        write_star(
            tmp_path / name, {"": pd.DataFrame({"rlnCoordinateX": [1.0] * count, "rlnCoordinateY": 2.0})}
        )
    picture = draw_pick_statistics([tmp_path / "a", tmp_path / "b"])
    table = pd.DataFrame(
        {"rlnCoordinateX": [1.0], "rlnCoordinateY": [2.0], "rlnAutopickFigureOfMerit": [0.3]}
    )
    write_star(tmp_path / "b", {"": table})
    assert draw_pick_statistics([tmp_path / "a", tmp_path / "b"]).height > picture.height


def particles(project: Path, table: Path, count: int, **columns: object) -> pd.DataFrame:
    """Particle i is dark but for a bright pixel row i % 8."""
    images = np.zeros((count, 8, 8), np.float32)
    images[np.arange(count), np.arange(count) % 8] = 1
    write_mrc(project / "stack.mrcs", images, 3.0)
    rows = pd.DataFrame({"rlnImageName": [join_image_name(i, "stack.mrcs") for i in range(count)], **columns})
    table.parent.mkdir(parents=True)
    write_star(table, {"": rows})
    return rows


def bright_row(path: Path, place: int) -> int:
    """Which of the eight rows of an image in a sheet is bright."""
    drawn = load(path).mean(-1)
    x, y = sheet_corner(*divmod(place, 10), 64, False)
    return int(drawn[y : y + 64, x : x + 64].mean(1).reshape(8, 8).mean(1).argmax())


def test_extracted_particles_come_from_all_over_the_table(tmp_path: Path) -> None:
    particles(tmp_path, tmp_path / "Extract/job012/particles.star", 250)
    (path,) = draw_extracted(tmp_path / "Extract/job012", tmp_path)
    assert path.name == "particles.png" and load(path).shape == (700, 700, 3)
    assert [bright_row(path, place) for place in (0, 1, 2, 99)] == [0, 2, 4, 198 % 8]


def test_sorted_particles_come_best_and_worst_first(tmp_path: Path) -> None:
    scores = [3.0, 0.5, 2.0, 0.1, 1.0]
    particles(tmp_path, tmp_path / "Sort/job013/particles_sort.star", 5, rlnParticleSelectZScore=scores)
    best, worst = draw_sorted(tmp_path / "Sort/job013", tmp_path)
    assert [bright_row(best, place) for place in range(5)] == [3, 1, 4, 2, 0]
    assert [bright_row(worst, place) for place in range(5)] == [0, 2, 4, 1, 3]


def score_tables(job: Path, log_odds: list[float]) -> None:
    names = [join_image_name(i, "stack.mrcs") for i in range(len(log_odds))]
    chances = [1 / (1 + np.exp(-value)) for value in log_odds]
    scores = {"rlnImageName": names, "cryoflowProbability": chances, "cryoflowLogOdds": log_odds}
    write_star(job / "particles_scores.star", {"": pd.DataFrame(scores)})
    peaks = {"cryoflowNcc": [1.0, 2.0, 3.0], "cryoflowTargets": [5, 2, 4], "cryoflowDecoys": [5, 1, 0]}
    by_chance = {"cryoflowProbability": [0.25, 0.75], "cryoflowParticles": [3, 2]}
    moved = {"cryoflowFeature": ["ncc", "z"], "cryoflowImportance": [2.0, 0.5]}
    blocks = {"histogram": peaks, "probability": by_chance, "importance": moved}
    write_star(job / "scores_report.star", {name: pd.DataFrame(rows) for name, rows in blocks.items()})


def test_learnt_scores_show_the_best_the_borderline_and_the_worst(tmp_path: Path) -> None:
    job, count = tmp_path / "Sort/job013", 50
    particles(tmp_path, job / "particles_sort.star", count, rlnParticleSelectZScore=[0.0] * count)
    score_tables(job, [float(place - 20) for place in range(count)])
    names = [path.name for path in draw_sorted(job, tmp_path)]
    assert names == ["sorted_best.png", "sorted_worst.png", "scores.png", "scores_particles.png"]
    drawn, height = load(job / "scores_particles.png").mean(-1), 20 + 2 * (64 + 2 * 3 + 15)
    assert drawn.shape == (3 * height, 10 * 70)

    def first(part: int) -> int:
        top = part * height + 20 + 3
        return int(drawn[top : top + 64, 3:67].mean(1).reshape(8, 8).mean(1).argmax())

    assert [first(part) for part in range(3)] == [49 % 8, 29 % 8, 0]


def model(project: Path, path: Path, shares: list[float]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    stack = path.with_name(path.name.replace("_model.star", "_classes.mrcs"))
    images = np.zeros((len(shares), 8, 8), np.float32)
    images[np.arange(len(shares)), np.arange(len(shares))] = 1
    write_mrc(stack, images, 3.0)
    names = [join_image_name(i, stack.relative_to(project)) for i in range(len(shares))]
    classes = pd.DataFrame({"rlnReferenceImage": names, "rlnClassDistribution": shares})
    write_star(path, {"model_general": {"rlnNrClasses": len(shares)}, "model_classes": classes})


def class_row(path: Path, place: int, columns: int) -> int:
    drawn = load(path).mean(-1)
    x, y = sheet_corner(*divmod(place, columns), 96, True)
    return int(drawn[y : y + 96, x : x + 96].mean(1).reshape(8, 12).mean(1).argmax())


def test_classes_of_the_last_iteration_come_by_falling_share(tmp_path: Path) -> None:
    job = tmp_path / "Class2D/job015"
    model(tmp_path, job / "run_it009_model.star", [0.9, 0.05, 0.05])
    model(tmp_path, job / "run_ct9_it010_model.star", [0.2, 0.5, 0.3])
    assert draw_classes(job, tmp_path) == [job / "classes.png"]
    assert [class_row(job / "classes.png", place, 2) for place in range(3)] == [1, 2, 0]


def test_the_chosen_classes_are_framed(tmp_path: Path) -> None:
    model(tmp_path, tmp_path / "Class2D/job015/run_it025_model.star", [0.2, 0.5, 0.3])
    job = tmp_path / "Select/job016"
    job.mkdir(parents=True)
    (job / "run.job").write_text("Select classes from model.star: == Class2D/job015/run_it025_model.star\n")
    write_star(job / "backup_selection.star", {"": pd.DataFrame({"rlnSelected": [1, 0, 1]})})
    assert draw_selected(job, tmp_path) == [job / "classes.png"]
    drawn = load(job / "classes.png")
    corners = [sheet_corner(*divmod(place, 2), 96, True) for place in range(3)]
    framed = [tuple(drawn[y - 2, x + 30]) == RED for x, y in corners]
    assert framed == [False, True, True]  # by share: classes 2, 3, 1


def test_classes_carry_number_share_resolution_and_score() -> None:
    classes = pd.DataFrame(
        {"rlnClassDistribution": [0.25, 0.125], "rlnEstimatedResolution": [17.116, np.inf]},
    )
    assert class_caption(classes, None, 0) == "1: 25.0 %, 17.1 A"
    scores = pd.DataFrame({"cryoflowClassScore": [0.9, 0.124], "cryoflowClassKind": ["particle", "ice"]})
    assert class_caption(classes, scores, 1) == "2: 12.5 %\n0.12 ice"


def test_scores_of_a_classification_stand_under_its_classes(tmp_path: Path) -> None:
    job = tmp_path / "Class2D/job015"
    model(tmp_path, job / "run_it025_model.star", [0.2, 0.8])
    names = [join_image_name(k, "Class2D/job015/run_it025_classes.mrcs") for k in range(2)]
    scores = {"cryoflowClassScore": [0.9, 0.1], "cryoflowClassKind": ["particle", "ice"]}
    draw_classes(job, tmp_path, pd.DataFrame({"rlnReferenceImage": names, **scores}))
    assert load(job / "classes.png").shape == (96 + 2 * 3 + 2 * 15, 2 * (96 + 2 * 3), 3)


def test_class_scores_stand_under_the_classes(tmp_path: Path) -> None:
    model(tmp_path, tmp_path / "Class2D/job015/run_it025_model.star", [0.2, 0.5, 0.3])
    job = tmp_path / "Select/job016"
    job.mkdir(parents=True)
    (job / "run.job").write_text("Select classes from model.star: == Class2D/job015/run_it025_model.star\n")
    write_star(job / "backup_selection.star", {"": pd.DataFrame({"rlnSelected": [1, 0, 1]})})
    scores = {"cryoflowClassScore": [0.9, 0.1, 0.7], "cryoflowClassKind": ["particle", "ice", "particle"]}
    names = [join_image_name(k, "Class2D/job015/run_it025_classes.mrcs") for k in range(3)]
    table = pd.DataFrame({"rlnReferenceImage": names, **scores})
    write_star(job / "class_scores.star", {"class_scores": table})
    (path,) = draw_selected(job, tmp_path)
    drawn = load(path)
    assert drawn.shape == (2 * (96 + 2 * 3 + 2 * 15), 2 * (96 + 2 * 3), 3)
    corners = [sheet_corner(*divmod(place, 2), 96, 2) for place in range(3)]
    assert [tuple(drawn[y - 2, x + 30]) == RED for x, y in corners] == [False, True, True]
    below = [drawn[y + 96 + 3 + 16 : y + 96 + 3 + 29, x : x + 96] for x, y in corners]
    assert all((line > 150).any() for line in below)  # the second line


def test_the_contact_sheet_shows_the_first_the_best_and_the_worst(tmp_path: Path) -> None:
    job, scores = tmp_path / "Extract/job012", [0.3, 0.9, 0.1, 0.5, 0.7]
    particles(tmp_path, job / "particles.star", 5, rlnAutopickFigureOfMerit=scores)
    sheet_of, contact = draw_extracted(job, tmp_path)
    assert sheet_of.name == "particles.png" and contact.name == "contact.png"
    drawn, height = load(contact).mean(-1), 20 + 64 + 2 * 3 + 15
    assert drawn.shape == (3 * height, 10 * 70)

    def rows(part: int) -> list[int]:
        top = part * height + 20 + 3
        tiles = (drawn[top : top + 64, 3 + 70 * place :][:, :64] for place in range(5))
        return [int(tile.mean(1).reshape(8, 8).mean(1).argmax()) for tile in tiles]

    assert [rows(part) for part in range(3)] == [[0, 1, 2, 3, 4], [1, 4, 3, 0, 2], [2, 0, 3, 4, 1]]


def test_selected_particles_are_a_sheet(tmp_path: Path) -> None:
    particles(tmp_path, tmp_path / "Select/job014/particles.star", 3)
    (path,) = draw_selected(tmp_path / "Select/job014", tmp_path)
    assert path.name == "particles.png"


def test_particles_without_images_have_no_sheet(tmp_path: Path) -> None:
    table = tmp_path / "Select/job014/particles.star"
    rows = particles(tmp_path, table, 3, rlnAutopickFigureOfMerit=[0.1, 0.2, 0.3])
    write_star(table, {"": rows.drop(columns="rlnImageName")})
    assert draw_selected(table.parent, tmp_path) == []


@pytest.mark.parametrize("draw", [draw_selected, draw_classes])
def test_jobs_without_pictures_have_none(tmp_path: Path, draw: Callable[[Path, Path], list[Path]]) -> None:
    assert draw(tmp_path, tmp_path) == []


def test_a_report_needs_no_torch_and_the_package_nothing_heavy() -> None:
    code = "import sys, cryoflow.view; assert not {'numpy', 'PIL', 'torch'} & set(sys.modules)"
    code += "; import cryoflow.view.draw; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
