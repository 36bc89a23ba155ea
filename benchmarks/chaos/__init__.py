"""Faults that the service has to survive: real processes under load, harmed at random, then audited."""
