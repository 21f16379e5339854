"""Owners are told of their offers: one mail for each suspension, one for each end that comes near, none on repeated looks."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from connector.canonical import ScopesChanged, ShopProfile
from connector.codes import CodeKind, Restriction
from connector.messages.envelope import Envelope
from connector.store import shops
from connector.store.db import Session, app_now
from connector.store.tables import ShopRow
from sync import offers as tending
from sync import post
from tests.conftest import TestShop, profile
from tests.fake_sender import FakeSender
from tests.sync.offer_desk import OfferDesk

OWNER = "bonjour@demo.myshopify.com"


@pytest.fixture
def active(desk: OfferDesk) -> str:
    """An active offer whose code ends in ten days; its owner reads English."""
    desk.hold_code(ends_at=desk.now + timedelta(days=10))
    name = desk.publish()
    with desk.services.db.engine.begin() as connection:
        connection.execute(text("update members set language = 'en'"))
    return name


def in_shop(act: Callable[[Session, OfferDesk, ShopRow], object]) -> Callable[[OfferDesk], None]:
    """Something happens to the shop itself."""

    def happens(desk: OfferDesk) -> None:
        with desk.services.db.transaction(shop=desk.shop_id) as session:
            act(session, desk, shops.get_shop(session, desk.shop_id))

    return happens


def closed() -> ShopProfile:
    return replace(profile("Démo", "demo.myshopify.com"), is_open=False)


HAPPENINGS: list[tuple[str, Callable[[OfferDesk], object], str]] = [
    ("code_deleted", lambda desk: desk.drop_code(), "does not exist in the store any more"),
    ("code_expired", lambda desk: desk.later(days=10, seconds=1), "has expired"),
    ("code_used_up", lambda desk: desk.hold_code(usage_limit=3, used=3), "used as often as it may be"),
    ("code_not_started", lambda desk: desk.hold_code(starts_at=desk.now + timedelta(days=2)), "not valid yet"),
    ("restricted", lambda desk: desk.hold_code(restrictions=(Restriction.PRODUCTS,)), "certain products or collections only"),
    ("wrong_kind", lambda desk: desk.hold_code(kind=CodeKind.OTHER, value=None), "of a kind that an offer cannot give"),
]
REQUIREMENTS: list[tuple[str, Callable[[OfferDesk], object], str]] = [
    (
        "connection",
        in_shop(lambda session, desk, shop: shops.mark_access_lost(session, desk.services.vault, desk.shop_id)),
        "The store is no longer connected.",
    ),
    ("shop_open", in_shop(lambda session, desk, shop: shops.note_frozen(session, desk.shop_id)), "closed, paused or frozen"),
    ("storefront", in_shop(lambda session, desk, shop: shops.save_profile(session, desk.shop_id, closed())), "protected by a password"),
    (
        "scopes",
        in_shop(
            lambda session, desk, shop: shops.note_scopes(
                session, desk.shop_id, ScopesChanged((), ("write_discounts",), app_now(session) + timedelta(seconds=1))
            )
        ),
        "We lack permissions",
    ),
]


def looks(desk: OfferDesk) -> None:
    """Time goes by, and the worker looks at everything again and again."""
    for _ in range(4):
        desk.tend()
        post.post_mails(desk.services)
        desk.later(hours=7)


def of_offers(sender: FakeSender) -> list[Envelope]:
    return [envelope for envelope in sender.handed if "offer" in envelope.subject]


@pytest.mark.spec("SH-31")
@pytest.mark.parametrize(("reason", "happens", "says"), HAPPENINGS, ids=[one[0] for one in HAPPENINGS])
def test_a_suspension_is_one_mail_that_asks_for_a_new_code_and_none_on_repeated_looks(
    desk: OfferDesk, active: str, sender: FakeSender, shopify_shop: TestShop, reason: str, happens: Callable[[OfferDesk], object], says: str
) -> None:
    happens(desk)
    looks(desk)
    (envelope,) = of_offers(sender)
    assert (envelope.to, envelope.subject) == (OWNER, "The offer “Thanks” of Démo is suspended")
    with desk.services.db.transaction(shop=desk.shop_id) as session:
        page = f"https://connector.test/app/shops/{shops.get_shop(session, desk.shop_id).public_id}/offers/{active}"
    for part in (envelope.text, envelope.html):
        assert says in part
        assert "create a new discount code and add it to the offer" in part
        assert page in part


@pytest.mark.spec("SH-31")
@pytest.mark.parametrize(("requirement", "happens", "says"), REQUIREMENTS, ids=[one[0] for one in REQUIREMENTS])
def test_a_requirement_is_one_mail_that_names_it(
    desk: OfferDesk, active: str, sender: FakeSender, requirement: str, happens: Callable[[OfferDesk], object], says: str
) -> None:
    happens(desk)
    looks(desk)
    (envelope,) = of_offers(sender)
    assert envelope.to == OWNER
    assert f"/offers/{active}" in envelope.text
    assert says in envelope.text
    assert "goes on by itself" in envelope.text
    assert "new discount code" not in envelope.text
    assert desk.offer(active).detail == requirement


def test_a_second_suspension_after_the_offer_went_on_is_told_again(desk: OfferDesk, active: str, sender: FakeSender) -> None:
    desk.drop_code()
    looks(desk)
    desk.hold_code("MERCI15")
    desk.change(active, code="MERCI15")
    looks(desk)
    assert (desk.offer(active).state, len(of_offers(sender))) == ("active", 1)
    desk.drop_code("MERCI15")
    looks(desk)
    assert (desk.offer(active).state, len(of_offers(sender))) == ("suspended", 2)


def test_while_there_is_no_sender_the_letter_waits_and_leaves_once_there_is_one(desk: OfferDesk, active: str, sender: FakeSender) -> None:
    tending.tend(replace(desk.services, mail=None), desk.shop_id)
    assert (desk.offer(active).state, desk.offer(active).detail, of_offers(sender)) == ("suspended", "sender", [])
    looks(desk)
    assert [envelope.to for envelope in of_offers(sender)] == [OWNER]
    assert "set up the sending of e-mails" in of_offers(sender)[0].text


def test_three_days_before_the_end_owners_are_told_once_and_then_once_more_when_it_has_come(
    desk: OfferDesk, active: str, sender: FakeSender
) -> None:
    looks(desk)
    assert of_offers(sender) == []
    desk.later(days=6)
    looks(desk)
    (near,) = of_offers(sender)
    assert near.subject == "The offer “Thanks” of Démo ends soon"
    assert "one click gives it a new code" in near.text
    desk.later(days=3)
    looks(desk)
    assert [envelope.subject for envelope in of_offers(sender)] == [near.subject, "The offer “Thanks” of Démo is suspended"]
