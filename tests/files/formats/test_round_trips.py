"""What is written in a format reads back as the same picks, to the last bit."""

from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings

from cryoflow.files.formats import FORMATS, read_picks, write_picks
from cryoflow.files.formats.kinds import BOXED, Needs
from cryoflow.files.formats.picks import CLASS, IMAGE, NAME, PSI, SCORE, X, Y

HEIGHT, WIDTH = 7676, 7420
NEEDS = Needs(256.0, lambda _: (HEIGHT, WIDTH))
SCORED = {"star", "star31", "relion", "json", "cbox", "topaz", "via", "csv", "cs"}

millionths = st.integers(-200 * 10**6, 12_000 * 10**6).map(lambda n: n / 1e6)
hundredths = st.integers(0, 740_000).map(lambda n: n / 100)
scores = st.integers(-(10**8), 10**8).map(lambda n: n / 1e6)
lists = {"cs": hundredths}


@st.composite
def picks(draw: st.DrawFn, kind: str) -> pd.DataFrame:
    count = draw(st.integers(1, 12))
    number = lists.get(kind, millionths)
    columns = {axis: draw(st.lists(number, min_size=count, max_size=count)) for axis in (X, Y)}
    if draw(st.booleans()):
        single = scores.map(lambda v: float(str(np.float32(v)))) if kind == "cs" else scores
        columns[SCORE] = draw(st.lists(single, min_size=count, max_size=count))
    return pd.DataFrame(columns)


@pytest.mark.parametrize("kind", FORMATS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_format_keeps_every_digit(kind: str, tmp_path: Path, data: st.DataObject) -> None:
    rows = data.draw(picks(kind))
    if not FORMATS[kind].one_each:
        names = st.sampled_from(["mic1", "a_12.49.31", "b-2"])
        rows[NAME] = data.draw(st.lists(names, min_size=len(rows), max_size=len(rows)))
    path = tmp_path / f"mic1{FORMATS[kind].ending}"
    path.unlink(missing_ok=True)
    write_picks(kind, path, rows, NEEDS)
    found = read_picks(path)
    assert found.rows[[X, Y]].to_numpy().tobytes() == rows[[X, Y]].to_numpy().tobytes()
    assert (SCORE in found.rows) == (SCORE in rows and kind in SCORED)
    if SCORE in found.rows:
        assert found.rows[SCORE].tolist() == rows[SCORE].tolist()
    if NAME in rows:
        assert found.rows[NAME].tolist() == rows[NAME].tolist()
    assert found.box_px == (256 if kind in BOXED else None)
    assert found.conventions


@pytest.mark.parametrize("kind", FORMATS)
def test_the_same_picks_give_the_same_bytes(kind: str, tmp_path: Path) -> None:
    rows = pd.DataFrame({NAME: ["a", "b"], X: [1.0, 2.5], Y: [3.0, 4.25], SCORE: [0.1, 0.2]})
    files = [tmp_path / folder / f"a{FORMATS[kind].ending}" for folder in "xy"]
    for file in files:
        write_picks(kind, file, rows, NEEDS)
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("kind", ["star", "star31", "cs"])
def test_particles_keep_images_ctf_and_pixel_size(kind: str, tmp_path: Path) -> None:
    rows = pd.DataFrame(
        {
            IMAGE: ["000003@J7/extract/a.mrcs", "000001@J7/extract/b.mrcs"],
            NAME: ["a.mrc", "b.mrc"],
            X: [100.25, 7000.5],
            Y: [7600.75, 3.0],
            "rlnVoltage": [300.0] * 2,
            "rlnSphericalAberration": [2.7] * 2,
            "rlnAmplitudeContrast": [0.1] * 2,
            "rlnDefocusU": [12345.67, 9999.5],
            "rlnDefocusV": [12000.25, 9900.0],
            "rlnDefocusAngle": [45.0, -30.0],
            "rlnMagnification": [10000.0] * 2,
            "rlnDetectorPixelSize": [0.6575] * 2,
            "rlnImageSize": [256] * 2,
            "rlnImageDimensionality": [2] * 2,
        }
    )
    path = tmp_path / f"particles{FORMATS[kind].ending}"
    write_picks(kind, path, rows, NEEDS)
    found = read_picks(path).rows
    shared = [name for name in rows.columns if name not in {"rlnImageSize", "rlnImageDimensionality"}]
    exact = [name for name in shared if name != "rlnDefocusAngle" and rows[name].dtype.kind == "f"]
    assert found[exact].to_numpy().tolist() == rows[exact].to_numpy().tolist()
    assert found[[IMAGE, NAME]].to_numpy().tolist() == rows[[IMAGE, NAME]].to_numpy().tolist()
    assert found["rlnDefocusAngle"].to_numpy() == pytest.approx(rows["rlnDefocusAngle"].to_numpy(), abs=4e-6)


def test_psi_and_class_stand_in_star_and_csv(tmp_path: Path) -> None:
    rows = pd.DataFrame({NAME: ["a"], X: [1.0], Y: [2.0], PSI: [-12.5], CLASS: [3]})
    for kind in ("star", "relion", "csv"):
        path = tmp_path / f"a{FORMATS[kind].ending}"
        write_picks(kind, path, rows, NEEDS)
        found = read_picks(path).rows
        assert found[PSI].tolist() == [-12.5] and found[CLASS].tolist() == [3]
        assert found[CLASS].dtype == np.int64
