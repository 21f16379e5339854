"""Applying a delivery reads a handful of rows, however much the shop has, and though nothing was ever analysed."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from sync import apply
from tests.sync.bodies import shopify_checkout, shopify_customer, shopify_order, shopify_removed
from tests.sync.world import Arrival, World, keep

COPIED = {
    "contacts": "email",
    "customers": "platform_id",
    "checkouts": "platform_id",
    "orders": "platform_id",
    "products": "platform_id",
    "removals": "ref",
}
"""Tables, each with the column that tells its rows apart."""
MANY = 3_000
HANDFUL = 60
SEVERAL = 8
READ = "select relname, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) from pg_stat_xact_user_tables"


@pytest.fixture
def full(world: World) -> World:
    """A shop with a past: everybody has a contact, a customer, a product, a checkout of two versions, an order."""
    for n in range(0, 40, 4):  # one of each kind as the program itself writes them, to be multiplied
        customer = shopify_customer(n, world.start, email=f"p{n}@example.org", phone=None)
        world.arrive("checkouts/update", shopify_checkout(f"t{n}", world.start, email=f"p{n}@example.org", customer=customer))
        world.arrive("orders/create", shopify_order(n, world.at(5), email=f"p{n}@example.org", customer=customer))
    world.arrive("orders/delete", shopify_removed(7), world.at(6))
    for table, key in COPIED.items():
        world.execute(multiply(world, table, key))
    world.execute("""
        insert into checkout_lines select c.id, l.position, l.shop_id, l.key, l.product_id, l.variant_id, l.title, l.variant_title, l.sku,
            l.quantity, l.unit_price, l.total, l.image_url
        from checkouts c cross join (select * from checkout_lines limit 1) l where c.id <> l.checkout_id on conflict do nothing
    """)
    world.execute("""
        insert into checkout_versions
            (checkout_id, source_version, source_digest, source_triggered_at, source_progress, shop_id, fingerprint)
        select id, source_version, 'x', source_triggered_at, 0, shop_id, 'x' from checkouts
    """)
    return world


def multiply(world: World, table: str, key: str) -> str:
    """A statement that copies one row of `table` many times, each with a key and, if it has them, names of its own."""
    own = {
        key: f"'{'id:' if table == 'removals' else ''}more-' || n" + (" || '@example.org'" if key == "email" else ""),
        "public_id": "'x-' || n", "token": "'token-' || n", "cart_token": "'cart-' || n", "checkout_token": "'token-' || n",
        "email_norm": "'more-' || n || '@example.org'", "customer_platform_id": "'more-' || n", "phone_e164": "'+33' || n",
        "checkout_phone_e164": "'+33' || n",
    }  # fmt: skip
    columns = [row["column_name"] for row in world.rows(
        "select column_name from information_schema.columns where table_name = :table and is_identity = 'NO' order by ordinal_position",
        table=table,
    )]  # fmt: skip
    values = ", ".join(own.get(column, f"r.{column}") for column in columns)
    return f"""
        insert into {table} ({", ".join(columns)}) select {values} from generate_series(1, {MANY}) n, (select * from {table} limit 1) r
    """


@contextmanager
def reading(world: World) -> Iterator[Counter[str]]:
    """How many rows of each table the transactions read meanwhile. The server also counts what earlier ones of a connection read."""
    read: Counter[str] = Counter()

    def look(connection: Any) -> dict[str, int]:
        with connection.connection.driver_connection.cursor() as cursor:
            return dict(cursor.execute(READ).fetchall())

    def begin(connection: Any) -> None:
        read.subtract(look(connection))

    def commit(connection: Any) -> None:
        read.update(look(connection))

    event.listen(world.db.engine, "begin", begin)
    event.listen(world.db.engine, "commit", commit)
    try:
        yield read
    finally:
        event.remove(world.db.engine, "begin", begin)
        event.remove(world.db.engine, "commit", commit)


def test_what_is_read_does_not_grow_with_the_shop(full: World) -> None:
    customer = shopify_customer(1, full.at(9), email="p1@example.org", phone=None)
    known = [shopify_checkout(f"t{4 * n}", full.at(9), email=f"p{4 * n}@example.org", lines=((101, 2),)) for n in range(SEVERAL)]
    new = shopify_checkout("new", full.at(9), email="new@example.org", customer=customer)
    order = Arrival("orders/create", shopify_order(99, full.at(12), email="new@example.org"))
    keep(full.db, full.shop, [*(Arrival("checkouts/update", body) for body in (*known, new)), order])

    with reading(full) as read:
        assert apply.drain(full.services, full.shop.id) == SEVERAL + 2

    assert read["checkouts"] > SEVERAL
    assert {table: count for table, count in read.items() if count > HANDFUL} == {}
