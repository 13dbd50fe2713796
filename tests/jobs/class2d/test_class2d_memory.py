"""The estimate of memory against what a process really takes."""

import subprocess
import sys
from pathlib import Path

import pytest

from cryoflow.jobs.class2d import memory as class2d_memory
from cryoflow.jobs.class2d.memory import Size, expected_need, free_bytes

TESTS = Path(__file__).parents[2]
CODE = """
import sys
sys.path.insert(0, {tests!r})
import torch
from helpers.class2d_problem import data, particles
from cryoflow.compute.class2d import Options, iterate, start
torch.set_num_threads({threads})
K, n, N = {classes}, {box}, 2
def peak():
    return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) * 1024
torch.manual_seed(0)
images = torch.randn(N, n, n)
measured = data(images)
options = Options(box=n, pixel_size_a=3.5, mask_diameter_a=2.8 * n)
before = peak()
state = start(measured, K, torch.randint(0, 2**48, (N,)), options, particles(N))
model = state.model._replace(
    references=torch.randn(K, n, n).double(), shell=n // 2 - 10, share=torch.full((K,), 1 / K).double()
)
iterate(state._replace(model=model), measured, options)
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells the peak")
def test_peak_of_a_process_lies_below_the_estimate() -> None:
    classes, box, threads = 30, 64, 2
    code = CODE.format(tests=str(TESTS), classes=classes, box=box, threads=threads)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    need = expected_need(Size(2, box, classes, 6.0, threads))
    assert 0.25 * need.total < int(done.stdout) < need.total


def test_need_grows_with_classes_and_threads_and_the_square_of_the_box() -> None:
    size = Size(1000, 64, 100, 6.0, 1)
    search = expected_need(size).search
    fixed = expected_need(size._replace(classes=0)).search
    assert expected_need(size._replace(classes=200)).search - fixed == pytest.approx(2 * (search - fixed))
    assert expected_need(size._replace(box=128)).search - fixed == pytest.approx(
        4 * (search - fixed), rel=0.02
    )
    assert search < expected_need(size._replace(threads=2)).search < 2 * search
    assert expected_need(size._replace(double=True)).search > search


def test_a_million_particles_add_their_rows_only() -> None:
    """Images of 64 px fit for 30,000 particles; beyond, they are read in batches."""
    few, many = (expected_need(Size(number, 64, 50, 6.0, 2)) for number in (30_000, 1_000_000))
    assert few.images == 30_000 * 64 * 64 * 4 and many.images == 0
    assert many.search == few.search and many.particles < 4e9


def test_free_memory_is_that_of_the_smaller_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    limit, used = tmp_path / "max", tmp_path / "current"
    monkeypatch.setattr(class2d_memory, "LIMITS", ((str(limit), str(used)),))
    whole = free_bytes()
    if whole is None:
        pytest.skip("only Linux tells what is free")
    limit.write_text("5000000\n")
    used.write_text("3000000\n")
    assert free_bytes() == 2_000_000
    limit.write_text("max\n")
    again = free_bytes()
    assert again is not None and again > 10 * 2_000_000
