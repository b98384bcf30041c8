"""Lets the cases here use the runner of tests/hal/aot."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "hal" / "aot"))
