"""`mma bench`: measurements with goals. A benchmark is one file in suite/, listed in registry.py."""
