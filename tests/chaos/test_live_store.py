"""The store that sells while it is read lists what was edited and sold where a WooCommerce store would."""

import json
from datetime import UTC, datetime

import pytest

from integrations.woocommerce.signature import verify
from tests.bench.sync_woo import FIRST_ORDER, modified_at
from tests.chaos.live_store import ORDERS, UNPAID_EVERY, LiveShop, order_told
from tests.conftest import TestShop

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def store() -> LiveShop:
    """A store of 120 orders, three of them unpaid."""
    return LiveShop(120, lambda: NOW)


def listed(store: LiveShop, **query: str) -> list[dict[str, str]]:
    return json.loads(store.answer(ORDERS, {"per_page": "100", "order": "asc", **query}).body)  # type: ignore[no-any-return]


def test_an_edited_order_stands_last_by_change_and_in_its_place_by_number(store: LiveShop) -> None:
    told = json.loads(store.edit(5))
    assert (told["id"], told["billing"]["first_name"], told["date_modified_gmt"]) == (FIRST_ORDER + 5, "Edited 1", "2026-11-22T12:00:00")
    by_change = listed(store, orderby="modified", modified_after=f"{modified_at(110):%Y-%m-%dT%H:%M:%S}")
    assert [one["id"] for one in by_change] == [*range(FIRST_ORDER + 111, FIRST_ORDER + 120), FIRST_ORDER + 5]
    assert by_change[-1] == told == json.loads(store.answer(f"{ORDERS}/{FIRST_ORDER + 5}", {}).body)
    assert [one["id"] for one in listed(store, orderby="id")] == list(range(FIRST_ORDER, FIRST_ORDER + 100))
    assert listed(store, orderby="modified", modified_before="2026-11-22T12:00:00", page="2")[-1]["id"] == FIRST_ORDER + 119


def test_no_order_changes_twice_in_one_second(store: LiveShop) -> None:
    told = [json.loads(body) for body in (store.edit(118), store.edit(118), store.sell(), store.edit(119), store.edit(120))]
    assert [one["id"] - FIRST_ORDER for one in told] == [118, 119, 120, 0, 1]
    assert len({(one["id"], one["date_modified_gmt"]) for one in told}) == len(told)


def test_a_new_order_is_one_more(store: LiveShop) -> None:
    told = json.loads(store.sell())
    assert (told["id"], store.count) == (FIRST_ORDER + 120, 121)
    assert store.answer(ORDERS, {"per_page": "1"}).total == 121
    assert told in store.bought()


def test_unpaid_orders_are_found_by_their_status_and_are_not_bought(store: LiveShop) -> None:
    unpaid = [FIRST_ORDER + place for place in range(0, 120, UNPAID_EVERY)]
    store.edit(0)
    assert [one["id"] for one in listed(store, status="checkout-draft,pending,failed")] == unpaid
    assert {one["status"] for one in listed(store, status="pending")} == {"pending"}
    assert len(store.bought()) == 120 - len(unpaid)


def test_its_webhooks_are_signed_as_the_shop_knows_it(store: LiveShop) -> None:
    shop = TestShop(1, "woocommerce", "sync-bench.example.com", "key-1", "hush")
    post = order_told(shop, 7, store.edit(3))
    headers = {name.lower().encode(): value.encode() for name, value in post.headers.items()}
    assert verify(headers, post.body, [b"hush"], "key-1").topic == "order.updated"
    assert post.path == "/webhooks/woocommerce/key-1"
