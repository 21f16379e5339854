"""Recorded and documented Shopify bodies; they are not part of this repository (RECORDED_DIR names where they are)."""

import json
import os
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest

from connector.canonical import (
    Checkout,
    ConsentChanged,
    ConsentState,
    Customer,
    DataRequested,
    Event,
    Order,
    PaymentState,
    PersonRedacted,
    Phone,
    Removed,
    Resource,
    ScopesChanged,
    ShopRedacted,
    Stage,
    Stale,
    StockMoved,
    Uninstalled,
)
from connector.config import Settings
from connector.platforms import (
    Access,
    AccessLost,
    BadSignature,
    DeliveryContext,
    InstallRefused,
    NotPermitted,
    Rejected,
    ThrottledError,
)
from integrations.shopify.adapter import ShopifyPlatform
from integrations.shopify.client import Client
from integrations.shopify.events import COMPLIANCE_TOPICS, TOPICS, parse
from integrations.shopify.oauth import exchange_code
from integrations.shopify.profile import read_shop
from integrations.shopify.signature import verify_query, verify_webhook
from integrations.transport import Transport

ROOT = os.environ.get("RECORDED_DIR")
RECORDED = Path(ROOT or "unset") / "shopify"
pytestmark = pytest.mark.skipif(ROOT is None, reason="RECORDED_DIR is not set")
AT = datetime(2026, 11, 21, tzinfo=UTC)
ACCESS = Access(1, "example-shop.myshopify.com", {"access_token": "shpat_made_up"})
INDEX = json.loads((RECORDED / "index.json").read_bytes()) if ROOT else []
BODIES = [entry for entry in INDEX if entry["kind"] == "webhook body"]
KNOWN = [entry for entry in BODIES if entry["topic"] in TOPICS]
BUYER_PHONE = Phone("90909 09090", "+919090909090")


def load(name: str) -> Any:
    return json.loads((RECORDED / name).read_bytes())


def events(name: str, topic: str) -> list[Event]:
    return parse(DeliveryContext(topic, AT, None), (RECORDED / name).read_bytes())


def platform(status: int, body: object) -> ShopifyPlatform:
    return ShopifyPlatform(Transport(inner=httpx2.MockTransport(lambda _: httpx2.Response(status, json=body))), Settings())


MEANINGS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("checkouts", "carts"), Checkout),
    **dict.fromkeys(("customers_email_marketing_consent", "customers_marketing_consent"), (ConsentChanged, Stale)),
    **dict.fromkeys(("products", "discounts"), Stale),
    "orders": Order,
    "customers": Customer,
    "inventory_levels": StockMoved,
}
OF_TOPIC: dict[str, type | tuple[type, ...]] = {
    "app/uninstalled": Uninstalled,
    "app/scopes_update": ScopesChanged,
    "customers/data_request": DataRequested,
    "customers/redact": PersonRedacted,
    "shop/redact": ShopRedacted,
}


@pytest.mark.parametrize("entry", KNOWN, ids=lambda entry: entry["file"])
def test_every_recorded_body_of_a_known_topic_means_something(entry: dict[str, str]) -> None:
    topic = entry["topic"]
    found = events(entry["file"], topic)
    if b"DiscountAutomaticNode" in (RECORDED / entry["file"]).read_bytes():
        assert found == [], "an automatic discount has no code"
        return
    expected = OF_TOPIC.get(topic) or (Removed if topic.endswith("/delete") else MEANINGS[topic.split("/")[0]])
    assert isinstance(found[0], expected)
    assert all(isinstance(event, Customer) for event in found[1:])


def test_the_recorded_set_holds_every_family_of_topics() -> None:
    families = {entry["topic"].split("/")[0] for entry in KNOWN}
    assert families >= {*MEANINGS, "app"}
    assert {entry["topic"] for entry in BODIES} >= COMPLIANCE_TOPICS


def test_the_documented_consents_and_hints() -> None:
    assert events("webhook.customers_marketing_consent_update.doc.json", "customers_marketing_consent/update") == [
        Stale(Resource.CUSTOMER, "706405506930370084", AT)
    ]
    (consent,) = events("webhook.customers_email_marketing_consent_update.doc.json", "customers_email_marketing_consent/update")
    assert isinstance(consent, ConsentChanged)
    assert (consent.address, consent.consent.state) == ("bob@biller.com", ConsentState.UNKNOWN)
    assert events("webhook.products_update.doc.json", "products/update") == [Stale(Resource.PRODUCT, "788032119674292922", AT)]
    assert events("webhook.discounts_redeemcode_added.doc.json", "discounts/redeemcode_added") == [Stale(Resource.DISCOUNT_CODE, "1", AT)]
    assert events("webhook.inventory_levels_update.doc.json", "inventory_levels/update") == [StockMoved("271878346596884015", AT)]


def test_signed_examples_verify_and_no_other_body_does() -> None:
    examples = load("webhook.signed_examples.json")["examples"]
    assert examples
    for example in examples:
        headers = {name.lower().encode(): value.encode() for name, value in example["headers"].items()}
        body = (RECORDED / example["body_file"]).read_bytes()
        meta = verify_webhook(headers, body, [b"newer", example["secret"].encode()])
        assert (meta.topic, meta.shop_ref) == (example["headers"]["X-Shopify-Topic"], "example-shop.myshopify.com")
        assert meta.triggered_at == datetime(2026, 11, 21, 10, 15, 30, 877041, tzinfo=UTC)
        with pytest.raises(BadSignature):
            verify_webhook(headers, body.rstrip(b"\n"), [example["secret"].encode()])


def test_the_query_vector_verifies() -> None:
    vector = load("hmac.query_example.json")
    pairs = [tuple(part.split("=", 1)) for part in vector["query"].split("&")]
    assert verify_query(pairs, [vector["secret"].encode()]) is vector["valid"]  # type: ignore[arg-type]


def test_the_real_checkout_of_2023() -> None:
    (found,) = events("webhook.checkouts_create.real_2023.json", "checkouts/create")
    assert isinstance(found, Checkout)
    assert (found.token, found.email, found.total, found.currency) == ("3d58ad45d661cd34d882fda5c68a36b8", None, Decimal("32.70"), "INR")
    assert found.created_at == datetime(2023, 9, 22, 12, 13, 51, tzinfo=UTC)
    assert found.source_version == datetime(2023, 9, 22, 12, 13, 59, tzinfo=UTC)
    assert (found.lines[0].title, found.lines[0].product_id, found.lines[0].sku) == ("Adania Pant", "7907558064277", None)


@pytest.mark.spec("AC-62")
def test_the_completed_checkout_takes_the_phone_of_the_default_address() -> None:
    found, person = events("webhook.checkouts_update.derived_completed.json", "checkouts/update")
    assert isinstance(found, Checkout)
    assert isinstance(person, Customer)
    assert found.phone == person.phone == found.checkout_phone == BUYER_PHONE
    assert found.completed_at == datetime(2023, 9, 22, 12, 14, 43, tzinfo=UTC)
    assert (found.first_name, found.last_name, found.shipping_method, found.total) == (None, "Buyer", "Standard", Decimal("30.00"))


def test_the_paid_order_names_its_checkout_and_code() -> None:
    found, _ = events("webhook.orders_paid.derived_with_code.json", "orders/paid")
    assert isinstance(found, Order)
    assert (found.checkout_token, found.discount_codes) == ("3d58ad45d661cd34d882fda5c68a36b8", ("THANKS-7Q2K",))
    assert (found.total, found.payment_state, found.is_test) == (Decimal("27.00"), PaymentState.PAID, True)
    assert found.placed_at < found.created_at


def test_the_documented_checkout_repeats_a_line_key_and_dates_no_customer() -> None:
    (found,) = events("webhook.checkouts_create.doc.json", "checkouts/create")
    assert isinstance(found, Checkout)
    assert [line.key for line in found.lines] == ["139cb5712fb4c8d9957dcfad9a3028da", "139cb5712fb4c8d9957dcfad9a3028da#2"]
    assert (found.customer_id, found.first_name, found.phone) == ("603851970716743426", "John", Phone("123-123-1234"))
    assert (found.checkout_phone, found.total) == (Phone("555-555-SHIP"), Decimal("421.88"))


def test_the_documented_cart_and_removals() -> None:
    (cart,) = events("webhook.carts_update.doc.json", "carts/update")
    assert isinstance(cart, Checkout)
    assert (cart.stage, cart.total, cart.currency) == (Stage.CART, Decimal("59.97"), "USD")
    assert events("webhook.checkouts_delete.doc.json", "checkouts/delete") == [
        Removed(Resource.CHECKOUT, AT, cart_token="eeafa272cebfd4b22385bc4b645e762c")
    ]
    assert events("webhook.app_uninstalled.doc.json", "app/uninstalled") == [Uninstalled(AT)]


def test_the_listed_products_and_orders() -> None:
    products = load("graphql.products.json")
    products["data"] = {"nodes": products["data"]["products"]["nodes"]}
    for variant in products["data"]["nodes"][0]["variants"]["nodes"]:
        variant["media"] = {"nodes": []}  # the recorded question did not ask for it, ours does
    (product,) = platform(200, products).read_products(ACCESS, ["788032119674292922"])
    assert (product.title, product.category, product.variants[0].price) == ("Example T-Shirt", "Shirts", Decimal("19.99"))
    orders = load("graphql.orders_by_token.json")
    last = {"hasNextPage": False, "endCursor": None}  # nor for pages and lines
    orders["data"]["orders"]["pageInfo"] = last
    orders["data"]["orders"]["nodes"][0]["lineItems"] = {"nodes": [], "pageInfo": last}
    (order,) = platform(200, orders).read_orders_since(ACCESS, datetime(2026, 1, 1, tzinfo=UTC))
    assert (order.total, order.customer_id, order.payment_state) == (Decimal("40.66"), "706405506930370084", PaymentState.PAID)


def test_the_shop_and_its_scopes() -> None:
    transport = Transport(inner=httpx2.MockTransport(lambda _: httpx2.Response(200, json=load("graphql.shop_and_scopes.json"))))
    profile, scopes = read_shop(Client(transport), ACCESS)
    assert (profile.name, profile.currency, profile.timezone, profile.platform_shop_id) == (
        "Example Shop",
        "USD",
        "America/New_York",
        "548380009",
    )
    assert "write_discounts" in scopes


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("graphql.error.throttled.json", ThrottledError),
        ("graphql.error.max_cost.json", Rejected),
        ("http.401_invalid_token.json", AccessLost),
        ("http.403_missing_scope.json", NotPermitted),
        ("http.403_non_expiring_token.json", AccessLost),
    ],
)
def test_recorded_failures_are_classed(name: str, kind: type[Exception]) -> None:
    recorded = load(name)
    with pytest.raises(kind):
        platform(recorded.get("status", 200), recorded.get("json", recorded)).read_products(ACCESS, ["1"])


def test_the_recorded_code_exchange() -> None:
    exchange = load("oauth.code_exchange.expiring.json")
    sent: list[Any] = []

    def store(request: httpx2.Request) -> httpx2.Response:
        sent.append({"method": request.method, "path": request.url.path, "json": json.loads(request.content)})
        return httpx2.Response(200, json=exchange["response"]["json"])

    asked = exchange["request"]["json"]
    found = exchange_code(
        Transport(inner=httpx2.MockTransport(store)), ACCESS.domain, asked["client_id"], asked["client_secret"], asked["code"]
    )
    assert sent == [exchange["request"]]
    assert (found.refresh_token, found.expires_in) == ("shprt_EXAMPLE_REFRESH_1", 3600)


def test_a_recorded_refusal_of_a_code() -> None:
    refusal = load("oauth.error.invalid_grant.json")["response"]
    transport = Transport(inner=httpx2.MockTransport(lambda _: httpx2.Response(refusal["status"], json=refusal["json"])))
    with pytest.raises(InstallRefused):
        exchange_code(transport, ACCESS.domain, "id", "secret", "code")
