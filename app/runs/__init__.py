"""Propagations and the runs they leave."""
