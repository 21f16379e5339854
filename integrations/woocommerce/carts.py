"""
The companion plugin's cart snapshots in our words. Pure: no network, no clock.

The plugin sends them through WooCommerce's own webhook (`TOPIC`) and gives them on a pull route. A cart goes by a random token, which
the order that comes of it carries in its meta data (`ORDER_META`).
"""

import re
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from connector import decoding
from connector.canonical import Channel, Checkout, Consent, ConsentState, Event, LineItem, Phone, Removed, Resource, Stage
from connector.platforms import PayloadError
from connector.rules.identity import normalise_email, parse_phone
from integrations.woocommerce.payloads import PLATFORM, Number, Text, decode
from integrations.woocommerce.plaintext import plain, text
from integrations.woocommerce.values import country_code, currency_code, instant, money, optional_id, per_unit, pieces, web_address

TOPIC = "action.wc_connector_cart"
ORDER_META = "_connector_cart"
VERSION = 1
STATUSES = frozenset({"open", "emptied", "placed", "ordered", "forgotten"})
MOST_WORDING = 300
_TOKEN = re.compile(r"[0-9a-f]{32}")
_MOST_VERSIONS = 1_000_000


class CartConsent(msgspec.Struct, frozen=True):
    """What stood beside a box, and whether it is ticked since `at`."""

    channel: str
    state: str
    at: str
    wording: Text = None
    source: Text = None


class CartLine(msgspec.Struct, frozen=True):
    """One line of a cart; amounts are for all its pieces, without tax; tax apart."""

    key: str
    product_id: Number = None
    variation_id: Number = None
    attributes: Any = None
    name: Text = None
    sku: Text = None
    quantity: Number = None
    subtotal: Number = None
    subtotal_tax: Number = None
    total: Number = None
    total_tax: Number = None
    image: Text = None


class CartShipping(msgspec.Struct, frozen=True):
    """The chosen way of shipping."""

    method: Text = None


class CartTotals(msgspec.Struct, frozen=True):
    """Sums of a cart, as the store shows them."""

    subtotal: Number = None
    subtotal_tax: Number = None
    discount: Number = None
    discount_tax: Number = None
    tax: Number = None
    total: Number = None


class CartBody(msgspec.Struct, frozen=True):
    """A cart as it was when the store sent or gave it. Of a forgotten one all but token, status and times is empty."""

    connector: int
    token: str
    seq: int
    status: str
    created_at: str
    updated_at: str
    stage: Text = None
    home: Text = None
    order_id: Number = None
    customer_id: Number = None
    email: Text = None
    phone: Text = None
    first_name: Text = None
    last_name: Text = None
    company: Text = None
    country: Text = None
    consents: list[CartConsent] | None = None
    currency: Text = None
    prices_include_tax: Text = None
    locale: Text = None
    lines: list[CartLine] | None = None
    coupons: list[Text] | None = None
    shipping: CartShipping | None = None
    totals: CartTotals | None = None
    restore_url: Text = None


class _Bare(msgspec.Struct, frozen=True):
    """What WooCommerce sends of an action that nobody fills: the plugin was off when the body was made."""

    action: str
    arg: Any = None


def is_token(platform_id: str | None) -> bool:
    """Whether this names one of the plugin's carts, and not an order."""
    return platform_id is not None and _TOKEN.fullmatch(platform_id) is not None


def read(body: bytes) -> CartBody:
    """
    A delivered snapshot.

    Raises PayloadError; reason `plugin_off` for a body that the plugin had no part in: the pull route will tell.
    """
    try:
        return decode(body, CartBody)
    except PayloadError:
        if _is_bare(body):
            raise PayloadError("the plugin did not fill this body", platform=PLATFORM, reason="plugin_off") from None
        raise


def cart_events(cart: CartBody, shop_country: str | None, triggered_at: datetime | None = None) -> list[Event]:
    """A Checkout; of a forgotten cart its removal. Raises PayloadError."""
    if cart.connector != VERSION:
        raise PayloadError(f"a snapshot of version {cart.connector}", platform=PLATFORM, reason="plugin_version")
    if not _TOKEN.fullmatch(cart.token) or cart.status not in STATUSES:
        raise PayloadError("a cart without its name or state", platform=PLATFORM, reason="shape")
    version = version_of(cart)
    if cart.status == "forgotten":
        return [Removed(Resource.CHECKOUT, at=version, platform_id=cart.token)]
    return [to_checkout(cart, version, shop_country, triggered_at)]


def version_of(cart: CartBody) -> datetime:
    """
    When the cart became what it is. The plugin's times are whole seconds that never go back, and its numbers grow by one with each
    write: within a second the number tells which is newer. Raises PayloadError.
    """
    return _time(cart.updated_at) + timedelta(microseconds=max(0, cart.seq) % _MOST_VERSIONS)


def to_checkout(cart: CartBody, version: datetime, shop_country: str | None, triggered_at: datetime | None = None) -> Checkout:
    """
    A cart as a checkout. `placed`: an order exists that waits for payment and goes on as a checkout of its own. `emptied`: it has
    no lines any more. Raises PayloadError.
    """
    with_tax, totals = _taxes_included(cart), cart.totals or CartTotals()
    is_over = cart.status in ("placed", "ordered")
    return Checkout(
        platform_id=cart.token,
        token=cart.token,
        cart_token=cart.token,
        source_version=version,
        created_at=_time(cart.created_at),
        currency=currency_code(text(cart.currency) or ""),
        total=money(totals.total) or Decimal(0),
        stage=Stage.CART if text(cart.stage) == Stage.CART.value else Stage.CHECKOUT,
        customer_id=optional_id(cart.customer_id),
        email=normalise_email(text(cart.email)),
        checkout_phone=_phone(cart, shop_country),
        first_name=text(cart.first_name),
        last_name=text(cart.last_name),
        company=text(cart.company),
        country=country_code(cart.country) or shop_country,
        language="-".join((text(cart.locale) or "").split("_")[:2]) or None,
        subtotal=_sum(totals.subtotal, totals.subtotal_tax if with_tax else None),
        discount_total=_sum(totals.discount, totals.discount_tax if with_tax else None),
        tax_total=money(totals.tax),
        taxes_included=with_tax,
        shipping_method=plain(cart.shipping.method) if cart.shipping else None,
        discount_codes=tuple(code for raw in cart.coupons or () if (code := text(raw))),
        lines=() if cart.status == "emptied" else _lines(cart),
        recovery_url=None if is_over else web_address(cart.restore_url),
        completed_at=version if cart.status == "ordered" else None,
        closed_at=version if cart.status == "placed" else None,
        triggered_at=triggered_at,
        consents=_consents(cart),
    )


def _lines(cart: CartBody) -> tuple[LineItem, ...]:
    """The lines as shoppers see them; one of no pieces is left out, a broken quantity is one piece at the line's price."""
    with_tax, found, taken = _taxes_included(cart), [], set()
    for position, line in enumerate(cart.lines or ()):
        quantity = pieces(line.quantity)
        if quantity <= 0:
            continue
        whole = quantity if quantity == quantity.to_integral_value() else Decimal(1)
        key = line.key if line.key and line.key not in taken else f"{line.key or 'line'}-{position}"
        taken.add(key)
        before = _sum(line.subtotal, line.subtotal_tax if with_tax else None) or Decimal(0)
        variant_id = optional_id(line.variation_id)
        found.append(
            LineItem(
                key=key,
                title=_title(line, variant_id),
                quantity=int(whole),
                unit_price=per_unit(before, whole, text(cart.currency) or ""),
                total=_sum(line.total, line.total_tax if with_tax else None) or Decimal(0),
                product_id=optional_id(line.product_id),
                variant_id=variant_id,
                variant_title=_variant_title(line.attributes) if variant_id else None,
                sku=text(line.sku),
                image_url=web_address(line.image, "https"),
            )
        )
    return tuple(found)


def _title(line: CartLine, variant_id: str | None) -> str:
    """What a line is called, without the values that its variation's name ends with."""
    name, values = plain(line.name) or "", _variant_title(line.attributes) if variant_id else None
    return name.removesuffix(f" - {values}") if values else name


def _variant_title(attributes: Any) -> str | None:
    values = attributes.values() if isinstance(attributes, dict) else ()
    return ", ".join(words for value in values if isinstance(value, str) and (words := plain(value))) or None


def _consents(cart: CartBody) -> tuple[Consent, ...]:
    """What the boxes say; channels and states that we do not know are left out."""
    channels = {channel.value: channel for channel in (Channel.EMAIL, Channel.SMS)}
    states = {state.value: state for state in (ConsentState.SUBSCRIBED, ConsentState.UNSUBSCRIBED)}
    return tuple(
        Consent(channels[said.channel], states[said.state], _time(said.at), _source(said))
        for said in cart.consents or ()
        if said.channel in channels and said.state in states
    )


def _source(said: CartConsent) -> str:
    wording = plain(said.wording, MOST_WORDING)
    return f"checkout: {wording}" if wording else "checkout"


def _phone(cart: CartBody, shop_country: str | None) -> Phone | None:
    return parse_phone(text(cart.phone), country_code(cart.country) or shop_country)


def _taxes_included(cart: CartBody) -> bool:
    return cart.prices_include_tax is True or text(cart.prices_include_tax) in ("yes", "true", "1")


def _sum(net: Number, tax: Number) -> Decimal | None:
    amount = money(net)
    return None if amount is None else amount + (money(tax) or Decimal(0))


def _time(value: str) -> datetime:
    found = instant(value)
    if found is None:
        raise PayloadError("a cart without its times", platform=PLATFORM, reason="time")
    return found


def _is_bare(body: bytes) -> bool:
    try:
        return bool(decoding.decode(body, _Bare).action)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
