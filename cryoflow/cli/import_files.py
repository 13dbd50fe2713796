"""``cryoflow import``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from cryoflow.cli.place import add_project, project_of
from cryoflow.errors import CryoflowError
from cryoflow.screen import print_error, say

_EPILOG = """micrographs: MRC files stay where they are; TIFF, PNG and JPEG are copied to MRC; no movies.
CTF estimates: tables of RELION and Gctf (.star), CTFFIND 4 and 5 (.txt), Gctf (_gctf.log), exposures of
cryoSPARC (.cs) and Warp (.xml), or a folder of the latter four; joined by the micrographs' names.
references: averages (.mrcs) or a map (.mrc); contrast and grey scale are measured.

examples:
  cryoflow import micrographs Micrographs/*.mrc micrographs.star --pixel-size 0.885 --voltage 200 --cs 1.4
  cryoflow import micrographs scans micrographs.star --pixel-size 1.3 --ctf ctffind_results
  cryoflow import references J12_templates.mrc references.mrcs --pixel-size 3.54
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``import``."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("what", choices=["micrographs", "references"], help="type of the files")
    parser.add_argument(
        "files", type=Path, nargs="+", metavar="FILE", help="files or folders; last, the file to write"
    )
    text = "pixel size in A (default: of the CTF estimates, or the headers where all have one)"
    parser.add_argument("--pixel-size", type=_positive, default=None, metavar="A", help=text)
    text = "acceleration voltage (default: of the CTF estimates, or 300)"
    parser.add_argument("--voltage", type=_positive, default=None, metavar="KV", help=text)
    text = "spherical aberration (default: of the CTF estimates, or 2.7)"
    parser.add_argument("--cs", type=float, default=None, metavar="MM", help=text)
    text = "fraction of amplitude contrast (default: of the CTF estimates, or 0.1)"
    parser.add_argument("--amplitude-contrast", type=float, default=None, metavar="F", help=text)
    parser.add_argument("--ctf", type=Path, nargs="+", default=[], metavar="FILE", help="CTF estimates")
    text = "folder of the project for MRC copies (default: Micrographs)"
    parser.add_argument("--copies", default="Micrographs", metavar="DIR", help=text)
    text = "style of the table: 3.1 for RELION 3.1 to 5, 3.0 for older (default: 3.1)"
    parser.add_argument("--star-style", choices=["3.0", "3.1"], default="3.1", help=text)
    add_project(parser)
    parser.set_defaults(call=import_files)


def import_files(options: argparse.Namespace) -> int:
    """Import the files and report the result."""
    *given, out = options.files
    if not given:
        raise CryoflowError(f"{out}: give the files to import, and last the file to write")
    return (_micrographs if options.what == "micrographs" else _references)(options, given, out)


def _micrographs(options: argparse.Namespace, given: Sequence[Path], out: Path) -> int:
    from cryoflow.files.import_micrographs import Microscope, import_micrographs

    if out.suffix != ".star":
        raise CryoflowError(f"{out}: give the table to write last, a .star file")
    microscope = Microscope(options.pixel_size, options.voltage, options.cs, options.amplitude_contrast)
    done = import_micrographs(
        given,
        out,
        project_of(options),
        microscope,
        options.ctf,
        options.copies,
        options.star_style,
        _progress,
    )
    _report(done.said, done.warned)
    copies = f", {done.copies} copied to MRC" if done.copies else ""
    say(f"{done.micrographs} micrographs: {out}{copies}")
    return 0


def _references(options: argparse.Namespace, given: Sequence[Path], out: Path) -> int:
    from cryoflow.files.import_references import import_references

    if len(given) > 1:
        raise CryoflowError(f"{given[1]}: give one file of references; join stacks first")
    done = import_references(given[0], out, options.pixel_size)
    _report(done.said, done.warned)
    say(f"references: {out}")
    return 0


def _report(said: Sequence[str], warned: Sequence[str]) -> None:
    for line in said:
        say(line)
    for line in warned:
        print_error(f"warning: {line}")


def _progress(files: Sequence[Path]) -> Iterator[Path]:
    from rich.progress import track

    yield from track(files, "copying to MRC") if files else ()


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value
