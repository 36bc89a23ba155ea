"""Trainings: what is learnt from, what is held out, and the jobs."""
