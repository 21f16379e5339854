"""What programs read page by page comes out of an index, however many checkouts a shop has."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import text

from connector.errors import NotFound
from connector.store import checkouts, exposing, records, shops
from connector.store.db import Database
from tests.conftest import TestShop
from tests.factories import T0, make_checkout, terms

FILL = text("""
    insert into checkouts (public_id, shop_id, platform_id, stage, currency, total, created_at, source_version, source_triggered_at,
        source_digest, taxes_included, accepts_email, accepts_sms, source_progress, cart_token)
    select 'chk_' || n, :shop, 'p' || n, case when n % 10 = 0 then 'cart' else 'checkout' end, 'EUR', 1, now() - n * interval '1 minute',
        now(), now(), 'd', false, false, false, 0, 'c' || n
    from generate_series(1, 50000) n
""")


def account_of(db: Database, shop: TestShop) -> int:
    with db.system_transaction("whose shop") as session:
        return shops.get_shop(session, shop.id).account_id


@pytest.mark.parametrize("place", [1, 25_000, 49_990])
def test_a_page_reads_its_own_rows_only(db: Database, shopify_shop: TestShop, woo_shop: TestShop, place: int) -> None:
    with db.engine.begin() as connection:
        connection.execute(FILL, {"shop": shopify_shop.id})
        connection.execute(text("analyze checkouts"))
    account = account_of(db, shopify_shop)
    with db.transaction(account=account) as session:
        found = exposing.list_checkouts(session, account, None, f"chk_{place}", 50)
        assert [row.public_id for row in found] == [f"chk_{number}" for number in range(place + 1, min(place + 51, 50_001))]
        row = session.execute(text("select created_at, id from checkouts where public_id = :id"), {"id": f"chk_{place}"}).one()
        values = {"account": account, "shop": None, "limit": 50, "at": row.created_at, "id": row.id}
        plan = "\n".join(session.execute(text(f"explain analyze {exposing._LIST.text}"), values).scalars())
    assert "Seq Scan on checkouts" not in plan, plan
    assert sum(map(int, re.findall(r"Rows Removed by Filter: (\d+)", plan))) < 10, plan


def test_a_cursor_of_another_account_is_not_there(db: Database, shopify_shop: TestShop, woo_shop: TestShop) -> None:
    with db.transaction(shop=woo_shop.id) as session:
        ids = list(records.save_checkouts(session, terms(woo_shop), [make_checkout(T0 + timedelta(days=1))]))
        checkouts.settle(session, shops.get_shop(session, woo_shop.id), ids)
        foreign = session.execute(text("select public_id from checkouts")).scalar_one()
    account = account_of(db, shopify_shop)
    with db.transaction(account=account) as session, pytest.raises(NotFound):
        exposing.list_checkouts(session, account, None, foreign, 50)
