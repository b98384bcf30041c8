"""The screens of mma-console, one a file."""
