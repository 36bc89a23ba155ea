"""Networks that turn frames into maps of descriptors."""
