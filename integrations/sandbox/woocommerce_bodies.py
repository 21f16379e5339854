"""
JSON of the pretend WooCommerce 10.5, in the full shape of REST v3 and of webhooks.

Times come twice, in site time and in UTC, both without a zone; prices are text with two places; `encode` writes the
bytes as PHP does (escaped slashes and non-ASCII).
"""

import hashlib
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from integrations.sandbox.woocommerce_store import (
    CENT,
    ORIGIN,
    VAT,
    Contact,
    Customer,
    Item,
    Order,
    Product,
    Store,
    Variation,
    Webhook,
)

Json = dict[str, Any]
UNTOUCHED = datetime(2026, 11, 1, 8, tzinfo=UTC)
"""When products changed last before anybody came."""
NEEDS_PAYMENT = frozenset({"checkout-draft", "pending", "failed"})
CART_META = "_connector_cart"
RIGHTS_LOST: Json = {"code": "woocommerce_rest_cannot_view", "message": "Sorry, you cannot view this resource.", "data": {"status": 403}}
PRODUCT_GONE: Json = {"code": "woocommerce_rest_product_invalid_id", "message": "Invalid ID.", "data": {"status": 404}}
CUSTOMER_GONE: Json = {"code": "wc_user_invalid_id", "message": "Invalid user ID.", "data": {"status": 404}}
ORDER_GONE: Json = {"code": "woocommerce_rest_shop_order_invalid_id", "message": "Invalid ID.", "data": {"status": 404}}
HOOKS = {
    "order.created": ["woocommerce_new_order"],
    "order.updated": ["woocommerce_update_order", "woocommerce_order_refunded"],
    "order.deleted": ["wp_trash_post", "woocommerce_trash_order"],
    "order.restored": ["untrashed_post", "woocommerce_untrash_order"],
    "customer.created": ["user_register", "woocommerce_created_customer", "woocommerce_new_customer"],
    "customer.updated": ["profile_update", "woocommerce_update_customer"],
    "customer.deleted": ["delete_user"],
    "product.created": ["woocommerce_process_product_meta", "woocommerce_new_product", "woocommerce_new_product_variation"],
    "product.updated": ["woocommerce_process_product_meta", "woocommerce_update_product", "woocommerce_update_product_variation"],
    "product.deleted": ["wp_trash_post"],
    "product.restored": ["untrashed_post"],
    "coupon.created": ["woocommerce_process_shop_coupon_meta", "woocommerce_new_coupon"],
    "coupon.updated": ["woocommerce_process_shop_coupon_meta", "woocommerce_update_coupon"],
    "coupon.deleted": ["wp_trash_post"],
    "coupon.restored": ["untrashed_post"],
}


def encode(value: Any) -> bytes:
    """Compact JSON as PHP writes it."""
    return json.dumps(value, separators=(",", ":")).replace("/", "\\/").encode("ascii")


def order_json(store: Store, order: Order) -> Json:
    """An order or draft with every key that core sends."""
    body: Json = {
        "id": order.id,
        "parent_id": 0,
        "status": order.status,
        "currency": store.currency,
        "version": store.version,
        "prices_include_tax": True,
        **_dates(store, "created", order.created_at),
        **_dates(store, "modified", order.modified_at),
        **_dates(store, "completed", order.completed_at),
        **_dates(store, "paid", order.paid_at),
        "discount_total": _text(order.discount_net),
        "discount_tax": _text(order.discount_tax),
        "shipping_total": _text(order.shipping_net),
        "shipping_tax": _text(order.shipping_tax),
        "cart_tax": _text(order.cart_tax),
        "total": _text(order.total),
        "total_tax": _text(order.cart_tax + order.shipping_tax),
        "customer_id": order.customer_id,
        "order_key": order.key,
        "billing": _address(order.contact) | {"email": order.contact.email, "phone": order.contact.phone},
        "shipping": _address(order.contact) | {"phone": order.contact.phone},
        "payment_method": order.method,
        "payment_method_title": order.method_title,
        "transaction_id": "",
        "customer_ip_address": "127.0.0.1",
        "customer_user_agent": "Mozilla/5.0",
        "created_via": order.created_via,
        "customer_note": "",
        "cart_hash": hashlib.blake2b(repr([(item.name, item.quantity) for item in order.items]).encode(), digest_size=16).hexdigest(),
        "number": str(order.id),
        "meta_data": _meta(order),
        "line_items": [_line(item) for item in order.items],
        "tax_lines": [_tax_line(order)] if order.items else [],
        "shipping_lines": [_shipping_line(order)] if order.items else [],
        "fee_lines": [],
        "coupon_lines": _coupon_lines(store, order),
        "refunds": [{"id": order.id + 9 + number, "reason": "", "total": f"-{amount}"} for number, amount in enumerate(order.refunds)],
        "payment_url": store.home + order.pay_path,
        "is_editable": order.status in {"pending", "on-hold"},
        "needs_payment": order.status in NEEDS_PAYMENT,
        "needs_processing": True,
        "currency_symbol": "€",
    }
    return body | {"_links": _links(store, "orders", order.id)}


def product_json(store: Store, product: Product) -> Json:
    """A product; a variable one names its variations and carries its lowest price."""
    choices = [variation.option for variation in product.variations]
    attribute = {"id": 0, "name": product.attribute, "slug": product.attribute, "position": 0, "visible": True, "variation": True}
    body: Json = {
        "id": product.id,
        "name": product.name,
        "slug": product.slug,
        "permalink": f"{ORIGIN}/product/{product.slug}/",
        **_dates(store, "created", datetime(2026, 10, 1, 8, tzinfo=UTC)),
        **_dates(store, "modified", product.modified_at or UNTOUCHED),
        "type": "variable" if product.variations else "simple",
        "status": product.status,
        "catalog_visibility": "visible",
        "description": f"<p>{product.description}</p>\n",
        "short_description": "",
        "sku": product.sku,
        "price": str(min((one.price for one in product.variations), default=product.price)),
        "regular_price": "" if product.variations else str(product.price),
        "sale_price": "",
        "on_sale": False,
        "purchasable": True,
        "total_sales": 12,
        "virtual": False,
        "tax_status": "taxable",
        "tax_class": "",
        **_stock(product.stock if not product.variations else None, is_out=_is_out(product)),
        "parent_id": 0,
        "categories": [{"id": 15 + product.id, "name": product.category, "slug": product.category.lower().replace(" ", "-")}],
        "images": [{"id": product.id - 1, "src": product.image_url, "name": product.slug, "alt": ""}],
        "attributes": [attribute | {"options": choices}] if choices else [],
        "variations": [variation.id for variation in product.variations],
        "has_options": bool(choices),
        **{key: [] for key in ("brands", "cross_sell_ids", "default_attributes", "downloads", "grouped_products", "meta_data", "tags")},
    }
    return body | {"_links": _links(store, "products", product.id)}


def variation_json(store: Store, product: Product, variation: Variation) -> Json:
    """A variation as its own route gives it."""
    return {
        "id": variation.id,
        "type": "variation",
        **_dates(store, "created", datetime(2026, 10, 1, 8, tzinfo=UTC)),
        **_dates(store, "modified", variation.modified_at or UNTOUCHED),
        "description": "",
        "permalink": f"{ORIGIN}/product/{product.slug}/?attribute_{product.attribute.lower()}={variation.option.replace(' ', '+')}",
        "sku": variation.sku,
        "price": str(variation.price),
        "regular_price": str(variation.price),
        "sale_price": "",
        "status": product.status,
        **_stock(variation.stock, is_out=variation.stock is not None and variation.stock <= 0),
        "image": None,
        "attributes": [{"id": 0, "name": product.attribute, "slug": product.attribute.lower(), "option": variation.option}],
        "name": variation.option,
        "parent_id": product.id,
    }


def customer_json(store: Store, customer: Customer) -> Json:
    """A registered customer."""
    contact = customer.contact
    return {
        "id": customer.id,
        **_dates(store, "created", customer.created_at),
        **_dates(store, "modified", customer.modified_at),
        "email": contact.email,
        "first_name": contact.first_name,
        "last_name": contact.last_name,
        "role": customer.role,
        "username": contact.email.partition("@")[0],
        "billing": _address(contact) | {"email": contact.email, "phone": contact.phone},
        "shipping": _address(contact) | {"phone": contact.phone},
        "is_paying_customer": False,
        "avatar_url": "",
        "meta_data": [],
        "_links": _links(store, "customers", customer.id),
    }


def webhook_json(store: Store, webhook: Webhook) -> Json:
    """A subscription; never its secret, never its failure count."""
    resource, _, event = webhook.topic.partition(".")
    return {
        "id": webhook.id,
        "name": webhook.name,
        "status": webhook.status,
        "topic": webhook.topic,
        "resource": resource,
        "event": event,
        "hooks": HOOKS.get(webhook.topic, [event]),
        "delivery_url": webhook.delivery_url,
        **_dates(store, "created", webhook.created_at),
        **_dates(store, "modified", webhook.modified_at),
        "_links": _links(store, "webhooks", webhook.id),
    }


def _meta(order: Order) -> list[Json]:
    meta = [{"id": order.id * 3, "key": "is_vat_exempt", "value": "no"}]
    return meta + ([{"id": order.id * 3 + 1, "key": CART_META, "value": order.cart_token}] if order.cart_token else [])


def _coupon_lines(store: Store, order: Order) -> list[Json]:
    """Each coupon; what all of them take off stands at the first."""
    lines: list[Json] = []
    for number, code in enumerate(order.coupons):
        coupon = store.coupons.by_code(code)
        known = {"discount_type": coupon.discount_type, "nominal_amount": float(coupon.amount)} if coupon else {}
        net, tax = (order.discount_net, order.discount_tax) if not number else (CENT * 0, CENT * 0)
        line = {"id": order.id + 5 + number, "code": code, "discount": _text(net), "discount_tax": _text(tax), "meta_data": []}
        lines.append(line | known | {"free_shipping": False})
    return lines


def _stock(left: int | None, *, is_out: bool) -> Json:
    status = "outofstock" if is_out else "instock"
    return {"manage_stock": left is not None, "stock_quantity": left, "stock_status": status}


def _is_out(product: Product) -> bool:
    """Nothing of it can be had: neither of itself nor of any variation."""
    stocks = [one.stock for one in product.variations] or [product.stock]
    return all(left is not None and left <= 0 for left in stocks)


def _dates(store: Store, name: str, at: datetime | None) -> Json:
    """`date_x` in site time and `date_x_gmt` in UTC, whole seconds, no zone."""
    if at is None:
        return {f"date_{name}": None, f"date_{name}_gmt": None}
    local, utc = at.astimezone(ZoneInfo(store.timezone)), at.astimezone(UTC)
    return {f"date_{name}": f"{local:%Y-%m-%dT%H:%M:%S}", f"date_{name}_gmt": f"{utc:%Y-%m-%dT%H:%M:%S}"}


def _text(amount: Decimal) -> str:
    return str(amount.quantize(CENT))


def _address(contact: Contact) -> Json:
    return {
        "first_name": contact.first_name,
        "last_name": contact.last_name,
        "company": "",
        "address_1": contact.address_1,
        "address_2": "",
        "city": contact.city,
        "state": "",
        "postcode": contact.postcode,
        "country": contact.country,
    }


def _line(item: Item) -> Json:
    tax = _text(item.gross - item.net)
    choice = item.variation
    meta = {"id": item.id + 1, "key": item.product.attribute.lower(), "display_key": item.product.attribute}
    return {
        "id": item.id,
        "name": item.name,
        "product_id": item.product.id,
        "variation_id": choice.id if choice else 0,
        "quantity": item.quantity,
        "tax_class": "",
        "subtotal": _text(item.net),
        "subtotal_tax": tax,
        "total": _text(item.paid_net),
        "total_tax": _text(item.paid - item.paid_net),
        "taxes": [{"id": 1, "total": _text(item.paid - item.paid_net), "subtotal": tax}],
        "meta_data": [meta | {"value": choice.option, "display_value": choice.option}] if choice else [],
        "sku": choice.sku if choice else item.product.sku,
        "global_unique_id": "",
        "price": float(round(item.paid_net / item.quantity, 7)),
        "image": {"id": str(item.product.id - 1), "src": item.product.image_url},
        "parent_name": item.product.name if choice else None,
    }


def _tax_line(order: Order) -> Json:
    return {
        "id": order.id + 1,
        "rate_code": "FR-TVA-1",
        "rate_id": 1,
        "label": "TVA",
        "compound": False,
        "tax_total": _text(order.cart_tax),
        "shipping_tax_total": _text(order.shipping_tax),
        "rate_percent": int(VAT * 100),
        "meta_data": [],
    }


def _shipping_line(order: Order) -> Json:
    return {
        "id": order.id + 2,
        "method_title": "Colissimo",
        "method_id": "flat_rate",
        "instance_id": "1",
        "total": _text(order.shipping_net),
        "total_tax": _text(order.shipping_tax),
        "taxes": [{"id": 1, "total": _text(order.shipping_tax), "subtotal": ""}],
        "tax_status": "taxable",
        "meta_data": [],
    }


def _links(store: Store, collection: str, number: int) -> Json:
    base = f"{store.home}/wp-json/wc/v3/{collection}"
    allow = {"allow": ["GET", "POST", "PUT", "PATCH", "DELETE"]}
    return {"self": [{"href": f"{base}/{number}", "targetHints": allow}], "collection": [{"href": base}]}
