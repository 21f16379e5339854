"""
The shoppers of the benchmarks: distinct checkouts in several versions each, as Shopify's `checkouts/create|update` tell them.

Every checkout has a token and an e-mail address of its own and comes in VERSIONS deliveries: lines, then an e-mail address,
then where to, then another quantity and line, then a shipping method and for some a code. Every third shopper is a known
customer, every fifth types a phone number. The versions of BLOCK checkouts are shuffled among each other, each checkout's
own in order, as they come from many shoppers at once. Every body has exactly BODY_BYTES bytes.
"""

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import md5
from typing import Any

BODY_BYTES = 6_073
VERSIONS = 5
BLOCK = 500
PRODUCTS = 40
LINES, LINES_LATER = 4, 5
MIX = (
    f"{VERSIONS} versions of each checkout, those of {BLOCK} checkouts shuffled; bodies of {BODY_BYTES:,} bytes, "
    f"{LINES} to {LINES_LATER} lines, tokens and e-mail addresses distinct, every third shopper a customer"
)
CONTACT, ADDRESS, CHANGE, SHIPPING = range(1, VERSIONS)
FIRST_NAMES = ("Ada", "Benoît", "Chiara", "Dilan", "Eva", "Farid", "Greta")
LAST_NAMES = ("Martin", "Petit", "Rossi", "Yilmaz", "Novak", "Haddad", "Lindqvist", "Okafor")
CITIES = (("Paris", "75002"), ("Lyon", "69003"), ("Nantes", "44000"))


@dataclass(frozen=True, slots=True)
class Post:
    """One delivery: the place of its shop in the list of shops, its checkout's number, its version, its bytes."""

    shop: int
    number: int
    version: int
    topic: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Expected:
    """What the canonical rows must say once all posts were applied."""

    checkouts: int
    lines: int
    total: Decimal
    emails: int


def posts(count: int, shops: int, since: datetime, *, seed: int = 1) -> Iterator[Post]:
    """The first `count` deliveries of an endless stream. Checkouts began at `since` and belong to the shops in turn."""
    chance, begun, made = random.Random(seed), 0, 0
    while True:
        numbers = [number for number in range(begun, begun + BLOCK) for _ in range(VERSIONS)]
        chance.shuffle(numbers)
        begun += BLOCK
        seen: dict[int, int] = {}
        for number in numbers:
            if made == count:
                return
            version = seen[number] = seen.get(number, -1) + 1
            topic = "checkouts/update" if version else "checkouts/create"
            yield Post(number % shops, number, version, topic, checkout_body(number, version, since))
            made += 1


def expected(sent: Iterable[tuple[int, int]]) -> Expected:
    """What rows these (number, version) pairs leave behind: the newest version of each checkout."""
    newest: dict[int, int] = {}
    for number, version in sent:
        newest[number] = max(version, newest.get(number, 0))
    items = [(number, version, items_of(number, version)) for number, version in newest.items()]
    return Expected(
        checkouts=len(newest),
        lines=sum(len(lines) for _, _, lines in items),
        total=sum((total_of(number, version, lines) for number, version, lines in items), Decimal(0)),
        emails=sum(version >= CONTACT for _, version, _ in items),
    )


def checkout_body(number: int, version: int, since: datetime) -> bytes:
    """One version of one checkout, of exactly BODY_BYTES bytes."""
    items = items_of(number, version)
    token = md5(b"%d" % number).hexdigest()
    checkout = {
        "token": token,
        "cart_token": f"c1-{token[::-1]}",
        "gateway": None,
        "email": None,
        "phone": None,
        "buyer_accepts_marketing": False,
        "buyer_accepts_sms_marketing": False,
        "sms_marketing_phone": None,
        "created_at": since.isoformat(),
        "updated_at": (since + timedelta(seconds=20 * version, milliseconds=number % 1000)).isoformat(),
        "landing_site": "/",
        "note_attributes": [],
        "referring_site": "",
        "shipping_lines": [],
        "shipping_address": [],
        "billing_address": [],
        "taxes_included": True,
        "currency": "EUR",
        "presentment_currency": "EUR",
        "completed_at": None,
        "closed_at": None,
        "customer_locale": "fr-FR",
        "name": f"#{61_720_000_000_000 + number}",
        "abandoned_checkout_url": f"https://bench.example/71200000001/checkouts/ac/c1-{token}/recover?key={token}&locale=fr-FR",
        "discount_codes": [],
        "line_items": [_line(number, *item) for item in items],
        "total_discounts": "0.00",
        "total_tax": "8.32",
        "subtotal_price": str(sum((price * quantity for _, price, quantity in items), Decimal(0))),
        "total_price": str(total_of(number, version, items)),
        "source_name": "web",
        "device_id": None,
        "user_id": None,
        "location_id": None,
    }
    return _filled(checkout | _progress(number, version))


def items_of(number: int, version: int) -> list[tuple[int, Decimal, int]]:
    """(product, price, quantity) of each line."""
    count = LINES_LATER if version >= CHANGE else LINES
    return [
        (
            (number * 7 + position) % PRODUCTS,
            Decimal(1990 + 350 * ((number + position) % 11)).scaleb(-2),
            1 + (position == 0 and version >= CHANGE),
        )
        for position in range(count)
    ]


def total_of(number: int, version: int, items: Sequence[tuple[int, Decimal, int]]) -> Decimal:
    """What the shopper would pay."""
    worth = sum((price * quantity for _, price, quantity in items), Decimal(0))
    return worth + (Decimal("4.90") if version >= SHIPPING else Decimal(0))


def product_id(product: int) -> str:
    """A product's platform id."""
    return str(8_810_000_000_000 + product)


def _progress(number: int, version: int) -> dict[str, Any]:
    """What a shopper who came as far as `version` has told."""
    told: dict[str, Any] = {}
    first, last = FIRST_NAMES[number % len(FIRST_NAMES)], LAST_NAMES[number % len(LAST_NAMES)]
    email = f"{last}.{number}@example.com"
    if version >= CONTACT:
        told |= {"email": email, "buyer_accepts_marketing": number % 2 == 0}
        if number % 3 == 0:
            told["customer"] = _customer(number, first, last, email)
    if version >= ADDRESS:
        address = _address(number, first, last)
        told |= {"shipping_address": address, "billing_address": address}
    if version >= SHIPPING:
        told["shipping_lines"] = [{"code": "Standard", "price": "4.90", "source": "shopify", "title": "Colissimo", "tax_lines": []}]
        if number % 4 == 0:
            told["discount_codes"] = [{"code": "WELCOME10", "amount": "0.00", "type": "percentage"}]
    return told


def _line(number: int, product: int, price: Decimal, quantity: int) -> dict[str, Any]:
    return {
        "key": f"{47_110_000_000_000 + number * 100 + product}",
        "fulfillment_service": "manual",
        "gift_card": False,
        "grams": 240,
        "presentment_title": f"Bougie no {product}",
        "presentment_variant_title": "Grande",
        "product_id": int(product_id(product)),
        "quantity": quantity,
        "requires_shipping": True,
        "sku": f"BOUG-{product:03}-G",
        "tax_lines": [{"position": 1, "price": "0.00", "rate": 0.2, "title": "TVA", "source": "Shopify", "channel_liable": False}],
        "taxable": True,
        "title": f"Bougie no {product}",
        "variant_id": 47_110_000_000_000 + product,
        "variant_title": "Grande",
        "variant_price": str(price),
        "vendor": "Atelier Brume",
        "unit_price_measurement": {"measured_type": None, "quantity_value": None, "quantity_unit": None, "reference_value": None},
        "compare_at_price": None,
        "line_price": str(price * quantity),
        "price": str(price),
        "applied_discounts": [],
        "properties": {},
        "discount_allocations": [],
    }


def _address(number: int, first: str, last: str) -> dict[str, Any]:
    city, postcode = CITIES[number % len(CITIES)]
    return {
        "first_name": first,
        "last_name": last,
        "name": f"{first} {last}",
        "address1": f"{1 + number % 200} rue de la Paix",
        "address2": None,
        "phone": f"06 4{number % 10} {number // 10 % 100:02} {number // 1000 % 100:02} {number // 7 % 100:02}" if number % 5 == 0 else None,
        "city": city,
        "zip": postcode,
        "province": None,
        "country": "France",
        "country_code": "FR",
        "province_code": None,
        "company": None,
    }


def _customer(number: int, first: str, last: str, email: str) -> dict[str, Any]:
    return {
        "id": 7_040_000_000_000 + number,
        "email": email,
        "created_at": "2026-01-05T09:00:00+01:00",
        "updated_at": "2026-11-01T09:00:00+01:00",
        "first_name": first,
        "last_name": last,
        "state": "enabled",
        "note": None,
        "verified_email": True,
        "tax_exempt": False,
        "phone": None,
        "currency": "EUR",
        "admin_graphql_api_id": f"gid://shopify/Customer/{7_040_000_000_000 + number}",
        "default_address": _address(number, first, last) | {"id": 8_250_000_000_000 + number, "default": True},
    }


def _filled(checkout: dict[str, Any]) -> bytes:
    """As JSON, with as long a note as the size wants."""
    body = json.dumps({**checkout, "note": ""}, separators=(",", ":")).encode()
    missing = BODY_BYTES - len(body)
    assert missing >= 0, f"a checkout of {len(body)} bytes"
    return body[:-2] + b"n" * missing + b'"}'
