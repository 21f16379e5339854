"""Exchanging the key that seals: old rows readable, new rows on the new key, all sealed anew, the old key removable."""

import pytest
from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import text

from connector.errors import ConfigError
from connector.rules.permissions import StaffRole
from connector.store import installs, members, resealing, sessions, shops, staff, system_mails
from connector.store.db import Database, app_now
from connector.store.ids import public_id
from connector.store.resealing import PLACES
from connector.store.sealed import Vault
from connector.store.sync_tables import PrivacyRequestRow
from connector.store.system_mails import SystemMail
from tests.conftest import install
from tests.store.people import at_once, rows

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
MAIL = SystemMail("anna@example.org", "Hello", "text", "html", "sender")
HASHED = ("suppression", "1", "email", "anna@example.org")


def settled(db: Database, *keys: str) -> Vault:
    with db.system_transaction("test") as session:
        return resealing.settle(session, Vault(list(keys)))


def fill(db: Database, vault: Vault, name: str) -> None:
    """A value in every place where something is sealed; `name` tells the shops apart."""
    shop = install(db, vault, "shopify", f"{name}.myshopify.com", name)
    with db.system_transaction("test") as session:
        colleague = staff.add(session, f"{name}@staff.example", name, StaffRole.VIEWER, "hash")
        staff.set_totp(session, vault, colleague, "GEZDGNBVGY3TQOJQ")
        owner = members.first_owner(session, shops.get_shop(session, shop.id).account_id)
        sessions.begin(session, vault, f"token-{name}", member_id=owner)
        system_mails.queue(session, vault, system_mails.PREVIEW, MAIL)
    with db.engine.begin() as connection:
        connection.execute(text("update sessions set rotated_at = rotated_at - interval '16 minutes'"))
    with db.system_transaction("test") as session:
        sessions.look(session, vault, f"token-{name}", f"fresh-{name}")
        installs.remember(session, vault, "shopify", f"state-{name}", "browser", {"nonce": name})
        session.add(
            PrivacyRequestRow(
                public_id=public_id("prv"),
                shop_id=shop.id,
                kind="data_request",
                key_hash=name.encode(),
                person=vault.seal({"email": MAIL.to}),
                requested_at=app_now(session),
                due_at=app_now(session),
            )
        )


def sealed(db: Database) -> dict[str, list[bytes]]:
    """All that is sealed, by its place."""
    found = {}
    for place in PLACES:
        values = rows(db, f"select {place.column} as value from {place.table} where {place.column} is not null")
        found[f"{place.table}.{place.column}"] = [bytes(row["value"]) for row in values]
    return found


def is_on(key: str, value: bytes) -> bool:
    try:
        Fernet(key).decrypt(value)
    except InvalidToken:
        return False
    return True


def reseal_all(db: Database, vault: Vault) -> int:
    count = 0
    for place in PLACES:
        last, is_first = None, True
        while is_first or last is not None:
            with db.system_transaction("test") as session:
                changed, last = resealing.reseal_some(session, vault, place, last)
            count, is_first = count + changed, False
    return count


@pytest.mark.spec("SEC-231")
def test_a_key_is_exchanged_and_the_old_one_removed(db: Database) -> None:
    before = settled(db, OLD)
    fill(db, before, "first")
    hashed = before.keyed_hash(*HASHED)

    during = settled(db, NEW, OLD)
    with db.system_transaction("test") as session:
        assert shops.open_access(during, shops.list_shops(session)[0]).credentials == {"access_token": "token-of-first.myshopify.com"}
    fill(db, during, "second")
    assert all(any(is_on(NEW, value) for value in values) for name, values in sealed(db).items() if name != "hash_key.sealed")
    assert all(any(is_on(OLD, value) for value in values) for values in sealed(db).values())

    changed = reseal_all(db, during)
    assert changed == len(PLACES)
    assert reseal_all(db, during) == 0
    values = [value for found in sealed(db).values() for value in found]
    assert len(values) == 2 * len(PLACES) - 1
    assert all(is_on(NEW, value) and not is_on(OLD, value) for value in values)

    after = settled(db, NEW)
    assert after.keyed_hash(*HASHED) == hashed
    with db.system_transaction("test") as session:
        first, second = shops.list_shops(session)
        assert shops.open_access(after, first).credentials == {"access_token": "token-of-first.myshopify.com"}
        assert shops.open_access(after, second).credentials == {"access_token": "token-of-second.myshopify.com"}
        for name in ("first", "second"):
            row = staff.find_by_email(session, f"{name}@staff.example")
            assert row is not None
            assert staff.open_totp(after, row) == "GEZDGNBVGY3TQOJQ"
            assert sessions.look(session, after, f"fresh-{name}", "unused") is not None
        claimed = system_mails.claim(session)
        assert claimed is not None
        assert system_mails.open_mail(after, claimed) == MAIL


@pytest.mark.spec("SEC-231")
def test_what_every_sealed_column_of_the_tables_is_is_known(db: Database) -> None:
    """A column of bytes is a keyed hash, a body, or on the list of what is sealed anew."""
    names = text("""
        select c.relname || '.' || a.attname from pg_attribute a join pg_class c on c.oid = a.attrelid
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
          and a.atttypid = 'bytea'::regtype and a.attnum > 0 and not a.attisdropped
    """)
    with db.engine.connect() as connection:
        found = {name for name in connection.execute(names).scalars() if not name.endswith("_hash")}
    assert found - {"delivery_bodies.body", "deliveries.key", "banners.content"} == {f"{place.table}.{place.column}" for place in PLACES}


def test_a_key_that_was_removed_too_early_is_said_at_the_start_and_changes_nothing(db: Database) -> None:
    settled(db, OLD)
    kept = rows(db, "select * from hash_key")
    with pytest.raises(ConfigError, match="SEALING_KEY does not name"):
        settled(db, NEW)
    assert rows(db, "select * from hash_key") == kept


def test_the_hash_key_is_the_one_that_hashes_had_before_it_was_kept(db: Database) -> None:
    assert settled(db, NEW, OLD).keyed_hash(*HASHED) == Vault([OLD]).keyed_hash(*HASHED)


def test_processes_that_start_together_agree_on_the_key_of_hashes(db: Database) -> None:
    keys = ([OLD], [NEW, OLD], [OLD], [NEW, OLD])
    ends = at_once(db, [lambda session, own=own: resealing.settle(session, Vault(own)).keyed_hash("x") for own in keys])
    hashes = {end for end in ends if isinstance(end, bytes)}
    assert hashes == {Vault([OLD]).keyed_hash("x")}


def test_what_is_changed_meanwhile_is_left_to_the_one_who_changes_it(db: Database) -> None:
    fill(db, settled(db, OLD), "first")
    during = settled(db, NEW, OLD)

    class Changing(Vault):
        """Somebody stores other credentials between reading and writing."""

        def reseal(self, sealed: bytes) -> bytes | None:
            with db.engine.begin() as connection:
                connection.execute(text("update shops set credentials = :value"), {"value": during.seal({"access_token": "newer"})})
            return super().reseal(sealed)

    with db.system_transaction("test") as session:
        count, _ = resealing.reseal_some(session, Changing([NEW, OLD]), PLACES[1])
    assert count == 0
    with db.system_transaction("test") as session:
        assert shops.open_access(during, shops.list_shops(session)[0]).credentials == {"access_token": "newer"}
