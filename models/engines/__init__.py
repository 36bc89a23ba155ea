"""The propagation engines, one module each."""
