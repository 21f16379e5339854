"""What each role may do with each table, and by which rules: all of it, compared with a list that somebody must have meant."""

import re
from typing import NamedTuple

import pytest
from sqlalchemy import text

from connector.store.db import Database

ALL = "select insert update delete"
ONE_OF_SHOP = "(shop_id = app_shop()) OR (shop_id IN ( SELECT shops.id FROM shops WHERE (shops.account_id = app_account())))"
ONE_OF_ACCOUNT = "(account_id = app_account()) OR (account_id = ( SELECT shops.account_id FROM shops WHERE (shops.id = app_shop())))"
OF_SHOP, OF_ACCOUNT = f"({ONE_OF_SHOP})", f"({ONE_OF_ACCOUNT})"
AUDITED = "((shop_id = app_shop()) OR (account_id = app_account()))"
AUDITED_BY = f"({AUDITED} AND ((account_id IS NULL) OR {ONE_OF_ACCOUNT}) AND ((shop_id IS NULL) OR {ONE_OF_SHOP}))"
TOLD_BY = f"({OF_ACCOUNT} AND ((shop_id IS NULL) OR {ONE_OF_SHOP}))"


class Rights(NamedTuple):
    """What the roles may do, and which rows the app's may see and write (empty: the table has no policies)."""

    app: str
    system: str
    sees: str = ""
    writes: str = ""


SHOPS_OWN = Rights(ALL, ALL, OF_SHOP, OF_SHOP)
ACCOUNTS_OWN = Rights("select insert update", ALL, OF_ACCOUNT, OF_ACCOUNT)
OURS = Rights("", ALL)
RIGHTS = {
    **dict.fromkeys(
        (
            *("automations", "checkout_lines", "checkout_versions", "checkouts", "consents", "customers", "decisions", "deliveries"),
            *("delivery_bodies", "delivery_people", "discount_codes", "enrollments", "messages", "order_lines", "orders"),
            *("product_variants", "products", "removals", "shop_work", "suppressions", "wanted_reads", "topic_health"),
            *("customer_merges", "privacy_requests", "erased_people", "shop_checkups"),
            *("offer_work", "orders_to_judge", "offers", "offer_versions", "grants", "grant_decisions", "grant_mails", "offer_codes"),
            *("banners", "sync_runs", "sync_slices", "sync_differences", "quarantined_records", "sync_marks", "sync_seen", "gap_reports"),
        ),
        SHOPS_OWN,
    ),
    "offer_events": SHOPS_OWN._replace(app="select insert"),
    "accounts": Rights(ALL, ALL, *[OF_ACCOUNT.replace("(account_id =", "(id =")] * 2),
    "shops": Rights(ALL, ALL, *["((id = app_shop()) OR (account_id = app_account()))"] * 2),
    "contacts": ACCOUNTS_OWN._replace(app=ALL),
    "companies": ACCOUNTS_OWN._replace(app=ALL),
    "members": ACCOUNTS_OWN,
    "api_keys": ACCOUNTS_OWN,
    "notices": ACCOUNTS_OWN._replace(writes=TOLD_BY),
    "system_mails": ACCOUNTS_OWN._replace(app="select insert"),
    "audit_entries": Rights("select insert", "select insert", AUDITED, AUDITED_BY),
    "staff": OURS,
    "sessions": OURS,
    "sign_in_links": OURS,
    "attempts": OURS,
    "admin_codes": OURS,
    "call_budgets": OURS,
    "pending_installs": OURS,
    "unknown_shops": OURS,
    "hash_key": Rights("", "select insert update"),
    "app_clock": Rights("select", "select"),
    "alembic_version": Rights("", ""),
}
FOUND = text("""
    select c.relname,
        array(select r.name from unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger'])
              with ordinality r (name, place) where has_table_privilege('connector_app', c.oid, r.name) order by r.place) app,
        array(select r.name from unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger'])
              with ordinality r (name, place) where has_table_privilege('connector_system', c.oid, r.name) order by r.place) system,
        c.relrowsecurity and c.relforcerowsecurity is_closed,
        array(select p.polname || ' ' || p.polroles::regrole[]::text || ' ' || p.polcmd::text || p.polpermissive::text
              from pg_policy p where p.polrelid = c.oid order by p.polname) policies,
        (select pg_get_expr(polqual, polrelid) from pg_policy where polrelid = c.oid and polname = 'app') sees,
        (select pg_get_expr(polwithcheck, polrelid) from pg_policy where polrelid = c.oid and polname = 'app') writes,
        (select pg_get_expr(polqual, polrelid) || pg_get_expr(polwithcheck, polrelid) from pg_policy
         where polrelid = c.oid and polname = 'system') is_all
    from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
""")


def one_line(expression: str | None) -> str:
    """PostgreSQL's spelling, on one line."""
    return re.sub(r"\s+", " ", expression or "")


@pytest.mark.spec("SEC-183")
def test_every_table_gives_each_role_what_the_list_says_and_shows_it_the_rows_that_the_list_says(db: Database) -> None:
    with db.engine.connect() as connection:
        found = {row.relname: row for row in connection.execute(FOUND)}
    assert sorted(found) == sorted(RIGHTS)
    for name, row in found.items():
        rights = RIGHTS[name]
        assert (name, " ".join(row.app), " ".join(row.system)) == (name, rights.app, rights.system)
        has_policies = rights.sees != ""
        assert (name, row.is_closed) == (name, has_policies)
        assert row.policies == (["app {connector_app} *true", "system {connector_system} *true"] if has_policies else []), name
        assert (name, one_line(row.sees), one_line(row.writes)) == (name, rights.sees, rights.writes)
        assert row.is_all == ("truetrue" if has_policies else None), name


def test_single_columns_are_given_to_nobody_but_the_clocks_to_the_system(db: Database) -> None:
    columns = text("""
        select c.relname || '.' || a.attname || ' ' || a.attacl::text from pg_attribute a join pg_class c on c.oid = a.attrelid
        where c.relnamespace = 'public'::regnamespace and a.attacl is not null
    """)
    with db.engine.connect() as connection:
        (given,) = connection.execute(columns).scalars().all()
    assert re.fullmatch(r"app_clock\.ahead \{connector_system=w/\w+\}", given)


def test_only_these_functions_act_with_the_owners_rights(db: Database) -> None:
    functions = text("""
        select p.proname, has_function_privilege('connector_app', p.oid, 'execute') from pg_proc p
        where p.pronamespace = 'public'::regnamespace and p.prosecdef order by 1
    """)
    with db.engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(functions)]
    assert found == [("app_now", True), ("keep_body_partitions", False)]
