"""
WooCommerce's records in our words. Pure: no network, no clock.

One WooCommerce order id lives through draft, pending and placed, so it is a Checkout while nothing is bought and an Order
afterwards, tied by `checkout_token`. Source for the statuses: recorded deliveries of WooCommerce 10.5, see README.md.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from urllib.parse import urlsplit

from connector.canonical import Checkout, Customer, Event, LineItem, Order, Product, Removed, Resource, Stale
from connector.platforms import DeliveryContext, OtherSite, PayloadError
from connector.rules.identity import choose_phone, normalise_email, parse_phone
from integrations.woocommerce import carts
from integrations.woocommerce.links import recovery_url
from integrations.woocommerce.payloads import (
    PLATFORM,
    ActionBody,
    Address,
    CustomerBody,
    DeletedBody,
    Line,
    OrderBody,
    ProductBody,
    Text,
    decode,
)
from integrations.woocommerce.payments import paid_at, payment_state, refunded_total, was_placed
from integrations.woocommerce.plaintext import plain, text
from integrations.woocommerce.values import (
    country_code,
    currency_code,
    identifier,
    instant,
    money,
    optional_id,
    per_unit,
    pieces,
    web_address,
)

DESCRIPTION_LENGTH = 500
DRAFTS = frozenset({"checkout-draft", "auto-draft", "draft"})
UNPAID = frozenset({"pending", "failed"})
CHECKOUT_PAGES = frozenset({"checkout", "store-api"})
_BOUGHT = (Resource.ORDER, Resource.CHECKOUT)
_KINDS = {"order": _BOUGHT, "product": (Resource.PRODUCT,), "coupon": (Resource.DISCOUNT_CODE,)}
_DELETE_ACTIONS = {"woocommerce_delete_order": _BOUGHT, "woocommerce_delete_coupon": (Resource.DISCOUNT_CODE,)}


def to_events(context: DeliveryContext, body: bytes) -> list[Event]:
    """
    What one delivery means; [] for other topics and for orders that are neither somebody's checkout nor placed.

    A `*.deleted` body names an id and nothing else, and not always one of its own kind: the store is asked what it is. Raises
    PayloadError, and OtherSite for a record of another site than the shop's.
    """
    resource, _, event = context.topic.partition(".")
    if context.topic == carts.TOPIC:
        return cart_told(context, body)
    if resource == "action":
        kinds = _DELETE_ACTIONS.get(event, ())
        return stale(kinds, identifier(decode(body, ActionBody).arg), context.at) if kinds else []
    if resource == "order" and event != "deleted":
        order = decode(body, OrderBody)
        check_site(context, order.links.own[0].href if order.links and order.links.own else None)
        return order_events(order, context.shop_country, context.triggered_at)
    if resource == "customer" and event != "deleted":
        customer = decode(body, CustomerBody)
        check_site(context, customer.links.own[0].href if customer.links and customer.links.own else None)
        return [to_customer(customer, context.shop_country, context.triggered_at)]
    if context.topic == "customer.deleted":
        return [Removed(Resource.CUSTOMER, at=context.at, platform_id=identifier(decode(body, DeletedBody).id))]
    return stale(_KINDS.get(resource, ()), identifier(decode(body, DeletedBody).id), context.at) if resource in _KINDS else []


def cart_told(context: DeliveryContext, body: bytes) -> list[Event]:
    """What a delivered snapshot of the plugin means. Raises as `to_events`."""
    cart = carts.read(body)
    check_site(context, cart.home)
    return carts.cart_events(cart, context.shop_country, context.triggered_at)


def stale(kinds: Sequence[Resource], platform_id: str, at: datetime) -> list[Event]:
    """The same id, to be read again as each of these."""
    return [Stale(kind, platform_id, at) for kind in kinds]


def check_site(context: DeliveryContext, address: Text) -> None:
    """
    A copy of a store has its webhooks and their secret too. Raises OtherSite if a record's own address is not the shop's.

    Where the shop's hosts are not known, or a plugin took the address away, nothing can be told.
    """
    try:
        host = (urlsplit(text(address) or "").hostname or "").lower()
    except ValueError:
        return
    if host and context.shop_hosts and host not in {known.partition(":")[0] for known in context.shop_hosts}:
        raise OtherSite("the record is another site's", platform=PLATFORM, host=host)


def removed_order(platform_id: str, at: datetime) -> list[Event]:
    """The id is gone as an order and as a checkout: only the store knows which of the two it was."""
    return [
        Removed(Resource.ORDER, at=at, platform_id=platform_id),
        Removed(Resource.CHECKOUT, at=at, platform_id=platform_id),
    ]


def order_events(body: OrderBody, shop_country: str | None, triggered_at: datetime | None = None) -> list[Event]:
    """
    What an order in its present status is to us: a Checkout, an Order, a removal or nothing.

    Drafts, unpaid and never-paid cancelled orders count as checkouts only if shoppers made them (`created_via`); those made
    by hand or by other programs are nothing to remind of. Raises PayloadError.
    """
    status = body.status
    if not status.strip():
        raise PayloadError("an order without a status", platform=PLATFORM, reason="shape")
    date_paid = instant(body.date_paid_gmt)
    is_shoppers = text(body.created_via) in CHECKOUT_PAGES
    if status == "trash":
        return removed_order(identifier(body.id), _modified(body))
    if status in DRAFTS and cart_token(body):
        # The plugin tells of this cart itself, and better; an earlier word of the draft may have had no stamp yet.
        return [Removed(Resource.CHECKOUT, at=_modified(body), platform_id=identifier(body.id))]
    if status in DRAFTS:
        return [to_checkout(body, shop_country, triggered_at, completed_at=date_paid)] if is_shoppers else []
    placed: list[Event] = [to_order(body, shop_country, triggered_at)]
    if status in UNPAID:
        # Paid once and set back by hand: an order came of it, so it is not to be reminded of, and its payment is withdrawn.
        waiting = [to_checkout(body, shop_country, triggered_at, completed_at=date_paid)] if is_shoppers else []
        return [*waiting, *(placed if date_paid else [])]
    if status == "cancelled" and date_paid is None:
        closed = [to_checkout(body, shop_country, triggered_at, closed_at=_modified(body))] if is_shoppers else []
        return [*closed, *(placed if was_placed(body) else [])]
    return placed


def to_checkout(
    body: OrderBody,
    shop_country: str | None,
    triggered_at: datetime | None = None,
    *,
    completed_at: datetime | None = None,
    closed_at: datetime | None = None,
) -> Checkout:
    """
    An order that is not placed, as the checkout it comes from.

    Money: exact decimals in the order's currency. Time: `*_gmt` is UTC; `created_at` is when the checkout page was opened.
    `phone` stays None, for an order carries no customer record (AC-62). Raises PayloadError.
    """
    billing, shipping = _addresses(body)
    country = _country(billing, shipping, shop_country)
    number = identifier(body.id)
    return Checkout(
        platform_id=number,
        token=number,
        cart_token=cart_token(body),
        source_version=_modified(body),
        created_at=_created(body),
        currency=currency_code(body.currency),
        total=_total(body),
        number=text(body.number),
        customer_id=optional_id(body.customer_id),
        email=normalise_email(text(billing.email)),
        checkout_phone=parse_phone(text(billing.phone), country) or parse_phone(text(shipping.phone), country),
        first_name=text(billing.first_name) or text(shipping.first_name),
        last_name=text(billing.last_name) or text(shipping.last_name),
        company=text(billing.company),
        country=country,
        subtotal=_subtotal(body),
        discount_total=_discount(body),
        tax_total=money(body.total_tax),
        taxes_included=_taxes_included(body),
        shipping_method=_shipping_method(body),
        discount_codes=_codes(body),
        lines=to_lines(body),
        recovery_url=None if completed_at or closed_at else recovery_url(body, is_draft=body.status in DRAFTS),
        completed_at=completed_at,
        closed_at=closed_at,
        triggered_at=triggered_at,
    )


def to_order(body: OrderBody, shop_country: str | None, triggered_at: datetime | None = None) -> Order:
    """
    A placed order.

    `placed_at`: when it was paid, else when it last changed, but never before it was made; nothing else in the record tells,
    for `date_created` is when the checkout page was opened. Raises PayloadError.
    """
    billing, shipping = _addresses(body)
    created_at, modified_at, date_paid = _created(body), _modified(body), instant(body.date_paid_gmt)
    state = payment_state(body.status, date_paid is not None, bool(body.refunds))
    return Order(
        platform_id=identifier(body.id),
        checkout_token=identifier(body.id),
        cart_token=cart_token(body),
        source_version=modified_at,
        created_at=created_at,
        placed_at=max(date_paid or modified_at, created_at),
        currency=currency_code(body.currency),
        total=_total(body),
        payment_state=state,
        number=text(body.number),
        platform_status=text(body.status),
        customer_id=optional_id(body.customer_id),
        email=normalise_email(text(billing.email)),
        first_name=text(billing.first_name) or text(shipping.first_name),
        last_name=text(billing.last_name) or text(shipping.last_name),
        country=_country(billing, shipping, shop_country),
        subtotal=_subtotal(body),
        discount_total=_discount(body),
        tax_total=money(body.total_tax),
        taxes_included=_taxes_included(body),
        discount_codes=_codes(body),
        lines=to_lines(body),
        cancelled_at=modified_at if body.status == "cancelled" else None,
        triggered_at=triggered_at,
        paid_at=paid_at(body, state, modified_at),
        refunded_total=refunded_total(body.refunds),
    )


def to_lines(body: OrderBody) -> tuple[LineItem, ...]:
    """
    The lines as shoppers see them: tax included where the store's prices are.

    A line of no pieces is left out. A broken quantity (1.5 m of cloth) becomes one piece at the price of the line, since our
    quantities are whole. Raises PayloadError for amounts that are none.
    """
    lines: list[LineItem] = []
    taken: set[str] = set()
    for position, line in enumerate(body.line_items or ()):
        quantity = pieces(line.quantity)
        if quantity > 0:
            key = optional_id(line.id) or f"line-{position}"
            if key in taken:
                key = f"{key}-{position}"
            taken.add(key)
            lines.append(_line(line, key, quantity, body))
    return tuple(lines)


def to_customer(body: CustomerBody, shop_country: str | None, triggered_at: datetime | None = None) -> Customer:
    """
    An account of the store; the phone is the record's billing phone, else that of its shipping address (AC-62).

    Raises PayloadError, also for an account without any date.
    """
    billing, shipping = body.billing or Address(), body.shipping or Address()
    country = _country(billing, shipping, shop_country)
    created_at = instant(body.date_created_gmt)
    version = instant(body.date_modified_gmt) or created_at
    if version is None:
        raise PayloadError("an account without a date", platform=PLATFORM, reason="time")
    return Customer(
        platform_id=identifier(body.id),
        source_version=version,
        email=normalise_email(text(body.email)) or normalise_email(text(billing.email)),
        first_name=text(body.first_name) or text(billing.first_name),
        last_name=text(body.last_name) or text(billing.last_name),
        company=text(billing.company),
        phone=choose_phone(text(billing.phone), text(shipping.phone), country),
        country=country,
        created_at=created_at,
        triggered_at=triggered_at,
    )


def to_product(body: ProductBody) -> Product:
    """A product with its description as plain text of at most 500 characters, first category and first image."""
    version = instant(body.date_modified_gmt) or instant(body.date_created_gmt)
    if version is None:
        raise PayloadError("a product without a date", platform=PLATFORM, reason="time")
    categories = tuple(name for category in body.categories or () if (name := plain(category.name)))
    return Product(
        platform_id=identifier(body.id),
        source_version=version,
        title=plain(body.name) or "",
        category=categories[0] if categories else None,
        categories=categories,
        description=plain(body.description, DESCRIPTION_LENGTH) or plain(body.short_description, DESCRIPTION_LENGTH),
        image_url=next((url for image in body.images or () if (url := web_address(image.src, "https"))), None),
        url=web_address(body.permalink),
    )


def gone_products(asked: Sequence[str], found: Sequence[Product], at: datetime) -> list[Product]:
    """One deleted Product, valid from `at`, for each id that was asked for and not found."""
    there = {product.platform_id for product in found}
    return [
        Product(platform_id=number, source_version=at, title="", is_deleted=True) for number in dict.fromkeys(asked) if number not in there
    ]


def cart_token(body: OrderBody) -> str | None:
    """The plugin's cart that an order came of."""
    named = next((bytes(meta.value) for meta in body.meta_data or () if meta.key == carts.ORDER_META), b"")
    token = named.decode("ascii", "replace").strip('"')
    return token if carts.is_token(token) else None


def _line(line: Line, key: str, quantity: Decimal, body: OrderBody) -> LineItem:
    with_tax = _taxes_included(body)
    before = _amount(line.subtotal) + (_amount(line.subtotal_tax) if with_tax else 0)
    after = _amount(line.total) + (_amount(line.total_tax) if with_tax else 0)
    if quantity != quantity.to_integral_value():
        quantity = Decimal(1)
    name, parent = plain(line.name) or "", plain(line.parent_name)
    variant_id = optional_id(line.variation_id)
    return LineItem(
        key=key,
        title=(parent if variant_id else None) or name,
        quantity=int(quantity),
        unit_price=per_unit(before, quantity, body.currency),
        total=after,
        product_id=optional_id(line.product_id),
        variant_id=variant_id,
        variant_title=_variant_title(name, parent) if variant_id else None,
        sku=text(line.sku),
        image_url=web_address(line.image.src, "https") if line.image else None,
    )


def _variant_title(name: str, parent: str | None) -> str | None:
    # A variation is called "Product - value, value"; with many attributes WooCommerce leaves them out.
    if not parent or not name.startswith(parent):
        return None
    return name[len(parent) :].lstrip(" -–") or None


def _addresses(body: OrderBody) -> tuple[Address, Address]:
    return body.billing or Address(), body.shipping or Address()


def _country(billing: Address, shipping: Address, shop_country: str | None) -> str | None:
    return country_code(billing.country) or country_code(shipping.country) or shop_country


def _created(body: OrderBody) -> datetime:
    created_at = instant(body.date_created_gmt)
    if created_at is None:
        raise PayloadError("an order without a date", platform=PLATFORM, reason="time")
    return created_at


def _modified(body: OrderBody) -> datetime:
    return instant(body.date_modified_gmt) or _created(body)


def _total(body: OrderBody) -> Decimal:
    total = money(body.total)
    if total is None:
        raise PayloadError("an order without a total", platform=PLATFORM, reason="money")
    return total


def _amount(value: str | int | float | None) -> Decimal:
    return money(value) or Decimal(0)


def _taxes_included(body: OrderBody) -> bool:
    return body.prices_include_tax is True or text(body.prices_include_tax) in ("yes", "true", "1")


def _subtotal(body: OrderBody) -> Decimal:
    with_tax = _taxes_included(body)
    return sum(
        (_amount(line.subtotal) + (_amount(line.subtotal_tax) if with_tax else 0) for line in body.line_items or ()), start=Decimal(0)
    )


def _discount(body: OrderBody) -> Decimal | None:
    discount = money(body.discount_total)
    return discount + _amount(body.discount_tax) if discount is not None and _taxes_included(body) else discount


def _shipping_method(body: OrderBody) -> str | None:
    return next((title for line in body.shipping_lines or () if (title := plain(line.method_title))), None)


def _codes(body: OrderBody) -> tuple[str, ...]:
    return tuple(code for line in body.coupon_lines or () if (code := text(line.code)))
