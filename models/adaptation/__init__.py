"""Stage B of propagation: a detector fitted to one video."""
