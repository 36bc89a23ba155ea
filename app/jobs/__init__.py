"""Jobs: work that takes long, and who does it."""
