"""Give mutated files to every reader: only a `CryoflowError` may come out, within seconds.

PYTHONPATH=. python tests/fuzz/run.py [--count 20000] [--seed 1]

Each input is a small valid file of its kind with up to eight mutations: bytes flipped, cut, repeated, or
replaced by words that mean something to a parser. The seed of every input stands before what it caused.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cryoflow.errors import CryoflowError
from cryoflow.files.arrays import StoredArrays, read_arrays, write_arrays
from cryoflow.files.mrc import read_header, read_image, write_mrc
from cryoflow.files.star import read_star
from cryoflow.launch.launchers import read_preset
from cryoflow.launch.sweep.folder import RECORD as SWEEP_RECORD
from cryoflow.launch.sweep.folder import read_sweep
from cryoflow.project.pipeline_model import input_edges, process_states, read_pipeline
from cryoflow.project.record import RECORD, read_record
from cryoflow.spec import load_spec

SPECS = Path(__file__).parents[2] / "specs"

#: Seconds that one input may take.
LIMIT = 5

WORDS = [
    b"-1", b"0", b"1e400", b"nan", b"-", b"null", b"[", b"{", b"}", b"]", b"&a ", b"*a", b"<<: *a", b"\0",
    b"!!python/object:os.system ", b"\xff\xfe", b"\xed\xb2\x80", b"data_", b"loop_", b"_", b"'", b'"', b"#",
    b"\n", b"\r", b"\t", b" ", b"2026-99-99", b"99999999999999999999", b"${oc.env:HOME}", b"../../",
    b"\x1b[31m", b"---\n", b"? ", b"\\uDC80",
]  # fmt: skip

RECORDED = b"""command: cryoflow run spec.yaml
counts: {particles: 3}
inputs:
- {path: a.star, sha256: ab, size: 3}
outputs: []
spec: {job: Select, io: {a: Extract/job012/particles.star}}
status: succeeded
timings: {seconds: {job: 1.5}, started: '2026-01-02T03:04:05'}
"""
SWEPT = b"""command: cryoflow run spec.yaml
job: Select
jobs:
- {code: 0, job: Select/job014}
points:
- [a=1, b=2]
status: ended
"""
STAR = b"""
data_particles

loop_
_rlnImageName #1
_rlnCoordinateX #2
_rlnClassNumber #3
000001@a.mrcs 1.5 2
000002@a.mrcs 2.5 1

data_general

_rlnOpticsGroup 1
_rlnVoltage 300.0
"""
PIPELINE = b"""
data_pipeline_general

_rlnPipeLineJobCounter 15

data_pipeline_processes

loop_
_rlnPipeLineProcessName #1
_rlnPipeLineProcessAlias #2
_rlnPipeLineProcessType #3
_rlnPipeLineProcessStatus #4
Select/job014/ None 7 2

data_pipeline_input_edges

loop_
_rlnPipeLineEdgeFromNode #1
_rlnPipeLineEdgeProcess #2
Extract/job012/particles.star Select/job014/
"""


class Reader(NamedTuple):
    """A kind of file: its name, a valid example, and what reads it."""

    name: str
    example: bytes
    read: Callable[[Path], Any]


class TooSlow(Exception):
    """A reader took longer than `LIMIT`."""


def readers(folder: Path) -> dict[str, Reader]:
    """Return the kinds of files by name."""
    write_mrc(folder / "a.mrc", np.arange(12, dtype=np.float32).reshape(3, 4), 1.5)
    write_arrays(folder / "a.npz", StoredArrays({"x": np.arange(5.0)}, {"floor": 0.1}))
    spec = (SPECS / "tutorial" / "11_template_based.yaml").read_bytes()
    preset = (SPECS / "launcher" / "joblib.yaml").read_bytes()

    def pipeline(path: Path) -> object:
        words = read_pipeline(path)
        return [*input_edges(words), *process_states(words)]

    return {
        "spec": Reader("a.yaml", spec, load_spec),
        "preset": Reader("preset.yaml", preset, lambda path: read_preset(str(path))),
        "record": Reader(RECORD, RECORDED, lambda path: read_record(path.parent)),
        "sweep": Reader(SWEEP_RECORD, SWEPT, lambda path: read_sweep(path.parent)),
        "star": Reader("a.star", STAR, read_star),
        "pipeline": Reader("default_pipeline.star", PIPELINE, pipeline),
        "mrc": Reader(
            "a.mrc", (folder / "a.mrc").read_bytes(), lambda path: (read_header(path), read_image(path))
        ),
        "npz": Reader("a.npz", (folder / "a.npz").read_bytes(), read_arrays),
    }


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Return a copy of the content with some mutations."""
    found = bytearray(content)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(found) + 1)
        end = min(len(found), at + chance.choice((1, 1, 4, 40)))
        match chance.randrange(5):
            case 0:
                found[at:end] = bytes(chance.randrange(256) for _ in found[at:end])
            case 1:
                del found[at:end]
            case 2:
                found[at:at] = chance.choice(WORDS) * chance.choice((1, 1, 1, 100))
            case 3:
                found[at:end] = chance.choice(WORDS)
            case _:
                found[at:at] = found[at:end] * chance.choice((1, 2, 50))
    return bytes(found[: chance.randrange(len(found) + 1)] if chance.random() < 0.1 else found)


@contextmanager
def limited() -> Iterator[None]:
    """Raise `TooSlow` after the limit."""

    def stop(*_: object) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def fuzz(folder: Path, kind: str, count: int, seed: int) -> list[str]:
    """Read so many mutated files of a kind; return what came out that should not, a line each."""
    reader, found = readers(folder)[kind], []
    path = folder / reader.name
    for number in range(count):
        path.write_bytes(mutated(reader.example, random.Random(f"{seed} {kind} {number}")))
        try:
            with limited():
                reader.read(path)
        except CryoflowError:
            pass
        except (Exception, TooSlow) as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            at = f"{Path(where.filename).name}:{where.lineno}"
            found.append(
                f"{kind} {number}: {type(error).__name__}: {' '.join(str(error).split())[:90]} ({at})"
            )
    return found


def main() -> int:
    """Fuzz all kinds; 0 if nothing was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=20_000, help="inputs of all kinds together (20000)")
    parser.add_argument("--seed", type=int, default=1, help="of the mutations (1)")
    given = parser.parse_args()
    total = 0
    with tempfile.TemporaryDirectory() as folder:
        kinds = [*readers(Path(folder))]
        for kind in kinds:
            found = fuzz(Path(folder), kind, given.count // len(kinds), given.seed)
            sys.stdout.write("".join(f"{line}\n" for line in found))
            sys.stdout.write(f"{kind}: {given.count // len(kinds)} inputs, {len(found)} unforeseen\n")
            sys.stdout.flush()
            total += len(found)
    return int(bool(total))


if __name__ == "__main__":
    sys.exit(main())
