"""Attempts: counted exactly, by all together."""

from connector.store import attempts
from connector.store.db import Database
from connector.store.sealed import Vault
from tests.store.people import at_once, pass_time, rows


def take(db: Database, vault: Vault, who: str = "anna@example.org", what: str = "sign-in") -> bool:
    with db.system_transaction("test") as session:
        return attempts.take(session, vault, what, who, most=3, seconds=600)


def test_so_many_tries_are_let_through_and_no_more(db: Database, vault: Vault) -> None:
    assert [take(db, vault) for _ in range(5)] == [True, True, True, False, False]
    assert take(db, vault, "bob@example.org")
    assert take(db, vault, what="code")


def test_after_the_time_it_begins_anew_and_refused_tries_do_not_prolong_it(db: Database, vault: Vault) -> None:
    assert [take(db, vault) for _ in range(4)] == [True, True, True, False]
    pass_time(db, seconds=590)
    assert not take(db, vault)
    pass_time(db, seconds=11)
    assert [take(db, vault) for _ in range(4)] == [True, True, True, False]


def test_a_success_is_forgotten(db: Database, vault: Vault) -> None:
    assert [take(db, vault) for _ in range(4)] == [True, True, True, False]
    with db.system_transaction("test") as session:
        attempts.forget(session, vault, "sign-in", "anna@example.org")
    assert take(db, vault)


def test_a_try_that_was_no_wrong_one_is_given_back_and_never_more_than_were_taken(db: Database, vault: Vault) -> None:
    for _ in range(5):
        assert take(db, vault)
        with db.system_transaction("test") as session:
            attempts.give_back(session, vault, "sign-in", "anna@example.org")
            attempts.give_back(session, vault, "sign-in", "anna@example.org")
    assert [take(db, vault) for _ in range(4)] == [True, True, True, False]


def test_many_at_once_are_counted_exactly(db: Database, vault: Vault) -> None:
    ends = at_once(db, [lambda session: attempts.take(session, vault, "sign-in", "anna", most=5, seconds=600)] * 12)

    assert sorted(map(str, ends)) == ["False"] * 7 + ["True"] * 5
    assert rows(db, "select count from attempts") == [{"count": 12}]


def test_what_is_old_goes(db: Database, vault: Vault) -> None:
    for number in range(4):
        take(db, vault, f"p{number}@example.org")
    pass_time(db, hours=25)
    take(db, vault)
    assert len(rows(db, "select * from attempts")) == 1
