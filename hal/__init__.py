"""The hardware abstraction layer: what a target must offer (`hal.target`) and the targets themselves."""
