"""What the last examination of a shop's connection found, and what its news tell of their own lateness. Transactions are the caller's."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from connector.checkups import Check, Verdict
from connector.store.sync_tables import ShopCheckupRow
from connector.store.upserts import as_json

NEWS_HOURS = 24
MOST_NEWS = 60
MOST_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class KeptCheckup:
    """An examination: when it was, and its checks in the order in which they should be mended."""

    at: datetime
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class News:
    """One applied delivery of late, with its body."""

    topic: str
    received_at: datetime
    triggered_at: datetime | None
    body: bytes = field(repr=False)


def save_checkup(session: Session, shop_id: int, checks: Sequence[Check]) -> None:
    """Keep an examination that was made now, in the place of the one before."""
    listed = [{"code": one.code, "verdict": one.verdict.value, "found": list(one.found), "cause": one.cause} for one in checks]
    session.execute(_SAVE, {"shop": shop_id, "checks": as_json(listed)})


def last_checkup(session: Session, shop_id: int) -> KeptCheckup | None:
    """The last examination of a shop; None if there was none."""
    row = session.get(ShopCheckupRow, shop_id, populate_existing=True)
    return None if row is None else KeptCheckup(row.checked_at, tuple(_check(one) for one in row.checks))


def recent_news(session: Session, shop_id: int) -> list[News]:
    """The newest applied deliveries of a shop's last day whose bodies are still kept, newest first; huge ones are left out."""
    values = {"shop": shop_id, "hours": NEWS_HOURS, "most": MOST_NEWS, "bytes": MOST_BYTES}
    return [News(row[0], row[1], row[2], bytes(row[3])) for row in session.execute(_NEWS, values)]


def _check(kept: dict[str, Any]) -> Check:
    """A check as it was kept; a verdict of a version that knew more is unknown."""
    verdict = kept.get("verdict")
    known = Verdict(verdict) if verdict in set(Verdict) else Verdict.UNKNOWN
    return Check(str(kept.get("code", "")), known, tuple(map(str, kept.get("found", ()))), str(kept.get("cause", "")))


_SAVE = text("""
    insert into shop_checkups (shop_id, checked_at, checks) values (:shop, app_now(), cast(:checks as jsonb))
    on conflict (shop_id) do update set checked_at = excluded.checked_at, checks = excluded.checks
""")
# Bodies are looked up one by one through the key of their partition, as in `deliveries`.
_NEWS = text("""
    with newest as materialized (
        select id, topic, received_at, triggered_at, received_on from deliveries
        where shop_id = :shop and state = 'applied' and received_at > app_now() - make_interval(hours => :hours)
        order by received_at desc, id desc limit :most
    )
    select n.topic, n.received_at, n.triggered_at, b.body from newest n
    cross join lateral (
        select body from delivery_bodies b where b.received_on = n.received_on and b.delivery_id = n.id and octet_length(b.body) < :bytes
    ) b order by n.received_at desc, n.id desc
""")
