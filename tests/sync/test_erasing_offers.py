"""What offers know of a person who is erased: who it was goes, that something was given stays, and nobody else gets what was theirs."""

import pytest

from connector.canonical import Phone
from connector.rules.subjects import Subject
from connector.store import erasing_offers
from connector.store.db import Wake
from connector.store.offer_tables import GrantRow
from sync import erase
from tests.factories import EMAIL
from tests.sync.bodies import dump
from tests.sync.offer_desk import OfferDesk
from tests.sync.world import World

PERSONAL = ("person_key", "customer_platform_id", "email", "email_norm", "phone_e164", "first_name", "language")
PHONE = Phone("06 12 34 56 78", "+33612345678")


@pytest.fixture
def offering(world: World) -> OfferDesk:
    """The shop of the story with an active offer."""
    desk = OfferDesk(world.services, world.shop.id)
    desk.hold_code()
    desk.publish()
    return desk


def forget(world: World, **customer: object) -> None:
    """The platform asks for a person to be erased, and they are."""
    body = dump({"shop_id": 1, "shop_domain": world.shop.domain, "customer": customer, "orders_to_redact": []})
    world.arrive("customers/redact", body, world.now())
    for _ in range(3):
        erase.erase(world.services, world.shop.id)
    assert world.rows("select state from privacy_requests where state <> 'done'") == []


def told(grant: GrantRow) -> list[str]:
    """Which of its columns still say who it was."""
    return [name for name in PERSONAL if getattr(grant, name) is not None]


def test_what_was_given_stays_without_whoever_it_was_and_is_over(world: World, offering: OfferDesk) -> None:
    order = offering.buy(customer_id="7", first_name="Anna", phone=PHONE, language="fr")
    other = offering.buy("paul@example.org", customer_id="8")
    before = offering.grant(order)
    assert len(told(before)) == len(PERSONAL)
    forget(world, id=7, email=EMAIL)
    after, paul = offering.grant(order), offering.grant(other)
    assert (told(after), after.state, after.reason) == ([], "ended", "erased")
    assert (after.code, after.order_id, after.granted_at) == (before.code, before.order_id, before.granted_at)
    assert offering.hidden(after) == "ended"
    assert (paul.email_norm, paul.state, offering.hidden(paul)) == ("paul@example.org", "live", None)


def test_who_used_theirs_has_used_it_whoever_they_were(world: World, offering: OfferDesk) -> None:
    order = offering.buy()
    offering.later(minutes=1)
    offering.buy(discount_codes=["MERCI10"])
    forget(world, email=EMAIL)
    grant = offering.grant(order)
    assert (told(grant), grant.state, grant.reason) == ([], "used", "used")
    assert grant.used_order_id is not None


def test_its_order_is_decided_once_and_who_comes_back_is_somebody_new(world: World, offering: OfferDesk) -> None:
    order = offering.buy()
    forget(world, email=EMAIL)
    offering.change_order(order, email=None)
    assert offering.decision(order) == "granted"
    assert len(offering.grants()) == 1
    offering.later(minutes=1)
    again = offering.buy()
    assert offering.decision(again) == "granted"
    assert offering.grant(again).email_norm == EMAIL


def lock_code(world: World, grant: GrantRow, code: str, email: str, actual: str) -> None:
    """A code was made that is good for one address only."""
    world.execute(
        """
        insert into offer_codes (public_id, shop_id, offer_id, version_id, role, code, email, wanted, actual, grant_id, created_at,
            changed_at, due_at)
        values (:code, :shop, :offer, :version, 'unique', :code, :email, 'issued', :actual, :grant, app_now(), app_now(),
            app_now() + interval '1 day')
        """,
        code=code,
        offer=grant.offer_id,
        version=grant.version_id,
        email=email,
        actual=actual,
        grant=grant.id,
    )


def test_a_code_that_holds_their_address_is_taken_out_of_the_store_too_and_given_to_nobody(world: World, offering: OfferDesk) -> None:
    grant = offering.grant(offering.buy())
    paul = offering.grant(offering.buy("paul@example.org"))
    lock_code(world, grant, "ANNA-1", EMAIL.upper(), "issued")
    lock_code(world, paul, "PAUL-1", "paul@example.org", "issued")
    rung: list[Wake] = []
    world.db.on_wake(rung.append)
    forget(world, email=EMAIL)
    rows = world.rows("select code, email, wanted, grant_id is not null held, due_at <= app_now() due from offer_codes order by code")
    assert rows == [
        {"code": "ANNA-1", "email": None, "wanted": "deleted", "held": True, "due": True},
        {"code": "PAUL-1", "email": "paul@example.org", "wanted": "issued", "held": True, "due": False},
    ]
    assert Wake("make_codes", world.shop.id) in rung


def test_a_phone_tells_a_person_only_where_nothing_tells_another(world: World, offering: OfferDesk) -> None:
    lone = offering.buy(None, phone=PHONE)
    lent = offering.buy("paul@example.org", phone=PHONE)
    forget(world, phone=PHONE.raw)
    assert (told(offering.grant(lone)), len(told(offering.grant(lent))) > 0) == ([], True)


def test_it_is_done_by_portions_and_done_twice_it_is_done_once(world: World, offering: OfferDesk) -> None:
    orders = [offering.buy(None, customer_id=str(number)) for number in range(3)]
    anna = Subject(customers=frozenset({"0", "1"}))
    counts = []
    for _ in range(3):
        with world.db.system_transaction("erase for a test") as session:
            counts.append(erasing_offers.erase_grants(session, world.shop.id, anna, limit=1))
    assert counts == [1, 1, 0]
    assert [len(told(offering.grant(order))) > 0 for order in orders] == [False, False, True]


def test_an_address_that_only_a_grant_remembers_is_theirs(world: World, offering: OfferDesk) -> None:
    """The order got another address since; what was given under the first one is found by their number all the same, and the reverse."""
    order = offering.buy("first@example.org", customer_id="7")
    offering.change_order(order, email="second@example.org")
    world.execute("update grants set customer_platform_id = '7'")
    offering.later(minutes=1)
    offering.buy("first@example.org")
    forget(world, id=7)
    assert [told(one) for one in offering.grants()] == [[]] * len(offering.grants())
    assert world.rows("select email from orders where email is not null") == []
