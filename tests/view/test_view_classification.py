"""How a classification went, in pictures."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cryoflow.files.mrc import write_mrc
from cryoflow.files.star import write_star
from cryoflow.view.classification import convergence_picture, history_picture
from cryoflow.view.curves import PANEL
from cryoflow.view.draw import draw_classes
from cryoflow.view.pictures import open_picture, sheet_corner

BOX, CLASSES, LAST = 64, 3, 7


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Seven iterations of three classes, the second the largest; class k is bright in its left columns."""
    directory = tmp_path / "Class2D/job015"
    directory.mkdir(parents=True)
    for i in range(LAST + 1):
        images = np.zeros((CLASSES, BOX, BOX), np.float32)
        for k in range(CLASSES):
            images[k, :, : 8 * (k + 1)] = 1
        write_mrc(directory / f"run_it{i:03d}_classes.mrcs", images, 2.0)
        names = [f"{k + 1:06d}@Class2D/job015/run_it{i:03d}_classes.mrcs" for k in range(CLASSES)]
        share = {"rlnReferenceImage": names, "rlnClassDistribution": [0.3, 0.5, 0.2]}
        write_star(directory / f"run_it{i:03d}_model.star", {"model_classes": pd.DataFrame(share)})
    table = pd.DataFrame({"rlnCurrentIteration": range(1, LAST + 1)}).assign(
        rlnLogLikelihood=1e6, rlnCurrentResolution=20.0, rlnChangesOptimalClasses=0.5,
        rlnChangesOptimalOrientations=3.0, rlnChangesOptimalOffsets=1.0, cryoflowLargestDistribution=0.5,
    )  # fmt: skip
    write_star(directory / "run_convergence.star", {"convergence": table})
    return directory


def test_history_has_every_fifth_iteration_and_the_last(folder: Path) -> None:
    picture = history_picture(folder, "run")
    assert picture is not None
    for row, column in np.ndindex(3, CLASSES):  # iterations 0, 5 and 7
        x, y = sheet_corner(row, column, BOX, 1)
        tile = np.asarray(picture.convert("L"))[y : y + BOX, x : x + BOX]
        wide = int((tile[BOX // 2] > 128).sum())
        assert abs(wide - 8 * ([2, 1, 3][column])) <= 1
    assert picture.height == sheet_corner(3, 0, BOX, 1)[1] - sheet_corner(0, 0, BOX, 1)[1]


def test_a_run_of_few_iterations_has_no_history(folder: Path) -> None:
    for i in range(1, LAST + 1):
        (folder / f"run_it{i:03d}_classes.mrcs").unlink()
    assert history_picture(folder, "run") is None
    (folder / "run_convergence.star").unlink()
    assert convergence_picture(folder, "run") is None


def test_the_report_has_all_pictures(folder: Path) -> None:
    drawn = draw_classes(folder, folder.parents[1])
    assert [path.name for path in drawn] == ["classes.png", "classes_history.png", "convergence.png"]
    assert open_picture(folder / "convergence.png").size == (2 * PANEL[0], 3 * PANEL[1])
