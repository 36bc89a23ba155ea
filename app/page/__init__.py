"""The page of the service, as it was built from ``web/``: files that browsers get, and nothing else."""
