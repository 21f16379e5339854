"""Webhook bodies of what a merchant or Shopify itself does: products, stock, people, permissions. Shapes as in the 2026-07 reference."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from integrations.sandbox.shopify_bodies import Body, shop_time, text
from integrations.sandbox.shopify_shop import DOMAIN, SHOP_ID, Checkout, Customer, Dispute, Marketing, Order, Product, Shop, Variant

LOCATION_ID = 24_826_418
_NAMES = frozenset({"first_name", "last_name", "name"})
_WITHHELD = {
    "email": frozenset({"email", "contact_email", "email_address"}),
    "phone": frozenset({"phone", "phone_number", "sms_marketing_phone"}),
    "address": frozenset({"shipping_address", "billing_address", "default_address", "addresses"}),
    "customer": frozenset({"customer"}),
}
_OF_PEOPLE = ("checkouts/", "orders/", "carts/", "customers/", "customers_")


def product_body(shop: Shop, product: Product) -> Body:
    """`products/create` and `products/update`."""
    return {
        "id": product.id,
        "admin_graphql_api_id": f"gid://shopify/Product/{product.id}",
        "title": product.title,
        "body_html": product.description,
        "handle": product.handle,
        "product_type": product.kind,
        "vendor": shop.name,
        "status": "active" if product.is_published else "draft",
        "published_scope": "web",
        "published_at": shop_time(shop, product.created_at) if product.is_published else None,
        "created_at": shop_time(shop, product.created_at),
        "updated_at": shop_time(shop, product.updated_at),
        "template_suffix": None,
        "tags": "",
        "variants": [variant_body(shop, product, variant) for variant in product.variants],
        "options": [],
        "images": [],
        "image": None,
        "media": [],
        "variant_gids": [
            {"admin_graphql_api_id": f"gid://shopify/ProductVariant/{variant.id}", "updated_at": _utc(product.updated_at)}
            for variant in product.variants
        ],
        "has_variants_that_requires_components": False,
        "category": None,
    }


def variant_body(shop: Shop, product: Product, variant: Variant) -> Body:
    """One variant as `products/*` list it and `variants/in_stock` and `variants/out_of_stock` tell it."""
    return {
        "id": variant.id,
        "admin_graphql_api_id": f"gid://shopify/ProductVariant/{variant.id}",
        "product_id": product.id,
        "title": variant.title,
        "price": text(variant.price),
        "compare_at_price": None,
        "sku": variant.sku,
        "barcode": None,
        "position": product.variants.index(variant) + 1,
        "inventory_policy": "continue" if variant.sells_when_empty else "deny",
        "inventory_item_id": variant.inventory_item_id,
        "inventory_quantity": variant.stock,
        "old_inventory_quantity": variant.stock,
        "taxable": True,
        "option1": variant.title,
        "option2": None,
        "option3": None,
        "image_id": None,
        "created_at": shop_time(shop, product.created_at),
        "updated_at": shop_time(shop, product.updated_at),
    }


def stock_body(shop: Shop, variant: Variant, at: datetime) -> Body:
    """`inventory_levels/update`: only the inventory item is named, not the product."""
    item = variant.inventory_item_id
    return {
        "inventory_item_id": item,
        "location_id": LOCATION_ID,
        "available": variant.stock,
        "updated_at": shop_time(shop, at),
        "admin_graphql_api_id": f"gid://shopify/InventoryLevel/{LOCATION_ID}?inventory_item_id={item}",
    }


def merge_body(kept_id: int, merged_id: int, number: int) -> Body:
    """`customers/merge`."""
    return {
        "admin_graphql_api_customer_kept_id": f"gid://shopify/Customer/{kept_id}",
        "admin_graphql_api_customer_deleted_id": f"gid://shopify/Customer/{merged_id}",
        "admin_graphql_api_job_id": f"gid://shopify/Job/{number}",
        "status": "completed",
        "errors": [],
    }


def email_consent_body(shop: Shop, customer: Customer, consent: Marketing) -> Body:
    """`customers_email_marketing_consent/update`."""
    words = {"state": consent.state, "opt_in_level": consent.level, "consent_updated_at": shop_time(shop, consent.at)}
    return {"customer_id": customer.id, "email_address": customer.shopper.email, "email_marketing_consent": words}


def sms_consent_body(shop: Shop, customer: Customer, consent: Marketing) -> Body:
    """`customers_marketing_consent/update`: the customer is called `id`."""
    words = {"state": consent.state, "opt_in_level": consent.level, "consent_updated_at": shop_time(shop, consent.at)}
    words["consent_collected_from"] = consent.source
    return {"id": customer.id, "phone": customer.shopper.phone, "sms_marketing_consent": words}


def whatsapp_consent_body(customer: Customer, consent: Marketing) -> Body:
    """`customers_whats_app_marketing_consent/update`: times in UTC."""
    words = {
        "state": consent.state.upper(),
        "opt_in_level": consent.level.upper(),
        "updated_at": _utc(consent.at),
        "collected_from": consent.source.upper(),
    }
    return {"customer_id": customer.id, "phone_number": customer.shopper.phone, "whats_app_marketing_consent": words}


def scopes_body(previous: Sequence[str], current: Sequence[str], at: datetime) -> Body:
    """`app/scopes_update`."""
    return {
        "id": 1,
        "shop_id": f"gid://shopify/Shop/{SHOP_ID}",
        "previous": list(previous),
        "current": list(current),
        "updated_at": _utc(at),
    }


def deleted_checkout_body(shop: Shop, checkout: Checkout) -> Body:
    """`checkouts/delete`: an old id and the cart token, no token."""
    return {
        "id": checkout.number,
        "presentment_currency": shop.currency,
        "buyer_accepts_sms_marketing": False,
        "sms_marketing_phone": None,
        "total_discounts": text(checkout.discount),
        "total_line_items_price": text(checkout.subtotal + checkout.discount),
        "total_price": text(checkout.subtotal + checkout.tax),
        "total_tax": text(checkout.tax),
        "subtotal_price": text(checkout.subtotal),
        "cart_token": checkout.cart_token,
        "total_duties": None,
        "reservation_token": None,
    }


def data_request_body(customer: Customer, orders: Sequence[int], number: int) -> Body:
    """`customers/data_request`."""
    person = {"id": customer.id, "email": customer.shopper.email, "phone": customer.shopper.phone}
    body: Body = {"shop_id": SHOP_ID, "shop_domain": DOMAIN, "orders_requested": list(orders), "customer": person}
    return body | {"data_request": {"id": number}}


def dispute_body(shop: Shop, order: Order, dispute: Dispute) -> Body:
    """`disputes/create` and `disputes/update`: no time of the change."""
    return {
        "id": dispute.id,
        "order_id": order.id,
        "type": dispute.kind,
        "amount": text(order.total),
        "currency": shop.currency,
        "reason": "fraudulent",
        "network_reason_code": "4837",
        "status": dispute.status,
        "evidence_due_by": shop_time(shop, dispute.at + timedelta(days=9)),
        "evidence_sent_on": None,
        "finalized_on": shop_time(shop, dispute.finalized_at),
        "initiated_at": shop_time(shop, dispute.at),
    }


def without_withheld(topic: str, body: Body, withheld: Collection[str]) -> Body:
    """The body as an app hears it that was not approved for these groups of personal data: single values null, whole records left out."""
    if not withheld or not topic.startswith(_OF_PEOPLE) or topic in {"customers/redact", "customers/data_request"}:
        return body
    return _without(body, frozenset(withheld))


def _without(body: Body, withheld: frozenset[str]) -> Body:
    left_out = {key for group in withheld & {"address", "customer"} for key in _WITHHELD[group]}
    emptied = {key for group in withheld & {"email", "phone"} for key in _WITHHELD[group]}
    # The `name` of a checkout, an order or a line is no person's: people have a last name beside it.
    if "name" in withheld and "last_name" in body:
        emptied |= _NAMES
    return {key: None if key in emptied else _inside(value, withheld) for key, value in body.items() if key not in left_out}


def _inside(value: Any, withheld: frozenset[str]) -> Any:
    if isinstance(value, list):
        return [_inside(one, withheld) for one in value]
    return _without(value, withheld) if isinstance(value, dict) else value


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
