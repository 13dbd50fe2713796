"""Particles that Class2D sets aside, warns of or refuses."""

from pathlib import Path

import numpy as np
import pytest
from helpers.class2d_job import BOX, EACH, PIXEL, change, classify, spec

from cryoflow.errors import CryoflowError
from cryoflow.files.mrc import read_stack, write_mrc
from cryoflow.files.star import write_star
from cryoflow.files.tables import read_particles


def test_nan_image_is_set_aside(project: Path) -> None:
    stack = project / "Extract/job012/Movies/mic1.mrcs"
    images = read_stack(stack)
    images[3, 4, 5] = np.nan
    write_mrc(stack, images, PIXEL)
    result, _ = classify(project, spec(1))
    assert [f.item for f in result.failures] == ["000004@Extract/job012/Movies/mic1.mrcs"]
    data = read_particles(project / "Class2D/job015/run_it001_data.star").rows
    assert len(data) == 2 * EACH - 1
    assert "000004@Extract/job012/Movies/mic1.mrcs" not in set(data["rlnImageName"])


@pytest.mark.parametrize("how", ["missing", "cut", "folder", "fewer"])
def test_particles_of_a_stack_that_cannot_be_read_are_set_aside(project: Path, how: str) -> None:
    stack = project / "Extract/job012/Movies/mic1.mrcs"
    content, images = stack.read_bytes(), read_stack(stack)
    stack.unlink()
    if how == "cut":
        stack.write_bytes(content[:-1])
    elif how == "folder":
        stack.mkdir()
    elif how == "fewer":
        write_mrc(stack, images[:-1], PIXEL)
    result, _ = classify(project, spec(1))
    lost = [f"{number:06d}@Extract/job012/Movies/mic1.mrcs" for number in range(1, EACH + 1)]
    assert [failure.item for failure in result.failures] == (lost[-1:] if how == "fewer" else lost)
    why = {
        "missing": "no such file",
        "cut": "truncated: ",
        "folder": "cannot be read",
        "fewer": "its stack holds",
    }
    assert all(failure.message.startswith(why[how]) for failure in result.failures)
    kept = read_particles(project / "Class2D/job015/run_it001_data.star").rows
    assert len(kept) == 2 * EACH - len(result.failures)


def test_particle_without_defocus_is_set_aside(project: Path) -> None:
    change(project, rlnDefocusU=[1e4] * 5 + [np.nan] + [1e4] * 18)
    result, _ = classify(project, spec(1))
    (failure,) = result.failures
    assert failure.item == "000006@Extract/job012/Movies/mic2.mrcs" and "CTF columns" in failure.message
    assert len(read_particles(project / "Class2D/job015/run_it001_data.star").rows) == 2 * EACH - 1
    values = {"rlnDefocusU": 1e4, "rlnVoltage": [0.0, -2000.0, *[200.0] * 22]}
    change(project, **values, rlnAmplitudeContrast=[*[0.1] * 23, 10.0])
    result, _ = classify(project, spec(1))
    assert [failure.item.partition("@")[0] for failure in result.failures] == ["000001", "000002", "000012"]
    change(project, rlnDefocusU=np.nan)
    result, _ = classify(project, spec(1, ctf={"do_ctf_correction": False}), "job016")
    assert not result.failures


def test_images_that_are_not_normalised_are_told_with_numbers(project: Path) -> None:
    stack = project / "Extract/job012/Movies/mic1.mrcs"
    write_mrc(stack, read_stack(stack) * 3 + 10, PIXEL)
    _, listener = classify(project, spec(1))
    (line,) = [w for w in listener.warned if "not normalised" in w]
    assert line.startswith("12 of 24 images") and "means range from" in line


def test_too_little_memory_is_warned_of_with_numbers(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cryoflow.jobs.class2d.memory_check.free_bytes", lambda: 3e6)
    _, listener = classify(project, spec(1))
    (line,) = listener.warned
    assert "only 0.003 GB are free" in line and "fewer threads or classes" in line


def test_small_groups_are_warned_of(project: Path) -> None:
    change(project, rlnMicrographName=["a.mrc"] * 5 + ["b.mrc"] * 19)
    _, listener = classify(project, spec(1))
    assert any("1 of 2 groups have fewer than 10 particles, e.g. a.mrc with 5" in w for w in listener.warned)


BAD = {
    "no rows": "holds no particles to classify",
    "too many classes": r"fewer particles \(24\) than the 25 classes",
    "wide mask": r"boxes of 24 px are 96 A wide, less than the mask diameter of 100 A",
    "no ctf": "lacks the column rlnVoltage, and 'Do CTF-correction[?]' is Yes",
    "no stack": r"no2.mrcs: no such file in the project .*, and no other particle can be used",
    "two pixel sizes": r"several pixel sizes \(4 to 5 A\)",
    "two boxes": "boxes of 20 px where Extract/job012/Movies/mic2.mrcs has 24 px",
    "oblong": r"mic1.mrcs: images of 20 x 24 px; classification needs square, even boxes",
    "one particle": "there is only one; give several particles",
    "all the same": "all images are identical",
    "no numbers": r"000001@Extract/job012/Movies/mic2.mrcs: its CTF columns have invalid values",
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_clear_line(project: Path, case: str) -> None:
    path = project / "Extract/job012/particles.star"
    table = read_particles(path).rows
    given = spec(1)
    if case == "no rows":
        write_star(path, {"": table.iloc[:0]})
    elif case == "too many classes":
        given = spec(1, classes=25)
    elif case == "wide mask":
        given = spec(1, optimization={"mask_diameter": 100})
    elif case == "no ctf":
        write_star(path, {"": table.drop(columns="rlnVoltage")})
    elif case == "no stack":
        write_star(path, {"": table.assign(rlnImageName=table["rlnImageName"].str.replace("mic", "no"))})
    elif case == "two pixel sizes":
        write_star(path, {"": table.assign(rlnDetectorPixelSize=[4.0] * 12 + [5.0] * 12)})
    elif case in ("two boxes", "oblong"):
        stack = project / "Extract/job012/Movies/mic1.mrcs"
        write_mrc(stack, read_stack(stack)[:, : 20 if case == "two boxes" else 24, :20], PIXEL)
    elif case == "one particle":
        write_star(path, {"": table.iloc[:1]})
        given = spec(1, classes=1)
    elif case == "all the same":
        for mic in ("mic1", "mic2"):
            write_mrc(project / f"Extract/job012/Movies/{mic}.mrcs", np.ones((EACH, BOX, BOX)), PIXEL)
    else:
        write_star(path, {"": table.assign(rlnDefocusU=np.nan)})
    with pytest.raises(CryoflowError, match=BAD[case]) as error:
        classify(project, given)
    assert "\n" not in str(error.value)
