"""
Shopify's webhook bodies -> our canonical records. Pure: the same body always gives the same records.

Source: shopify.dev webhooks reference 2026-07 and later; oddities seen in real bodies are noted where they are handled.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from connector.canonical import Checkout, Customer, Order, Phone, Removed, Resource, Stage
from connector.rules.identity import choose_phone, normalise_email, parse_phone
from integrations.shopify.lines import to_cart_lines, to_lines
from integrations.shopify.payloads import (
    Address,
    CartBody,
    CheckoutBody,
    Code,
    CustomerBody,
    OrderBody,
    RemovedBody,
    payload_error,
)
from integrations.shopify.payments import paid_by_webhook, refunded_by_webhook
from integrations.shopify.values import (
    country_code,
    currency,
    instant,
    money,
    optional_instant,
    payment_state,
    text,
    total,
    web_address,
)

# ISO 4217 for "no currency": an emptied cart names none, and its total is zero in any.
NO_CURRENCY = "XXX"
NOBODY = CustomerBody()
NOWHERE = Address()


def to_checkout(body: CheckoutBody, shop_country: str | None = None, triggered_at: datetime | None = None) -> Checkout:
    """
    Map `checkouts/create` and `checkouts/update`.

    Money: decimal text in the presentment currency, exact. Time: ISO 8601 with any offset -> aware UTC. Phone: AC-62 over
    customer and default address; what was typed in the checkout goes to `checkout_phone`. `accepts_email` only adds.
    Raises: PayloadError (`missing_token`, `missing_time`, `missing_total`, `missing_currency`, `bad_…`, `wrong_topic`).
    """
    _refuse_gid(body.admin_graphql_api_id)
    token = text(body.token)
    if token is None:
        raise payload_error("missing_token")
    customer, default, shipping, billing = _people(body.customer, body.shipping_address, body.billing_address)
    country = country_code(default.country_code) or country_code(shipping.country_code) or shop_country
    first_name, last_name = first_named(*((who.first_name, who.last_name) for who in (customer, shipping, billing)))
    checkout_phone = _checkout_phone(body, shipping, billing, country)
    return Checkout(
        platform_id=token,
        source_version=instant(body.updated_at),
        created_at=instant(body.created_at or body.updated_at),
        currency=currency(body.presentment_currency or body.currency),
        total=total(body.total_price),
        stage=Stage.CHECKOUT,
        token=token,
        cart_token=text(body.cart_token),
        number=text(body.name),
        customer_id=text(customer.id),
        email=normalise_email(body.email) or normalise_email(customer.email),
        phone=choose_phone(text(customer.phone), text(default.phone), country),
        checkout_phone=checkout_phone,
        first_name=first_name,
        last_name=last_name,
        company=text(default.company),
        country=_country(shipping, billing, default),
        language=text(body.customer_locale),
        subtotal=money(body.subtotal_price),
        discount_total=money(body.total_discounts),
        tax_total=money(body.total_tax),
        taxes_included=bool(body.taxes_included),
        shipping_method=next((name for line in body.shipping_lines or () if (name := text(line.title) or text(line.code))), None),
        discount_codes=_codes(body.discount_codes),
        lines=to_lines(body.line_items or ()),
        accepts_email=bool(body.buyer_accepts_marketing),
        accepts_sms=_accepts_sms(body, checkout_phone, country),
        recovery_url=web_address(body.abandoned_checkout_url),
        completed_at=optional_instant(body.completed_at),
        closed_at=optional_instant(body.closed_at),
        triggered_at=triggered_at,
    )


def to_cart(body: CartBody, triggered_at: datetime | None = None) -> Checkout:
    """
    Map `carts/create` and `carts/update`: a Checkout of stage CART without contact data.

    A cart has no total and no currency of its own: both come from its lines' presentment amounts; an emptied cart has
    total 0 and the currency XXX (ISO 4217: none). Raises: PayloadError as `to_checkout`.
    """
    _refuse_gid(body.admin_graphql_api_id)
    if body.abandoned_checkout_url is not None:
        raise payload_error("wrong_topic", "a checkout, not a cart")
    token = text(body.token) or text(body.id)
    if token is None:
        raise payload_error("missing_token")
    lines, currencies = to_cart_lines(body.line_items or ())
    if len(currencies) > 1:
        raise payload_error("bad_currency", "lines in several currencies")
    worth = sum((line.total for line in lines), Decimal(0))
    return Checkout(
        platform_id=token,
        source_version=instant(body.updated_at),
        created_at=instant(body.created_at or body.updated_at),
        currency=currencies.pop() if currencies else NO_CURRENCY,
        total=worth,
        stage=Stage.CART,
        cart_token=token,
        subtotal=worth,
        lines=lines,
        triggered_at=triggered_at,
    )


def to_order(
    body: OrderBody, shop_country: str | None = None, triggered_at: datetime | None = None, *, is_news_of_payment: bool = False
) -> Order:
    """
    Map `orders/create`, `orders/updated`, `orders/paid`, `orders/cancelled`.

    Money: decimal text in the shop's currency, exact. `placed_at` is `processed_at`, else `created_at`. An unknown payment
    word counts as pending and stays readable in `platform_status`. `is_news_of_payment`: it came as `orders/paid`. Whether the payment
    is disputed is not told. Raises: PayloadError (`missing_id` …) as `to_checkout`.
    """
    order_id = _order_id(body)
    customer, default, shipping, billing = _people(body.customer, body.shipping_address, body.billing_address)
    country = country_code(default.country_code) or country_code(shipping.country_code) or shop_country
    first_name, last_name = first_named(*((who.first_name, who.last_name) for who in (customer, shipping, billing)))
    created_at = instant(body.created_at)
    return Order(
        platform_id=order_id,
        source_version=instant(body.updated_at),
        created_at=created_at,
        placed_at=optional_instant(body.processed_at) or created_at,
        currency=currency(body.currency),
        total=total(body.total_price),
        payment_state=payment_state(body.financial_status),
        number=text(body.name),
        platform_status=text(body.financial_status),
        checkout_token=text(body.checkout_token),
        cart_token=text(body.cart_token),
        customer_id=text(customer.id),
        email=normalise_email(body.email) or normalise_email(body.contact_email) or normalise_email(customer.email),
        phone=choose_phone(text(customer.phone), text(default.phone), country),
        first_name=first_name,
        last_name=last_name,
        country=_country(shipping, billing, default),
        language=text(body.customer_locale),
        subtotal=money(body.subtotal_price),
        discount_total=money(body.total_discounts),
        tax_total=money(body.total_tax),
        taxes_included=bool(body.taxes_included),
        discount_codes=_codes(body.discount_codes),
        lines=to_lines(body.line_items or ()),
        cancelled_at=optional_instant(body.cancelled_at),
        is_test=bool(body.test),
        triggered_at=triggered_at,
        paid_at=paid_by_webhook(body, is_news_of_payment=is_news_of_payment),
        refunded_total=refunded_by_webhook(body),
    )


def _order_id(body: OrderBody) -> str:
    _refuse_gid(body.admin_graphql_api_id, allowed="Order")
    if body.abandoned_checkout_url is not None:
        raise payload_error("wrong_topic", "a checkout, not an order")
    order_id = text(body.id)
    if order_id is None:
        raise payload_error("missing_id")
    return order_id


def to_customer(body: CustomerBody, shop_country: str | None = None, triggered_at: datetime | None = None) -> Customer:
    """
    Map `customers/create|update`, or the customer inside a checkout or order.

    Only the customer object itself counts, so that the same version always gives the same record wherever it was found.
    No consents: webhooks of customers carry none since 2025-01, and absent is not unsubscribed.
    Raises: PayloadError (`missing_id`, `missing_time`, `bad_time`, `wrong_topic`).
    """
    _refuse_gid(body.admin_graphql_api_id, allowed="Customer")
    customer_id = text(body.id)
    if customer_id is None:
        raise payload_error("missing_id")
    default = _address(body.default_address)
    country = country_code(default.country_code)
    return Customer(
        platform_id=customer_id,
        source_version=instant(body.updated_at),
        email=normalise_email(body.email),
        first_name=text(body.first_name),
        last_name=text(body.last_name),
        company=text(default.company),
        phone=choose_phone(text(body.phone), text(default.phone), country or shop_country),
        country=country,
        created_at=optional_instant(body.created_at),
        triggered_at=triggered_at,
    )


def embedded_customer(
    customer: CustomerBody | list[Any] | None, shop_country: str | None, triggered_at: datetime | None = None
) -> list[Customer]:
    """The customer inside a checkout or order as its own record, if it says who and as of when; else nothing."""
    if isinstance(customer, CustomerBody) and text(customer.id) is not None and customer.updated_at is not None:
        return [to_customer(customer, shop_country, triggered_at)]
    return []


def to_removed(body: RemovedBody, resource: Resource, at: datetime) -> list[Removed]:
    """
    Map `orders/delete`, `customers/delete`, `products/delete` (by id) and `checkouts/delete` (by cart token: it has no token).

    A checkout without cart token cannot be found: nothing. Only the body is signed, so a whole record under a delete topic is
    refused, or a captured one could erase itself. Raises: PayloadError (`missing_id`, `missing_token`, `wrong_topic`).
    """
    if body.created_at is not None or body.title is not msgspec.UNSET:
        raise payload_error("wrong_topic", "a whole record, not a removal")
    if resource is Resource.CHECKOUT:
        _refuse_gid(body.admin_graphql_api_id)
        if isinstance(body.cart_token, msgspec.UnsetType):
            raise payload_error("missing_token")
        cart_token = text(body.cart_token)
        return [] if cart_token is None else [Removed(resource, at, cart_token=cart_token)]
    _refuse_gid(body.admin_graphql_api_id, allowed=resource.value.title())
    removed_id = text(body.id)
    if removed_id is None:
        raise payload_error("missing_id")
    return [Removed(resource, at, platform_id=removed_id)]


def _people(
    customer: CustomerBody | list[Any] | None, shipping: Address | list[Any] | None, billing: Address | list[Any] | None
) -> tuple[CustomerBody, Address, Address, Address]:
    """Customer, default address, shipping address, billing address; an empty one where the body has none (or `[]`)."""
    person = customer if isinstance(customer, CustomerBody) else NOBODY
    return person, _address(person.default_address), _address(shipping), _address(billing)


def _address(value: Address | list[Any] | None) -> Address:
    return value if isinstance(value, Address) else NOWHERE


def _country(*addresses: Address) -> str | None:
    return next((code for address in addresses if (code := country_code(address.country_code))), None)


def first_named(*people: tuple[str | None, str | None]) -> tuple[str | None, str | None]:
    """First and last name of the first who has one; both from one source, since a mixture would be nobody."""
    for first, last in people:
        if text(first) or text(last):
            return text(first), text(last)
    return None, None


def _checkout_phone(body: CheckoutBody, shipping: Address, billing: Address, country: str | None) -> Phone | None:
    """What was typed in the checkout itself, kept apart from the customer's phone (AC-62)."""
    typed = (body.phone, shipping.phone, billing.phone, body.sms_marketing_phone)
    return next((phone for raw in typed if (phone := parse_phone(text(raw), country))), None)


def _accepts_sms(body: CheckoutBody, checkout_phone: Phone | None, country: str | None) -> bool:
    # Consent belongs to the number it was given for; for another number it is none.
    if not body.buyer_accepts_sms_marketing or checkout_phone is None:
        return False
    consented = parse_phone(text(body.sms_marketing_phone), country)
    return consented is None or (consented.e164 or consented.raw) == (checkout_phone.e164 or checkout_phone.raw)


def _codes(codes: Sequence[Code] | None) -> tuple[str, ...]:
    return tuple(found for code in codes or () if (found := text(code.code)))


def _refuse_gid(gid: str | None, allowed: str = "") -> None:
    # The topic is not signed: a genuine body replayed under another topic names its own kind here.
    if gid is not None and not (allowed and gid.startswith(f"gid://shopify/{allowed}/")):
        raise payload_error("wrong_topic", "the record is of another kind")
