"""Videos: uploads, their frames and their content."""
