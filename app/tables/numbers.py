"""Numbers of rows are not given again: browsers, backups and the audit trail still go by those of deleted rows.

Postgres never gives one twice. SQLite goes on from the highest row that there is, unless a table is declared with
AUTOINCREMENT (https://www.sqlite.org/autoinc.html).
"""

from __future__ import annotations

from sqlalchemy import Integer, MetaData, Table
from sqlalchemy.dialects import sqlite


def numbered(metadata: MetaData) -> list[Table]:
    """The tables whose rows the database numbers."""
    found = []
    for table in metadata.sorted_tables:
        columns = table.primary_key.columns.values()
        mine = len(columns) == 1 and not columns[0].foreign_keys
        if mine and isinstance(columns[0].type.dialect_impl(sqlite.dialect()), Integer):
            found.append(table)
    return found


def use_autoincrement(metadata: MetaData) -> None:
    """Have SQLite give no number of these tables twice."""
    for table in numbered(metadata):
        table.dialect_options["sqlite"]["autoincrement"] = True
