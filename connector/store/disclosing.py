"""What is kept of one person of one shop, for the merchant to pass on: rows, and the raw bodies that speak of them. Reads only."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import text
from sqlmodel import Session

from connector.canonical import Channel, Person
from connector.rules.subjects import Subject, body_facts, spelled, telling
from connector.store import erasing, people, spoken
from connector.store.erasing_offers import THEIR_GRANTS
from connector.store.sealed import Vault
from connector.store.tables import ShopRow

MOST = 1_000
MOST_BODIES = 500
MOST_DUMB = 2_000

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Everything, by kind; each row as names and values. `is_complete` False: there is more of something than is shown."""

    customers: Rows
    contacts: Rows
    checkouts: Rows
    orders: Rows
    messages: Rows
    grants: Rows
    grant_mails: Rows
    grant_decisions: Rows
    offer_codes: Rows
    consents: Rows
    suppressions: Rows
    deliveries: Rows
    is_complete: bool

    @property
    def is_empty(self) -> bool:
        """Whether nothing is kept of this person."""
        known = (self.customers, self.contacts, self.checkouts, self.orders, self.messages, self.consents, self.suppressions)
        offered = (self.grants, self.grant_mails, self.grant_decisions, self.offer_codes)
        return not any(known) and not any(offered) and not self.deliveries


def disclose(session: Session, vault: Vault, shop: ShopRow, person: Person) -> Disclosure:
    """All that this shop keeps of a person, and what the account keeps under their address. Nothing of other shops."""
    assert shop.id is not None
    subject = erasing.identify(session, shop, person)
    values = {**erasing.values_of(shop.id, subject), "account": shop.account_id, "limit": MOST}
    found = {kind: [dict(row) for row in session.execute(statement, values).mappings()] for kind, statement in _STATEMENTS.items()}
    bodies = _bodies(session, vault, shop.id, subject)
    return Disclosure(
        **found,
        suppressions=_suppressions(session, vault, shop.id, subject),
        deliveries=bodies,
        is_complete=all(len(rows) < MOST for rows in found.values()) and len(bodies) < MOST_BODIES,
    )


def as_json(disclosure: Disclosure) -> bytes:
    """The same as a file: exact decimals as texts, instants in UTC."""
    return msgspec.json.format(msgspec.json.encode(disclosure), indent=2)


def _bodies(session: Session, vault: Vault, shop_id: int, subject: Subject) -> Rows:
    wanted = spelled(subject.facts)
    ids = spoken.deliveries_of(session, vault, shop_id, subject.facts)
    found = {one.id: one for one in spoken.read_bodies(session, shop_id, ids, MOST_BODIES)}
    found |= {one.id: one for one in spoken.not_understood(session, shop_id, MOST_DUMB)}
    told = [one for one in found.values() if telling(body_facts(one.topic, one.body), wanted)]
    newest = sorted(told, key=lambda one: one.id, reverse=True)[:MOST_BODIES]
    return [{"topic": one.topic, "received_at": one.received_at, "said": _read(one.body)} for one in newest]


def _read(body: bytes) -> Any:
    try:
        return msgspec.Raw(msgspec.json.encode(msgspec.json.decode(body)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {"base64": base64.b64encode(body).decode()}


def _suppressions(session: Session, vault: Vault, shop_id: int, subject: Subject) -> Rows:
    """Where they are on the list of those who get nothing: only hashes lie there, so their addresses are looked up."""
    pairs = [(Channel.EMAIL, email) for email in sorted(subject.emails)] + [(Channel.SMS, phone) for phone in sorted(subject.phones)]
    statement = text("select reason, at from suppressions where shop_id = :shop and channel = :channel and address_hash = :hash")
    found: list[dict[str, Any]] = []
    for channel, address in pairs:
        values = {"shop": shop_id, "channel": channel.value, "hash": people.address_hash(vault, shop_id, channel, address)}
        found += [{"channel": channel.value, "address": address, **row} for row in session.execute(statement, values).mappings()]
    return found


_LINES = """
    (select coalesce(json_agg(json_build_object('title', l.title, 'variant', l.variant_title, 'sku', l.sku, 'quantity', l.quantity,
        'unit_price', l.unit_price::text, 'total', l.total::text) order by l.position), '[]'::json)
     from {table} l where l.{parent} = t.id) as lines
"""
_CHECKOUT = """t.public_id, t.stage, t.number, t.created_at, t.completed_at, t.closed_at, t.abandoned_at, t.converted_at, t.email,
    t.phone_raw as phone, t.checkout_phone_raw as typed_phone, t.first_name, t.last_name, t.company, t.country, t.language, t.currency,
    t.total, t.subtotal, t.discount_total, t.tax_total, t.shipping_method, t.discount_codes, t.accepts_email, t.accepts_sms"""
_ORDER = """t.platform_id, t.number, t.placed_at, t.cancelled_at, t.payment_state, t.email, t.phone_raw as phone, t.first_name, t.last_name,
    t.country, t.language, t.currency, t.total, t.subtotal, t.discount_total, t.tax_total, t.discount_codes"""
_STATEMENTS = {
    "customers": text(f"""
        select t.platform_id, t.email, t.first_name, t.last_name, t.company, t.phone_raw as phone, t.country, t.language, t.created_at,
            t.deleted_at
        from customers t where {erasing.THEIR_CUSTOMERS} order by t.id limit :limit
    """),
    "contacts": text("""
        select t.email, t.first_name, t.last_name, t.company, t.phone_raw as phone, t.language
        from contacts t where t.account_id = :account and t.email = any(:emails) order by t.id limit :limit
    """),
    "checkouts": text(f"""
        select {_CHECKOUT}, {_LINES.format(table="checkout_lines", parent="checkout_id")} from checkouts t
        where {erasing.THEIR_CHECKOUTS} order by t.created_at desc, t.id desc limit :limit
    """),
    "orders": text(f"""
        select {_ORDER}, {_LINES.format(table="order_lines", parent="order_id")} from orders t
        where {erasing.THEIR_ORDERS} order by t.placed_at desc, t.id desc limit :limit
    """),
    "messages": text(f"""
        select m.channel, m.address, m.subject, m.state, m.reason, m.queued_at, m.handed_over_at, m.clicked_at
        from messages m where m.shop_id = :shop and m.checkout_id in (select t.id from checkouts t where {erasing.THEIR_CHECKOUTS})
        order by m.id desc limit :limit
    """),
    "grants": text(f"""
        select (select f.name from offers f where f.id = t.offer_id) as offer, t.granted_at, t.state, t.reason, t.code, t.ends_at, t.email,
            t.first_name, t.phone_e164 as phone, t.language, t.opened_at, t.used_at
        from grants t where {THEIR_GRANTS} order by t.id desc limit :limit
    """),
    "grant_mails": text(f"""
        select m.address, m.state, m.reason, m.queued_at, m.handed_over_at, m.clicked_at
        from grant_mails m where m.shop_id = :shop and m.grant_id in (select t.id from grants t where {THEIR_GRANTS})
        order by m.grant_id desc limit :limit
    """),
    "grant_decisions": text(f"""
        select t.number, d.reason, d.decided_at from grant_decisions d join orders t on t.id = d.order_id
        where d.shop_id = :shop and d.order_id in (select id from orders where {erasing.THEIR_ORDERS}) order by d.order_id desc limit :limit
    """),
    "offer_codes": text(f"""
        select k.code, k.email, k.ends_at from offer_codes k
        where k.shop_id = :shop and k.email is not null
          and (lower(k.email) = any(:emails) or k.grant_id in (select t.id from grants t where {THEIR_GRANTS}))
        order by k.id desc limit :limit
    """),
    "consents": text("""
        select channel, address, state, source, at from consents
        where shop_id = :shop and (address = any(:emails) or address = any(:phones)) order by channel, address limit :limit
    """),
}
