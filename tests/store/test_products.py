"""Products -> rows, and which are to be read."""

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import Session

from connector.canonical import Removed, Resource, Variant
from connector.store import outgoing, products, records, removals
from connector.store.db import Database
from tests.conftest import TestShop
from tests.factories import T0, at, make_checkout, make_line, make_product, terms


@pytest.mark.spec("AC-53", "AC-61")
def test_a_line_shows_the_variants_picture_else_the_lines_else_the_products(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    lines = (make_line("101"), make_line("102", image_url="https://cdn.example/line.jpg"), make_line("103"), make_line("104"))
    (checkout_id,) = records.save_checkouts(session, terms(shopify_shop), [make_checkout(lines=lines)])
    products.save_products(
        session,
        shopify_shop.id,
        [
            make_product(platform_id=f"p{n}", variants=(Variant("101", image_url="https://cdn.example/variant.jpg"),))
            for n in (101, 102, 103)
        ],
        T0,
    )

    views = outgoing.load_lines(session, checkout_id)
    assert [view.image_url and view.image_url.rpartition("/")[2] for view in views] == ["variant.jpg", "line.jpg", "product.jpg", None]
    assert [(view.category, view.description) for view in views][2:] == [("Bougies", "Coulée à la main."), (None, None)]


def test_an_older_reading_of_a_product_replaces_nothing_and_its_end_does(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    title = "select title, is_deleted from products"
    products.save_products(session, shopify_shop.id, [make_product(at(5), title="new")], T0)
    products.save_products(session, shopify_shop.id, [make_product(at(1), title="old")], T0)
    assert rows(title) == [{"title": "new", "is_deleted": False}]

    products.save_products(session, shopify_shop.id, [make_product(at(1), title="gone", is_deleted=True)], T0)
    assert rows(title) == [{"title": "gone", "is_deleted": True}]


def test_only_products_of_open_checkouts_that_were_never_read_are_asked_for(db: Database, shopify_shop: TestShop) -> None:
    now = T0
    with db.transaction(shop=shopify_shop.id) as session:
        records.save_checkouts(
            session,
            terms(shopify_shop),
            [make_checkout(lines=(make_line("101"), make_line("102"), make_line("9", product_id=None)))],
        )
        done = make_checkout(platform_id="done", token="done", completed_at=now, lines=(make_line("103"),))
        records.save_checkouts(session, terms(shopify_shop), [done])
        products.save_products(session, shopify_shop.id, [make_product(platform_id="p101")], now)
        assert products.unknown_product_ids(session, shopify_shop.id, 10) == ["p102"]
        assert products.unknown_product_ids(session, shopify_shop.id, 0) == []
        for named, is_unknown in ((("101",), False), (("101", "102"), True), ((), False)):
            told = make_checkout(lines=tuple(make_line(product) for product in named))
            assert products.names_unknown_products(session, shopify_shop.id, [told]) is is_unknown
        assert not products.names_unknown_products(session, shopify_shop.id, [make_checkout(lines=(make_line("9", product_id=None),))])
    for age, expected in ((timedelta(days=2), [shopify_shop.id]), (timedelta(days=4), [])):
        with db.engine.begin() as connection:
            connection.exec_driver_sql("update checkouts set last_activity_at = app_now() - %s", (age,))
        with db.system_transaction("test") as session:
            assert products.shops_with_unknown_products(session, 10) == expected


def test_what_a_variant_is_sold_and_counted_under_is_kept(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    told = (Variant("101", is_available=True, inventory_item_id="901"), Variant("102", is_available=False), Variant("103"))
    products.save_products(session, shopify_shop.id, [make_product(variants=told)], T0)

    kept = rows("select platform_id, is_available, inventory_item_id from product_variants order by platform_id")
    assert [tuple(row.values()) for row in kept] == [("101", True, "901"), ("102", False, None), ("103", None, None)]


def test_a_product_that_is_gone_does_not_come_back_by_an_older_reading(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    state = "select platform_id, is_deleted from products order by platform_id"
    products.save_products(session, shopify_shop.id, [make_product(at(1), platform_id="1")], T0)
    gone = [Removed(Resource.PRODUCT, at(5), one) for one in ("1", "2")]
    removals.save_removals(session, shopify_shop.id, gone)
    products.mark_deleted(session, shopify_shop.id, ["1", "2"])
    products.mark_deleted(session, shopify_shop.id, [])
    assert rows(state) == [{"platform_id": "1", "is_deleted": True}]

    products.save_products(session, shopify_shop.id, [make_product(at(4), platform_id=one) for one in ("1", "2", "3")], T0)
    assert [row["is_deleted"] for row in rows(state)] == [True, True, False]
    assert [row["n"] for row in rows("select count(*) n from product_variants")] == [1]


def test_only_kept_products_are_worth_another_reading(session: Session, shopify_shop: TestShop, woo_shop: TestShop) -> None:
    told = [
        make_product(platform_id="1", variants=(Variant("11", inventory_item_id="91"), Variant("12", inventory_item_id="92"))),
        make_product(platform_id="2", variants=(Variant("21", inventory_item_id="93"),)),
    ]
    products.save_products(session, shopify_shop.id, told, T0)
    products.save_products(session, shopify_shop.id, [make_product(at(1), platform_id="2", is_deleted=True)], T0)

    assert products.kept_among(session, shopify_shop.id, ["1", "2", "3"]) == ["1"]
    assert products.kept_with_stock(session, shopify_shop.id, ["91", "92", "93", "94"]) == ["1"]
    assert products.kept_among(session, woo_shop.id, ["1"]) == products.kept_with_stock(session, woo_shop.id, ["91"]) == []
    assert products.kept_among(session, shopify_shop.id, []) == products.kept_with_stock(session, shopify_shop.id, []) == []
