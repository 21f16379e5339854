"""An account as a merchant would have it: two stores, shoppers who came, left, were reminded and bought."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from connector.rules.automations import Reason
from connector.store import automations, notices, shops
from connector.store.db import Database
from connector.store.notices import Cause
from connector.web.composition import Composition
from tests.conftest import TestShop
from tests.store.writing import Writer

PEOPLE = (
    ("Camille", "Martin"),
    ("Jean-Baptiste", "Lefèvre-Desrousseaux"),
    ("Anna", "Petit"),
    ("Noé", "Bernard"),
    ("Élise", "Moreau"),
    ("Oskar", "Lindqvist"),
)
GOODS = (("Bougie parfumée Cèdre & Figue", "Grand modèle", 2, "24.90"), ("Carafe en grès émaillé", None, 1, "39.00"))


def furnish(parts: Composition, shop: TestShop, other: TestShop, count: int = 14) -> str:
    """Fill both shops, in one account; returns the public id of a checkout that was won back."""
    db, now = parts.db, datetime.now(UTC).replace(microsecond=0)
    _together(db, shop, other)
    write, beside = Writer(db, shop.id), Writer(db, other.id)
    automation = write.one("select id from automations where shop_id = :id", id=shop.id)
    with db.transaction(shop=shop.id) as session:
        row = shops.get_shop(session, shop.id)
        notices.tell(session, parts.services.vault, row, Cause.GAP_FOUND, "lately")
        automations.get_automation(session, shop.id).is_on = True
        automations.get_automation(session, shop.id).activated_at = now - timedelta(days=40)
    won = [_checkout(write, automation, number, now - timedelta(hours=9 * number + 2)) for number in range(count)]
    for number in range(3):
        began, left = now - timedelta(days=number, hours=3), now - timedelta(days=number)
        beside.checkout(began, currency="USD", total=Decimal(89), abandoned_at=left)
    for minutes, topic in ((11, "checkouts/update"), (4, "orders/create")):
        write.delivery(topic, now - timedelta(minutes=minutes))
    write.delivery("checkouts/update", now - timedelta(hours=5), state="quarantined", reason="currency")
    return str(write.one("select public_id from checkouts where id = :id", id=won[1]))


def _checkout(write: Writer, automation: int, number: int, at: datetime) -> int:
    """One of five kinds, in turn: waiting, won back, reminded, nobody to write to, cancelled."""
    first, last = PEOPLE[number % len(PEOPLE)]
    email = f"{first}.{last}@example.org".lower().replace("é", "e").replace("è", "e")
    total = sum((Decimal(price) * pieces for _, _, pieces, price in GOODS), Decimal(3 * number))
    values: dict[str, Any] = {
        "number": f"#{1040 + number}",
        "first_name": first,
        "last_name": last,
        "email": email,
        "email_norm": email,
        "total": total,
        "subtotal": total,
        "line_count": len(GOODS),
        "recovery_url": "https://demo.example/recover/1",
        "phone_raw": "06 45 67 89 01",
        "country": "FR",
        "language": "fr",
    }
    kind, left_at = number % 5, at + timedelta(hours=1)
    if kind == 3:
        values |= {"email": None, "email_norm": None}
    if kind != 0:
        values["abandoned_at"] = left_at
    if kind == 1:
        bought_at = left_at + timedelta(minutes=50)
        order = write.order(bought_at, total=total, number=f"{2040 + number}")
        values |= {"converted_at": bought_at, "converted_by": "checkout_token", "converted_order_id": order}
    made = write.checkout(at, **values)
    _lines(write, made)
    _versions(write, made, at)
    return _tell(write, made, automation, number, left_at, email)


def _tell(write: Writer, made: int, automation: int, number: int, left_at: datetime, email: str) -> int:
    """The messages and decisions about one of these; returns the checkout again."""
    kind, sent_at = number % 5, left_at + timedelta(minutes=1)
    is_queued = kind == 4 and number % 2 == 0
    reasons: tuple[Reason, ...] = ()
    if kind in (1, 2):
        write.message(made, sent_at, address=email, clicked_at=left_at + timedelta(minutes=40) if kind == 1 else None)
        reasons = (Reason.ENROLLED, Reason.SENT, Reason.PURCHASED)[: 4 - kind]
    elif kind == 4:
        settled = {} if is_queued else {"state": "cancelled", "reason": Reason.SUPPRESSED.value}
        write.message(made, None, address=email, queued_at=sent_at, due_at=sent_at, **settled)
        reasons = (Reason.ENROLLED,) if is_queued else (Reason.ENROLLED, Reason.SUPPRESSED)
    _decide(write, made, automation, reasons, left_at)
    return made


def _together(db: Database, shop: TestShop, other: TestShop) -> None:
    with db.engine.begin() as connection:
        connection.execute(
            text("update shops set account_id = (select account_id from shops where id = :a) where id = :b"), {"a": shop.id, "b": other.id}
        )


def _lines(write: Writer, checkout: int) -> None:
    for position, (title, variant, pieces, price) in enumerate(GOODS):
        picture = f"https://cdn.example/{position}.jpg" if position == 0 else None
        amounts = {"unit_price": Decimal(price), "total": Decimal(price) * pieces}
        values = {"key": str(position), "title": title, "variant_title": variant, "quantity": pieces, "image_url": picture, **amounts}
        write.insert("checkout_lines", checkout_id=checkout, position=position, shop_id=write.shop_id, **values)


def _versions(write: Writer, checkout: int, at: datetime) -> None:
    for number, pieces in enumerate((1, 3)):
        instant = at + timedelta(minutes=6 * number)
        write.insert(
            "checkout_versions",
            checkout_id=checkout,
            source_version=instant,
            source_digest=str(number),
            source_triggered_at=instant,
            source_progress=0,
            shop_id=write.shop_id,
            fingerprint=str(number),
            quantities=f'{{"v1": {pieces}}}',
        )


def _decide(write: Writer, checkout: int, automation: int, reasons: tuple[Reason, ...], at: datetime) -> None:
    """Written as `store.automations` does it, at instants of the past."""
    if not reasons:
        return
    minutes = (0.5, 1.2, 51)
    told = zip(reasons, minutes, strict=False)
    history = [{"reason": reason.value, "at": (at + timedelta(minutes=after)).isoformat()} for reason, after in told][::-1]
    write.insert(
        "decisions",
        checkout_id=checkout,
        automation_id=automation,
        shop_id=write.shop_id,
        reason=history[0]["reason"],
        decided_at=datetime.fromisoformat(history[0]["at"]),
        history=json.dumps(history),
    )
