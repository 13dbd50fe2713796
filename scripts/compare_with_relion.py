"""Compare cryoflow with RELION's own output for the same input.

    python scripts/compare_with_relion.py [picking|class2d] [--reference DIR] [--case NAME ...]

Prints a table and ends with 1 when something is out of tolerance. RELION's output is looked for in
$CRYOFLOW_REFERENCE, as by the tests, or beside the clone in shared/reference.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from parity import class2d, picking

PARTS = {"picking": picking, "class2d": class2d}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=("all", *PARTS), nargs="?", default="all")
    default = os.environ.get("CRYOFLOW_REFERENCE", Path(__file__).parents[2] / "shared" / "reference")
    parser.add_argument("--reference", type=Path, default=default, help="folder with RELION's output")
    parser.add_argument("--case", nargs="*", default=[], help="only these cases")
    options = parser.parse_args()
    if not options.reference.is_dir():
        parser.error(f"{options.reference}: no such folder; set CRYOFLOW_REFERENCE or give --reference")
    parts = list(PARTS.values()) if options.part == "all" else [PARTS[options.part]]
    known = [name for part in parts for name in part.names(options.reference)]
    if unknown := set(options.case) - set(known):
        parser.error(f"no such case: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    good = [part.report(options.reference, options.case) for part in parts]
    return 0 if all(good) else 1


if __name__ == "__main__":
    raise SystemExit(main())
