"""
Set-based writes: many records of a shop in one statement, newest wins, unchanged rows not written.

Rows travel as one JSON parameter that PostgreSQL turns into its own types: exact decimals, instants and text arrays
without a type list of ours. Measured against arrays and against jsonb, plain json costs the least on both sides.

Of JSON the planner knows nothing, and of a shop that is new since the last `analyze` it believes that it has two rows: then it
reads all of the shop's rows for a handful. So every statement on this path names the rows themselves (`= any`), or looks them
up one by one (`lateral` with a limit), which can only be done through their index.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import msgspec

from connector.store.db import Session, run

VERSION = ("source_version", "source_triggered_at", "source_progress", "source_digest")
Fields = Mapping[str, Any]
Key = tuple[Any, ...]


class Written(NamedTuple):
    """A row that was written, whether it was not there before, and the columns that were asked for."""

    id: int
    is_new: bool
    told: tuple[Any, ...]


def upsert_newest(
    session: Session,
    shop_id: int,
    table: str,
    rows: Sequence[Fields],
    key: tuple[str, ...],
    *,
    keep: tuple[str, ...] = (),
    least: tuple[str, ...] = (),
    computed: tuple[tuple[str, str], ...] = (),
    tell: tuple[str, ...] = (),
) -> dict[Key, Written]:
    """
    Insert rows or replace older versions of them, in their order; return those written, by key.

    `rows`: dicts with the same columns, at most one per `key`; the shop is added to both. `keep`: columns that only an insert
    sets. `least`: instants of which the earliest ever told counts. `computed`: columns with what an update makes of them, in terms of
    the kept row, named as its table, and of the new one, `excluded`. `tell`: columns to return as they are now.
    """
    if not rows:
        return {}
    statement = _upsert(table, tuple(rows[0]), key, keep, least, computed, tell)
    written = run(session, statement, {"shop": shop_id, "rows": as_json(rows)})
    own = 2 + len(key)
    return {row[2:own]: Written(row[0], row[1], row[own:]) for row in written}


def lower_instants(session: Session, shop_id: int, table: str, rows: Sequence[Fields], key: tuple[str, ...], column: str) -> list[int]:
    """Where an older version told an earlier `column` than the row holds, take that; return the ids changed. One row a `key`."""
    rows = [row for row in rows if row[column] is not None]
    if not rows:
        return []
    match = " and ".join(f"t.{c} = r.{c}" for c in key)
    statement = f"""
        update {table} t set {column} = r.{column} from json_populate_recordset(null::{table}, cast(%(rows)s as json)) r
        where t.shop_id = %(shop)s and {match} and (t.{column} is null or t.{column} > r.{column})
        returning t.id
    """
    return [row[0] for row in run(session, statement, {"shop": shop_id, "rows": as_json(rows)})]


def replace_children(session: Session, table: str, parent: str, parents: Sequence[int], rows: Sequence[Fields]) -> None:
    """Delete all children of `parents` and insert `rows` in their place."""
    if not parents:
        return
    run(session, f"delete from {table} where {parent} = any(cast(%(parents)s as bigint[]))", {"parents": as_array(parents)})
    insert_new(session, table, rows)


def place_children(session: Session, shop_id: int, table: str, parent: str, counts: Mapping[int, int], rows: Sequence[Fields]) -> None:
    """
    Make `rows`, which name their parent and position, all that these parents have; rows that say nothing new are not touched.

    `counts`: how many each parent that may have more has now. The parents are locked, so nobody else changes their children.
    """
    if counts:
        run(session, _cut_children(table, parent), {"parents": as_array(counts), "counts": as_array(counts.values())})
    if rows:
        values = {"shop": shop_id, "rows": as_json(rows), "parents": as_array({row[parent] for row in rows})}
        run(session, _merge_children(table, parent, tuple(rows[0])), values)


def add_children(session: Session, shop_id: int, table: str, rows: Sequence[Fields]) -> None:
    """Insert the rows of parents that have none yet: a third of what placing them costs."""
    if not rows:
        return
    columns = ", ".join(rows[0])
    statement = f"""
        insert into {table} (shop_id, {columns})
        select %(shop)s, {columns} from json_populate_recordset(null::{table}, cast(%(rows)s as json))
    """
    run(session, statement, {"shop": shop_id, "rows": as_json(rows)})


def insert_new(session: Session, table: str, rows: Sequence[Fields]) -> None:
    """Insert rows that are not there yet; leave those that are."""
    if not rows:
        return
    columns = ", ".join(rows[0])
    statement = f"""
        insert into {table} ({columns})
        select {columns} from json_populate_recordset(null::{table}, cast(%(rows)s as json)) on conflict do nothing
    """
    run(session, statement, {"rows": as_json(rows)})


def as_array(numbers: Iterable[int]) -> str:
    """Whole numbers in PostgreSQL's spelling of an array, to be cast: the driver's own way costs many times as much."""
    return f"{{{','.join(map(str, numbers))}}}"


def as_json(rows: Sequence[Fields] | Sequence[str]) -> str:
    """Rows, or texts, as one JSON array; decimals and instants as exact texts."""
    return msgspec.json.encode(rows).decode()


@cache
def _upsert(
    table: str,
    columns: tuple[str, ...],
    key: tuple[str, ...],
    keep: tuple[str, ...],
    least: tuple[str, ...],
    computed: tuple[tuple[str, str], ...],
    tell: tuple[str, ...],
) -> str:
    settable = [c for c in columns if c not in key and c not in keep]
    merged = {c: f"least({table}.{c}, excluded.{c})" for c in least} | dict(computed)
    sets = ", ".join(f"{c} = {merged.get(c, f'excluded.{c}')}" for c in settable)
    ours, theirs = (", ".join(f"{side}.{c}" for c in VERSION) for side in (table, "excluded"))
    return f"""
        insert into {table} (shop_id, {", ".join(columns)})
        select %(shop)s, {", ".join(columns)} from json_populate_recordset(null::{table}, cast(%(rows)s as json))
        on conflict (shop_id, {", ".join(key)}) do update set {sets} where ({theirs}) > ({ours})
        returning id, xmax = 0, {", ".join((*key, *tell))}
    """


@cache
def _cut_children(table: str, parent: str) -> str:
    return f"""
        delete from {table} t using unnest(cast(%(parents)s as bigint[]), cast(%(counts)s as int[])) n (parent, count)
        where t.{parent} = n.parent and t.position >= n.count and t.{parent} = any(cast(%(parents)s as bigint[]))
    """


@cache
def _merge_children(table: str, parent: str, columns: tuple[str, ...]) -> str:
    names = ", ".join(columns)
    told = [c for c in columns if c not in (parent, "position")]
    ours, theirs = (", ".join(f"{side}.{c}" for c in told) for side in "tr")
    return f"""
        merge into {table} t using json_populate_recordset(null::{table}, cast(%(rows)s as json)) r
        on t.{parent} = r.{parent} and t.position = r.position and t.{parent} = any(cast(%(parents)s as bigint[]))
        when matched and ({ours}) is distinct from ({theirs}) then update set {", ".join(f"{c} = r.{c}" for c in told)}
        when not matched then insert (shop_id, {names}) values (%(shop)s, {", ".join(f"r.{c}" for c in columns)})
    """
