"""Errors that are raised in more than one room."""


class CheckpointError(ValueError):
    """A checkpoint that cannot be used."""
