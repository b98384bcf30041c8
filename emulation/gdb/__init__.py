"""A debugging session without a screen: GDB/MI, a guard for bad stubs, peripherals from SVD."""
