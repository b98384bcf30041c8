"""C sources for the device (kernel/ arch/ chips/ boards/) and for its guests (sdk/); data, no Python."""
