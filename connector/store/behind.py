"""Which records of a store we keep in an older version than it has, or not at all; and of which we heard."""

from collections.abc import Collection, Iterable
from datetime import datetime

from connector.canonical import Resource
from connector.store.db import Session, run
from connector.store.upserts import as_json

_TABLES = {Resource.CHECKOUT: "checkouts", Resource.ORDER: "orders", Resource.CUSTOMER: "customers", Resource.PRODUCT: "products"}


def behind(session: Session, shop_id: int, versions: Iterable[tuple[Resource, str, datetime]]) -> set[tuple[Resource, str]]:
    """
    Those of these records (kind, platform id, the store's version) of which we know less.

    A product that no line named was nothing to us, and codes have no version that tells: neither is ever among them.
    """
    asked: dict[Resource, dict[str, datetime]] = {}
    for kind, platform_id, version in versions:
        if kind in _TABLES:
            of_kind = asked.setdefault(kind, {})
            of_kind[platform_id] = max(version, of_kind.get(platform_id, version))
    found: set[tuple[Resource, str]] = set()
    for kind, of_kind in asked.items():
        rows = as_json([{"platform_id": platform_id, "at": at.isoformat()} for platform_id, at in of_kind.items()])
        ours = "inner" if kind is Resource.PRODUCT else "left"
        statement = _BEHIND.format(table=_TABLES[kind], join=ours)
        found |= {(kind, row[0]) for row in run(session, statement, {"shop": shop_id, "rows": rows})}
    return found


def heard_of(session: Session, shop_id: int, kind: Resource, platform_ids: Collection[str]) -> set[str]:
    """Those of these records that are to be read again, since something told of them."""
    values = {"shop": shop_id, "resource": kind.value, "ids": sorted(platform_ids)}
    return {row[0] for row in run(session, _HEARD_OF, values)} if platform_ids else set()


_HEARD_OF = """
    select platform_id from wanted_reads
    where shop_id = %(shop)s and resource = %(resource)s and platform_id = any(%(ids)s) and reason is null and not is_quiet
"""
_BEHIND = """
    select k.platform_id from json_to_recordset(cast(%(rows)s as json)) k (platform_id text, at timestamptz)
    {join} join lateral (
        select max(source_version) at from {table} where shop_id = %(shop)s and platform_id = k.platform_id having count(*) > 0
    ) t on true
    where t.at is null or t.at < k.at
"""
