"""``cryoflow schema``."""

from __future__ import annotations

import argparse
import json

from cryoflow.screen import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``schema``."""
    from cryoflow.spec import SPEC_CLASSES

    parser.add_argument("job", metavar="JOB", help=", ".join(SPEC_CLASSES))
    parser.set_defaults(call=schema)


def schema(options: argparse.Namespace) -> int:
    """Print the JSON schema of a job type."""
    from cryoflow.spec.describe import json_schema

    say(json.dumps(json_schema(options.job), indent=2, ensure_ascii=False))
    return 0
