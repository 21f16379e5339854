"""Who of a platform's admin becomes a member: nobody sees more here than the platform itself vouches for."""

from typing import Any

import pytest
from sqlalchemy import text

from connector.rules.permissions import Role
from connector.store import members
from connector.store.access_tables import MemberRow
from connector.store.db import Database
from connector.store.members import PlatformUser
from connector.store.sealed import Vault
from tests.conftest import TestShop, install

KEY = "shopify:demo.myshopify.com:1"


@pytest.fixture
def account(db: Database, shopify_shop: TestShop) -> int:
    """An account with one store."""
    with db.system_transaction("an account for a test") as session:
        row = session.get_one(MemberRow, 1)
        return row.account_id


def admit(db: Database, account: int, key: str = KEY, **user: Any) -> tuple[int | None, str] | None:
    """(id, role) of the member that this person is."""
    fields: dict[str, Any] = {"is_owner": False, "sees_customers": True, "email": "noah@example.org"} | user
    given = PlatformUser(key, **fields)
    with db.system_transaction("a person of an admin") as session:
        row = members.admit(session, account, given)
        return None if row is None else (row.id, row.role)


def add(db: Database, account: int, email: str, role: Role) -> int | None:
    with db.system_transaction("a member for a test") as session:
        return members.add(session, account, email, role).id


def remove(db: Database, account: int, member: int | None) -> None:
    with db.system_transaction("a member leaves") as session:
        members.remove(session, account, session.get_one(MemberRow, member).public_id)


@pytest.mark.parametrize(
    ("user", "role"),
    [
        ({"is_owner": True}, Role.OWNER),
        ({"is_owner": True, "sees_customers": False}, Role.OWNER),
        ({"is_owner": False}, Role.READ_ONLY),
        ({"is_owner": False, "email": None}, Role.READ_ONLY),
    ],
    ids=str,
)
def test_a_newcomer_of_the_only_store_is_what_the_platform_says(db: Database, account: int, user: dict[str, Any], role: Role) -> None:
    found = admit(db, account, **user)
    assert found is not None
    assert found[1] == role
    assert admit(db, account, **user) == found, "the second time it is the same member"


def test_whoever_may_not_see_customers_there_is_nobody_here(db: Database, account: int) -> None:
    assert admit(db, account, sees_customers=False) is None


@pytest.mark.parametrize("is_owner", [True, False])
def test_where_there_is_another_store_nobody_comes_in_by_themselves(db: Database, vault: Vault, account: int, is_owner: bool) -> None:
    other = install(db, vault, "woocommerce", "other.test", "Other")
    with db.system_transaction("one account") as session:
        session.execute(text("update shops set account_id = :account where id = :id"), {"account": account, "id": other.id})
    assert admit(db, account, is_owner=is_owner) is None
    known = add(db, account, "noah@example.org", Role.MARKETER)
    assert admit(db, account, is_owner=is_owner) == (known, Role.MARKETER), "a member is known by the address"


def test_a_verified_address_finds_its_member_and_keeps_the_role(db: Database, account: int) -> None:
    known = add(db, account, "Noah@Example.org", Role.MARKETER)
    assert admit(db, account, is_owner=True) == (known, Role.MARKETER)


def test_who_was_removed_stays_out_until_invited_again(db: Database, account: int) -> None:
    found = admit(db, account)
    assert found is not None
    remove(db, account, found[0])
    assert admit(db, account) is None
    assert admit(db, account, is_owner=True) is None
    assert admit(db, account, email=None) is None
    assert add(db, account, "noah@example.org", Role.MARKETER) == found[0]
    assert admit(db, account) == (found[0], Role.MARKETER)


def test_who_was_invited_again_by_another_address_is_that_member(db: Database, account: int) -> None:
    found = admit(db, account)
    assert found is not None
    remove(db, account, found[0])
    other = add(db, account, "noah@work.example", Role.MARKETER)
    assert admit(db, account, email="noah@work.example") == (other, Role.MARKETER)
    assert admit(db, account, email=None) == (other, Role.MARKETER), "now known without the address"


def test_the_address_of_somebody_removed_lets_nobody_in(db: Database, account: int) -> None:
    remove(db, account, add(db, account, "noah@example.org", Role.OWNER))
    assert admit(db, account) is None


def test_an_owner_without_a_name_is_the_stores_owner(db: Database, account: int) -> None:
    """A store that told no address: its account has an owner whom nobody can be, until now."""
    with db.system_transaction("a nameless owner") as session:
        row = session.get_one(MemberRow, 1)
        row.email = row.email_norm = None
    assert admit(db, account, email="noah@example.org") is not None, "not its staff"
    assert admit(db, account, key=KEY + "1", is_owner=True, email="camille@example.org", language="fr") == (1, Role.OWNER)
    with db.system_transaction("who that is") as session:
        row = session.get_one(MemberRow, 1)
        assert (row.email_norm, row.language, row.platform_user) == ("camille@example.org", "fr", KEY + "1")


def test_a_login_to_two_stores_is_one_member(db: Database, account: int) -> None:
    first = admit(db, account)
    assert admit(db, account, key="shopify:second.myshopify.com:9") == first
    assert admit(db, account) == first


def test_two_people_never_become_one(db: Database, account: int) -> None:
    assert admit(db, account) != admit(db, account, key=KEY + "2", email="lina@example.org")
    assert admit(db, account, key=KEY + "3", email=None) != admit(db, account, key=KEY + "4", email=None)


def test_another_account_knows_nothing_of_them(db: Database, account: int) -> None:
    admit(db, account)
    with db.system_transaction("another account") as session:
        assert members.recognise(session, 1 if account != 1 else 2, KEY) is None
        assert members.recognise(session, account, KEY) is not None
