"""
A Shopify store of any size, made of one order and one customer: bulk operations with their files, and pages paid from a bucket.

Records are stamped out of bytes made once. Costs are reckoned as the pretend Shopify does, on the real schema. It has orders and
customers, and neither products, checkouts nor codes.
"""

import itertools
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from graphql import DocumentNode, OperationDefinitionNode, get_operation_ast
from graphql.execution.values import get_variable_values

from integrations.sandbox.shopify_cost import Bucket, actual_cost, requested_cost
from integrations.sandbox.shopify_schema import admin_schema, read_document

DOMAIN, FILE_HOST = "sync-bench.myshopify.com", "files.sync-bench.example.com"
GRAPHQL, FILES = "/admin/api/2026-10/graphql.json", "/files/"
BEGIN, STEP = datetime(2026, 10, 1, tzinfo=UTC), timedelta(seconds=10)
FIRST, LINES = 5_000_000, 3
LOOKS = 2
"""An operation is done when it is looked at so often."""
Json = dict[str, Any]
Stamp = Callable[[int], bytes]
_ROOT = re.compile(r"(?:query|mutation)\b[^{]*\{\s*(?:\w+\s*:\s*)?(\w+)")
_SINCE = re.compile(r"updated_at:>=?'?\"?(\d{4}-\d\d-\d\d(?:T[\d:.]+)?)")


class ShopifyShop:
    """The store's answers. `orders` is how many of them there are; customers are as many."""

    def __init__(self, orders: int, maximum: float = 2000.0, per_second: float = 100.0) -> None:
        self._orders = orders
        self._bucket = Bucket(maximum, per_second)
        self._numbers = itertools.count(1)
        self._operations: dict[str, tuple[str, int]] = {}
        self._log: list[tuple[float, float, float, float]] = []

    def answer(self, asked: Mapping[str, Any]) -> bytes:
        """One GraphQL request."""
        query, variables = str(asked["query"]), dict(asked.get("variables") or {})
        document, operation, coerced = _read(query, json.dumps(variables, sort_keys=True))
        cost = requested_cost(admin_schema(), document, operation, coerced)
        if not self._bucket.take(cost):
            throttled = [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]
            return json.dumps({"errors": throttled, "extensions": self._cost(cost, None)}).encode()
        data = self._data(query, variables)
        spent = actual_cost(admin_schema(), document, operation, coerced, data)
        self._bucket.give_back(cost - spent)
        self._log.append((time.monotonic(), float(spent), self._bucket.available, float(cost)))
        return json.dumps({"data": data, "extensions": self._cost(cost, spent)}).encode()

    def file(self, name: str, size: int) -> Iterator[bytes]:
        """A file of an operation, in pieces of about so many bytes: every record, and lines far from their orders."""
        kind = name.partition("-")[0]
        stamps = [_bulk_order, *_bulk_lines] if kind == "orders" else [_node_of("customer")]
        lines, length = [], 0
        for stamp in stamps:
            for place in range(self._orders):
                lines.append(stamp(place))
                length += len(lines[-1]) + 1
                if length >= size:
                    yield b"\n".join(lines) + b"\n"
                    lines, length = [], 0
        if lines:
            yield b"\n".join(lines) + b"\n"

    def bucket_log(self) -> Json:
        """When each call was answered, what it cost, what was left then, what had to be there; how many were refused, and the refill."""
        return {"calls": self._log, "throttled": self._bucket.throttled, "per_second": self._bucket.per_second}

    def _cost(self, requested: float, actual: float | None) -> Json:
        return {"cost": {"requestedQueryCost": requested, "actualQueryCost": actual, "throttleStatus": self._bucket.status()}}

    def _data(self, query: str, variables: Mapping[str, Any]) -> Json:
        found = _ROOT.search(query)
        root = found[1] if found else ""
        if root.endswith("Count"):
            count = self._orders if root in ("ordersCount", "customersCount") and _is_old(variables) else 0
            return {"found": {"count": count, "precision": "EXACT"}}
        if root == "bulkOperationRunQuery":
            return {root: {"bulkOperation": self._begin(str(variables["query"])), "userErrors": []}}
        if root == "bulkOperation":
            return {root: self._look(str(variables["id"]))}
        return {root: self._page(root, variables)}

    def _begin(self, text: str) -> Json:
        gid = f"gid://shopify/BulkOperation/{next(self._numbers)}"
        found = _ROOT.search(text)
        self._operations[gid] = (found[1] if found else "", 0)
        return {"id": gid, "status": "CREATED"}

    def _look(self, gid: str) -> Json | None:
        if gid not in self._operations:
            return None
        kind, looks = self._operations[gid]
        self._operations[gid] = (kind, looks + 1)
        objects = self._orders * {"orders": 1 + LINES, "customers": 1}.get(kind, 0)
        if looks + 1 < LOOKS:
            return {"id": gid, "status": "RUNNING", "errorCode": None, "objectCount": "0", "url": None}
        url = f"https://{FILE_HOST}{FILES}{kind}-{gid.rpartition('/')[2]}" if objects else None
        return {"id": gid, "status": "COMPLETED", "errorCode": None, "objectCount": str(objects), "url": url}

    def _page(self, root: str, variables: Mapping[str, Any]) -> Json:
        """One page of orders or customers; nothing of anything else, nor of what changed lately."""
        begin, count = int(variables.get("after") or 0), int(variables.get("first", 0))
        places = range(begin, min(begin + count, self._orders)) if root in ("orders", "customers") and _is_old(variables) else range(0)
        nodes = [json.loads(_node_of(root[:-1])(place)) for place in places]
        for place, node in zip(places, nodes, strict=True):
            if root == "orders":
                lines = [json.loads(stamp(place)) for stamp in _bulk_lines]
                node["lineItems"] = {"nodes": lines, "pageInfo": {"hasNextPage": False, "endCursor": None}}
        end = begin + len(places)
        return {"nodes": nodes, "pageInfo": {"hasNextPage": 0 < end < self._orders and bool(places), "endCursor": str(end)}}


def modified_at(place: int) -> datetime:
    """When the record at this place changed last."""
    return BEGIN + place * STEP


def _is_old(variables: Mapping[str, Any]) -> bool:
    """Whether a search is for more than the time after the last change."""
    since = _SINCE.search(str(variables.get("query") or ""))
    return since is None or datetime.fromisoformat(since[1].rstrip(".")).replace(tzinfo=UTC) < BEGIN


@cache
def _read(query: str, variables: str) -> tuple[DocumentNode, OperationDefinitionNode, Json]:
    document, wrong = read_document(query)
    operation = get_operation_ast(document, None)
    assert operation is not None
    assert not wrong, wrong
    coerced = get_variable_values(admin_schema(), operation.variable_definitions or (), json.loads(variables))
    assert not isinstance(coerced, list), coerced
    return document, operation, coerced


def _stamp(body: Mapping[str, Any]) -> Stamp:
    form = json.dumps(body, separators=(",", ":")).encode()
    return lambda place: form % {b"id": FIRST + place, b"n": place, b"at": f"{modified_at(place):%Y-%m-%dT%H:%M:%SZ}".encode()}


@cache
def _node_of(kind: str) -> Stamp:
    return _stamp(_ORDER if kind == "order" else _CUSTOMER)


def _bulk_order(place: int) -> bytes:
    return _node_of("order")(place)


def _money(amount: str) -> Json:
    return {"shopMoney": {"amount": amount}}


_PLACE = {"firstName": "Camille", "lastName": "Martin %(n)d", "company": None, "phone": None, "countryCodeV2": "FR"}
_PERSON = {
    "id": "gid://shopify/Customer/%(id)d",
    "firstName": "Camille",
    "lastName": "Martin %(n)d",
    "locale": "fr",
    "defaultEmailAddress": {"emailAddress": "buyer.%(n)d@example.com"},
    "defaultPhoneNumber": {"phoneNumber": "+336%(n)08d"},
    "defaultAddress": _PLACE,
}
_CUSTOMER = _PERSON | {
    "createdAt": "%(at)b",
    "updatedAt": "%(at)b",
    "defaultEmailAddress": {"emailAddress": "buyer.%(n)d@example.com", "marketingState": "SUBSCRIBED", "marketingUpdatedAt": "%(at)b"},
    "defaultPhoneNumber": {"phoneNumber": "+336%(n)08d", "smsMarketingConsent": None, "whatsAppMarketingConsent": None},
}
_ORDER = {
    "id": "gid://shopify/Order/%(id)d",
    "name": "#%(id)d",
    **dict.fromkeys(("createdAt", "updatedAt", "processedAt"), "%(at)b"),
    "cancelledAt": None,
    "test": False,
    "checkoutToken": "%(id)032d",
    "cartToken": "c1-%(id)029d",
    "email": "buyer.%(n)d@example.com",
    "currencyCode": "EUR",
    "customerLocale": "fr-FR",
    "displayFinancialStatus": "PAID",
    "taxesIncluded": True,
    "discountCodes": ["WELCOME10"],
    "totalPriceSet": _money("53.73"),
    "subtotalPriceSet": _money("53.73"),
    "totalDiscountsSet": _money("5.97"),
    "totalTaxSet": _money("8.96"),
    "totalRefundedSet": _money("0.0"),
    "transactions": [{"kind": "SALE", "status": "SUCCESS", "processedAt": "%(at)b"}],
    "disputes": [],
    "customer": _PERSON,
    "shippingAddress": _PLACE,
    "billingAddress": _PLACE,
}
_bulk_lines = [
    _stamp(
        {
            "id": f"gid://shopify/LineItem/%(id)d{position}",
            "title": f"Bougie no {position}",
            "variantTitle": None,
            "sku": f"BOUGIE-{position}",
            "quantity": 1,
            "originalUnitPriceSet": _money("19.90"),
            "product": {"id": f"gid://shopify/Product/88{position}"},
            "variant": {"id": f"gid://shopify/ProductVariant/99{position}"},
            "__parentId": "gid://shopify/Order/%(id)d",
        }
    )
    for position in range(LINES)
]
