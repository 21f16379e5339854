"""The stores of the sync's benchmarks answer as stores do."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.canonical import Order
from integrations.shopify import queries, queries_bulk
from integrations.woocommerce.coupons import CouponBody, to_code_state
from integrations.woocommerce.mapping import order_events, to_customer, to_product
from integrations.woocommerce.payloads import CustomerBody, OrderBody, ProductBody, decode
from tests.bench import sync_peers, sync_shopify
from tests.bench.sync_server import Asked, Desk, Manner
from tests.bench.sync_shopify import ShopifyShop
from tests.bench.sync_woo import API, FIRST_CUSTOMER, FIRST_ORDER, Answer, Shop, modified_at


@pytest.fixture
def shop() -> Shop:
    """A WooCommerce store of 250 orders."""
    return Shop(250)


def asked(shop: Shop, name: str, **query: str) -> Answer:
    return shop.answer(f"{API}{name}", query)


def ids(answer: Answer) -> list[int]:
    return [one["id"] for one in json.loads(answer.body)]


def test_an_order_is_what_our_adapter_takes_for_a_paid_one_with_three_lines_a_code_and_a_customer(shop: Shop) -> None:
    raw = json.loads(asked(shop, "orders", per_page="100", order="asc").body)[7]
    [order] = order_events(decode(json.dumps(raw).encode(), OrderBody), None)
    assert isinstance(order, Order)
    assert (order.platform_id, order.customer_id) == (str(FIRST_ORDER + 7), str(FIRST_CUSTOMER + 7))
    assert (order.email, order.discount_codes, len(order.lines)) == ("buyer.7@example.com", ("code7",), 3)
    assert len({line.key for line in order.lines}) == 3
    assert order.source_version == order.paid_at == modified_at(7)


def test_all_other_records_are_what_our_adapter_understands(shop: Shop) -> None:
    customer, product, coupon = (json.loads(asked(shop, name, order="asc").body)[2] for name in ("customers", "products", "coupons"))
    known = to_customer(decode(json.dumps(customer).encode(), CustomerBody), None)
    assert (known.platform_id, known.email, known.source_version) == (str(FIRST_CUSTOMER + 2), "buyer.2@example.com", modified_at(2))
    assert known.phone is not None
    assert known.phone.e164 == "+33600000002"
    assert to_product(decode(json.dumps(product).encode(), ProductBody)).source_version == modified_at(2)
    assert to_code_state(decode(json.dumps(coupon).encode(), CouponBody)).code == "code2"


def test_pages_and_offsets_bring_every_record_once(shop: Shop) -> None:
    every = list(range(FIRST_ORDER, FIRST_ORDER + 250))
    pages = [asked(shop, "orders", per_page="100", page=str(page), orderby="id", order="asc") for page in (1, 2, 3, 4)]
    assert [one for page in pages for one in ids(page)] == every
    assert {(page.total, page.pages) for page in pages} == {(250, 3)}
    assert ids(asked(shop, "orders", per_page="3", offset="248", order="asc")) == every[248:]
    assert ids(asked(shop, "orders", per_page="2")) == every[:-3:-1]
    assert ids(asked(shop, "orders", per_page="100", page="2", order="asc", _fields="id")) == every[100:200]


def test_limits_of_time_are_strict_on_both_sides(shop: Shop) -> None:
    def between(after: timedelta, before: timedelta) -> list[int]:
        span = [f"{modified_at(10) + one:%Y-%m-%dT%H:%M:%S}" for one in (after, before)]
        return ids(asked(shop, "orders", per_page="100", order="asc", modified_after=span[0], modified_before=span[1]))

    second = timedelta(seconds=1)
    assert between(timedelta(0), timedelta(minutes=2)) == [FIRST_ORDER + 11]
    assert between(-second, timedelta(minutes=2) + second) == [FIRST_ORDER + place for place in (10, 11, 12)]
    assert between(timedelta(minutes=1), timedelta(minutes=1)) == []


@pytest.mark.parametrize("what", ["", "modified_"])
def test_each_limit_of_time_leaves_out_what_is_beyond_it(shop: Shop, what: str) -> None:
    at = f"{modified_at(10):%Y-%m-%dT%H:%M:%S}"
    found = [asked(shop, "orders", per_page="100", order="asc", **{f"{what}{side}": at}) for side in ("after", "before")]
    assert [(one.total, ids(one)[0]) for one in found] == [(239, FIRST_ORDER + 11), (10, FIRST_ORDER)]
    assert asked(shop, "customers", after=at).total == 250


def test_a_store_may_be_as_young_as_one_likes() -> None:
    begin = datetime(2026, 11, 1, 8, tzinfo=UTC)
    shop = Shop(250, begin)
    page = asked(shop, "orders", per_page="5", order="asc", modified_after="2026-11-01T08:03:00", modified_before="2026-11-01T08:07:00")
    assert [(one["id"], one["date_modified_gmt"]) for one in json.loads(page.body)] == [
        (FIRST_ORDER + place, f"2026-11-01T08:0{place}:00") for place in (4, 5, 6)
    ]
    assert asked(shop, "orders", before="2026-10-31T00:00:00").total == 0
    assert modified_at(4, begin) == begin + timedelta(minutes=4)


def test_what_a_store_refuses_or_has_not_is_answered_in_its_words(shop: Shop) -> None:
    assert asked(shop, "orders", per_page="101").status == 400
    assert asked(shop, "orders", orderby="title").status == 400
    assert (asked(shop, "orders", status="checkout-draft,pending").total, asked(shop, "orders", status="any").total) == (0, 250)
    assert json.loads(shop.answer("/wp-json/wc-connector/v1/carts", {}).body)["code"] == "rest_no_route"
    assert json.loads(asked(shop, f"orders/{FIRST_ORDER + 3}").body)["id"] == FIRST_ORDER + 3
    assert asked(shop, f"orders/{FIRST_ORDER + 250}").status == 404
    assert ids(asked(shop, "orders", include=f"{FIRST_ORDER + 5},{FIRST_ORDER + 9999},{FIRST_ORDER}", order="asc")) == [
        FIRST_ORDER,
        FIRST_ORDER + 5,
    ]


def test_the_peers_store_what_our_adapter_reads(shop: Shop) -> None:
    raw: dict[str, Any] = json.loads(asked(shop, f"orders/{FIRST_ORDER + 4}").body)
    [order] = order_events(decode(json.dumps(raw).encode(), OrderBody), None)
    assert isinstance(order, Order)
    values = sync_peers.order_values(1, raw)
    for name in ("platform_id", "email", "total", "currency", "placed_at", "paid_at", "source_version", "platform_status", "first_name"):
        assert values[name] == getattr(order, name), name
    assert values["discount_codes"] == list(order.discount_codes)
    assert [line.key for line in sync_peers.line_rows(1, 1, raw)] == [line.key for line in order.lines]


def test_a_bulk_file_holds_as_many_objects_as_the_operation_says() -> None:
    shop = ShopifyShop(40)
    started = json.loads(shop.answer({"query": queries_bulk.RUN, "variables": {"query": queries_bulk.ORDERS}}))
    gid = started["data"]["bulkOperationRunQuery"]["bulkOperation"]["id"]
    looks = [json.loads(shop.answer({"query": queries_bulk.LOOK, "variables": {"id": gid}})) for _ in range(2)]
    running, done = (one["data"]["bulkOperation"] for one in looks)
    assert (running["status"], done["status"], done["objectCount"]) == ("RUNNING", "COMPLETED", "160")
    name = done["url"].rpartition("/")[2]
    lines = [json.loads(line) for line in b"".join(shop.file(name, 1000)).splitlines()]
    parents = [line["__parentId"] for line in lines if "__parentId" in line]
    assert (len(lines), len(parents), len(set(parents))) == (160, 120, 40)
    assert set(parents) == {line["id"] for line in lines if "__parentId" not in line}


def test_pages_cost_what_shopify_reckons_and_an_empty_bucket_refuses() -> None:
    shop = ShopifyShop(40, maximum=1000.0, per_second=1.0)
    size = queries.ORDER_PAGE
    page = {"query": queries.ORDERS, "variables": {"first": size, "after": None, "query": ""}}
    first, second = (json.loads(shop.answer(page)) for _ in range(2))
    assert first["extensions"]["cost"]["requestedQueryCost"] == queries.COSTS[queries.ORDERS]
    assert len(first["data"]["orders"]["nodes"]) == size
    assert first["data"]["orders"]["pageInfo"] == {"hasNextPage": True, "endCursor": str(size)}
    assert second["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert shop.bucket_log()["throttled"] == 1


def test_nothing_changed_lately() -> None:
    shop = ShopifyShop(40)
    for since, count in ((sync_shopify.BEGIN - timedelta(days=1), 40), (sync_shopify.BEGIN + timedelta(days=40), 0)):
        for words in (f"updated_at:>='{since:%Y-%m-%dT%H:%M:%S}Z'", f"updated_at:>='{since:%Y-%m-%d}'"):
            found = json.loads(shop.answer({"query": queries.COUNT_ORDERS, "variables": {"query": words}}))
            assert found["data"]["found"]["count"] == count
            page = {"first": 5, "after": None, "query": words, "reverse": True}
            listed = json.loads(shop.answer({"query": queries.CUSTOMERS, "variables": page}))
            assert bool(listed["data"]["customers"]["nodes"]) is bool(count)


def test_a_small_store_serves_as_many_at_once_as_it_has_workers() -> None:
    assert Manner(workers=4, base=0.3, per_record=0.02).seconds(100) == pytest.approx(2.3)
    assert Manner(latency=0.05, factor=2.0).seconds(100) == pytest.approx(0.1)

    async def serve() -> float:
        desk = Desk()
        desk.behave(Manner(workers=2, base=0.05))
        began = time.monotonic()
        await asyncio.gather(*(desk.serve(Asked(began)) for _ in range(4)))
        return time.monotonic() - began

    assert 0.1 <= asyncio.run(serve()) < 0.19


def test_a_store_that_becomes_slow_keeps_its_workers_and_its_log() -> None:
    desk = Desk()
    desk.behave(Manner(workers=2, base=0.05))
    room = desk.room
    desk.asked.append(Asked(0.0))
    desk.behave(Manner(workers=2, base=0.05, factor=2.0))
    assert (desk.room, len(desk.asked)) == (room, 1)
    desk.behave(Manner())
    assert (desk.room, desk.asked) == (None, [])
