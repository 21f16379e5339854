"""The context of one checkout: everything that is known of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo

from connector.rules.automations import Verdict
from connector.store.automation_tables import MessageRow
from connector.store.inbox_tables import DeliveryRow
from connector.store.outgoing import LineView
from connector.store.overview import Found
from connector.store.tables import CheckoutRow, CheckoutVersionRow, OrderRow, ShopRow
from connector.web.formats import PLATFORM_TITLES, Moment, moment, moment_or_none, money, zone
from connector.web.support.phrases import CONVERTED_BY, DELIVERY_STATES, MESSAGE_STATES, reason_text
from connector.web.support.states import checkout_state


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is known, with its name."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Step:
    """One instant in the life of a checkout."""

    name: str
    at: Moment


@dataclass(frozen=True, slots=True)
class ProductLine:
    """One line. An empty `image_url`: there is no picture that may be shown."""

    title: str
    variant: str
    quantity: int
    unit_price: str
    total: str
    image_url: str


@dataclass(frozen=True, slots=True)
class DecisionLine:
    """One decision in plain words. Without `at` it was computed just now."""

    text: str
    at: Moment | None


@dataclass(frozen=True, slots=True)
class MessageLine:
    """One message."""

    address: str
    state: str
    reason: str
    detail: str
    due_at: Moment
    sent_at: Moment | None
    clicked_at: Moment | None
    attempts: int


@dataclass(frozen=True, slots=True)
class VersionLine:
    """One version that was seen. `is_active`: the shopper had done something since the one before."""

    at: Moment
    fingerprint: str
    pieces: int
    is_active: bool


@dataclass(frozen=True, slots=True)
class DeliveryLine:
    """One webhook that spoke of this person."""

    number: int
    topic: str
    state: str
    reason: str
    received_at: Moment


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """The order that came of it, and how we know."""

    name: str
    total: str
    payment: str
    placed_at: Moment
    by: str


@dataclass(frozen=True, slots=True)
class CheckoutPage:
    """Everything about one checkout."""

    name: str
    shop_id: str
    shop_name: str
    state: str
    total: str
    people: tuple[Fact, ...]
    facts: tuple[Fact, ...]
    steps: tuple[Step, ...]
    lines: tuple[ProductLine, ...]
    decisions: tuple[DecisionLine, ...]
    messages: tuple[MessageLine, ...]
    versions: tuple[VersionLine, ...]
    order: OrderFacts | None
    deliveries: tuple[DeliveryLine, ...]


def checkout_page(shop: ShopRow, found: Found, verdict: Verdict, browser_url: Callable[[str], str]) -> CheckoutPage:
    """Put it together. `verdict` counts where nothing was decided; `browser_url` makes picture addresses fit for this browser."""
    row, place = found.row, zone(shop.timezone)
    return CheckoutPage(
        name=row.number or row.platform_id,
        shop_id=shop.public_id,
        shop_name=shop.name,
        state=checkout_state(found.facts, row.converted_at).value,
        total=money(row.total, row.currency),
        people=_people(row),
        facts=_facts(shop, row),
        steps=_steps(row, place),
        lines=tuple(_line(line, row.currency, browser_url) for line in found.lines),
        decisions=_decisions(found, verdict, place),
        messages=tuple(_message(message, place) for message in found.messages),
        versions=_versions(found, place),
        order=None if found.order is None else _order(found.order, row, place),
        deliveries=tuple(_delivery(delivery, place) for delivery in found.deliveries),
    )


def _people(row: CheckoutRow) -> tuple[Fact, ...]:
    pairs = (
        ("E-mail", row.email),
        ("Name", " ".join(filter(None, (row.first_name, row.last_name)))),
        ("Company", row.company),
        ("Phone of the customer", row.phone_raw),
        ("Phone typed at checkout", row.checkout_phone_raw),
        ("Customer number", row.customer_platform_id),
        ("Country", row.country),
        ("Language", row.language),
        ("Agreed to marketing", ", ".join(filter(None, ("e-mail" * row.accepts_email, "SMS" * row.accepts_sms))) or "no"),
    )
    return tuple(Fact(name, text) for name, text in pairs if text)


def _facts(shop: ShopRow, row: CheckoutRow) -> tuple[Fact, ...]:
    amounts = (("Subtotal", row.subtotal), ("Discount", row.discount_total), ("Tax", row.tax_total))
    pairs = (
        ("Platform", PLATFORM_TITLES.get(shop.platform, shop.platform)),
        ("Number in the store", row.platform_id),
        ("Stage", row.stage),
        *((name, money(amount, row.currency)) for name, amount in amounts if amount is not None),
        ("Discount codes", ", ".join(row.discount_codes)),
        ("Shipping", row.shipping_method),
        ("Link back", "yes" if row.recovery_url else "none was given"),
    )
    return tuple(Fact(name, text) for name, text in pairs if text)


def _steps(row: CheckoutRow, place: tzinfo) -> tuple[Step, ...]:
    steps: tuple[tuple[str, datetime | None], ...] = (
        ("Started", row.created_at),
        ("Last activity", row.last_activity_at),
        ("Falls due", row.due_at),
        ("Abandoned", row.abandoned_at),
        ("Order placed", row.converted_at),
        ("Completed in the store", row.completed_at),
        ("Closed in the store", row.closed_at),
        ("Deleted in the store", row.deleted_at),
    )
    known = sorted((at, name) for name, at in steps if at is not None)
    return tuple(Step(name, moment(at, place)) for at, name in known)


def _line(line: LineView, currency: str, browser_url: Callable[[str], str]) -> ProductLine:
    image = line.image_url if line.image_url and line.image_url.startswith("https://") else ""
    return ProductLine(
        title=line.title,
        variant=line.variant_title or "",
        quantity=line.quantity,
        unit_price=money(line.unit_price, currency),
        total=money(line.total, currency),
        image_url=browser_url(image),
    )


def _decisions(found: Found, verdict: Verdict, place: tzinfo) -> tuple[DecisionLine, ...]:
    written = [
        DecisionLine(reason_text(entry["reason"]), moment(datetime.fromisoformat(entry["at"]), place))
        for decision in found.decisions
        for entry in decision.history
    ]
    return tuple(written) or (DecisionLine(reason_text(verdict.reason), None),)


def _message(row: MessageRow, place: tzinfo) -> MessageLine:
    return MessageLine(
        address=row.address,
        state=MESSAGE_STATES[row.state],
        reason=reason_text(row.reason),
        detail=row.detail or "",
        due_at=moment(row.due_at, place),
        sent_at=moment_or_none(row.handed_over_at, place),
        clicked_at=moment_or_none(row.clicked_at, place),
        attempts=row.attempts,
    )


def _versions(found: Found, place: tzinfo) -> tuple[VersionLine, ...]:
    """Newest first; each is compared with the one before it in time, which is the next in the list."""
    before = [*(version.fingerprint for version in found.versions[1:]), None]
    return tuple(_version(version, earlier, place) for version, earlier in zip(found.versions, before, strict=True))


def _version(version: CheckoutVersionRow, earlier: str | None, place: tzinfo) -> VersionLine:
    return VersionLine(
        at=moment(version.source_version, place),
        fingerprint=version.fingerprint[:8],
        pieces=sum(version.quantities.values()),
        is_active=version.fingerprint != earlier,
    )


def _order(order: OrderRow, row: CheckoutRow, place: tzinfo) -> OrderFacts:
    return OrderFacts(
        name=order.number or order.platform_id,
        total=money(order.total, order.currency),
        payment=order.payment_state.replace("_", " "),
        placed_at=moment(order.placed_at, place),
        by=CONVERTED_BY.get(row.converted_by or "", row.converted_by or ""),
    )


def _delivery(row: DeliveryRow, place: tzinfo) -> DeliveryLine:
    assert row.id is not None
    return DeliveryLine(row.id, row.topic, DELIVERY_STATES[row.state], row.reason or "", moment(row.received_at, place))
