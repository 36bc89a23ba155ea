"""What goes wrong in more than one place."""


class CheckpointError(ValueError):
    """A checkpoint that cannot be used."""
