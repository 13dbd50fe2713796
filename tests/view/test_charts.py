"""Charts: values stand where the axes say, axes have names and units, and bytes do not depend on the user."""

from io import BytesIO
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from cryoflow.view.bars import Histogram, draw_histogram, draw_named
from cryoflow.view.charts import COLOURS, below_each_other
from cryoflow.view.classification import SHOWN
from cryoflow.view.curves import PANEL, Curve, draw_curve, draw_curves
from cryoflow.view.grid import draw_cells, draw_line, grid_of, with_unit
from cryoflow.view.sweep import draw_grid

FIRST, SECOND = (tuple(round(255 * part) for part in to_rgb(colour)) for colour in COLOURS)


@pytest.fixture
def axes() -> Axes:
    return Figure().subplots()


def ink(picture: Image.Image, colour: tuple[int, ...]) -> np.ndarray:
    """Which pixels have a colour."""
    return np.asarray((np.asarray(picture) == colour).all(-1))


def test_a_curve_goes_through_its_points() -> None:
    """Up a straight line, with a gap where a value is not finite."""
    y = np.array([0.0, 1.0, 2.0, np.inf, 4.0, 5.0])
    drawn = ink(draw_curves([Curve("", np.arange(6.0), y)], 1), FIRST)
    rows, columns = np.nonzero(drawn)
    slope, start = np.polyfit(columns, rows, 1)
    assert np.abs(rows - (start + slope * columns)).max() < 4 and slope < 0
    left, right = columns.min(), columns.max()
    gap = drawn[:, round(left + 0.45 * (right - left)) : round(left + 0.75 * (right - left))]
    assert drawn.any() and not gap.any()


def test_a_curve_names_its_axes_and_counts_in_whole_numbers(axes: Axes) -> None:
    draw_curve(axes, Curve("Resolution", np.arange(1.0, 8), np.arange(7) / 3, "iteration", "resolution (Å)"))
    shown = (axes.get_title(loc="left") or axes.get_title(), axes.get_xlabel(), axes.get_ylabel())
    assert shown == ("Resolution", "iteration", "resolution (Å)")
    assert (axes.get_xticks() % 1 == 0).all()
    assert not (axes.get_yticks() % 1 == 0).all()


def test_charts_fill_rows_of_columns() -> None:
    curves = [Curve("", np.arange(3.0), np.arange(3.0))] * 3
    assert draw_curves(curves).size == (2 * PANEL[0], 2 * PANEL[1])
    assert draw_curves(curves[:1]).size == PANEL
    empty = np.asarray(draw_curves(curves))[PANEL[1] + 5 :, PANEL[0] + 5 :]
    assert (empty == 255).all()


def test_every_curve_of_a_classification_has_its_unit() -> None:
    units = {name: label for name, (_, label) in SHOWN.items()}
    assert "(Å)" in units["rlnCurrentResolution"] and "(pixels)" in units["rlnChangesOptimalOffsets"]
    assert "(degrees)" in units["rlnChangesOptimalOrientations"]


def test_bars_are_as_high_as_their_counts() -> None:
    counts = np.array([0.0, 2.0, 4.0, 1.0])
    bars = ink(draw_histogram(Histogram("", np.arange(4.0), (("a", counts),), "x", "y")), FIRST)
    columns = np.flatnonzero(bars.any(0))
    bins = np.linspace(columns.min(), columns.max() + 1, 4)  # the first of the four bins is empty
    middles = ((bins[:-1] + bins[1:]) / 2 + 6).astype(int)  # beside the lines of the grid
    heights = bars[:, middles].sum(0)
    assert heights / heights.max() == pytest.approx([0.5, 1, 0.25], abs=0.02)


def test_the_second_series_is_a_line_over_the_first_with_a_legend() -> None:
    one, two = np.array([3.0, 3.0, 3.0]), np.array([1.0, 2.0, np.nan])
    alone = draw_histogram(Histogram("", np.arange(3.0), (("targets", one),)))
    both = draw_histogram(Histogram("", np.arange(3.0), (("targets", one), ("decoys", two))))
    assert not ink(alone, SECOND).any() and ink(both, SECOND).any()
    assert 0.8 < ink(both, FIRST).sum() / ink(alone, FIRST).sum() < 1


def test_named_bars_are_as_long_as_their_values_from_the_top_down() -> None:
    bars = ink(draw_named("", ["a", "b"], np.array([3.0, 1.5])), FIRST)
    rows = np.flatnonzero(bars.any(1))
    lengths = bars[[rows.min() + 3, rows.max() - 3]].sum(1)
    assert lengths[1] / lengths[0] == pytest.approx(0.5, abs=0.02)


def test_grid_of_three_fields() -> None:
    table = pd.DataFrame(
        {"a": [1, 1, 1, 1, 2, 2], "b": [0.5, 0.5, 0.7, 0.7, 0.5, 0.5], "c": ["x", "y"] * 3, "n": np.arange(6)}
    )
    grid = grid_of(table, ["a", "b", "c"])
    assert (grid.columns, grid.rows) == (["x", "y"], ["1 0.5", "1 0.7", "2 0.5"])
    assert grid.places == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]


def test_grid_of_one_field_is_one_row() -> None:
    grid = grid_of(pd.DataFrame({"a": [3, 1, 3], "n": np.arange(3)}), ["a"])
    assert grid == (["3", "1"], [""], [(0, 0), (0, 1), (0, 0)])


def test_cells_hold_each_point_under_its_values(axes: Axes) -> None:
    table = pd.DataFrame({"shrink_factor": [0, 0, 1, 1], "picking_threshold": [0.2, 0.4] * 2})
    values = np.array([5.0, np.nan, 7.0, 8.0])
    varied = ["shrink_factor", "picking_threshold"]
    draw_cells(axes, "seconds", values, grid_of(table, varied), varied)
    cells = axes.get_images()[0].get_array()
    np.testing.assert_array_equal(np.ma.filled(cells, np.nan), [[5, np.nan], [7, 8]])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0.2", "0.4"]
    assert {text.get_text(): text.get_position() for text in axes.texts} == {
        "5": (0, 0),
        "7": (0, 1),
        "8": (1, 1),
    }
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("picking threshold", "shrink factor")


def test_one_field_gives_a_curve_over_its_values_in_order(axes: Axes) -> None:
    table = pd.DataFrame({"minimum_inter_particle_distance": [200.0, 100.0], "particles": [5, 9]})
    draw_line(axes, "particles", table, "minimum_inter_particle_distance")
    np.testing.assert_array_equal(axes.get_lines()[0].get_xydata(), [[100, 9], [200, 5]])
    assert axes.get_xlabel() == "minimum inter particle distance (Å)"


def test_words_stand_in_the_order_of_the_table(axes: Axes) -> None:
    table = pd.DataFrame({"figure_of_merit": ["relion", "ncc"], "seconds": [2.0, 3.0]})
    draw_line(axes, "seconds", table, "figure_of_merit")
    assert [label.get_text() for label in axes.get_xticklabels()] == ["relion", "ncc"]
    assert axes.get_ylabel() == with_unit("seconds") == "seconds (s)"


def test_charts_of_a_sweep_go_on_below_where_a_row_is_full() -> None:
    table = pd.DataFrame({"a": [1, 2]} | {name: [1.0, 2.0] for name in "bcdef"})
    assert draw_grid(table, ["a"], list("bc")).size == (2 * PANEL[0], PANEL[1])
    assert draw_grid(table, ["a"], list("bcdef")).size == (4 * PANEL[0], 2 * PANEL[1])


def test_pictures_are_stacked_on_white() -> None:
    stacked = np.asarray(below_each_other([Image.new("RGB", (4, 2)), Image.new("RGB", (6, 3))]))
    assert stacked.shape == (5, 6, 3)
    assert (stacked[:2, 4:] == 255).all() and not stacked[:2, :4].any() and not stacked[2:].any()


def test_the_same_bytes_whatever_the_users_settings(tmp_path: Path) -> None:
    def drawn() -> bytes:
        stream = BytesIO()
        draw_curves([Curve("a", np.arange(4.0), np.arange(4.0), "x", "y")]).save(stream, "PNG")
        return stream.getvalue()

    before = drawn()
    with matplotlib.rc_context({"font.size": 20, "lines.linewidth": 9, "axes.facecolor": "red"}):
        assert drawn() == before
