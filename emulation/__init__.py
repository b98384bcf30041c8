"""What a desk or a CI machine lacks: emulated microcontrollers and a genuine Mesos master."""
