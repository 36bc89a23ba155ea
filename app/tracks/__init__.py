"""Tracks: the subjects of a video."""
