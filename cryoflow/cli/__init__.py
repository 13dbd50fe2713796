"""Command line: parse, call, print. Heavy modules are imported only by the command that needs them."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
from collections.abc import Sequence

from cryoflow.cli.parser import build_parser, gather_extras
from cryoflow.errors import CryoflowError, SpecError
from cryoflow.screen import print_error


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments after the program's name; by default those of the process.

    Returns
    -------
    int
        0: success; 1: a job failed, files have changed (``verify``, ``rerun``), or no project could be made
        (``simulate``, ``demo``); 2: refused, or some items of a job failed.
    """
    gc.set_threshold(10_000)  # importing torch alone triggers 600 collections
    atexit.register(gc.freeze)  # else the exit searches all of torch for cycles, half a second
    # Read when torch is loaded. Threads that spin while they wait cost ten times the work of small batches
    # as soon as anything else runs on the machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = build_parser(arguments)
    options = gather_extras(parser, arguments)
    try:
        return int(options.call(options))
    except CryoflowError as error:
        print_error(str(error))
        return 2 if isinstance(error, SpecError) else int(options.refused)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        if threading.active_count() > 1:  # Python would wait for them
            sys.stdout.flush()
            os._exit(1)
        return 1
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # the reader (``| head``) has closed the pipe
        return 0
    except Exception as error:
        if os.environ.get("CRYOFLOW_TRACEBACK"):
            raise
        what = " ".join(f"{type(error).__name__}: {error}".split())
        sys.stderr.write(f"cryoflow failed: {what}; set CRYOFLOW_TRACEBACK=1 for the traceback\n")
        return 1
