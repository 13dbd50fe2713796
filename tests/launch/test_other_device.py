"""Jobs on a device whose tensors do not mix with those of the CPU: the same outputs as there.

Where there is a GPU the jobs run on that, else on a stand-in (`stand_in_device`).
"""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.stand_in_device import stand_in

from cryoflow.files.fom_maps import read_fom_maps
from cryoflow.files.mrc import read_stack, write_mrc
from cryoflow.files.star import read_star
from cryoflow.jobs.registry import runner
from cryoflow.project.context import JobContext
from cryoflow.simulate.options import SimulateOptions
from cryoflow.simulate.project import CTF_TABLE, REFERENCES, simulate_project
from cryoflow.spec import parse_spec

OPTIONS = SimulateOptions(
    micrographs=3, selected=2, size=(440, 480), pixel_size=4.0, particles=16, broken=2, contaminants=2,
    carbon=0, snr=0.1, mode="float32",
)  # fmt: skip
PARTICLES = "Extract/job012/particles.star"

PICK: dict[str, Any] = {
    "job": "AutoPick",
    "io": {"input_micrographs_for_autopick": CTF_TABLE, "reference_2d": REFERENCES},
    "references": {
        "lowpass_filter_references": 20, "in_plane_angular_sampling": 20,
        "pixel_size_in_references": 2 * OPTIONS.pixel_size,
    },
    "autopicking": {"picking_threshold": 0.1, "minimum_inter_particle_distance": 100, "write_fom_maps": True},
}  # fmt: skip
EXTRACT: dict[str, Any] = {
    "job": "Extract",
    "io": {
        "micrograph_star_file": CTF_TABLE,
        "input_coordinates": "AutoPick/job011/coords_suffix_autopick.star",
    },
    "extract": {"particle_box_size": 48},
}
SORT: dict[str, Any] = {
    "job": "Sort",
    "io": {"input_particles_to_be_sorted": PARTICLES, "autopicking_references": REFERENCES},
    "reference": {"pixel_size_in_references": 2 * OPTIONS.pixel_size},
}
CLASSIFY: dict[str, Any] = {
    "job": "Class2D",
    "io": {"input_images_star_file": PARTICLES},
    "optimization": {"number_of_classes": 3, "number_of_iterations": 3, "mask_diameter": 180},
    "sampling": {"in_plane_angular_sampling": 20, "offset_search_range": 3},
}
LEARNT = {"learnt_scores": True, "particle_diameter": OPTIONS.diameter}
VARIANTS = {
    "picks": (PICK, {"statistics": {"decoys": True}}),
    "picks by coefficient": (PICK, {"autopicking": {"figure_of_merit": "ncc", "subpixel_peaks": True}}),
    "picks by few templates": (
        PICK,
        {"autopicking": {"template_error": 0.1}, "references": {"in_plane_angular_sampling": 5}},
    ),
    "picks from a map": (
        PICK,
        {
            "io": {
                "reference_2d": None,
                "provide_a_3d_reference": True,
                "reference_3d": "map.mrc",
                "symmetry": "D2",
            },
        },
    ),
    "blobs": (
        PICK,
        {
            "io": {"reference_2d": None, "use_laplacian_of_gaussian": True},
            "laplacian": {"min_diameter_for_log_filter": 150, "max_diameter_for_log_filter": 200},
        },
    ),
    "particles": (EXTRACT, {"extract": {"rescale_particles": True, "re_scaled_size": 36}}),
    "Z-scores": (SORT, {}),
    "learnt scores": (SORT, {"scores": LEARNT}),
    "classes": (CLASSIFY, {}),
    "classes without alignment": (CLASSIFY, {"sampling": {"perform_image_alignment": False}}),
    "classes of all poses": (
        CLASSIFY,
        {"sampling": {"fine_search": "exhaustive"}, "optimization": {"limit_resolution_e_step_to": 20}},
    ),
}


def run(project: Path, base: dict[str, Any], changes: dict[str, Any], number: int, device: str) -> Path:
    """Run a job and return its directory."""
    sections = base | {
        name: {key: value for key, value in (base.get(name, {}) | changed).items() if value is not None}
        for name, changed in changes.items()
    }
    directory = project / base["job"] / f"job{number:03d}"
    directory.mkdir(parents=True, exist_ok=True)
    spec = parse_spec(sections)
    runner(spec.job)(spec, JobContext(project, directory, device))
    return directory


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Micrographs, picks and particles."""
    root = tmp_path_factory.mktemp("devices")
    simulate_project(root, OPTIONS)
    z, y, x = np.mgrid[:48, :48, :48] - 24.0
    volume = 0.1 * np.exp(-(z**2) / 60 - y**2 / 40 - x**2 / 20)
    write_mrc(root / "map.mrc", volume.astype(np.float32), 2 * OPTIONS.pixel_size)
    run(root, PICK, {}, 11, "cpu")
    run(root, EXTRACT, {}, 12, "cpu")
    return root


@pytest.fixture
def device() -> Iterator[str]:
    with nullcontext() if torch.cuda.is_available() else stand_in():
        yield "cuda:0"


@pytest.mark.parametrize("name", VARIANTS)
def test_jobs_give_the_same_on_another_device(project: Path, device: str, name: str) -> None:
    base, changes = VARIANTS[name]
    number = 20 + 2 * list(VARIANTS).index(name)
    there = run(project, base, changes, number + 1, device)
    here = run(project, base, changes, number, "cpu")
    names = [path.relative_to(here) for path in sorted(here.rglob("*")) if path.is_file()]
    assert names == [path.relative_to(there) for path in sorted(there.rglob("*")) if path.is_file()]
    compared = [_alike(here / file, there / file) for file in names]
    assert any(compared)


def _alike(one: Path, other: Path) -> bool:
    """Compare two files within a ten-thousandth of the largest value; False where nothing is compared."""
    if one.name == "coords_suffix_autopick.star":  # one line
        return False
    if one.suffix == ".star":
        for block, table in read_star(one).items():
            theirs = read_star(other)[block]
            if block != "thresholds" or len(table) or len(theirs):  # there may be none to propose
                _tables_alike(table, theirs)
    elif one.suffix == ".mrcs":
        read = (lambda path: read_fom_maps(path).maps) if "fom" in one.name else read_stack
        _values_alike(read(one), read(other))
    else:
        return False
    return True


def _tables_alike(one: Any, other: Any) -> None:
    tables = [value if isinstance(value, pd.DataFrame) else pd.DataFrame([value]) for value in (one, other)]
    assert list(tables[0].columns) == list(tables[1].columns)
    for column in tables[0].columns:
        a, b = (table[column].to_numpy() for table in tables)
        if a.dtype.kind in "fi":
            _values_alike(a, b)


def _values_alike(one: np.ndarray, other: np.ndarray) -> None:
    """99 of 100: of two poses that are as good either may be the best."""
    assert one.shape == other.shape and one.size
    most = float(np.abs(one).max(initial=0, where=np.isfinite(one)))
    assert np.isclose(one, other, rtol=1e-4, atol=1e-4 * most, equal_nan=True).mean() > 0.99
