"""Measure how long cryoflow takes, beside what the same work takes at least.

    benchmark.py NAME [options]      one of benchmarks/; benchmark.py NAME --help tells its options

Times depend on the machine and on who else uses it: quote ratios that were measured in one run.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def names() -> list[str]:
    return sorted(path.stem for path in (ROOT / "benchmarks").glob("[a-z]*.py"))


def main() -> int:
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    if len(sys.argv) < 2 or sys.argv[1] not in names():
        sys.stderr.write(f"{__doc__}\nBenchmarks: {', '.join(names())}\n")
        return 0 if sys.argv[1:] in (["-h"], ["--help"]) else 2
    module = importlib.import_module(f"benchmarks.{sys.argv[1]}")
    return int(module.main(sys.argv[2:]) or 0)


if __name__ == "__main__":
    raise SystemExit(main())
