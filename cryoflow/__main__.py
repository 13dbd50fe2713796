"""``python -m cryoflow`` is ``cryoflow``."""

import sys

from cryoflow.cli import main

sys.exit(main())
