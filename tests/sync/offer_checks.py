"""What must hold of a shop's offers after every look at them, judged from its story and its rows, by none of the program's own rules."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text

from connector.canonical import Money, PaymentState
from connector.store import grants, offer_numbers, shops
from tests.sync.offer_story import Buyer, Sale, Story, is_dead, is_good

Row = Mapping[str, Any]
CODES = ("MERCI10", "Thanks-5", "ÉTÉ20")
"""The merchant's own."""
HOLDING = ("preparing", "live")
UNDONE = ("order_refunded", "order_cancelled", "order_disputed", "order_deleted", "order_unpaid")
MOVES = {
    (None, "draft"),
    ("draft", "draft"), ("draft", "active"), ("active", "active"), ("active", "suspended"), ("suspended", "active"),
    ("suspended", "suspended"), ("active", "deactivated"), ("suspended", "deactivated"), ("deactivated", "deactivated"),
    ("deactivated", "active"), ("draft", "deleted"), ("active", "deleted"), ("suspended", "deleted"), ("deactivated", "deleted"),
}  # fmt: skip
_GRANTS = """
    select g.*, o.platform_id as sale, f.public_id as offer, f.state as offer_state, v.version, v.code as version_code, v.mode
    from grants g join offers f on f.id = g.offer_id join offer_versions v on v.id = g.version_id left join orders o on o.id = g.order_id
    where g.shop_id = :shop order by g.id
"""
_OFFERS = """
    select f.*, v.code, v.mode, v.at as version_at from offers f join offer_versions v on v.offer_id = f.id and v.version = f.version
    where f.shop_id = :shop order by f.id
"""
_DECISIONS = "select d.*, o.platform_id as sale from grant_decisions d join orders o on o.id = d.order_id where d.shop_id = :shop"
_EVENTS = "select * from offer_events where shop_id = :shop order by id"
_MAILS = "select m.state, g.state as grant_state from grant_mails m join grants g on g.id = m.grant_id where m.shop_id = :shop"
_WORK = "select due_at, (select count(*) from orders_to_judge where shop_id = :shop and due_at <= app_now()) waits from offer_work"
_DIGEST = ("grants", "offers", "offer_versions", "offer_events", "grant_decisions", "grant_mails", "offer_codes", "notices")


@dataclass
class Watcher:
    """Remembers what was seen, and compares it with what is there now."""

    story: Story
    grants: dict[int, Row] = field(default_factory=dict)
    decisions: dict[str, Row] = field(default_factory=dict)

    def rows(self, statement: str) -> list[Row]:
        """Rows of the shop, past all walls."""
        with self.story.desk.services.db.engine.connect() as connection:
            return [dict(row) for row in connection.execute(text(statement), {"shop": self.story.desk.shop_id}).mappings()]

    def digest(self) -> list[list[Row]]:
        """Everything that is written about offers, to see whether anything changed."""
        account = "account_id = (select account_id from shops where id = :shop)"
        walls = {name: account if name == "notices" else "shop_id = :shop" for name in _DIGEST}
        return [self.rows(f"select * from {name} where {wall} order by 1") for name, wall in walls.items()]

    def alive(self) -> list[str]:
        """Offers that are not deleted, by public id."""
        return [offer["public_id"] for offer in self.rows(_OFFERS) if offer["state"] != "deleted"]

    def is_shared(self, public_id: str) -> bool:
        """Whether an offer has one code for all."""
        return any(offer["public_id"] == public_id and offer["mode"] == "shared" for offer in self.rows(_OFFERS))

    def active(self) -> list[str]:
        """Offers that are active."""
        return [offer["public_id"] for offer in self.rows(_OFFERS) if offer["state"] == "active"]

    def earning(self) -> list[str]:
        """Orders that earned a grant which is not used or over, by their names in the store."""
        return [row["sale"] for row in self.rows(_GRANTS) if row["state"] in (*HOLDING, "suspended")]

    def held_by(self, buyer: Buyer) -> Row | None:
        """What somebody holds and has not used."""
        return next((row for row in self.rows(_GRANTS) if row["state"] in HOLDING and self._buyer(row) is buyer), None)

    def given_to(self, buyer: Buyer) -> str | None:
        """The code that somebody was given last, whatever became of it."""
        return next((row["code"] for row in reversed(self.rows(_GRANTS)) if row["code"] and self._buyer(row) is buyer), None)

    def decision(self, sale: Sale) -> str | None:
        """Why an order earned something or not."""
        return next((row["reason"] for row in self.rows(_DECISIONS) if row["sale"] == sale.newest.platform_id), None)

    def check(self) -> None:
        """All that must hold once somebody has looked at everything that is due."""
        now = self.story.desk.now
        held, given, decided = self.rows(_GRANTS), self.rows(_OFFERS), {row["sale"]: row for row in self.rows(_DECISIONS)}
        self._check_new(held, given, now)
        self._check_decisions(held, decided)
        self._check_holders(held)
        self._check_standing(held, now)
        self._check_offers(given, now)
        self._check_links(held, now)
        self._check_numbers(held, given, now)
        assert all(mail["grant_state"] == "live" for mail in self.rows(_MAILS) if mail["state"] == "queued")
        for work in self.rows(_WORK + " where shop_id = :shop"):
            assert work["waits"] == 0
            assert work["due_at"] > now
        self.grants, self.decisions = {row["id"]: row for row in held}, decided

    def _check_new(self, held: list[Row], given: list[Row], now: datetime) -> None:
        """Nothing is given but by an active offer whose code is good, in its newest version, for a purchase that stands."""
        newest = {row["id"]: row["version"] for row in given}
        for grant in held:
            if grant["id"] in self.grants:
                before = self.grants[grant["id"]]
                same = ("version_id", "order_id", "person_key", "granted_at", "link_token", "offer_id")
                assert [grant[name] for name in same] == [before[name] for name in same]
                continue
            assert grant["offer_state"] == "active"
            assert grant["version"] == newest[grant["offer_id"]]
            assert self.story.is_open
            if grant["mode"] == "shared":
                assert grant["state"] == "live"
                assert grant["code"] == grant["version_code"]
                assert is_good(self.story.read.get(grant["code"].lower()), now)
            sale = self.story.sales[grant["sale"]]
            assert not sale.is_void
            assert sale.buyer.is_known

    def _check_decisions(self, held: list[Row], decided: dict[str, Row]) -> None:
        """Once written a decision stays, and says `granted` of those orders that have a grant."""
        for sale, decision in self.decisions.items():
            assert decided[sale] == decision
        assert {sale for sale, row in decided.items() if row["reason"] == "granted"} == {row["sale"] for row in held}
        assert len(held) == len({row["sale"] for row in held})

    def _check_holders(self, held: list[Row]) -> None:
        """Nobody holds two, under whatever name."""
        holders = Counter(self._buyer(row).name for row in held if row["state"] in HOLDING)
        assert all(count == 1 for count in holders.values()), holders

    def _check_standing(self, held: list[Row], now: datetime) -> None:
        """A grant stands and falls with its order and its code; what was bought with it is used."""
        for grant in held:
            sale = self.story.sales[grant["sale"]]
            if grant["state"] in HOLDING:
                assert not sale.is_void
                assert grant["ends_at"] is None or grant["ends_at"] > now
                assert self._is_alone(grant) or not is_dead(self.story.read.get(grant["code"].lower()), now)
            if grant["state"] == "suspended":
                assert sale.is_void is (grant["reason"] in UNDONE)
                assert sale.is_void or grant["reason"] == "holds_other"
            if any(is_use(other, grant) for other in self.story.sales.values() if other.buyer is sale.buyer):
                assert grant["state"] == "used"

    def _check_offers(self, given: list[Row], now: datetime) -> None:
        """An offer is active only while its code is good and the store open; every step in its life is one that there is."""
        for offer in given:
            if offer["state"] == "active":
                assert self.story.is_open
            if offer["state"] == "active" and offer["mode"] == "shared":
                assert is_good(self.story.read.get(offer["code"].lower()), now)
        states: dict[int, str | None] = {}
        stopped: dict[int, Row] = {}
        for event in self.rows(_EVENTS):
            assert event["from_state"] == states.get(event["offer_id"])
            assert (event["from_state"], event["to_state"]) in MOVES
            states[event["offer_id"]] = event["to_state"]
            if event["action"] == "suspended":
                stopped[event["offer_id"]] = event
            elif event["action"] == "resumed":
                # A code that is good again brings nothing back: the merchant gave another one.
                before = stopped[event["offer_id"]]
                assert before["reason"] == "requirements" or event["version"] > before["version"]
        assert states == {offer["id"]: offer["state"] for offer in given}

    def check_links(self) -> None:
        """What links show at this moment, whether or not anybody has looked at anything since."""
        self._check_links(self.rows(_GRANTS), self.story.desk.now)

    def _check_links(self, held: list[Row], now: datetime) -> None:
        """A link shows a code only while it can be used, by our own clock."""
        with self.story.desk.services.db.system_transaction("links are opened") as session:
            found = {grant["id"]: grants.find_by_link(session, grant["link_token"], can_send_mail=True) for grant in held}
        for grant in held:
            opened = found[grant["id"]]
            assert opened is not None
            hidden = opened[1].hidden
            is_on = grant["offer_state"] in ("active", "suspended") and self.story.is_open
            is_theirs = grant["state"] == "live" and grant["code"] is not None
            if hidden is None:
                assert is_theirs
                assert is_on
                assert grant["ends_at"] is None or grant["ends_at"] > now
                assert self._is_alone(grant) or is_good(self.story.read.get(grant["code"].lower()), now)
            elif is_theirs and is_on and not self._is_alone(grant):
                assert not is_good(self.story.read.get(grant["code"].lower()), now)

    def _check_numbers(self, held: list[Row], given: list[Row], now: datetime) -> None:
        """They are what a recount of the story says."""
        desk, ids = self.story.desk, [offer["id"] for offer in given]
        with desk.services.db.transaction(shop=desk.shop_id) as session:
            counted = offer_numbers.numbers_of(session, shops.get_shop(session, desk.shop_id), ids, now)
        until = now.astimezone(ZoneInfo("Europe/Paris")).date()
        for offer in given:
            found = counted[offer["id"]]
            recount = self._recount(offer, held, until)
            seen = (found.recipients, found.orders, found.sales, found.net, found.since, found.until)
            assert seen == recount, (offer["public_id"], seen, recount)

    def _recount(self, offer: Row, held: list[Row], until: date) -> tuple[int, int, tuple[Money, ...], tuple[Money, ...], date, date]:
        since = until - timedelta(days=29)
        own = [grant for grant in held if grant["offer_id"] == offer["id"] and grant["code"]]
        single = {grant["code"].lower() for grant in own if self._is_alone(grant)}
        sold = [sale for sale in self.story.sales.values() if self._counts(offer, single, sale, since)]
        sales: dict[str, Decimal] = {}
        net: dict[str, Decimal] = {}
        for sale in sold:
            order = sale.known
            assert order is not None
            is_void = order.cancelled_at is not None or order.payment_state in (PaymentState.REFUNDED, PaymentState.VOIDED)
            left = Decimal(0) if is_void else order.total - (order.refunded_total or 0)
            sales[order.currency] = sales.get(order.currency, Decimal(0)) + order.total
            net[order.currency] = net.get(order.currency, Decimal(0)) + left
        people = {self._buyer(grant).name for grant in own if _day(grant["granted_at"]) >= since}
        return len(people), len(sold), _money(sales), _money(net), since, until

    def _counts(self, offer: Row, single: set[str], sale: Sale, since: date) -> bool:
        order = sale.known
        if order is None or sale.is_gone or order.is_test or _day(order.placed_at) < since:
            return False
        carried = {code.lower() for code in order.discount_codes}
        is_shared = any(code in carried and order.placed_at >= at for at, code in self.story.given[offer["public_id"]])
        return is_shared or not single.isdisjoint(carried)

    def check_codes(self) -> None:
        """
        Once the store has done all that we want: each single code is one grant's, and it honours exactly those that people hold.

        However often an answer was lost, it has no code that we do not know.
        """
        store, ours = self.story.desk.store, self.story.desk.codes()
        assert set(store.codes()) <= {row.code for row in ours}
        assert self.rows("select 1 from offer_codes where shop_id = :shop and wanted <> actual and actual <> 'refused'") == []
        held = [grant for grant in self.rows(_GRANTS) if grant["code"] is None or self._is_alone(grant)]
        names = [grant["code"] for grant in held if grant["code"]]
        assert len(names) == len(set(names))
        for grant in held:
            assert grant["state"] != "preparing"
            if grant["code"] is None or self.story.is_tampered:
                continue
            if grant["state"] == "live":
                assert store.honours(grant["code"]), grant
            if grant["state"] == "suspended" and grant["reason"] in UNDONE:
                assert not store.honours(grant["code"]), grant

    def _is_alone(self, grant: Row) -> bool:
        """Whether the grant's code is, or will be, its own."""
        return grant["mode"] == "unique" and (grant["code"] is None or grant["code"] not in CODES)

    def _buyer(self, grant: Row) -> Buyer:
        return self.story.sales[grant["sale"]].buyer


def is_use(sale: Sale, grant: Row) -> bool:
    """Whether this purchase, as far as we know it, was made with this grant's code after it was given."""
    order = sale.known
    if order is None or sale.is_gone or order.cancelled_at is not None or order.is_test or grant["code"] is None:
        return False
    is_later = order.placed_at >= grant["granted_at"] and order.platform_id != grant["sale"]
    return is_later and grant["code"].lower() in {code.lower() for code in order.discount_codes}


def _day(at: datetime) -> date:
    return at.astimezone(ZoneInfo("Europe/Paris")).date()


def _money(sums: dict[str, Decimal]) -> tuple[Money, ...]:
    return tuple(Money(amount, currency) for currency, amount in sorted(sums.items()))
