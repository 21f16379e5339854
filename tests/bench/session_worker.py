"""
The peer of the worker: dramatiq as its guide shows it, one message and one SQLModel session per delivery.

It reads the delivery and its body, parses it with our own adapter so that only the architecture differs, upserts the checkout
by one statement in which the newer version wins, replaces its lines, marks the delivery and commits. It does less than we do: no
contacts, customers, consents, versions, due times or people to be erased. Run it with the dramatiq command; what it needs
is in the environment: BENCH_DATABASE_URL, BENCH_REDIS_URL.
"""

import os
from datetime import UTC, datetime
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from sqlalchemy import bindparam, create_engine
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, delete

from connector.canonical import Checkout
from connector.config import Settings
from connector.platforms import DeliveryContext
from connector.store.db import engine_url
from connector.store.ids import public_id
from connector.store.inbox_tables import DeliveryBodyRow, DeliveryRow
from connector.store.tables import CheckoutLineRow, CheckoutRow
from integrations.registry import make_platforms, make_transport
from tests.bench.processes import SESSION_THREADS

broker = RedisBroker(url=os.environ["BENCH_REDIS_URL"])  # type: ignore[no-untyped-call]
dramatiq.set_broker(broker)
engine = create_engine(engine_url(os.environ["BENCH_DATABASE_URL"]), pool_size=SESSION_THREADS)
settings = Settings.model_validate({"shopify_client_secret": "unused"})
shopify = make_platforms(settings, make_transport(settings))["shopify"]
COLUMNS = (
    *("public_id", "shop_id", "platform_id", "stage", "token", "cart_token", "number", "customer_platform_id", "email", "email_norm"),
    *("phone_raw", "phone_e164", "first_name", "last_name", "country", "language", "currency", "total", "subtotal", "discount_total"),
    *("tax_total", "taxes_included", "shipping_method", "discount_codes", "accepts_email", "recovery_url", "created_at"),
    *("source_version", "source_triggered_at", "source_progress", "source_digest"),
)
KEY = ("shop_id", "stage", "platform_id")
# Made once: making a statement costs more than its round trip.
NEW = insert(CheckoutRow)
UPSERT = NEW.on_conflict_do_update(
    index_elements=KEY,
    set_={name: NEW.excluded[name] for name in COLUMNS if name not in (*KEY, "public_id")},
    where=NEW.excluded.source_version > col(CheckoutRow.source_version),
).returning(col(CheckoutRow.id))
DROP_LINES = delete(CheckoutLineRow).where(col(CheckoutLineRow.checkout_id) == bindparam("checkout"))


@dramatiq.actor
def apply_delivery(delivery_id: int) -> None:
    """Apply one delivery; a second time changes nothing."""
    with Session(engine) as session:
        delivery = session.get_one(DeliveryRow, delivery_id)
        if delivery.state != "pending":
            return
        assert delivery.shop_id is not None
        body = session.get_one(DeliveryBodyRow, (delivery.received_on, delivery_id)).body
        for event in shopify.parse(DeliveryContext(delivery.topic, delivery.received_at, "FR"), body):
            if isinstance(event, Checkout):
                save(session, delivery.shop_id, event)
        delivery.state, delivery.handled_at, delivery.attempts = "applied", datetime.now(UTC), 1
        session.commit()


def save(session: Session, shop_id: int, checkout: Checkout) -> None:
    """Insert the checkout or replace an older version of it, lines included."""
    checkout_id = session.execute(UPSERT, checkout_values(shop_id, checkout)).scalar()
    if checkout_id is None:  # a newer version is there already
        return
    session.execute(DROP_LINES, {"checkout": checkout_id}, execution_options={"synchronize_session": False})
    session.add_all(
        CheckoutLineRow(
            checkout_id=checkout_id,
            position=position,
            shop_id=shop_id,
            key=line.key,
            product_id=line.product_id,
            variant_id=line.variant_id,
            title=line.title,
            variant_title=line.variant_title,
            sku=line.sku,
            quantity=line.quantity,
            unit_price=line.unit_price,
            total=line.total,
            image_url=line.image_url,
        )
        for position, line in enumerate(checkout.lines)
    )


def checkout_values(shop_id: int, checkout: Checkout) -> dict[str, Any]:
    """The columns of the checkout itself; those by which we settle versions of one second stay plain."""
    return {
        "public_id": public_id("chk"),
        "shop_id": shop_id,
        "platform_id": checkout.platform_id,
        "stage": checkout.stage.value,
        "token": checkout.token,
        "cart_token": checkout.cart_token,
        "number": checkout.number,
        "customer_platform_id": checkout.customer_id,
        "email": checkout.email,
        "email_norm": checkout.email,
        "phone_raw": checkout.phone.raw if checkout.phone else None,
        "phone_e164": checkout.phone.e164 if checkout.phone else None,
        "first_name": checkout.first_name,
        "last_name": checkout.last_name,
        "country": checkout.country,
        "language": checkout.language,
        "currency": checkout.currency,
        "total": checkout.total,
        "subtotal": checkout.subtotal,
        "discount_total": checkout.discount_total,
        "tax_total": checkout.tax_total,
        "taxes_included": checkout.taxes_included,
        "shipping_method": checkout.shipping_method,
        "discount_codes": list(checkout.discount_codes),
        "accepts_email": checkout.accepts_email,
        "recovery_url": checkout.recovery_url,
        "created_at": checkout.created_at,
        "source_version": checkout.source_version,
        "source_triggered_at": checkout.source_version,
        "source_progress": 0,
        "source_digest": "",
    }
