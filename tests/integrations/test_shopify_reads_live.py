"""The whole way: TLS, connection pool, the pretend Shopify's own server, files of exports under their signed address."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from connector.canonical import Order, Resource
from connector.platforms import AccessLost, Reads, TransientError
from connector.reading import Export
from tests.integrations.sandbox_calls import Calls, connected


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calls]:
    """A shop with one order, and the adapter connected to it."""
    with connected(Path(tmp_path_factory.mktemp("world"))) as made:
        yield made


@pytest.fixture
def reads(calls: Calls) -> Reads:
    """What the shop can be asked."""
    found = calls.platforms["shopify"].reads
    assert found is not None
    return found


def ended(reads: Reads, calls: Calls, what: Resource) -> Export:
    export = reads.begin_export(calls.shopify, what)
    for _ in range(5):
        if export.state != "running":
            break
        export = reads.look_at_export(calls.shopify, export.platform_id)
    return export


@pytest.mark.parametrize("what", [Resource.ORDER, Resource.CUSTOMER, Resource.PRODUCT, Resource.CHECKOUT])
def test_pages_counts_single_records_and_exports_agree(reads: Reads, calls: Calls, what: Resource) -> None:
    page = reads.changes(calls.shopify, what, calls.at - timedelta(days=400))
    listed = {one.platform_id for one in page.records}
    assert listed
    assert (page.cursor, page.unreadable, page.withheld) == (None, (), ())
    assert reads.count(calls.shopify, what).number == len(listed)
    assert all(reads.record_now(calls.shopify, what, one) is not None for one in listed)
    exported = [one.platform_id for part in reads.read_export(calls.shopify, ended(reads, calls, what), what) for one in part.records]
    assert sorted(exported) == sorted(listed)


def test_a_checkout_that_was_paid_is_found_to_be_and_its_lines_are_on_sale(reads: Reads, calls: Calls) -> None:
    (order,) = reads.changes(calls.shopify, Resource.ORDER, None).records
    assert isinstance(order, Order)
    assert reads.orders_of(calls.shopify, order.checkout_token, None) == reads.orders_of(calls.shopify, None, order.cart_token) == [order]
    wanted = [(line.product_id or "", line.variant_id) for line in order.lines]
    assert [line.is_available for line in reads.lines_now(calls.shopify, wanted)] == [True] * len(wanted)


def test_a_signed_address_that_was_changed_is_no_file(reads: Reads, calls: Calls) -> None:
    export = ended(reads, calls, Resource.ORDER)
    forged = Export(export.platform_id, "ready", export.objects, (export.url or "").replace("Signature=", "Signature=0"))
    with pytest.raises(TransientError):
        list(reads.read_export(calls.shopify, forged, Resource.ORDER))


def test_the_file_host_never_saw_an_access_token(reads: Reads, calls: Calls) -> None:
    list(reads.read_export(calls.shopify, ended(reads, calls, Resource.ORDER), Resource.ORDER))
    assert calls.app.world.shopify.shop.bulk.tokens_seen == 0


def test_a_token_that_shopify_does_not_know_is_lost_access(reads: Reads, calls: Calls) -> None:
    stranger = type(calls.shopify)(1, calls.shopify.domain, {"access_token": "shpat_of_nobody"})
    with pytest.raises(AccessLost):
        reads.changes(stranger, Resource.ORDER, None)
