"""Lets the campaigns use the framework of tests/end_to_end."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "end_to_end"))
