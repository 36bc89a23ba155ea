"""``posetween import``: another tool's project becomes one of a service."""
