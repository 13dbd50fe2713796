"""``cryoflow run``."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from cryoflow.cli.parser import is_override
from cryoflow.errors import CryoflowError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``run``."""
    add = parser.add_argument
    add("words", nargs="*", metavar="SPEC | FIELD=VALUE", help="spec files, and overrides")
    add("--project", type=Path, default=Path(), metavar="DIR", help="project root; here if not given")
    add("--continue", dest="continued", default="", metavar="JOB_DIR", help="run again in this directory")
    add("--multirun", "-m", action="store_true", help="run a job for each of the values in a list")
    add(
        "--launcher", default="local", metavar="NAME", help="of a sweep: local, joblib, slurm, or a YAML file"
    )
    add("--from", dest="start", default="", metavar="STEP", help="of a chain: begin here, by number or alias")
    add("--to", dest="stop", default="", metavar="STEP", help="of a chain: end after this step")
    add("--force", action="store_true", help="of a chain: run steps even if they are up to date")
    add("--dry-run", "-n", dest="dry", action="store_true", help="only say what would run, and on what")
    parser.set_defaults(call=run, extras="words")


def run(options: argparse.Namespace) -> int:
    """Run the specs.

    A step of a chain that is not up to date runs under its own number; what its directory held before goes to
    Trash/. The same command given again takes up a job that was killed where it was.
    """
    from cryoflow.launch.options import RunOptions
    from cryoflow.launch.run import run_specs

    overrides = [word for word in options.words if is_override(word)]
    paths = [word for word in options.words if not is_override(word)]
    if not paths and not options.continued:
        raise CryoflowError("cryoflow run: no spec given; name one or more YAML files, or --continue JOB_DIR")
    given = {name: getattr(options, name) for name in RunOptions._fields if name != "command"}
    command = shlex.join(["cryoflow", *options.arguments])
    return run_specs(paths, overrides, RunOptions(command=command, **given))
