"""Notices: owners are told once of each cause, until it is settled."""

from datetime import UTC, datetime

import pytest
from sqlmodel import Session

from connector.rules.permissions import Role
from connector.store import members, notices, shops, system_mails
from connector.store.db import Database, app_now
from connector.store.notices import About, Cause
from connector.store.sealed import Vault
from connector.store.system_mails import NoticeMail
from tests.conftest import TestShop, install
from tests.store.people import at_once, rows


@pytest.fixture
def shop(db: Database, vault: Vault) -> TestShop:
    """A shop whose account has two owners and a marketer."""
    made = install(db, vault, "shopify", "demo.myshopify.com", "Démo")
    with db.system_transaction("test") as session:
        account = shops.get_shop(session, made.id).account_id
        members.add(session, account, "second@example.org", Role.OWNER, "en")
        members.add(session, account, "marketer@example.org", Role.MARKETER)
    return made


def tell(session: Session, vault: Vault, shop: TestShop, cause: Cause = Cause.GAP_FOUND, key: str = "gap-1") -> bool:
    return notices.tell(session, vault, shops.get_shop(session, shop.id), cause, key, "3 orders")


def mails(db: Database, vault: Vault) -> list[NoticeMail]:
    """All that is queued, opened."""
    found = rows(db, "select sealed from system_mails where kind = 'notice' and state = 'queued' order by id")
    return [NoticeMail(**vault.open(row["sealed"])) for row in found]


def test_a_new_cause_is_one_notice_and_a_mail_to_each_owner(db: Database, vault: Vault, shop: TestShop) -> None:
    rung: list[tuple[str, int]] = []
    db.on_wake(lambda wake: rung.append((wake.job, wake.shop_id)))
    with db.transaction(shop=shop.id) as session:
        assert tell(session, vault, shop)
    with db.transaction(shop=shop.id) as session:
        assert not tell(session, vault, shop)

    name = rows(db, "select public_id from shops")[0]["public_id"]
    assert mails(db, vault) == [
        NoticeMail("bonjour@demo.myshopify.com", "gap_found", "Démo", name, "fr"),
        NoticeMail("second@example.org", "gap_found", "Démo", name, "en"),
    ]
    (notice,) = rows(db, "select * from notices")
    assert (notice["shop_id"], notice["cause_key"], notice["detail"], notice["settled_at"]) == (shop.id, "gap-1", "3 orders", None)
    assert rung == [(system_mails.JOB, 0)]


def test_of_many_who_tell_at_once_one_does(db: Database, vault: Vault, shop: TestShop) -> None:
    ends = at_once(db, [lambda session: tell(session, vault, shop)] * 6)

    assert sorted(map(str, ends)) == ["False"] * 5 + ["True"]
    assert len(rows(db, "select * from notices")) == 1
    assert len(mails(db, vault)) == 2


def test_after_it_was_settled_the_same_cause_is_told_again(db: Database, vault: Vault, shop: TestShop) -> None:
    with db.transaction(shop=shop.id) as session:
        account = shops.get_shop(session, shop.id).account_id
        tell(session, vault, shop)
        tell(session, vault, shop, Cause.GAP_FOUND, "gap-2")
        assert notices.settle(session, account, Cause.GAP_FOUND, "gap-1")
        assert not notices.settle(session, account, Cause.GAP_FOUND, "gap-1")
        assert [notice.cause_key for notice in notices.list_open(session, account)] == ["gap-2"]
        assert tell(session, vault, shop)
        assert [notice.cause_key for notice in notices.list_open(session, account)] == ["gap-1", "gap-2"]


def test_owners_hear_once_that_a_shop_must_be_connected_again_and_no_more_once_it_is(db: Database, vault: Vault, shop: TestShop) -> None:
    for _ in range(2):
        with db.transaction(shop=shop.id) as session:
            shops.mark_access_lost(session, vault, shop.id)
    assert [mail.cause for mail in mails(db, vault)] == ["needs_sign_in"] * 2
    assert len(rows(db, "select * from notices where settled_at is null")) == 1

    install(db, vault, "shopify", "demo.myshopify.com", "Démo")
    assert rows(db, "select * from notices where settled_at is null") == []
    with db.transaction(shop=shop.id) as session:
        shops.mark_access_lost(session, vault, shop.id)
    assert len(mails(db, vault)) == 4


def test_an_uninstalled_shop_needs_no_sign_in(db: Database, vault: Vault, shop: TestShop) -> None:
    with db.transaction(shop=shop.id) as session:
        shops.mark_access_lost(session, vault, shop.id)
        shops.uninstall(session, shop.id, app_now(session))
    assert rows(db, "select * from notices where settled_at is null") == []


def test_fresh_credentials_settle_it(db: Database, vault: Vault, shop: TestShop) -> None:
    with db.transaction(shop=shop.id) as session:
        tell(session, vault, shop, Cause.NEEDS_SIGN_IN, shops.get_shop(session, shop.id).public_id)
        shops.replace_credentials(session, vault, shop.id, {"access_token": "fresh"})
    assert rows(db, "select * from notices where settled_at is null") == []


def test_an_owner_without_an_address_is_not_written_to(db: Database, vault: Vault, shop: TestShop) -> None:
    with db.engine.begin() as connection:
        connection.exec_driver_sql("update members set email = null, email_norm = null")
    with db.transaction(shop=shop.id) as session:
        assert tell(session, vault, shop)
    assert mails(db, vault) == []


def test_of_an_offer_its_name_and_reason_go_into_the_mail(db: Database, vault: Vault, shop: TestShop) -> None:
    about = About(name="Merci", page="/app/shops/shp_1/offers/ofr_1", reason="requirements", detail="storefront")
    with db.transaction(shop=shop.id) as session:
        assert notices.tell(session, vault, shops.get_shop(session, shop.id), Cause.OFFER_SUSPENDED, "ofr_1", "requirements", about=about)
    mail, _ = mails(db, vault)
    assert (mail.offer, mail.page, mail.reason, mail.detail, mail.at) == ("Merci", about.page, "requirements", "storefront", "")
    (notice,) = rows(db, "select cause, cause_key, detail from notices")
    assert notice == {"cause": "offer_suspended", "cause_key": "ofr_1", "detail": "requirements"}


def test_of_an_end_that_comes_near_its_instant_and_the_shops_time_zone(db: Database, vault: Vault, shop: TestShop) -> None:
    at = datetime(2026, 11, 30, 13, 0, tzinfo=UTC)
    with db.transaction(shop=shop.id) as session:
        about = About(name="Merci", page="/p", at=at)
        assert notices.tell(session, vault, shops.get_shop(session, shop.id), Cause.OFFER_ENDING, "ofr_1 x", about=about)
    mail, _ = mails(db, vault)
    assert (datetime.fromisoformat(mail.at), mail.zone) == (at, "Europe/Paris")


def test_a_mail_that_has_nothing_of_an_offer_can_be_opened_by_a_process_that_knows_of_none(
    db: Database, vault: Vault, shop: TestShop
) -> None:
    with db.transaction(shop=shop.id) as session:
        tell(session, vault, shop)
    sealed = rows(db, "select sealed from system_mails limit 1")[0]["sealed"]
    assert vault.open(sealed).keys() == {"to", "cause", "shop_name", "shop_public_id", "language"}
