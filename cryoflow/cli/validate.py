"""``cryoflow validate``."""

from __future__ import annotations

import argparse
import sys

from cryoflow.errors import CryoflowError
from cryoflow.screen import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``validate``."""
    parser.add_argument("specs", nargs="+", metavar="SPEC", help="spec files")
    parser.set_defaults(call=validate)


def validate(options: argparse.Namespace) -> int:
    """Check every file, report all problems, write nothing."""
    code = 0
    for path in options.specs:
        try:
            found = _found(path)
        except CryoflowError as error:
            sys.stderr.write(f"{error}\n")
            code = 2
        else:
            say(f"{path}: ok, {found}")
    return code


def _found(path: str) -> str:
    from cryoflow.launch.chain.steps import is_chain, read_chain
    from cryoflow.spec import load_spec

    if is_chain(path):
        return "a chain of " + ", ".join(step.title for step in read_chain(path))
    return load_spec(path).job
