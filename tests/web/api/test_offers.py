"""Offers for programs: how they stand, what they did, and what an order earned, in exact and stable shapes."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from starlette.testclient import TestClient

from connector.canonical import PaymentState
from connector.rules.permissions import Scope
from connector.web.composition import Composition
from tests.conftest import TestShop
from tests.factories import EMAIL
from tests.sync.offer_desk import OfferDesk
from tests.web.api.conftest import Calls, error_of, make_key
from tests.web.conftest import run, scalar, shop_public_id

NOBODYS = "ofr_0198c5f2-0000-7000-8000-000000000000"


@pytest.fixture
def desk(parts: Composition, shopify_shop: TestShop) -> OfferDesk:
    """The shop's merchant makes offers."""
    return OfferDesk(parts.services, shopify_shop.id)


@pytest.fixture
def base(parts: Composition, shopify_shop: TestShop) -> str:
    """The address of all that is about the shop."""
    return f"/api/v1/shops/{shop_public_id(parts, shopify_shop)}"


def iso(value: Any) -> str:
    """An instant as the API writes it."""
    return str(value.isoformat().replace("+00:00", "Z"))


def test_an_offer_is_told_exactly(call: Calls, desk: OfferDesk, base: str) -> None:
    ends_at = desk.now + timedelta(days=40)
    desk.hold_code(ends_at=ends_at)
    name = desk.publish(minimum_order=Decimal("20.5"), body="Come back.")
    desk.buy(total=Decimal("40.00"))
    row = desk.offer(name)
    today = call(f"{base}/offers/{name}").json()["numbers"]
    expected: dict[str, Any] = {
        "id": name,
        "shop_id": base.rpartition("/")[2],
        "name": "Thanks",
        "state": "active",
        "reason": None,
        "detail": None,
        "is_given": True,
        "version": 1,
        "terms": {"mode": "shared", "code": "MERCI10", "kind": "percentage", "value": "10", "currency": None, "minimum_subtotal": None},
        "created_at": iso(row.created_at),
        "state_at": iso(row.state_at),
        "activated_at": iso(row.activated_at),
        "ends_at": iso(ends_at),
        "stops_at": None,
        "numbers": {"since": today["since"], "until": today["until"], "recipients": 1, "orders": 0, "sales": [], "net": []},
    }
    assert call(f"{base}/offers").json() == {"offers": [expected]}
    detail = call(f"{base}/offers/{name}").json()
    events = detail.pop("events")
    assert detail == expected | {
        "headline": "Thank you",
        "text": "Come back.",
        "minimum_order": {"amount": "20.50", "currency": "EUR"},
        "grants": {"live": 1},
    }
    assert [(event["action"], event["state"], event["version"]) for event in events] == [
        ("published", "active", 1),
        ("created", "draft", 1),
    ]


def test_its_numbers_are_orders_with_its_code_and_money_is_exact(call: Calls, desk: OfferDesk, base: str) -> None:
    desk.hold_code()
    name = desk.publish()
    desk.buy()
    desk.later(minutes=1)
    desk.buy("bob@example.org", discount_codes=["merci10"], total=Decimal("12.30"))
    refunded = desk.buy("eva@example.org", discount_codes=["MERCI10"], total=Decimal("7.70"))
    desk.change_order(refunded, payment_state=PaymentState.REFUNDED, refunded_total=Decimal("7.70"))
    numbers = call(f"{base}/offers/{name}").json()["numbers"]
    assert (numbers["recipients"], numbers["orders"]) == (3, 2)
    assert numbers["sales"] == [{"amount": "20.00", "currency": "EUR"}]
    assert numbers["net"] == [{"amount": "12.30", "currency": "EUR"}]


def test_a_suspended_offer_says_why_and_an_end_that_is_near_is_told(call: Calls, desk: OfferDesk, base: str) -> None:
    ends_at = desk.now + timedelta(days=2)
    desk.hold_code(ends_at=ends_at)
    name = desk.publish()
    assert call(f"{base}/offers/{name}").json()["stops_at"] == iso(ends_at)
    desk.drop_code()
    told = call(f"{base}/offers/{name}").json()
    assert (told["state"], told["is_given"]) == ("active", False), "not written down yet, and not given any more"
    desk.tend()
    told = call(f"{base}/offers/{name}").json()
    assert (told["state"], told["reason"], told["is_given"], told["stops_at"]) == ("suspended", "code_deleted", False, None)
    assert told["events"][0]["reason"] == "code_deleted"


def test_what_an_order_earned_is_told_with_its_link(call: Calls, client: TestClient, desk: OfferDesk, base: str) -> None:
    desk.hold_code()
    name = desk.publish()
    order = desk.buy()
    grant = desk.grant(order)
    told = call(f"{base}/orders/{order.platform_id}/grant").json()
    assert told["decision"]["reason"] == "granted"
    assert told["grant"] == {
        "id": grant.public_id,
        "offer_id": name,
        "version": 1,
        "state": "live",
        "reason": None,
        "hidden": None,
        "code": "MERCI10",
        "link_url": f"https://connector.test/o/{grant.link_token}",
        "granted_at": iso(grant.granted_at),
        "ends_at": None,
        "opened_at": None,
        "used_at": None,
    }
    page = client.get(told["grant"]["link_url"].removeprefix("https://connector.test"))
    assert (page.status_code, "MERCI10" in page.text) == (200, True)


def test_why_an_order_earned_nothing_is_told(call: Calls, desk: OfferDesk, base: str) -> None:
    desk.hold_code()
    desk.publish()
    desk.buy()
    holder, waiting = desk.buy(), desk.buy("bob@example.org", payment_state=PaymentState.PENDING, paid_at=None)
    told = call(f"{base}/orders/{holder.platform_id}/grant").json()
    assert (told["order_id"], told["decision"]["reason"], told["grant"]) == (holder.platform_id, "holds_unused_offer", None)
    assert call(f"{base}/orders/{waiting.platform_id}/grant").json() == {"order_id": waiting.platform_id, "decision": None, "grant": None}


def test_no_answer_names_a_person(call: Calls, desk: OfferDesk, base: str) -> None:
    desk.hold_code()
    name = desk.publish()
    order = desk.buy(first_name="Anna")
    for path in (f"{base}/offers", f"{base}/offers/{name}", f"{base}/orders/{order.platform_id}/grant"):
        text = call(path).text
        assert EMAIL not in text
        assert "Anna" not in text


def test_a_deleted_offer_is_not_there(call: Calls, desk: OfferDesk, base: str) -> None:
    desk.hold_code()
    name = desk.publish()
    desk.act(name, "delete")
    assert call(f"{base}/offers").json() == {"offers": []}
    assert error_of(call(f"{base}/offers/{name}")) == (404, "not_found")


@pytest.mark.spec("SEC-180", "SEC-184")
def test_what_is_anothers_is_not_there(call: Calls, parts: Composition, desk: OfferDesk, base: str, woo_shop: TestShop) -> None:
    desk.hold_code()
    mine = desk.publish()
    other = OfferDesk(parts.services, woo_shop.id, numbers=70)
    other.hold_code("SECRET20")
    foreign = other.publish(code="SECRET20", name="Secret")
    order = other.buy()
    theirs = f"/api/v1/shops/{shop_public_id(parts, woo_shop)}"
    answers = [
        call(f"{theirs}/offers"),
        call(f"{theirs}/offers/{foreign}"),
        call(f"{theirs}/offers/{mine}"),
        call(f"{theirs}/orders/{order.platform_id}/grant"),
        call(f"{base}/offers/{foreign}"),
        call(f"{base}/offers/{NOBODYS}"),
        call(f"{base}/offers/1"),
        call(f"{base}/orders/{order.platform_id}/grant"),
        call(f"{base}/orders/%00/grant"),
        call(f"{base}/orders/{'9' * 500}/grant"),
        call("/api/v1/shops/1/offers"),
        call(f"/api/v1/shops/{NOBODYS}/offers"),
    ]
    for answer in answers:
        assert error_of(answer) == (404, "not_found")
    assert len({answer.text for answer in answers}) == 1, "nobody can tell what is another's from what is not there"
    assert [one["id"] for one in call(f"{base}/offers").json()["offers"]] == [mine]


def test_a_key_needs_the_scope_of_offers(
    client: TestClient, parts: Composition, shopify_shop: TestShop, desk: OfferDesk, base: str
) -> None:
    paths = (f"{base}/offers", f"{base}/offers/{NOBODYS}", f"{base}/orders/1/grant")
    other = {"authorization": f"Bearer {make_key(parts, shopify_shop, Scope.SHOPS_READ, Scope.CHECKOUTS_READ)}"}
    for path in paths:
        assert error_of(client.get(path)) == (401, "unauthorized")
        answer = client.get(path, headers=other)
        assert error_of(answer) == (403, "forbidden")
        assert "offers:read" in answer.text
    only = {"authorization": f"Bearer {make_key(parts, shopify_shop, Scope.OFFERS_READ)}"}
    assert client.get(f"{base}/offers", headers=only).json() == {"offers": []}
    assert error_of(client.get("/api/v1/shops", headers=only)) == (403, "forbidden")


def test_nothing_can_be_changed(client: TestClient, parts: Composition, shopify_shop: TestShop, desk: OfferDesk, base: str) -> None:
    desk.hold_code()
    name = desk.publish()
    headers = {"authorization": f"Bearer {make_key(parts, shopify_shop)}"}
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        for path in (f"{base}/offers", f"{base}/offers/{name}"):
            assert error_of(client.request(method, path, headers=headers)) == (404, "not_found")
    assert scalar(parts, "select state from offers") == "active"


def test_a_fault_of_ours_tells_nothing(call: Calls, parts: Composition, desk: OfferDesk, base: str) -> None:
    desk.hold_code()
    desk.publish()
    run(parts, "alter table offer_versions rename column headline to gone")
    try:
        answer = call(f"{base}/offers")
    finally:
        run(parts, "alter table offer_versions rename column gone to headline")
    assert error_of(answer) == (500, "broken")
    for word in ("headline", "offer_versions", "psycopg"):
        assert word not in answer.text
