"""
Topics that say that something changed, but not (or not wholly) what: the API tells it.

Products: the body has at most 100 variants, no address of the page, and no word on whether shoppers can buy. Discounts: no code at
all. Stock: neither product nor variant. Only the body is signed, so each is refused if it is of another kind than its topic.
Source: shopify.dev webhooks reference 2026-07.
"""

from collections.abc import Collection
from datetime import datetime

import msgspec

from connector.canonical import CustomerMerged, Event, Removed, Resource, ScopesChanged, Stale, StockMoved
from integrations.shopify.install import expand_scopes
from integrations.shopify.payloads import DiscountBody, MergeBody, ProductBody, ScopesBody, ShopBody, StockBody, VariantBody, payload_error
from integrations.shopify.values import gid_parts, text

SHOP_ITSELF = "shop"
"""There is one shop: what is to be read again needs no id."""
_UNFINISHED = frozenset({"failed", "in_progress", "requested"})


def to_merge(body: MergeBody, at: datetime) -> list[Event]:
    """
    Map `customers/merge`. One that failed or is not done yet means nothing.

    A word for its state that we do not know: then both customers are read, and the one that is gone shows it.
    Raises: PayloadError (`missing_id`, `wrong_topic`).
    """
    kept, merged = gid_parts(body.admin_graphql_api_customer_kept_id), gid_parts(body.admin_graphql_api_customer_deleted_id)
    if kept is None or merged is None:
        raise payload_error("missing_id")
    if (kept[0], merged[0]) != ("Customer", "Customer") or kept == merged:
        raise payload_error("wrong_topic", "not two customers")
    status = (text(body.status) or "").lower()
    if status in _UNFINISHED:
        return []
    if status != "completed":
        return [Stale(Resource.CUSTOMER, kept[1], at), Stale(Resource.CUSTOMER, merged[1], at)]
    return [CustomerMerged(at, kept[1], merged[1])]


def to_stale_product(body: ProductBody | VariantBody, at: datetime) -> Stale:
    """Map `products/create|update` and `variants/in_stock|out_of_stock`. Raises: PayloadError (`missing_id`, `wrong_topic`)."""
    is_product = isinstance(body, ProductBody)
    _require_kind(body.admin_graphql_api_id, "Product" if is_product else "ProductVariant")
    product_id = text(body.id if isinstance(body, ProductBody) else body.product_id)
    if product_id is None:
        raise payload_error("missing_id")
    if isinstance(body, ProductBody) and body.variants is msgspec.UNSET and body.admin_graphql_api_id is None:
        raise payload_error("wrong_topic", "not a product")
    return Stale(Resource.PRODUCT, product_id, at)


def to_stock(body: StockBody, at: datetime) -> StockMoved:
    """Map `inventory_levels/update`. Raises: PayloadError (`missing_id`: the documented sample was empty until 2026-04)."""
    item = text(body.inventory_item_id)
    if item is None:
        raise payload_error("missing_id")
    return StockMoved(item, at)


def to_discount(body: DiscountBody, at: datetime, *, is_removal: bool = False, is_of_code: bool = False) -> list[Event]:
    """
    Map `discounts/*` and `discounts/redeemcode_*` (`is_of_code`). Automatic discounts have no codes: nothing.

    Raises: PayloadError (`missing_id`, `wrong_topic`).
    """
    if is_of_code != (body.redeem_code is not msgspec.UNSET) or is_removal != (body.deleted_at is not None):
        raise payload_error("wrong_topic", "another kind of news of a discount")
    named = gid_parts(body.admin_graphql_api_id)
    if named is None:
        raise payload_error("missing_id")
    kind, number = named
    if kind == "DiscountAutomaticNode":
        return []
    if kind not in ("DiscountCodeNode", "DiscountNode"):
        raise payload_error("wrong_topic", "not a discount")
    if is_removal:
        return [Removed(Resource.DISCOUNT_CODE, at, number)]
    return [Stale(Resource.DISCOUNT_CODE, number, at)]


def to_scopes(body: ScopesBody, wanted: Collection[str], at: datetime) -> ScopesChanged:
    """Map `app/scopes_update`; `wanted`: the scopes we ask for. Raises: PayloadError (`wrong_topic`)."""
    if body.current is None or body.previous is msgspec.UNSET:
        raise payload_error("wrong_topic", "no scopes")
    granted = expand_scopes(scope for raw in body.current if (scope := text(raw)))
    missing = set(wanted) - granted
    return ScopesChanged(tuple(sorted(granted)), tuple(sorted(missing)), at)


def to_stale_shop(body: ShopBody, at: datetime) -> Stale:
    """Map `shop/update`. Raises: PayloadError (`wrong_topic`)."""
    check_shop(body)
    return Stale(Resource.SHOP, SHOP_ITSELF, at)


def check_shop(body: ShopBody) -> None:
    """
    Refuse what is not the shop resource, so that no other captured body can pass for an uninstall.

    The documented sample has null in most fields, so the presence of a key is what counts. Raises: PayloadError.
    """
    if all(value is msgspec.UNSET for value in msgspec.structs.astuple(body)):
        raise payload_error("wrong_topic", "not the shop resource")


def _require_kind(gid: str | None, kind: str) -> None:
    named = gid_parts(gid)
    if gid is not None and (named is None or named[0] != kind):
        raise payload_error("wrong_topic", "the record is of another kind")
