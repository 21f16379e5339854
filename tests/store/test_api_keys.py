"""API keys: shown once, found by their text, revoked."""

import re

import pytest

from connector.errors import NotFound, Refused
from connector.rules.permissions import Scope
from connector.store import api_keys
from connector.store.access_tables import ApiKeyRow
from connector.store.db import Database
from connector.store.sealed import Vault
from tests.store.people import account, pass_time, rows

BY = "member mem_1"


def issue(db: Database, vault: Vault, name: str = "Till") -> tuple[ApiKeyRow, str]:
    with db.transaction(account=account(db)) as session:
        return api_keys.issue(session, vault, account(db), name, [Scope.SHOPS_READ, Scope.CHECKOUTS_READ, Scope.SHOPS_READ], BY)


def find(db: Database, vault: Vault, key: str) -> ApiKeyRow | None:
    with db.system_transaction("test") as session:
        return api_keys.find(session, vault, key)


def test_a_key_is_found_by_its_text_alone(db: Database, vault: Vault) -> None:
    row, key = issue(db, vault)
    assert re.fullmatch(r"ck_[A-Za-z0-9_-]{43}", key)
    assert (row.hint, row.scopes, row.created_by) == (key[-4:], ["checkouts:read", "shops:read"], BY)
    found = find(db, vault, key)
    assert found is not None
    assert (found.public_id, found.account_id) == (row.public_id, account(db))
    assert [find(db, vault, text) for text in ("", key[:-1], key + "x", key.upper(), row.key_hash.hex())] == [None] * 5


def test_its_use_is_noted_once_a_minute(db: Database, vault: Vault) -> None:
    _, key = issue(db, vault)

    def used() -> object:
        find(db, vault, key)
        return rows(db, "select last_used_at from api_keys")[0]["last_used_at"]

    assert rows(db, "select last_used_at from api_keys") == [{"last_used_at": None}]
    first = used()
    assert first is not None
    pass_time(db, seconds=59)
    assert used() == first
    pass_time(db, seconds=2)
    assert used() != first


def test_a_revoked_key_is_good_for_nothing_but_still_listed(db: Database, vault: Vault) -> None:
    (row, key), (other, _) = issue(db, vault), issue(db, vault, "Warehouse")
    with db.transaction(account=account(db)) as session:
        api_keys.revoke(session, account(db), row.public_id)
    (revoked_at,) = (r["revoked_at"] for r in rows(db, "select revoked_at from api_keys where id = :id", id=row.id))
    assert revoked_at is not None
    assert find(db, vault, key) is None
    pass_time(db, minutes=5)
    with db.transaction(account=account(db)) as session:
        api_keys.revoke(session, account(db), row.public_id)
        listed = api_keys.list_keys(session, account(db))
    assert [(r.name, r.revoked_at) for r in listed] == [("Warehouse", None), ("Till", revoked_at)]
    assert other.revoked_at is None


def test_another_account_neither_sees_nor_ends_it(db: Database, vault: Vault) -> None:
    row, key = issue(db, vault)
    second = account(db, "Second")
    with db.transaction(account=second) as session:
        assert api_keys.list_keys(session, account(db)) == []
        for place in (account(db), second):
            with pytest.raises(NotFound):
                api_keys.revoke(session, place, row.public_id)
    assert find(db, vault, key) is not None


def test_a_key_needs_a_name_and_something_to_read(db: Database, vault: Vault) -> None:
    with db.transaction(account=account(db)) as session:
        for name in (" ", "x" * 81):
            with pytest.raises(Refused, match="name"):
                api_keys.issue(session, vault, account(db), name, [Scope.SHOPS_READ], BY)
        with pytest.raises(Refused, match="may read"):
            api_keys.issue(session, vault, account(db), "Till", [], BY)
    assert rows(db, "select * from api_keys") == []
