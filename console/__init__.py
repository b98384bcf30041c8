"""What a person touches: the `mma` command line and the mma-console terminal IDE."""
