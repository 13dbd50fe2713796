"""Command-line parser."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from importlib import import_module

from cryoflow.version import __version__

_COMMANDS = {
    "run": "run specs one after the other, a chain, or a sweep",
    "validate": "check specs without running them",
    "spec": "list the shipped specs and launcher presets, or copy them to edit",
    "sweep": "print the table of a sweep",
    "status": "show the jobs of a project as a tree, from inputs to results",
    "show": "show one job: settings, inputs, outputs, and how it ended",
    "draw": "draw the pictures of a job or sweep, or the picks on any micrograph",
    "diff": "show where two jobs differ",
    "verify": "check the files of jobs against their records",
    "rerun": "run jobs again from their records and compare the results",
    "restore": "bring back the results of a job that a chain has replaced",
    "fields": "list the fields of the job types",
    "schema": "print the JSON schema of a job type's specs",
    "init": "make RELION's pipeline file of a project, with the jobs that are there",
    "import": "make a table of micrographs from any program, with their CTF; or take in references",
    "convert": "convert picks and particles from and to other programs' files",
    "simulate": "simulate a project with known ground truth",
    "demo": "simulate a small project and run steps 10-16 on it",
}

_MODULES = {"import": "import_files"}
"""Modules of commands whose names cannot be module names."""

_EXAMPLES = """examples:
  cryoflow spec tutorial specs
  cryoflow run specs/tutorial/10_optimise_params.yaml --project ~/myproject
  cryoflow run specs/tutorial.yaml --from 12 12:particle_box_size=128
  cryoflow run pick.yaml "Picking threshold=0.6" compute.threads=4
  cryoflow run --continue AutoPick/job010 read_fom_maps=yes write_fom_maps=no picking_threshold=0.6
  cryoflow draw AutoPick/job011 mic003
  cryoflow run pick.yaml --multirun --launcher joblib picking_threshold=0.4,0.6,0.8
  cryoflow run pick.yaml --multirun hydra/sweeper=optuna objective=f1 "picking_threshold=interval(0.2,0.9)"
"""


def build_parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser; only the options of the command that is called are added.

    Listing the options of ``simulate`` means importing it, which is too slow for ``cryoflow --help``.
    """
    parser = argparse.ArgumentParser(
        prog="cryoflow",
        description="Steps 10-16 of the RELION single-particle tutorial as declarative, reproducible jobs.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"cryoflow {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    called = next((word for word in arguments if not word.startswith("-")), "")
    for name, text in _COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        command.set_defaults(command=name, refused=1 if name in {"simulate", "demo"} else 2, extras=None)
        if name == called:
            import_module(f"cryoflow.cli.{_MODULES.get(name, name)}").add_arguments(command)
    return parser


def gather_extras(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """Parse; words after an option are added to those before it, for commands that take words.

    ``argparse`` by itself ends a list of words at the first option.
    """
    options, extras = parser.parse_known_args(arguments)
    if extras and (options.extras is None or any(word.startswith("-") for word in extras)):
        parser.error(f"unrecognized arguments: {' '.join(extras)}")
    if extras:
        getattr(options, options.extras).extend(extras)
    options.arguments = list(arguments)
    return options


def is_override(word: str) -> bool:
    """Return whether a word is ``field=value`` rather than the name of a file."""
    return "=" in word and not os.path.lexists(word)
