"""Our own people: let in, let in no more, and the second factor."""

from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from sqlmodel import Session

from connector.errors import NotFound, Refused
from connector.rules.permissions import StaffRole
from connector.store import sessions, staff
from connector.store.access_tables import StaffRow
from connector.store.db import Database, app_now
from connector.store.sealed import Vault
from tests.store.people import at_once, rows

EMAIL = "sam@example.org"
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # base32 of "12345678901234567890", the secret of RFC 6238's examples


def add(db: Database, vault: Vault, email: str = EMAIL) -> StaffRow:
    with db.system_transaction("test") as session:
        return staff.add(session, email, " Sam  Sample ", StaffRole.SUPPORT, "a hash")


def set_up(db: Database, vault: Vault) -> None:
    """A colleague with the examples' secret."""
    add(db, vault)
    with db.system_transaction("test") as session:
        staff.set_totp(session, vault, load(session), SECRET)


def load(session: Session) -> StaffRow:
    row = staff.find_by_email(session, EMAIL)
    assert row is not None
    return row


def code(at: datetime) -> str:
    return TOTP(b"12345678901234567890", 6, SHA1(), 30).generate(int(at.timestamp())).decode()


def check(db: Database, vault: Vault, text: str, at: datetime) -> bool:
    with db.system_transaction("test") as session:
        return staff.check_totp(session, vault, load(session), text, at)


@pytest.fixture
def now(db: Database) -> datetime:
    """The middle of a step of 30 seconds."""
    with db.system_transaction("test") as session:
        at = app_now(session)
    return datetime.fromtimestamp(int(at.timestamp()) // 30 * 30 + 15, at.tzinfo)


def test_a_colleague_is_found_by_any_writing_of_the_address_once(db: Database, vault: Vault) -> None:
    row = add(db, vault, " Sam@Example.org")
    assert (row.email_norm, row.name, row.role, row.totp_confirmed_at) == (EMAIL, "Sam Sample", "support", None)
    with db.system_transaction("test") as session:
        assert load(session).id == row.id
        assert [staff.find_by_email(session, email) for email in ("bob@example.org", "nonsense")] == [None, None]
        with pytest.raises(Refused, match="there already"):
            staff.add(session, EMAIL, "Other", StaffRole.ADMIN, "hash")
        with pytest.raises(Refused, match="not an e-mail address"):
            staff.add(session, "nonsense", "Other", StaffRole.ADMIN, "hash")
        with pytest.raises(Refused, match="name"):
            staff.add(session, "other@example.org", "  ", StaffRole.ADMIN, "hash")


def test_who_was_disabled_is_not_found_and_comes_back_without_the_old_second_factor(db: Database, vault: Vault, now: datetime) -> None:
    set_up(db, vault)
    assert check(db, vault, code(now), now)
    with db.system_transaction("test") as session:
        sessions.begin(session, vault, "token", staff_id=load(session).id)
        staff.disable(session, EMAIL)
        assert staff.find_by_email(session, EMAIL) is None
        assert sessions.look(session, vault, "token", "fresh") is None
        with pytest.raises(NotFound):
            staff.disable(session, EMAIL)
    again = add(db, vault)
    assert (again.disabled_at, again.totp_secret, again.totp_confirmed_at) == (None, None, None)
    assert len(rows(db, "select * from staff")) == 1


def test_the_code_of_now_and_of_one_step_around_is_right(db: Database, vault: Vault, now: datetime) -> None:
    set_up(db, vault)
    step = timedelta(seconds=30)
    assert not check(db, vault, code(now - 2 * step), now)
    assert not check(db, vault, code(now + 2 * step), now)
    assert [check(db, vault, code(now + n * step), now) for n in (-1, 0, 1)] == [True, True, True]


def test_the_codes_are_those_of_the_standard(db: Database, vault: Vault) -> None:
    set_up(db, vault)
    at = datetime.fromisoformat("2009-02-13T23:31:30+00:00")  # RFC 6238, appendix B: 1234567890 s, 89005924
    assert check(db, vault, "005 924", at)


def test_a_code_is_good_once_and_an_older_one_not_after_it(db: Database, vault: Vault, now: datetime) -> None:
    set_up(db, vault)
    assert check(db, vault, code(now), now)
    assert not check(db, vault, code(now), now)
    assert not check(db, vault, code(now - timedelta(seconds=30)), now)
    assert check(db, vault, code(now + timedelta(seconds=30)), now)


def test_of_two_who_show_a_code_at_once_one_is_let_in(db: Database, vault: Vault, now: datetime) -> None:
    set_up(db, vault)
    ends = at_once(db, [lambda session: staff.check_totp(session, vault, load(session), code(now), now)] * 4)
    assert sorted(map(str, ends)) == ["False", "False", "False", "True"]


@pytest.mark.parametrize("text", ["", "12345", "abcdef", "1234567", "é23456"])
def test_what_is_no_code_is_wrong(db: Database, vault: Vault, now: datetime, text: str) -> None:
    set_up(db, vault)
    assert not check(db, vault, text, now)


def test_the_secret_is_shown_until_its_first_code_and_to_nobody_after(db: Database, vault: Vault, now: datetime) -> None:
    add(db, vault)
    assert not check(db, vault, code(now), now)
    with db.system_transaction("test") as session:
        row = load(session)
        secret = staff.pending_totp(session, vault, row)
        assert staff.pending_totp(session, vault, row) == secret
        assert staff.totp_uri(row, secret).startswith("otpauth://totp/Connector:sam%40example.org?")
        assert f"secret={secret}" in staff.totp_uri(row, secret)
        staff.set_totp(session, vault, row, SECRET)
    assert check(db, vault, code(now), now)
    with db.system_transaction("test") as session:
        row = load(session)
        assert row.totp_confirmed_at is not None
        with pytest.raises(Refused, match="set up already"):
            staff.pending_totp(session, vault, row)


def test_a_reset_ends_all_sessions_and_a_new_secret_is_made(db: Database, vault: Vault, now: datetime) -> None:
    set_up(db, vault)
    assert check(db, vault, code(now), now)
    with db.system_transaction("test") as session:
        sessions.begin(session, vault, "token", staff_id=load(session).id)
        staff.reset_second_factor(session, EMAIL)
        assert sessions.look(session, vault, "token", "fresh") is None
        assert staff.pending_totp(session, vault, load(session)) != SECRET
        with pytest.raises(NotFound, match="nobody"):
            staff.reset_second_factor(session, "bob@example.org")


def test_everybody_is_listed(db: Database, vault: Vault) -> None:
    add(db, vault)
    add(db, vault, "kim@example.org")
    with db.system_transaction("test") as session:
        staff.disable(session, EMAIL)
        assert [(row.email_norm, row.disabled_at is None) for row in staff.list_staff(session)] == [
            (EMAIL, False),
            ("kim@example.org", True),
        ]
        with pytest.raises(NotFound):
            staff.get_staff(session, 99)
