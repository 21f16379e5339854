"""What the API answers: money as text beside its currency, instants in UTC, our public ids, codes that never change."""

from datetime import datetime
from decimal import Decimal

from babel.numbers import get_currency_precision, is_currency
from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Money(Shape):
    """An exact amount: `{"amount": "12.30", "currency": "EUR"}`."""

    amount: str
    currency: str


class Shop(Shape):
    """One store. `state`: connected, needs_sign_in or uninstalled."""

    id: str
    name: str
    platform: str
    domain: str
    url: str
    state: str
    currency: str
    timezone: str
    installed_at: datetime


class Shops(Shape):
    """Every store of the account, the oldest first."""

    shops: list[Shop]


class Checkout(Shape):
    """
    One checkout of a list.

    `stage`: cart or checkout. `state`: recovered, purchased, closed, no_contact, abandoned, cart, emptied,
    imported or waiting.
    """

    id: str
    shop_id: str
    number: str | None
    stage: str
    state: str
    email: str | None
    phone: str | None
    first_name: str | None
    last_name: str | None
    total: Money
    created_at: datetime
    last_activity_at: datetime | None
    abandoned_at: datetime | None
    converted_at: datetime | None
    recovery_url: str | None


class Checkouts(Shape):
    """One page, newest first. `next`: the address of the page that goes on; null: there is none."""

    checkouts: list[Checkout]
    next: str | None


class Line(Shape):
    """One line of a checkout."""

    title: str
    variant_title: str | None
    quantity: int
    unit_price: Money
    total: Money
    image_url: str | None


class Decision(Shape):
    """Why a reminder was or was not sent: the current answer, as a code."""

    reason: str
    decided_at: datetime


class Message(Shape):
    """One reminder. `state`: queued, sending, sent, refused, unknown or cancelled."""

    id: str
    channel: str
    state: str
    queued_at: datetime
    sent_at: datetime | None
    clicked_at: datetime | None


class Order(Shape):
    """The order that ended the checkout."""

    id: str
    number: str | None
    total: Money
    placed_at: datetime


class CheckoutDetail(Checkout):
    """One checkout with everything around it."""

    lines: list[Line]
    decision: Decision | None
    messages: list[Message]
    order: Order | None


def money(amount: Decimal, currency: str) -> Money:
    """An amount with at least the digits of its currency, and never rounded."""
    digits = get_currency_precision(currency) if is_currency(currency) else 0
    exponent = amount.as_tuple().exponent
    is_short = isinstance(exponent, int) and exponent > -digits
    return Money(amount=format(amount, f".{digits}f" if is_short else "f"), currency=currency)
