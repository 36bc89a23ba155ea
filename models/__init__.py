"""What moves poses through time: the propagation engines and, with them, the networks."""
