"""Estimates: the poses that a checkpoint sees in a video."""
