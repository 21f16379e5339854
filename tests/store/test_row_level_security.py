"""Row level security: the wall behind the scoping of queries. Every table that holds something of a shop or an account is tried."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import CheckConstraint, Column, Connection, Table, insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlmodel import SQLModel

from connector.store import access_tables, automation_tables, inbox_tables, offer_tables, run_tables, sync_tables, tables
from connector.store.db import APP_ROLE, SYSTEM_ROLE, Database
from tests.conftest import TestShop

MODULES = (tables, automation_tables, inbox_tables, access_tables, offer_tables, sync_tables, run_tables)
OURS = ("app_clock", "pending_installs", "unknown_shops", "admin_codes")
OF_ACCOUNT = ("contacts", "companies", "members", "api_keys", "system_mails")
UNDELETABLE = ("members", "api_keys", "notices", "system_mails", "audit_entries", "offer_events")
UNCHANGEABLE = ("system_mails", "audit_entries", "offer_events")
ROLES = (APP_ROLE, SYSTEM_ROLE)
OF_TENANT = {
    table.name: table
    for module in MODULES
    for table in SQLModel.metadata.sorted_tables
    if table.name == "accounts" or (table.name not in OURS and {"shop_id", "account_id"} & set(table.c.keys()))
}
FILLED = {name: table for name, table in OF_TENANT.items() if name not in ("accounts", "shops")}
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Tenant:
    """One shop, alone in its account, with a row in every table."""

    shop: int
    account: int

    def owns(self, row: Any, table: str) -> bool:
        """Whether a row of that table is this tenant's."""
        match table:
            case "accounts":
                return bool(row.id == self.account)
            case _ if table in OF_ACCOUNT:
                return bool(row.account_id == self.account)
            case "shops":
                return bool(row.id == self.shop)
            case _:
                return bool(row.shop_id == self.shop)


@pytest.fixture
def tenants(db: Database, shopify_shop: TestShop, woo_shop: TestShop) -> tuple[Tenant, Tenant]:
    """Two tenants; both have rows in all of `OF_TENANT`."""
    with db.engine.begin() as connection:
        pairs = connection.execute(text("select id, account_id from shops order by id")).all()
        first, second = (Tenant(*pair) for pair in pairs)
        connection.execute(text("delete from shop_work"))
        connection.execute(text("delete from audit_entries"))
        # Only policies are tried here, so rows may refer to rows that are not there.
        connection.execute(text("set local session_replication_role = replica"))
        for tenant in (first, second):
            for table in FILLED.values():
                connection.execute(insert(table), [row_for(table, tenant)])
    return first, second


def row_for(table: Table, tenant: Tenant) -> dict[str, Any]:
    """The least that the table takes for a row of this tenant."""
    row: dict[str, Any] = {"shop_id": tenant.shop, "account_id": tenant.account}
    for column in table.c:
        if column.name not in row and not column.nullable and column.server_default is None and column.identity is None:
            row[column.name] = value_for(table, column, tenant)
    return {name: value for name, value in row.items() if name in table.c}


def value_for(table: Table, column: Column[Any], tenant: Tenant) -> Any:
    """A value of the column's type that its checks allow; unique to the tenant where the type has room for it."""
    for check in (constraint for constraint in table.constraints if isinstance(constraint, CheckConstraint)):
        allowed = re.fullmatch(rf"{column.name} in \('([^']+)'.*", str(check.sqltext))
        if allowed:
            return allowed[1]
    kind = getattr(column.type, "impl_instance", column.type).python_type
    values = {bool: False, datetime: NOW, date: NOW.date(), bytes: f"{tenant.shop}".encode(), Decimal: Decimal(1), str: f"of {tenant.shop}"}
    return values.get(kind, tenant.shop)


def seen_by(connection: Any) -> dict[str, list[Any]]:
    return {name: connection.execute(select(table)).all() for name, table in OF_TENANT.items()}


@pytest.fixture
def owner(db: Database) -> Iterator[Connection]:
    """A transaction of the login role that leaves nothing behind."""
    with db.engine.connect() as connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()


def become(connection: Connection, role: str | None) -> None:
    connection.execute(text("select set_config('role', coalesce(:role, 'none'), true)"), {"role": role})


def attempt(connection: Connection, role: str | None, statement: str) -> None:
    """Run a statement as a role, or as the owner, so that a refusal leaves the transaction usable."""
    with connection.begin_nested():
        become(connection, role)
        connection.execute(text(statement))


def test_every_table_of_a_tenant_is_closed_even_to_its_owner_and_has_one_policy_for_each_role(owner: Connection) -> None:
    found = owner.execute(
        text("""
        select c.relname, c.relrowsecurity and c.relforcerowsecurity as closed, array(
            select p.polname || ' for ' || p.polroles::regrole[]::text from pg_policy p where p.polrelid = c.oid order by p.polname
        ) as policies
        from pg_class c
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition and (
            c.relname in ('accounts', 'shops')
            or exists (select 1 from pg_attribute a where a.attrelid = c.oid and a.attname in ('shop_id', 'account_id'))
        )
        """)
    ).all()
    found = [row for row in found if row.relname not in OURS]
    assert {row.relname for row in found} == set(OF_TENANT)
    assert len(found) >= 28
    for row in found:
        assert (row.relname, row.closed) == (row.relname, True)
        assert row.policies == ["app for {connector_app}", "system for {connector_system}"], row.relname


def test_the_role_of_tenants_may_touch_no_table_without_a_policy_but_read_the_clock(owner: Connection) -> None:
    rights = text("""
        select c.relname || ' ' || r.name
        from pg_class c cross join unnest(array['select', 'insert', 'update', 'delete', 'truncate']) as r(name)
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm') and not c.relrowsecurity
          and (has_table_privilege('connector_app', c.oid, r.name)
               or r.name <> 'delete' and r.name <> 'truncate' and has_any_column_privilege('connector_app', c.oid, r.name))
    """)
    assert owner.execute(rights).scalars().all() == ["app_clock select"]


@pytest.mark.parametrize("role", ROLES)
def test_a_role_owns_nothing_and_has_no_power_of_its_own(owner: Connection, role: str) -> None:
    powers = owner.execute(
        text("select rolsuper, rolbypassrls, rolcanlogin, rolcreaterole, rolcreatedb, rolreplication from pg_roles where rolname = :role"),
        {"role": role},
    ).one()
    assert not any(powers)
    owned = text("select count(*) from pg_shdepend where refobjid = cast(:role as regrole)::oid and deptype = 'o'")
    assert owner.execute(owned, {"role": role}).scalar_one() == 0
    memberships = text("select count(*) from pg_auth_members where member = cast(:role as regrole)::oid")
    assert owner.execute(memberships, {"role": role}).scalar_one() == 0
    assert not owner.execute(text("select has_schema_privilege(:role, 'public', 'create')"), {"role": role}).scalar_one()


@pytest.mark.spec("SEC-183")
@pytest.mark.parametrize("unset", ["never set", "empty"])
def test_a_connection_without_a_tenant_sees_no_row_of_any_table(tenants: tuple[Tenant, Tenant], owner: Connection, unset: str) -> None:
    assert all(len(rows) >= 2 for rows in seen_by(owner).values())
    become(owner, APP_ROLE)
    if unset == "empty":
        owner.execute(text("select set_config('app.shop_id', '', true), set_config('app.account_id', '', true)"))
    assert not any(seen_by(owner).values())


@pytest.mark.parametrize("scope", ["shop", "account"])
def test_a_tenant_sees_all_of_its_own_and_nothing_of_another(db: Database, tenants: tuple[Tenant, Tenant], scope: str) -> None:
    for tenant in tenants:
        with db.transaction(**{scope: getattr(tenant, scope)}) as session:
            for table, rows in seen_by(session).items():
                assert rows, f"{table} shows nothing to its own {scope}"
                assert all(tenant.owns(row, table) for row in rows), f"{table} shows another's rows to a {scope}"


def test_a_tenant_can_neither_change_nor_delete_what_is_anothers(db: Database, tenants: tuple[Tenant, Tenant]) -> None:
    mine, other = tenants
    with db.transaction(shop=mine.shop) as session:
        for name, table in OF_TENANT.items():
            key = "shop_id" if "shop_id" in table.c else "account_id" if name in OF_ACCOUNT else "id"
            field = "name" if key == "id" else key
            value = other.account if name == "accounts" or name in OF_ACCOUNT else other.shop
            verbs = [] if name in UNCHANGEABLE else [f"update {name} set {field} = {field}"]
            for verb in verbs if name in UNDELETABLE else [*verbs, f"delete from {name}"]:
                done = session.execute(text(f"{verb} where {key} = :value returning 1"), {"value": value})
                assert done.all() == [], verb
    with db.system_transaction("a test that all is still there") as session:
        assert all(any(other.owns(row, name) for row in rows) for name, rows in seen_by(session).items())


@pytest.mark.parametrize("name", sorted(FILLED))
def test_a_tenant_cannot_write_a_row_in_anothers_name(db: Database, tenants: tuple[Tenant, Tenant], name: str) -> None:
    mine, other = tenants
    fresh = Tenant(other.shop, other.account)
    with pytest.raises(DBAPIError, match="violates row-level security policy"), db.transaction(shop=mine.shop) as session:
        session.execute(insert(FILLED[name]), [row_for(FILLED[name], fresh)])


def test_the_system_sees_every_tenant(db: Database, tenants: tuple[Tenant, Tenant]) -> None:
    with db.system_transaction("a test of what it sees") as session:
        for table, rows in seen_by(session).items():
            for tenant in tenants:
                assert any(tenant.owns(row, table) for row in rows), table


def test_a_connection_given_back_remembers_neither_role_nor_tenant(db: Database, tenants: tuple[Tenant, Tenant]) -> None:
    single = Database(db.url, pool_size=1)
    with single.transaction(shop=tenants[0].shop) as session:
        assert session.execute(text("select current_user::text")).scalar_one() == APP_ROLE
        process = session.execute(text("select pg_backend_pid()")).scalar_one()
    with single.engine.connect() as connection:
        assert connection.execute(text("select pg_backend_pid()")).scalar_one() == process
        assert connection.execute(text("select current_user::text")).scalar_one() not in ROLES
        assert connection.execute(text("select app_shop(), app_account()")).one() == (None, None)
    single.close()


@pytest.mark.spec("SEC-237")
@pytest.mark.parametrize(
    "statement", ["update audit_entries set actor = 'someone else'", "delete from audit_entries", "truncate audit_entries"]
)
@pytest.mark.parametrize("role", ROLES)
def test_what_was_done_cannot_be_rewritten(db: Database, tenants: tuple[Tenant, Tenant], role: str, statement: str) -> None:
    scope = db.transaction(account=tenants[0].account) if role == APP_ROLE else db.system_transaction("a test that it is refused")
    with pytest.raises(DBAPIError, match="permission denied for table audit_entries"), scope as session:
        session.execute(text(statement))


def test_the_clock_of_a_real_database_cannot_be_moved_by_anyone(owner: Connection) -> None:
    owner.execute(text("update app_clock set ahead = interval '0', is_sandbox = false"))
    for role in (None, SYSTEM_ROLE):
        with pytest.raises(IntegrityError, match="ck_app_clock_real_time"):
            attempt(owner, role, "update app_clock set ahead = interval '1 minute'")


def test_the_clock_of_a_sandbox_moves_for_the_system_alone(owner: Connection) -> None:
    owner.execute(text("update app_clock set ahead = interval '0', is_sandbox = true"))
    with pytest.raises(DBAPIError, match="permission denied"):
        attempt(owner, APP_ROLE, "update app_clock set ahead = interval '1 minute'")
    become(owner, SYSTEM_ROLE)
    assert owner.execute(text("update app_clock set ahead = interval '1 minute' returning ahead = interval '1 minute'")).scalar_one()


@pytest.mark.parametrize(
    "statement",
    ["update app_clock set is_sandbox = not is_sandbox", "delete from app_clock", "insert into app_clock values (2, true, '0')"],
)
@pytest.mark.parametrize("role", ROLES)
def test_no_role_can_turn_a_real_database_into_a_sandbox(owner: Connection, role: str, statement: str) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        attempt(owner, role, statement)
