"""Options: defaults, command line, refusals."""

import subprocess
import sys
from argparse import ArgumentParser
from dataclasses import fields

import pytest

from cryoflow.errors import CryoflowError
from cryoflow.simulate.options import SimulateOptions, add_arguments


def parse(*words: str) -> SimulateOptions:
    parser = ArgumentParser()
    add_arguments(parser)
    return SimulateOptions.from_arguments(parser.parse_args(words))


def test_the_command_line_covers_every_field() -> None:
    assert parse() == SimulateOptions()
    parser = ArgumentParser()
    add_arguments(parser)
    assert {field.name for field in fields(SimulateOptions)} == set(vars(parser.parse_args([])))


def test_values_come_through() -> None:
    words = "--micrographs 3 --size 700 820 --defocus 9000 12000 --model ring --symmetry c6 --mode float32"
    options = parse(*words.split())
    assert options.size == (700, 820) and options.defocus == (9000, 12000)
    assert (options.micrographs, options.point_group, options.mode) == (3, "C6", "float32")


def test_the_preset_brings_its_point_group() -> None:
    assert SimulateOptions(model="barrel").point_group == "D7"


def test_boxes_are_even_and_hold_the_particle() -> None:
    for diameter in (100.0, 133.0, 175.0):
        options = SimulateOptions(diameter=diameter)
        assert options.reference_box % 2 == 0 and options.box == 2 * options.reference_box
        assert 1.25 <= options.box * options.pixel_size / diameter < 1.4


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("micrographs", 0, "at least 1 micrograph"),
        ("pixel_size", 0.0, "must be positive"),
        ("snr", -1.0, "must be positive"),
        ("defocus", (2.0, 1.0), "low to high"),
        ("carbon", 2.0, "probability"),
        ("mode", "int8", "mode must be one of"),
        ("model", "duck", "model must be one of"),
        ("diameter", 20.0, "at least 20 pixels"),
        ("size", (100, 400), "larger than 2 boxes"),
        ("hot_pixels", -1, "cannot be negative"),
    ],
)
def test_what_cannot_be_is_refused(field: str, value: object, text: str) -> None:
    with pytest.raises(CryoflowError, match=text):
        SimulateOptions(**{field: value})


def test_all_problems_come_at_once() -> None:
    with pytest.raises(CryoflowError, match=r"probability.*model must be one of"):
        SimulateOptions(carbon=2, model="duck")


def test_options_and_demo_import_nothing_heavy() -> None:
    code = "import sys, cryoflow.simulate.options, cryoflow.demo"
    code += "; assert not {'torch', 'numpy', 'scipy', 'pandas', 'hydra', 'PIL'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
