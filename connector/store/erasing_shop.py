"""
Erasing a whole shop, in small steps that may be done again, each of its own system transaction.

What stays: the emptied row of the shop, under which it may be installed again; suppressions and who was erased, as keyed hashes;
what became of its deliveries, without their bodies, until they are forgotten as all are; who did what. An account whose last shop
went is emptied as well.
"""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session

from connector.canonical import Channel
from connector.store import offer_work, people, spoken
from connector.store.sealed import Vault

BATCH = 500
Step = Callable[[Session, int], int]


def begin(session: Session, shop_id: int, at: datetime) -> None:
    """End the shop for good: no tokens, nothing is sent, and nothing that still comes in is kept. The caller holds the inbox."""
    session.execute(_BEGIN, {"shop": shop_id, "at": at})


def erase_some(session: Session, vault: Vault, shop_id: int) -> dict[str, int]:
    """The next portion of the shop's rows, by their kind; empty when there are none left."""
    offer_work.hold(session, shop_id)
    for table, statement in _TABLES:
        count = len(session.execute(statement, {"shop": shop_id, "limit": BATCH}).all())
        if count:
            return {table: count}
    count = _erase_consents(session, vault, shop_id)
    if count:
        return {"consents": count}
    count = _erase_bodies(session, shop_id)
    return {"deliveries": count} if count else {}


def finish(session: Session, shop_id: int) -> bool:
    """Empty the shop's own row, and its account if that has no other shop; true if the account went as well."""
    domain, account_id = session.execute(text("select domain, account_id from shops where id = :shop"), {"shop": shop_id}).one()
    for statement in _LAST:
        session.execute(statement, {"shop": shop_id})
    like = f"shopify:{domain}:"
    session.execute(
        text("update members set platform_user = null where account_id = :account and starts_with(platform_user, :like)"),
        {"account": account_id, "like": like},
    )
    session.execute(_EMPTY_SHOP, {"shop": shop_id})
    if session.execute(_HAS_OTHERS, {"account": account_id, "shop": shop_id}).scalar_one():
        session.execute(_ORPHANED_CONTACTS, {"account": account_id})
        session.execute(_ORPHANED_COMPANIES, {"account": account_id})
        return False
    for statement in _ACCOUNT:
        session.execute(statement, {"account": account_id})
    return True


def _erase_consents(session: Session, vault: Vault, shop_id: int) -> int:
    """Up to a portion of consents; who had unsubscribed stays suppressed, should the shop come back."""
    rows = session.execute(_CONSENTS, {"shop": shop_id, "limit": BATCH}).all()
    for channel, address, state in rows:
        if state == "unsubscribed":
            people.suppress(session, vault, shop_id, Channel(channel), address, "unsubscribed")
    return len(rows)


def _erase_bodies(session: Session, shop_id: int) -> int:
    ids = list(session.execute(_WITH_BODIES, {"shop": shop_id, "limit": BATCH}).scalars())
    spoken.forget_bodies(session, ids)
    return len(ids)


def _some(table: str, key: str = "id") -> str:
    return f"delete from {table} where {key} in (select {key} from {table} where shop_id = :shop order by {key} limit :limit) returning 1"


def _all(table: str, of_them: str = "true") -> str:
    first = f"select ctid from {table} where shop_id = :shop and {of_them} limit :limit"
    return f"delete from {table} where ctid = any(array({first})) returning 1"


_TABLES = tuple(
    (table, text(statement))
    for table, statement in (
        ("checkouts", _some("checkouts")),
        # Single codes before those that head a series, which would take all of theirs along at once.
        ("offer_codes", _all("offer_codes", "role <> 'model'")),
        ("grants", _some("grants")),
        ("offers", _some("offers")),
        ("banners", _some("banners")),
        ("offer_work", _some("offer_work", "shop_id")),
        ("orders", _some("orders")),
        ("customers", _some("customers")),
        ("products", _some("products")),
        ("discount_codes", _some("discount_codes")),
        ("removals", _all("removals")),
        ("wanted_reads", _all("wanted_reads")),
        ("customer_merges", _all("customer_merges")),
        ("topic_health", _all("topic_health")),
        ("sync_differences", _some("sync_differences")),
        ("sync_runs", _some("sync_runs")),
        ("sync_seen", _all("sync_seen")),
        ("sync_marks", _all("sync_marks")),
        ("quarantined_records", _all("quarantined_records")),
        ("gap_reports", _some("gap_reports")),
        ("notices", _some("notices")),
    )
)
_BEGIN = text("""
    update shops set state = 'uninstalled', uninstalled_at = coalesce(uninstalled_at, :at), redacted_at = coalesce(redacted_at, app_now()),
        credentials = null, credentials_at = null
    where id = :shop
""")
_CONSENTS = text("""
    delete from consents where ctid = any(array(select ctid from consents where shop_id = :shop limit :limit))
    returning channel, address, state
""")

# Only deliveries that still have a body, looked up one by one through the key of their day.
_WITH_BODIES = text("""
    select d.id from deliveries d where d.shop_id = :shop and exists (
        select 1 from delivery_bodies b where b.received_on = d.received_on and b.delivery_id = d.id
    ) order by d.received_at, d.id limit :limit
""")
_LAST = tuple(
    text(statement)
    for statement in (
        "delete from pending_installs where finished_shop_id = :shop",
        "delete from admin_codes where shop_id = :shop",
        "update system_mails set state = 'refused', sealed = null where kind = 'preview' and state = 'queued' "
        "and account_id = (select account_id from shops where id = :shop)",
        "update privacy_requests set person = null, state = 'done', done_at = coalesce(done_at, app_now()) "
        "where shop_id = :shop and kind <> 'shop_redact'",
        "update automations set is_on = false, activated_at = null, deactivated_at = null, wait_minutes = 0, extra_text = null "
        "where shop_id = :shop",
        """update deliveries set state = 'applied', reason = 'erased', handled_at = app_now()
            where shop_id = :shop and state = 'pending'
              and not exists (select 1 from delivery_bodies b where b.received_on = deliveries.received_on
                and b.delivery_id = deliveries.id)""",
    )
)
_EMPTY_SHOP = text("""
    update shops set name = domain, url = '', hosts = '{}', platform_shop_id = null, language = null, country = null, contact_email = null,
        contact_address = null, scopes = '{}', missing_scopes = '{}', withheld = '{}',
        listened_at = null, scopes_at = null, credentials = null, credentials_at = null, storefront = 'open', profile_read_at = null,
        timezone = 'UTC', threshold_minutes = 60, activity_clock = 'activity', taxes_included = false
    where id = :shop
""")
_HAS_OTHERS = text("select exists (select 1 from shops where account_id = :account and id <> :shop and redacted_at is null)")
_UNKNOWN = " and ".join(
    f"""not exists (select 1 from {table} t join shops s on s.id = t.shop_id
        where s.account_id = k.account_id and t.email_norm = k.email)"""
    for table in ("customers", "checkouts", "orders")
)
_ORPHANED_CONTACTS = text(f"delete from contacts k where k.account_id = :account and {_UNKNOWN}")
_ORPHANED_COMPANIES = text("""
    delete from companies c where c.account_id = :account and not exists (select 1 from contacts k where k.company_id = c.id)
""")
_ACCOUNT = tuple(
    text(statement)
    for statement in (
        "delete from contacts where account_id = :account",
        "delete from companies where account_id = :account",
        "delete from members where account_id = :account",
        "delete from api_keys where account_id = :account",
        "delete from notices where account_id = :account",
        "delete from system_mails where account_id = :account",
        "delete from pending_installs where account_id = :account",
        "update accounts set name = (select min(domain) from shops where account_id = :account) where id = :account",
    )
)
