"""
The outside observers: mails counted at the sink, orders read from the stores; then compared with what our rows say.

Nothing here asks the app what it did before the outside was asked first.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from connector.cli.demo.observe_offers import SeenBuyer, SeenOffer, observe_buyers, observe_offers
from connector.cli.demo.people import Person
from connector.cli.demo.story import Story
from connector.store import observed
from integrations.sandbox.mail_catcher import CaughtMail

TOLERANCE = timedelta(minutes=1)
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of one person: mails at the sink, orders in the store, and our rows' account of it."""

    person: Person
    mails: list[CaughtMail]
    orders: int
    reason: str
    is_recovered: bool
    problems: list[str]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was seen, and every disagreement."""

    seen: list[Seen]
    buyers: list[SeenBuyer]
    offers: list[SeenOffer]
    problems: list[str]

    @property
    def is_clean(self) -> bool:
        """True if outside and inside agree and the story went as it must."""
        return not self.disagreements()

    def disagreements(self) -> list[str]:
        """All of them, each with whom it is about."""
        found = [f"{one.person.store} {one.person.name}: {problem}" for one in self.seen for problem in one.problems]
        found += [f"{one.buyer.store} {one.buyer.name}: {problem}" for one in self.buyers for problem in one.problems]
        return self.problems + found + [f"{one.store}, the offer: {problem}" for one in self.offers for problem in one.problems]


@dataclass(frozen=True, slots=True)
class SoldOutside:
    """An order as the store itself has it."""

    email: str
    total: Decimal


def observe(story: Story) -> Report:
    """Ask the sink and the stores, then our rows, and compare."""
    outside = _orders_in_stores(story)
    mails = story.world.sandbox.mail.messages()
    with story.world.app.db.system_transaction("compare the demo with its observers") as session:
        checkouts = observed.checkouts(session)
        orders = observed.orders(session)
        sent = observed.sent_messages(session)
        owners, notices = observed.owners(session), observed.sent_notices(session)
        buyers, offers = observe_buyers(session, story.lives, mails), observe_offers(session, story.lives, mails)
        unsettled = observed.unsettled_deliveries(session)
    ours = {(order.platform, order.platform_id): SoldOutside(order.email or "", order.total) for order in orders}
    problems = [f"order {key} in the store: {outside.get(key)}, in our rows: {ours.get(key)}" for key in _differing(outside, ours)]
    at_sink = Counter(recipient.lower() for mail in mails for recipient in mail.recipients)
    written = Counter(message.address.lower() for message in sent)
    letters = sum(at_sink.pop(owner, 0) for owner in owners)
    if letters != notices:
        problems.append(f"letters to owners: {letters} at the sink, {notices} in our rows")
    problems += [f"mails to {who}: {at_sink[who]} at the sink, {written[who]} in our rows" for who in _differing(at_sink, written)]
    if unsettled:
        problems.append(f"{unsettled} deliveries are pending or quarantined")
    seen = []
    for person in story.people:
        by_id = {c.platform_id: c for c in checkouts if c.platform == person.store}
        theirs = [by_id[one] for one in person.checkouts if one in by_id]
        count = sum(order.email == person.email for (store, _), order in outside.items() if store == person.store)
        got = [mail for mail in mails if person.email in mail.recipients]
        reason = (theirs[-1].reason if theirs else None) or ("not_identified" if theirs and theirs[-1].email is None else "none")
        is_recovered = any(checkout.is_recovered for checkout in theirs)
        wrong = _problems(person, story.opened_at, got, count, reason, is_recovered)
        if len(theirs) != len(person.checkouts):
            wrong.append(f"{len(theirs)} of {len(person.checkouts)} checkouts in our rows")
        seen.append(Seen(person, got, count, reason, is_recovered, wrong))
    return Report(seen, buyers, offers, problems)


def _orders_in_stores(story: Story) -> dict[tuple[str, str], SoldOutside]:
    shopify, woocommerce = story.world.sandbox.shopify, story.world.sandbox.woocommerce
    sold = {
        ("shopify", str(o.id)): SoldOutside(o.checkout.email or "", o.checkout.subtotal + o.checkout.tax)
        for o in shopify.shop.orders.values()
    }
    placed = {"on-hold", "processing", "completed", "refunded"}
    sold |= {
        ("woocommerce", str(o.id)): SoldOutside(o.contact.email, o.total) for o in woocommerce.store.orders.values() if o.status in placed
    }
    return sold


def _differing(left: Mapping[K, V], right: Mapping[K, V]) -> list[K]:
    return [key for key in sorted({*left, *right}, key=str) if left.get(key) != right.get(key)]


def _problems(person: Person, opened_at: datetime, mails: list[CaughtMail], orders: int, reason: str, is_recovered: bool) -> list[str]:
    problems = []
    if len(mails) != len(person.mails_after):
        problems.append(f"{len(mails)} mails instead of {len(person.mails_after)}")
    for mail, due in zip(mails, person.due, strict=False):
        late = mail.arrived_at - (opened_at + due)
        if not timedelta(seconds=-5) <= late <= TOLERANCE:
            problems.append(f"the mail came {late} from when it was due")
    if orders != person.orders:
        problems.append(f"{orders} orders instead of {person.orders}")
    if reason != person.reason:
        problems.append(f"the reason is {reason}, not {person.reason}")
    if is_recovered != (person.orders > 0 and bool(mails)):
        problems.append("recovered" if is_recovered else "not recovered")
    return problems
