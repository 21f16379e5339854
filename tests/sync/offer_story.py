"""
What happens to a shop with offers, told twice: to our rows, and to plain lists that are counted and judged by other means.

The store sells, refunds and changes its codes; what it tells us of that comes late, repeated and in any order.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from connector.canonical import DisputeChanged, Event, Order, PaymentState, Phone, Removed, Resource, ShopProfile
from connector.codes import CodeKind, CodeState, CodeStatus
from connector.errors import Refused
from connector.platforms import TransientError
from connector.store import codes, offer_work, shops
from connector.store.db import app_now
from connector.store.work import hold_inbox
from sync import apply
from tests.sync.code_desk import OWN, CodeDesk
from tests.sync.offer_desk import TEN_PERCENT

TICK = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Buyer:
    """One person, whichever of these names they buy under; everything they buy can be told to be theirs."""

    name: str
    emails: tuple[str | None, ...] = (None,)
    customer: str | None = None
    phone: str | None = None

    @property
    def is_known(self) -> bool:
        """Whether anything tells this person from others."""
        return any(self.emails) or self.customer is not None or self.phone is not None


BUYERS = (
    Buyer("Anna", ("anna@example.org", "Anna+again@example.org", "anna+sale@Example.org")),
    Buyer("Bob", ("bob.by@gmail.com", "bobby+x@googlemail.com", "b.o.b.b.y@gmail.com"), "77"),
    Buyer("Carl", ("carl@example.org", "carl@work.example"), "88"),
    Buyer("Dora", phone="+33612345678"),
    Buyer("Nobody"),
)


@dataclass
class Sale:
    """An order as the store tells of it: its newest version, and what we were told so far."""

    buyer: Buyer
    newest: Order
    told: list[Order] = field(default_factory=list)
    removed_at: datetime | None = None
    disputed: DisputeChanged | None = None

    @property
    def known(self) -> Order | None:
        """What we can know: the newest version that was delivered."""
        return max(self.told, key=lambda order: order.source_version, default=None)

    @property
    def is_gone(self) -> bool:
        """Whether the newest that we were told is that it was deleted."""
        known = self.known
        return known is not None and self.removed_at is not None and self.removed_at >= known.source_version

    @property
    def is_disputed(self) -> bool:
        """Whether the newest that we were told is that a chargeback is open or lost."""
        return self.disputed is not None and self.disputed.is_disputed

    @property
    def is_void(self) -> bool:
        """Whether the purchase is undone, as far as we were told."""
        known = self.known
        assert known is not None
        return (
            self.is_gone
            or self.is_disputed
            or known.cancelled_at is not None
            or known.payment_state not in (PaymentState.PAID, PaymentState.PARTIALLY_REFUNDED)
            or (known.refunded_total or 0) >= known.total > 0
        )


@dataclass
class Story:
    """
    A shop on stage. `book`: the merchant's own codes by lower-cased name; `read`: as we were told last, None for one that was not there.

    Codes that we make are in the desk's store; `is_tampered`: the merchant deleted some of those.
    """

    desk: CodeDesk
    sales: dict[str, Sale] = field(default_factory=dict)
    waiting: list[Event] = field(default_factory=list)
    delivered: list[Event] = field(default_factory=list)
    book: dict[str, CodeState] = field(default_factory=dict)
    read: dict[str, CodeState | None] = field(default_factory=dict)
    given: dict[str, list[tuple[datetime, str]]] = field(default_factory=dict)
    """Codes of each offer, by its public id, with when each became the offer's."""
    is_open: bool = True
    is_tampered: bool = False
    made: int = 0
    _last: datetime | None = None

    def now(self) -> datetime:
        """An instant of its own: stores stamp versions with it."""
        now = self.desk.now
        self._last = now if self._last is None else max(now, self._last + TICK)
        return self._last

    # What people do in the store.

    def buy(self, buyer: Buyer, name: int, codes: Sequence[str], **changes: Any) -> Sale:
        """Somebody buys; `name` chooses the name they use. Nobody has told us yet."""
        self.made += 1
        now = self.now()
        order = Order(
            platform_id=f"o-{self.made}",
            source_version=now,
            created_at=now,
            placed_at=now,
            paid_at=now,
            currency="EUR" if self.made % 3 else "USD",
            total=Decimal(10 + self.made),
            payment_state=PaymentState.PAID,
            customer_id=buyer.customer,
            email=buyer.emails[name % len(buyer.emails)],
            phone=Phone(buyer.phone, buyer.phone) if buyer.phone else None,
            discount_codes=tuple(codes),
        )
        sale = Sale(buyer, replace(order, **changes))
        self.sales[order.platform_id] = sale
        self.waiting.append(sale.newest)
        return sale

    def change(self, sale: Sale, **changes: Any) -> None:
        """An order becomes another version."""
        sale.newest = replace(sale.newest, source_version=self.now(), **changes)
        self.waiting.append(sale.newest)

    def pay(self, sale: Sale) -> None:
        """The money comes, or comes again."""
        self.change(
            sale, payment_state=PaymentState.PAID, paid_at=sale.newest.paid_at or self.now(), cancelled_at=None, refunded_total=None
        )

    def refund(self, sale: Sale, *, part: bool) -> None:
        """Money is given back."""
        state = PaymentState.PARTIALLY_REFUNDED if part else PaymentState.REFUNDED
        self.change(sale, payment_state=state, refunded_total=sale.newest.total / 2 if part else sale.newest.total)

    def remove(self, sale: Sale) -> None:
        """The order is deleted."""
        self.waiting.append(Removed(Resource.ORDER, self.now(), sale.newest.platform_id))

    def dispute(self, sale: Sale, *, is_open: bool) -> None:
        """The buyer's bank takes the money back, or gives it again."""
        self.waiting.append(DisputeChanged(sale.newest.platform_id, is_open, self.now()))

    def delete_series(self) -> None:
        """The merchant deletes discounts that we made."""
        for code in [row.code for row in self.desk.codes("model")]:
            if code in self.desk.store.codes():
                self.desk.store.merchant_deletes(code)
                self.is_tampered = True

    def fail(self, *, is_down: bool) -> None:
        """The store answers nothing any more, or loses the next answer of each kind after it has done what was asked."""
        store = self.desk.store
        store.errors = {"*": TransientError("down", platform="fake", call="any", status=503)} if is_down else {}
        store.lost = set() if is_down else {"issue_code", "issue_codes", "withdraw_codes", "restore_codes", "suspend_code"}

    def mend(self) -> None:
        """The store answers again."""
        self.desk.store.errors, self.desk.store.lost = {}, set()

    def put_code(self, code: str, **changes: Any) -> None:
        """The store has a code, or has it with other terms; one that was deleted is another one."""
        now, held = self.now(), self.book.get(code.lower())
        state = held or CodeState(
            f"d-{now.timestamp()}", now, code, CodeKind.PERCENTAGE, CodeStatus.ACTIVE, value=Decimal(10), once_per_customer=True, codes=1
        )
        self.book[code.lower()] = replace(state, source_version=now, **changes)

    # What we are told of it.

    def deliver(self, events: Sequence[Event]) -> None:
        """These deliveries come in, in this order, in one batch. Whoever disputes an order that we do not know comes again later."""
        come = [event for event in events if not isinstance(event, DisputeChanged) or self.sales[event.order_id].told]
        for event in come:
            if event in self.waiting:
                self.waiting.remove(event)
                self.delivered.append(event)
            self._note(event)
        if not come:
            return
        with self.desk.services.db.transaction(shop=self.desk.shop_id) as session:
            shop = hold_inbox(session, self.desk.shop_id)
            assert shop is not None
            batch = apply.Batch()
            batch.tell(come)
            apply.save(session, self.desk.services, shop, batch)

    def deliver_all(self) -> None:
        """Everything that waits comes, in order."""
        while self.waiting:
            self.deliver(list(self.waiting))

    def _note(self, event: Event) -> None:
        if isinstance(event, Order):
            self.sales[event.platform_id].told.append(event)
        elif isinstance(event, Removed):
            sale = self.sales[event.platform_id or ""]
            sale.removed_at = max(event.at, sale.removed_at or event.at)
        elif isinstance(event, DisputeChanged):
            sale = self.sales[event.order_id]
            if sale.disputed is None or sale.disputed.at < event.at:
                sale.disputed = event

    def read_codes(self) -> None:
        """We read all codes that we ever heard of."""
        with self.desk.services.db.transaction(shop=self.desk.shop_id) as session:
            now = app_now(session)
            lost = [code for code in self.read if code not in self.book]
            codes.save_codes(session, self.desk.shop_id, list(self.book.values()), now)
            codes.mark_codes_deleted(session, self.desk.shop_id, lost, now)
            offer_work.note_codes(session, self.desk.shop_id)
        self.read = dict.fromkeys(self.read) | self.book

    def set_storefront(self, *, is_open: bool) -> None:
        """The merchant puts the store behind a password, or opens it, and we read that."""
        self.is_open = is_open
        with self.desk.services.db.transaction(shop=self.desk.shop_id) as session:
            profile = ShopProfile("Histoire", "EUR", "Europe/Paris", "https://story.example/", is_open=is_open)
            shops.save_profile(session, self.desk.shop_id, profile)

    # What the merchant does with us.

    def publish(self, code: str) -> None:
        """A new offer with a code of the merchant's; refused where that is no good, or the store lacks something."""
        is_fit = is_good(self.read.get(code.lower()), self.desk.now) and self.is_open
        try:
            public_id = self.desk.publish(TEN_PERCENT, code=code, most_uses=0)
        except Refused:
            assert not is_fit
            return
        assert is_fit
        self.given[public_id] = [(self._changed_at(public_id), code.lower())]

    def publish_own(self, fallback: str | None, days: int) -> None:
        """A new offer with a code for each, and one that stands in for them."""
        try:
            public_id = self.desk.publish(OWN, valid_days=days, fallback_code=fallback, most_uses=0)
        except Refused:
            assert not self.is_open
            return
        self.given[public_id] = [(self._changed_at(public_id), fallback.lower())] if fallback else []

    def change_offer(self, public_id: str, **changes: Any) -> None:
        """The merchant edits an offer."""
        self.desk.change(public_id, **changes)
        if "code" in changes:
            self.given[public_id].append((self._changed_at(public_id), changes["code"].lower()))

    def act(self, public_id: str, what: str) -> None:
        """The merchant publishes, deactivates or deletes; what there is no move for is refused."""
        with suppress(Refused):
            self.desk.act(public_id, what)

    def _changed_at(self, public_id: str) -> datetime:
        with self.desk.services.db.transaction(shop=self.desk.shop_id) as session:
            statement = "select max(v.at) from offer_versions v join offers o on o.id = v.offer_id where o.public_id = :offer"
            at: datetime = session.execute(text(statement), {"offer": public_id}).scalar_one()
            return at


def is_good(state: CodeState | None, now: datetime) -> bool:
    """Whether anybody can use this code at this moment; plainly."""
    if state is None or state.status is not CodeStatus.ACTIVE or state.restrictions:
        return False
    is_over = state.ends_at is not None and state.ends_at <= now
    return not is_over and (state.usage_limit is None or state.used < state.usage_limit)


def is_dead(state: CodeState | None, now: datetime) -> bool:
    """Whether nobody can ever use it again, as far as we were told."""
    return not is_good(replace(state, restrictions=()) if state else None, now)
