"""What suspends an offer by itself, who is told, and what ends that, on either pretend store (SH-27 to SH-31, SH-33, NH-18)."""

from datetime import timedelta

import pytest

from tests.flows.offer_acts import ShopifyActs, Wanted
from tests.flows.offer_stage import OfferShop
from tests.sync.shopify_stage import SCOPES

ANNA, BEN, CLEO = "anna@shopper.example", "ben@shopper.example", "cleo@shopper.example"


@pytest.mark.spec("SH-27")
def test_a_deletion_that_no_webhook_tells_of_is_seen_within_five_minutes(here: OfferShop) -> None:
    here.acts.make(Wanted("PARTI"))
    offer = here.shared("PARTI")
    here.bought(ANNA)

    here.acts.delete_silently("PARTI")
    here.later(5)

    assert here.standing(offer) == ("suspended", "code_deleted")
    assert here.decisions(here.bought(BEN)) == ["offer_suspended"]
    assert len(here.grants()) == 1


@pytest.mark.spec("SH-29")
def test_a_code_that_is_limited_to_products_later_suspends_the_offer(here: OfferShop) -> None:
    here.acts.make(Wanted("MERCI10"))
    offer = here.shared("MERCI10")
    order = here.bought(ANNA)

    here.acts.restrict("MERCI10")
    here.later(5)

    assert here.standing(offer) == ("suspended", "unsupported_type")
    assert here.offer(offer)["detail"] == "restricted_to_products"
    assert here.decisions(here.bought(BEN)) == ["offer_suspended"]
    assert not here.is_shown(order)


@pytest.mark.spec("SH-29")
def test_a_code_that_becomes_another_sort_suspends_the_offer(here: OfferShop) -> None:
    here.acts.make(Wanted("MERCI10"))
    offer = here.shared("MERCI10")

    here.acts.delete("MERCI10")
    here.acts.make(Wanted("MERCI10", kind="buy_x"))
    here.later(5)

    assert here.standing(offer)[0] == "suspended"
    assert here.standing(offer)[1] in ("unsupported_type", "code_deleted")
    assert here.decisions(here.bought(BEN)) == ["offer_suspended"]


@pytest.mark.spec("SH-30")
def test_a_store_behind_a_password_suspends_its_offers_and_they_come_back_by_themselves(here: OfferShop) -> None:
    here.acts.make(Wanted("MERCI10"))
    offer = here.shared("MERCI10")
    order = here.bought(ANNA)

    here.acts.close_store()
    here.later(16)

    assert here.standing(offer) == ("suspended", "requirements")
    assert here.offer(offer)["detail"] == "storefront"
    assert here.grant_of(order)["state"] == "live"
    (mail,) = here.owner_mails()
    words = " ".join(mail.text.split())
    assert "it is protected by a password" in words or "elle est protégée par un mot de passe" in words
    assert "create a new discount code" not in words
    here.acts.open_store()
    here.later(16)
    assert here.standing(offer) == ("active", None)
    assert here.is_shown(order)
    assert here.decisions(here.bought(BEN)) == ["granted"]


@pytest.mark.spec("SH-30")
def test_a_shop_that_is_not_connected_any_more_has_no_offers(here: OfferShop) -> None:
    here.acts.make(Wanted("MERCI10"))
    offer = here.shared("MERCI10")

    here.acts.disconnect()
    here.later(16)

    assert here.standing(offer) == ("suspended", "requirements")
    assert here.offer(offer)["detail"] == "connection"


@pytest.mark.spec("SH-30")
@pytest.mark.parametrize("here", ["shopify"], indirect=True)
@pytest.mark.parametrize(("what", "named"), [("freeze", "shop_open"), ("withhold", "scopes")])
def test_a_frozen_shop_and_one_that_takes_permissions_back_have_no_offers_meanwhile(here: OfferShop, what: str, named: str) -> None:
    assert isinstance(here.acts, ShopifyActs)
    twin = here.acts.twin
    here.acts.make(Wanted("MERCI10"))
    offer = here.shared("MERCI10")

    if what == "freeze":
        twin.freeze()
    else:
        twin.change_scopes([scope for scope in SCOPES if scope != "write_discounts"])
    here.later(16)
    assert here.standing(offer) == ("suspended", "requirements")
    assert here.offer(offer)["detail"] == named

    if what == "freeze":
        twin.unfreeze()
    else:
        twin.change_scopes(SCOPES)
    here.later(16)
    assert here.standing(offer) == ("active", None)
    assert here.decisions(here.bought(ANNA)) == ["granted"]


@pytest.mark.spec("SH-31")
@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("delete", ("does not exist in the store any more", "n’existe plus dans la boutique")),
        ("end", ("has expired, or was switched off", "a expiré, ou a été désactivé")),
        ("restrict", ("certain products or collections only", "réservé à certains produits")),
    ],
)
def test_the_owner_gets_one_mail_that_says_why_and_asks_for_a_new_code(here: OfferShop, what: str, why: tuple[str, str]) -> None:
    here.acts.make(Wanted("MERCI10"))
    offer = here.shared("MERCI10", name="Thanks from the workshop")
    here.bought(ANNA)
    assert here.owner_mails() == []

    getattr(here.acts, what)("MERCI10")
    here.later(6)

    assert here.standing(offer)[0] == "suspended"
    (mail,) = here.owner_mails()
    words = " ".join(mail.text.split())
    assert "Thanks from the workshop" in mail.subject
    assert any(one in words for one in why)
    assert "create a new discount code" in words or "Créez un nouveau code de réduction" in words
    link = f"https://connector.test{here.base}/offers/{offer}"
    assert link in words
    assert link in mail.html
    assert here.open(f"/offers/{offer}").status_code == 200
    here.later(30)
    here.bought(BEN)
    here.jump(timedelta(days=1))
    assert here.owner_mails() == [mail]


@pytest.mark.spec("SH-33")
def test_a_valid_code_makes_a_suspended_offer_active_again_and_old_holders_keep_theirs(here: OfferShop) -> None:
    here.acts.make(Wanted("MERCI10"))
    offer = here.shared("MERCI10")
    old = here.bought(ANNA)
    here.acts.delete("MERCI10")
    here.settle()
    assert here.standing(offer) == ("suspended", "code_deleted")

    # The old code comes back: that changes nothing.
    here.acts.make(Wanted("MERCI10"))
    here.later(6)
    assert here.standing(offer) == ("suspended", "code_deleted")

    here.acts.make(Wanted("NEUF10"))
    here.change(offer, **here.choose("NEUF10"))
    assert here.standing(offer) == ("active", None)
    new = here.bought(BEN)
    assert here.decisions(new) == ["granted"]
    assert here.grant_of(new)["code"] == here.acts.spell("NEUF10")
    assert (here.grant_of(old)["version"], here.grant_of(old)["code"]) == (1, here.acts.spell("MERCI10"))


def test_a_code_that_is_no_better_leaves_it_suspended(here: OfferShop) -> None:
    here.acts.make(Wanted("MERCI10"))
    offer = here.shared("MERCI10")
    here.acts.delete("MERCI10")
    here.settle()

    here.acts.make(Wanted("FINI", ends_at=here.day(1)))
    ended = here.choose("FINI")
    here.pass_time(timedelta(days=2))
    here.change(offer, **ended)
    here.later(6)

    assert here.standing(offer)[0] == "suspended"
    assert here.decisions(here.bought(BEN)) == ["offer_suspended"]


def test_a_second_suspension_is_told_again(here: OfferShop) -> None:
    here.acts.make(Wanted("UN"))
    here.acts.make(Wanted("DEUX"))
    offer = here.shared("UN")
    here.acts.delete("UN")
    here.settle()
    assert len(here.owner_mails()) == 1
    here.change(offer, **here.choose("DEUX"))
    assert here.standing(offer) == ("active", None)

    here.acts.delete("DEUX")
    here.settle()

    assert here.standing(offer) == ("suspended", "code_deleted")
    assert len(here.owner_mails()) == 2


@pytest.mark.spec("NH-18")
def test_an_end_that_comes_near_is_told_once_and_a_replacement_goes_on(here: OfferShop) -> None:
    end = here.day(10)
    here.acts.make(Wanted("DIXJOURS", ends_at=end))
    offer = here.shared("DIXJOURS")
    order = here.bought(ANNA)
    assert here.view(offer).stops_at is None
    here.jump(timedelta(days=6, hours=23))
    assert here.owner_mails() == []

    here.jump(timedelta(hours=2))

    assert here.view(offer).stops_at == end
    (told,) = here.owner_mails()
    assert f"https://connector.test{here.base}/offers/{offer}" in told.text
    assert here.standing(offer) == ("active", None)
    here.replace(offer, "DIXJOURS2")
    seen = here.view(offer)
    assert seen.code is not None
    assert (seen.version.code, seen.stops_at, seen.is_given) == ("DIXJOURS2", None, True)
    assert seen.code.ends_at is not None
    assert abs(seen.code.ends_at - here.now - timedelta(days=10)) < timedelta(days=1)
    assert here.acts.honours("DIXJOURS2")
    here.jump(timedelta(days=4))
    assert here.standing(offer) == ("active", None)
    assert here.decisions(here.bought(BEN)) == ["granted"]
    assert not here.is_shown(order)
    assert here.owner_mails() == [told]


@pytest.mark.spec("NH-18")
def test_what_happened_to_an_offer_is_kept_though_it_is_deleted(here: OfferShop) -> None:
    here.acts.make(Wanted("MERCI10"))
    offer = here.shared("MERCI10")
    order = here.bought(ANNA)
    here.acts.delete("MERCI10")
    here.settle()
    here.switch_off(offer, "delete")

    told = here.rows("select action, to_state, reason, actor, at from offer_events where shop_id = :shop order by id")
    assert [(row["action"], row["to_state"], row["reason"]) for row in told] == [
        ("created", "draft", None),
        ("published", "active", None),
        ("suspended", "suspended", "code_deleted"),
        ("deleted", "deleted", None),
    ]
    assert all(row["actor"] and row["at"] for row in told)
    assert here.grant_of(order)["version"] == 1
    assert {row["action"] for row in here.rows("select action from audit_entries where shop_id = :shop")} >= {
        "offer.published",
        "offer.deleted",
    }
