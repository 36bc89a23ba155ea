"""The rows of a thing: its own and, table by table, those that refer to it, whatever tables there are."""

from __future__ import annotations

from sqlalchemy import Column, ColumnElement, ForeignKeyConstraint, Table, or_, select, tuple_

from app.tables import Checkpoint, Label
from app.tables import Table as Declared

#: References that are not followed: a checkpoint outlives the one that it goes on from, and labels are found by video.
CUT = frozenset({Checkpoint.__table__.c.parent_id, Label.__table__.c.corrects_run_id})

#: Rows of one table, and which.
Rows = tuple[Table, ColumnElement[bool]]


def rows_of(root: Table, number: int, *, without: frozenset[Table] = frozenset()) -> list[Rows]:
    """The rows that refer to a row, directly or through others, in an order in which they can be deleted.

    Args:
        root: The table of that row, which is not in the answer.
        number: Its id.
        without: Tables that are left alone, with what refers to them alone.
    """
    equal: dict[Table, Column[int]] = {}  # the column that holds the number, where a table has one
    found: dict[Table, ColumnElement[bool]] = {root: root.c.id == number}
    for table in Declared.metadata.sorted_tables:
        if table is root or table in without:
            continue
        conditions = []
        for key in table.foreign_key_constraints:
            parent = key.referred_table
            if parent not in found or not CUT.isdisjoint(key.columns):
                continue
            own = _carried(key, root, equal)
            if own is not None:
                equal[table] = own
            conditions.append(_refers(key, parent, found[parent]))
        if table in equal:
            # Enough, and an index leads to them; so what refers to nothing but itself is not looked for elsewhere.
            found[table] = equal[table] == number
        elif conditions:
            found[table] = or_(*conditions)
    del found[root]
    return [(table, found[table]) for table in reversed(Declared.metadata.sorted_tables) if table in found]


def _carried(key: ForeignKeyConstraint, root: Table, equal: dict[Table, Column[int]]) -> Column[int] | None:
    """The column of a reference that holds the number itself."""
    wanted = root.c.id if key.referred_table is root else equal.get(key.referred_table)
    return next((element.parent for element in key.elements if element.column is wanted), None)


def _refers(key: ForeignKeyConstraint, parent: Table, which: ColumnElement[bool]) -> ColumnElement[bool]:
    mine = [element.parent for element in key.elements]
    theirs = select(*(element.column for element in key.elements)).where(which)
    return tuple_(*mine).in_(theirs) if len(mine) > 1 else mine[0].in_(theirs)
