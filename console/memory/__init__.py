"""The memory of a device: who has what of its flash and RAM, to the byte, and the bytes themselves."""
