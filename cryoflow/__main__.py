"""``python -m cryoflow`` is ``cryoflow``."""

import sys

from cryoflow.cli import main

if __name__ == "__main__":  # worker processes import this file, and must not start anew
    sys.exit(main())
