"""References come in with a pixel size and with what is measured on them."""

from pathlib import Path

import numpy as np
import pytest

from cryoflow.cli import main
from cryoflow.errors import FileError
from cryoflow.files.import_references import import_references
from cryoflow.files.mrc import read_header, read_volume, write_mrc

N = 32


def discs(*signs: float, noise: float = 1.0) -> np.ndarray:
    y, x = np.mgrid[:N, :N] - N // 2
    disc = (np.hypot(y, x) < 8).astype(np.float32) * 3
    grey = np.random.default_rng(0).normal(0, noise, (len(signs), N, N)).astype(np.float32)
    return grey + disc * np.array(signs, np.float32)[:, None, None] + 10


def put(path: Path, values: np.ndarray, pixel: float = 3.54) -> Path:
    write_mrc(path, values, pixel)
    return path


@pytest.mark.parametrize(
    ("signs", "told"),
    [
        (
            (1, 1, 1),
            "3 of 3 are white on black; for micrographs with dark particles set 'References have inverted c",
        ),
        (
            (-1, -1, 1),
            "2 of 3 are black on white; for micrographs with dark particles set 'References have inv",
        ),
        ((0, 0), "contrast: not clear (0 white and 0 black of 2); look at them"),
    ],
)
def test_contrast_is_measured(tmp_path: Path, signs: tuple[float, ...], told: str) -> None:
    source = put(tmp_path / "a.mrcs", discs(*signs))
    done = import_references(source, tmp_path / "b.mrcs")
    assert told in " ".join(done.said) and done.images == len(signs)
    assert np.array_equal(read_volume(tmp_path / "b.mrcs"), read_volume(source))


def test_white_says_yes_and_black_says_no(tmp_path: Path) -> None:
    white = import_references(put(tmp_path / "w.mrcs", discs(1)), tmp_path / "x.mrcs").said[1]
    black = import_references(put(tmp_path / "k.mrcs", discs(-1)), tmp_path / "y.mrcs").said[1]
    assert white.endswith(" Yes") and black.endswith(" No")


def test_grey_scale_is_that_of_the_corners(tmp_path: Path) -> None:
    said = import_references(put(tmp_path / "a.mrcs", discs(1, noise=0.5)), tmp_path / "b.mrcs").said[2]
    words = said.split()
    assert float(words[3]) == pytest.approx(10, abs=0.2)
    assert float(words[9].rstrip(",")) == pytest.approx(0.5, abs=0.1) and float(words[11]) > 11


def test_pixel_size_is_asked_for_or_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = put(tmp_path / "a.mrcs", discs(1), 1.0)
    with pytest.raises(
        FileError, match=r"a.mrcs: its header gives a pixel size of 1 A, which means 'not set'; give th"
    ):
        import_references(source, tmp_path / "b.mrcs")
    assert main(["import", "references", str(source), str(tmp_path / "b.mrcs"), "--pixel-size", "3.54"]) == 0
    assert "1 images of 32 pixels of 3.54 A: 113 A across" in capsys.readouterr().out
    assert read_header(tmp_path / "b.mrcs").pixel_size == 3.54
    assert import_references(tmp_path / "b.mrcs", tmp_path / "c.mrcs", 2).warned == (
        "its header has 3.54 A; using 2 A",
    )


def test_maps_are_maps_and_images_are_images(tmp_path: Path) -> None:
    z, y, x = np.mgrid[:N, :N, :N] - N // 2
    ball = (np.sqrt(z**2 + y**2 + x**2) < 8).astype(np.float32)
    source = put(tmp_path / "map.mrc", ball)
    done = import_references(source, tmp_path / "b.mrc")
    assert done.said[0].startswith("a map of 32 pixels") and "1 of 1 are white" in done.said[1]
    with pytest.raises(FileError, match=r"b.mrcs: .*map.mrc holds a map; name it .mrc$"):
        import_references(source, tmp_path / "b.mrcs")
    averages = put(tmp_path / "averages.mrc", discs(1, 1))
    with pytest.raises(FileError, match=r"c.mrc: .*averages.mrc holds images; name the file .mrcs$"):
        import_references(averages, tmp_path / "c.mrc")
    assert import_references(averages, tmp_path / "c.mrcs").images == 2


def test_empty_and_broken_references(tmp_path: Path) -> None:
    done = import_references(
        put(tmp_path / "a.mrcs", np.zeros((2, N, N)) + discs(1) * [[[1]], [[0]]]), tmp_path / "b.mrcs"
    )
    assert done.warned == ("1 of 2 are empty",)
    with pytest.raises(FileError, match=r"c.mrcs: its images are 4 x 3 pixels; references must be square$"):
        import_references(put(tmp_path / "c.mrcs", np.zeros((2, 3, 4))), tmp_path / "d.mrcs")
