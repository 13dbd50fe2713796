"""The picking job on a small project: what it writes, what it refuses, what picks depend on."""

import json
import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cryoflow.errors import CryoflowError
from cryoflow.files.coordinates import read_coordinate_list
from cryoflow.files.fom_maps import read_about, read_fom_maps
from cryoflow.files.mrc import read_image, write_mrc
from cryoflow.files.star import read_star, write_star
from cryoflow.jobs.autopick.run import run
from cryoflow.project.context import JobContext, JobResult, Reporter
from cryoflow.spec import AutoPick

PIXEL, BOX = 4.0, 24
SHAPES = {"a": (128, 150), "b": (128, 150), "c": (161, 120)}
COLUMNS = ["rlnCoordinateX", "rlnCoordinateY", "rlnClassNumber", "rlnAutopickFigureOfMerit", "rlnAnglePsi"]
CTF = {
    "rlnDefocusU": 11000.0, "rlnDefocusV": 10500.0, "rlnDefocusAngle": 20.0, "rlnVoltage": 200.0,
    "rlnSphericalAberration": 1.4, "rlnAmplitudeContrast": 0.1, "rlnMagnification": 10000.0,
    "rlnDetectorPixelSize": PIXEL,
}  # fmt: skip


class Ears(Reporter):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def warn(self, line: str) -> None:
        self.lines.append(line)


def particle() -> np.ndarray:
    y, x = np.mgrid[:BOX, :BOX] - BOX // 2
    lobes = np.exp(-((y - 2) ** 2 + (x + 3) ** 2) / 8) + 0.7 * np.exp(-((y + 3) ** 2 + (x - 2) ** 2) / 6)
    return np.asarray(lobes * (y**2 + x**2 < 9**2))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for seed, (name, shape) in enumerate(SHAPES.items()):
        rng = np.random.default_rng(seed)
        image = rng.normal(size=shape)
        for y, x in ((40, 40), (90, 60), (60, 90), (100, 95)):
            image[y - 12 : y + 12, x - 12 : x + 12] -= 2 * np.rot90(particle(), rng.integers(4))
        write_mrc(tmp_path / f"Movies/{name}.mrc", image.astype(np.float32), PIXEL)
    table(tmp_path, list(SHAPES))
    write_mrc(tmp_path / "refs.mrcs", np.stack([particle(), particle().T]).astype(np.float32), PIXEL)
    names = [f"{number:06d}@refs.mrcs" for number in (1, 2)]
    write_star(tmp_path / "refs.star", {"": pd.DataFrame({"rlnReferenceImage": names})})
    return tmp_path


def table(project: Path, names: list[str], **columns: Any) -> None:
    rows = pd.DataFrame({"rlnMicrographName": [f"Movies/{name}.mrc" for name in names], **CTF | columns})
    write_star(project / "mics.star", {"": rows})


def spec(**changes: Any) -> AutoPick:
    """Fields by dotted name with ``__``."""
    sections: dict[str, dict[str, Any]] = {
        "io": {"input_micrographs_for_autopick": "mics.star", "reference_2d": "refs.star"},
        "references": {"lowpass_filter_references": 20, "in_plane_angular_sampling": 30},
        "autopicking": {
            "picking_threshold": 0.3,
            "minimum_inter_particle_distance": 40,
            "maximum_stddev_noise": None,
            "shrink_factor": 0,
        },
    }
    for dotted, value in changes.items():
        section, name = dotted.split("__")
        sections.setdefault(section, {})[name] = value
    return AutoPick(**sections)  # type: ignore[arg-type]


def pick(project: Path, job: str = "job010", **changes: Any) -> tuple[JobResult, list[str]]:
    ears = Ears()
    directory = project / "AutoPick" / job
    known = directory.exists()
    directory.mkdir(parents=True, exist_ok=True)
    result = run(spec(**changes), JobContext(project, directory, report=ears, continuing=known))
    return result, ears.lines


def coordinates(project: Path, job: str = "job010") -> dict[str, bytes]:
    folder = project / "AutoPick" / job / "Movies"
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*_autopick.star"))}


def test_outputs_are_relions(project: Path) -> None:
    plain = {"references__are_references_ctf_corrected": False, "autopicking__picking_threshold": 2}
    result, _ = pick(project, **plain)
    assert result.counts["micrographs"] == 3 and result.counts["particles"] >= 9
    picks = read_star(project / "AutoPick/job010/Movies/a_autopick.star")[""]
    assert isinstance(picks, pd.DataFrame) and list(picks.columns) == COLUMNS
    found = picks[["rlnCoordinateY", "rlnCoordinateX"]].to_numpy()
    for place in ((40, 40), (90, 60), (60, 90), (100, 95)):
        assert np.hypot(*(found - place).T).min() < 3
    assert set(picks["rlnClassNumber"]) <= {1, 2} and set(picks["rlnAnglePsi"] % 30) == {0}
    suffix = project / "AutoPick/job010/coords_suffix_autopick.star"
    assert suffix.read_text() == "mics.star\n"
    listed = read_coordinate_list(project / "AutoPick/job010/autopick.star", project)
    assert listed == [
        (f"Movies/{name}.mrc", project / f"AutoPick/job010/Movies/{name}_autopick.star") for name in SHAPES
    ]
    assert read_coordinate_list(suffix, project) == listed
    summary = read_star(project / "AutoPick/job010/summary.star")[""]
    assert isinstance(summary, pd.DataFrame)
    assert int(summary["rlnGroupNrParticles"].sum()) == result.counts["particles"]
    mean = picks["rlnAutopickFigureOfMerit"].mean()
    assert summary["rlnAutopickFigureOfMerit"][0] == pytest.approx(mean, rel=1e-5)
    assert all((project / name).exists() for name in result.outputs)
    assert result.nodes == (("AutoPick/job010/autopick.star", "MicrographCoordsGroup.star.relion.autopick"),)
    assert result.inputs[:3] == ("mics.star", "refs.star", "refs.mrcs")


def test_picks_do_not_depend_on_the_list_or_on_workers(project: Path) -> None:
    pick(project)
    everything = coordinates(project)
    table(project, ["c", "a"])
    pick(project, "job011")
    few = coordinates(project, "job011")
    assert few == {name: everything[name] for name in few} and len(few) == 2
    table(project, ["b", "c", "a"])
    pick(project, "job012", compute__workers=3, compute__threads=2)
    assert coordinates(project, "job012") == everything


@pytest.mark.parametrize("precision", ["single", "double"])
def test_maps_read_give_what_picking_afresh_gives(project: Path, precision: str) -> None:
    tuning = {"autopicking__picking_threshold": 0.15, "autopicking__minimum_inter_particle_distance": 60}
    common = {"compute__precision": precision}
    result, _ = pick(project, autopicking__write_fom_maps=True, **common)
    first = coordinates(project)
    assert "AutoPick/job010/Movies/a_autopick_fom.mrcs" in result.outputs
    for name in SHAPES:  # reading needs no micrographs
        (project / f"Movies/{name}.mrc").rename(project / f"Movies/{name}.hidden")
    pick(project, autopicking__read_fom_maps=True, **tuning, **common)
    again = coordinates(project)
    for name in SHAPES:
        (project / f"Movies/{name}.hidden").rename(project / f"Movies/{name}.mrc")
    pick(project, "job011", **tuning, **common)
    assert again == coordinates(project, "job011") != first


def test_blob_maps_read_give_the_same_blobs(project: Path) -> None:
    blobs = {
        "io__reference_2d": None,
        "io__use_laplacian_of_gaussian": True,
        "laplacian__min_diameter_for_log_filter": 40,
        "laplacian__max_diameter_for_log_filter": 60,
    }
    pick(project, autopicking__write_fom_maps=True, **blobs)
    picks = read_star(project / "AutoPick/job010/Movies/a_autopick.star")[""]
    assert isinstance(picks, pd.DataFrame) and len(picks) > 3
    assert set(picks["rlnClassNumber"]) == {0} and set(picks["rlnAnglePsi"]) == {0.0}
    pick(project, autopicking__read_fom_maps=True, laplacian__adjust_default_threshold=1, **blobs)
    again = coordinates(project)
    pick(project, "job011", laplacian__adjust_default_threshold=1, **blobs)
    assert again == coordinates(project, "job011")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"references__lowpass_filter_references": 25}, "lowpass_filter_references 20, but now it is 25"),
        ({"references__in_plane_angular_sampling": 15}, "in_plane_angular_sampling 30, but now it is 15"),
        ({"references__mask_diameter": 60}, "mask_diameter 64, but now it is 60"),
        ({"references__references_have_inverted_contrast": False}, "contrast True, but now it is False"),
        ({"autopicking__shrink_factor": 0.5}, "made with shrink_factor 0, but now it is 0.5"),
    ],
)
def test_maps_of_other_settings_are_refused(project: Path, changes: dict[str, Any], message: str) -> None:
    pick(project, autopicking__write_fom_maps=True)
    before = coordinates(project)
    with pytest.raises(CryoflowError, match=message) as caught:
        pick(project, autopicking__read_fom_maps=True, **changes)
    assert str(caught.value).startswith("AutoPick/job010/Movies/a_autopick_fom.mrcs: ")
    assert "\n" not in str(caught.value) and coordinates(project) == before


def test_maps_of_other_references_or_ctf_are_refused(project: Path) -> None:
    pick(project, autopicking__write_fom_maps=True)
    table(project, list(SHAPES), rlnDefocusU=12000.0)
    with pytest.raises(CryoflowError, match="made with ctf "):
        pick(project, autopicking__read_fom_maps=True)
    table(project, list(SHAPES))
    write_mrc(project / "refs.mrcs", np.stack([particle().T, particle()]).astype(np.float32), PIXEL)
    with pytest.raises(CryoflowError, match="made with references "):
        pick(project, autopicking__read_fom_maps=True)


def test_maps_tell_what_they_are(project: Path) -> None:
    pick(project, autopicking__write_fom_maps=True)
    path = project / "AutoPick/job010/Movies/c_autopick_fom.mrcs"
    about = read_about(path)
    assert about["settings"]["lowpass_filter_references"] == 20
    assert about["sampling"]["height"] == 161 and len(about["expected"]) == 2
    first = path.read_bytes()
    shutil.rmtree(project / "AutoPick")
    pick(project, autopicking__write_fom_maps=True)
    assert path.read_bytes() == first
    assert json.dumps(about)


def test_missing_maps_are_told(project: Path) -> None:
    pick(project, autopicking__write_fom_maps=True)
    (project / "AutoPick/job010/Movies/b_autopick_fom.mrcs").unlink()
    result, _ = pick(project, autopicking__read_fom_maps=True)
    assert [one.item for one in result.failures] == ["Movies/b.mrc"]
    assert "run the job with 'Write FOM maps?' Yes first" in result.failures[0].message


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def overwrite(image: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    return lambda path: write_mrc(path, image(read_image(path)), PIXEL)


def holed(image: np.ndarray) -> np.ndarray:
    image[3, 4] = math.nan
    return image


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (Path.unlink, "no such file"),
        (truncate, "truncated"),
        (overwrite(holed), "1 of 19200 pixels are not finite numbers"),
        (overwrite(np.ones_like), "all pixels are 1: nothing to pick from"),
        (
            overwrite(lambda image: image[:20]),
            "150 x 20 pixels are less than the box of the references, 24 pixels",
        ),
        (overwrite(lambda image: np.stack([image, image])), "holds 2 images where one is wanted"),
    ],
)
def test_one_bad_micrograph_leaves_the_others_alone(
    project: Path, harm: Callable[[Path], None], message: str
) -> None:
    pick(project, "job009")
    harm(project / "Movies/b.mrc")
    result, _ = pick(project)
    assert [one.item for one in result.failures] == ["Movies/b.mrc"]
    assert message in result.failures[0].message and "\n" not in result.failures[0].message
    whole = coordinates(project, "job009")
    assert coordinates(project) == {name: whole[name] for name in ("a_autopick.star", "c_autopick.star")}
    listed = read_coordinate_list(project / "AutoPick/job010/autopick.star", project)
    assert [name for name, _ in listed] == ["Movies/a.mrc", "Movies/c.mrc"]


def test_a_micrograph_without_ctf_values_is_a_failure(project: Path) -> None:
    unusable = {"rlnDefocusU": [11000.0, math.nan, 11000.0], "rlnAmplitudeContrast": [0.1, 0.1, 7.0]}
    table(project, list(SHAPES), **unusable)
    result, _ = pick(project)
    assert [one.item for one in result.failures] == ["Movies/b.mrc", "Movies/c.mrc"]
    assert all("no usable CTF values" in one.message for one in result.failures)
    result, _ = pick(project, "job011", references__are_references_ctf_corrected=False)
    assert not result.failures


def test_figures_of_merit_beyond_all_numbers_are_told(project: Path) -> None:
    write_mrc(project / "refs.mrcs", np.stack([1e38 * particle()] * 2).astype(np.float32), PIXEL)
    with pytest.raises(CryoflowError, match=r"no micrograph .* its figures of merit are no finite numbers"):
        pick(project)


def test_nothing_that_can_be_picked_from_is_an_error(project: Path) -> None:
    for name in SHAPES:
        (project / f"Movies/{name}.mrc").unlink()
    with pytest.raises(
        CryoflowError, match=r"no micrograph could be picked from; Movies/a.mrc: no such file"
    ):
        pick(project)


def test_continuing_does_only_what_is_not_done(project: Path) -> None:
    pick(project)
    whole = coordinates(project)
    folder = project / "AutoPick/job010/Movies"
    (folder / "b_autopick.star").unlink()  # as if killed before it
    stamp = (folder / "a_autopick.star").stat().st_mtime_ns
    result, lines = pick(project)
    assert coordinates(project) == whole
    assert result.counts["kept"] == 2 and (folder / "a_autopick.star").stat().st_mtime_ns == stamp
    assert "kept the picks of 2 micrographs that were finished before" in lines
    result, _ = pick(project, autopicking__picking_threshold=0.6)
    assert result.counts["kept"] == 0 and coordinates(project) != whole


def test_no_picks_are_a_result_with_a_hint(project: Path) -> None:
    result, lines = pick(project, autopicking__picking_threshold=1e6)
    assert result.counts["particles"] == 0 and not result.failures
    picks = read_star(project / "AutoPick/job010/Movies/a_autopick.star")[""]
    assert isinstance(picks, pd.DataFrame) and list(picks.columns) == COLUMNS and len(picks) == 0
    hint = next(line for line in lines if line.startswith("no picks on 3 of 3 micrographs"))
    assert "their best figures of merit are" in hint and "the threshold is 1e+06" in hint


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"references__mask_diameter": 200}, "mask diameter .200 A. is larger than the box"),
        ({"io__pixel_size_in_micrographs": 2}, "its header says 4 A a pixel, the micrographs have 2 A"),
        ({"io__reference_2d": "Movies/a.mrc"}, "references are 150 x 128 pixels; they must be square"),
        ({"io__reference_2d": "cube.mrc"}, "is a volume"),
        ({"io__reference_2d": "mics.star"}, "holds no references"),
        ({"io__reference_2d": "empty.mrcs"}, "reference 2 is empty: every pixel is 0"),
        ({"references__pixel_size_in_references": 0.01}, "pixels of 0.01 A are less than 2 pixels of 4 A"),
        ({"references__lowpass_filter_references": 1e4}, "161 pixels of 4 A would be shrunk to 0|150 pixels"),
        ({"io__reference_2d": "nan.mrcs"}, "reference 2 has pixels that are not finite numbers"),
        ({"io__reference_2d": "unnamed.star"}, "unnamed.star: rlnReferenceImage of row 2 is empty"),
    ],
)
def test_references_that_do_not_fit_are_refused(project: Path, changes: dict[str, Any], message: str) -> None:
    write_mrc(project / "cube.mrc", np.ones((8, 8, 8), np.float32), PIXEL)
    write_mrc(project / "empty.mrcs", np.stack([particle(), 0 * particle()]).astype(np.float32), PIXEL)
    broken = np.stack([particle(), np.where(particle() > 0.5, np.nan, 0)]).astype(np.float32)
    write_mrc(project / "nan.mrcs", broken, PIXEL)
    unnamed = pd.DataFrame({"rlnReferenceImage": ["000001@refs.mrcs", ""]})
    write_star(project / "unnamed.star", {"": unnamed})
    with pytest.raises(CryoflowError, match=message):
        pick(project, **changes)
    assert not list((project / "AutoPick/job010").rglob("*_autopick.star"))


def test_fewer_templates_than_references_give_the_same_maps(project: Path) -> None:
    fine: dict[str, Any] = {"references__in_plane_angular_sampling": 5, "autopicking__write_fom_maps": True}
    _, exact = pick(project, "job009", **fine)
    _, lines = pick(project, autopicking__template_error=0.01, **fine)
    assert not any("compares with" in line for line in exact)
    told = next(line for line in lines if line.startswith("compares with"))
    assert re.fullmatch(r"compares with \d\d templates for 144 references and angles, error 0.00\d+", told)
    for name in SHAPES:
        one, other = (
            read_fom_maps(project / f"AutoPick/{job}/Movies/{name}_autopick_fom.mrcs").maps[2:4]
            for job in ("job009", "job010")
        )
        assert 0 < np.abs(one - other).max() < 0.01 * one.max()


FEWER: dict[str, Any] = {
    "references__in_plane_angular_sampling": 5,
    "autopicking__template_error": 0.05,
    "autopicking__candidate_floor": 0.2,
}


def test_picks_of_fewer_templates_are_exact(project: Path) -> None:
    pick(project, "job009", **FEWER | {"autopicking__template_error": None})
    pick(project, **FEWER)
    pick(project, "job011", **FEWER, compute__workers=2)
    assert coordinates(project) == coordinates(project, "job011")
    for name in SHAPES:
        exact, near = (
            read_star(project / f"AutoPick/{job}/Movies/{name}_autopick.star")[""]
            for job in ("job009", "job010")
        )
        assert isinstance(exact, pd.DataFrame) and isinstance(near, pd.DataFrame)
        where = ["rlnCoordinateY", "rlnCoordinateX"]
        both = exact.merge(near, on=where)
        assert len(both) >= 0.9 * max(len(exact), len(near))  # of two peaks side by side either may be found
        one, other = both["rlnAutopickFigureOfMerit_x"], both["rlnAutopickFigureOfMerit_y"]
        assert float((one - other).abs().max()) < 0.003 * one.max()
        assert (both["rlnAnglePsi_x"] == both["rlnAnglePsi_y"]).mean() > 0.9


def test_maps_of_fewer_templates_tell_how_far_their_peaks_are_exact(project: Path) -> None:
    pick(project, "job009", **FEWER, autopicking__picking_threshold=0.6)
    pick(project, **FEWER, autopicking__write_fom_maps=True)
    read = FEWER | {"autopicking__read_fom_maps": True}
    pick(project, **read, autopicking__picking_threshold=0.6)
    assert coordinates(project) == coordinates(project, "job009")
    message = "peaks below 0.2 are not exact, and the spec wants those from 0.1; set 'Read FOM maps"
    with pytest.raises(CryoflowError, match=message):
        pick(project, **read, autopicking__picking_threshold=0.1)


def test_points_of_a_sweep_share_maps_of_fewer_templates_where_peaks_are_exact(project: Path) -> None:
    kept: dict[str, Any] = {}
    for number, threshold in enumerate((0.3, 0.1, 0.6)):
        changes = FEWER | {"autopicking__picking_threshold": threshold}
        pick(project, f"job02{number}", **changes)
        directory = project / f"AutoPick/job03{number}"
        directory.mkdir()
        run(spec(**changes), JobContext(project, directory, kept=kept))
        assert coordinates(project, f"job03{number}") == coordinates(project, f"job02{number}")
    assert len(list((project / ".cryoflow/maps").glob("*.mrcs"))) == 6  # 0.3 and 0.6 look down to 0.2


@pytest.mark.parametrize("blobs", [False, True])
def test_picks_in_double_do_not_depend_on_where_maps_lay(project: Path, blobs: bool) -> None:
    """Worked out, kept in memory or on disk for a sweep, written and read, or left as candidates."""
    double: dict[str, Any] = {"compute__precision": "double", "autopicking__picking_threshold": 0}
    double |= {"autopicking__minimum_inter_particle_distance": 20}
    if blobs:
        double |= {"io__use_laplacian_of_gaussian": True, "io__reference_2d": None}
        double |= {"laplacian__min_diameter_for_log_filter": 40, "laplacian__max_diameter_for_log_filter": 80}
    pick(project, autopicking__write_fom_maps=True, **double)
    alone = coordinates(project)
    kept: dict[str, Any] = {}
    for number, memory in enumerate((kept, kept, {})):
        directory = project / f"AutoPick/job02{number}"
        directory.mkdir()
        run(spec(**double), JobContext(project, directory, kept=memory))
        assert coordinates(project, directory.name) == alone
    pick(project, autopicking__read_fom_maps=True, **double)
    assert coordinates(project) == alone
    pick(project, "job011", **double | {"autopicking__picking_threshold": 0.6})
    pick(project, "job011", **double)
    assert coordinates(project, "job011") == alone


def test_statistics_and_a_wrong_greyscale_are_told(project: Path) -> None:
    result, lines = pick(project)
    assert not any("references are too" in line for line in lines)
    name = project / "AutoPick/job010/statistics.star"
    assert "AutoPick/job010/statistics.star" in result.outputs
    table = read_star(name)[""]
    assert isinstance(table, pd.DataFrame)
    assert int(table["rlnGroupNrParticles"].sum()) == result.counts["particles"]
    picks = read_star(project / "AutoPick/job010/Movies/b_autopick.star")[""]
    assert isinstance(picks, pd.DataFrame)
    median = picks["rlnAutopickFigureOfMerit"].median()
    assert table["cryoflowFigureOfMeritQuantile50"][1] == pytest.approx(median, rel=1e-4)
    before = name.read_bytes()
    again, _ = pick(project)
    assert again.counts["kept"] == 3 and name.read_bytes() == before
    write_mrc(project / "refs.mrcs", np.stack([30 * particle(), 30 * particle().T]).astype(np.float32), PIXEL)
    _, lines = pick(project, "job011")
    assert any("hardly any particles, or the references are too strong" in line for line in lines)


@pytest.mark.parametrize("merit", ["relion", "ncc"])
def test_other_gates_are_applied_without_maps(
    project: Path, merit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = {"autopicking__candidate_floor": 0.1, "autopicking__figure_of_merit": merit}
    pick(project, **plain)
    tuning = {
        "autopicking__picking_threshold": 0.15,
        "autopicking__minimum_inter_particle_distance": 60,
        "autopicking__maximum_stddev_noise": 1.02,
    }
    fresh, _ = pick(project, "job011", **plain | tuning)
    with monkeypatch.context() as patch:
        patch.setattr("cryoflow.jobs.autopick.micrograph_task.read_micrograph", pytest.fail)
        again, _ = pick(project, **plain | tuning)
    assert coordinates(project) == coordinates(project, "job011")
    assert again.counts == fresh.counts and fresh.counts["particles"] > 0
    assert "AutoPick/job010/Movies/a_autopick_candidates.npz" in again.outputs


@pytest.mark.parametrize(
    "spoil",
    [
        {"autopicking__candidate_floor": 0.05, "autopicking__picking_threshold": 0.4},
        {"autopicking__picking_threshold": 0.05},
        {"references__in_plane_angular_sampling": 45},
        "broken",
        "micrograph",
    ],
)
def test_candidates_of_something_else_are_not_used(project: Path, spoil: dict[str, Any] | str) -> None:
    pick(project)
    changes: dict[str, Any] = spoil if isinstance(spoil, dict) else {"autopicking__picking_threshold": 0.4}
    if spoil == "broken":
        (project / "AutoPick/job010/Movies/a_autopick_candidates.npz").write_bytes(b"PK\x03\x04 half of it")
    if spoil == "micrograph":
        shutil.copy(project / "Movies/b.mrc", project / "Movies/a.mrc")
    pick(project, **changes)
    pick(project, "job011", **changes)
    assert coordinates(project) == coordinates(project, "job011")
    kept, new = (
        (project / f"AutoPick/{job}/Movies/a_autopick_candidates.npz") for job in ("job010", "job011")
    )
    assert kept.read_bytes() == new.read_bytes()


def test_a_3d_reference_is_projected(project: Path) -> None:
    z, y, x = np.mgrid[:BOX, :BOX, :BOX] - BOX // 2
    volume = 0.05 * np.exp(-(x**2 / 30 + y**2 / 10 + z**2 / 6))
    write_mrc(project / "map.mrc", volume.astype(np.float32), PIXEL)
    options = {
        "io__reference_2d": None,
        "io__provide_a_3d_reference": True,
        "io__reference_3d": "map.mrc",
        "io__symmetry": "D2",
        "references__mask_diameter": 60,
    }
    result, lines = pick(project, **options)
    assert result.outputs[0] == "AutoPick/job010/reference_projections.mrcs"
    assert result.inputs[:2] == ("mics.star", "map.mrc") and result.counts["particles"] > 0
    assert "compares with 12 projections of map.mrc (D2)" in lines
    picks = read_star(project / "AutoPick/job010/Movies/a_autopick.star")[""]
    assert isinstance(picks, pd.DataFrame) and picks["rlnClassNumber"].between(1, 12).all()
    with pytest.raises(CryoflowError, match="not a group of rotations"):
        pick(project, "job011", **{**options, "io__symmetry": "D2H"})
    with pytest.raises(CryoflowError, match="a 3D reference is a cube"):
        pick(project, "job012", **{**options, "io__reference_3d": "refs.mrcs"})


def test_micrographs_outside_the_project_leave_nothing_there(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    raw = tmp_path_factory.mktemp("raw")
    names = [str(raw / "a.mrc"), f"../{raw.name}/b.mrc"]
    for name in names:
        shutil.copy(project / "Movies/a.mrc", project / name)
    write_star(project / "mics.star", {"": pd.DataFrame({"rlnMicrographName": names, **CTF})})
    pick(project)
    assert sorted(path.name for path in raw.iterdir()) == ["a.mrc", "b.mrc"]
    inside = project / "AutoPick/job010"
    for listing in ("autopick.star", "coords_suffix_autopick.star"):
        assert read_coordinate_list(inside / listing, project) == [
            (names[0], inside / f"{raw.as_posix()[1:]}/a_autopick.star"),
            (names[1], inside / f"{raw.name}/b_autopick.star"),
        ]


def test_tables_that_lack_something_are_refused(project: Path) -> None:
    rows = pd.DataFrame({"rlnMicrographName": ["Movies/a.mrc"], **CTF})
    write_star(project / "mics.star", {"": rows.assign(rlnMicrographName="")})
    with pytest.raises(CryoflowError, match="rlnMicrographName of row 1 is empty"):
        pick(project)
    write_star(project / "mics.star", {"": rows.drop(columns="rlnVoltage")})
    with pytest.raises(CryoflowError, match=r"lacks the column rlnVoltage, and 'Are References CTF corr"):
        pick(project)
    write_star(project / "mics.star", {"": rows.iloc[:0]})
    with pytest.raises(CryoflowError, match="holds no micrographs"):
        pick(project)
    write_star(project / "mics.star", {"": pd.concat([rows, rows])})
    with pytest.raises(CryoflowError, match="would write the same coordinates"):
        pick(project)


def test_pixel_sizes_come_from_field_table_or_header(project: Path) -> None:
    pick(project)
    whole = coordinates(project)
    rows = pd.DataFrame({"rlnMicrographName": [f"Movies/{name}.mrc" for name in SHAPES], **CTF})
    rows = rows.drop(columns=["rlnMagnification", "rlnDetectorPixelSize"])
    write_star(project / "mics.star", {"": rows})
    _, lines = pick(project, "job011")
    assert coordinates(project, "job011") == whole
    assert any("using 4 A for pixels, from the header of Movies/a.mrc" in line for line in lines)
    table(project, list(SHAPES), rlnDetectorPixelSize=8.0)
    _, lines = pick(project, "job012", io__pixel_size_in_micrographs=4)
    assert coordinates(project, "job012") == whole
    assert any("as the spec says, although mics.star says 8 A" in line for line in lines)


def test_coordinates_are_written_in_the_style_asked_for(project: Path) -> None:
    directory = project / "AutoPick/job010"
    directory.mkdir(parents=True)
    run(spec().model_copy(update={"star_style": "3.1"}), JobContext(project, directory))
    assert b"# version 30001" in coordinates(project)["a_autopick.star"]
