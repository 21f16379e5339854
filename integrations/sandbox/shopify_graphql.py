"""
The pretend Shopify's GraphQL Admin API: answers each root field of a query with more than was asked.

Selections are not evaluated: every object comes with all the fields it has here, every connection with nodes, edges and pageInfo.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from integrations.sandbox.shopify_objects import Json, connection, order_object, product_object, shop_object
from integrations.sandbox.shopify_query import root_fields
from integrations.sandbox.shopify_shop import Shop

_SCOPES = {"orders": "read_orders", "order": "read_orders", "products": "read_products", "product": "read_products"}
COST = {"throttleStatus": {"maximumAvailable": 2000.0, "currentlyAvailable": 1990, "restoreRate": 100.0}}
THROTTLED: Json = {
    "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED", "documentation": "https://shopify.dev/api/usage/rate-limits"}}],
    "extensions": {
        "cost": {
            "requestedQueryCost": 110,
            "actualQueryCost": None,
            "throttleStatus": {"maximumAvailable": 2000.0, "currentlyAvailable": 60, "restoreRate": 100.0},
        }
    },
}


def answer(shop: Shop, scopes: tuple[str, ...], query: str, variables: Mapping[str, Any]) -> Json:
    """The answer's JSON. Unknown root fields and missing scopes become `errors`, as Shopify words them."""
    fields = root_fields(query, variables)
    cost = {"requestedQueryCost": 12, "actualQueryCost": 10, **COST}
    data: Json = {}
    errors: list[Json] = []
    for field in fields:
        needed = _SCOPES.get(field.name)
        if field.name not in _ROOTS:
            code = {"code": "undefinedField", "typeName": "QueryRoot", "fieldName": field.name}
            message = f"Field '{field.name}' doesn't exist on type 'QueryRoot'"
            return {"errors": [{"message": message, "path": ["query", field.name], "extensions": code}]}
        if needed and needed not in scopes:
            denied = {"code": "ACCESS_DENIED", "requiredAccess": f"`{needed}` access scope."}
            errors.append({"message": f"Access denied for {field.name} field.", "extensions": denied, "path": [field.alias]})
            data[field.alias] = None
            continue
        data[field.alias] = _ROOTS[field.name](shop, scopes, field.arguments)
    if not fields:
        return {"errors": [{"message": "syntax error, unexpected end of file", "extensions": {"code": "PARSING_ERROR"}}]}
    return {"data": data, "extensions": {"cost": cost}} | ({"errors": errors} if errors else {})


def _shop(shop: Shop, scopes: tuple[str, ...], arguments: Mapping[str, Any]) -> Json:
    return shop_object(shop)


def _installation(shop: Shop, scopes: tuple[str, ...], arguments: Mapping[str, Any]) -> Json:
    return {"id": "gid://shopify/AppInstallation/1", "accessScopes": [{"handle": scope, "description": scope} for scope in scopes]}


def _nodes(shop: Shop, scopes: tuple[str, ...], arguments: Mapping[str, Any]) -> list[Json | None]:
    return [_node(shop, scopes, {"id": gid}) for gid in arguments.get("ids") or []]


def _node(shop: Shop, scopes: tuple[str, ...], arguments: Mapping[str, Any]) -> Json | None:
    """One product or order by gid; gone, unknown or not permitted is null."""
    kind, _, number = str(arguments.get("id", "")).removeprefix("gid://shopify/").partition("/")
    key = int(number) if number.isdigit() else 0
    if kind == "Product" and key in shop.products and "read_products" in scopes:
        return product_object(shop, shop.products[key])
    if kind == "Order" and key in shop.orders and "read_orders" in scopes:
        return order_object(shop, shop.orders[key])
    return None


def _products(shop: Shop, scopes: tuple[str, ...], arguments: Mapping[str, Any]) -> Json:
    return connection([product_object(shop, product) for product in shop.products.values()], arguments)


def _orders(shop: Shop, scopes: tuple[str, ...], arguments: Mapping[str, Any]) -> Json:
    """Orders by update time; understands `updated_at` comparisons, `checkout_token:` and `cart_token:` in `query`."""
    orders = sorted(shop.orders.values(), key=lambda order: (order.updated_at, order.id))
    query = str(arguments.get("query") or "")
    for sign, moment in re.findall(r"updated_at:\s*(>=|<=|>|<)\s*['\"]?([0-9T:.Z+-]+)", query):
        at = datetime.fromisoformat(moment)
        bound = at if at.tzinfo else at.replace(tzinfo=UTC)
        orders = [order for order in orders if _compares(order.updated_at.replace(microsecond=0), sign, bound)]
    for name, token in re.findall(r"(checkout_token|cart_token):['\"]?([\w-]+)", query):
        attribute = "token" if name == "checkout_token" else "cart_token"
        orders = [order for order in orders if getattr(order.checkout, attribute) == token]
    if arguments.get("reverse"):
        orders.reverse()
    return connection([order_object(shop, order) for order in orders], arguments)


def _compares(left: datetime, sign: str, right: datetime) -> bool:
    return {">=": left >= right, "<=": left <= right, ">": left > right, "<": left < right}[sign]


_ROOTS: dict[str, Callable[[Shop, tuple[str, ...], Mapping[str, Any]], Any]] = {
    "shop": _shop,
    "currentAppInstallation": _installation,
    "nodes": _nodes,
    "node": _node,
    "product": _node,
    "order": _node,
    "products": _products,
    "orders": _orders,
}
