"""Webhook bodies of the pretend Shopify, in the shape of version 2026-04 and later: keys, text prices, mixed time offsets."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from integrations.sandbox.shopify_shop import (
    CENT,
    DOMAIN,
    SHOP_ID,
    TAX_RATE,
    Address,
    Checkout,
    Customer,
    Line,
    Order,
    Refund,
    Shop,
)

Body = dict[str, Any]


def cart_body(shop: Shop, checkout: Checkout) -> Body:
    """`carts/create` and `carts/update`: lines without contact data; times in UTC with milliseconds."""
    return {
        "id": checkout.cart_token,
        "token": checkout.cart_token,
        "line_items": [_cart_line(shop, line) for line in checkout.lines],
        "note": None,
        "updated_at": _utc_millis(checkout.updated_at),
        "created_at": _utc_millis(checkout.created_at),
    }


def checkout_body(shop: Shop, checkout: Checkout) -> Body:
    """
    `checkouts/create` and `checkouts/update`.

    No `id`; `shipping_address` is an empty list until one is typed; no customer for guests; `created_at` in UTC,
    the other times in the shop's offset.
    """
    body: Body = {
        "token": checkout.token,
        "cart_token": checkout.cart_token,
        "email": checkout.email,
        "gateway": checkout.gateway,
        "buyer_accepts_marketing": checkout.accepts_marketing,
        "buyer_accepts_sms_marketing": False,
        "sms_marketing_phone": None,
        "created_at": checkout.created_at.astimezone(UTC).isoformat(timespec="seconds"),
        "updated_at": shop_time(shop, checkout.updated_at),
        "landing_site": "/",
        "note": "",
        "note_attributes": [],
        "referring_site": "",
        "shipping_lines": [_checkout_shipping()] if checkout.address else [],
        "shipping_address": _address(checkout.address) if checkout.address else [],
        "taxes_included": False,
        "total_weight": 0,
        "currency": shop.currency,
        "completed_at": shop_time(shop, checkout.completed_at),
        "phone": checkout.phone,
        "customer_locale": "en",
        "line_items": [_checkout_line(shop, checkout, line) for line in checkout.lines],
        "name": f"#{checkout.number}",
        "abandoned_checkout_url": shop.recovery_url(checkout),
    }
    body |= _checkout_amounts(shop, checkout)
    body |= dict.fromkeys(("device_id", "user_id", "location_id", "source_identifier", "source_url", "source", "closed_at"))
    if checkout.completed_at and checkout.address:
        body["billing_address"] = _address(checkout.address)
    if checkout.customer is not None:
        body["customer"] = _customer(shop, checkout.customer)
    return body


def order_body(shop: Shop, order: Order) -> Body:
    """`orders/create`, `orders/paid`, `orders/updated`, `orders/cancelled`: all times in the shop's offset."""
    checkout = order.checkout
    body: Body = {
        "id": order.id,
        "admin_graphql_api_id": f"gid://shopify/Order/{order.id}",
        "buyer_accepts_marketing": checkout.accepts_marketing,
        "cancel_reason": "customer" if order.cancelled_at else None,
        "cancelled_at": shop_time(shop, order.cancelled_at),
        "cart_token": checkout.cart_token,
        "checkout_token": checkout.token,
        "contact_email": checkout.email,
        "created_at": shop_time(shop, order.created_at),
        "currency": shop.currency,
        "email": checkout.email or "",
        "financial_status": order.financial_status,
        "name": f"#{order.number}",
        "number": order.number - 1000,
        "order_number": order.number,
        "order_status_url": f"https://{DOMAIN}/{SHOP_ID}/orders/{order.id}/authenticate?key={checkout.key}",
        "payment_gateway_names": [order.gateway],
        "phone": checkout.phone,
        "presentment_currency": shop.currency,
        "processed_at": shop_time(shop, order.created_at),
        "token": f"{order.id:032x}",
        "total_outstanding": "0.00" if order.financial_status == "paid" else text(checkout.subtotal + checkout.tax),
        "updated_at": shop_time(shop, order.updated_at),
        "billing_address": _address(order.address),
        "shipping_address": _address(order.address),
        "line_items": [_order_line(shop, line) for line in checkout.lines],
        "shipping_lines": [_order_shipping(shop, order)],
    }
    body |= _order_amounts(shop, checkout) | _ordinary_order() | {"test": order.is_test, "discount_codes": _discount_codes(checkout)}
    body["refunds"] = [_refund(shop, order, one) for one in order.refunds]
    if checkout.customer is not None:
        body["customer"] = _customer(shop, checkout.customer)
    return body


def customer_body(shop: Shop, customer: Customer) -> Body:
    """`customers/create` and `customers/update`: no consent, tags or totals since 2025-01."""
    return _customer(shop, customer) | {"addresses": [_default_address(customer)] if customer.shopper.address else []}


def shop_body(shop: Shop) -> Body:
    """`app/uninstalled` and `shop/update`: the shop resource; the domain keys are null as in Shopify's own sample."""
    body: Body = {
        "id": SHOP_ID,
        "name": shop.name,
        "email": shop.email,
        "customer_email": shop.contact_email,
        "domain": None,
        "myshopify_domain": None,
        "country": "US",
        "country_code": "US",
        "country_name": "United States",
        "currency": shop.currency,
        "iana_timezone": shop.timezone,
        "primary_locale": "en",
        "plan_name": "basic",
        "password_enabled": shop.has_password,
        "taxes_included": False,
    }
    return body


def text(amount: Decimal) -> str:
    """A price as Shopify writes it: decimal text with two places."""
    return str(amount.quantize(CENT))


def shop_time(shop: Shop, at: datetime | None) -> str | None:
    """ISO 8601 in whole seconds with the shop's offset; None stays None."""
    return at.astimezone(ZoneInfo(shop.timezone)).isoformat(timespec="seconds") if at else None


def _utc_millis(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _money(shop: Shop, amount: Decimal) -> Body:
    side = {"amount": text(amount), "currency_code": shop.currency}
    return {"shop_money": side, "presentment_money": dict(side)}


def _refund(shop: Shop, order: Order, refund: Refund) -> Body:
    at = shop_time(shop, refund.at)
    moved: Body = {"id": refund.id + 1, "order_id": order.id, "kind": "refund", "status": "success", "gateway": order.gateway}
    moved |= {"amount": text(refund.amount), "currency": shop.currency, "created_at": at, "processed_at": at, "test": order.is_test}
    lists: Body = {key: [] for key in ("duties", "order_adjustments", "refund_line_items", "refund_shipping_lines")}
    own = {"id": refund.id, "order_id": order.id, "created_at": at, "processed_at": at, "note": None, "restock": False, "user_id": None}
    return own | lists | {"admin_graphql_api_id": f"gid://shopify/Refund/{refund.id}", "transactions": [moved]}


def _cart_line(shop: Shop, line: Line) -> Body:
    price, total = line.unit_price, line.total
    return {
        "id": line.variant.id,
        "properties": None,
        "quantity": line.quantity,
        "variant_id": line.variant.id,
        "key": f"{line.variant.id}:{line.id:032x}",
        "discounted_price": text(price),
        "discounts": [],
        "gift_card": False,
        "grams": 0,
        "line_price": text(total),
        "original_line_price": text(total),
        "original_price": text(price),
        "price": text(price),
        "product_id": line.product.id,
        "sku": line.variant.sku,
        "taxable": True,
        "title": f"{line.product.title} - {line.variant.title}",
        "total_discount": "0.00",
        "vendor": shop.name,
        "discounted_price_set": _money(shop, price),
        "line_price_set": _money(shop, total),
        "original_line_price_set": _money(shop, total),
        "price_set": _money(shop, price),
        "total_discount_set": _money(shop, Decimal(0)),
        "parent_relationship": None,
    }


def _checkout_line(shop: Shop, checkout: Checkout, line: Line) -> Body:
    title = _variant_title(line)
    tax = {"price": text(line.total * TAX_RATE), "rate": float(TAX_RATE), "title": "State tax", "position": 1, "source": "Shopify"}
    body: Body = {
        "key": str(line.variant.id),
        "fulfillment_service": "manual",
        "gift_card": False,
        "grams": 0,
        "presentment_title": line.product.title,
        "presentment_variant_title": title or "",
        "product_id": line.product.id,
        "quantity": line.quantity,
        "requires_shipping": True,
        "sku": line.variant.sku,
        "tax_lines": [tax] if checkout.is_taxed else [],
        "taxable": True,
        "title": line.product.title,
        "variant_id": line.variant.id,
        "variant_title": title or "",
        "variant_price": text(line.unit_price),
        "vendor": shop.name,
        "line_price": text(line.total),
        "price": text(line.unit_price),
        "properties": {},
        "applied_discounts": [],
        "discount_allocations": [],
        "unit_price_measurement": dict.fromkeys(("measured_type", "quantity_value", "quantity_unit", "reference_value", "reference_unit")),
    }
    return body | dict.fromkeys(("compare_at_price", "destination_location_id", "user_id", "rank", "origin_location_id"))


def _order_line(shop: Shop, line: Line) -> Body:
    title = _variant_title(line)
    return {
        "id": line.id,
        "admin_graphql_api_id": f"gid://shopify/LineItem/{line.id}",
        "current_quantity": line.quantity,
        "fulfillable_quantity": line.quantity,
        "fulfillment_service": "manual",
        "fulfillment_status": None,
        "gift_card": False,
        "grams": 0,
        "name": f"{line.product.title} - {title}" if title else line.product.title,
        "price": text(line.unit_price),
        "price_set": _money(shop, line.unit_price),
        "product_exists": True,
        "product_id": line.product.id,
        "properties": [],
        "quantity": line.quantity,
        "requires_shipping": True,
        "sku": line.variant.sku,
        "taxable": True,
        "title": line.product.title,
        "total_discount": "0.00",
        "total_discount_set": _money(shop, Decimal(0)),
        "variant_id": line.variant.id,
        "variant_inventory_management": "shopify",
        "variant_title": title,
        "vendor": shop.name,
        "tax_lines": [],
        "duties": [],
        "discount_allocations": [],
        "attributed_staffs": [],
        "sales_line_item_group_id": None,
    }


def _checkout_amounts(shop: Shop, checkout: Checkout) -> Body:
    return {
        "discount_codes": _discount_codes(checkout),
        "tax_lines": [{"price": text(checkout.tax), "rate": float(TAX_RATE), "title": "State tax"}] if checkout.is_taxed else [],
        "presentment_currency": shop.currency,
        "source_name": "web",
        "total_line_items_price": text(checkout.subtotal + checkout.discount),
        "total_tax": text(checkout.tax),
        "total_discounts": text(checkout.discount),
        "subtotal_price": text(checkout.subtotal),
        "total_price": text(checkout.subtotal + checkout.tax),
        "total_duties": "0.00",
        "reservation_token": None,
    }


def _order_amounts(shop: Shop, checkout: Checkout) -> Body:
    total = checkout.subtotal + checkout.tax
    amounts = {"subtotal_price": checkout.subtotal, "total_discounts": checkout.discount, "total_price": total, "total_tax": checkout.tax}
    body: Body = {}
    for name, amount in amounts.items():
        for key in (name, f"current_{name}"):
            body |= {key: text(amount), f"{key}_set": _money(shop, amount)}
    goods = checkout.subtotal + checkout.discount
    body |= {"total_line_items_price": text(goods), "total_line_items_price_set": _money(shop, goods)}
    return body | {"total_shipping_price_set": _money(shop, Decimal(0)), "current_shipping_price_set": _money(shop, Decimal(0))}


def _ordinary_order() -> Body:
    """What is the same in every order of this shop."""
    body: Body = {
        "app_id": 580111,
        "browser_ip": "192.0.2.10",
        "confirmed": True,
        "customer_locale": "en",
        "estimated_taxes": False,
        "landing_site": "/",
        "referring_site": "",
        "source_name": "web",
        "tags": "",
        "tax_exempt": False,
        "taxes_included": False,
        "total_tip_received": "0.00",
        "total_weight": 0,
    }
    lists = (
        "discount_applications",
        "fulfillments",
        "line_item_groups",
        "note_attributes",
        "refunds",
        "returns",
        "tax_lines",
    )
    empty = ("closed_at", "device_id", "fulfillment_status", "location_id", "note", "payment_terms", "source_url", "user_id")
    return body | {key: [] for key in lists} | dict.fromkeys(empty)


def _discount_codes(checkout: Checkout) -> list[Body]:
    if checkout.discount_code is None:
        return []
    return [{"code": checkout.discount_code, "amount": text(checkout.discount), "type": "fixed_amount"}]


def _variant_title(line: Line) -> str | None:
    return None if line.variant.title == "Default Title" else line.variant.title


def _checkout_shipping() -> Body:
    body: Body = {"code": "Standard", "price": "0.00", "source": "shopify", "title": "Standard", "presentment_title": "Standard"}
    return body | {"phone": None, "tax_lines": [], "applied_discounts": [], "carrier_identifier": None, "id": None}


def _order_shipping(shop: Shop, order: Order) -> Body:
    body: Body = {"id": order.id + 1, "code": "Standard", "title": "Standard", "source": "shopify", "phone": None, "is_removed": False}
    prices: Body = {"price": "0.00", "discounted_price": "0.00", "tax_lines": [], "discount_allocations": []}
    return body | prices | {"price_set": _money(shop, Decimal(0)), "discounted_price_set": _money(shop, Decimal(0))}


def _address(address: Address) -> Body:
    return {
        "first_name": address.first_name,
        "last_name": address.last_name,
        "name": " ".join(part for part in (address.first_name, address.last_name) if part),
        "company": address.company,
        "address1": address.address1,
        "address2": None,
        "city": address.city,
        "zip": address.zip,
        "province": address.province,
        "province_code": address.province_code,
        "country": address.country,
        "country_code": address.country_code,
        "phone": address.phone,
        "latitude": None,
        "longitude": None,
    }


def _customer(shop: Shop, customer: Customer) -> Body:
    shopper = customer.shopper
    body: Body = {
        "id": customer.id,
        "email": shopper.email,
        "created_at": shop_time(shop, customer.created_at),
        "updated_at": shop_time(shop, customer.updated_at),
        "first_name": shopper.first_name,
        "last_name": shopper.last_name,
        "state": "disabled",
        "note": customer.note,
        "verified_email": True,
        "multipass_identifier": None,
        "tax_exempt": False,
        "phone": shopper.phone,
        "currency": shop.currency,
        "tax_exemptions": [],
        "admin_graphql_api_id": f"gid://shopify/Customer/{customer.id}",
    }
    return body | {"default_address": _default_address(customer)} if shopper.address else body


def _default_address(customer: Customer) -> Body:
    if customer.shopper.address is None:
        return {}
    body = _address(customer.shopper.address)
    return body | {"id": customer.id + 1, "customer_id": customer.id, "country_name": body["country"], "default": True}
