"""Projects and their skeletons."""
