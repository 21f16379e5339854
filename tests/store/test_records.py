"""Canonical records -> rows."""

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session

from connector.canonical import PaymentState, Phone
from connector.rules.precedence import rank
from connector.store import checkouts, records, shops
from connector.store.db import Database
from tests.conftest import TestShop
from tests.factories import EMAIL, T0, at, make_cart, make_checkout, make_customer, make_line, make_order, terms
from tests.statements import before_statements


@pytest.mark.spec("AC-52", "AC-54", "AC-55", "AC-57", "AC-58", "AC-60")
def test_a_checkout_is_kept_exactly_as_it_was_told(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    lines = (
        make_line("101", 3, unit_price=Decimal("12.3456"), total=Decimal("37.0368"), title="Bougie Cèdre", sku="BOUG"),
        make_line("102", variant_title="Grande"),
    )
    checkout = make_checkout(
        total=Decimal("49.90"),
        lines=lines,
        email="Anna.Petit@Example.org",
        checkout_phone=Phone("06 45 67 89 01", "+33645678901"),
        shipping_method="Colissimo",
        discount_codes=("A", "b"),
        created_at=at(-5),
    )
    (checkout_id,) = records.save_checkouts(session, terms(shopify_shop), [checkout])

    (row,) = rows("select * from checkouts")
    assert row["id"] == checkout_id
    assert row["public_id"].startswith("chk_")
    assert (row["total"], row["currency"], row["created_at"], row["shipping_method"]) == (Decimal("49.90"), "EUR", at(-5), "Colissimo")
    assert (row["email"], row["email_norm"], row["discount_codes"]) == ("Anna.Petit@Example.org", EMAIL, ["A", "b"])
    assert (row["checkout_phone_e164"], row["phone_raw"]) == ("+33645678901", None)
    found = rows("select * from checkout_lines order by position")
    assert [(line["title"], line["quantity"], line["product_id"], line["unit_price"], line["total"]) for line in found] == [
        ("Bougie Cèdre", 3, "p101", Decimal("12.3456"), Decimal("37.0368")),
        ("Bougie 102", 1, "p102", Decimal("12.50"), Decimal("12.50")),
    ]


def test_of_several_versions_in_a_batch_the_newest_is_written_and_all_are_remembered(
    session: Session, shopify_shop: TestShop, rows: Any
) -> None:
    batch = [make_checkout(at(minute), lines=(make_line(quantity=minute + 1),)) for minute in (1, 3, 2)]

    assert len(records.save_checkouts(session, terms(shopify_shop), batch)) == 1
    assert rows("select source_version, quantity from checkouts join checkout_lines on checkout_id = id") == [
        {"source_version": at(3), "quantity": 4}
    ]
    assert len(rows("select * from checkout_versions")) == 3


@pytest.mark.spec("RL-108")
def test_an_older_version_changes_neither_the_row_nor_its_lines_but_is_remembered(
    session: Session, shopify_shop: TestShop, rows: Any
) -> None:
    newest = make_checkout(at(5), lines=(make_line("102", 4),))
    records.save_checkouts(session, terms(shopify_shop), [newest])
    before = rows("select * from checkouts"), rows("select * from checkout_lines")

    touched = records.save_checkouts(session, terms(shopify_shop), [make_checkout(at(1))])

    assert (rows("select * from checkouts"), rows("select * from checkout_lines")) == before
    assert list(touched) == [before[0][0]["id"]]
    assert len(rows("select * from checkout_versions")) == 2


def test_a_completion_told_by_an_older_version_counts(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    records.save_checkouts(session, terms(shopify_shop), [make_checkout(at(5))])
    records.save_checkouts(session, terms(shopify_shop), [make_checkout(at(1), completed_at=at(1))])
    records.save_checkouts(session, terms(shopify_shop), [make_checkout(at(9))])

    assert rows("select completed_at, source_version from checkouts") == [{"completed_at": at(1), "source_version": at(9)}]


@pytest.mark.parametrize(("theirs", "title"), [(-1, "Bougie 101"), (1, "Theirs")])
def test_a_checkout_that_somebody_else_writes_at_the_same_moment_is_looked_at_again(
    db: Database, session: Session, shopify_shop: TestShop, rows: Any, theirs: int, title: str
) -> None:
    asked: list[str] = []

    def interfere(statement: str) -> None:
        if "insert into checkouts" in statement and not asked:
            asked.append(statement)
            with db.transaction(shop=shopify_shop.id) as other:
                line = make_line(title="Theirs", quantity=2)
                records.save_checkouts(other, terms(shopify_shop), [make_checkout(at(theirs), lines=(line,))])

    with before_statements(interfere):
        told = records.save_checkouts(session, terms(shopify_shop), [make_checkout(T0)])

    assert [one.last_activity_at for one in told.values()] == [None]
    checkouts.settle(session, shops.get_shop(session, shopify_shop.id), told, told)
    assert rows("select title, last_activity_at from checkouts join checkout_lines on checkout_id = id") == [
        {"title": title, "last_activity_at": max(T0, at(theirs))}
    ]
    assert len(rows("select * from checkout_versions")) == 2


def test_a_checkout_is_written_once_with_all_that_follows_from_its_versions(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    versions = [
        make_checkout(at(9), lines=(make_line(quantity=2),)),
        make_checkout(T0),
        make_checkout(at(12), lines=(make_line(quantity=2),)),
    ]
    for version in versions:
        told = records.save_checkouts(session, terms(shopify_shop), [version])
    before = rows("select *, xmin::text || ctid::text as place from checkouts")

    checkouts.settle(session, shops.get_shop(session, shopify_shop.id), told, told)

    assert (before[0]["last_activity_at"], before[0]["due_at"]) == (at(9), at(69))
    assert rows("select *, xmin::text || ctid::text as place from checkouts") == before


def test_a_cart_and_a_checkout_of_the_same_id_are_two_records(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    both = [make_cart(), make_checkout(platform_id="cart-1", token="cart-1")]

    assert len(records.save_checkouts(session, terms(shopify_shop), both)) == 2
    assert [row["stage"] for row in rows("select stage from checkouts order by stage")] == ["cart", "checkout"]


def test_saving_nothing_writes_nothing(session: Session, shopify_shop: TestShop) -> None:
    assert records.save_checkouts(session, terms(shopify_shop), []) == {}
    assert records.save_orders(session, shopify_shop.id, []) == []
    assert records.save_customers(session, shopify_shop.id, []) == []


def test_an_order_keeps_its_newest_version_and_its_earliest_placing(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    first = make_order(at(5), placed_at=at(5), payment_state=PaymentState.PENDING)
    second = make_order(at(9), placed_at=at(9), lines=(make_line(quantity=2),))
    (order_id,) = records.save_orders(session, shopify_shop.id, [second])

    assert records.save_orders(session, shopify_shop.id, [first]) == [order_id]
    assert records.save_orders(session, shopify_shop.id, [first]) == []
    assert rows("select payment_state, placed_at, source_version from orders") == [
        {"payment_state": "paid", "placed_at": at(5), "source_version": at(9)}
    ]
    assert rows("select quantity from order_lines") == [{"quantity": 2}]


@pytest.mark.parametrize("turn", [1, -1])
def test_of_equal_instants_the_row_ends_the_same_in_either_order(session: Session, shopify_shop: TestShop, rows: Any, turn: int) -> None:
    versions = [make_customer(first_name="Anna"), make_customer(first_name="Hannah")]
    for version in versions[::turn]:
        records.save_customers(session, shopify_shop.id, [version])

    assert rows("select first_name from customers") == [{"first_name": max(versions, key=rank).first_name}]


def test_lines_are_written_only_if_they_are_others_than_before(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    places = "select position, quantity, xmin::text || ctid::text as place from checkout_lines order by position"
    three = tuple(make_line(str(n)) for n in range(3))
    records.save_checkouts(session, terms(shopify_shop), [make_checkout(T0, lines=three)])
    before = rows(places)

    records.save_checkouts(session, terms(shopify_shop), [make_checkout(at(1), lines=three, email="other@example.org")])
    assert rows(places) == before

    records.save_checkouts(session, terms(shopify_shop), [make_checkout(at(2), lines=(three[0], make_line("1", quantity=5)))])
    assert [(line["position"], line["quantity"]) for line in rows(places)] == [(0, 1), (1, 5)]
    assert rows("select line_count from checkouts") == [{"line_count": 2}]

    records.save_checkouts(session, terms(shopify_shop), [make_checkout(at(3), lines=())])
    assert rows(places) == []


def test_what_was_told_of_a_checkout_goes_with_it(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    kept, gone = records.save_checkouts(session, terms(shopify_shop), [make_checkout(), make_checkout(platform_id="b", token="b")])
    session.execute(text("delete from checkouts where id = :id"), {"id": gone})

    for table in ("checkout_versions", "checkout_lines"):
        assert rows(f"select distinct checkout_id from {table}") == [{"checkout_id": kept}]
