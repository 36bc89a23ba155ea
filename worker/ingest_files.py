"""What the child process of ingest leaves in its folder."""

PROXY, TABLES = "proxy", "tables"
