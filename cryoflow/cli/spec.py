"""``cryoflow spec``."""

from __future__ import annotations

import argparse
from pathlib import Path

from cryoflow.cli.place import add_project, job_place
from cryoflow.cli.table import say_table
from cryoflow.errors import CryoflowError, FileError
from cryoflow.screen import print_error, say
from cryoflow.shipped import COLLECTIONS, copy_shipped, shipped_files

_DIRECTORY = Path("specs")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``spec``."""
    names = ", ".join(COLLECTIONS)
    text = f"{names}: copy these; a job directory such as AutoPick/job011: write the spec of a RELION job"
    parser.add_argument("what", nargs="?", metavar="NAME", help=f"{text}; default: list the collections")
    text = f"directory of the copies (default: {_DIRECTORY}), or file for a job's spec (default: the screen)"
    parser.add_argument("target", nargs="?", type=Path, default=None, metavar="TARGET", help=text)
    add_project(parser)
    parser.set_defaults(call=spec)


def spec(options: argparse.Namespace) -> int:
    """List the shipped specs, copy a collection of them, or write the spec of a RELION job."""
    if options.what is None:
        rows = [[name, file] for name in COLLECTIONS for file in shipped_files(name)]
        say_table([["name", "file"], *rows])
        return 0
    if options.what not in COLLECTIONS:
        return _of_job(options)
    for path in copy_shipped(options.what, options.target or _DIRECTORY):
        say(str(path))
    return 0


def _of_job(options: argparse.Namespace) -> int:
    from cryoflow.files.atomic import write_bytes
    from cryoflow.project.relion_spec import relion_spec

    try:
        directory = job_place(options, options.what).directory
    except CryoflowError as error:
        raise CryoflowError(f"{error}; shipped specs: {', '.join(COLLECTIONS)}") from None
    found, target = relion_spec(directory), options.target
    if target is None:
        say(found.text.rstrip())
    elif target.exists():
        raise FileError(target, "exists already and is not overwritten; give another file")
    else:
        write_bytes(target, found.text.encode())
        say(str(target))
    for problem in found.problems:
        print_error(f"to be changed: {problem}")
    return 2 if found.problems else 0
