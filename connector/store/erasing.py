"""
Erasing one person of one shop: who that is in our rows, and each kind of rows that speaks of them.

Every function is one small step of its own transaction, may be done again, and returns how many rows it changed. What may stay:
orders without whoever placed them, and a suppression, which is a keyed hash. All need a system transaction.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from connector.canonical import Channel, Person
from connector.rules.contacts import FIELDS, sayings
from connector.rules.identity import normalise_email, parse_phone
from connector.rules.subjects import Fact, Subject
from connector.store import people
from connector.store.sealed import Vault
from connector.store.tables import ShopRow

BATCH = 200


def facts_of(person: Person) -> frozenset[Fact]:
    """What a request itself tells of the person."""
    told = {("email", normalise_email(person.email)), ("customer", person.customer_id), *(("order", order) for order in person.order_ids)}
    return frozenset((kind, value) for kind, value in told if value)


def identify(session: Session, shop: ShopRow, person: Person) -> Subject:
    """
    Everything that tells this person in the rows of a shop: merged customers, former addresses, their orders and checkouts.

    An address or a phone that another customer has as well is not theirs: it may have been lent.
    """
    email, phone = normalise_email(person.email), parse_phone(person.phone, shop.country)
    customers = _with_merged(session, shop, {person.customer_id} if person.customer_id else set(), email)
    orders = set(person.order_ids)
    values: dict[str, Any] = {"shop": shop.id, "customers": sorted(customers), "orders": sorted(orders), "email": email}
    own = session.execute(_OWN, values).all()
    emails = {row.email for row in own if row.email} - _of_others(session, values, "email_norm", {row.email for row in own if row.email})
    phones = {row.phone for row in own if row.phone}
    phones -= _of_others(session, values, "phone_e164", phones)
    if phone is not None and phone.e164 is not None and not _of_others(session, values, "phone_e164", {phone.e164}):
        phones.add(phone.e164)
    emails |= {email} if email else set()
    found = Subject(frozenset(emails), frozenset(phones), frozenset(customers), frozenset(orders))
    rows = session.execute(_THINGS, values_of(shop.id, found)).all()
    return Subject(
        emails=found.emails,
        phones=found.phones,
        customers=found.customers,
        orders=found.orders | {row.platform_id for row in rows if row.kind == "order"},
        tokens=frozenset(token for row in rows for token in (row.token, row.cart_token) if token),
    )


def erase_checkouts(session: Session, shop_id: int, subject: Subject, limit: int = BATCH) -> int:
    """Up to `limit` of their checkouts and carts, with lines, versions, decisions and messages."""
    return len(session.execute(_ERASE_CHECKOUTS, {**values_of(shop_id, subject), "limit": limit}).all())


def empty_orders(session: Session, shop_id: int, subject: Subject, limit: int = BATCH) -> int:
    """Up to `limit` of their orders forget who placed them; money, lines and dates stay."""
    return len(session.execute(_EMPTY_ORDERS, {**values_of(shop_id, subject), "limit": limit}).all())


def erase_customers(session: Session, shop_id: int, subject: Subject) -> int:
    """Their customer records, and what was noted about those."""
    values = values_of(shop_id, subject)
    for statement in _ABOUT_CUSTOMERS:
        session.execute(statement, values)
    return len(session.execute(_ERASE_CUSTOMERS, values).all())


def erase_consents(session: Session, vault: Vault, shop_id: int, subject: Subject) -> int:
    """Their consents; who had unsubscribed stays suppressed, as a keyed hash."""
    count = 0
    for channel, address, state in session.execute(_CONSENTS, values_of(shop_id, subject)).all():
        if state == "unsubscribed":
            people.suppress(session, vault, shop_id, Channel(channel), address, "unsubscribed")
        session.execute(_ERASE_CONSENT, {"shop": shop_id, "channel": channel, "address": address})
        count += 1
    return count


def erase_contacts(session: Session, account_id: int, subject: Subject) -> int:
    """
    What their account knows of them. If another shop of the account knows the address, the contact keeps what that shop said.
    """
    count = 0
    for email in sorted(subject.emails):
        rows = session.execute(_SAID_ELSEWHERE, {"account": account_id, "email": email}).all()
        if rows:
            session.execute(_BLANK_CONTACT, {"account": account_id, "email": email})
            said = [saying for row in rows for saying in sayings(row.at, {field: getattr(row, field) for field in FIELDS})]
            people.say_of_contacts(session, account_id, {email: said})
        else:
            count += len(session.execute(_ERASE_CONTACT, {"account": account_id, "email": email}).all())
    session.execute(_ERASE_COMPANIES, {"account": account_id})
    return count


def erase_mails(session: Session, vault: Vault, account_id: int, subject: Subject) -> int:
    """Mails of our own that still wait and name them, as a preview of their checkout does."""
    statement = text("select id, sealed from system_mails where account_id = :account and state = 'queued' and sealed is not null")
    told = [row.id for row in session.execute(statement, {"account": account_id}) if _names(vault.open(bytes(row.sealed)), subject)]
    erase = text("update system_mails set state = 'refused', sealed = null where id = any(:ids) and state = 'queued' returning 1")
    return len(session.execute(erase, {"ids": told}).all()) if told else 0


def _names(said: dict[str, str], subject: Subject) -> bool:
    written = "\n".join(said.values()).lower()
    return any(email in written for email in subject.emails)


def _with_merged(session: Session, shop: ShopRow, ids: set[str], email: str | None) -> set[str]:
    """These customers, those with this address, and all that were merged with any of them."""
    if email is not None:
        known = text("select platform_id from customers where shop_id = :shop and email_norm = :email")
        ids |= set(session.execute(known, {"shop": shop.id, "email": email}).scalars())
    merged = text("select merged_id, kept_id from customer_merges where shop_id = :shop and (merged_id = any(:ids) or kept_id = any(:ids))")
    while True:
        more = {one for row in session.execute(merged, {"shop": shop.id, "ids": sorted(ids)}) for one in row} - ids
        if not more:
            return ids
        ids |= more


def _of_others(session: Session, values: dict[str, Any], column: str, found: Iterable[str]) -> set[str]:
    """Those values that a customer has who is somebody else."""
    statement = text(f"""
        select {column} from customers
        where shop_id = :shop and {column} = any(:found) and not platform_id = any(:customers)
          and (cast(:email as text) is null or email_norm is distinct from :email)
    """)
    return set(session.execute(statement, {**values, "found": sorted(found)}).scalars())


def values_of(shop_id: int | None, subject: Subject) -> dict[str, Any]:
    """What the conditions below are filled with."""
    return {
        "shop": shop_id,
        "emails": sorted(subject.emails),
        "phones": sorted(subject.phones),
        "customers": sorted(subject.customers),
        "orders": sorted(subject.orders),
        "tokens": sorted(subject.tokens),
    }


# A phone tells somebody only where nothing tells another.
_NOBODY_ELSE = "email_norm is null and customer_platform_id is null"
THEIR_CHECKOUTS = f"""
    shop_id = :shop and (customer_platform_id = any(:customers) or email_norm = any(:emails)
        or ((phone_e164 = any(:phones) or checkout_phone_e164 = any(:phones)) and {_NOBODY_ELSE}))
"""
THEIR_ORDERS = f"""
    shop_id = :shop and (platform_id = any(:orders) or customer_platform_id = any(:customers) or email_norm = any(:emails)
        or (phone_e164 = any(:phones) and {_NOBODY_ELSE}))
"""
_OWN = text("""
    select email_norm as email, phone_e164 as phone from customers where shop_id = :shop and platform_id = any(:customers)
    union
    select email_norm, phone_e164 from checkouts where shop_id = :shop and (customer_platform_id = any(:customers) or email_norm = :email)
    union
    select null, checkout_phone_e164 from checkouts
    where shop_id = :shop and (customer_platform_id = any(:customers) or email_norm = :email)
    union
    select email_norm, phone_e164 from orders
    where shop_id = :shop and (customer_platform_id = any(:customers) or platform_id = any(:orders) or email_norm = :email)
    union
    select email_norm, phone_e164 from grants where shop_id = :shop and (customer_platform_id = any(:customers) or email_norm = :email)
""")
_THINGS = text(f"""
    select 'checkout' as kind, platform_id, coalesce(token, platform_id) as token, cart_token from checkouts where {THEIR_CHECKOUTS}
    union all
    select 'order', platform_id, checkout_token, cart_token from orders where {THEIR_ORDERS}
""")
_ERASE_CHECKOUTS = text(f"""
    delete from checkouts where id in (
        select id from checkouts
        where ({THEIR_CHECKOUTS}) or (shop_id = :shop and (token = any(:tokens) or cart_token = any(:tokens)
            or (stage in ('cart', 'checkout') and platform_id = any(:tokens))))
        order by id limit :limit for update
    ) returning 1
""")
_EMPTY_ORDERS = text(f"""
    update orders set customer_platform_id = null, email = null, email_norm = null, phone_raw = null, phone_e164 = null,
        first_name = null, last_name = null, checkout_token = null, cart_token = null, source_digest = ''
    where id in (
        select id from orders
        where (({THEIR_ORDERS}) or (shop_id = :shop and (checkout_token = any(:tokens) or cart_token = any(:tokens))))
          and num_nonnulls(customer_platform_id, email, email_norm, phone_raw, phone_e164, first_name, last_name, checkout_token,
              cart_token, nullif(source_digest, '')) > 0
        order by id limit :limit for update
    ) returning 1
""")
THEIR_CUSTOMERS = "shop_id = :shop and (platform_id = any(:customers) or email_norm = any(:emails))"
_ERASE_CUSTOMERS = text(f"delete from customers where {THEIR_CUSTOMERS} returning 1")
_ABOUT_CUSTOMERS: Sequence[Any] = tuple(
    text(statement)
    for statement in (
        "delete from wanted_reads where shop_id = :shop and resource = 'customer' and platform_id = any(:customers)",
        "delete from wanted_reads where shop_id = :shop and resource = 'order' and platform_id = any(:orders)",
        "delete from customer_merges where shop_id = :shop and (merged_id = any(:customers) or kept_id = any(:customers))",
        """delete from removals where shop_id = :shop and resource = 'customer'
            and ref = any(array(select 'id:' || id from unnest(cast(:customers as text[])) id))""",
    )
)
_CONSENTS = text("""
    select channel, address, state from consents c where shop_id = :shop and (address = any(:emails) or (address = any(:phones)
        and not exists (select 1 from customers k where k.shop_id = :shop and k.phone_e164 = c.address)))
    order by channel, address for update
""")
_ERASE_CONSENT = text("delete from consents where shop_id = :shop and channel = :channel and address = :address")

# After the person's own rows are gone, whatever names the address in the account is another shop's (or newer than the request).
_SAYS = "first_name, last_name, {company} as company, phone_raw, phone_e164, t.language, source_version as at"
_SAID_ELSEWHERE = text(
    " union all ".join(
        f"""select {_SAYS.format(company="null" if table == "orders" else "company")} from {table} t join shops s on s.id = t.shop_id
            where s.account_id = :account and t.email_norm = :email"""
        for table in ("customers", "checkouts", "orders")
    )
)
_BLANK_CONTACT = text(f"""
    update contacts set {", ".join(f"{field} = null" for field in FIELDS)}, company_id = null, known_at = '{{}}'
    where account_id = :account and email = :email
""")
_ERASE_CONTACT = text("delete from contacts where account_id = :account and email = :email returning 1")
_ERASE_COMPANIES = text("""
    delete from companies c where account_id = :account and not exists (select 1 from contacts k where k.company_id = c.id)
""")
