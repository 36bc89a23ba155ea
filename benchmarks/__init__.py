"""Scripts that measure; what they printed is under ``results/``."""
