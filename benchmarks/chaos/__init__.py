"""Faults that the service has to survive: the real processes under a small load, harmed at random moments, then audited."""
