"""Members: who is one, what each is, and that an account keeps an owner."""

import pytest

from connector.errors import NotFound, Refused
from connector.rules.permissions import Role
from connector.store import members, sessions, sign_in_links
from connector.store.db import Database
from connector.store.sealed import Vault
from tests.store.people import account, at_once, member, rows


def test_an_address_finds_every_account_it_may_enter_whatever_its_case(db: Database) -> None:
    first, second = member(db, "Anna@Example.org"), member(db, "anna@example.ORG", Role.MARKETER, "Second")
    member(db, "bob@example.org")

    with db.system_transaction("test") as session:
        found = members.find_by_email(session, " ANNA@example.org ")
        assert members.find_by_email(session, "nobody@example.org") == members.find_by_email(session, "no address") == []

    assert [(m.member_id, m.account_name, m.account_public_id, m.email, m.role) for m in found] == [
        (first.id, "First", "acc_first", "Anna@Example.org", Role.OWNER),
        (second.id, "Second", "acc_second", "anna@example.ORG", Role.MARKETER),
    ]


@pytest.mark.parametrize("email", ["anna", "", "anna@host", "a@b.c\nBcc: x@y.z", "x" * 400 + "@example.org"])
def test_what_is_no_address_is_refused(db: Database, email: str) -> None:
    with pytest.raises(Refused, match="not an e-mail address"):
        member(db, email)
    assert rows(db, "select * from members") == []


def test_an_address_is_a_member_of_an_account_once(db: Database) -> None:
    member(db)
    with pytest.raises(Refused, match="already"):
        member(db, "ANNA@example.org", Role.READ_ONLY)
    assert len(rows(db, "select * from members")) == 1


def test_two_who_add_the_same_address_at_once_make_one_member(db: Database) -> None:
    place = account(db)
    ends = at_once(db, [lambda session: members.add(session, place, "anna@example.org", Role.MARKETER)] * 4)

    assert sorted(type(end).__name__ for end in ends) == ["MemberRow", "Refused", "Refused", "Refused"]
    assert len(rows(db, "select * from members")) == 1


def test_who_was_removed_is_gone_everywhere_and_can_come_back_as_something_else(db: Database, vault: Vault) -> None:
    member(db)
    bob = member(db, "bob@example.org", Role.MARKETER)
    place = account(db)
    with db.system_transaction("test") as session:
        sessions.begin(session, vault, "bobs-token", member_id=bob.id)
        sign_in_links.make(session, vault, "bobs-link", "his-browser", member_id=bob.id)
    with db.system_transaction("test") as session:
        members.remove(session, place, bob.public_id)

    with db.system_transaction("test") as session:
        assert sessions.look(session, vault, "bobs-token", "fresh") is None
        assert sign_in_links.redeem(session, vault, "bobs-link", "his-browser") is None
        assert members.find_by_email(session, "bob@example.org") == []
        assert [row.email for row in members.list_members(session, place)] == ["anna@example.org"]
        with pytest.raises(NotFound):
            members.get_member(session, place, bob.public_id)
    back = member(db, "Bob@example.org", Role.READ_ONLY)
    assert (back.id, back.role, back.removed_at) == (bob.id, "read_only", None)


def test_the_last_owner_can_neither_be_removed_nor_made_less(db: Database) -> None:
    anna, bob = member(db), member(db, "bob@example.org", Role.MARKETER)
    place = account(db)
    with db.system_transaction("test") as session:
        for attempt in (
            lambda: members.remove(session, place, anna.public_id),
            lambda: members.change_role(session, place, anna.public_id, Role.READ_ONLY),
        ):
            with pytest.raises(Refused, match="only owner"):
                attempt()
        members.change_role(session, place, bob.public_id, Role.OWNER)
        members.change_role(session, place, anna.public_id, Role.READ_ONLY)

    assert [row["role"] for row in rows(db, "select role from members order by id")] == ["read_only", "owner"]


def test_two_owners_who_remove_each_other_at_once_leave_one(db: Database) -> None:
    anna, bob = member(db), member(db, "bob@example.org")
    place = account(db)
    ends = at_once(
        db,
        [lambda session: members.remove(session, place, anna.public_id), lambda session: members.remove(session, place, bob.public_id)],
    )

    assert sorted(type(end).__name__ for end in ends) == ["NoneType", "Refused"]
    assert len(rows(db, "select * from members where removed_at is null")) == 1


def test_members_of_another_account_are_not_found(db: Database) -> None:
    member(db)
    other = member(db, "eve@example.org", Role.OWNER, "Second")
    place = account(db)
    with db.transaction(account=place) as session:
        for attempt in (
            lambda: members.get_member(session, place, other.public_id),
            lambda: members.get_member(session, account(db, "Second"), other.public_id),
            lambda: members.change_role(session, place, other.public_id, Role.READ_ONLY),
        ):
            with pytest.raises(NotFound):
                attempt()
        assert [row.email for row in members.list_members(session, account(db, "Second"))] == []


def test_an_account_gets_its_first_owner_once(db: Database) -> None:
    place = account(db)
    with db.system_transaction("test") as session:
        assert members.first_owner(session, place) is None
        first = members.add_first(session, place, "not an address")
        again = members.add_first(session, place, "anna@example.org")
        assert (first.email, first.email_norm, first.role, again.id) == (None, None, "owner", first.id)
        assert members.first_owner(session, place) == first.id
