"""A pretend GraphQL endpoint and the answers it gives."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx2

from connector.config import Settings
from connector.platforms import Access
from integrations.shopify.adapter import ShopifyPlatform
from integrations.transport import Transport

ACCESS = Access(7, "atelier-brume.myshopify.com", {"access_token": "shpat_made_up"})
SINCE = datetime(2026, 11, 20, 12, 0, 30, tzinfo=UTC)
IMAGE = "https://cdn.shopify.com/s/files/1/0712/files/bougie.jpg?v=1"
VARIANT_IMAGE = "https://cdn.shopify.com/s/files/1/0712/files/bougie-g.jpg?v=2"


class Shop:
    """A pretend GraphQL endpoint: answers in order, remembers what it was asked."""

    def __init__(self, *answers: object) -> None:
        self.asked: list[dict[str, Any]] = []
        self.requests: list[httpx2.Request] = []
        self._answers: Iterator[object] = iter(answers)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        self.asked.append(json.loads(request.content))
        answer = next(self._answers)
        return answer if isinstance(answer, httpx2.Response) else httpx2.Response(200, json=answer)

    @property
    def platform(self) -> ShopifyPlatform:
        """An adapter that asks here."""
        return ShopifyPlatform(Transport(inner=httpx2.MockTransport(self)), Settings())


def media(url: str | None) -> dict[str, Any]:
    """A picture."""
    return {"preview": {"image": {"url": url}}}


def variant(number: int, url: str | None = None, price: str = "32.00") -> dict[str, Any]:
    """A variant."""
    nodes = [media(url)] if url else []
    gid = f"gid://shopify/ProductVariant/{number}"
    return {"id": gid, "title": "Grande", "sku": "BOUG-CED-G", "price": price, "media": {"nodes": nodes}}


def page(nodes: list[Any], cursor: str | None = None) -> dict[str, Any]:
    """A page of nodes; with a cursor there are more."""
    return {"pageInfo": {"hasNextPage": cursor is not None, "endCursor": cursor}, "nodes": nodes}


def product(number: int = 101, **changes: Any) -> dict[str, Any]:
    """A product."""
    node = {
        "id": f"gid://shopify/Product/{number}",
        "title": "Bougie Cèdre",
        "productType": "Bougies",
        "description": "Cire végétale, mèche en bois.",
        "onlineStoreUrl": "https://atelier-brume.example/products/bougie-cedre",
        "updatedAt": "2026-11-19T08:00:00Z",
        "featuredMedia": media(IMAGE),
        "variants": page([variant(201, VARIANT_IMAGE), variant(202)]),
    }
    return node | changes


def nodes(*found: object, **extra: Any) -> dict[str, Any]:
    """An answer with these products."""
    return {"data": {"nodes": list(found)}, **extra}


def bag(amount: str) -> dict[str, Any]:
    """An amount."""
    return {"shopMoney": {"amount": amount}}


def line(number: int, quantity: int = 1, price: str = "32.0") -> dict[str, Any]:
    """A line of an order."""
    return {
        "id": f"gid://shopify/LineItem/{number}",
        "title": "Bougie Cèdre",
        "variantTitle": "Grande",
        "sku": "BOUG-CED-G",
        "quantity": quantity,
        "originalUnitPriceSet": bag(price),
        "product": {"id": "gid://shopify/Product/101"},
        "variant": {"id": "gid://shopify/ProductVariant/201"},
    }


def order(number: int = 6210000000001, **changes: Any) -> dict[str, Any]:
    """An order."""
    node = {
        "id": f"gid://shopify/Order/{number}",
        "name": "#1042",
        "createdAt": "2026-11-20T16:51:08Z",
        "updatedAt": "2026-11-20T16:51:10Z",
        "processedAt": "2026-11-20T16:51:06Z",
        "cancelledAt": None,
        "test": False,
        "checkoutToken": "9f2c61d07be34d5a8c1e0f73b6a4d219",
        "cartToken": "c1-4b7d2f90ae6c41b3857de0192f6a3c58",
        "email": "Anna.Petit@example.org",
        "currencyCode": "EUR",
        "customerLocale": "fr-FR",
        "displayFinancialStatus": "PARTIALLY_PAID",
        "taxesIncluded": True,
        "discountCodes": ["MERCI-7Q2K", ""],
        "totalPriceSet": bag("63.5"),
        "subtotalPriceSet": bag("57.6"),
        "totalDiscountsSet": bag("6.4"),
        "totalTaxSet": None,
        "customer": {
            "id": "gid://shopify/Customer/7340000000011",
            "firstName": "Anna",
            "lastName": "Petit",
            "defaultEmailAddress": {"emailAddress": "anna.petit@example.org"},
            "defaultPhoneNumber": None,
            "defaultAddress": {"firstName": "Anna", "lastName": "Petit", "phone": "06 45 67 89 01", "countryCodeV2": "FR"},
        },
        "shippingAddress": {"firstName": "Léo", "lastName": "Petit", "countryCodeV2": "BE"},
        "billingAddress": None,
        "lineItems": page([line(1, 2)]),
    }
    return node | changes


def orders(*found: object, cursor: str | None = None, **extra: Any) -> dict[str, Any]:
    """An answer with these orders."""
    return {"data": {"orders": page(list(found), cursor)}, **extra}


def error(code: str, **extra: Any) -> dict[str, Any]:
    """An answer that is an error."""
    return {"errors": [{"message": f"it is\n {code.lower()}", "extensions": {"code": code}}], **extra}
