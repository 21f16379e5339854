"""What differs between a record of ours and the store's, and a digest that is the same exactly if nothing does."""

from dataclasses import replace
from datetime import timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from connector.canonical import Channel, Consent, ConsentState, PaymentState, Phone, Resource, Variant
from connector.codes import CodeKind, CodeState, CodeStatus, Restriction
from connector.reading import Change
from connector.rules.comparing import differences, digest_of, fill_untold, is_equal, resource_of
from tests.factories import at, make_checkout, make_customer, make_line, make_order, make_product

CODE = CodeState("77", at(), "MERCI10", CodeKind.PERCENTAGE, CodeStatus.ACTIVE, restrictions=(Restriction.PRODUCTS,))
EVERY: list[Change] = [make_order(), make_checkout(), make_customer(), make_product(), CODE]


@pytest.mark.parametrize(
    ("record", "kind"),
    list(zip(EVERY, (Resource.ORDER, Resource.CHECKOUT, Resource.CUSTOMER, Resource.PRODUCT, Resource.DISCOUNT_CODE), strict=True)),
    ids=lambda one: type(one).__name__,
)
def test_a_record_equals_itself(record: Change, kind: Resource) -> None:
    assert resource_of(record) is kind
    assert is_equal(record, record)
    assert differences(record, record) == {}
    assert digest_of(record) == digest_of(replace(record))


def test_amounts_are_equal_by_value_and_instants_by_moment_and_when_it_was_told_does_not_count() -> None:
    ours = make_order(total=Decimal("12.50"), refunded_total=Decimal("0.00"), triggered_at=at(1))
    local = at(10).astimezone(timezone(timedelta(hours=2)))
    theirs = make_order(total=Decimal("12.5"), refunded_total=Decimal(0), source_version=local, triggered_at=None)

    assert is_equal(ours, theirs)
    assert differences(ours, theirs) == {}
    assert digest_of(ours) == digest_of(theirs)


@pytest.mark.parametrize(
    ("changes", "name", "found"),
    [
        ({"total": Decimal("13.00")}, "total", ("12.50", "13.00")),
        ({"total": Decimal("13.125")}, "total", ("12.50", "13.125")),
        ({"payment_state": PaymentState.REFUNDED}, "payment_state", ("paid", "refunded")),
        ({"is_test": True}, "is_test", ("no", "yes")),
        ({"cancelled_at": at(20)}, "cancelled_at", (None, "2026-11-20T09:20:00+00:00")),
        ({"phone": Phone("06 1", "+3361")}, "phone", (None, "+3361")),
        ({"phone": Phone("06 1")}, "phone", (None, "06 1")),
        ({"discount_codes": ("A", "B")}, "discount_codes", (None, "A, B")),
        ({"lines": (make_line(quantity=2),)}, "lines[1].quantity", ("1", "2")),
        ({"lines": (make_line(), make_line("102"))}, "lines[2].title", (None, "Bougie 102")),
        ({"placed_at": at(5)}, "placed_at", ("2026-11-20T09:10:00+00:00", "2026-11-20T09:05:00+00:00")),
    ],
    ids=lambda one: str(one)[:40],
)
def test_each_field_that_differs_is_named_with_both_values(
    changes: dict[str, Any], name: str, found: tuple[str | None, str | None]
) -> None:
    ours = make_order()
    theirs = fill_untold(ours, make_order(**changes))

    assert not is_equal(ours, theirs)
    assert differences(ours, theirs)[name] == found
    assert digest_of(ours) != digest_of(theirs)


def test_what_the_store_does_not_tell_stays_as_it_was() -> None:
    ours = make_order(checkout_token="tok", cart_token="cart", refunded_total=Decimal(3), is_disputed=True, email="anna@example.org")

    assert fill_untold(ours, make_order(email="anna@example.org")) == ours
    assert fill_untold(ours, make_order(email=None)).email is None
    assert fill_untold(ours, make_order(email=None), is_withheld=True) == ours


def test_the_earliest_instant_that_was_ever_told_is_no_difference() -> None:
    ours = make_order(placed_at=at(5), paid_at=at(6))

    assert fill_untold(ours, make_order(placed_at=at(10), paid_at=at(10))) == ours
    assert fill_untold(ours, make_order(placed_at=at(5), paid_at=None)) == ours
    assert fill_untold(ours, make_order(placed_at=at(4), paid_at=at(3))).paid_at == at(3)


def consent(state: ConsentState, minutes: float, channel: Channel = Channel.EMAIL) -> Consent:
    """A word on a channel."""
    return Consent(channel, state, at(minutes), "store")


@pytest.mark.parametrize(
    ("ours", "theirs", "kept"),
    [
        (consent(ConsentState.SUBSCRIBED, 5), consent(ConsentState.UNSUBSCRIBED, 1), ConsentState.SUBSCRIBED),
        (consent(ConsentState.SUBSCRIBED, 1), consent(ConsentState.UNSUBSCRIBED, 5), ConsentState.UNSUBSCRIBED),
        (consent(ConsentState.SUBSCRIBED, 1), consent(ConsentState.UNKNOWN, 5), ConsentState.SUBSCRIBED),
        (None, consent(ConsentState.SUBSCRIBED, 1), ConsentState.SUBSCRIBED),
        (consent(ConsentState.SUBSCRIBED, 1), consent(ConsentState.UNSUBSCRIBED, 1), ConsentState.UNSUBSCRIBED),
        (consent(ConsentState.UNSUBSCRIBED, 1), consent(ConsentState.SUBSCRIBED, 1), ConsentState.UNSUBSCRIBED),
        (consent(ConsentState.UNKNOWN, 5), consent(ConsentState.SUBSCRIBED, 1), ConsentState.SUBSCRIBED),
    ],
    ids=["ours is newer", "theirs is newer", "unknown is no word", "new", "the more careful", "ours is careful", "ours is no word"],
)
def test_of_consents_the_newer_word_counts(ours: Consent | None, theirs: Consent, kept: ConsentState) -> None:
    held = make_customer(consents=(ours,) if ours else ())
    told = make_customer(consents=(theirs,))

    filled = fill_untold(held, told)

    assert [one.state for one in filled.consents] == [kept]
    assert is_equal(held, filled) is (ours is not None and kept is ours.state)
    assert bool(differences(held, filled)) is not is_equal(held, filled)


@pytest.mark.parametrize("channel", list(Channel))
def test_a_yes_does_not_move_to_another_address(channel: Channel) -> None:
    """Who changes the address has not consented for the new one, whatever was said of the old one."""
    held = make_customer(consents=(consent(ConsentState.SUBSCRIBED, 5, channel),))
    told = make_customer(email="other@example.org", phone=Phone("06 1", "+33611111111"))

    assert fill_untold(held, told).consents == ()
    assert fill_untold(held, make_customer(email="ANNA.petit@example.org")).consents == held.consents


@pytest.mark.parametrize("channel", list(Channel))
def test_a_word_about_no_address_is_none(channel: Channel) -> None:
    nobody = make_customer(email=None, phone=None)

    assert is_equal(nobody, fill_untold(nobody, replace(nobody, consents=(consent(ConsentState.SUBSCRIBED, 5, channel),))))


def test_an_address_that_is_withheld_is_the_one_we_know() -> None:
    held = make_customer(consents=(consent(ConsentState.SUBSCRIBED, 5),))

    assert fill_untold(held, make_customer(email=None, phone=None), is_withheld=True) == held


def test_the_order_of_variants_and_of_consents_says_nothing() -> None:
    first, second = Variant("1", price=Decimal(3)), Variant("2", price=Decimal(4))
    channels = consent(ConsentState.SUBSCRIBED, 1), consent(ConsentState.SUBSCRIBED, 1, Channel.SMS)

    assert is_equal(make_product(variants=(first, second)), make_product(variants=(second, first)))
    assert is_equal(make_customer(consents=channels), make_customer(consents=channels[::-1]))
    found = differences(make_product(variants=(first,)), make_product(variants=(replace(first, price=Decimal(5)),)))
    assert found == {"variants[1].price": ("3.00", "5.00")}


def test_a_link_that_is_signed_anew_each_time_is_no_difference_and_one_that_is_missing_is() -> None:
    ours = make_checkout(recovery_url="https://shop.example/?sig=1")

    assert is_equal(ours, make_checkout(recovery_url="https://shop.example/?sig=2"))
    assert differences(ours, make_checkout(recovery_url=None)) == {"recovery_url": ("yes", "no")}


def test_a_code_that_changed_is_told_by_its_words() -> None:
    theirs = replace(CODE, status=CodeStatus.EXPIRED, restrictions=(), used=3, codes=7)

    assert differences(CODE, theirs) == {"status": ("active", "expired"), "used": ("0", "3"), "restrictions": ("products", None)}
