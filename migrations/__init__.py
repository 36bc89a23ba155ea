"""The database's history, as Alembic steps."""
