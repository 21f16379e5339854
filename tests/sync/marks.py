"""A person whose every trace can be looked for: marks in all that tells them, and a search through everything that is kept."""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from sqlalchemy import text

from connector.store import offer_work
from connector.store.db import Database
from tests.sync.bodies import dump as encoded
from tests.sync.bodies import shopify_checkout, shopify_customer, shopify_order
from tests.sync.offer_desk import OfferDesk
from tests.sync.world import World

COLUMNS = text("""
    select c.relname as table_name, a.attname as column_name, t.typname from pg_attribute a join pg_class c on c.oid = a.attrelid
    join pg_type t on t.oid = a.atttypid
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'm') and a.attnum > 0 and not a.attisdropped
""")


@dataclass(frozen=True)
class Marked:
    """Somebody with a mark in each place where a shop writes something of them."""

    name: str = "Zyxquillon"
    email: str = "Zyxquillon.Mail+a&b@mark-mail.example"
    phone: str = "+33612345678"
    street: str = "7 rue Zyxstreet"
    note: str = "Zyxnote, please ring twice"
    number: int = 7_340_000_000_977
    order: int = 6_210_000_000_977
    token: str = "zyxtoken0001"
    texts: tuple[str, ...] = field(init=False, default=())

    @property
    def address(self) -> dict[str, Any]:
        """Where they live."""
        return {"first_name": self.name, "last_name": "Zyxlast", "phone": self.phone, "address1": self.street, "country_code": "FR"}

    def marks(self) -> list[str]:
        """Every text that must be found nowhere."""
        return [self.name, "Zyxlast", self.email, self.phone, "612345678", self.street, self.note]

    def spellings(self) -> list[bytes]:
        """The same as they could lie somewhere: plain, in JSON, in an address, in hex, in base64, hashed."""
        found: set[bytes] = set()
        for mark in self.marks():
            for said in {mark, mark.lower(), mark.upper()}:
                raw = said.encode()
                found |= {raw, quote(said, safe="").encode(), quote(said).encode(), raw.hex().encode(), json.dumps(said)[1:-1].encode()}
                # Base64 of a longer text: whatever stands before the mark moves it by 0, 1 or 2 signs; the ends are cut.
                found |= {base64.b64encode(b"\0" * shift + raw)[4 if shift else 0 : -4] for shift in range(3)}
                found |= {hashlib.new(way, raw).hexdigest().encode() for way in ("sha256", "sha1", "md5")}
                found |= {base64.b64encode(hashlib.sha256(raw).digest())}
        return sorted(one for one in found if len(one) >= 4)


def everything(db: Database) -> Iterator[tuple[str, bytes]]:
    """Every value of every column of every table; bytes as they are."""
    with db.engine.connect() as connection:
        for table, column, kind in connection.execute(COLUMNS).all():
            shown = f'"{column}"' if kind == "bytea" else f'"{column}"::text'
            for value in connection.execute(text(f'select {shown} from "{table}" where "{column}" is not null')).scalars():
                yield f"{table}.{column}", bytes(value) if kind == "bytea" else str(value).encode()


def hits(db: Database, person: Marked) -> list[str]:
    """Where something of the person lies, and how it is spelled there."""
    spellings = person.spellings()
    found = set()
    for place, value in everything(db):
        lowered = value.lower()
        found |= {f"{place}: {one!r}" for one in spellings if one.lower() in lowered}
    return sorted(found)


def offer(world: World) -> None:
    """The merchant has an offer for whoever buys."""
    desk = OfferDesk(world.services, world.shop.id)
    desk.hold_code()
    desk.publish()


def give_offer(world: World, person: Marked) -> None:
    """Their order earned an offer, and its mail waits; a code that is good for their address only was made as well."""
    world.execute("update orders set paid_at = coalesce(paid_at, placed_at) where platform_id = :order", order=str(person.order))
    with world.db.transaction(shop=world.shop.id) as session:
        ids = session.execute(text("select id from orders where platform_id = :order"), {"order": str(person.order)}).scalars()
        offer_work.note_orders(session, world.shop.id, list(ids))
    OfferDesk(world.services, world.shop.id).tend()
    grant = world.one("grants")
    assert (grant["state"], grant["email_norm"]) == ("live", person.email.lower()), grant
    world.execute(
        """
        insert into grant_mails (grant_id, public_id, shop_id, address, state, queued_at, due_at, unsubscribe_token)
        values (:grant, 'gml_mark', :shop, :email, 'queued', app_now(), app_now(), 'mark') on conflict do nothing
        """,
        grant=grant["id"],
        email=person.email,
    )
    world.execute(
        """
        insert into offer_codes (public_id, shop_id, offer_id, version_id, role, code, email, wanted, actual, grant_id, created_at,
            changed_at, due_at)
        values ('ofc_mark', :shop, :offer, :version, 'unique', 'LOCKED-1', :email, 'issued', 'issued', :grant, app_now(), app_now(),
            app_now())
        """,
        grant=grant["id"],
        offer=grant["offer_id"],
        version=grant["version_id"],
        email=person.email.lower(),
    )


def sync_them(world: World, person: Marked) -> None:
    """A resync of their order alone found that it differed, and put it aside once."""
    for statement in (
        """
        insert into sync_runs (public_id, shop_id, kind, state, is_dry_run, scope, asked_by, reason, high_water_at, created_at, due_at)
        values ('syn_mark', :shop, 'resync', 'done', false, jsonb_build_object('platform_id', cast(:order as text)), 'system', '',
            app_now(), app_now(), app_now())
        """,
        """
        insert into sync_slices
            (run_id, position, shop_id, resource, platform_id, state, pages_done, is_read, is_exact, store_sum, ours_sum)
        select id, 0, shop_id, 'order', :order, 'done', 0, true, true, '', '' from sync_runs where public_id = 'syn_mark'
        """,
        """
        insert into sync_differences (run_id, shop_id, resource, platform_id, kind, fields, is_applied, at)
        select id, shop_id, 'order', :order, 'changed', jsonb_build_object('email', jsonb_build_array(null, cast(:email as text))), true,
            app_now()
        from sync_runs where public_id = 'syn_mark'
        """,
        """
        insert into quarantined_records (shop_id, resource, platform_id, reason, first_at, last_at)
        values (:shop, 'order', :order, 'bad_money', app_now(), app_now())
        """,
    ):
        world.execute(statement, order=str(person.order), email=person.email)


def seed(world: World, person: Marked) -> None:
    """
    They start a checkout step by step, get a reminder, buy, earn an offer, unsubscribe; and some of what came was never understood.
    """
    at = world.at
    offer(world)
    customer = shopify_customer(
        person.number,
        at(1),
        email=person.email,
        phone=person.phone,
        first_name=person.name,
        note=person.note,
        default_address=person.address,
    )
    world.arrive("carts/update", encoded({"id": "zyxcart", "token": "zyxcart", "note": person.note, "updated_at": "2026-11-21T10:00:00Z"}))
    named: dict[str, Any] = {"cart_token": "zyxcart", "shipping_address": person.address, "note": person.note}
    world.arrive("checkouts/create", shopify_checkout(person.token, at(0), **named), at(0))
    world.arrive(
        "checkouts/update", shopify_checkout(person.token, at(1), created_at=at(0), email=person.email, customer=customer, **named)
    )
    world.arrive("customers/update", encoded(customer), at(1))
    world.go_to(at(90))
    world.abandon()
    world.execute("update messages set state = 'sent', handed_over_at = app_now()")
    world.execute("update messages set subject = :subject where address = :to", subject=f"Hello {person.name}", to=person.email.lower())
    assert {state for state, _ in world.messages()} == {"sent"}
    world.arrive(
        "orders/create",
        shopify_order(
            person.order,
            at(3),
            checkout_token="other",
            email=person.email,
            customer=customer,
            billing_address=person.address,
            financial_status="paid",
            note=person.note,
        ),
        at(3),
    )
    give_offer(world, person)
    sync_them(world, person)
    consent = {
        "customer_id": person.number,
        "email_address": person.email,
        "email_marketing_consent": {"state": "unsubscribed", "opt_in_level": None, "consent_updated_at": at(4).isoformat()},
    }
    world.arrive("customers_email_marketing_consent/update", encoded(consent), at(4))
    mutter(world, person)


def mutter(world: World, person: Marked) -> None:
    """What names them and was never understood."""
    world.arrive("checkouts/update", b'{"email": "%s", "broken": ' % person.email.encode())
    world.arrive("customers/unheard_of", encoded({"customer": {"id": person.number, "first_name": person.name}}))
    world.arrive(
        "orders/fulfilled", encoded({"order_id": person.order, "name": person.name, "link": f"x?e={quote(person.email, safe='')}"})
    )
    world.arrive("checkouts/paused", json.dumps({"token": person.token, "note": person.note}, ensure_ascii=True).encode())
