"""Contacts across an account, consent per channel, suppression, and which deliveries speak of whom."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, text
from sqlmodel import Session, col

from connector.canonical import Channel, Checkout, Consent, ConsentState, Customer, Order
from connector.rules.contacts import FIELDS, Saying, merge, recall, sayings
from connector.rules.identity import normalise_email
from connector.store.ids import public_id
from connector.store.sealed import Vault
from connector.store.tables import ContactRow
from connector.store.upserts import as_json


@dataclass(frozen=True, slots=True)
class ConsentWord:
    """One consent with the normalised address it speaks of."""

    address: str
    consent: Consent


def save_contacts(session: Session, account_id: int, records: Iterable[Customer | Checkout | Order]) -> None:
    """
    Find or create the account's Contacts by e-mail, case-insensitively (AC-49), and add what the records say of them.

    Addresses are locked in one order, so that two shops of an account cannot block each other.
    """
    said: dict[str, list[Saying]] = defaultdict(list)
    for record in records:
        email = normalise_email(record.email)
        if email is not None:
            said[email].extend(_sayings(record))
    if not said:
        return
    emails = sorted(said)
    session.execute(
        text("""
            insert into contacts (public_id, account_id, email)
            select r.public_id, :account, r.email from jsonb_populate_recordset(null::contacts, cast(:rows as jsonb)) r
            order by r.email on conflict do nothing
        """),
        {"account": account_id, "rows": as_json([{"public_id": public_id("con"), "email": email} for email in emails])},
    )
    contacts = session.scalars(
        select(ContactRow)
        .where(col(ContactRow.account_id) == account_id, col(ContactRow.email).in_(emails))
        .order_by(col(ContactRow.email))
        .with_for_update()
    ).all()
    for contact in contacts:
        _merge_into(contact, said[contact.email])
    session.flush()
    _link_companies(session, account_id, sorted({contact.company for contact in contacts if contact.company}), emails)


def _link_companies(session: Session, account_id: int, names: Sequence[str], emails: Sequence[str]) -> None:
    """Find or create the account's Companies by name, and point the contacts at theirs (AC-50)."""
    if not names:
        return
    session.execute(
        text("""
            insert into companies (public_id, account_id, name)
            select r.public_id, :account, r.name from jsonb_populate_recordset(null::companies, cast(:rows as jsonb)) r
            order by r.name on conflict do nothing
        """),
        {"account": account_id, "rows": as_json([{"public_id": public_id("com"), "name": name} for name in names])},
    )
    session.execute(
        text("""
            update contacts k set company_id = c.id from companies c
            where k.account_id = :account and k.email = any(:emails) and c.account_id = :account and c.name = k.company
              and k.company_id is distinct from c.id
        """),
        {"account": account_id, "emails": list(emails)},
    )


def link_customers(session: Session, shop_id: int, account_id: int, customer_ids: Sequence[int]) -> None:
    """Point customers at the Contact with their e-mail; one who has none any more points nowhere."""
    session.execute(
        text("""
            update customers c set contact_id = n.contact_id
            from (select t.id, k.id contact_id from customers t left join contacts k on k.account_id = :account and k.email = t.email_norm
                  where t.shop_id = :shop and t.id = any(:ids)) n
            where c.id = n.id and c.contact_id is distinct from n.contact_id
        """),
        {"shop": shop_id, "account": account_id, "ids": list(customer_ids)},
    )


def consent_words(records: Iterable[Customer | Checkout | Order]) -> list[ConsentWord]:
    """
    What records say of consent. A ticked box in a checkout subscribes; an empty one says nothing, so it revokes nothing.
    """
    words: list[ConsentWord] = []
    for record in records:
        email = normalise_email(record.email)
        if isinstance(record, Customer):
            phone = record.phone.e164 if record.phone else None
            for consent in record.consents:
                address = email if consent.channel is Channel.EMAIL else phone
                if address:
                    words.append(ConsentWord(address, consent))
        elif isinstance(record, Checkout):
            phone = record.checkout_phone.e164 if record.checkout_phone else None
            if record.accepts_email and email:
                words.append(ConsentWord(email, _ticked(Channel.EMAIL, record)))
            if record.accepts_sms and phone:
                words.append(ConsentWord(phone, _ticked(Channel.SMS, record)))
    return words


def save_consents(session: Session, shop_id: int, words: Sequence[ConsentWord]) -> None:
    """Keep the newest word per address and channel; of two at one instant the more careful one."""
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
    session.execute(
        text("""
            insert into consents (shop_id, channel, address, state, source, at)
            select shop_id, channel, address, state, source, at from jsonb_populate_recordset(null::consents, cast(:rows as jsonb))
            on conflict (shop_id, channel, address) do update set state = excluded.state, source = excluded.source, at = excluded.at
            where (excluded.at, (excluded.state = 'unsubscribed')::int, excluded.state, excluded.source)
                > (consents.at, (consents.state = 'unsubscribed')::int, consents.state, consents.source)
        """),
        {"rows": as_json(rows)},
    )


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
    statement = text("""
        select a.address from unnest(cast(:hashes as bytea[]), cast(:addresses as text[])) a (hash, address)
        where exists (select 1 from suppressions s where s.shop_id = :shop and s.channel = :channel and s.address_hash = a.hash)
           or exists (select 1 from consents c where c.shop_id = :shop and c.channel = :channel and c.address = a.address
                      and c.state = 'unsubscribed')
    """)
    values = {"shop": shop_id, "channel": channel.value, "hashes": list(hashes), "addresses": list(hashes.values())}
    return set(session.execute(statement, values).scalars())


def lock_address(session: Session, vault: Vault, shop_id: int, channel: Channel, address: str, *, shared: bool) -> None:
    """
    Until the end of the transaction, let an unsubscribe (exclusive) and a claim (shared) of one address wait for each other:
    nothing is claimed after an unsubscribe has committed.
    """
    key = int.from_bytes(address_hash(vault, shop_id, channel, address)[:8], "big", signed=True)
    session.execute(text(f"select pg_advisory_xact_lock{'_shared' if shared else ''}(:key)"), {"key": key})


def address_hash(vault: Vault, shop_id: int, channel: Channel, address: str) -> bytes:
    """The form in which a suppressed address is kept."""
    normal = (normalise_email(address) or address) if channel is Channel.EMAIL else address
    return vault.keyed_hash("suppression", str(shop_id), channel.value, normal)


def person_hashes(vault: Vault, shop_id: int, record: Customer | Checkout | Order) -> set[bytes]:
    """The keyed hashes under which the deliveries of a record's person are found when that person is to be erased."""
    customer_id = record.platform_id if isinstance(record, Customer) else record.customer_id
    phones = [record.phone, record.checkout_phone] if isinstance(record, Checkout) else [record.phone]
    facts = [("email", normalise_email(record.email)), ("customer", customer_id), *(("phone", p.e164) for p in phones if p)]
    return {vault.keyed_hash("person", str(shop_id), kind, value) for kind, value in facts if value}


def save_delivery_people(session: Session, shop_id: int, people: Mapping[int, Iterable[bytes]]) -> None:
    """Remember which deliveries (by id) speak of which persons (hashes)."""
    pairs = [(person, delivery) for delivery, persons in people.items() for person in persons]
    if not pairs:
        return
    session.execute(
        text("""
            insert into delivery_people (shop_id, person_hash, delivery_id)
            select :shop, p.person, p.delivery from unnest(cast(:persons as bytea[]), cast(:deliveries as bigint[])) p (person, delivery)
            on conflict do nothing
        """),
        {"shop": shop_id, "persons": [p for p, _ in pairs], "deliveries": [d for _, d in pairs]},
    )


def _sayings(record: Customer | Checkout | Order) -> list[Saying]:
    phone = record.phone
    values: dict[str, str | None] = {
        "first_name": record.first_name,
        "last_name": record.last_name,
        "company": None if isinstance(record, Order) else record.company,
        "phone_raw": phone.raw if phone else None,
        "phone_e164": phone.e164 if phone else None,
        "language": record.language,
    }
    return sayings(record.source_version, values)


def _merge_into(contact: ContactRow, said: Iterable[Saying]) -> None:
    known_at = {field: datetime.fromisoformat(at) for field, at in contact.known_at.items()}
    known = recall({field: getattr(contact, field) for field in FIELDS}, known_at)
    merged = merge(known, said)
    if merged == known:
        return
    for field in FIELDS:
        if field in merged:
            setattr(contact, field, merged[field].value or None)
    stamps: dict[str, Any] = {field: saying.at.isoformat() for field, saying in sorted(merged.items())}
    contact.known_at = stamps


def _ticked(channel: Channel, checkout: Checkout) -> Consent:
    # As of the beginning: every later version repeats the tick, and must not outdo an unsubscribe said meanwhile.
    return Consent(channel, ConsentState.SUBSCRIBED, checkout.created_at, "checkout")


def _weight(word: ConsentWord) -> tuple[datetime, bool, str, str]:
    consent = word.consent
    return consent.at, consent.state is ConsentState.UNSUBSCRIBED, consent.state.value, consent.source
