"""Picks on any micrograph of a job, and what the strip below it states."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cryoflow.errors import CryoflowError
from cryoflow.files.mrc import write_mrc
from cryoflow.files.star import write_star
from cryoflow.view.diameter import DEFAULT_A, mask_diameter_px, particle_diameter_a
from cryoflow.view.legend import Legend, bar_length_a, fitted, legend_height, with_legend
from cryoflow.view.picks import choose, colour_scale, draw_micrographs, read_micrograph_list
from cryoflow.view.pictures import BLUE, INK, RED

PIXEL_A = 4.0


@pytest.fixture
def picked(tmp_path: Path) -> Path:
    """Project with two micrographs that have picks and one, m3, that has none."""
    names = [f"Movies/m{i}.mrc" for i in (1, 2, 3)]
    (tmp_path / "Movies").mkdir()
    for name in names:
        write_mrc(tmp_path / name, np.zeros((200, 240), np.float32), PIXEL_A)
    write_star(tmp_path / "mics.star", {"": pd.DataFrame({"rlnMicrographName": names})})
    job = tmp_path / "AutoPick/job010"
    (job / "Movies").mkdir(parents=True)
    (job / "coords_suffix_autopick.star").write_text("mics.star\n")
    for name, values in (("m1", [0.30, 0.35]), ("m2", [0.40])):
        rows = {"rlnCoordinateX": 100.0, "rlnCoordinateY": 60.0, "rlnAutopickFigureOfMerit": values}
        write_star(job / f"Movies/{name}_autopick.star", {"": pd.DataFrame(rows)})
    return tmp_path


def drawn(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_any_micrograph_can_be_drawn_also_one_without_picks(picked: Path) -> None:
    job = picked / "AutoPick/job010"
    known = read_micrograph_list(job, picked)
    assert [one.coordinates is None for one in known] == [False, False, True]
    chosen = choose(known, ["m3", "Movies/m2.mrc"])
    paths = draw_micrographs(job, picked, chosen, {"Mask diameter (A)": "160"})
    assert [path.name for path in paths] == ["picks_m3.png", "picks_m2.png"]
    assert not drawn(paths[0])[:200].any()
    assert tuple(drawn(paths[1])[60, 120]) == BLUE  # 80 A from the pick are 20 pixels
    with pytest.raises(CryoflowError, match=r"m9: not among the 3 micrographs, such as m1, m2, m3"):
        choose(known, ["m9"])


def test_micrographs_of_one_name_in_different_folders_get_a_picture_each(tmp_path: Path) -> None:
    names = ["Day1/001.mrc", "Day2/001.mrc"]
    job = tmp_path / "AutoPick/job010"
    for name, x in zip(names, (60.0, 180.0), strict=True):
        (tmp_path / name).parent.mkdir()
        write_mrc(tmp_path / name, np.zeros((200, 240), np.float32), PIXEL_A)
        (job / name).parent.mkdir(parents=True)
        rows = {"rlnCoordinateX": [x], "rlnCoordinateY": 100.0, "rlnAutopickFigureOfMerit": 0.3}
        write_star(job / name.replace(".mrc", "_autopick.star"), {"": pd.DataFrame(rows)})
    write_star(tmp_path / "mics.star", {"": pd.DataFrame({"rlnMicrographName": names})})
    (job / "coords_suffix_autopick.star").write_text("mics.star\n")
    known = read_micrograph_list(job, tmp_path)
    paths = draw_micrographs(job, tmp_path, known, {"Mask diameter (A)": "160"})
    assert len(set(paths)) == 2
    for path, x, other in zip(paths, (60, 180), (180, 60), strict=True):
        picture = drawn(path)
        assert picture[100, x + 20].any() and not picture[100, other + 20].any()


def test_micrographs_are_found_by_any_of_their_names(picked: Path) -> None:
    known = read_micrograph_list(picked / "AutoPick/job010", picked)
    for given in ("m2", "m2.mrc", "Movies/m2.mrc", "Micrographs/m2.mrc"):
        assert choose(known, [given, "m2"]) == [known[1]]


def test_colours_span_the_figures_of_merit_of_the_whole_job(picked: Path) -> None:
    job = picked / "AutoPick/job010"
    values = np.arange(101) / 100 + 0.3
    assert colour_scale([pd.DataFrame({"rlnAutopickFigureOfMerit": values})]) == pytest.approx((0.35, 1.25))
    assert colour_scale([pd.DataFrame({"rlnCoordinateX": [1.0]})]) is None
    red, blue = colour_scale([pd.DataFrame({"rlnAutopickFigureOfMerit": [0.7, 0.7]})]) or (0, 0)
    assert red < blue == 0.7
    (path,) = draw_micrographs(job, picked, choose(read_micrograph_list(job, picked), ["m1"]), {})
    around = drawn(path)[60, 100:140].reshape(-1, 3)
    # 0.35 of a job from 0.305 (5 %) to 0.395 (95 %) is halfway between red and blue
    assert (np.abs(around - (np.array(RED) + BLUE) / 2).max(1) <= 1).any()


def test_a_legend_leaves_the_picture_and_draws_its_bar_to_scale() -> None:
    picture = Image.new("RGB", (400, 100), (9, 9, 9))
    whole = np.asarray(with_legend(picture, Legend("m1.mrc", 3, 5.0, 160.0, (0.1, 0.9))))
    assert whole.shape == (100 + legend_height(), 400, 3) and (whole[:100] == 9).all()
    bar = (whole[100 + 4 + 2 * 16 + 7] == INK).all(-1)
    assert bar[4:104].all() and not bar[3] and not bar[104]  # 500 A of 2000 A at 5 A a pixel
    colours = whole[100 + 4 + 16 + 6, 4:84]
    assert tuple(colours[0]) == RED and tuple(colours[-1]) == BLUE


@pytest.mark.parametrize(("width", "length"), [(2000, 500), (1990, 200), (800, 200), (399, 50), (40, 10)])
def test_scale_bars_have_round_lengths(width: float, length: float) -> None:
    assert bar_length_a(width) == length


def test_long_names_are_shortened_in_the_middle() -> None:
    assert fitted("short", 400) == "short"
    short = fitted("a" * 40 + "b" * 40, 100)
    assert short.startswith("a") and short.endswith("b") and "…" in short and len(short) < 40


def test_circles_have_the_diameter_of_the_mask(tmp_path: Path) -> None:
    y, x = np.indices((40, 40)) - 20
    disc = (np.hypot(y, x) <= 12).astype(np.float32)
    assert mask_diameter_px(disc) == 25
    assert mask_diameter_px(np.ones((8, 8), np.float32)) is None
    corners = np.zeros((8, 8), np.float32)
    corners[7, 7] = 1
    assert mask_diameter_px(corners) is None
    write_mrc(tmp_path / "refs.mrcs", np.stack([disc, disc]), 3.0)
    settings = {"2D references:": "refs.mrcs", "Minimum inter-particle distance (A):": "90"}
    assert particle_diameter_a(settings, tmp_path) == 75
    assert particle_diameter_a(settings | {"Pixel size in references (A)": "2"}, tmp_path) == 50
    assert particle_diameter_a(settings | {"Mask diameter (A)": "180"}, tmp_path) == 180
    assert particle_diameter_a(settings | {"2D references:": "gone.mrcs"}, tmp_path) == 90
    log = {"OR: use Laplacian-of-Gaussian?": "Yes", "Max. diameter for LoG filter (A)": "210"}
    assert particle_diameter_a(settings | log, tmp_path) == 210
    assert particle_diameter_a({}, tmp_path) == DEFAULT_A
