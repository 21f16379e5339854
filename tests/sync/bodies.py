"""Webhook bodies as the platforms send them: our payload files with the fields of a story filled in."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

WOO_DOMAIN = "boutique.test"
PAYLOADS = Path(__file__).resolve().parents[1] / "payloads"
Lines = Sequence[tuple[int, int]]
"""(variant, quantity)"""


@cache
def _text(platform: str, name: str) -> str:
    return (PAYLOADS / platform / f"{name}.json").read_text(encoding="utf-8")


def template(platform: str, name: str) -> Any:
    """A fresh copy of a payload file."""
    return json.loads(_text(platform, name))


def dump(body: Any) -> bytes:
    """The bytes of a body."""
    return json.dumps(body, ensure_ascii=False).encode()


def zulu(instant: datetime) -> str:
    """Shopify's spelling."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def gmt(instant: datetime) -> str:
    """WooCommerce's spelling: UTC without a zone."""
    return instant.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat()


def shopify_checkout(
    token: str,
    updated_at: datetime,
    *,
    created_at: datetime | None = None,
    email: str | None = None,
    lines: Lines = ((101, 1),),
    customer: Mapping[str, Any] | None = None,
    **changes: Any,
) -> bytes:
    """`checkouts/create` and `checkouts/update`."""
    body = template("shopify", "checkouts_update__guest_email_typed")
    line = body["line_items"][0]
    body |= {
        "token": token,
        "cart_token": None,
        "email": email,
        "buyer_accepts_marketing": False,
        "created_at": zulu(created_at or updated_at),
        "updated_at": zulu(updated_at),
        "abandoned_checkout_url": f"https://demo.example/recover/{token}",
        "line_items": [line | {"key": f"{v}", "variant_id": v, "product_id": v * 10, "quantity": n} for v, n in lines],
        "customer": customer,
    }
    return dump(body | changes)


def shopify_customer(number: int, updated_at: datetime, **changes: Any) -> dict[str, Any]:
    """A customer: the body of `customers/update`, or a part of checkouts and orders."""
    body: dict[str, Any] = template("shopify", "customers_update__phone_on_default_address")
    body |= {"id": number, "admin_graphql_api_id": f"gid://shopify/Customer/{number}", "updated_at": zulu(updated_at)}
    return body | changes


def shopify_order(
    number: int,
    updated_at: datetime,
    *,
    placed_at: datetime | None = None,
    checkout_token: str | None = None,
    email: str | None = None,
    customer: Mapping[str, Any] | None = None,
    **changes: Any,
) -> bytes:
    """`orders/create`, `orders/updated`, `orders/paid`."""
    body = template("shopify", "orders_create__pending_bank_deposit")
    placed = zulu(placed_at or updated_at)
    body |= {
        "id": number,
        "admin_graphql_api_id": f"gid://shopify/Order/{number}",
        "name": f"#{number}",
        "updated_at": zulu(updated_at),
        "created_at": placed,
        "processed_at": placed,
        "checkout_token": checkout_token,
        "cart_token": None,
        "email": email,
        "contact_email": email,
        "customer": customer,
    }
    return dump(body | changes)


def shopify_cart(token: str, updated_at: datetime, *, quantity: int = 1) -> bytes:
    """`carts/create` and `carts/update`; a quantity of 0 empties it."""
    body = template("shopify", "carts_create__two_lines")
    line = body["line_items"][0] | {"quantity": quantity}
    body |= {"id": token, "token": token, "created_at": zulu(updated_at), "updated_at": zulu(updated_at)}
    return dump(body | {"line_items": [line] if quantity else []})


def shopify_checkout_removed(cart_token: str) -> bytes:
    """`checkouts/delete`."""
    return dump(template("shopify", "checkouts_delete__by_cart_token") | {"cart_token": cart_token})


def shopify_removed(number: int) -> bytes:
    """`orders/delete` and `customers/delete`."""
    return dump({"id": number})


def woo_order(
    number: int,
    status: str,
    modified_at: datetime,
    *,
    created_at: datetime | None = None,
    email: str = "",
    phone: str = "",
    quantity: int = 2,
    paid_at: datetime | None = None,
    **changes: Any,
) -> bytes:
    """`order.created` and `order.updated`: an order in any status, drafts included."""
    body = template("woocommerce", "order_updated__draft_contact_typed")
    body["line_items"][0]["quantity"] = quantity
    body["billing"] |= {"email": email, "phone": phone}
    body["shipping"] |= {"phone": ""}
    body |= {
        "id": number,
        "number": str(number),
        "status": status,
        "date_created_gmt": gmt(created_at or modified_at),
        "date_modified_gmt": gmt(modified_at),
        "date_paid_gmt": gmt(paid_at) if paid_at else None,
        "coupon_lines": [],
        "_links": {"self": [{"href": f"https://{WOO_DOMAIN}/wp-json/wc/v3/orders/{number}"}]},
    }
    return dump(body | changes)


def woo_cart(
    token: str,
    seq: int,
    updated_at: datetime,
    *,
    created_at: datetime | None = None,
    email: str = "",
    status: str = "open",
    **changes: Any,
) -> bytes:
    """`action.wc_connector_cart`: a snapshot by the companion plugin."""
    body = template("woocommerce", "action_wc_connector_cart__guest_with_consents")
    body |= {
        "token": token,
        "seq": seq,
        "event_id": f"{token}-{seq}",
        "status": status,
        "email": email,
        "phone": "",
        "consents": [],
        "home": f"https://{WOO_DOMAIN}",
        "created_at": f"{gmt(created_at or updated_at)}Z",
        "updated_at": f"{gmt(updated_at)}Z",
    }
    return dump(body | changes)
