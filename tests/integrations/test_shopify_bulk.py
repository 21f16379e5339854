"""Bulk operations: what an export holds is what pages hold; a file that is not whole gives nothing; memory does not grow with it."""

import errno
import io
import json
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from connector.canonical import Customer, Order, Product, Resource
from connector.codes import CodeState
from connector.platforms import Gone, Rejected, TransientError
from connector.reading import Export, Page
from integrations.sandbox.shopify_bulk import AT_ONCE, BulkFault
from integrations.sandbox.shopify_shop import Shopper
from integrations.shopify import bulk
from integrations.shopify.answers import UserErrors
from integrations.transport import Transport
from tests.integrations.graph_kit import START
from tests.integrations.reads_kit import ACCESS, Store

KINDS = [Resource.ORDER, Resource.CUSTOMER, Resource.PRODUCT, Resource.CHECKOUT, Resource.DISCOUNT_CODE]
FILE = "https://storage.example/bulk.jsonl?Signature=x"


class Full(io.BytesIO):
    """A file on a disk without room."""

    def write(self, data: object) -> int:
        """Not possible."""
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def store() -> Store:
    """A shop with some orders, of several lines each, and a discount."""
    store = Store()
    shop = store.twin.shop
    for number in range(12):
        store.twin.at += timedelta(minutes=10)
        checkout = shop.open_checkout([shop.find_line(sku, 1 + number % 3) for sku in ("CEDAR-L", "SALT-SOAP", "BATH-OIL")])
        checkout.customer = shop.keep_customer(Shopper(f"shopper{number}@example.com", "S"))
        checkout.email = checkout.customer.shopper.email
        shop.place_order(checkout, "paid", "bogus")
    wanted = {"title": "Merci", "code": "MERCI10", "startsAt": START, "context": {"all": "ALL"}, "appliesOncePerCustomer": True}
    shop.discounts.add("DiscountCodeBasic", wanted | {"customerGets": {"value": {"percentage": 0.1}, "items": {"all": True}}})
    return store


def exported(store: Store, what: Resource, since: Any = None) -> Export:
    """An export that has ended."""
    export = store.reads.begin_export(ACCESS, what, since)
    while export.state == "running":
        export = store.reads.look_at_export(ACCESS, export.platform_id)
    return export


def records(pages: Iterator[Page]) -> dict[str, Any]:
    """By id, for they come in no order."""
    return {one.platform_id: one for page in pages for one in page.records}


def a_file(*lines: object, status: int = 200, objects: int | None = None) -> tuple[Transport, Export, list[httpx2.Request]]:
    """A ready export with this file, and what is asked of the host it lies on."""
    asked: list[httpx2.Request] = []
    content = b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines)

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(status, content=content)

    export = Export("1", "ready", len(lines) if objects is None else objects, FILE)
    return Transport(inner=httpx2.MockTransport(answer)), export, asked


def customer(number: int, **changes: object) -> dict[str, Any]:
    """A line of a customer."""
    return {
        "id": f"gid://shopify/Customer/{number}",
        "updatedAt": "2026-11-20T12:00:00Z",
        "firstName": "Léa\u2028",
        "lastName": "x" * 100,
    } | changes


def read(transport: Transport, export: Export, what: Resource = Resource.CUSTOMER) -> dict[str, Any]:
    """All records of the file."""
    return records(bulk.read(transport, export, what))


class TestExports:
    @pytest.mark.parametrize("what", KINDS)
    def test_an_export_holds_what_the_pages_hold(self, store: Store, what: Resource) -> None:
        export = exported(store, what)
        assert export.state == "ready"
        found = records(store.reads.read_export(ACCESS, export, what))
        cursor, listed = None, dict[str, Any]()
        while True:
            store.rest()
            page = store.reads.changes(ACCESS, what, None, None, cursor)
            listed |= {one.platform_id: one for one in page.records}
            cursor = page.cursor
            if cursor is None:
                break
        assert {number: bare(one) for number, one in found.items()} == {number: bare(one) for number, one in listed.items()}
        assert len(found) > 0

    def test_children_come_back_to_their_parents_though_the_file_is_in_disorder(self, store: Store) -> None:
        export = exported(store, Resource.ORDER)
        assert export.objects == 12 * 4
        found = records(store.reads.read_export(ACCESS, export, Resource.ORDER))
        assert all(isinstance(one, Order) and len(one.lines) == 3 for one in found.values())
        # The pretend shop shuffles: some child stands before its parent.
        operation = store.twin.shop.bulk.look(int(export.platform_id))
        assert operation is not None
        lines = [json.loads(line) for line in operation.file.splitlines()]
        first = {line["id"]: place for place, line in enumerate(lines)}
        assert any(first[line["__parentId"]] > place for place, line in enumerate(lines) if "__parentId" in line)

    @pytest.mark.parametrize("what", [Resource.ORDER, Resource.CHECKOUT])
    def test_an_export_may_begin_at_an_instant(self, store: Store, what: Resource) -> None:
        export = exported(store, what, START + timedelta(minutes=60))
        found = records(store.reads.read_export(ACCESS, export, what))
        assert len(found) == 7
        assert all(one.source_version >= START + timedelta(minutes=60) for one in found.values())

    def test_no_access_token_goes_to_the_host_of_the_file(self, store: Store) -> None:
        found = records(store.reads.read_export(ACCESS, exported(store, Resource.ORDER), Resource.ORDER))
        assert len(found) == 12
        (fetched,) = [request for request in store.requests if request.method == "GET"]
        assert "shpat_made_up" not in str(fetched.headers) + str(fetched.url)
        assert fetched.content == b""

    def test_nothing_found_is_an_export_without_a_file(self, store: Store) -> None:
        export = exported(store, Resource.ORDER, START + timedelta(days=9))
        assert (export.state, export.objects, export.url) == ("ready", 0, None)
        assert list(store.reads.read_export(ACCESS, export, Resource.ORDER)) == []

    def test_a_file_without_a_name_is_not_nothing(self, store: Store) -> None:
        with pytest.raises(TransientError):
            list(store.reads.read_export(ACCESS, Export("1", "ready", 5, None), Resource.ORDER))

    def test_more_than_run_at_once_are_rejected_with_shopifys_code(self, store: Store) -> None:
        store.twin.shop.bulk.looks_needed = None
        for _ in range(AT_ONCE):
            store.reads.begin_export(ACCESS, Resource.ORDER)
        with pytest.raises(UserErrors) as caught:
            store.reads.begin_export(ACCESS, Resource.ORDER)
        assert isinstance(caught.value, Rejected)
        assert set(caught.value.codes) <= {"OPERATION_IN_PROGRESS", "LIMIT_REACHED"}

    def test_an_operation_that_shopify_does_not_know_is_gone(self, store: Store) -> None:
        with pytest.raises(Gone):
            store.reads.look_at_export(ACCESS, "999")

    def test_one_that_is_not_shown_is_not_gone(self, store: Store) -> None:
        answer = {"data": {"bulkOperation": None}, "errors": [{"message": "oh", "path": ["bulkOperation"]}]}
        store.answers.append(httpx2.Response(200, json=answer))
        with pytest.raises(TransientError):
            store.reads.look_at_export(ACCESS, "999")

    def test_an_operation_that_was_not_started_is_none(self, store: Store) -> None:
        payload: dict[str, object] = {"bulkOperation": None, "userErrors": []}
        store.answers.append(httpx2.Response(200, json={"data": {"bulkOperationRunQuery": payload}}))
        with pytest.raises(TransientError):
            store.reads.begin_export(ACCESS, Resource.ORDER)

    def test_a_shop_is_not_exported(self, store: Store) -> None:
        with pytest.raises(Rejected):
            store.reads.begin_export(ACCESS, Resource.SHOP)

    @pytest.mark.parametrize("status", ["FAILED", "CANCELED", "EXPIRED", "SOMETHING_NEW"])
    def test_a_part_never_passes_for_the_whole(self, store: Store, status: str) -> None:
        operation = {"id": "gid://shopify/BulkOperation/7", "status": status, "errorCode": None, "objectCount": "5", "url": FILE}
        store.answers.append(httpx2.Response(200, json={"data": {"bulkOperation": operation}}))
        export = store.reads.look_at_export(ACCESS, "7")
        assert (export.state, export.url, export.reason) == ("failed", None, status.lower())
        with pytest.raises(Rejected):
            list(store.reads.read_export(ACCESS, export, Resource.ORDER))


def bare(record: Any) -> Any:
    """Without what an export leaves out (pictures of variants), and a text where pages have another form of the same."""
    if isinstance(record, Product):
        return replace(
            record, variants=tuple(sorted((replace(one, image_url=None) for one in record.variants), key=lambda one: one.platform_id))
        )
    if isinstance(record, CodeState | Customer):
        return record
    return replace(record, lines=tuple(sorted(record.lines, key=lambda line: line.key)))


class TestBrokenFiles:
    @pytest.mark.parametrize("fault", [BulkFault.CUT, BulkFault.PARTIAL, BulkFault.MISCOUNT, BulkFault.EXPIRED])
    def test_a_file_that_is_not_whole_gives_nothing(self, store: Store, fault: BulkFault) -> None:
        store.twin.shop.bulk.spoil_next(fault)
        export = exported(store, Resource.ORDER)
        assert export.state == "ready"
        pages = store.reads.read_export(ACCESS, export, Resource.ORDER)
        with pytest.raises(TransientError):
            next(pages)

    def test_a_failed_one_names_its_reason_and_no_file(self, store: Store) -> None:
        store.twin.shop.bulk.spoil_next(BulkFault.FAILED)
        export = exported(store, Resource.ORDER)
        assert (export.state, export.reason, export.url) == ("failed", "internal_server_error", None)

    @pytest.mark.parametrize("status", [301, 400, 403, 404, 410, 500, 503])
    def test_an_address_that_does_not_work_any_more_is_transient(self, status: int) -> None:
        transport, export, _ = a_file(b"<Error><Code>ExpiredToken</Code></Error>", status=status)
        with pytest.raises(TransientError) as caught:
            read(transport, export)
        assert caught.value.status == status

    @pytest.mark.parametrize(
        "lines",
        [
            [b"no json\n"],
            [b"[]\n"],
            [b"\xff\n"],
            [{"name": "without id"}],
            [customer(1), customer(2, __parentId="gid://shopify/Customer/9")],
            [b'{"id": "gid://shopify/Customer/1", "updatedAt": 5}\n'],
            [b'{"id": "' + b"x" * 5_000_000 + b'"}\n'],
        ],
        ids=["text", "list", "bytes", "no id", "orphan", "odd", "endless"],
    )
    def test_lines_that_make_no_sense_are_a_broken_file(self, lines: list[object]) -> None:
        transport, export, _ = a_file(*lines)
        with pytest.raises(TransientError):
            read(transport, export)

    def test_a_line_that_never_ends_is_given_up(self) -> None:
        made: list[int] = []

        def stream() -> Iterator[bytes]:
            for number in range(1000):
                made.append(number)
                yield b"x" * 100_000

        transport = Transport(inner=httpx2.MockTransport(lambda _: httpx2.Response(200, content=stream())))
        with pytest.raises(TransientError, match="without an end"):
            read(transport, Export("1", "ready", 1, FILE))
        assert len(made) < 100

    @pytest.mark.parametrize("url", ["http://storage.example/x", "file:///file.jsonl", "ftp://x", "/relative"])
    def test_only_an_https_address_is_fetched(self, url: str) -> None:
        transport, export, asked = a_file(customer(1))
        with pytest.raises(TransientError):
            read(transport, replace(export, url=url))
        assert asked == []


class TestFiles:
    def test_lines_end_with_a_line_feed_and_with_nothing_else(self) -> None:
        transport, export, _ = a_file(customer(1), customer(2, firstName="a\x85b\u2028c\u2029d"))
        found = read(transport, export)
        assert [one.first_name for one in found.values()].count("a\x85b\u2028c\u2029d") == 1

    def test_the_last_line_may_have_no_end(self) -> None:
        transport, export, _ = a_file(customer(1), json.dumps(customer(2)).encode())
        assert read(transport, export).keys() == {"1", "2"}

    def test_empty_lines_are_none(self) -> None:
        transport, export, _ = a_file(customer(1), b"\n", b" \n", customer(2), objects=2)
        assert read(transport, export).keys() == {"1", "2"}

    def test_one_record_that_makes_no_sense_does_not_hold_up_the_others(self) -> None:
        transport, export, _ = a_file(customer(1, updatedAt=None), customer(2))
        (page,) = bulk.read(transport, export, Resource.CUSTOMER)
        assert ([one.platform_id for one in page.records if isinstance(one, Customer)], page.unreadable) == (["2"], ("1: missing_time",))

    def test_codes_on_lines_of_their_own_belong_to_their_discount(self) -> None:
        gid = "gid://shopify/DiscountNode/5"
        discount = {"__typename": "DiscountCodeBasic", "status": "ACTIVE", "updatedAt": "2026-11-20T12:00:00Z", "context": None}
        codes = [{"id": f"gid://shopify/DiscountRedeemCode/{code}", "code": code, "__parentId": gid} for code in ("B", "A", "C")]
        transport, export, _ = a_file(codes[0], {"id": gid, "discount": discount}, *codes[1:], {"id": f"{gid}0", "discount": discount})
        (page,) = bulk.read(transport, export, Resource.DISCOUNT_CODE)
        assert [(one.platform_id, one.code) for one in page.records if isinstance(one, CodeState)] == [("5", "A")]
        assert page.unreadable == ("50: no_code",)

    def test_a_full_disk_is_transient(self) -> None:
        with pytest.raises(TransientError):
            bulk._sort(iter([json.dumps(customer(1)).encode()]), [Full()])

    def test_pages_are_of_a_size(self) -> None:
        transport, export, _ = a_file(*(customer(number) for number in range(bulk.PAGE * 2 + 1)))
        assert sorted(len(page.records) for page in bulk.read(transport, export, Resource.CUSTOMER)) == [1, bulk.PAGE, bulk.PAGE]

    def test_what_an_export_holds_in_memory_is_a_part_of_it(self) -> None:
        number = 12_000
        whole = number * len(json.dumps(self.long(0)))
        peak = self.peak(number)
        print(f"a file of {whole / 1e6:.0f} MB needs {peak / 1e6:.1f} MB at most")
        assert peak < whole / 2

    def long(self, number: int) -> dict[str, Any]:
        """A customer with very long names."""
        return customer(number, lastName="x" * 2000)

    def peak(self, number: int) -> int:
        """Bytes at most, while so many objects are read."""

        def stream() -> Iterator[bytes]:
            for one in range(number):
                yield json.dumps(self.long(one)).encode() + b"\n"

        transport = Transport(inner=httpx2.MockTransport(lambda _: httpx2.Response(200, content=stream())))
        tracemalloc.start()
        try:
            found = sum(len(page.records) for page in bulk.read(transport, Export("1", "ready", number, FILE), Resource.CUSTOMER))
            assert found == number
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
