from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.particle_project import context, extract_spec, make_project
from scipy import stats

from cryoflow.compute.image.ctf import CtfParameters, ctf_half_plane
from cryoflow.compute.sort.score import BATCH_PIXELS
from cryoflow.errors import CryoflowError, FileError
from cryoflow.files.mrc import read_images, read_stack, write_mrc
from cryoflow.files.star import write_star
from cryoflow.files.tables import Table, read_particles, write_table
from cryoflow.jobs.extract.run import run as extract
from cryoflow.jobs.sort.run import run
from cryoflow.project.context import JobResult
from cryoflow.spec import parse_spec

COLUMN = "rlnParticleSelectZScore"
BOX = 24


def references(box: int = BOX, scale: float = 1) -> np.ndarray:
    y, x = np.mgrid[:box, :box] - box // 2
    spots = [
        np.exp(-((y - 3 * scale) ** 2 + x**2) / (8 * scale**2)),
        np.exp(-(y**2 + x**2) / (18 * scale**2)),
    ]
    return np.where(y**2 + x**2 < (box // 2 - 2) ** 2, spots, 0).astype(np.float32)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    make_project(tmp_path)
    extract(extract_spec(), context(tmp_path, "Extract/job012"))
    write_mrc(tmp_path / "Select/job009/class_averages.mrcs", references(), 2.0)
    names = [f"00000{i}@Select/job009/class_averages.mrcs" for i in (1, 2)]
    write_star(
        tmp_path / "Select/job009/class_averages.star", {"": pd.DataFrame({"rlnReferenceImage": names})}
    )
    return tmp_path


def sort(project: Path, reference: dict[str, Any] | None = None, **io: Any) -> tuple[np.ndarray, JobResult]:
    given = {
        "input_particles_to_be_sorted": "Extract/job012/particles.star",
        "autopicking_references": "Select/job009/class_averages.star",
        **io,
    }
    job = context(project, "Sort/job013")
    spec = {"job": "Sort", "io": given, "reference": reference or {}, "compute": {"precision": "double"}}
    result = run(parse_spec(spec), job)
    return read_particles(job.directory / "particles_sort.star").rows[COLUMN].to_numpy(), result


def rewrite(project: Path, **columns: Any) -> None:
    path = project / "Extract/job012/particles.star"
    rows = read_particles(path).rows
    dropped = [name for name, value in columns.items() if value is None]
    changed = {name: value for name, value in columns.items() if value is not None}
    write_star(path, {"": rows.assign(**changed).drop(columns=dropped)})


def residual(image: np.ndarray, row: pd.Series) -> np.ndarray:
    """Particle minus its reference at psi = 0, where the padded transform is read at its own points."""
    y, x = np.mgrid[:BOX, :BOX] - BOX // 2
    gridding = np.sinc(np.hypot(y, x) / (2 * BOX)) ** 2
    reference = np.fft.rfft2(references()[int(row["rlnClassNumber"]) - 1] / gridding)
    defocus = [row[f"rlnDefocus{name}"] for name in ("U", "V", "Angle")]
    values = [torch.tensor(float(value)) for value in (*defocus, 200, 1.4, 0.1, 0, 0, 1)]
    ctf = ctf_half_plane(CtfParameters(*values), BOX, BOX, 2.0).numpy()
    r = np.hypot(np.fft.fftfreq(BOX, 1 / BOX)[:, None], np.arange(BOX // 2 + 1))
    edge = 0.5 + 0.5 * np.cos(np.pi * np.clip((r - BOX / 2 + 1) / 2, 0, 1))
    return np.fft.irfft2(np.fft.rfft2(image) * edge - reference * ctf * (r <= BOX / 2))


def six(d: np.ndarray, radius: float) -> list[float]:
    y, x = np.mgrid[:BOX, :BOX] - BOX // 2
    inside = y**2 + x**2 < radius**2
    quarters = [
        d[inside & (a == (y > 0)) & (b == (x > 0))].std() for a in (False, True) for b in (False, True)
    ]
    power = np.abs(np.fft.rfft2(d * inside) / BOX**2) ** 2
    ring = (np.hypot(np.fft.fftfreq(BOX, 1 / BOX)[:, None], np.arange(BOX // 2 + 1)) + 0.5).astype(int)
    used = ring < BOX // 2
    means = np.array([power[ring == i].mean() for i in range(BOX // 2)])
    spread = (power[used] - means[ring[used]]).var() * (BOX * (BOX // 2 + 1)) ** 2
    values = d[inside]
    shape = (stats.skew(values), stats.kurtosis(values))
    return [values.mean(), values.std(), *shape, np.std(quarters), spread]


def test_scores_follow_from_the_definition(project: Path) -> None:
    rewrite(project, rlnAnglePsi=0.0)
    scores, result = sort(project)
    rows = read_particles(project / "Extract/job012/particles.star").rows
    images = read_images(rows["rlnImageName"].tolist(), project).astype(float)
    radius = (2 * (BOX // 2 - 3)) / 2
    pairs = zip(images, rows.iterrows(), strict=True)
    values = np.array([six(residual(image, row), radius) for image, (_, row) in pairs])
    expected = np.clip(stats.zscore(values, axis=0), 0, None).mean(1)
    np.testing.assert_allclose(scores, expected, atol=2e-6)
    assert result.counts == {"particles": 15, "manual": 0}
    assert result.nodes == (("Sort/job013/particles_sort.star", "ParticleGroupMetadata.star.relion"),)


def test_batches_and_order_do_not_matter(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = sort(project)
    monkeypatch.setitem(BATCH_PIXELS, "cpu", 4 * BOX * BOX)
    np.testing.assert_allclose(sort(project)[0], whole, atol=1e-6)
    path = project / "Extract/job012/particles.star"
    write_star(path, {"": read_particles(path).rows.iloc[::-1]})
    np.testing.assert_allclose(sort(project)[0][::-1], whole, atol=1e-6)


def test_particles_picked_by_hand_come_first_and_do_not_count(project: Path) -> None:
    rows = read_particles(project / "Extract/job012/particles.star").rows
    others = rows.iloc[2:]
    write_star(project / "others.star", {"": others})
    expected, _ = sort(project, input_particles_to_be_sorted="others.star")
    rewrite(project, rlnClassNumber=[-999, -999, *others["rlnClassNumber"]])
    scores, result = sort(project)
    assert scores[:2].tolist() == [-1, -1] and result.counts["manual"] == 2
    np.testing.assert_allclose(scores[2:], expected, atol=1e-6)


def test_classes_of_programs_without_classes_count_as_by_hand(project: Path) -> None:
    rows = read_particles(project / "Extract/job012/particles.star").rows
    rewrite(project, rlnClassNumber=[-999, -999, -999, *rows["rlnClassNumber"][3:]])
    expected, _ = sort(project)
    rewrite(project, rlnClassNumber=[-9999, -1, -999, *rows["rlnClassNumber"][3:]])
    scores, result = sort(project)
    np.testing.assert_array_equal(scores, expected)
    assert result.counts["manual"] == 3
    rewrite(project, rlnClassNumber=0)
    scores, result = sort(project)
    assert scores.tolist() == [-1] * 15 and result.counts["manual"] == 15
    rewrite(project, rlnClassNumber=[0, *rows["rlnClassNumber"][1:]])
    with pytest.raises(CryoflowError, match="rlnClassNumber of row 1 is 0, but classes count from 1"):
        sort(project)


@pytest.mark.parametrize("told", ["field", "header"])
def test_references_of_another_pixel_size_are_resized(project: Path, told: str) -> None:
    expected, _ = sort(project)
    pixel = 1.0 if told == "field" else 1.5
    box = round(BOX * 2 / pixel / 2) * 2
    # enlarged averages have a larger standard deviation in RELION's reckoning: shrinking leaves the values
    write_mrc(project / "Select/job009/class_averages.mrcs", references(box, 2 / pixel), pixel)
    given = {"pixel_size_in_references": pixel} if told == "field" else {}
    scores, _ = sort(project, reference=given)
    assert np.corrcoef(scores, expected)[0, 1] > 0.9


def test_references_of_next_to_no_pixels_are_told(project: Path) -> None:
    with pytest.raises(
        CryoflowError, match=r"pixels of 0.01 A are less than 2 pixels of 2 A; check both pixel"
    ):
        sort(project, reference={"pixel_size_in_references": 0.01})


def test_model_of_a_renamed_job_and_mrcs_stack_give_the_same(project: Path) -> None:
    expected, _ = sort(project)
    names = [f"00000{i}@Class2D/gone/class_averages.mrcs" for i in (1, 2)]
    general = {"rlnReferenceDimensionality": 2}
    classes = pd.DataFrame({"rlnReferenceImage": names})
    write_star(
        project / "Select/job009/run_it025_model.star", {"model_general": general, "model_classes": classes}
    )
    model = {"references_from_model_star": "Select/job009/run_it025_model.star"}
    scores, result = sort(project, autopicking_references=None, **model)
    np.testing.assert_array_equal(scores, expected)
    assert "Select/job009/class_averages.mrcs" in result.inputs
    stack, _ = sort(project, autopicking_references="Select/job009/class_averages.mrcs")
    np.testing.assert_array_equal(stack, expected)


def test_tables_of_relion_31_stay_what_they_are(project: Path) -> None:
    expected, _ = sort(project)
    path = project / "Extract/job012/particles.star"
    rows = read_particles(path).rows.assign(rlnImageSize=BOX, rlnImageDimensionality=2)
    write_table(path, Table(rows, "3.1", path, "particles"))
    scores, _ = sort(project)
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    assert read_particles(project / "Sort/job013/particles_sort.star").style == "3.1"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"rlnClassNumber": None}, "particles.star: lacks the column rlnClassNumber"),
        ({"rlnAnglePsi": None}, "rlnAnglePsi"),
        ({"rlnVoltage": None}, "rlnVoltage"),
        ({"rlnClassNumber": 3}, "rlnClassNumber of row 1 is 3, but there are 2 references"),
        ({"rlnClassNumber": 1.5}, "rlnClassNumber of row 1 is 1.5, but there are 2 references"),
        ({"rlnAnglePsi": [*[0.0] * 14, np.nan]}, "particles.star: rlnAnglePsi of row 15 is nan"),
        ({"rlnDefocusU": np.inf}, "rlnDefocusU of row 1 is inf"),
        ({"rlnOriginX": np.nan}, "rlnOriginX of row 1 is nan"),
        (
            {"rlnVoltage": [*[200.0] * 12, *[0.0] * 3]},
            "the CTF columns of row 13 give no finite CTF .rlnV",
        ),
        ({"rlnAmplitudeContrast": 10}, "rlnAmplitudeContrast of 15 of 15 rows is outside 0 to 1"),
        ({"rlnImageName": "000009@Extract/job012/Movies/mic1.mrcs"}, "image 9 does not exist"),
        ({"rlnImageName": "000001@Extract/job012/Movies/gone.mrcs"}, "gone.mrcs"),
    ],
)
def test_what_is_missing_is_named(project: Path, columns: dict[str, Any], message: str) -> None:
    rewrite(project, **columns)
    with pytest.raises(FileError, match=message):
        sort(project)


def test_pixels_that_are_no_numbers_are_told(project: Path) -> None:
    stack = "Extract/job012/Movies/mic1.mrcs"
    images = read_stack(project / stack).copy()
    images[1, 3, 4] = np.nan
    write_mrc(project / stack, images, 2.0)
    with pytest.raises(
        FileError, match=r"0*2@Extract/.*mic1.mrcs: has pixels that are not .* as have 1 of 15"
    ):
        sort(project)
    broken = np.full((2, BOX, BOX), np.nan, np.float32)
    write_mrc(project / "Select/job009/class_averages.mrcs", broken, 2.0)
    with pytest.raises(FileError, match=r"class_averages.mrcs: references contain pixels"):
        sort(project)
    assert not (project / "Sort/job013/particles_sort.star").exists()


@pytest.mark.parametrize("box", [BOX + 7, BOX + 12])
def test_references_of_another_box_are_cut(project: Path, box: int) -> None:
    expected, _ = sort(project)
    around = np.zeros((2, box, box), np.float32)
    first = box // 2 - BOX // 2
    around[:, first : first + BOX, first : first + BOX] = references()
    write_mrc(project / "Select/job009/class_averages.mrcs", around, 2.0)
    np.testing.assert_allclose(sort(project)[0], expected, atol=1e-6)


def test_ctf_columns_are_not_needed_without_ctf(project: Path) -> None:
    rewrite(project, rlnVoltage=None, rlnDefocusU=None)
    scores, _ = sort(project, reference={"are_references_ctf_corrected": False})
    assert len(scores) == 15


def test_empty_tables_and_volumes_are_refused(project: Path) -> None:
    path = project / "Extract/job012/particles.star"
    rows = read_particles(path).rows
    write_star(project / "none.star", {"": rows.iloc[:0]})
    with pytest.raises(FileError, match=r"none.star: holds no particles"):
        sort(project, input_particles_to_be_sorted="none.star")
    write_mrc(project / "map.mrc", np.ones((8, 8, 8), np.float32), 2.0)
    write_star(project / "refs.star", {"": pd.DataFrame({"rlnReferenceImage": ["map.mrc"]})})
    with pytest.raises(FileError, match=r"map.mrc is a volume"):
        sort(project, autopicking_references="refs.star")
