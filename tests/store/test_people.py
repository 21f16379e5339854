"""Contacts, consent, suppression, and which deliveries speak of whom."""

import threading
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session

from connector.canonical import Channel, Checkout, Consent, ConsentState, Customer, Order, Phone
from connector.store import people, records
from connector.store.db import Database
from connector.store.people import ConsentWord
from connector.store.sealed import Vault
from connector.store.shops import get_shop
from tests.conftest import TestShop, install
from tests.factories import EMAIL, T0, at, make_checkout, make_customer, make_order

Record = Customer | Checkout | Order
PHONE = Phone("06 45 67 89 01", "+33645678901")


def account(session: Session, shop: TestShop) -> int:
    """The account of a shop."""
    return get_shop(session, shop.id).account_id


def word(state: ConsentState, when: datetime, source: str = "store", address: str = EMAIL, channel: Channel = Channel.EMAIL) -> ConsentWord:
    """One consent."""
    return ConsentWord(address, Consent(channel, state, when, source))


@pytest.mark.spec("AC-49")
def test_a_contact_is_found_by_its_email_without_case(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    told: list[Record] = [
        make_customer(email="ANNA.Petit@example.org"),
        make_checkout(at(1), email=" anna.petit@EXAMPLE.org"),
        make_order(email=EMAIL),
    ]
    for record in told:
        people.save_contacts(session, account(session, shopify_shop), [record])

    assert [row["email"] for row in rows("select email from contacts")] == [EMAIL]


def test_who_cannot_be_addressed_is_no_contact(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    people.save_contacts(session, account(session, shopify_shop), [make_customer(email=None), make_checkout(email="anna@exam")])

    assert rows("select * from contacts") == []


@pytest.mark.spec("AC-47", "AC-48", "AC-50", "AC-51")
def test_a_contact_keeps_the_newest_of_each_field_and_is_never_emptied(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    told: list[Record] = [
        make_checkout(at(5), first_name="Anna", last_name="", company="Petit & Filles", language="fr-FR"),
        make_customer(at(1), first_name="A.", last_name="Petit", company=None, phone=PHONE),
        make_order(at(9), first_name=None, last_name=None),
    ]
    for turn in (told, told[::-1]):
        for record in turn:
            people.save_contacts(session, account(session, shopify_shop), [record])

    (contact,) = rows("select * from contacts")
    assert (contact["first_name"], contact["last_name"], contact["company"]) == ("Anna", "Petit", "Petit & Filles")
    assert (contact["phone_raw"], contact["phone_e164"], contact["language"]) == (PHONE.raw, PHONE.e164, "fr-FR")


def test_a_newer_phone_that_cannot_be_read_empties_the_e164_form(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    for version, phone in ((T0, PHONE), (at(1), Phone("office"))):
        people.save_contacts(session, account(session, shopify_shop), [make_customer(version, phone=phone)])

    assert rows("select phone_raw, phone_e164 from contacts") == [{"phone_raw": "office", "phone_e164": None}]


def test_a_customer_points_at_the_contact_of_its_present_email(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    of = "select k.email from customers c left join contacts k on k.id = c.contact_id"
    for version, email, expected in ((T0, EMAIL, EMAIL), (at(1), "new@example.org", "new@example.org"), (at(2), None, None)):
        customer = make_customer(version, email=email)
        contacts = people.save_contacts(session, account(session, shopify_shop), [customer])
        records.save_customers(session, shopify_shop.id, [customer], contacts)
        assert rows(of) == [{"email": expected}]


def test_two_shops_of_an_account_that_meet_the_same_people_do_not_block_each_other(db: Database, vault: Vault) -> None:
    shops = [install(db, vault, "shopify", f"s{n}.myshopify.com", "S") for n in range(2)]
    with db.engine.begin() as connection:
        connection.execute(text("update shops set account_id = (select min(account_id) from shops)"))
    everybody = [make_customer(email=f"p{n}@example.org") for n in range(40)]
    failures: list[Exception] = []

    def save(shop: TestShop, turn: int) -> None:
        try:
            for _ in range(5):
                with db.transaction(shop=shop.id) as session:
                    people.save_contacts(session, account(session, shop), everybody[::turn])
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=save, args=(shop, turn)) for shop, turn in zip(shops, (1, -1), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    with db.engine.connect() as connection:
        assert connection.execute(text("select count(*) from contacts")).scalar() == 40


def test_a_ticked_box_says_yes_as_of_the_beginning_and_an_empty_one_says_nothing() -> None:
    ticked = make_checkout(at(9), accepts_email=True, accepts_sms=True, checkout_phone=PHONE, created_at=T0)

    assert people.consent_words([make_checkout(), make_order()]) == []
    assert people.consent_words([ticked]) == [
        word(ConsentState.SUBSCRIBED, T0, "checkout"),
        word(ConsentState.SUBSCRIBED, T0, "checkout", "+33645678901", Channel.SMS),
    ]


def test_consent_needs_the_address_it_speaks_of() -> None:
    consents = (
        Consent(Channel.EMAIL, ConsentState.SUBSCRIBED, T0, "store"),
        Consent(Channel.SMS, ConsentState.UNSUBSCRIBED, T0, "store"),
    )

    assert people.consent_words([make_customer(email=None, phone=None, consents=consents)]) == []
    assert people.consent_words([make_checkout(email=None, accepts_email=True, accepts_sms=True)]) == []
    assert [w.address for w in people.consent_words([make_customer(phone=PHONE, consents=consents)])] == [EMAIL, "+33645678901"]


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("turn", [1, -1])
@pytest.mark.parametrize(
    ("words", "state", "source"),
    [
        ([word(ConsentState.SUBSCRIBED, T0), word(ConsentState.UNSUBSCRIBED, at(1))], "unsubscribed", "store"),
        ([word(ConsentState.UNSUBSCRIBED, T0), word(ConsentState.SUBSCRIBED, at(1))], "subscribed", "store"),
        ([word(ConsentState.SUBSCRIBED, T0), word(ConsentState.UNSUBSCRIBED, T0), word(ConsentState.UNKNOWN, T0)], "unsubscribed", "store"),
        ([word(ConsentState.SUBSCRIBED, T0, "a"), word(ConsentState.SUBSCRIBED, T0, "b")], "subscribed", "b"),
        ([word(ConsentState.UNSUBSCRIBED, T0), word(ConsentState.UNKNOWN, at(1))], "unsubscribed", "store"),
        ([word(ConsentState.SUBSCRIBED, T0), word(ConsentState.UNKNOWN, at(2)), word(ConsentState.PENDING, at(1))], "pending", "store"),
        ([word(ConsentState.UNKNOWN, T0, "a"), word(ConsentState.UNKNOWN, at(1), "b")], "unknown", "b"),
    ],
)
def test_the_newest_word_counts_in_any_order_and_of_equals_the_more_careful_one(
    session: Session, shopify_shop: TestShop, rows: Any, words: list[ConsentWord], state: str, source: str, turn: int, at_once: bool
) -> None:
    for batch in [words[::turn]] if at_once else [[one] for one in words[::turn]]:
        people.save_consents(session, shopify_shop.id, batch)
    people.save_consents(session, shopify_shop.id, [])

    assert rows("select state, source from consents") == [{"state": state, "source": source}]


def test_an_unsubscribe_during_a_checkout_is_not_undone_by_the_checkouts_next_version(
    session: Session, shopify_shop: TestShop, rows: Any
) -> None:
    people.save_consents(session, shopify_shop.id, people.consent_words([make_checkout(at(1), accepts_email=True)]))
    people.save_consents(session, shopify_shop.id, [word(ConsentState.UNSUBSCRIBED, at(5))])
    people.save_consents(session, shopify_shop.id, people.consent_words([make_checkout(at(9), accepts_email=True)]))

    assert rows("select state from consents") == [{"state": "unsubscribed"}]


@pytest.mark.spec("SW-08")
def test_a_suppressed_address_is_known_only_by_its_hash_and_only_in_its_shop(
    db: Database, vault: Vault, shopify_shop: TestShop, woo_shop: TestShop
) -> None:
    with db.transaction(shop=shopify_shop.id) as session:
        assert people.suppress(session, vault, shopify_shop.id, Channel.EMAIL, "Anna.Petit@Example.org ", "unsubscribed")
        assert not people.suppress(session, vault, shopify_shop.id, Channel.EMAIL, EMAIL, "manual")
        assert people.suppressed_among(session, vault, shopify_shop.id, Channel.EMAIL, [EMAIL, "b@example.org"]) == {EMAIL}
        assert people.suppressed_among(session, vault, shopify_shop.id, Channel.SMS, [EMAIL]) == set()
        assert people.suppressed_among(session, vault, shopify_shop.id, Channel.EMAIL, []) == set()
        (kept,) = session.execute(text("select address_hash, reason from suppressions")).all()
        assert len(kept[0]) == 32
        assert kept[1] == "unsubscribed"
    with db.transaction(shop=woo_shop.id) as session:
        assert people.suppressed_among(session, vault, woo_shop.id, Channel.EMAIL, [EMAIL]) == set()
    with db.engine.connect() as connection:
        assert EMAIL not in str(connection.execute(text("select * from suppressions")).all())


def test_the_stores_own_unsubscribe_counts_too(session: Session, vault: Vault, shopify_shop: TestShop) -> None:
    people.save_consents(
        session, shopify_shop.id, [word(ConsentState.UNSUBSCRIBED, T0), word(ConsentState.PENDING, T0, address="b@example.org")]
    )

    found = people.suppressed_among(session, vault, shopify_shop.id, Channel.EMAIL, [EMAIL, "b@example.org"])
    assert found == {EMAIL}


def test_shared_locks_of_an_address_pass_each_other_and_an_exclusive_one_waits(db: Database, vault: Vault, shopify_shop: TestShop) -> None:
    got: list[str] = []

    def take(shared: bool) -> None:
        with db.transaction(shop=shopify_shop.id) as session:
            people.lock_address(session, vault, shopify_shop.id, Channel.EMAIL, EMAIL, shared=shared)
            got.append("shared" if shared else "exclusive")

    with db.transaction(shop=shopify_shop.id) as session:
        people.lock_address(session, vault, shopify_shop.id, Channel.EMAIL, EMAIL.upper(), shared=True)
        take(shared=True)
        waiting = threading.Thread(target=take, args=(False,))
        waiting.start()
        waiting.join(0.2)
        assert got == ["shared"]
    waiting.join()
    assert got == ["shared", "exclusive"]


def test_the_persons_of_a_record_are_told_by_email_customer_and_phones(vault: Vault) -> None:
    checkout = make_checkout(customer_id="7340", phone=PHONE, checkout_phone=Phone("07 11 22 33 44", "+33711223344"))
    customer, order = make_customer(phone=PHONE), make_order(customer_id="7340", phone=PHONE)
    hashes = [people.person_hashes(vault, 1, record) for record in (checkout, customer, order)]

    assert len(hashes[0]) == 4
    assert hashes[1] == hashes[2] < hashes[0]
    assert people.person_hashes(vault, 1, make_checkout(email=None, phone=Phone("office"))) == set()
    assert not hashes[1] & people.person_hashes(vault, 2, customer)
