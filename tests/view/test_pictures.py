"""Pictures: what is drawn lies where it should and has the colour it should."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cryoflow.view.grey import bin_image, smooth, stretch
from cryoflow.view.pictures import (
    BACKGROUND,
    BLUE,
    GREEN,
    RED,
    Circles,
    micrograph_picture,
    open_picture,
    sheet,
    sheet_corner,
    side_by_side,
    value_colours,
)


def pixels(picture: object) -> np.ndarray:
    return np.asarray(picture)


def test_binning_takes_means_and_cuts_the_rest() -> None:
    image = np.arange(35, dtype=np.float32).reshape(5, 7)
    np.testing.assert_allclose(bin_image(image, 3), [[image[:3, :3].mean(), image[:3, 3:6].mean()]])


@pytest.mark.parametrize("wavelength", [12.0, 20.0])
def test_smoothing_halves_a_wave_of_the_given_length(wavelength: float) -> None:
    x = np.arange(400)
    wave = np.tile(np.cos(2 * np.pi * x / wavelength), (5, 1)).astype(np.float32)
    assert np.isclose(smooth(wave, wavelength)[2, 100:300].max(), 0.5, atol=0.02)


def test_stretching_spans_the_range() -> None:
    image = np.linspace(-3, 5, 201, dtype=np.float32).reshape(3, 67)
    grey = stretch(image, 0, 100)
    assert grey[0, 0] == 0 and grey[-1, -1] == 255 and grey[1, 33] in (127, 128)
    assert not stretch(np.full((4, 5), 7, np.float32)).any()


def test_stretching_leaves_out_what_is_no_number() -> None:
    image = np.linspace(-3, 5, 201, dtype=np.float32).reshape(3, 67)
    grey = stretch(image, 0, 100)
    image[1, 5:9] = np.nan, np.inf, -np.inf, 3e38
    broken = stretch(image, 0, 99)
    assert broken[1, 5:9].tolist() == [0, 255, 0, 255]
    assert np.abs(broken[2, :60].astype(int) - grey[2, :60]).max() <= 5
    assert not stretch(np.full((4, 5), np.nan, np.float32)).any()


def test_values_run_from_red_to_blue_and_stop_there() -> None:
    colours = value_colours(np.array([-1, 0, 0.5, 1, 7]), blue=1, red=0)
    assert colours[0] == colours[1] == RED and colours[3] == colours[4] == BLUE
    assert all(abs(c - (r + b) / 2) <= 0.5 for c, r, b in zip(colours[2], RED, BLUE, strict=True))
    assert value_colours(np.array([0.2]), blue=0.2, red=0.9) == [BLUE]


def test_a_circle_lies_around_its_pick_at_full_size() -> None:
    image = np.zeros((90, 120), np.float32)
    circles = Circles(np.array([[80.0, 30.0]]), 12.0, np.array([1.0]))
    drawn = pixels(micrograph_picture(image, circles))
    assert drawn.shape == (90, 120, 3)
    for y, x in ((30, 92), (30, 68), (42, 80), (18, 80)):
        assert tuple(drawn[y, x]) == BLUE
    assert tuple(drawn[30, 80]) == (0, 0, 0)
    y, x = np.nonzero((drawn == BLUE).all(-1))
    assert abs(y.mean() - 30) < 0.5 and abs(x.mean() - 80) < 0.5


def test_a_circle_keeps_its_place_when_the_picture_is_binned() -> None:
    image = np.zeros((301, 400), np.float32)
    circles = Circles(np.array([[201.0, 99.0], [340.0, 250.0]]), 30.0, np.array([0.0, -5.0]))
    drawn = pixels(micrograph_picture(image, circles, longest=134))
    assert drawn.shape == (100, 133, 3)
    y, x = np.nonzero((drawn == RED).all(-1))
    first = x < 95
    assert abs(y[first].mean() - 98 / 3) < 0.6 and abs(x[first].mean() - 200 / 3) < 0.6
    assert abs((x[first].max() - x[first].min()) / 2 - 10) <= 1


def test_better_picks_are_drawn_over_worse_ones_and_unscored_ones_are_green() -> None:
    image = np.zeros((60, 60), np.float32)
    same = np.array([[30.0, 30.0], [30.0, 30.0], [30.0, 30.0]])
    drawn = pixels(micrograph_picture(image, Circles(same, 10, np.array([0.2, 1.0, 0.1]))))
    assert tuple(drawn[30, 40]) == BLUE
    drawn = pixels(micrograph_picture(image, Circles(same, 10)))
    assert tuple(drawn[30, 40]) == GREEN


def test_no_picks_leave_the_micrograph_grey() -> None:
    image = np.random.default_rng(0).normal(size=(50, 40)).astype(np.float32)
    drawn = pixels(micrograph_picture(image, Circles(np.empty((0, 2)), 5, np.empty(0))))
    assert (drawn[..., 0] == drawn[..., 1]).all() and (drawn[..., 1] == drawn[..., 2]).all()


def test_a_sheet_has_each_image_in_its_place_with_its_own_contrast() -> None:
    images = np.zeros((5, 8, 8), np.float32)
    for index in range(5):
        images[index, :, 4:] = 10.0**index  # each half dark, half bright
    drawn = pixels(sheet(images, columns=3, side=16, framed={4}))
    assert drawn.shape == (2 * 22, 3 * 22, 3)
    for index in range(5):
        x, y = sheet_corner(*divmod(index, 3), 16, False)
        assert tuple(drawn[y + 8, x + 2]) == (0, 0, 0) and tuple(drawn[y + 8, x + 13]) == (255, 255, 255)
        frame = RED if index == 4 else BACKGROUND
        for around in ((y - 1, x), (y + 16, x + 15), (y + 3, x - 3), (y + 3, x + 18)):
            assert tuple(drawn[around]) == frame
    assert (drawn[22:, 44:] == BACKGROUND).all()  # the sixth place is empty


def test_captions_stand_below_their_image() -> None:
    images = np.zeros((2, 8, 8), np.float32)
    drawn = pixels(sheet(images, columns=2, side=40, captions=["12: 3 %", ""]))
    assert drawn.shape == (40 + 6 + 15, 2 * 46, 3)
    below = drawn[44:]
    assert (below[:, :46] != BACKGROUND).any() and (below[:, 46:] == BACKGROUND).all()


def test_an_empty_sheet_is_a_picture_too() -> None:
    assert sheet(np.empty((0, 8, 8), np.float32), 4, 16).size == (88, 22)


def test_pictures_side_by_side_have_one_height(tmp_path: Path) -> None:
    Image.new("RGB", (30, 20), RED).save(tmp_path / "red.png")
    pair = side_by_side([open_picture(tmp_path / "red.png"), Image.new("RGB", (20, 40), BLUE)], 60, gap=4)
    drawn = pixels(pair)
    assert drawn.shape == (60, 90 + 4 + 30, 3)
    assert (
        (drawn[:, :90] == RED).all()
        and (drawn[:, 90:94] == BACKGROUND).all()
        and (drawn[:, 94:] == BLUE).all()
    )
