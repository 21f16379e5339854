"""
What the law asks of us: requests with their due dates, whom they are about (sealed until they are erased), and who was erased.

A request is kept once, whatever is repeated or replayed. `work` of an open erasure says how far it is, so that whoever goes on after
a crash knows where.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Row, select, text
from sqlmodel import Session, col

from connector import decoding
from connector.canonical import DataRequested, Person, PersonRedacted, PrivacyRequest
from connector.errors import NotFound
from connector.rules.subjects import Fact, Subject
from connector.store.db import run
from connector.store.ids import public_id
from connector.store.sealed import Vault
from connector.store.sync_tables import PrivacyRequestRow

DUE = timedelta(days=30)
NOBODY = Person()


class Kind(StrEnum):
    """What is asked for."""

    DATA_REQUEST = "data_request"
    CUSTOMER_REDACT = "customer_redact"
    SHOP_REDACT = "shop_redact"


@dataclass(frozen=True, slots=True)
class Kept:
    """A request that was written just now."""

    public_id: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Overdue:
    """How many open requests there are, how many of them should have been answered by now, and since when the oldest."""

    open: int
    overdue: int
    since: datetime | None


def keep_request(session: Session, vault: Vault, shop_id: int, event: PrivacyRequest) -> Kept | None:
    """Write a request down, due in 30 days; None if it was there before."""
    kind = _kind(event)
    person = NOBODY if kind is Kind.SHOP_REDACT else getattr(event, "person", NOBODY)
    values = {
        "public_id": public_id("prq"),
        "shop": shop_id,
        "kind": kind.value,
        "key": _key(vault, shop_id, kind, person, event),
        "person": None if kind is Kind.SHOP_REDACT else seal_person(vault, person, None),
        "at": event.at,
        "due": event.at + DUE,
    }
    name = session.execute(_KEEP, values).scalar()
    return None if name is None else Kept(str(name), kind)


def seal_person(vault: Vault, person: Person, subject: Subject | None) -> bytes:
    """Whom a request is about; once that was looked up, also all that tells them."""
    said = {"person": msgspec.json.encode(person).decode()}
    if subject is not None:
        said["subject"] = msgspec.json.encode(subject).decode()
    return vault.seal(said)


def open_person(vault: Vault, sealed: bytes) -> tuple[Person, Subject | None]:
    """What `seal_person` made. Raises ConfigError if no key fits."""
    said = vault.open(sealed)
    subject = said.get("subject")
    return decoding.decode(said["person"], Person), None if subject is None else decoding.decode(subject, Subject)


def find_request(session: Session, name: str) -> PrivacyRequestRow:
    """The request of that public id. Raises NotFound."""
    row = session.execute(text("select id from privacy_requests where public_id = :name"), {"name": name}).scalar()
    if row is None:
        raise NotFound("There is no such request.")
    return session.get_one(PrivacyRequestRow, row, populate_existing=True)


def list_requests(session: Session, shop_ids: Collection[int], limit: int = 200) -> Sequence[Row[Any]]:
    """Requests of these shops: open ones first, by due date, then those that are done, the newest first."""
    return session.execute(_LIST, {"shops": list(shop_ids), "limit": limit}).all()


def list_open(session: Session, limit: int = 200) -> Sequence[Row[Any]]:
    """Open requests of all shops with their shop's name, the most urgent first. Needs a system transaction."""
    return session.execute(_LIST_OPEN, {"limit": limit}).all()


def mark_opened(session: Session, request_id: int) -> bool:
    """Somebody of the merchant's looked at the answer; true the first time."""
    statement = text("update privacy_requests set opened_at = app_now() where id = :id and opened_at is null returning 1")
    return session.execute(statement, {"id": request_id}).scalar() is not None


def mark_done(session: Session, request_id: int, erased: Mapping[str, Any] | None = None, *, keeps_person: bool = False) -> bool:
    """The request is settled; false if it was. Whom it was about goes unless `keeps_person`."""
    statement = text("""
        update privacy_requests set state = 'done', done_at = app_now(), erased = coalesce(cast(:erased as jsonb), erased),
            person = case when :keeps then person end
        where id = :id and state = 'open' returning 1
    """)
    said = None if erased is None else msgspec.json.encode(dict(erased)).decode()
    return session.execute(statement, {"id": request_id, "erased": said, "keeps": keeps_person}).scalar() is not None


def note_work(session: Session, request_id: int, work: Mapping[str, Any], person: bytes | None = None) -> None:
    """How far an erasure is; `person`: whom it is about, now that more is known."""
    session.execute(
        text("update privacy_requests set erased = cast(:work as jsonb), person = coalesce(:person, person) where id = :id"),
        {"id": request_id, "work": msgspec.json.encode(dict(work)).decode(), "person": person},
    )


def open_erasures(session: Session, shop_id: int) -> Sequence[PrivacyRequestRow]:
    """Erasures of a shop that are not done and may go on now, oldest first; that of the shop itself comes first."""
    ids = session.execute(_OPEN_ERASURES, {"shop": shop_id}).scalars().all()
    return [session.get_one(PrivacyRequestRow, one, populate_existing=True) for one in ids]


def data_requests(session: Session, shop_id: int) -> Sequence[PrivacyRequestRow]:
    """Data requests of a shop of which we still know whom they are about."""
    statement = select(PrivacyRequestRow).where(
        col(PrivacyRequestRow.shop_id) == shop_id,
        col(PrivacyRequestRow.kind) == Kind.DATA_REQUEST.value,
        col(PrivacyRequestRow.person).is_not(None),
    )
    return session.scalars(statement.order_by(col(PrivacyRequestRow.id))).all()


def forget_person(session: Session, request_id: int) -> None:
    """Whom a request was about is nobody's business any more."""
    session.execute(text("update privacy_requests set person = null where id = :id"), {"id": request_id})


def shops_with_erasures(session: Session, limit: int) -> list[int]:
    """Shops with erasures that are not done and may go on now. Needs a system transaction."""
    return list(session.execute(_SHOPS_WITH_ERASURES, {"limit": limit}).scalars())


def has_homeless(session: Session) -> bool:
    """Whether requests for shops that we do not know wait to be settled. Needs a system transaction."""
    return bool(session.execute(text("select exists (select 1 from deliveries where shop_id is null and state = 'pending')")).scalar_one())


def read_overdue(session: Session) -> Overdue:
    """Whether everything that the law asks for is done in time. Needs a system transaction."""
    row = session.execute(
        text("""
            select count(*), count(*) filter (where due_at < app_now()), min(due_at) filter (where due_at < app_now())
            from privacy_requests where state = 'open'
        """)
    ).one()
    return Overdue(*row)


def forget_people(session: Session, days: int) -> int:
    """Data requests that were answered so long ago no longer know whom they were about. Needs a system transaction."""
    statement = text("""
        update privacy_requests set person = null
        where state = 'done' and person is not null and done_at < app_now() - make_interval(days => :days) returning 1
    """)
    return len(session.execute(statement, {"days": days}).all())


def fact_hash(vault: Vault, shop_id: int, fact: Fact) -> bytes:
    """The form in which we remember what told an erased person."""
    return vault.keyed_hash("erased", str(shop_id), *fact)


def note_erased(session: Session, vault: Vault, shop_id: int, facts: Collection[Fact], at: datetime) -> None:
    """From now on nothing from before `at` that speaks of these is taken in."""
    session.execute(_NOTE_ERASED, {"shop": shop_id, "at": at, "hashes": [fact_hash(vault, shop_id, fact) for fact in sorted(facts)]})


def has_erased(session: Session, shop_id: int) -> bool:
    """Whether anybody was ever erased in this shop, or the whole shop was: most of the time there is nothing more to ask."""
    return bool(run(session, _HAS_ERASED, {"shop": shop_id})[0][0])


def is_redacted(session: Session, shop_id: int) -> bool:
    """Whether all of this shop was erased and it was not installed since."""
    statement = text("select redacted_at is not null from shops where id = :shop and state = 'uninstalled'")
    return bool(session.execute(statement, {"shop": shop_id}).scalar())


def erased_among(session: Session, vault: Vault, shop_id: int, facts: Collection[Fact]) -> dict[Fact, datetime]:
    """Which of these facts tell an erased person, and since when."""
    hashes = {fact_hash(vault, shop_id, fact): fact for fact in facts}
    if not hashes:
        return {}
    statement = text("select fact_hash, at from erased_people where shop_id = :shop and fact_hash = any(:hashes)")
    return {hashes[bytes(row[0])]: row[1] for row in session.execute(statement, {"shop": shop_id, "hashes": list(hashes)})}


def _kind(event: PrivacyRequest) -> Kind:
    if isinstance(event, DataRequested):
        return Kind.DATA_REQUEST
    return Kind.CUSTOMER_REDACT if isinstance(event, PersonRedacted) else Kind.SHOP_REDACT


def _key(vault: Vault, shop_id: int, kind: Kind, person: Person, event: PrivacyRequest) -> bytes:
    """The same for the same request. A data request has a number; the others are told by whom they name and when."""
    reference = event.reference if isinstance(event, DataRequested) else None
    told = reference or f"{event.at.isoformat()} {msgspec.json.encode(person).decode()}"
    return vault.keyed_hash("privacy", str(shop_id), kind.value, told)


_KEEP = text("""
    insert into privacy_requests (public_id, shop_id, kind, key_hash, person, state, requested_at, due_at)
    values (:public_id, :shop, :kind, :key, :person, 'open', :at, :due) on conflict (key_hash) do nothing returning public_id
""")
_LIST = text("""
    select r.public_id, r.kind, r.state, r.requested_at, r.due_at, r.done_at, r.opened_at, r.shop_id, r.person is not null as has_person,
        r.state = 'open' and r.due_at < app_now() as is_overdue
    from privacy_requests r where r.shop_id = any(cast(:shops as bigint[]))
    order by (r.state = 'done'), case when r.state = 'open' then r.due_at end, r.id desc limit :limit
""")
_LIST_OPEN = text("""
    select r.public_id, r.kind, r.state, r.requested_at, r.due_at, r.done_at, r.opened_at, r.due_at < app_now() as is_overdue,
        s.public_id as shop_public_id, s.name as shop_name, s.domain
    from privacy_requests r left join shops s on s.id = r.shop_id where r.state = 'open' order by r.due_at, r.id limit :limit
""")
_MAY_GO_ON = "kind <> 'data_request' and coalesce(cast(erased ->> 'again_at' as timestamptz), '-infinity') <= app_now()"
_OPEN_ERASURES = text(f"""
    select id from privacy_requests where shop_id = :shop and state = 'open' and {_MAY_GO_ON} order by kind <> 'shop_redact', id
""")
_SHOPS_WITH_ERASURES = text(f"""
    select shop_id from privacy_requests where state = 'open' and {_MAY_GO_ON} group by shop_id order by min(due_at) limit :limit
""")
_NOTE_ERASED = text("""
    insert into erased_people (shop_id, fact_hash, at)
    select :shop, h, :at from unnest(cast(:hashes as bytea[])) h
    on conflict (shop_id, fact_hash) do update set at = greatest(erased_people.at, excluded.at)
""")
_HAS_ERASED = """
    select exists (select 1 from erased_people where shop_id = %(shop)s)
        or exists (select 1 from shops where id = %(shop)s and redacted_at is not null)
"""
