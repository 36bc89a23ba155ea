"""Exchange with other tools: one table of poses, and a module for each format that it is read from and written to."""
