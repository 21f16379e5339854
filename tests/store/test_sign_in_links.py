"""Sign-in links: once, for a quarter of an hour, in one browser."""

import pytest
from sqlalchemy import text

from connector.errors import Refused
from connector.rules.permissions import StaffRole
from connector.store import sign_in_links, staff
from connector.store.db import Database
from connector.store.sealed import Vault
from connector.store.sign_in_links import Redeemed
from tests.store.people import at_once, member, pass_time, rows


@pytest.fixture
def anna(db: Database) -> int:
    """A member."""
    row = member(db)
    assert row.id is not None
    return row.id


def make(db: Database, vault: Vault, browser: str | None, member_id: int, token: str = "token") -> None:
    with db.system_transaction("test") as session:
        sign_in_links.make(session, vault, token, browser, member_id=member_id)


def redeem(db: Database, vault: Vault, browser: str, token: str = "token") -> Redeemed | None:
    with db.system_transaction("test") as session:
        return sign_in_links.redeem(session, vault, token, browser)


def test_a_link_is_good_once(db: Database, vault: Vault, anna: int) -> None:
    make(db, vault, "here", anna)
    assert redeem(db, vault, "here", "another token") is None
    assert redeem(db, vault, "here") == Redeemed(anna, None)
    assert redeem(db, vault, "here") is None


def test_another_browser_is_not_let_in_and_does_not_use_the_link_up(db: Database, vault: Vault, anna: int) -> None:
    make(db, vault, "here", anna)
    assert [redeem(db, vault, browser) for browser in ("there", "")] == [None, None]
    assert redeem(db, vault, "here") == Redeemed(anna, None)


@pytest.mark.parametrize(("minutes", "is_good"), [(14.9, True), (15.1, False)])
def test_a_link_is_good_for_a_quarter_of_an_hour(db: Database, vault: Vault, anna: int, minutes: float, is_good: bool) -> None:
    make(db, vault, "here", anna)
    pass_time(db, minutes=minutes)
    assert (redeem(db, vault, "here") is not None) is is_good


def test_of_many_who_follow_one_link_at_once_one_is_let_in(db: Database, vault: Vault, anna: int) -> None:
    make(db, vault, "here", anna)
    ends = at_once(db, [lambda session: sign_in_links.redeem(session, vault, "token", "here")] * 8)

    assert [end for end in ends if end is not None] == [Redeemed(anna, None)]


def test_a_link_of_who_was_removed_or_disabled_is_good_for_nothing(db: Database, vault: Vault, anna: int) -> None:
    make(db, vault, "here", anna)
    with db.system_transaction("test") as session:
        colleague = staff.add(session, "sam@example.org", "Sam", StaffRole.ADMIN, "hash")
        sign_in_links.make(session, vault, "theirs", "here", staff_id=colleague.id)
    with db.engine.begin() as connection:
        connection.execute(text("update members set removed_at = app_now()"))
        connection.execute(text("update staff set disabled_at = app_now()"))
    assert (redeem(db, vault, "here"), redeem(db, vault, "here", "theirs")) == (None, None)


def test_a_link_for_every_browser_works_in_a_sandbox(db: Database, vault: Vault, anna: int) -> None:
    make(db, vault, None, anna)
    assert redeem(db, vault, "anybody") == Redeemed(anna, None)


def test_a_link_for_every_browser_is_neither_made_nor_good_outside_a_sandbox(db: Database, vault: Vault, anna: int) -> None:
    make(db, vault, None, anna)
    side = "update app_clock set ahead = interval '0', is_sandbox = {}"
    with db.engine.begin() as connection:
        connection.execute(text(side.format("false")))
    try:
        with pytest.raises(Refused, match="sandbox only"):
            make(db, vault, None, anna, "another")
        assert redeem(db, vault, "anybody") is None
        make(db, vault, "here", anna, "bound")
        assert redeem(db, vault, "here", "bound") == Redeemed(anna, None)
    finally:
        with db.engine.begin() as connection:
            connection.execute(text(side.format("true")))


def test_links_that_ran_out_go(db: Database, vault: Vault, anna: int) -> None:
    make(db, vault, "here", anna)
    pass_time(db, minutes=16)
    make(db, vault, "here", anna, "next")
    assert len(rows(db, "select * from sign_in_links")) == 1
