"""What the last examination found is kept for one shop, and seen by its account alone."""

from connector.checkups import Check, Verdict
from connector.store import checkups
from connector.store.db import Database
from tests.conftest import TestShop

FOUND = (Check("address", Verdict.GOOD, ("boutique.test",)), Check("webhooks", Verdict.BAD, ("0/14", "order.created"), "missing"))


def test_what_was_found_comes_back_as_it_was(db: Database, woo_shop: TestShop) -> None:
    with db.transaction(shop=woo_shop.id) as session:
        assert checkups.last_checkup(session, woo_shop.id) is None
        checkups.save_checkup(session, woo_shop.id, FOUND)
        first = checkups.last_checkup(session, woo_shop.id)
    assert first is not None
    assert first.checks == FOUND
    assert first.at.tzinfo is not None
    with db.transaction(shop=woo_shop.id) as session:
        checkups.save_checkup(session, woo_shop.id, FOUND[:1])
        again = checkups.last_checkup(session, woo_shop.id)
    assert again is not None
    assert again.checks == FOUND[:1]
    assert again.at >= first.at


def test_no_other_account_sees_it(db: Database, woo_shop: TestShop, shopify_shop: TestShop) -> None:
    with db.transaction(shop=woo_shop.id) as session:
        checkups.save_checkup(session, woo_shop.id, FOUND)
    with db.transaction(shop=shopify_shop.id) as session:
        assert checkups.last_checkup(session, woo_shop.id) is None
        assert checkups.recent_news(session, woo_shop.id) == []
    with db.system_transaction("a test") as session:
        assert checkups.last_checkup(session, woo_shop.id) is not None
