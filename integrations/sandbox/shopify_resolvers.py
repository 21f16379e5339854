"""What the pretend Shopify answers under the root of a query: the shop, orders, checkouts, customers, products, and anything by id."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from integrations.sandbox.shopify_call import GraphCall, Resolver, needs
from integrations.sandbox.shopify_discounts import DISCOUNT_ROOTS, code_node, discount_node, import_object
from integrations.sandbox.shopify_objects import gid, inventory_object, number_of, paged, product_object, shop_object, variant_object
from integrations.sandbox.shopify_operations import OPERATION_ROOTS, operation_object, subscription_object
from integrations.sandbox.shopify_purchases import ORDERS, abandoned_object, abandonment_object, customer_object, is_listed, order_object
from integrations.sandbox.shopify_search import Json, Listing, WholeDays, count
from integrations.sandbox.shopify_shop import SHOP_ID, Checkout, Customer, Product, Shop, Variant

CHECKOUTS: Listing[Checkout] = Listing(
    {
        "id": lambda one: one.number,
        "created_at": lambda one: one.created_at,
        "updated_at": lambda one: one.updated_at,
        "email_state": lambda one: "not_sent",
        "recovery_state": lambda one: "recovered" if one.completed_at else "not_recovered",
        "status": lambda one: "closed" if one.completed_at else "open",
    },
    {"CREATED_AT": lambda one: one.created_at, "TOTAL_PRICE": lambda one: float(one.subtotal)},
    lambda one: one.number,
    lambda one: f"#{one.number} {one.number}",
)
CUSTOMERS: Listing[Customer] = Listing(
    {
        "id": lambda one: one.id,
        "customer_date": lambda one: one.created_at,
        "email": lambda one: one.shopper.email,
        "first_name": lambda one: one.shopper.first_name,
        "last_name": lambda one: one.shopper.last_name,
        "phone": lambda one: one.shopper.phone,
        "state": lambda one: "DISABLED",
        "updated_at": lambda one: WholeDays(one.updated_at),
        "accepts_marketing": lambda one: one.email_marketing is not None and one.email_marketing.state == "subscribed",
    },
    {"CREATED_AT": lambda one: one.created_at, "UPDATED_AT": lambda one: one.updated_at},
    lambda one: one.id,
    lambda one: f"{one.shopper.first_name or ''} {one.shopper.last_name or ''} {one.shopper.email}",
)
PRODUCTS: Listing[Product] = Listing(
    {
        "id": lambda one: one.id,
        "created_at": lambda one: one.created_at,
        "updated_at": lambda one: one.updated_at,
        "handle": lambda one: one.handle,
        "title": lambda one: one.title,
        "product_type": lambda one: one.kind,
        "sku": lambda one: [variant.sku for variant in one.variants],
        "status": lambda one: "active",
        "published_status": lambda one: "published" if one.is_published else "unpublished",
    },
    {"CREATED_AT": lambda one: one.created_at, "UPDATED_AT": lambda one: one.updated_at, "TITLE": lambda one: one.title},
    lambda one: one.id,
    lambda one: f"{one.title} {one.kind} {one.handle}",
)
VARIANTS: Listing[tuple[Product, Variant]] = Listing(
    {
        "id": lambda one: one[1].id,
        "product_id": lambda one: one[0].id,
        "product_ids": lambda one: str(one[0].id),
        "sku": lambda one: one[1].sku,
        "title": lambda one: one[1].title,
        "updated_at": lambda one: one[0].updated_at,
    },
    {"TITLE": lambda one: one[1].title, "SKU": lambda one: one[1].sku},
    lambda one: one[1].id,
    lambda one: f"{one[0].title} {one[1].title} {one[1].sku}",
)
Everything = Callable[[Shop], list[Any]]


def _orders(shop: Shop) -> list[Any]:
    return list(shop.orders.values())


def _checkouts(shop: Shop) -> list[Any]:
    return [one for one in shop.checkouts.values() if is_listed(one)]


def _customers(shop: Shop) -> list[Any]:
    return list(shop.customers.values())


def _products(shop: Shop) -> list[Any]:
    return list(shop.products.values())


def _variants(shop: Shop) -> list[Any]:
    return [(product, variant) for product in shop.products.values() for variant in product.variants]


def _connection(everything: Everything, listing: Listing[Any], to_object: Callable[[Shop, Any], Json]) -> Resolver:
    """A list of the root: searched, sorted, by pages."""

    def resolve(source: Any, info: Any, **asked: Any) -> Json:
        call: GraphCall = info.context
        found = call.search.select(listing, everything(call.shop), asked.get("query"))
        return paged(info, found, listing, asked, lambda one: to_object(call.shop, one))

    return resolve


def _counted(everything: Everything, listing: Listing[Any]) -> Resolver:
    def resolve(source: Any, info: Any, limit: int | None = None, query: str | None = None, **_: Any) -> Json:
        return count(len(info.context.search.select(listing, everything(info.context.shop), query)), limit)

    return resolve


def _by_id(find: Callable[[Shop, str], Json | None]) -> Resolver:
    return lambda source, info, id: find(info.context.shop, id)


def order_of(shop: Shop, key: str) -> Json | None:
    """An order by its global id."""
    found = shop.orders.get(number_of(key, "Order"))
    return order_object(shop, found) if found else None


def customer_of(shop: Shop, key: str) -> Json | None:
    """A customer by its global id."""
    found = shop.customers.get(number_of(key, "Customer"))
    return customer_object(shop, found) if found else None


def product_of(shop: Shop, key: str) -> Json | None:
    """A product by its global id."""
    found = shop.products.get(number_of(key, "Product"))
    return product_object(shop, found) if found else None


def variant_of(shop: Shop, key: str) -> Json | None:
    """A variant by its global id."""
    number = number_of(key, "ProductVariant")
    return next((variant_object(shop, product, one) for product, one in _variants(shop) if one.id == number), None)


def inventory_of(shop: Shop, key: str) -> Json | None:
    """An inventory item by its global id."""
    number = number_of(key, "InventoryItem")
    return next((inventory_object(shop, product, one) for product, one in _variants(shop) if one.inventory_item_id == number), None)


def checkout_of(shop: Shop, key: str) -> Json | None:
    """An abandoned checkout by its global id."""
    found = _listed(shop, key, "AbandonedCheckout")
    return abandoned_object(shop, found) if found else None


def abandonment_of(shop: Shop, key: str) -> Json | None:
    """What is known of an abandonment, by its own id or its checkout's."""
    found = _listed(shop, key, "AbandonedCheckout", "Abandonment")
    return abandonment_object(shop, found) if found else None


def _listed(shop: Shop, key: str, *kinds: str) -> Checkout | None:
    number = number_of(key, *kinds)
    return next((one for one in shop.checkouts.values() if one.number == number and is_listed(one)), None)


_NODES: Mapping[str, tuple[str, Callable[[Shop, str], Json | None]]] = {
    "AbandonedCheckout": ("read_orders", checkout_of),
    "Abandonment": ("read_orders", abandonment_of),
    "BulkOperation": ("", operation_object),
    "Customer": ("read_customers", customer_of),
    "DiscountCodeNode": ("read_discounts", code_node),
    "DiscountNode": ("read_discounts", discount_node),
    "DiscountRedeemCodeBulkCreation": ("read_discounts", import_object),
    "InventoryItem": ("read_inventory", inventory_of),
    "Order": ("read_orders", order_of),
    "Product": ("read_products", product_of),
    "ProductVariant": ("read_products", variant_of),
    "Shop": ("", lambda shop, key: {"__typename": "Shop", **shop_object(shop)} if number_of(key, "Shop") == SHOP_ID else None),
    "WebhookSubscription": ("", subscription_object),
}


def _node(source: Any, info: Any, id: str) -> Json | None:
    """Any one record; gone, unknown, not permitted or withheld is null."""
    call: GraphCall = info.context
    number_of(id)
    kind = id.removeprefix("gid://shopify/").partition("/")[0]
    scope, find = _NODES.get(kind, ("", lambda shop, key: None))
    if (scope and not call.may(scope)) or (kind == "Customer" and "customer" in call.shop.withheld):
        return None
    found: Json | None = find(call.shop, id)
    return found


def _nodes(source: Any, info: Any, ids: list[str]) -> list[Json | None]:
    return [_node(source, info, one) for one in ids]


def _installation(source: Any, info: Any) -> Json:
    scopes = [{"handle": scope, "description": scope.replace("_", " ").capitalize()} for scope in info.context.scopes]
    own = {"id": gid("AppInstallation", 1), "launchUrl": "https://app.example", "uninstallUrl": None}
    return {**own, "accessScopes": scopes}


def _online_store(source: Any, info: Any) -> Json:
    return {"passwordProtection": {"enabled": info.context.shop.has_password}}


def _lists() -> Iterator[tuple[str, Resolver]]:
    kinds: Mapping[str, tuple[str, Everything, Listing[Any], Callable[[Shop, Any], Json]]] = {
        "orders": ("read_orders", _orders, ORDERS, order_object),
        "abandonedCheckouts": ("read_orders", _checkouts, CHECKOUTS, abandoned_object),
        "customers": ("read_customers", _customers, CUSTOMERS, customer_object),
        "products": ("read_products", _products, PRODUCTS, product_object),
        "productVariants": ("read_products", _variants, VARIANTS, lambda shop, one: variant_object(shop, *one)),
    }
    for name, (scope, everything, listing, to_object) in kinds.items():
        yield name, needs(scope, _connection(everything, listing, to_object))
        yield f"{name}Count", needs(scope, _counted(everything, listing))


ROOTS: Mapping[str, Resolver] = {
    "shop": lambda source, info: shop_object(info.context.shop),
    "currentAppInstallation": _installation,
    "node": _node,
    "nodes": _nodes,
    "onlineStore": _online_store,
    "order": needs("read_orders", _by_id(order_of)),
    "customer": needs("read_customers", _by_id(customer_of)),
    "product": needs("read_products", _by_id(product_of)),
    "productVariant": needs("read_products", _by_id(variant_of)),
    "inventoryItem": needs("read_inventory", _by_id(inventory_of)),
    "abandonmentByAbandonedCheckoutId": needs(
        "read_orders",
        lambda source, info, abandonedCheckoutId: abandonment_of(info.context.shop, abandonedCheckoutId),  # noqa: N803
    ),
    **dict(_lists()),
    **DISCOUNT_ROOTS,
    **OPERATION_ROOTS,
}
