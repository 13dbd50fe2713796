"""Memory and threads of independent pieces of work."""

import sys
import threading
from resource import RUSAGE_SELF, getrusage

import pytest
import torch

from cryoflow.compute.parallel import (
    keeping_large_images,
    one_thread_each,
    short_switch_interval,
    single_threads,
)

PIXELS = 16 << 20
"""64 MB, more than glibc's thresholds can be set to."""


def faults_of_a_new_image(pixels: int) -> int:
    before = getrusage(RUSAGE_SELF).ru_minflt
    torch.ones(pixels)
    return getrusage(RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_memory_of_large_images_is_used_again() -> None:
    with keeping_large_images():
        faults_of_a_new_image(2 * PIXELS)
        with keeping_large_images():
            pass  # whose end leaves the outer one at work
        assert faults_of_a_new_image(PIXELS) < 100  # of 4 KB


def test_each_piece_has_one_thread_of_its_own() -> None:
    with single_threads(2) as pool:
        assert list(pool.map(lambda _: torch.get_num_threads(), range(4))) == [1] * 4
    before = torch.get_num_threads()
    with one_thread_each("cpu", 2) as mapper:
        assert torch.get_num_threads() == 1
        assert threading.get_ident() not in set(mapper(lambda _: threading.get_ident(), range(3)))
    assert torch.get_num_threads() == before


def test_the_interpreter_is_passed_on_sooner_for_a_while() -> None:
    before = sys.getswitchinterval()
    with short_switch_interval():
        assert sys.getswitchinterval() < before
    assert sys.getswitchinterval() == before
