"""``cryoflow run``."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from cryoflow.cli.parser import is_override
from cryoflow.errors import CryoflowError

_NOTES = """overrides:
  FIELD=VALUE     name, dotted name or label of a field, for all specs that have it
  12:FIELD=VALUE  for one step of a chain, by number or alias
  FIELD=[1,2]     a field that is a list
  FIELD=1,2,3     several values, one job each (with --multirun)
  number=-        the next free number; alias=- for no alias

exit codes: 0 success; 1 a job failed; 2 refused, or some items of a job failed; 3 a job kept nothing
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``run``."""
    add = parser.add_argument
    add("words", nargs="*", metavar="SPEC | FIELD=VALUE", help="spec files, and values that override fields")
    add(
        "--project",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="project root (default: the current directory)",
    )
    add(
        "--continue",
        dest="continued",
        default="",
        metavar="JOB_DIR",
        help="rerun or resume this job in its directory; without SPEC, with its recorded spec",
    )
    add("--multirun", "-m", action="store_true", help="sweep: run one job for each combination of values")
    add("--launcher", default="local", metavar="NAME", help="sweep: local, joblib, slurm, or a YAML file")
    add(
        "--from",
        dest="start",
        default="",
        metavar="STEP",
        help="chain: start at this step, by number or alias",
    )
    add("--to", dest="stop", default="", metavar="STEP", help="chain: stop after this step")
    add("--force", action="store_true", help="chain: run steps even if they are up to date")
    add("--replace", action="store_true", help="chain: replace finished results that are outdated")
    add(
        "--dry-run",
        "-n",
        dest="dry",
        action="store_true",
        help="only report what would run, and on which inputs",
    )
    parser.epilog, parser.formatter_class = _NOTES, argparse.RawDescriptionHelpFormatter
    parser.set_defaults(call=run, extras="words")


def run(options: argparse.Namespace) -> int:
    """Run the specs.

    A step of a chain that is not up to date runs under its own number. Finished results are replaced only
    with --replace, or when asked on a terminal: they go to Trash/, from where `cryoflow restore` brings them
    back. The same command given again resumes a job that was killed, and does what failed in a partial one.
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
