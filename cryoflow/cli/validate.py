"""``cryoflow validate``."""

from __future__ import annotations

import argparse
import sys

from cryoflow.errors import CryoflowError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``validate``."""
    parser.add_argument("specs", nargs="+", metavar="SPEC", help="spec files")
    parser.set_defaults(call=validate)


def validate(options: argparse.Namespace) -> int:
    """Check every file, tell all problems, write nothing."""
    from cryoflow.spec import load_spec

    code = 0
    for path in options.specs:
        try:
            spec = load_spec(path)
        except CryoflowError as error:
            sys.stderr.write(f"{error}\n")
            code = 2
        else:
            sys.stdout.write(f"{path}: ok, {spec.job}\n")
    return code
