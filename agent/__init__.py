"""The core: the Mesos agent protocol. Knows no hardware; of `hal` it imports only `hal.target`."""
