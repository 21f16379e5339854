"""
Find a shop or what a shop holds, over all accounts: for support. Needs a system transaction.

People, orders, checkouts and what people were given are found by the whole text only, so that nobody can leaf through them; shops
also by how their name or domain begins. Every look goes from shop to shop through an index of that shop, and so never through a table.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, text
from sqlmodel import Session

from connector.store.tables import ShopRow


class Kind(StrEnum):
    """What a text was looked for as; the words of the audit, which never holds the text itself."""

    EMAIL = "email"
    PHONE = "phone"
    PUBLIC_ID = "public_id"
    NUMBER = "number"
    SHOP = "shop"


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    One typed text, read as everything that it may be. All but `shop` are compared as a whole.

    `email` is normalised, `phones` are E.164, `number` is any number, id or token, `shop` the beginning of a name or domain.
    """

    email: str | None = None
    phones: tuple[str, ...] = ()
    public_id: str | None = None
    number: str | None = None
    shop: str | None = None

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What is looked for."""
        given = {
            Kind.EMAIL: self.email,
            Kind.PHONE: self.phones,
            Kind.PUBLIC_ID: self.public_id,
            Kind.NUMBER: self.number,
            Kind.SHOP: self.shop,
        }
        return tuple(kind for kind, value in given.items() if value)


@dataclass(frozen=True, slots=True)
class Hit:
    """
    Something of a shop that was found: a checkout, an order, a customer or what somebody was given of an offer.

    `checkout_id` is the public id of the checkout that it is or that it ended; None: only its shop can be shown. `name` is its
    number in the store; of what was given, the name of the offer, whose public id is `offer_id`. `state` and `reason`: of what was
    given; an order has the reason why it did or did not earn an offer.
    """

    kind: str
    shop_id: str
    shop_name: str
    platform: str
    timezone: str
    checkout_id: str | None
    name: str
    email: str | None
    phone: str | None
    at: datetime | None
    offer_id: str | None
    state: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class ShopHit:
    """A shop that was found."""

    public_id: str
    name: str
    domain: str
    platform: str
    state: str
    account_name: str


def countries(session: Session) -> Sequence[str]:
    """Where our shops are: a phone number without its country is looked for as one of each."""
    statement = text("select distinct country from shops where country is not null order by country")
    return session.execute(statement).scalars().all()


def find_shops(session: Session, wanted: Wanted, limit: int) -> list[ShopHit]:
    """Shops by the beginning of name, domain or account, by their ids, or by the e-mail of the shop or of a member; by name."""
    values = {
        "limit": limit,
        "email": wanted.email,
        "public_id": wanted.public_id,
        "number": wanted.number,
        "begin": None if wanted.shop is None else _escape(wanted.shop.lower()) + "%",
    }
    return [ShopHit(*row) for row in session.execute(_SHOPS, values)]


def find_hits(session: Session, wanted: Wanted, limit: int) -> list[Hit]:
    """Checkouts, orders, customers and grants, each once, the newest of each first; up to `limit` for each way of finding them."""
    found = {(row.kind, row.id): row for name, value in _ways(wanted) for row in _find(session, name, value, limit)}
    order = {"checkout": 0, "order": 1, "customer": 2, "grant": 3}
    rows = sorted(found.values(), key=lambda row: (order[row.kind], -row.id))
    return [Hit(*tuple(row)[1:]) for row in rows]


def _ways(wanted: Wanted) -> Iterator[tuple[str, str]]:
    if wanted.public_id is not None:
        yield from ((way, wanted.public_id) for way in ("checkout by public_id", "grant by public_id"))
    if wanted.email is not None:
        yield from ((f"{kind} by email", wanted.email) for kind in ("checkout", "order", "customer", "grant"))
    for phone in wanted.phones:
        yield from ((way, phone) for way in ("checkout by phone", "checkout by typed phone", "order by phone", "grant by phone"))
    if wanted.number is not None:
        yield from ((way, wanted.number) for way in ("checkout by token", "checkout by id", "order by id", "grant by code"))
        for number in {wanted.number, f"#{wanted.number.lstrip('#')}", wanted.number.lstrip("#")}:
            yield from ((way, number) for way in ("checkout by number", "order by number"))


def _find(session: Session, way: str, value: str, limit: int) -> Sequence[Row[Any]]:
    return session.execute(text(statement(way)), {"value": value, "limit": limit}).all()


def statement(way: str) -> str:
    """The SQL of one way to find something; a test looks at its plan."""
    kind, _, by = way.partition(" by ")
    return _FINDS[kind].format(condition=_CONDITIONS[kind][by])


def _escape(begin: str) -> str:
    return begin.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


_CONDITIONS = {
    "checkout": {
        "public_id": "public_id = :value",
        "email": "email_norm = :value",
        "phone": "phone_e164 = :value",
        "typed phone": "checkout_phone_e164 = :value",
        "token": "token = :value",
        "id": "stage in ('cart', 'checkout') and platform_id = :value",
        "number": "number = :value",
    },
    "order": {
        "email": "email_norm = :value",
        "phone": "phone_e164 = :value",
        "id": "platform_id = :value",
        "number": "number = :value",
    },
    "customer": {"email": "email_norm = :value"},
    # A phone is noted as what tells a person only where nothing else does.
    "grant": {
        "public_id": "public_id = :value",
        "email": "email_norm = :value",
        "phone": "person_key = 'phone:' || :value",
        "code": "code_key = lower(:value)",
    },
}
# `offset 0` keeps the two steps apart: first all that fit, then the newest. Together the planner might walk through everything from
# the newest on until something fits.
_EACH = """
from shops s cross join lateral (
    select * from (select * from {table} t where t.shop_id = s.id and {{condition}} offset 0) t order by id desc limit :limit
) t
"""
_FINDS = {
    "checkout": """
        select t.id, 'checkout' as kind, s.public_id, s.name, s.platform, s.timezone, t.public_id, coalesce(t.number, t.platform_id),
            t.email, coalesce(t.phone_raw, t.checkout_phone_raw), t.created_at, cast(null as text), cast(null as text), cast(null as text)
    """
    + _EACH.format(table="checkouts")
    + "order by t.id desc limit :limit",
    "order": """
        select t.id, 'order' as kind, s.public_id, s.name, s.platform, s.timezone,
            (select (array_agg(c.public_id order by c.id))[1] from checkouts c where c.converted_order_id = t.id),
            coalesce(t.number, t.platform_id), t.email, t.phone_raw, t.placed_at,
            (select f.public_id from grant_decisions d join offers f on f.id = d.offer_id where d.order_id = t.id), cast(null as text),
            (select d.reason from grant_decisions d where d.order_id = t.id)
    """
    + _EACH.format(table="orders")
    + "order by t.id desc limit :limit",
    "customer": """
        select t.id, 'customer' as kind, s.public_id, s.name, s.platform, s.timezone, cast(null as text), t.platform_id,
            t.email, t.phone_raw, t.created_at, cast(null as text), cast(null as text), cast(null as text)
    """
    + _EACH.format(table="customers")
    + "order by t.id desc limit :limit",
    "grant": """
        select t.id, 'grant' as kind, s.public_id, s.name, s.platform, s.timezone, cast(null as text),
            (select f.name from offers f where f.id = t.offer_id), t.email, t.phone_e164, t.granted_at,
            (select f.public_id from offers f where f.id = t.offer_id), t.state, t.reason
    """
    + _EACH.format(table="grants")
    + "order by t.id desc limit :limit",
}

# Shops are few: looking at each of them is what the other searches do as well.
_SHOPS = text(f"""
select s.public_id, s.name, s.domain, s.platform, s.state, a.name
from {ShopRow.__tablename__} s join accounts a on a.id = s.account_id
where s.public_id = cast(:public_id as text) or a.public_id = cast(:public_id as text)
   or s.platform_shop_id = cast(:number as text)
   or lower(s.contact_email) = cast(:email as text)
   or s.account_id in (select m.account_id from members m where m.email_norm = cast(:email as text) and m.removed_at is null)
   or s.domain like cast(:begin as text) or lower(s.name) like cast(:begin as text) or lower(s.name) like '% ' || cast(:begin as text)
   or lower(a.name) like cast(:begin as text)
order by lower(s.name), s.id limit :limit
""")
