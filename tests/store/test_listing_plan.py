"""A page of a shop's checkouts reads its own rows and no others, carts among them or not."""

import re

from sqlalchemy import text

from connector.store import listing
from connector.store.db import Database
from connector.store.listing import Chosen, list_checkouts
from tests.conftest import TestShop
from tests.store.test_exposing import FILL


def test_a_page_reads_no_table(db: Database, shopify_shop: TestShop) -> None:
    """50,000 checkouts, each tenth of them a cart."""
    with db.engine.begin() as connection:
        connection.execute(FILL, {"shop": shopify_shop.id})
        connection.execute(text("analyze checkouts"))
    with db.transaction(shop=shopify_shop.id) as session:
        found = list_checkouts(session, shopify_shop.id, Chosen(), limit=50)
        assert [one.public_id for one in found.checkouts] == [f"chk_{number}" for number in range(1, 51)]
        statement = text("explain analyze " + listing._LIST.format(conditions="true", order="desc"))
        plan = "\n".join(session.execute(statement, {"shop": shopify_shop.id, "limit": 51}).scalars())
    assert "Seq Scan on checkouts" not in plan, plan
    assert sum(map(int, re.findall(r"Rows Removed by Filter: (\d+)", plan))) < 100, plan
