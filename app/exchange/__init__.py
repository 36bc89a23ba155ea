"""Projects of other tools, read where they can do no harm."""
