"""
A WooCommerce store of any size, made of one order, one customer, one product and one coupon: what its REST lists answer.

Every order has three lines, one code, and a customer of its own. A record is stamped out of bytes made once, so that a page costs the
store far less than its reader; ids and times ascend together, and a record was changed last when it was made. The shop's clock is UTC.
Lists know `per_page`, `page`, `offset`, `order`, `orderby`, `after`, `before`, `modified_after`, `modified_before`, `status`, `include`
and `_fields`; whatever else is asked for is passed over.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

HOST = "sync-bench.example.com"
BEGIN = datetime(2026, 3, 1, 8, tzinfo=UTC)
STEP = timedelta(minutes=1)
FIRST_ORDER, FIRST_CUSTOMER, FIRST_COUPON, FIRST_PRODUCT = 1_000_000, 5_000_000, 300, 100
CODES, PRODUCTS, LINES = 50, 40, 3
MOST_ON_A_PAGE = 100
UNIT, TOTAL = "19.90", "53.73"
API = "/wp-json/wc/v3/"
NO_ROUTE = b'{"code":"rest_no_route","message":"No route was found matching the URL and request method.","data":{"status":404}}'
BAD_PAGE = b'{"code":"rest_invalid_param","message":"Invalid parameter(s): per_page","data":{"status":400}}'
BAD_ORDER = b'{"code":"rest_invalid_param","message":"Invalid parameter(s): orderby","data":{"status":400}}'
ASCENDING = frozenset({"id", "include", "date", "modified", "registered_date"})
"""What may be sorted by: all of these ascend together."""
NOTHING = b'{"code":"woocommerce_rest_shop_order_invalid_id","message":"Invalid ID.","data":{"status":404}}'
Stamp = Callable[[int], bytes]
Values = Callable[[int], dict[bytes, Any]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the store answers: a status, a body, and of a list how many records it has on how many pages; `records` are in the body."""

    status: int
    body: bytes
    total: int = 0
    pages: int = 0
    records: int = 0


@dataclass(frozen=True, slots=True)
class Kind:
    """One list: how many records, how each is stamped, what number the first has, and when it was made."""

    count: int
    stamp: Stamp
    first: int
    begin: datetime


class Shop:
    """The store's answers. `orders` is how many of them there are, the first made at `begin`; customers are as many."""

    def __init__(self, orders: int, begin: datetime = BEGIN) -> None:
        self._kinds = {
            "orders": Kind(orders, _stamp(_order(), _order_values, begin), FIRST_ORDER, begin),
            "customers": Kind(orders, _stamp(_customer(), _customer_values, begin), FIRST_CUSTOMER, begin),
            "products": Kind(PRODUCTS, _stamp(_product(), _product_values, begin), FIRST_PRODUCT, begin),
            "coupons": Kind(CODES, _stamp(_coupon(), _coupon_values, begin), FIRST_COUPON, begin),
        }

    def answer(self, path: str, query: Mapping[str, str]) -> Answer:
        """Any GET below /wp-json/."""
        name, _, number = path.removeprefix(API).partition("/")
        kind = self._kinds.get(name) if path.startswith(API) else None
        if kind is None:
            return Answer(404, NO_ROUTE)
        if number:
            place = int(number) - kind.first if number.isdecimal() else -1
            return Answer(200, kind.stamp(place), records=1) if 0 <= place < kind.count else Answer(404, NOTHING)
        return _list(kind, query)


def modified_at(place: int, begin: datetime = BEGIN) -> datetime:
    """When the record at this place was made, and changed last, in a store whose first was made at `begin`."""
    return begin + place * STEP


def _list(kind: Kind, query: Mapping[str, str]) -> Answer:
    size = int(query.get("per_page", "10"))
    if not 1 <= size <= MOST_ON_A_PAGE:
        return Answer(400, BAD_PAGE)
    if query.get("orderby", "date") not in ASCENDING:
        return Answer(400, BAD_ORDER)
    places = _chosen(kind, query)
    if query.get("order", "desc") != "asc":
        places = places[::-1]
    begin = int(query["offset"]) if "offset" in query else (int(query.get("page", "1")) - 1) * size
    shown = places[begin : begin + size]
    return Answer(200, _body(kind, shown, query.get("_fields", "")), len(places), -(-len(places) // size), len(shown))


def _chosen(kind: Kind, query: Mapping[str, str]) -> Sequence[int]:
    if "include" in query:
        wanted = sorted({int(one) - kind.first for one in query["include"].split(",") if one.strip().isdecimal()})
        return [place for place in wanted if 0 <= place < kind.count]
    if "status" in query and not {"any", "completed", "publish", "all"} & set(query["status"].split(",")):
        return range(0)
    begin, end = 0, kind.count
    # All limits are strict. A customer's times cannot be asked for: those of a list of customers are passed over.
    if kind.first != FIRST_CUSTOMER:
        for name in ("after", "modified_after"):
            if name in query:
                begin = max(begin, (_instant(query[name]) - kind.begin) // STEP + 1)
        for name in ("before", "modified_before"):
            if name in query:
                end = min(end, -((kind.begin - _instant(query[name])) // STEP))
    return range(begin, max(begin, end))


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _body(kind: Kind, places: Sequence[int], fields: str) -> bytes:
    if fields == "id":
        return b"[%s]" % b",".join(b'{"id":%d}' % (kind.first + place) for place in places)
    stamped = map(kind.stamp, places)
    if not fields:
        return b"[%s]" % b",".join(stamped)
    wanted = fields.split(",")
    return json.dumps([{name: whole[name] for name in wanted if name in whole} for whole in map(json.loads, stamped)]).encode()


def _stamp(body: Mapping[str, Any], values: Values, begin: datetime) -> Stamp:
    """Turns a place into a record's bytes, as PHP writes them; a text that begins with # becomes a number."""
    form = re.sub('"#([^"]*)"', r"\1", json.dumps(body, separators=(",", ":")).replace("/", "\\/")).encode("ascii")
    return lambda place: form % (values(place) | {b"at": f"{modified_at(place, begin):%Y-%m-%dT%H:%M:%S}".encode()})


def _order_values(place: int) -> dict[bytes, Any]:
    return {b"id": FIRST_ORDER + place, b"customer": FIRST_CUSTOMER + place, b"n": place, b"code": place % CODES}


def _customer_values(place: int) -> dict[bytes, Any]:
    return {b"id": FIRST_CUSTOMER + place, b"n": place}


def _product_values(place: int) -> dict[bytes, Any]:
    return {b"id": FIRST_PRODUCT + place}


def _coupon_values(place: int) -> dict[bytes, Any]:
    return {b"id": FIRST_COUPON + place, b"code": place}


def _dates(*names: str) -> dict[str, str]:
    return {f"date_{name}{zone}": "%(at)b" for name in names for zone in ("", "_gmt")}


def _address() -> dict[str, str]:
    return {
        "first_name": "Camille",
        "last_name": "Martin %(n)d",
        "company": "",
        "address_1": "3 quai du Port",
        "address_2": "",
        "city": "Marseille",
        "state": "",
        "postcode": "13002",
        "country": "FR",
    }


def _reach() -> dict[str, str]:
    return {"email": "buyer.%(n)d@example.com", "phone": "+336%(n)08d"}


def _order() -> dict[str, Any]:
    taxes = [{"id": 1, "total": "2.99", "subtotal": "3.32"}]
    return {
        "id": "#%(id)d",
        "parent_id": 0,
        "status": "completed",
        "currency": "EUR",
        "version": "10.5.0",
        "prices_include_tax": True,
        **_dates("created", "modified", "completed", "paid"),
        "discount_total": "4.98",
        "discount_tax": "0.99",
        "shipping_total": "0.00",
        "shipping_tax": "0.00",
        "cart_tax": "8.97",
        "total": TOTAL,
        "total_tax": "8.97",
        "customer_id": "#%(customer)d",
        "order_key": "wc_order_%(id)d",
        "billing": _address() | _reach(),
        "shipping": _address() | {"phone": ""},
        "payment_method": "cod",
        "payment_method_title": "Paiement à la livraison",
        "transaction_id": "",
        "customer_ip_address": "127.0.0.1",
        "customer_user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "created_via": "checkout",
        "customer_note": "",
        "cart_hash": "9f2c6f0f2b1f4b0f8c8f4c1d2e3a4b5c",
        "number": "%(id)d",
        "meta_data": [{"id": 1, "key": "is_vat_exempt", "value": "no"}, {"id": 2, "key": "_wc_order_attribution_source_type", "value": ""}],
        "line_items": [_line(position, taxes) for position in range(LINES)],
        "tax_lines": [{"id": "#%(id)d9", "rate_code": "FR-TVA-1", "rate_id": 1, "label": "TVA", "compound": False, "tax_total": "8.97"}],
        "shipping_lines": [{"id": "#%(id)d8", "method_title": "Colissimo", "method_id": "flat_rate", "total": "0.00", "taxes": []}],
        "fee_lines": [],
        "coupon_lines": [{"id": "#%(id)d7", "code": "code%(code)d", "discount": "4.98", "discount_tax": "0.99", "meta_data": []}],
        "refunds": [],
        "payment_url": f"https://{HOST}/commande/order-pay/%(id)d/?pay_for_order=true&key=wc_order_%(id)d",
        "is_editable": False,
        "needs_payment": False,
        "needs_processing": True,
        "currency_symbol": "€",
        "_links": _links("orders"),
    }


def _line(position: int, taxes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    product = FIRST_PRODUCT + position
    return {
        "id": f"#%(id)d{position}",
        "name": f"Bougie no {product}",
        "product_id": product,
        "variation_id": 0,
        "quantity": 1,
        "tax_class": "",
        "subtotal": "16.58",
        "subtotal_tax": "3.32",
        "total": "14.92",
        "total_tax": "2.99",
        "taxes": taxes,
        "meta_data": [],
        "sku": f"BOUGIE-{product}",
        "global_unique_id": "",
        "price": 14.92,
        "image": {"id": str(product), "src": f"https://{HOST}/wp-content/uploads/bougie-{product}.jpg"},
        "parent_name": None,
    }


def _customer() -> dict[str, Any]:
    return {
        "id": "#%(id)d",
        **_dates("created", "modified"),
        "email": "buyer.%(n)d@example.com",
        "first_name": "Camille",
        "last_name": "Martin %(n)d",
        "role": "customer",
        "username": "buyer.%(n)d",
        "billing": _address() | _reach(),
        "shipping": _address() | {"phone": ""},
        "is_paying_customer": True,
        "avatar_url": "",
        "meta_data": [],
        "_links": _links("customers"),
    }


def _product() -> dict[str, Any]:
    return {
        "id": "#%(id)d",
        "name": "Bougie no %(id)d",
        "slug": "bougie-%(id)d",
        "permalink": f"https://{HOST}/product/bougie-%(id)d/",
        **_dates("created", "modified"),
        "type": "simple",
        "status": "publish",
        "description": "<p>Cire de soja</p>",
        "short_description": "",
        "sku": "BOUGIE-%(id)d",
        "price": UNIT,
        "regular_price": UNIT,
        "purchasable": True,
        "stock_status": "instock",
        "parent_id": 0,
        "categories": [{"id": 15, "name": "Bougies", "slug": "bougies"}],
        "images": [{"id": 1, "src": f"https://{HOST}/wp-content/uploads/bougie-%(id)d.jpg", "name": "", "alt": ""}],
        "attributes": [],
        "variations": [],
        "_links": _links("products"),
    }


def _coupon() -> dict[str, Any]:
    return {
        "id": "#%(id)d",
        "code": "code%(code)d",
        "amount": "10.00",
        "status": "publish",
        **_dates("created", "modified"),
        "discount_type": "percent",
        "description": "",
        "date_expires": None,
        "date_expires_gmt": None,
        "usage_count": 0,
        "individual_use": False,
        "product_ids": [],
        "excluded_product_ids": [],
        "usage_limit": None,
        "usage_limit_per_user": None,
        "limit_usage_to_x_items": None,
        "free_shipping": False,
        "product_categories": [],
        "excluded_product_categories": [],
        "exclude_sale_items": False,
        "minimum_amount": "0.00",
        "maximum_amount": "0.00",
        "email_restrictions": [],
        "used_by": [],
        "meta_data": [],
        "_links": _links("coupons"),
    }


def _links(name: str) -> dict[str, Any]:
    own = {"href": f"https://{HOST}{API}{name}/%(id)d", "targetHints": {"allow": ["GET", "POST", "PUT", "PATCH", "DELETE"]}}
    return {"self": [own], "collection": [{"href": f"https://{HOST}{API}{name}"}]}
