"""A shop's checkouts as lists: order, pages, filters."""

import itertools
from datetime import timedelta

import pytest

from connector.rules.automations import Reason
from connector.store import listing
from connector.store.automations import Decided, decide
from connector.store.checkouts import facts_of
from connector.store.db import Database
from connector.store.listing import Chosen, ListedState, ListPage
from connector.web.states import checkout_state
from tests.conftest import TestShop
from tests.factories import T0, at
from tests.store.writing import Writer


@pytest.fixture
def write(db: Database, shopify_shop: TestShop) -> Writer:
    return Writer(db, shopify_shop.id)


def page(
    db: Database, shop: TestShop, chosen: Chosen | None = None, limit: int = 50, before: str | None = None, after: str | None = None
) -> ListPage:
    with db.transaction(shop=shop.id) as session:
        return listing.list_checkouts(session, shop.id, chosen or Chosen(), limit=limit, before=before, after=after)


def ids(found: ListPage) -> list[int]:
    return [one.row.id for one in found.checkouts]


def test_a_list_goes_on_page_by_page_and_back_again(db: Database, shopify_shop: TestShop, write: Writer) -> None:
    # Two each begin at the same instant: their ids decide.
    newest_first = [write.checkout(at(n // 2)) for n in range(7)][::-1]
    first = page(db, shopify_shop, limit=3)
    assert (ids(first), first.has_newer, first.has_older) == (newest_first[:3], False, True)
    second = page(db, shopify_shop, limit=3, before=first.checkouts[-1].public_id)
    assert (ids(second), second.has_newer, second.has_older) == (newest_first[3:6], True, True)
    last = page(db, shopify_shop, limit=3, before=second.checkouts[-1].public_id)
    assert (ids(last), last.has_newer, last.has_older) == (newest_first[6:], True, False)
    back = page(db, shopify_shop, limit=3, after=last.checkouts[0].public_id)
    assert (ids(back), back.has_newer, back.has_older) == (newest_first[3:6], True, True)
    front = page(db, shopify_shop, limit=3, after=back.checkouts[0].public_id)
    assert (ids(front), front.has_newer, front.has_older) == (newest_first[:3], False, True)


@pytest.mark.parametrize("name", ["before", "after"])
def test_a_cursor_that_names_nothing_ends_the_list(
    name: str, db: Database, shopify_shop: TestShop, woo_shop: TestShop, write: Writer
) -> None:
    write.checkout()
    foreign = Writer(db, woo_shop.id)
    public_id = foreign.one("select public_id from checkouts where id = :id", id=foreign.checkout(at(1)))
    for cursor in (public_id, "chk_0198c5f2-0000-7000-8000-000000000000"):
        before, after = (cursor, None) if name == "before" else (None, cursor)
        assert page(db, shopify_shop, before=before, after=after) == ListPage((), has_newer=False, has_older=False)


def test_a_list_shows_one_shop_and_each_checkout_with_what_is_newest_of_it(
    db: Database, shopify_shop: TestShop, woo_shop: TestShop, write: Writer
) -> None:
    Writer(db, woo_shop.id).checkout()
    told, untold = write.checkout(at(1)), write.checkout()
    write.message(told, T0)
    with db.transaction(shop=shopify_shop.id) as session:
        automation_id = write.one("select id from automations where shop_id = :shop", shop=shopify_shop.id)
        decide(session, shopify_shop.id, [Decided(told, automation_id, Reason.SENT)])
    found = page(db, shopify_shop)
    assert [(one.row.id, one.reason, one.message_state) for one in found.checkouts] == [(told, "sent", "sent"), (untold, None, None)]
    assert found.checkouts[1].facts.email is not None


def test_a_cart_is_left_out_once_its_checkout_is_listed(db: Database, shopify_shop: TestShop, write: Writer) -> None:
    write.checkout(stage="cart", cart_token="a")
    alone = write.checkout(at(1), stage="cart", cart_token="b")
    nameless = write.checkout(at(2), stage="cart")
    begun = write.checkout(at(3), cart_token="a")
    assert ids(page(db, shopify_shop)) == [begun, nameless, alone]


def test_the_states_of_a_list_are_those_of_a_single_checkout(db: Database, shopify_shop: TestShop, write: Writer) -> None:
    instants = (None, at(30), at(60), at(90))
    kinds = itertools.product(
        instants, (None, at(50)), (None, at(60)), (None, at(80)), (None, "a@example.org"), ("cart", "checkout"), (0, 1)
    )
    for converted, completed, abandoned, closed, email, stage, count in kinds:
        write.checkout(
            converted_at=converted,
            completed_at=completed,
            abandoned_at=abandoned,
            closed_at=closed,
            email_norm=email,
            stage=stage,
            line_count=count,
        )
    for abandoned, count in itertools.product((None, at(60)), (0, 1)):
        write.checkout(is_quiet=True, abandoned_at=abandoned, email_norm="a@example.org", line_count=count)
    found = page(db, shopify_shop, limit=1000).checkouts
    assert len(found) == 4 * 2 * 2 * 2 * 2 * 2 * 2 + 4
    for one in found:
        word = checkout_state(facts_of(one.row), one.row.converted_at)
        assert one.state.name == word.name, one.row
    assert {one.state for one in found} == set(ListedState)
    for state in ListedState:
        chosen = page(db, shopify_shop, Chosen(state=state), limit=1000).checkouts
        assert [one.row.id for one in chosen] == [one.row.id for one in found if one.state is state]


def test_a_deleted_checkout_is_closed(db: Database, shopify_shop: TestShop, write: Writer) -> None:
    write.checkout(deleted_at=at(5))
    assert page(db, shopify_shop).checkouts[0].state is ListedState.CLOSED


@pytest.mark.parametrize(
    ("words", "is_found"),
    [
        ("anna.p", True),
        ("  ANNA.Petit@Example", True),
        ("ann", True),
        ("Petit", True),
        ("anna pet", True),
        ("#10", True),
        ("1001", True),
        ("nna", False),
        ("example.org", False),
        ("%", False),
        ("anna_p", False),
        ("\\", False),
        ("' or 1=1 --", False),
        ("01", False),
        ("\nanna", True),
        ("ANNA  PET", True),
    ],
)
def test_words_begin_an_address_a_name_or_a_number(words: str, is_found: bool, db: Database, shopify_shop: TestShop, write: Writer) -> None:
    write.checkout(email="other@example.net", first_name="Bob", number="#2002")
    anna = write.checkout(at(1), email="Anna.Petit@example.org", first_name="Anna", last_name="Petit", number="#1001")
    write.checkout(at(2), email=None, email_norm=None)
    assert ids(page(db, shopify_shop, Chosen(words=words))) == ([anna] if is_found else [])


def test_a_list_can_be_bounded_in_time_and_pages_keep_what_was_chosen(db: Database, shopify_shop: TestShop, write: Writer) -> None:
    made = [write.checkout(at(n), email=f"x{n % 2}@example.org") for n in range(6)]
    bounded = Chosen(since=at(1), until=at(5), words="x1")
    assert not bounded.is_everything
    assert ids(page(db, shopify_shop, bounded)) == [made[3], made[1]]
    first = page(db, shopify_shop, bounded, limit=1)
    assert (ids(first), first.has_older) == ([made[3]], True)
    assert ids(page(db, shopify_shop, bounded, limit=1, before=first.checkouts[0].public_id)) == [made[1]]
    assert Chosen().is_everything


def test_an_export_walks_through_everything_in_the_same_order(db: Database, shopify_shop: TestShop, write: Writer) -> None:
    made = [write.checkout(at(0) + timedelta(seconds=n // 3)) for n in range(10)][::-1]
    seen: list[int] = []
    cursor = None
    with db.transaction(shop=shopify_shop.id) as session:
        while batch := listing.checkouts_behind(session, shopify_shop.id, Chosen(), cursor, 4):
            seen += [one.row.id for one in batch]
            cursor = batch[-1].public_id
    assert seen == made
