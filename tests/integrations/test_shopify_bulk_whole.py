"""Exports are whole or nothing, and the same each time: reading goes on where it stopped."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.canonical import Order, Resource
from connector.platforms import PlatformError, TransientError
from connector.reading import Export, Page
from integrations.sandbox.shopify_bulk import BulkFault
from integrations.shopify import bulk
from integrations.transport import Transport
from tests.integrations.reads_kit import ACCESS, Store
from tests.integrations.shopify_answers import order

FILE = "https://storage.example/bulk.jsonl?Signature=x"
LINES = 3


def jsonl(orders: int) -> bytes:
    """So many orders of three lines; each line of an order stands far before or behind it."""
    roots, children = [], []
    for number in range(1, orders + 1):
        root = order(number, updatedAt=f"2026-11-20T12:{number % 60:02d}:00Z")
        del root["lineItems"]
        roots.append(root)
        for place in range(LINES):
            price = {"shopMoney": {"amount": "32.00"}}
            line = {"id": f"gid://shopify/LineItem/{number * 10 + place}", "title": "Cedar", "quantity": place + 1}
            children.append(line | {"originalUnitPriceSet": price, "__parentId": f"gid://shopify/Order/{number}"})
    middle = len(children) // 2
    return b"".join(json.dumps(one).encode() + b"\n" for one in (*children[:middle], *reversed(roots), *children[middle:]))


def pages(content: bytes, objects: int, skip: int = 0) -> Iterator[Page]:
    """What is read of a file with this content that was announced with so many objects."""
    transport = Transport(inner=httpx2.MockTransport(lambda _: httpx2.Response(200, content=content)))
    return bulk.read(transport, Export("1", "ready", objects, FILE), Resource.ORDER, skip)


class TestOrder:
    @pytest.fixture(autouse=True)
    def small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Several parts of several pages each."""
        monkeypatch.setattr(bulk, "OBJECTS_IN_A_PART", 100)
        monkeypatch.setattr(bulk, "PAGE", 10)

    def test_the_pages_of_a_file_are_the_same_each_time(self) -> None:
        content = jsonl(130)
        first, again = (list(pages(content, 520)) for _ in range(2))
        assert first == again
        assert len(first) > 13
        found = [one for page in first for one in page.records]
        assert len({one.platform_id for one in found}) == len(found) == 130
        assert all(isinstance(one, Order) and len(one.lines) == LINES for one in found)

    def test_reading_goes_on_behind_the_pages_that_are_done(self) -> None:
        content = jsonl(130)
        whole = list(pages(content, 520))
        for skip in range(len(whole) + 2):
            assert list(pages(content, 520, skip)) == whole[skip:]


class TestC84:
    """Rows read are the objects announced, or nothing is given out."""

    @pytest.mark.spec("C84")
    @settings(max_examples=60, deadline=None)
    @given(st.data())
    def test_c84_a_file_that_is_not_whole_gives_nothing(self, data: st.DataObject) -> None:
        content, objects = jsonl(6), 24
        lines = content.splitlines(keepends=True)
        harm = data.draw(st.sampled_from(["cut", "lost", "twice", "announced more", "announced fewer"]))
        if harm == "cut":
            # But for its very last line feed: without that it is whole.
            content = content[: data.draw(st.integers(0, len(content) - 2))]
        elif harm == "lost":
            missing = data.draw(st.integers(0, len(lines) - 1))
            content = b"".join(one for number, one in enumerate(lines) if number != missing)
        elif harm == "twice":
            content += lines[data.draw(st.integers(0, len(lines) - 1))]
        else:
            objects += data.draw(st.integers(1, 5)) * (1 if harm == "announced more" else -1)
        given_out: list[Page] = []
        with pytest.raises(TransientError):
            given_out.extend(pages(content, objects))
        assert given_out == []

    @pytest.mark.spec("C84")
    @pytest.mark.parametrize("fault", list(BulkFault))
    def test_c84_nor_does_one_that_the_shop_did_not_end_well(self, fault: BulkFault) -> None:
        store = Store()
        store.twin.shop.bulk.prepare("orders", jsonl(40))
        store.twin.shop.bulk.spoil_next(fault)
        export = store.reads.begin_export(ACCESS, Resource.ORDER)
        while export.state == "running":
            export = store.reads.look_at_export(ACCESS, export.platform_id)
        given_out: list[Page] = []
        with pytest.raises(PlatformError):
            given_out.extend(store.reads.read_export(ACCESS, export, Resource.ORDER))
        assert given_out == []

    def test_another_export_after_it_is_whole(self) -> None:
        store = Store()
        store.twin.shop.bulk.prepare("orders", jsonl(40))
        store.twin.shop.bulk.spoil_next(BulkFault.CUT)
        for is_whole in (False, True):
            export = store.reads.begin_export(ACCESS, Resource.ORDER)
            while export.state == "running":
                export = store.reads.look_at_export(ACCESS, export.platform_id)
            try:
                found: list[Any] = [one for page in store.reads.read_export(ACCESS, export, Resource.ORDER) for one in page.records]
            except TransientError:
                found = []
            assert len(found) == (40 if is_whole else 0)


class TestLargeStores:
    def test_a_file_of_thousands_of_orders_is_served_and_read_at_once(self) -> None:
        store = Store()
        store.twin.shop.bulk.prepare("orders", jsonl(5_000))
        began = time.process_time()
        export = store.reads.begin_export(ACCESS, Resource.ORDER)
        while export.state == "running":
            export = store.reads.look_at_export(ACCESS, export.platform_id)
        assert export.objects == 20_000
        operation = store.twin.shop.bulk.look(int(export.platform_id))
        assert operation is not None
        assert operation.roots == 5_000
        served = time.process_time() - began
        number = sum(len(page.records) for page in store.reads.read_export(ACCESS, export, Resource.ORDER))
        read = time.process_time() - began - served
        print(f"{number} orders: served after {served:.2f} s, read at {number / read:,.0f} orders a second")
        assert (number, served < 1.0) == (5_000, True)

    def test_a_prepared_kind_leaves_the_others_as_they_are(self) -> None:
        store = Store()
        store.twin.buy()
        store.twin.shop.bulk.prepare("orders", jsonl(3))
        export = store.reads.begin_export(ACCESS, Resource.CUSTOMER)
        while export.state == "running":
            export = store.reads.look_at_export(ACCESS, export.platform_id)
        assert export.objects == 1
