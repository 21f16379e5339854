"""Sessions: tokens that change, the browser that sends several requests at once, and a copy that gives itself away."""

from collections.abc import Callable
from functools import partial

import pytest
from sqlmodel import Session

from connector.rules.permissions import Role, StaffRole
from connector.store import sessions, staff
from connector.store.db import Database
from connector.store.passwords import hash_password
from connector.store.sealed import Vault
from connector.store.sessions import Look
from tests.store.people import at_once, member, pass_time, rows

Ask = Callable[..., Look | None]


def told(look: Look | None) -> str | None:
    """The new token of somebody who was let in."""
    assert look is not None
    return look.fresh_token


@pytest.fixture
def ask(db: Database, vault: Vault) -> Ask:
    """A request that shows a token; `fresh` is what it would be exchanged for."""

    def show(token: str, fresh: str = "unused") -> Look | None:
        with db.system_transaction("who asks") as session:
            return sessions.look(session, vault, token, fresh)

    return show


@pytest.fixture
def anna(db: Database, vault: Vault) -> int:
    """A member who signed in with the token t0."""
    row = member(db, role=Role.MARKETER)
    assert row.id is not None
    with db.system_transaction("test") as session:
        sessions.begin(session, vault, "t0", member_id=row.id)
    return row.id


@pytest.fixture
def colleague(db: Database, vault: Vault) -> int:
    """One of the staff who signed in with the token s0."""
    with db.system_transaction("test") as session:
        row = staff.add(session, "sam@example.org", "Sam", StaffRole.SUPPORT, hash_password("a long password"))
        sessions.begin(session, vault, "s0", staff_id=row.id)
    assert row.id is not None
    return row.id


def test_a_token_tells_who_is_signed_in_and_nothing_else_does(ask: Ask, anna: int, db: Database) -> None:
    look = ask("t0")
    assert look is not None
    signed, who = look.signed, look.signed.member
    assert who is not None
    assert (who.member_id, who.role, who.account_name) == (anna, Role.MARKETER, "First")
    assert (signed.staff, signed.is_second_factor_done, look.fresh_token) == (None, True, None)
    (row,) = rows(db, "select * from sessions")
    assert signed.session_public_id == row["public_id"]
    assert [ask(token) for token in ("t1", "", "T0", row["token_hash"].hex())] == [None] * 4


def test_staff_have_no_second_factor_until_they_begin_with_it(ask: Ask, colleague: int, db: Database, vault: Vault) -> None:
    look = ask("s0")
    assert look is not None
    assert look.signed.staff is not None
    assert (look.signed.staff.staff_id, look.signed.staff.role, look.signed.member) == (colleague, StaffRole.SUPPORT, None)
    assert not look.signed.is_second_factor_done
    with db.system_transaction("test") as session:
        sessions.begin(session, vault, "s1", staff_id=colleague, is_second_factor_done=True)
    confirmed = ask("s1")
    assert confirmed is not None
    assert confirmed.signed.is_second_factor_done


def test_the_token_changes_every_quarter_of_an_hour(ask: Ask, anna: int, db: Database) -> None:
    pass_time(db, minutes=14)
    assert told(ask("t0", "t1")) is None
    pass_time(db, minutes=1)
    assert told(ask("t0", "t1")) == "t1"
    assert told(ask("t1")) is None
    pass_time(db, minutes=16)
    assert told(ask("t1", "t2")) == "t2"
    assert ask("t2") is not None


def test_requests_on_their_way_with_the_old_token_are_answered_with_the_new_one(ask: Ask, anna: int, db: Database) -> None:
    pass_time(db, minutes=15)
    assert told(ask("t0", "t1")) == "t1"
    assert told(ask("t0", "t2")) == "t1"
    assert ask("t2") is None
    assert ask("t1") is not None
    pass_time(db, seconds=50)
    assert told(ask("t0", "t3")) is None
    assert rows(db, "select fresh_sealed from sessions") == [{"fresh_sealed": None}]


def test_many_requests_that_would_change_the_token_at_once_change_it_once_and_all_are_let_in(
    db: Database, vault: Vault, ask: Ask, anna: int
) -> None:
    pass_time(db, minutes=20)

    def show(fresh: str, session: Session) -> Look | None:
        return sessions.look(session, vault, "t0", fresh)

    ends = at_once(db, [partial(show, f"fresh-{n}") for n in range(6)])

    assert all(isinstance(end, Look) for end in ends)
    told = {end.fresh_token for end in ends if isinstance(end, Look)} - {None}
    assert len(told) == 1
    (fresh,) = told
    assert ask(fresh) is not None
    assert len(rows(db, "select * from sessions")) == 1


def test_an_old_token_after_the_new_one_was_shown_is_a_copy_and_ends_the_session_for_both(ask: Ask, anna: int, db: Database) -> None:
    (row,) = rows(db, "select public_id from sessions")
    pass_time(db, minutes=15)
    ask("t0", "t1")
    assert ask("t1") is not None
    pass_time(db, seconds=61)

    assert ask("t0", "t2") is None
    assert ask("t1") is None
    entries = rows(db, "select actor, action, object, account_id from audit_entries")
    assert [(e["actor"], e["action"], e["object"]) for e in entries] == [("system", "session.reused", row["public_id"])]
    assert entries[0]["account_id"] is not None


def test_who_never_got_the_new_token_is_not_signed_out(ask: Ask, anna: int, db: Database) -> None:
    pass_time(db, minutes=15)
    ask("t0", "lost on its way")
    pass_time(db, hours=2)

    assert told(ask("t0", "t2")) == "t2"
    assert ask("lost on its way") is None
    assert ask("t2") is not None
    assert rows(db, "select * from audit_entries") == []


@pytest.mark.parametrize(("days", "is_in"), [(6.9, True), (7.01, False)])
def test_a_member_who_stays_away_for_a_week_is_signed_out(ask: Ask, anna: int, db: Database, days: float, is_in: bool) -> None:
    pass_time(db, days=days)
    assert (ask("t0", "t1") is not None) is is_in


def test_a_member_is_signed_out_after_two_weeks_however_busy(ask: Ask, anna: int, db: Database) -> None:
    token = "t0"
    for day in range(1, 14):
        pass_time(db, days=1)
        look = ask(token, f"day-{day}")
        assert look is not None
        token = look.fresh_token or token
    pass_time(db, hours=25)
    assert ask(token, "more") is None


def test_staff_are_signed_out_after_an_idle_hour_and_after_twelve_hours(ask: Ask, colleague: int, db: Database) -> None:
    token = "s0"
    for half in range(1, 24):
        pass_time(db, minutes=30)
        look = ask(token, f"half-{half}")
        assert look is not None
        token = look.fresh_token or token
    pass_time(db, minutes=31)
    assert ask(token) is None


def test_an_idle_colleague_is_signed_out(ask: Ask, colleague: int, db: Database) -> None:
    pass_time(db, minutes=61)
    assert ask("s0") is None


def test_who_was_disabled_is_out_at_once(ask: Ask, colleague: int, db: Database) -> None:
    with db.engine.begin() as connection:
        connection.exec_driver_sql("update staff set disabled_at = app_now()")
    assert ask("s0") is None


def test_signing_out_ends_this_session_with_either_token_and_everywhere_ends_all(ask: Ask, anna: int, db: Database, vault: Vault) -> None:
    with db.system_transaction("test") as session:
        sessions.begin(session, vault, "phone", member_id=anna)
        sessions.begin(session, vault, "tablet", member_id=anna)
    pass_time(db, minutes=15)
    ask("t0", "t1")
    with db.system_transaction("test") as session:
        sessions.end(session, vault, "t0")
        sessions.end(session, vault, "nobody's")
    assert [ask("t0"), ask("t1")] == [None, None]
    assert ask("phone") is not None
    with db.system_transaction("test") as session:
        assert sessions.end_all(session, member_id=anna) == 2
    assert [ask("phone"), ask("tablet")] == [None, None]


def test_that_somebody_was_here_is_written_once_a_minute(ask: Ask, anna: int, db: Database) -> None:
    def written() -> object:
        return rows(db, "select xmin::text from sessions")

    before = written()
    pass_time(db, seconds=59)
    ask("t0")
    assert written() == before
    pass_time(db, seconds=2)
    ask("t0")
    after = written()
    assert after != before
    ask("t0")
    assert written() == after


def test_sessions_that_ran_out_go_when_somebody_signs_in(anna: int, db: Database, vault: Vault) -> None:
    pass_time(db, days=15)
    with db.system_transaction("test") as session:
        sessions.begin(session, vault, "t9", member_id=anna)
    assert len(rows(db, "select * from sessions")) == 1
