"""The API: what a key may read, in exact and stable shapes, and errors that are JSON."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from starlette.testclient import TestClient

from connector.canonical import Phone, Stage
from connector.rules.permissions import Scope
from connector.web.api.keys import MOST_CALLS
from connector.web.api.shapes import money
from connector.web.composition import Composition
from tests.conftest import TestShop
from tests.factories import EMAIL, T0, make_line, make_order
from tests.web.api.conftest import Calls, error_of, make_key
from tests.web.conftest import Seed, abandon, run, scalar, shop_public_id, turn_on
from tests.web.signing import sign_in

SHOPS, CHECKOUTS = "/api/v1/shops", "/api/v1/checkouts"
NOBODYS = "chk_0198c5f2-0000-7000-8000-000000000000"


# ---------------------------------------------------------------- who asks


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Basic {key}",
        "{key}",
        "Bearer {key}x",
        "Bearer {key} {key}",
        "Bearer ck_" + "A" * 43,
        "Bearer é",
    ],
)
def test_without_a_good_key_nothing_is_said(client: TestClient, key: str, header: str) -> None:
    headers = [(b"authorization", header.format(key=key).encode())] if header else []
    for path in (SHOPS, CHECKOUTS, f"{CHECKOUTS}/{NOBODYS}"):
        answer = client.get(path, headers=headers)
        assert error_of(answer) == (401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_cookie_is_no_key(client: TestClient, parts: Composition, shopify_shop: TestShop) -> None:
    sign_in(client, parts, shopify_shop)
    assert client.get("/app").status_code == 200
    for path in (SHOPS, CHECKOUTS):
        assert error_of(client.get(path)) == (401, "unauthorized")


def test_a_key_that_was_ended_is_no_key(call: Calls, parts: Composition) -> None:
    assert call(SHOPS).status_code == 200
    run(parts, "update api_keys set revoked_at = now()")
    assert error_of(call(SHOPS)) == (401, "unauthorized")


@pytest.mark.parametrize(
    ("scope", "allowed", "forbidden"), [(Scope.SHOPS_READ, SHOPS, CHECKOUTS), (Scope.CHECKOUTS_READ, CHECKOUTS, SHOPS)]
)
def test_a_key_may_what_it_was_made_for(
    client: TestClient, parts: Composition, shopify_shop: TestShop, scope: Scope, allowed: str, forbidden: str
) -> None:
    headers = {"authorization": f"bearer {make_key(parts, shopify_shop, scope)}"}
    assert client.get(allowed, headers=headers).status_code == 200
    answer = client.get(forbidden, headers=headers)
    assert error_of(answer) == (403, "forbidden")
    assert ("shops:read" if forbidden == SHOPS else "checkouts:read") in answer.text
    if forbidden == CHECKOUTS:
        assert error_of(client.get(f"{CHECKOUTS}/{NOBODYS}", headers=headers)) == (403, "forbidden")


def test_a_key_is_good_for_so_many_calls_a_minute(call: Calls, client: TestClient, parts: Composition, shopify_shop: TestShop) -> None:
    assert call(SHOPS).status_code == 200
    run(parts, "update attempts set count = :most - 1", most=MOST_CALLS)
    assert call(SHOPS).status_code == 200
    answer = call(SHOPS)
    assert error_of(answer) == (429, "too_many_requests")
    assert answer.headers["retry-after"] == "60"
    other = make_key(parts, shopify_shop)
    assert client.get(SHOPS, headers={"authorization": f"Bearer {other}"}).status_code == 200, "each key counts for itself"
    run(parts, "update app_clock set ahead = interval '61 seconds'")
    assert call(SHOPS).status_code == 200


def test_the_use_of_a_key_is_noted(call: Calls, parts: Composition) -> None:
    assert scalar(parts, "select last_used_at from api_keys") is None
    call(SHOPS)
    assert scalar(parts, "select app_now() - last_used_at < interval '10 seconds' from api_keys")


# ---------------------------------------------------------------- what it says


def test_the_stores_of_the_account(call: Calls, parts: Composition, shopify_shop: TestShop, woo_shop: TestShop) -> None:
    answer = call(SHOPS)
    [shop] = answer.json()["shops"]
    installed = datetime.fromisoformat(shop.pop("installed_at"))
    assert installed.tzinfo == UTC
    assert shop == {
        "id": shop_public_id(parts, shopify_shop),
        "name": "Démo",
        "platform": "shopify",
        "domain": "demo.myshopify.com",
        "url": "https://demo.myshopify.com",
        "state": "connected",
        "currency": "EUR",
        "timezone": "Europe/Paris",
    }
    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in answer.headers
    assert "set-cookie" not in answer.headers


def test_a_checkout_with_everything_around_it(call: Calls, parts: Composition, shopify_shop: TestShop, seed: Seed, now: datetime) -> None:
    turn_on(parts, shopify_shop)
    whole: dict[str, Any] = {
        "number": "#7001",
        "first_name": "Anna",
        "last_name": "Petit",
        "phone": Phone("06 45 67 89 01", "+33645678901"),
        "total": Decimal("37.5"),
        "lines": (make_line("101", 2, variant_title="Bleu"), make_line("102")),
    }
    public_id = seed(shopify_shop, minutes=90, **whole)
    abandon(parts, shopify_shop)
    seed(shopify_shop, minutes=90, order=make_order(now, checkout_token="tok-1", number="#1001", total=Decimal("37.50")), **whole)
    answer = call(f"{CHECKOUTS}/{public_id}")
    found = answer.json()
    started = (now - timedelta(minutes=90)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert found["created_at"] == found["last_activity_at"] == started
    assert found["abandoned_at"] == (now - timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert found["converted_at"] == now.strftime("%Y-%m-%dT%H:%M:%SZ")
    wanted = {
        "id": public_id,
        "shop_id": shop_public_id(parts, shopify_shop),
        "number": "#7001",
        "stage": "checkout",
        "state": "recovered",
        "email": EMAIL,
        "phone": "+33645678901",
        "first_name": "Anna",
        "last_name": "Petit",
        "total": {"amount": "37.50", "currency": "EUR"},
        "recovery_url": "https://demo.example/recover/tok-1",
    }
    assert {name: found[name] for name in wanted} == wanted
    assert found["lines"][0] == {
        "title": "Bougie 101",
        "variant_title": "Bleu",
        "quantity": 2,
        "unit_price": {"amount": "12.50", "currency": "EUR"},
        "total": {"amount": "25.00", "currency": "EUR"},
        "image_url": None,
    }
    assert found["decision"]["reason"] == "enrolled"
    [message] = found["messages"]
    assert (message["channel"], message["state"], message["sent_at"]) == ("email", "queued", None)
    assert found["order"]["number"] == "#1001"
    assert found["order"]["total"] == {"amount": "37.50", "currency": "EUR"}
    [listed] = call(CHECKOUTS).json()["checkouts"]
    assert listed == {name: found[name] for name in listed}


def test_the_list_goes_on_page_by_page_over_all_stores(
    call: Calls, parts: Composition, shopify_shop: TestShop, woo_shop: TestShop, seed: Seed
) -> None:
    account = int(scalar(parts, "select account_id from shops where id = :id", id=shopify_shop.id))
    run(parts, "update shops set account_id = :account where id = :id", account=account, id=woo_shop.id)
    made = []
    for number in range(7):
        shop = (shopify_shop, woo_shop)[number % 2]
        name = f"p{number}"
        made.append(seed(shop, platform_id=name, token=name, number=name, created_at=T0 + timedelta(minutes=number // 2)))
    seed(shopify_shop, stage=Stage.CART, platform_id="c", cart_token="c", token=None, created_at=T0 - timedelta(days=1))
    seed(shopify_shop, minutes=4, platform_id="p0", token="p0", number="p0", cart_token="c", created_at=T0)
    seen: list[str] = []
    path = f"{CHECKOUTS}?limit=3"
    while path:
        page = call(CHECKOUTS, **query_of(path)).json()
        assert len(page["checkouts"]) <= 3
        seen += [one["id"] for one in page["checkouts"]]
        path = page["next"]
    assert sorted(seen) == sorted(made)
    newest_first = [scalar(parts, "select number from checkouts where public_id = :id", id=one) for one in seen]
    assert newest_first == ["p6", "p5", "p4", "p3", "p2", "p1", "p0"]
    own = call(CHECKOUTS, shop=shop_public_id(parts, woo_shop)).json()
    assert {one["shop_id"] for one in own["checkouts"]} == {shop_public_id(parts, woo_shop)}
    assert (len(own["checkouts"]), own["next"]) == (3, None)


def query_of(path: str) -> dict[str, str]:
    """The parameters of an address."""
    return dict(pair.split("=", 1) for pair in path.partition("?")[2].split("&"))


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("12.3", "EUR", "12.30"),
        ("12", "EUR", "12.00"),
        ("12.345", "EUR", "12.345"),
        ("0.1", "JPY", "0.1"),
        ("1E+3", "JPY", "1000"),
        ("5", "KWD", "5.000"),
        ("12.3", "???", "12.3"),
        ("-0.50", "EUR", "-0.50"),
        ("12345678901234567890123456789012", "EUR", "12345678901234567890123456789012.00"),
    ],
)
def test_money_is_exact(amount: str, currency: str, text: str) -> None:
    assert money(Decimal(amount), currency).model_dump() == {"amount": text, "currency": currency}


# ---------------------------------------------------------------- what it does not say


@pytest.mark.spec("SEC-180", "SEC-184")
def test_what_is_anothers_is_not_there(call: Calls, parts: Composition, shopify_shop: TestShop, woo_shop: TestShop, seed: Seed) -> None:
    seed(shopify_shop)
    foreign, shop = seed(woo_shop), shop_public_id(parts, woo_shop)
    answers = [
        call(f"{CHECKOUTS}/{foreign}"),
        call(f"{CHECKOUTS}/{NOBODYS}"),
        call(CHECKOUTS, shop=shop),
        call(CHECKOUTS, shop="shp_0198c5f2-0000-7000-8000-000000000000"),
        call(CHECKOUTS, before=foreign),
        call(CHECKOUTS, before=NOBODYS),
        call(CHECKOUTS, shop="boutique.test"),
        call(CHECKOUTS, before="' or 1=1"),
        call(f"{CHECKOUTS}/1"),
        call("/api/"),
        call("/api/v2/shops"),
        call("/api/v1/orders"),
    ]
    for answer in answers:
        assert error_of(answer) == (404, "not_found")
        for word in (foreign, shop, "Boutique", "boutique"):
            assert word not in answer.text
    assert len({answer.text for answer in answers}) == 1, "nobody can tell what is another's from what is not there"
    assert [one["shop_id"] for one in call(CHECKOUTS).json()["checkouts"]] == [shop_public_id(parts, shopify_shop)]


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "1.5", "9" * 40])
def test_a_limit_that_cannot_be_is_refused_by_name(call: Calls, limit: str) -> None:
    answer = call(CHECKOUTS, limit=limit)
    assert error_of(answer) == (400, "bad_request")
    assert "limit" in answer.json()["error"]["message"]


def test_nothing_can_be_changed(client: TestClient, key: str) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = client.request(method, SHOPS, headers={"authorization": f"Bearer {key}"})
        assert error_of(answer) == (404, "not_found")


@pytest.mark.spec("SEC-184")
def test_a_fault_of_ours_tells_nothing(call: Calls, parts: Composition, shopify_shop: TestShop, seed: Seed) -> None:
    seed(shopify_shop)
    run(parts, "alter table checkouts rename column recovery_url to gone")
    try:
        answer = call(CHECKOUTS)
    finally:
        run(parts, "alter table checkouts rename column gone to recovery_url")
    assert error_of(answer) == (500, "broken")
    for word in ("recovery_url", "checkouts", "psycopg", EMAIL):
        assert word not in answer.text
