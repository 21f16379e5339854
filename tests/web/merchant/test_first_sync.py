"""The first sync of a store as its merchant sees it: how far it is, and in a sentence how it ended."""

import re
from typing import Any

import pytest
from starlette.testclient import TestClient

from connector.rules.syncing import RunKind, RunState, Scope
from connector.store.run_tables import SyncRunRow
from connector.web.composition import Composition
from tests.conftest import TestShop
from tests.web.conftest import run, shop_public_id
from tests.web.signing import sign_in
from tests.web.support.conftest import seen
from tests.web.support.sync_kit import begin, work


def backfill(parts: Composition, shop: TestShop, state: RunState = RunState.RUNNING, **counts: Any) -> SyncRunRow:
    """The shop's first sync, in this state."""
    made = begin(parts, shop, Scope(), kind=RunKind.BACKFILL, reason="")
    if state is not RunState.WAITING:
        work(parts, made, state, **counts)
    return made


def pages(client: TestClient, parts: Composition, shop: TestShop) -> tuple[str, str]:
    """The dashboard and the page of the shop."""
    return client.get("/app").text, client.get(f"/app/shops/{shop_public_id(parts, shop)}").text


def test_a_merchant_sees_how_far_the_first_sync_is(client: TestClient, parts: Composition, shopify_shop: TestShop) -> None:
    sign_in(client, parts, shopify_shop)
    backfill(parts, shopify_shop, seen=120, expected=1_000)
    run(parts, "update sync_slices set seen = 7, expected = null, started_at = null where resource = 'checkout' and since is null")
    for page in pages(client, parts, shopify_shop):
        text = seen(page)
        assert "The first sync of Démo is running. 5 a second" in text
        assert "Nothing is sent because of it, and you can go on working." in text
        assert "Orders 120 of 1,000" in text
        assert "Checkouts still to come" in text
        assert 'data-poll="5"' in page
        assert re.search(r'<progress aria-label="Orders" value="120" max="1000">', page)


def test_when_it_is_expected_to_end_is_said(client: TestClient, parts: Composition, shopify_shop: TestShop) -> None:
    sign_in(client, parts, shopify_shop)
    backfill(parts, shopify_shop, seen=120, expected=1_000)
    assert "12 minutes left, until about" in seen(client.get("/app").text)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (RunState.WAITING, "The first sync of Démo begins in a moment."),
        (RunState.PAUSED, "The first sync of Démo rests. Support let it rest; it goes on where it was."),
        (RunState.DONE, "The first sync of Démo is done. Read: Products: 3, Customers: 3, Orders: 3, Checkouts: 3, Discount codes: 3."),
        (RunState.CANCELLED, "The first sync of Démo was ended early. What was read stays; support can have the rest read again."),
    ],
)
def test_how_it_stands_is_a_plain_sentence(
    client: TestClient, parts: Composition, shopify_shop: TestShop, state: RunState, words: str
) -> None:
    sign_in(client, parts, shopify_shop)
    backfill(parts, shopify_shop, state, seen=3)
    assert words in seen(client.get("/app").text)


def test_what_failed_is_named_and_so_is_what_the_store_hides(client: TestClient, parts: Composition, shopify_shop: TestShop) -> None:
    sign_in(client, parts, shopify_shop)
    made = backfill(parts, shopify_shop, RunState.DONE, seen=3)
    run(parts, "update sync_slices set state = 'skipped' where resource = 'checkout'")
    text = seen(client.get("/app").text)
    assert "The store does not show us: Checkouts." in text
    assert "Checkouts: 3" not in text
    run(parts, "update sync_runs set state = 'failed' where id = :id", id=made.id)
    run(parts, "update sync_slices set state = 'failed' where resource = 'order'")
    page = client.get("/app").text
    assert "The first sync of Démo did not reach its end. These could not be read: Orders." in seen(page)
    assert "data-poll" not in page.partition('id="shops"')[0].partition("first-sync")[2], "it does not look again by itself"


@pytest.mark.parametrize("state", [RunState.DONE, RunState.FAILED])
def test_what_made_no_sense_is_counted_and_what_the_store_hides_is_named_however_it_ended(
    client: TestClient, parts: Composition, shopify_shop: TestShop, state: RunState
) -> None:
    sign_in(client, parts, shopify_shop)
    backfill(parts, shopify_shop, state, seen=3)
    told = "Set aside, because they made no sense:"
    assert told not in seen(client.get("/app").text)
    run(parts, "update sync_slices set unreadable = 2 where resource = 'order'")
    run(parts, "update sync_slices set unreadable = 1 where resource = 'product' and since is null")
    run(parts, "update sync_slices set state = 'skipped' where resource = 'checkout'")
    for page in pages(client, parts, shopify_shop):
        assert "The store does not show us: Checkouts." in seen(page)
        (line,) = re.findall(f"{told} ([^.]*)\\.", seen(page))
        assert sorted(line.split(", ")) == ["Orders: 2", "Products: 1"]


def test_a_store_that_is_away_is_said_to_be(client: TestClient, parts: Composition, shopify_shop: TestShop) -> None:
    sign_in(client, parts, shopify_shop)
    backfill(parts, shopify_shop)
    run(parts, "update shops set state = 'needs_sign_in' where id = :id", id=shopify_shop.id)
    assert "The store is not connected: it goes on when it is connected again." in seen(client.get("/app").text)


def test_its_end_is_told_for_a_day_there_and_for_a_week_here(client: TestClient, parts: Composition, shopify_shop: TestShop) -> None:
    sign_in(client, parts, shopify_shop)
    backfill(parts, shopify_shop, RunState.DONE, seen=3)
    for days, shown in ((0, (True, True)), (2, (False, True)), (8, (False, False))):
        run(parts, f"update sync_runs set finished_at = app_now() - interval '{days} days 1 minute'")
        assert tuple("The first sync" in page for page in pages(client, parts, shopify_shop)) == shown


def test_only_the_newest_counts_and_only_ones_own(
    client: TestClient, parts: Composition, shopify_shop: TestShop, woo_shop: TestShop
) -> None:
    sign_in(client, parts, shopify_shop)
    backfill(parts, woo_shop)
    assert "The first sync" not in client.get("/app").text
    backfill(parts, shopify_shop, RunState.FAILED)
    backfill(parts, shopify_shop)
    text = seen(client.get("/app").text)
    assert "The first sync of Démo is running." in text
    assert "did not reach its end" not in text
