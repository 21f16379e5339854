"""Our payload files, changed and read: what the Shopify mapping tests share."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connector.canonical import Checkout, Customer, Event, Order
from connector.platforms import DeliveryContext, PayloadError
from integrations.shopify.events import parse

PAYLOADS = Path(__file__).parent.parent / "payloads" / "shopify"
AT = datetime(2026, 11, 21, 10, 15, 30, tzinfo=UTC)
ANNA = "checkouts_update__customer_repeated_line_keys"


def body_of(name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_bytes(), parse_float=Decimal)
    return body


def read(topic: str, body: object, country: str | None = "FR") -> list[Event]:
    raw = body if isinstance(body, bytes) else json.dumps(body, default=str).encode()
    return parse(DeliveryContext(topic, AT, country), raw)


def checkout(change: Callable[[dict[str, Any]], object] | None = None, name: str = ANNA, country: str | None = "FR") -> Checkout:
    body = body_of(name)
    if change:
        change(body)
    found = read("checkouts/update", body, country)[0]
    assert isinstance(found, Checkout)
    return found


def order(change: Callable[[dict[str, Any]], object] | None = None, name: str = "orders_paid__with_code") -> Order:
    body = body_of(name)
    if change:
        change(body)
    found = read("orders/paid", body)[0]
    assert isinstance(found, Order)
    return found


def customer(name: str, topic: str = "customers/update") -> Customer:
    found = read(topic, body_of(name))[0]
    assert isinstance(found, Customer)
    return found


def reason(topic: str, body: object) -> str:
    with pytest.raises(PayloadError) as caught:
        read(topic, body)
    return caught.value.reason
