"""
Set-based writes: many records in one statement, newest wins, unchanged rows not written.

Rows travel as one JSON parameter that PostgreSQL turns into its own types: exact decimals, instants and text arrays
without a type list of ours.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import text
from sqlmodel import Session

VERSION = ("source_version", "source_triggered_at", "source_progress", "source_digest")
Fields = Mapping[str, Any]


def upsert_newest(
    session: Session, table: str, rows: Sequence[Fields], key: Sequence[str], *, keep: Sequence[str] = (), least: Sequence[str] = ()
) -> list[int]:
    """
    Insert rows or replace older versions of them; return the ids of those written.

    `rows`: dicts with the same columns, at most one per `key`. `keep`: columns that only an insert sets (public ids).
    `least`: instants of which the earliest ever told counts.
    """
    if not rows:
        return []
    columns = list(rows[0])
    settable = [c for c in columns if c not in key and c not in keep]
    sets = ", ".join(f"{c} = least({table}.{c}, excluded.{c})" if c in least else f"{c} = excluded.{c}" for c in settable)
    ours, theirs = (", ".join(f"{side}.{c}" for c in VERSION) for side in (table, "excluded"))
    statement = f"""
        insert into {table} ({", ".join(columns)})
        select {", ".join(columns)} from jsonb_populate_recordset(null::{table}, cast(:rows as jsonb))
        on conflict ({", ".join(key)}) do update set {sets} where ({theirs}) > ({ours})
        returning id
    """
    return list(session.execute(text(statement), {"rows": as_json(rows)}).scalars())


def lower_instants(session: Session, table: str, rows: Sequence[Fields], key: Sequence[str], column: str) -> list[int]:
    """Where an older version told an earlier `column` than the row holds, take that; return the ids changed."""
    rows = [row for row in rows if row[column] is not None]
    if not rows:
        return []
    match = " and ".join(f"t.{c} = r.{c}" for c in key)
    statement = f"""
        update {table} t set {column} = r.{column}
        from (select {", ".join(key)}, min({column}) as {column}
              from jsonb_populate_recordset(null::{table}, cast(:rows as jsonb)) group by {", ".join(key)}) r
        where {match} and (t.{column} is null or t.{column} > r.{column})
        returning t.id
    """
    return list(session.execute(text(statement), {"rows": as_json(rows)}).scalars())


def replace_children(session: Session, table: str, parent: str, parents: Sequence[int], rows: Sequence[Fields]) -> None:
    """Delete all children of `parents` and insert `rows` in their place."""
    if not parents:
        return
    session.execute(text(f"delete from {table} where {parent} = any(:parents)"), {"parents": list(parents)})
    insert_new(session, table, rows)


def insert_new(session: Session, table: str, rows: Sequence[Fields]) -> None:
    """Insert rows that are not there yet; leave those that are."""
    if not rows:
        return
    columns = ", ".join(rows[0])
    statement = f"""
        insert into {table} ({columns})
        select {columns} from jsonb_populate_recordset(null::{table}, cast(:rows as jsonb)) on conflict do nothing
    """
    session.execute(text(statement), {"rows": as_json(rows)})


def as_json(rows: Sequence[Fields]) -> str:
    """Rows as one JSON array; decimals and instants as exact texts."""
    return msgspec.json.encode(list(rows)).decode()
