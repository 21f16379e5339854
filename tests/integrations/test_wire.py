"""Pages and errors that travel between two processes arrive as they were."""

import io
import socket
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from connector import platform_errors as errors
from connector import wire
from connector.asked import Access, Listing
from connector.canonical import Channel, Consent, ConsentState, Money, Removed, Resource
from connector.codes import CodeKind, CodeState, CodeStatus, Restriction
from connector.reading import Export, Page
from connector.wire import BrokenReading, CallEnded, Ended, Failed, Network, PageBrought, Request
from integrations.transport import AddressRefused, UntrustedError
from tests.factories import at, make_cart, make_checkout, make_customer, make_order, make_product

CALL = {"platform": "woocommerce", "call": "orders", "status": 429}
CODE = CodeState(
    "77", at(), "SUMMER", CodeKind.PERCENTAGE, CodeStatus.ACTIVE, value=Decimal("12.50"), restrictions=(Restriction.EMAILS,), codes=3
)
PAGES = (
    Page(()),
    Page((make_order(), make_order(platform_id="2", total=Decimal("1E+2"), cancelled_at=at(3))), cursor="next"),
    Page((make_checkout(), make_cart(), make_order(), make_checkout(platform_id="9")), unreadable=("4: no currency",), withheld=("email",)),
    Page((make_product(), CODE), gone=(Removed(Resource.PRODUCT, at(1), "8"), Removed(Resource.CHECKOUT, at(2), cart_token="c"))),
    Page((make_customer(consents=(Consent(Channel.SMS, ConsentState.SUBSCRIBED, at(1), "form"),), first_name="Zoë 🦊"),)),
)
ERRORS = (
    errors.PlatformError("words", **CALL),
    errors.TransientError("words", **CALL),
    errors.ThrottledError("words", retry_after=2.5, **CALL),
    errors.AccessLost("words", platform="shopify"),
    errors.NotPermitted("words", **CALL),
    errors.ShopClosed("words", **CALL),
    errors.Rejected("words", **CALL),
    errors.Gone("words", **CALL),
    errors.PayloadError("words", platform="woocommerce", reason="shape"),
    errors.OtherSite("words", platform="woocommerce", host="copy.example"),
)


def sent(*messages: Network | Request | PageBrought | Failed | Ended) -> io.BytesIO:
    """What arrives of messages."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for message in messages:
            wire.send(ours, message)
        ours.close()
        with theirs.makefile("rb") as stream:
            return io.BytesIO(stream.read())


@pytest.mark.parametrize("page", PAGES)
def test_a_page_arrives_as_it_was(page: Page) -> None:
    calls = [CallEnded("woocommerce", "orders", "ok", 0.25), CallEnded("woocommerce", "orders", "", 3.0, is_throttled=True)]
    brought, ended = wire.read_answers(sent(wire.to_brought(page, calls), Ended([])))
    assert isinstance(brought, PageBrought)
    assert wire.to_page(brought) == page
    assert brought.calls == calls
    assert ended == Ended([])


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_of_a_platform_arrives_as_it_was(error: errors.PlatformError) -> None:
    (failed,) = wire.read_answers(sent(wire.to_failed(error, [])))
    assert isinstance(failed, Failed)
    assert wire.is_known(failed)
    found = wire.to_error(failed)
    assert type(found) is type(error)
    assert (str(found), vars(found)) == (str(error), vars(error))


def test_every_error_that_reading_may_raise_has_a_case_here() -> None:
    elsewhere = {errors.BadSignature, errors.InstallRefused, errors.CodeTaken}
    kinds = {one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.PlatformError)}
    assert {type(one) for one in ERRORS} == kinds - elsewhere


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (UntrustedError("certificate has expired", platform="woocommerce", call="orders"), errors.TransientError),
        (AddressRefused("leads nowhere", platform="woocommerce", call="orders"), errors.Rejected),
    ],
)
def test_a_finer_kind_arrives_as_the_nearest_that_is_known(error: errors.PlatformError, kind: type[errors.PlatformError]) -> None:
    found = wire.to_error(wire.to_failed(error, []))
    assert type(found) is kind
    assert str(found) == str(error)


def test_of_an_error_of_our_own_only_the_name_travels() -> None:
    failed = wire.to_failed(KeyError("anna@example.org"), [])
    assert not wire.is_known(failed)
    found = wire.to_error(failed)
    assert isinstance(found, BrokenReading)
    assert str(found) == "KeyError"
    assert "anna" not in repr(failed)


def test_what_is_wanted_arrives_whole_and_shows_no_credentials() -> None:
    export = Export("gid://1", "ready", 12, "https://files.example/x", "")
    for listing in (Listing(Resource.ORDER, at(), at(5), "c"), Listing(Resource.CUSTOMER, export=export, skip=3)):
        wanted = Request("shopify", Access(7, "s.example", {"token": "hush"}), listing, timedelta(days=2, microseconds=1))
        assert wire.read_request(sent(wanted)) == wanted
        assert "hush" not in repr(wanted)


def test_the_first_message_is_taken_without_a_byte_of_what_follows() -> None:
    network = Network({"a.example": "127.0.0.1:443"}, None, True)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        wire.send(ours, network)
        ours.sendall(b"+")
        assert wire.receive_network(theirs) == network
        assert theirs.recv(10) == b"+"


@pytest.mark.parametrize("length", [0, 3, 4, 20])
def test_a_message_that_is_cut_is_no_message(length: int) -> None:
    whole = sent(wire.to_brought(PAGES[1], [])).getvalue()
    with pytest.raises(EOFError):
        next(wire.read_answers(io.BytesIO(whole[:length])))
    ours, theirs = socket.socketpair()
    with theirs:
        ours.sendall(whole[:length])
        ours.close()
        with pytest.raises(EOFError):
            wire.receive_network(theirs)


def test_money_and_instants_are_exact() -> None:
    order = make_order(total=Decimal("19.90000"), placed_at=datetime(2026, 11, 21, 23, 59, 59, 999_999, tzinfo=UTC))
    (found,) = wire.to_page(wire.to_brought(Page((order,)), [])).records
    assert str(found.total) == "19.90000"  # type: ignore[union-attr] # an order
    assert found.placed_at == order.placed_at  # type: ignore[union-attr]
    assert Money(found.total, "EUR") == Money(order.total, "EUR")  # type: ignore[union-attr]
