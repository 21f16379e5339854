"""Audit entries with the names of what they are about."""

from typing import Any

import pytest
from sqlalchemy import text

from connector.store.db import Database
from connector.store.trail import Entry, Sought, list_trail
from tests.conftest import TestShop

STAFF, MEMBER = "stf_0198c5f2-0000-7000-8000-000000000001", "mem_0198c5f2-0000-7000-8000-000000000002"


@pytest.fixture
def filled(db: Database, shopify_shop: TestShop, woo_shop: TestShop) -> Database:
    """Entries of staff, of a member, of nobody who is still there, of two shops and of none."""
    statements = (
        f"""insert into staff (public_id, email_norm, name, role, password_hash, created_at)
            values ('{STAFF}', 'sam@staff.example', 'Sam', 'support', 'x', now())""",
        f"""insert into members (public_id, account_id, email, email_norm, role, created_at)
            select '{MEMBER}', account_id, 'Claire@x.example', 'claire@x.example', 'owner', now()
            from shops where id = {shopify_shop.id}""",
        f"""insert into audit_entries (account_id, shop_id, actor, action, object, reason, request_id, at)
            select account_id, id, 'staff {STAFF}', 'support.viewed', 'chk_1', 'because', 'req_1', now()
            from shops where id = {shopify_shop.id}""",
        f"""insert into audit_entries (account_id, shop_id, actor, action, at)
            select account_id, id, 'member {MEMBER}', 'automation.on', now() from shops where id = {woo_shop.id}""",
        "insert into audit_entries (actor, action, at) values ('staff stf_gone', 'support.searched', now())",
        "insert into audit_entries (account_id, shop_id, actor, action, at) values (999, 999, 'system', 'session.reused', now())",
    )
    with db.engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    return db


def find(db: Database, before: int | None = None, limit: int = 50, **sought: Any) -> list[Entry]:
    """What is found in a system transaction."""
    with db.system_transaction("the trail in a test") as session:
        return list(list_trail(session, Sought(**sought), before, limit))


def test_entries_come_with_names_as_far_as_there_are_any(filled: Database) -> None:
    reused, searched, switched, viewed = find(filled)
    assert (viewed.shop_name, viewed.account_name, viewed.staff_name, viewed.member_email) == ("Démo", "Démo", "Sam", None)
    assert (viewed.action, viewed.object, viewed.reason, viewed.request_id) == ("support.viewed", "chk_1", "because", "req_1")
    assert viewed.shop_id is not None
    assert viewed.shop_id.startswith("shp_")
    assert (switched.shop_name, switched.staff_name, switched.member_email) == ("Boutique", None, "Claire@x.example")
    assert (searched.actor, searched.staff_name, searched.shop_id) == ("staff stf_gone", None, None)
    assert (reused.shop_id, reused.shop_name, reused.account_name) == (None, None, None), "what an entry tells of may be gone"


def test_entries_are_filtered(filled: Database, woo_shop: TestShop) -> None:
    assert [entry.action for entry in find(filled, shop_id=woo_shop.id)] == ["automation.on"]
    assert [entry.action for entry in find(filled, begins="support.")] == ["support.searched", "support.viewed"]
    assert [entry.action for entry in find(filled, begins="support_")] == [], "every sign stands for itself"
    assert [entry.action for entry in find(filled, actor=f"staff {STAFF}")] == ["support.viewed"]
    assert find(filled, actor="staff") == []


def test_pages_follow_each_other(filled: Database) -> None:
    first = find(filled, limit=3)
    rest = find(filled, before=first[-1].id, limit=3)
    assert [entry.id for entry in first + rest] == sorted((entry.id for entry in find(filled)), reverse=True)
