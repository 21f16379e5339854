"""Histories: what happens to one shopper's checkouts and orders, told in webhooks as the platforms send them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from tests.sync.bodies import (
    dump,
    shopify_cart,
    shopify_checkout,
    shopify_checkout_removed,
    shopify_customer,
    shopify_order,
    shopify_removed,
    woo_order,
)
from tests.sync.telling import (
    EMAIL_TOPIC,
    consent_body,
    discount_body,
    merge_body,
    number_body,
    product_body,
)
from tests.sync.world import Arrival

BEGIN = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
PAUSES = (0, 0, 1, 60, 700)
"""Seconds between events; platforms stamp whole seconds, so equal instants with different content occur."""


@dataclass
class Shopper:
    """One shopper, told apart from others by `number`; every method is one thing that happens and returns its webhook."""

    number: int
    now: datetime = BEGIN
    email: str | None = None
    quantity: int = 1
    total: int = 64
    codes: list[str] = field(default_factory=list)
    ticked: bool = False
    completed_at: datetime | None = None
    order_email: str | None = None
    paid: str = "pending"
    name: str = "Anna"
    placed_at: datetime | None = None
    deliveries: int = 0
    merges: int = 0
    agrees: bool = False

    def told(self) -> datetime:
        """When the platform triggers the next delivery: finer than the whole seconds in its bodies."""
        self.deliveries += 1
        return self.now + timedelta(milliseconds=self.deliveries)

    @property
    def known(self) -> dict[str, Any]:
        """The customer as part of other bodies."""
        return shopify_customer(self.customer, self.now, email=self.email, first_name=self.name, phone=None, default_address=None)

    @property
    def customer(self) -> int:
        """The id of the customer's record; the next one after each merge."""
        return 70000 + self.number + 1000 * self.merges

    def typed(self, address: str) -> Arrival:
        """An e-mail is typed, or corrected."""
        self.email = f"{address}{self.number}@example.org"
        return self.seen()

    def seen(self, token: str = "a", topic: str = "checkouts/update") -> Arrival:
        """The platform tells how a checkout is now."""
        body = shopify_checkout(
            f"{token}{self.number}",
            self.now,
            created_at=BEGIN,
            email=self.email,
            lines=((101, self.quantity),),
            customer=self.known if self.email else None,
            cart_token=f"cart{self.number}",
            total_price=f"{self.total}.00",
            discount_codes=[{"code": code, "amount": "1.00", "type": "fixed_amount"} for code in self.codes],
            buyer_accepts_marketing=self.ticked,
            completed_at=self.completed_at.isoformat() if self.completed_at and token == "a" else None,
        )
        return Arrival(topic, body, self.told())

    def edited(self) -> Arrival:
        """One more of it."""
        self.quantity = self.quantity % 3 + 1
        return self.seen()

    def recalculated(self) -> Arrival:
        """The platform changes a price."""
        self.total += 1
        return self.seen()

    def discounted(self) -> Arrival:
        """A code is entered and the box for news is ticked."""
        self.codes, self.ticked = [f"CODE{len(self.codes)}"], True
        return self.seen()

    def completed(self) -> Arrival:
        """The checkout is completed."""
        self.completed_at = self.now
        return self.seen()

    def second(self) -> Arrival:
        """Another checkout of the same person."""
        return self.seen("b")

    def carted(self) -> Arrival:
        """The cart changes, and may be empty."""
        self.quantity = (self.quantity + 1) % 3
        return Arrival("carts/update", shopify_cart(f"cart{self.number}", self.now, quantity=self.quantity), self.told())

    def removed(self) -> Arrival:
        """The platform forgets the checkout."""
        return Arrival("checkouts/delete", shopify_checkout_removed(f"cart{self.number}"), self.told())

    def ordered(self, topic: str = "orders/create") -> Arrival:
        """An order as it is now; placed at its first sight."""
        self.placed_at = self.placed_at or self.now
        body = shopify_order(
            60000 + self.number,
            self.now,
            placed_at=self.placed_at,
            checkout_token=f"a{self.number}" if self.completed_at else None,
            email=self.order_email or self.email,
            customer=self.known if self.email and not self.order_email else None,
            financial_status=self.paid,
        )
        return Arrival(topic, body, self.told())

    def paid_for(self) -> Arrival:
        """The money comes."""
        self.paid = "paid"
        return self.ordered("orders/paid")

    def readdressed(self) -> Arrival:
        """The merchant gives the order to another person."""
        self.order_email = f"other{self.number}@example.org"
        return self.ordered("orders/updated")

    def forgotten(self) -> Arrival:
        """The customer's record loses its e-mail."""
        body = shopify_customer(self.customer, self.now, email=None, phone=None, default_address=None)
        return Arrival("customers/update", dump(body), self.told())

    def order_removed(self) -> Arrival:
        """The merchant deletes the order."""
        return Arrival("orders/delete", shopify_removed(60000 + self.number), self.told())

    def renamed(self) -> Arrival:
        """The customer's record changes."""
        self.name = "Hannah" if self.name == "Anna" else "Anna"
        body = shopify_customer(self.customer, self.now, email=self.email, first_name=self.name)
        return Arrival("customers/update", dump(body), self.told())

    def merged(self) -> Arrival:
        """The customer's record is merged into another one, which the shopper is from now on."""
        merged, self.merges = self.customer, self.merges + 1
        return Arrival("customers/merge", merge_body(merged, self.customer), self.told())

    def asked(self) -> Arrival:
        """The shopper changes their mind about news by e-mail."""
        self.agrees = not self.agrees
        state = "subscribed" if self.agrees else "UNSUBSCRIBED"
        return Arrival(EMAIL_TOPIC, consent_body(self.customer, self.email or "", state, self.now), self.told())

    def never_asked(self) -> Arrival:
        """The store says that it never asked."""
        return Arrival(EMAIL_TOPIC, consent_body(self.customer, self.email or "", "not_subscribed", None), self.told())

    def texted(self) -> Arrival:
        """The shopper agrees to texts to a number."""
        body = number_body("sms", self.customer, f"+3364567{8000 + self.number}", "subscribed", self.now)
        return Arrival("customers_marketing_consent/update", body, self.told())

    def sold_out(self) -> Arrival:
        """The product of the lines is deleted; it was read before or not."""
        return Arrival("products/delete", shopify_removed(1010), self.told())

    def product_edited(self) -> Arrival:
        """The product of the lines changes."""
        return Arrival("products/update", product_body(1010), self.told())

    def code_deleted(self) -> Arrival:
        """A discount is deleted."""
        return Arrival("discounts/delete", discount_body(self.number, deleted_at=self.now), self.told())


SHOPIFY = {
    "opened": lambda who: who.seen(topic="checkouts/create"),
    "typed": lambda who: who.typed("anna"),
    "corrected": lambda who: who.typed("hannah"),
    "edited": Shopper.edited,
    "recalculated": Shopper.recalculated,
    "discounted": Shopper.discounted,
    "completed": Shopper.completed,
    "second": Shopper.second,
    "carted": Shopper.carted,
    "removed": Shopper.removed,
    "ordered": Shopper.ordered,
    "paid": Shopper.paid_for,
    "readdressed": Shopper.readdressed,
    "order_removed": Shopper.order_removed,
    "renamed": Shopper.renamed,
    "forgotten": Shopper.forgotten,
    "merged": Shopper.merged,
    "asked": Shopper.asked,
    "never_asked": Shopper.never_asked,
    "texted": Shopper.texted,
    "sold_out": Shopper.sold_out,
    "product_edited": Shopper.product_edited,
    "code_deleted": Shopper.code_deleted,
}
USUAL = ("typed", "edited", "ordered", "readdressed", "merged", "asked")
"""What happens more often than the rest, so that most histories have an order in them."""
WOO_STATUSES = ("checkout-draft", "checkout-draft", "pending", "failed", "on-hold", "processing", "completed", "cancelled", "refunded")
STEPS = st.tuples(st.sampled_from([*sorted(SHOPIFY), *USUAL]), st.sampled_from(PAUSES))
WOO_STEPS = st.tuples(st.sampled_from(WOO_STATUSES), st.sampled_from(PAUSES), st.sampled_from(["", "anna", "hannah"]), st.integers(1, 3))


def tell_shopify(number: int, steps: list[tuple[str, int]]) -> list[Arrival]:
    """The webhooks of one history of 3 to 12 events, in the order in which it happened."""
    who = Shopper(number)
    told = []
    for step, pause in steps:
        who.now += timedelta(seconds=pause)
        told.append(SHOPIFY[step](who))
    return told


def tell_woocommerce(number: int, steps: list[tuple[str, int, str, int]]) -> list[Arrival]:
    """The same for one WooCommerce order from draft to whatever becomes of it."""
    now = BEGIN
    told = []
    paid_at = None
    for position, (status, pause, typed, quantity) in enumerate(steps):
        now += timedelta(seconds=pause)
        paid_at = paid_at or (now if status in ("processing", "completed") else None)
        email = f"{typed}{number}@example.org" if typed else ""
        body = woo_order(4000 + number, status, now, created_at=BEGIN, email=email, quantity=quantity, paid_at=paid_at)
        told.append(Arrival("order.created" if position == 1 else "order.updated", body))
    return told


def histories(platform: str, count: int) -> st.SearchStrategy[list[list[Arrival]]]:
    """So many histories of different shoppers."""
    if platform == "shopify":
        opening = st.tuples(st.just("typed"), st.just(0)).map(lambda step: [step])
        one = st.builds(list.__add__, opening, st.lists(STEPS, min_size=2, max_size=11))
        return st.lists(one, min_size=count, max_size=count).map(lambda all_: [tell_shopify(n, steps) for n, steps in enumerate(all_)])
    other = st.lists(WOO_STEPS, min_size=3, max_size=12)
    return st.lists(other, min_size=count, max_size=count).map(lambda all_: [tell_woocommerce(n, steps) for n, steps in enumerate(all_)])
