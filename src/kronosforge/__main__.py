"""`python -m kronosforge`."""

import sys

from kronosforge.cli import run

sys.exit(run())
