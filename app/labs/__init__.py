"""Labs: who owns data, and how much of it they may have."""
