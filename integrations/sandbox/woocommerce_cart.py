"""A cart as the companion plugin keeps it on the pretend store, and the snapshot (version 1) that it sends and lists."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

FINAL = frozenset({"placed", "ordered", "forgotten"})
"""Statuses that end a token: what the shopper does next is another cart."""


@dataclass(frozen=True, slots=True)
class Consent:
    """A box that a shopper ticked or unticked."""

    channel: str
    state: str
    at: datetime
    wording: str
    source: str


@dataclass(frozen=True, slots=True)
class Who:
    """Whose cart it is, as far as that is known; empty texts are not known."""

    customer_id: int = 0
    email: str = ""
    phone: str = ""
    first_name: str = ""
    last_name: str = ""
    country: str = ""

    @property
    def can_be_written_to(self) -> bool:
        """Whether an e-mail address or a phone number is known."""
        return bool(self.email or self.phone)


@dataclass(frozen=True, slots=True)
class Content:
    """What is in a cart at one moment, in the words of the snapshot."""

    currency: str
    locale: str
    lines: tuple[dict[str, Any], ...] = ()
    coupons: tuple[str, ...] = ()
    shipping: tuple[str, str, str] = ("", "", "")
    totals: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Cart:
    """One row of the plugin: `seq` grows with every write, `updated_at` never goes back."""

    token: str
    created_at: datetime
    updated_at: datetime
    content: Content
    who: Who = field(default_factory=Who)
    seq: int = 0
    status: str = "open"
    stage: str = "cart"
    consents: tuple[Consent, ...] = ()
    order_id: int = 0

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status in FINAL


@dataclass(frozen=True, slots=True)
class Site:
    """Which site a snapshot is from."""

    plugin: str
    woocommerce: str
    wordpress: str
    home: str


def snapshot(cart: Cart, site: Site, restore_url: str) -> dict[str, Any]:
    """The cart as the plugin sends it. Of a forgotten one only token, number, status, times and site are told."""
    empty = cart.status == "forgotten"
    who = Who() if empty else cart.who
    content = Content("", "") if empty else cart.content
    method, shipping, shipping_tax = content.shipping
    totals = ("subtotal", "subtotal_tax", "discount", "discount_tax", "shipping", "shipping_tax", "fees", "tax", "total")
    return {
        "connector": 1,
        "plugin": site.plugin,
        "woocommerce": site.woocommerce,
        "wordpress": site.wordpress,
        "home": site.home,
        "event_id": f"{cart.token}-{cart.seq}",
        "token": cart.token,
        "seq": cart.seq,
        "status": cart.status,
        "stage": "" if empty else cart.stage,
        "created_at": zulu(cart.created_at),
        "updated_at": zulu(cart.updated_at),
        "order_id": 0 if empty else cart.order_id,
        "customer_id": who.customer_id,
        "email": who.email,
        "phone": who.phone,
        "first_name": who.first_name,
        "last_name": who.last_name,
        "company": "",
        "country": who.country,
        "consents": [] if empty else [_consent(one) for one in cart.consents],
        "currency": content.currency,
        "prices_include_tax": True,
        "locale": content.locale,
        "lines": list(content.lines),
        "coupons": list(content.coupons),
        "fees": [],
        "shipping": {"method": method, "total": shipping, "tax": shipping_tax},
        "totals": dict.fromkeys(totals, "") | dict(content.totals),
        "restore_url": "" if empty else restore_url,
    }


def zulu(at: datetime) -> str:
    """An instant in UTC, whole seconds, with Z."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _consent(consent: Consent) -> dict[str, str]:
    return {
        "channel": consent.channel,
        "state": consent.state,
        "at": zulu(consent.at),
        "wording": consent.wording,
        "source": consent.source,
    }
