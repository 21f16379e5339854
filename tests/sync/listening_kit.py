"""A shop that is listened to, whose store is what a test says: what changed in it, what it tells, and what we then keep."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import text

from connector.canonical import Order, Product, Resource
from connector.capabilities import Capabilities
from connector.platforms import Access, NotPermitted, Subscriptions
from connector.reading import Change, Page
from connector.store import clock, records, sync_marks, topic_health
from connector.store.db import app_now
from connector.store.run_tables import SyncMarkRow
from sync import listening
from sync.services import Services
from tests.conftest import TestShop
from tests.factories import make_order
from tests.fakes import FakePlatform
from tests.sync.world import Arrival, keep

MARK = "x-shopify-name: connector-fallback"
ORDER_TOPICS = frozenset({"orders/create", "orders/updated", "products/update", "checkouts/update"})


@dataclass
class ChangingReads:
    """
    What changed, by kind, given by pages of `size`; `errors` are raised for a kind. What a change must have told depends on its kind.

    `named`: what was asked for by its id. `gone`: what is there no more. `shown_since`: older records are not shown.
    """

    changed: dict[Resource, list[Change]] = field(default_factory=dict)
    errors: dict[Resource, Exception] = field(default_factory=dict)
    asked: list[tuple[Resource, datetime | None, datetime | None]] = field(default_factory=list)
    named: list[tuple[str, str]] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    shown_since: datetime | None = None
    size: int = 2

    def changes(
        self, access: Access, what: Resource, since: datetime | None, until: datetime | None = None, cursor: str | None = None
    ) -> Page:
        self.asked.append((what, since, until))
        if what in self.errors:
            raise self.errors[what]
        found = [one for one in self._there(what) if since is None or since <= one.source_version]
        found = [one for one in found if until is None or one.source_version < until]
        start, end = int(cursor or 0), int(cursor or 0) + self.size
        return Page(tuple(found[start:end]), str(end) if len(found) > end else None)

    def ids(self, access: Access, what: Resource, cursor: str | None = None) -> tuple[list[str], str | None]:
        """The ids of all that is there and shown."""
        if what in self.errors:
            raise self.errors[what]
        found = [one.platform_id for one in self._there(what) if self.shown_since is None or one.source_version >= self.shown_since]
        start, end = int(cursor or 0), int(cursor or 0) + self.size
        return found[start:end], str(end) if len(found) > end else None

    def reaches_back(self, access: Access, what: Resource, now: datetime) -> datetime | None:
        """From when on they are shown."""
        return self.shown_since

    def record_now(self, access: Access, what: Resource, platform_id: str) -> Change | None:
        """One of them."""
        self.named.append((what.value, platform_id))
        if self.shown_since is not None and platform_id in self.gone:
            raise NotPermitted("gone, or older than what is shown", platform="shopify", call="record")
        return next((one for one in reversed(self._there(what)) if one.platform_id == platform_id), None)

    def _there(self, what: Resource) -> list[Change]:
        newest = {one.platform_id: one for one in self.changed.get(what, []) if one.platform_id not in self.gone}
        return list(newest.values())

    def told_by(self, change: Change, since: datetime) -> frozenset[str]:
        if isinstance(change, Order):
            return frozenset({"orders/create"}) if change.created_at >= since else frozenset({"orders/updated"})
        return frozenset({"products/update"}) if isinstance(change, Product) else frozenset({"checkouts/update"})


class Listened(FakePlatform):
    """A platform that can be asked, and whose own subscriptions are noted."""

    topics = ORDER_TOPICS

    def __init__(self) -> None:
        super().__init__()
        self.changing = ChangingReads()
        self.reads = self.changing  # type: ignore[assignment] # of Reads, what listening asks
        self.can = Capabilities(False, False, True, False, fallback_mark=MARK)
        self.own: set[str] = set()
        self.wished: list[Sequence[str]] = []
        self.refused: dict[str, str] = {}

    def subscribe(self, access: Access, address: str, secret: str, silent: Collection[str] = ()) -> Subscriptions:
        self._call(f"subscribe {address}")
        self.wished.append(sorted(silent))
        wanted = set(silent) - self.refused.keys()
        created, removed, present = wanted - self.own, self.own - wanted, wanted & self.own
        self.own = wanted
        refused = tuple((topic, words) for topic, words in self.refused.items() if topic in silent)
        return Subscriptions(tuple(sorted(present)), tuple(sorted(created)), tuple(sorted(removed)), refused)


@dataclass
class Shop:
    """A shop that is listened to, its first look long done."""

    services: Services
    platform: Listened
    shop: TestShop

    def now(self) -> datetime:
        with self.services.db.transaction(shop=self.shop.id) as session:
            return app_now(session)

    def later(self, minutes: float = 10) -> None:
        with self.services.db.system_transaction("time goes by") as session:
            clock.step_to(session, clock.read(session) + timedelta(minutes=minutes))

    def begin(self) -> None:
        """At noon, the shop installed and looked at ten minutes ago: what comes once a day comes at night."""
        noon = self.now().replace(hour=12, minute=0, second=0, microsecond=0)
        self.later((noon + timedelta(days=1) - self.now()).total_seconds() / 60)
        self.listen()
        self.listen()
        self.later(10)
        self.platform.changing.asked.clear()
        self.platform.wished.clear()

    def change(self, what: Resource, *changes: Change) -> None:
        self.platform.changing.changed.setdefault(what, []).extend(changes)

    def order(self, name: str = "6210") -> None:
        """An order is placed now."""
        self.change(Resource.ORDER, make_order(self.now(), platform_id=name))

    def hear(self, topic: str, headers: str = "", minutes_ago: float = 0) -> None:
        """A delivery comes in now and is applied, triggered some time ago; it says nothing."""
        (delivery,) = keep(self.services.db, self.shop, [Arrival(topic, b"{}", self.now() - timedelta(minutes=minutes_ago))])
        with self.services.db.engine.begin() as connection:
            connection.execute(text("update delivery_bodies set headers = :h where delivery_id = :d"), {"h": headers, "d": delivery})
            connection.execute(text("update deliveries set state = 'applied' where id = :d"), {"d": delivery})

    def told(self, name: str, topic: str = "orders/create") -> None:
        """An order is placed now, and its delivery is applied."""
        made = make_order(self.now(), platform_id=name)
        self.change(Resource.ORDER, made)
        self.hear(topic)
        with self.services.db.transaction(shop=self.shop.id) as session:
            records.save_orders(session, self.shop.id, [made])

    def listen(self) -> None:
        listening.listen(self.services, self.shop.id)

    def health(self) -> dict[str, tuple[bool, bool]]:
        """By topic: whether it is silent, and whether it is subscribed for the shop alone."""
        with self.services.db.transaction(shop=self.shop.id) as session:
            rows = topic_health.list_health(session, self.shop.id)
        return {row.topic: (row.silent_since is not None, row.fallback_at is not None) for row in rows}

    def wanted(self) -> list[tuple[str, str]]:
        """What is to be read again."""
        with self.services.db.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text("select resource, platform_id from wanted_reads order by 1, 2"))]

    def kept(self, table: str = "orders") -> list[str]:
        """The ids of what we keep and is not gone."""
        rows = f"select platform_id from {table} where deleted_at is null order by platform_id"
        with self.services.db.engine.connect() as connection:
            return list(connection.execute(text(rows)).scalars())

    def marks(self) -> dict[Resource, SyncMarkRow]:
        """How well each kind is known."""
        with self.services.db.transaction(shop=self.shop.id) as session:
            return sync_marks.load_marks(session, self.shop.id)

    def missed(self) -> dict[str, int]:
        """What webhooks missed, by kind."""
        return {kind.value: row.missed for kind, row in self.marks().items() if row.missed}

    def reports(self) -> list[tuple[dict[str, int], list[str], int]]:
        """The gaps: what was recovered, the topics, the messages."""
        with self.services.db.engine.connect() as connection:
            rows = connection.execute(text("select recovered, topics, messages from gap_reports order by id"))
            return [(row[0], row[1], row[2]) for row in rows]

    def notices(self) -> list[tuple[str, str | None, bool]]:
        """What owners were told: the cause, the words, and whether that is settled."""
        with self.services.db.engine.connect() as connection:
            rows = connection.execute(text("select cause, detail, settled_at is not null from notices order by id"))
            return [(row[0], row[1], row[2]) for row in rows]
