"""Before personal data or a change one says why: once in half an hour, for one store, in one sign-in."""

import pytest
from starlette.testclient import TestClient

from connector.rules.permissions import StaffRole
from connector.store import clock
from connector.web.composition import Composition
from tests.conftest import TestShop
from tests.web.conftest import Seed, run, scalar, shop_public_id
from tests.web.signing import send
from tests.web.support.conftest import REASON, Entries, Keep, Opens, give_reason, seen


@pytest.fixture
def asks(parts: Composition, shopify_shop: TestShop, seed: Seed, keep: Keep) -> list[str]:
    """The pages that show personal data of the first shop."""
    shop = shop_public_id(parts, shopify_shop)
    return [f"/support/checkouts/{seed(shopify_shop)}", f"/support/shops/{shop}/deliveries/{keep(shopify_shop)}"]


def leads_to_the_question(client: TestClient, path: str, shop: str) -> bool:
    answer = client.get(path)
    wanted = path.replace("/", "%2F")
    return bool(answer.status_code == 303 and answer.headers["location"] == f"/support/shops/{shop}/reason?next={wanted}")


@pytest.mark.spec("SEC-237")
def test_nobody_sees_personal_data_without_a_reason(
    staff: Opens, parts: Composition, shopify_shop: TestShop, asks: list[str], entries: Entries
) -> None:
    shop = shop_public_id(parts, shopify_shop)
    for role in (StaffRole.SUPPORT, StaffRole.ADMIN):
        client = staff(role)
        for path in asks:
            assert leads_to_the_question(client, path, shop)
    assert entries() == []
    question = client.get(client.get(asks[0]).headers["location"])
    assert question.status_code == 200
    assert f'name="next" value="{asks[0]}"' in question.text
    answer = give_reason(client, parts, shopify_shop, f"  {REASON} \n", next=asks[0])
    assert (answer.status_code, answer.headers["location"]) == (303, f"{asks[0]}?done=reason-given")
    for path in asks:
        page = client.get(path)
        assert page.status_code == 200
    [given, *viewed] = entries()
    session = scalar(parts, "select max(public_id) from sessions")
    assert (given["action"], given["object"], given["reason"]) == ("support.reason", session, REASON)
    for entry, path in zip(viewed, asks, strict=True):
        assert (entry["action"], entry["reason"], entry["shop_id"]) == ("support.viewed", REASON, shopify_shop.id)
        assert entry["object"].rpartition(" ")[2] == path.rpartition("/")[2]
        assert entry["account_id"] == scalar(parts, "select account_id from shops where id = :id", id=shopify_shop.id)
        assert entry["actor"] == given["actor"]
        assert entry["actor"].startswith("staff stf_")
        assert entry["at"] >= given["at"]
        assert entry["request_id"].startswith("req_")


def test_a_reason_holds_for_one_store_one_sign_in_and_half_an_hour(
    staff: Opens, parts: Composition, shopify_shop: TestShop, woo_shop: TestShop, asks: list[str], seed: Seed
) -> None:
    client = staff(reason_for=shopify_shop)
    assert client.get(asks[0]).status_code == 200
    assert leads_to_the_question(client, f"/support/checkouts/{seed(woo_shop)}", shop_public_id(parts, woo_shop))
    assert staff().get(asks[0]).status_code == 303, "another sign-in of the same person"
    run(parts, "update app_clock set ahead = interval '29 minutes'")
    assert client.get(asks[0]).status_code == 200
    run(parts, "update app_clock set ahead = interval '31 minutes'")
    with parts.db.system_transaction("the clock moved") as session:
        clock.read(session)
    assert client.get(asks[0]).status_code == 303


@pytest.mark.parametrize(
    ("reason", "words"),
    [("", "at least 5 signs"), ("  a b  ", "at least 5 signs"), ("1234", "at least 5 signs"), ("x" * 501, "up to 500 signs")],
)
def test_a_reason_says_something(
    staff: Opens, parts: Composition, shopify_shop: TestShop, asks: list[str], entries: Entries, reason: str, words: str
) -> None:
    client = staff()
    answer = give_reason(client, parts, shopify_shop, reason, next=asks[0])
    assert answer.status_code == 422
    assert words in seen(answer.text)
    assert f'name="next" value="{asks[0]}"' in answer.text
    assert entries() == []
    assert client.get(asks[0]).status_code == 303


@pytest.mark.parametrize(
    "after", ["https://evil.example/", "//evil.example", "/\\evil.example", "/app", "javascript:alert(1)", "", "/supportx"]
)
def test_the_way_on_stays_with_support(staff: Opens, parts: Composition, shopify_shop: TestShop, after: str) -> None:
    client, shop = staff(), shop_public_id(parts, shopify_shop)
    answer = give_reason(client, parts, shopify_shop, next=after)
    assert answer.headers["location"] == f"/support/shops/{shop}?done=reason-given"
    question = client.get(f"/support/shops/{shop}/reason", params={"next": after})
    assert f'name="next" value="/support/shops/{shop}"' in question.text


def test_an_action_needs_a_reason_as_well(staff: Opens, parts: Composition, shopify_shop: TestShop, keep: Keep, entries: Entries) -> None:
    shop, number = shop_public_id(parts, shopify_shop), keep(shopify_shop, "quarantined")
    client = staff()
    answer = send(client, parts, f"/support/shops/{shop}/deliveries/{number}/replay")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"/support/shops/{shop}/reason?next=")
    assert scalar(parts, "select state from deliveries") == "quarantined"
    assert entries() == []


def test_a_viewer_has_nothing_to_give_a_reason_for(staff: Opens, parts: Composition, shopify_shop: TestShop, asks: list[str]) -> None:
    client = staff(StaffRole.VIEWER)
    shop = shop_public_id(parts, shopify_shop)
    assert client.get(f"/support/shops/{shop}/reason").status_code == 403
    assert give_reason(client, parts, shopify_shop).status_code == 403
    for path in asks:
        assert client.get(path).status_code == 403


def test_a_page_that_is_not_there_leaves_no_entry(
    staff: Opens, parts: Composition, shopify_shop: TestShop, woo_shop: TestShop, keep: Keep, entries: Entries
) -> None:
    client, number = staff(reason_for=shopify_shop), keep(woo_shop)
    before = len(entries())
    shop = shop_public_id(parts, shopify_shop)
    for path in (f"deliveries/{number}", "deliveries/0", "deliveries/x", "deliveries/1e3", "deliveries/" + "9" * 30):
        assert client.get(f"/support/shops/{shop}/{path}").status_code == 404, path
        assert send(client, parts, f"/support/shops/{shop}/{path}/replay").status_code == 404, path
    assert len(entries()) == before
