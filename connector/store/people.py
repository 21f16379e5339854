"""Contacts across an account, consent per channel, suppression, and which deliveries speak of whom."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

from connector import decoding
from connector.canonical import (
    Channel,
    Checkout,
    Consent,
    ConsentChanged,
    ConsentState,
    Customer,
    CustomerMerged,
    Order,
    Removed,
    Resource,
    Stale,
)
from connector.rules.contacts import FIELDS, Saying, merge, recall, sayings
from connector.rules.identity import normalise_email
from connector.store.db import Session, run
from connector.store.ids import public_id, public_ids
from connector.store.sealed import Vault
from connector.store.upserts import as_array, as_json

Known = Mapping[str, Saying]
_INSTANTS = decoding.decoder(dict[str, datetime])


@dataclass(frozen=True, slots=True)
class ConsentWord:
    """One consent with the normalised address it speaks of."""

    address: str
    consent: Consent


def save_contacts(session: Session, account_id: int, records: Iterable[Customer | Checkout | Order]) -> dict[str, int]:
    """
    Find or create the account's Contacts by e-mail, case-insensitively (AC-49), and add what the records say of them.

    Returns their ids by e-mail. The locks come first and then the new ones, both in the order of the addresses, so that two
    shops of an account hardly ever block each other.
    """
    return say_of_contacts(session, account_id, _said(records))


def say_of_contacts(session: Session, account_id: int, said: Mapping[str, Sequence[Saying]]) -> dict[str, int]:
    """The same for what is known of addresses already."""
    if not said:
        return {}
    emails = sorted(said)
    held = _hold_contacts(session, account_id, emails)
    unknown = [email for email in emails if email not in held]
    names = public_ids("con", len(unknown))
    new = [_contact_row(merge({}, said[email]), public_id=name, email=email) for name, email in zip(names, unknown, strict=True)]
    ids: dict[str, int] = {}
    if new:
        inserted = run(session, _INSERT_CONTACTS, {"account": account_id, "rows": as_json(new)})
        ids = {row[0]: row[1] for row in inserted}
        if len(ids) < len(new):  # somebody else was faster
            held |= _hold_contacts(session, account_id, [row["email"] for row in new if row["email"] not in ids])
    changed = []
    for email, (contact_id, known) in held.items():
        ids[email] = contact_id
        merged = merge(known, said[email])
        if merged != known:
            changed.append(_contact_row(merged, id=contact_id))
    if changed:
        run(session, _CHANGE_CONTACTS, {"rows": as_json(changed), "ids": as_array(row["id"] for row in changed)})
    _link_companies(session, account_id, {row["company"] for row in new + changed if row["company"]}, emails)
    return ids


def _hold_contacts(session: Session, account_id: int, emails: Sequence[str]) -> dict[str, tuple[int, Known]]:
    """Lock those that are there, in the order they are named; their ids and what is known of them, by e-mail."""
    rows = run(session, _HOLD_CONTACTS, {"account": account_id, "emails": as_json(emails)})
    return {email: (contact_id, _recall(values, known_at)) for email, contact_id, known_at, *values in rows}


def _link_companies(session: Session, account_id: int, names: Iterable[str], emails: Sequence[str]) -> None:
    """Find or create the account's Companies by name, and point the contacts at theirs (AC-50)."""
    rows = [{"public_id": public_id("com"), "name": name} for name in sorted(names)]
    if rows:
        run(session, _INSERT_COMPANIES, {"account": account_id, "rows": as_json(rows)})
        run(session, _LINK_COMPANIES, {"account": account_id, "emails": as_json(emails)})


def consent_words(records: Iterable[Customer | Checkout | Order | ConsentChanged]) -> list[ConsentWord]:
    """
    What records say of consent. A ticked box in a checkout subscribes; an empty one says nothing, so it revokes nothing.
    """
    words: list[ConsentWord] = []
    for record in records:
        if isinstance(record, ConsentChanged):
            words.append(ConsentWord(record.address, record.consent))
            continue
        if isinstance(record, Order) or (isinstance(record, Customer) and not record.consents):
            continue
        email, typed = normalise_email(record.email), record.phone if isinstance(record, Customer) else record.checkout_phone
        phone = typed.e164 if typed else None
        for consent in record.consents:
            address = email if consent.channel is Channel.EMAIL else phone
            if address:
                words.append(ConsentWord(address, consent))
        if isinstance(record, Checkout):
            if record.accepts_email and email:
                words.append(ConsentWord(email, _ticked(Channel.EMAIL, record)))
            if record.accepts_sms and phone:
                words.append(ConsentWord(phone, _ticked(Channel.SMS, record)))
    return words


def save_consents(session: Session, shop_id: int, words: Sequence[ConsentWord]) -> None:
    """
    Keep the newest word per address and channel; of two at one instant the more careful one.

    That nothing is known is no word: it stands only where there is no other, and takes back neither a yes nor a no.
    """
    newest: dict[tuple[str, str], ConsentWord] = {}
    for word in sorted(words, key=_weight):
        newest[word.consent.channel.value, word.address] = word
    if not newest:
        return
    rows = [
        {
            "shop_id": shop_id,
            "channel": channel,
            "address": address,
            "state": w.consent.state,
            "source": w.consent.source,
            "at": w.consent.at,
        }
        for (channel, address), w in newest.items()
    ]
    run(session, _SAVE_CONSENTS, {"rows": as_json(rows)})


def suppress(session: Session, vault: Vault, shop_id: int, channel: Channel, address: str, reason: str) -> bool:
    """Never write to this address again; true if that is new. Reason: unsubscribed, bounced, complained or manual."""
    statement = text("""
        insert into suppressions (shop_id, channel, address_hash, reason, at) values (:shop, :channel, :hash, :reason, app_now())
        on conflict do nothing returning at
    """)
    values = {"shop": shop_id, "channel": channel.value, "hash": address_hash(vault, shop_id, channel, address), "reason": reason}
    return session.execute(statement, values).scalar() is not None


def suppressed_among(session: Session, vault: Vault, shop_id: int, channel: Channel, addresses: Iterable[str]) -> set[str]:
    """Those of `addresses` that get nothing any more, by our list or by the newest consent word of the store."""
    hashes = {address_hash(vault, shop_id, channel, address): address for address in addresses}
    if not hashes:
        return set()
    values = {"shop": shop_id, "channel": channel.value, "hashes": list(hashes), "addresses": list(hashes.values())}
    return {row[0] for row in run(session, _SUPPRESSED, values)}


def lock_address(session: Session, vault: Vault, shop_id: int, channel: Channel, address: str, *, shared: bool) -> None:
    """
    Until the end of the transaction, let an unsubscribe (exclusive) and a claim (shared) of one address wait for each other:
    nothing is claimed after an unsubscribe has committed.
    """
    key = int.from_bytes(address_hash(vault, shop_id, channel, address)[:8], "big", signed=True)
    run(session, f"select pg_advisory_xact_lock{'_shared' if shared else ''}(%(key)s)", {"key": key})


def address_hash(vault: Vault, shop_id: int, channel: Channel, address: str) -> bytes:
    """The form in which a suppressed address is kept."""
    normal = (normalise_email(address) or address) if channel is Channel.EMAIL else address
    return vault.keyed_hash("suppression", str(shop_id), channel.value, normal)


def person_hashes(vault: Vault, shop_id: int, record: Customer | Checkout | Order) -> set[bytes]:
    """The keyed hashes under which the deliveries of a record's person are found when that person is to be erased."""
    return {person_hash(vault, shop_id, *fact) for fact in person_facts(record)}


def person_hash(vault: Vault, shop_id: int, kind: str, value: str) -> bytes:
    """The keyed hash of one fact that tells a person."""
    return vault.keyed_hash("person", str(shop_id), kind, value)


def person_facts(record: object) -> set[tuple[str, str]]:
    """What tells the person that a record, or any other event, speaks of: e-mail, customer id and phones, each with its kind."""
    if not isinstance(record, Customer | Checkout | Order):
        return _other_facts(record)
    email = normalise_email(record.email)
    customer_id = record.platform_id if isinstance(record, Customer) else record.customer_id
    facts = {("email", email), ("customer", customer_id), ("phone", record.phone.e164 if record.phone else None)}
    if isinstance(record, Checkout) and record.checkout_phone:
        facts.add(("phone", record.checkout_phone.e164))
    return {(kind, value) for kind, value in facts if value}


def _other_facts(event: object) -> set[tuple[str, str]]:
    """The same of an event that brings no record; nothing if it speaks of nobody."""
    if isinstance(event, ConsentChanged):
        kind = "email" if event.consent.channel is Channel.EMAIL else "phone"
        return {(kind, event.address)} | ({("customer", event.customer_id)} if event.customer_id else set())
    if isinstance(event, CustomerMerged):
        return {("customer", event.kept_id), ("customer", event.merged_id)}
    if isinstance(event, Stale | Removed) and event.resource is Resource.CUSTOMER and event.platform_id is not None:
        return {("customer", event.platform_id)}
    return set()


def save_delivery_people(session: Session, shop_id: int, people: Mapping[int, Iterable[bytes]]) -> None:
    """Remember which deliveries (by id) speak of which persons (hashes)."""
    spoken: dict[bytes, list[int]] = defaultdict(list)
    for delivery, persons in people.items():
        for person in persons:
            spoken[person].append(delivery)
    if spoken:
        rows = [{"person": person.hex(), "deliveries": deliveries} for person, deliveries in spoken.items()]
        run(session, _SAVE_DELIVERY_PEOPLE, {"shop": shop_id, "rows": as_json(rows)})


def _said(records: Iterable[Customer | Checkout | Order]) -> dict[str, list[Saying]]:
    """What records say of each address. What was said several times counts as said when it was said last."""
    said_at: dict[tuple[str | None, ...], datetime] = {}
    for record in records:
        email = normalise_email(record.email)
        if email is not None:
            what = email, *_words(record)
            at = said_at.get(what)
            said_at[what] = record.source_version if at is None else max(at, record.source_version)
    said: dict[str, list[Saying]] = defaultdict(list)
    for (email, *words), at in said_at.items():
        assert email is not None
        said[email] += sayings(at, dict(zip(FIELDS, words, strict=True)))
    return said


def _words(record: Customer | Checkout | Order) -> tuple[str | None, ...]:
    """The record's FIELDS."""
    raw, e164 = (record.phone.raw, record.phone.e164) if record.phone else (None, None)
    company = None if isinstance(record, Order) else record.company
    return record.first_name, record.last_name, company, raw, e164, record.language


def _recall(values: Sequence[str | None], known_at: str) -> Known:
    return recall(dict(zip(FIELDS, values, strict=True)), _INSTANTS.decode(known_at))


def _contact_row(known: Known, **key: Any) -> dict[str, Any]:
    values = {field: known[field].value or None if field in known else None for field in FIELDS}
    known_at: dict[str, str] = {}
    at: datetime | None = None
    spelled = ""
    for field in sorted(known):
        # Most of them were told by one record: its instant is spelled once.
        if known[field].at is not at:
            at = known[field].at
            spelled = at.isoformat()
        known_at[field] = spelled
    return {**key, **values, "known_at": known_at}


def _ticked(channel: Channel, checkout: Checkout) -> Consent:
    # As of the beginning: every later version repeats the tick, and must not outdo an unsubscribe said meanwhile.
    return Consent(channel, ConsentState.SUBSCRIBED, checkout.created_at, "checkout")


def _weight(word: ConsentWord) -> tuple[bool, datetime, bool, str, str]:
    consent = word.consent
    return (
        consent.state is not ConsentState.UNKNOWN,
        consent.at,
        consent.state is ConsentState.UNSUBSCRIBED,
        consent.state.value,
        consent.source,
    )


_AMONG = "email = any(array(select json_array_elements_text(cast(%(emails)s as json))))"
_CONTACT = ", ".join((*FIELDS, "known_at"))
_INSERT_CONTACTS = f"""
    insert into contacts (account_id, public_id, email, {_CONTACT})
    select %(account)s, public_id, email, {_CONTACT} from json_populate_recordset(null::contacts, cast(%(rows)s as json))
    order by email on conflict do nothing returning email, id
"""
_SUPPRESSED = """
select a.address from unnest(cast(%(hashes)s as bytea[]), cast(%(addresses)s as text[])) a (hash, address)
where exists (select 1 from suppressions s where s.shop_id = %(shop)s and s.channel = %(channel)s and s.address_hash = a.hash)
   or exists (select 1 from consents c where c.shop_id = %(shop)s and c.channel = %(channel)s and c.address = a.address
              and c.state = 'unsubscribed')
"""
_HOLD_CONTACTS = f"""
    select c.* from json_array_elements_text(cast(%(emails)s as json)) e cross join lateral (
        select email, id, known_at::text, {", ".join(FIELDS)} from contacts where account_id = %(account)s and email = e limit 1 for update
    ) c
"""
_CHANGE_CONTACTS = f"""
    update contacts k set {", ".join(f"{c} = r.{c}" for c in (*FIELDS, "known_at"))}
    from json_populate_recordset(null::contacts, cast(%(rows)s as json)) r where k.id = r.id and k.id = any(cast(%(ids)s as bigint[]))
"""
_INSERT_COMPANIES = """
    insert into companies (public_id, account_id, name)
    select public_id, %(account)s, name from json_populate_recordset(null::companies, cast(%(rows)s as json)) order by name
    on conflict do nothing
"""
_LINK_COMPANIES = f"""
    update contacts k set company_id = c.id from companies c
    where k.account_id = %(account)s and k.{_AMONG} and c.account_id = %(account)s and c.name = k.company
      and k.company_id is distinct from c.id
"""
_SAVE_DELIVERY_PEOPLE = """
    insert into delivery_people (shop_id, person_hash, delivery_id)
    select %(shop)s, decode(r.person, 'hex'), unnest(r.deliveries)
    from json_to_recordset(cast(%(rows)s as json)) r (person text, deliveries bigint[]) on conflict do nothing
"""
_SAVE_CONSENTS = """
    insert into consents (shop_id, channel, address, state, source, at)
    select shop_id, channel, address, state, source, at from json_populate_recordset(null::consents, cast(%(rows)s as json))
    on conflict (shop_id, channel, address) do update set state = excluded.state, source = excluded.source, at = excluded.at
    where ((excluded.state <> 'unknown')::int, excluded.at, (excluded.state = 'unsubscribed')::int, excluded.state, excluded.source)
        > ((consents.state <> 'unknown')::int, consents.at, (consents.state = 'unsubscribed')::int, consents.state, consents.source)
"""
