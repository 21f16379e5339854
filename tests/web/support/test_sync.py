"""How well a store's records are known, as support sees it; and asking for a resync."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from connector.rules.permissions import StaffRole
from connector.rules.syncing import RunState
from connector.web.composition import Composition
from tests.conftest import TestShop
from tests.web.conftest import run, scalar, shop_public_id
from tests.web.signing import send
from tests.web.support.conftest import REASON, Entries, Opens, rows, seen
from tests.web.support.sync_kit import ORDERS, WHY, begin, know, work


def url_of(parts: Composition, shop: TestShop) -> str:
    return f"/support/shops/{shop_public_id(parts, shop)}/sync"


def start(client: TestClient, parts: Composition, shop: TestShop, **fields: str) -> Any:
    """Send the form."""
    return send(client, parts, url_of(parts, shop), **({"reason": WHY} | fields))


def kept_runs(parts: Composition) -> list[tuple[Any, ...]]:
    with parts.db.engine.begin() as connection:
        found = connection.exec_driver_sql("select is_dry_run, scope, asked_by, reason, state from sync_runs order by id")
        return [tuple(row) for row in found]


def test_a_page_tells_how_well_each_kind_is_known(staff: Opens, parts: Composition, shopify_shop: TestShop) -> None:
    know(parts, shopify_shop)
    run(parts, "update shops set withheld = array['order.email'] where id = :shop", shop=shopify_shop.id)
    page = staff(StaffRole.VIEWER).get(url_of(parts, shopify_shop)).text
    text, lines = seen(page), rows(page)
    orders = next(line for line in lines if line.startswith("Orders"))
    assert "12 minutes" in orders
    assert " 37 " in orders
    assert any(line.startswith("Customers Not read: Access denied for customers not compared yet — 0") for line in lines)
    assert any(line.startswith("orders/updated") and "silent since" in line and "subscribed for this store alone" in line for line in lines)
    assert any(line.startswith("products/update") and line.endswith("heard") for line in lines)
    assert any("Orders: 37 checkout c0ffeec0…" in line and line.endswith("c0ffeec0… and 2 more 0") for line in lines), (
        "an outage: what came back, what cannot, and no message"
    )
    assert "c0ffee" * 3 not in page
    assert any(line.startswith("order 5005 what came made no sense currency") and line.endswith(" 3") for line in lines)
    assert "Shopify does not give this app: e-mail addresses" in text
    assert "Resync at once" not in text, "who may only look starts nothing"


def test_a_shop_that_was_never_looked_at_has_a_page(staff: Opens, parts: Composition, woo_shop: TestShop) -> None:
    page = seen(staff().get(url_of(parts, woo_shop)).text)
    for words in ("not compared yet", "Webhooks never failed to come for long.", "None yet.", "Dry run"):
        assert words in page
    assert "Records that make no sense" not in page
    assert url_of(parts, woo_shop) in staff().get(f"/support/shops/{shop_public_id(parts, woo_shop)}").text


def test_a_resync_begins_as_a_dry_run_with_who_and_why(staff: Opens, parts: Composition, shopify_shop: TestShop, entries: Entries) -> None:
    client = staff()
    answer = start(client, parts, shopify_shop, what="orders", since="2026-01-01", until="2026-01-02")
    assert answer.status_code == 303
    who = f"staff {scalar(parts, 'select public_id from staff')}"
    span = {"since": "2026-01-01T00:00:00+01:00", "until": "2026-01-03T00:00:00+01:00"}
    assert kept_runs(parts) == [(True, {"resources": ["order"], "platform_id": None, **span}, who, WHY, "waiting")]
    written = entries("resync.%")
    run_id = scalar(parts, "select public_id from sync_runs")
    assert [(one["action"], one["actor"], one["reason"], one["object"]) for one in written] == [("resync.asked", who, WHY, run_id)]
    page = seen(client.get(answer.headers["location"]).text)
    for words in ("Dry run", "Orders, changed from 1 Jan 2026, 00:00 to 3 Jan 2026, 00:00", WHY, "Sam support", "It has begun."):
        assert words in page
    line = next(one for one in rows(client.get(url_of(parts, shopify_shop)).text) if one.startswith("Resync dry run"))
    assert "waiting Sam support" in line


def test_writing_at_once_is_asked_for_by_its_own_button(staff: Opens, parts: Composition, shopify_shop: TestShop) -> None:
    start(staff(), parts, shopify_shop, at_once="yes", what="customers", id=" 4711 ")
    scope = {"resources": ["customer"], "since": None, "until": None, "platform_id": "4711"}
    assert [(one[0], one[1]) for one in kept_runs(parts)] == [(False, scope)]


def test_a_second_click_leads_to_the_run_that_there_is(staff: Opens, parts: Composition, shopify_shop: TestShop) -> None:
    first = start(staff(), parts, shopify_shop, what="orders")
    second = start(staff(), parts, shopify_shop, what="products", at_once="yes")
    assert first.headers["location"].partition("?")[0] == second.headers["location"].partition("?")[0]
    assert len(kept_runs(parts)) == 1
    page = staff()
    assert "is under way already" in seen(page.get(second.headers["location"]).text)
    assert "A resync is under way. Orders · waiting" in seen(page.get(url_of(parts, shopify_shop)).text)


def test_the_next_one_begins_when_the_last_is_over(staff: Opens, parts: Composition, shopify_shop: TestShop) -> None:
    work(parts, begin(parts, shopify_shop), RunState.DONE)
    start(staff(), parts, shopify_shop)
    assert [one[-1] for one in kept_runs(parts)] == ["done", "waiting"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"reason": "x"}, "Please say in a few words why, with at least 5 signs."),
        ({"what": "all", "id": "17"}, "One record is of one kind, and of no span of time."),
        ({"since": "yesterday"}, "This is no day"),
    ],
)
def test_what_makes_no_sense_stays_in_the_form(
    staff: Opens, parts: Composition, shopify_shop: TestShop, entries: Entries, fields: dict[str, str], words: str
) -> None:
    answer = start(staff(), parts, shopify_shop, **({"id": ""} | fields))
    assert answer.status_code == 422
    assert f"Nothing was started. {words}" in seen(answer.text)
    assert f'value="{fields.get("id", "")}"' in answer.text
    assert (kept_runs(parts), entries("resync.%")) == ([], [])


def test_a_store_that_is_not_connected_is_not_read(staff: Opens, parts: Composition, shopify_shop: TestShop) -> None:
    run(parts, "update shops set state = 'uninstalled' where id = :shop", shop=shopify_shop.id)
    answer = start(staff(), parts, shopify_shop)
    assert answer.status_code == 422
    assert "The shop is not connected. Connect it again first." in seen(answer.text)
    assert kept_runs(parts) == []


def test_who_may_only_look_cannot_start_one(staff: Opens, parts: Composition, shopify_shop: TestShop) -> None:
    assert start(staff(StaffRole.VIEWER), parts, shopify_shop).status_code == 403
    assert kept_runs(parts) == []


def test_the_reason_for_looking_is_offered_as_the_reason(staff: Opens, parts: Composition, shopify_shop: TestShop) -> None:
    page = staff(reason_for=shopify_shop).get(url_of(parts, shopify_shop)).text
    assert f'name="reason" value="{REASON}"' in page


def test_the_page_speaks_french(staff: Opens, parts: Composition, shopify_shop: TestShop) -> None:
    know(parts, shopify_shop)
    begin(parts, shopify_shop, ORDERS, is_dry_run=True)
    client = staff()
    text = seen(client.get(url_of(parts, shopify_shop), headers={"accept-language": "fr"}).text)
    for words in ("Ce qui est connu", "Webhooks manqués", "Commandes : 37", "essai à blanc", "Une resynchronisation est en cours."):
        assert words in text
