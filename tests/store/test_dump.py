"""A thief of the database holds nothing that opens a door: all of it is searched for what lets somebody in."""

import secrets
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from connector.rules.permissions import Scope, StaffRole
from connector.store import (
    api_keys,
    attempts,
    audit,
    installs,
    members,
    passwords,
    resealing,
    sessions,
    shops,
    sign_in_links,
    staff,
    system_mails,
)
from connector.store.db import Database
from connector.store.sealed import Vault
from connector.store.system_mails import SystemMail
from tests.conftest import SEALING_KEY, TestShop
from tests.store.people import pass_time

COLUMNS = text("""
    select c.relname as table_name, a.attname as column_name from pg_attribute a join pg_class c on c.oid = a.attrelid
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'm') and a.attnum > 0 and not a.attisdropped
""")


def dump(db: Database) -> Iterator[tuple[str, str]]:
    """Every value of every column of every table, as PostgreSQL writes it: bytes as their hex."""
    with db.engine.connect() as connection:
        for table, column in connection.execute(COLUMNS).all():
            statement = text(f'select "{column}"::text from "{table}" where "{column}" is not null')
            yield from ((f"{table}.{column}", value) for value in connection.execute(statement).scalars())


def spellings(secret: str) -> tuple[str, ...]:
    """How a secret could lie there: as it is, and the hex of its bytes."""
    return secret, secret.encode().hex()


@pytest.fixture
def canaries(db: Database, vault: Vault, shopify_shop: TestShop) -> dict[str, str]:
    """One of everything that lets somebody in, written by the functions that keep it."""
    made = {
        name: f"canary{secrets.token_hex(12)}"
        for name in (
            "session",
            "fresh session",
            "link",
            "browser",
            "install state",
            "install browser",
            "credential",
            "remembered",
            "password",
        )
    }
    made |= {"mail": f"canary{secrets.token_hex(12)}", "address": f"canary{secrets.token_hex(6)}@example.org"}
    made |= {"sealing key": SEALING_KEY, "webhook secret": shopify_shop.webhook_secret, "totp": staff.new_totp_secret()}
    with db.system_transaction("canaries") as session:
        account = shops.get_shop(session, shopify_shop.id).account_id
        owner = members.first_owner(session, account)
        colleague = staff.add(session, "sam@example.org", "Sam", StaffRole.ADMIN, passwords.hash_password(made["password"]))
        staff.set_totp(session, vault, colleague, made["totp"])
        sessions.begin(session, vault, made["session"], member_id=owner)
        sign_in_links.make(session, vault, made["link"], made["browser"], member_id=owner)
        attempts.take(session, vault, "sign-in", made["address"], most=3, seconds=60)
        _, made["api key"] = api_keys.issue(session, vault, account, "Till", [Scope.SHOPS_READ], "member mem_1")
        shops.replace_credentials(session, vault, shopify_shop.id, {"access_token": made["credential"]})
        mail = SystemMail(made["address"], "Sign in", f"https://connector.test/sign-in/{made['mail']}", made["mail"], "sender")
        system_mails.queue(session, vault, system_mails.SIGN_IN, mail, account)
        installs.remember(session, vault, "shopify", made["install state"], made["install browser"], {"nonce": made["remembered"]})
        audit.write(session, audit.SYSTEM, "canary.written", account_id=account)
        settled = resealing.settle(session, vault)
    made["hash key"] = settled._hash_key.hex()
    pass_time(db, minutes=16)
    with db.system_transaction("a session goes on") as session:
        assert sessions.look(session, vault, made["session"], made["fresh session"]) is not None
    return made


@pytest.mark.spec("SEC-230")
def test_a_dump_of_the_whole_database_holds_no_token_key_secret_or_password(db: Database, canaries: dict[str, str]) -> None:
    wanted = [(name, spelling) for name, secret in canaries.items() for spelling in spellings(secret)]
    hits = [(where, name) for where, value in dump(db) for name, spelling in wanted if spelling.lower() in value.lower()]
    assert hits == []


@pytest.mark.spec("SEC-230")
def test_the_search_finds_what_lies_open_in_any_kind_of_column(db: Database, canaries: dict[str, str]) -> None:
    """The search itself is tried: a text, an array, JSON, bytes, and the hex of bytes inside a text."""
    secret = canaries["session"]
    opened = {
        "shops.name": "update shops set name = 'x ' || :secret",
        "shops.hosts": "update shops set hosts = array['a', :secret]",
        "shops.credentials": "update shops set credentials = convert_to('{\"t\": \"' || :secret || '\"}', 'UTF8')",
        "audit_entries.reason": "update audit_entries set reason = encode(convert_to(:secret, 'UTF8'), 'hex')",
    }
    for where, statement in opened.items():
        with db.engine.connect() as connection, connection.begin() as transaction:
            connection.execute(text(statement), {"secret": secret})
            transaction.commit()
        found = {place for place, value in dump(db) if any(s.lower() in value.lower() for s in spellings(secret))}
        assert where in found
