"""How what the GraphQL Admin API answers maps to our records: the same records that webhooks give. Pure."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from urllib.parse import urlsplit

from connector.canonical import Channel, Checkout, Consent, ConsentState, Customer, LineItem, Order, Product, Stage, Variant
from connector.rules.identity import choose_phone, normalise_email, parse_phone
from integrations.shopify.consents import SOURCE, consent_state
from integrations.shopify.mapping import first_named
from integrations.shopify.nodes import (
    AddressNode,
    AnyPerson,
    CheckoutLineNode,
    CheckoutNode,
    ConsentNode,
    CustomerNode,
    EmailNode,
    MediaNode,
    MoneyBag,
    OrderLineNode,
    OrderNode,
    PersonNode,
    PhoneNode,
    ProductNode,
    VariantNode,
    numeric_id,
)
from integrations.shopify.payments import disputed, paid_by_transactions
from integrations.shopify.values import country_code, currency, instant, money, optional_instant, payment_state, text, total, web_address

BUYABLE = frozenset({"ACTIVE", "UNLISTED"})
"""States of a product in which shoppers can buy it: UNLISTED ones are not found, but have a page."""
_CART_TOKEN = re.compile(r"/checkouts/ac/([^/]+)/recover")


def to_products(ids: Sequence[str], nodes: Sequence[ProductNode | None], at: datetime, is_complete: bool) -> list[Product]:
    """
    Map what was found for `ids`; what was not found is deleted as of `at`.

    Unless the answer is not complete (`is_complete` false: something was withheld): then an absent product says nothing.
    """
    found = {numeric_id(node.id): to_product(node) for node in nodes if node is not None}
    missing = Product(platform_id="", source_version=at, title="", is_deleted=True)
    everything = [found.get(one) or (replace(missing, platform_id=one) if is_complete else None) for one in ids]
    return [product for product in everything if product is not None]


def to_product(node: ProductNode, description_limit: int = 500) -> Product:
    """
    Map a product read by GraphQL: `category` is the product type (AC-53), prices are in the shop's currency.

    Raises: PayloadError (`bad_money`, `missing_time`) for a node that makes no sense.
    """
    is_buyable = node.status is None or node.status.upper() in BUYABLE
    return Product(
        platform_id=numeric_id(node.id),
        source_version=instant(node.updated_at),
        title=text(node.title) or "",
        category=text(node.product_type),
        description=(text(node.description) or "")[:description_limit] or None,
        image_url=_image(node.featured_media),
        url=web_address(node.online_store_url),
        variants=tuple(_variant(variant, is_buyable) for variant in node.variants.nodes),
    )


def to_listed_order(node: OrderNode, shop_country: str | None = None) -> Order:
    """
    Map an order read by GraphQL to the same record its webhook gives: shop currency, ids as the webhook's numbers.

    Raises: PayloadError as `to_order`.
    """
    customer = node.customer or PersonNode()
    default, shipping, billing = _places(customer, node.shipping_address, node.billing_address)
    first_name, last_name = first_named(*((who.first_name, who.last_name) for who in (customer, shipping, billing)))
    created_at = instant(node.created_at)
    placed_at = optional_instant(node.processed_at) or created_at
    state = payment_state(node.display_financial_status)
    return Order(
        platform_id=numeric_id(node.id),
        source_version=instant(node.updated_at),
        created_at=created_at,
        placed_at=placed_at,
        currency=currency(node.currency_code),
        total=total(_shops(node.total_price_set)),
        payment_state=state,
        number=text(node.name),
        platform_status=(text(node.display_financial_status) or "").lower() or None,
        checkout_token=text(node.checkout_token),
        cart_token=text(node.cart_token),
        customer_id=numeric_id(customer.id) if customer.id else None,
        email=normalise_email(node.email) or _email(customer),
        phone=choose_phone(_number(customer), text(default.phone), _home(default, shipping, shop_country)),
        first_name=first_name,
        last_name=last_name,
        country=_country(shipping, billing, default),
        language=text(node.customer_locale),
        subtotal=money(_shops(node.subtotal_price_set)),
        discount_total=money(_shops(node.total_discounts_set)),
        tax_total=money(_shops(node.total_tax_set)),
        taxes_included=bool(node.taxes_included),
        discount_codes=tuple(code for raw in node.discount_codes or () if (code := text(raw))),
        lines=tuple(_line(line, line.original_unit_price_set.shop_money.amount) for line in node.line_items.nodes),
        cancelled_at=optional_instant(node.cancelled_at),
        is_test=bool(node.test),
        paid_at=paid_by_transactions(node.transactions or (), state, placed_at),
        refunded_total=money(_shops(node.total_refunded_set)),
        is_disputed=None if node.disputes is None else disputed(node.disputes),
    )


def to_read_customer(node: CustomerNode, shop_country: str | None = None) -> Customer:
    """
    Map a customer read by GraphQL, which unlike a webhook tells consent and language.

    A consent without an instant of its own is as old as the customer: anything dated counts more. Raises: PayloadError
    (`missing_time`, `bad_time`).
    """
    default = node.default_address or AddressNode()
    country = country_code(default.country_code)
    version, created_at = instant(node.updated_at), optional_instant(node.created_at)
    return Customer(
        platform_id=numeric_id(node.id),
        source_version=version,
        email=_email(node),
        first_name=text(node.first_name),
        last_name=text(node.last_name),
        company=text(default.company),
        phone=choose_phone(_number(node), text(default.phone), country or shop_country),
        country=country,
        language=text(node.locale),
        created_at=created_at,
        consents=_consents(node, created_at or version),
    )


def to_listed_checkout(node: CheckoutNode, shop_country: str | None = None) -> Checkout:
    """
    Map an abandoned checkout: what the buyer saw, in the buyer's currency.

    It has no token, so `platform_id` is the number of its gid, which no webhook names; `number` and `cart_token` are the webhook's
    own. E-mail address and phone number are the customer's: what was typed in the checkout is not told, nor any consent.
    Raises: PayloadError as `to_checkout`.
    """
    customer = node.customer or PersonNode()
    default, shipping, billing = _places(customer, node.shipping_address, node.billing_address)
    home = _home(default, shipping, shop_country)
    first_name, last_name = first_named(*((who.first_name, who.last_name) for who in (customer, shipping, billing)))
    worth = node.total_price_set or MoneyBag()
    return Checkout(
        platform_id=numeric_id(node.id),
        source_version=instant(node.updated_at),
        created_at=instant(node.created_at),
        currency=currency(worth.presentment_money.currency_code),
        total=total(_buyers(worth)),
        stage=Stage.CHECKOUT,
        cart_token=cart_token(node.abandoned_checkout_url),
        number=text(node.name),
        customer_id=numeric_id(customer.id) if customer.id else None,
        email=_email(customer),
        phone=choose_phone(_number(customer), text(default.phone), home),
        checkout_phone=next((phone for place in (shipping, billing) if (phone := parse_phone(text(place.phone), home))), None),
        first_name=first_name,
        last_name=last_name,
        company=text(default.company),
        country=_country(shipping, billing, default),
        language=text(customer.locale),
        subtotal=money(_buyers(node.subtotal_price_set)),
        discount_total=money(_buyers(node.total_discount_set)),
        tax_total=money(_buyers(node.total_tax_set)),
        taxes_included=bool(node.taxes_included),
        discount_codes=tuple(code for raw in node.discount_codes or () if (code := text(raw))),
        lines=tuple(_checkout_line(line) for line in node.line_items.nodes),
        recovery_url=web_address(node.abandoned_checkout_url),
        completed_at=optional_instant(node.completed_at),
    )


def cart_token(recovery_url: str | None) -> str | None:
    """The cart token that a recovery address (`…/checkouts/ac/{cart token}/recover…`) holds; of any other address None."""
    found = _CART_TOKEN.search(urlsplit(web_address(recovery_url) or "").path)
    return found[1] if found else None


def _variant(variant: VariantNode, is_buyable: bool) -> Variant:
    return Variant(
        platform_id=numeric_id(variant.id),
        title=text(variant.title),
        sku=text(variant.sku),
        price=money(variant.price),
        image_url=next((url for media in variant.media.nodes if (url := _image(media))), None),
        is_available=None if variant.available_for_sale is None else variant.available_for_sale and is_buyable,
        inventory_item_id=numeric_id(variant.inventory_item.id) if variant.inventory_item else None,
    )


def _line(line: OrderLineNode | CheckoutLineNode, price: Decimal | None) -> LineItem:
    unit_price = total(price)
    return LineItem(
        key=numeric_id(line.id),
        title=text(line.title) or "",
        quantity=line.quantity,
        unit_price=unit_price,
        total=unit_price * line.quantity,
        product_id=numeric_id(line.product.id) if line.product else None,
        variant_id=numeric_id(line.variant.id) if line.variant else None,
        variant_title=text(line.variant_title),
        sku=text(line.sku),
    )


def _checkout_line(line: CheckoutLineNode) -> LineItem:
    item = _line(line, _buyers(line.original_unit_price_set))
    return replace(item, image_url=web_address(line.image.url) if line.image else None)


def _consents(node: CustomerNode, undated: datetime) -> tuple[Consent, ...]:
    """What the default address and number allow. Nothing is said of a channel without either, nor by UNKNOWN without an instant."""
    email = node.default_email_address or EmailNode()
    phone = node.default_phone_number or PhoneNode()
    told: list[tuple[Channel, str | None, str | None, datetime | None]] = [
        (Channel.EMAIL, text(email.email_address), email.marketing_state, email.marketing_updated_at)
    ]
    for channel, consent in ((Channel.SMS, phone.sms_marketing_consent), (Channel.WHATSAPP, phone.whats_app_marketing_consent)):
        found = consent or ConsentNode()
        told.append((channel, text(phone.phone_number), found.state, found.updated_at))
    return tuple(
        Consent(channel, state, optional_instant(at) or undated, SOURCE)
        for channel, address, word, at in told
        if address is not None and word is not None and ((state := consent_state(word)) is not ConsentState.UNKNOWN or at is not None)
    )


def _places(
    customer: PersonNode, shipping: AddressNode | None, billing: AddressNode | None
) -> tuple[AddressNode, AddressNode, AddressNode]:
    """Default, shipping and billing address; an empty one where there is none."""
    return customer.default_address or AddressNode(), shipping or AddressNode(), billing or AddressNode()


def _home(default: AddressNode, shipping: AddressNode, shop_country: str | None) -> str | None:
    """The country whose way of writing phone numbers counts."""
    return country_code(default.country_code) or country_code(shipping.country_code) or shop_country


def _country(*places: AddressNode) -> str | None:
    return next((code for place in places if (code := country_code(place.country_code))), None)


def _email(person: AnyPerson) -> str | None:
    return normalise_email((person.default_email_address or EmailNode()).email_address)


def _number(person: AnyPerson) -> str | None:
    return text((person.default_phone_number or PhoneNode()).phone_number)


def _shops(bag: MoneyBag | None) -> Decimal | None:
    return None if bag is None else bag.shop_money.amount


def _buyers(bag: MoneyBag | None) -> Decimal | None:
    return None if bag is None else bag.presentment_money.amount


def _image(media: MediaNode | None) -> str | None:
    return web_address(media.preview.image.url) if media and media.preview and media.preview.image else None
