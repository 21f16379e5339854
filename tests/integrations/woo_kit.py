"""A small WooCommerce kept in memory: lists with their filters, orders and pages as the recorded store has them, and our way into it."""

import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx2

from connector.platforms import Access
from integrations.transport import Transport
from integrations.woocommerce.calling import Call
from integrations.woocommerce.reads import WooReads

PAYLOADS = Path(__file__).parents[1] / "payloads" / "woocommerce"
KEYS = {"consumer_key": "ck_" + "0a" * 20, "consumer_secret": "cs_" + "1b" * 20}
ACCESS = Access(shop_id=7, domain="galets.example", credentials=KEYS)
BASE = datetime(2026, 11, 20, 8, 0, 0, tzinfo=UTC)
ORDER: dict[str, Any] = json.loads((PAYLOADS / "order_updated__processing_paid.json").read_bytes())
Json = dict[str, Any]


def stamp(at: datetime) -> str:
    """A time as WooCommerce writes it in a `_gmt` field."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"


def rest_error(code: str, status: int, message: str = "…") -> httpx2.Response:
    """A refusal in WooCommerce's shape."""
    return httpx2.Response(status, json={"code": code, "message": message, "data": {"status": status}})


@dataclass
class WooStore:
    """
    A store. `lists`: records by path below /wp-json/; `asked`: path and query of every request; `between`: called after each answer.

    `zone`: posts are sorted by the time in this zone, as WordPress does it. `says_pages`: whether the headers with totals arrive.
    `knows_offset`: whether `offset` means anything to it. `tie`: what settles the order of records of one instant.
    Requests may come side by side; they are answered one after the other.
    """

    lists: dict[str, list[Json]] = field(default_factory=dict)
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    says_pages: bool = True
    has_plugin: bool = False
    knows_offset: bool = True
    tie: Callable[[Json], Any] = itemgetter("id")
    between: Callable[[], None] = lambda: None
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    answers: list[httpx2.Response] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self.transport = Transport(inner=httpx2.MockTransport(self))
        self.call = Call(self.transport, ACCESS)
        self.reads = WooReads(self.transport)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        """Answer as the REST API does."""
        path, params = request.url.path.removeprefix("/wp-json/"), dict(request.url.params)
        with self.lock:
            self.asked.append((path, params))
            answer = self.answers.pop(0) if self.answers else self._answer(path, params)
            self.between()
        return answer

    def put(self, kind: str, records: Iterable[Json]) -> "WooStore":
        """Give the store records of a kind ("orders", "products/29/variations")."""
        self.lists[f"wc/v3/{kind}"] = list(records)
        return self

    def paths(self) -> list[str]:
        """What was asked for."""
        return [path for path, _ in self.asked]

    def _answer(self, path: str, params: dict[str, str]) -> httpx2.Response:
        if path.startswith("wc-connector/") and not self.has_plugin:
            return rest_error("rest_no_route", 404, "No route was found matching the URL and request method.")
        if path in self.lists:
            return self._list(path, params)
        kind, _, name = path.rpartition("/")
        for record in self.lists.get(kind, []):
            if name in (str(record.get("id")), record.get("token")):
                return httpx2.Response(200, json=_only(record, params))
        return rest_error("woocommerce_rest_shop_order_invalid_id", 404, "Invalid ID.")

    def _list(self, path: str, params: dict[str, str]) -> httpx2.Response:
        found = [one for one in self.lists[path] if self._fits(one, params, is_cart="token" in one)]
        found.sort(key=lambda one: self._place(one, params), reverse=params.get("order") == "desc")
        size, page = int(params.get("per_page", "10")), int(params.get("page", "1"))
        if not 1 <= size <= 100:
            return rest_error("rest_invalid_param", 400, "Invalid parameter(s): per_page")
        first = int((self.knows_offset and params.get("offset")) or (page - 1) * size)
        part = found[first : first + size]
        total = len(found) if part or not first else 0
        headers = {"date": "Sat, 21 Nov 2026 09:00:00 GMT"}
        if self.says_pages:
            headers |= {"x-wp-total": str(total), "x-wp-totalpages": str(-(-total // size))}
        return httpx2.Response(200, json=[_only(one, params) for one in part], headers=headers)

    def _fits(self, one: Json, params: dict[str, str], *, is_cart: bool) -> bool:
        after = params.get("modified_after", "")
        if is_cart:
            return bool(one["updated_at"] >= after)
        assert not after or (params.get("dates_are_gmt") == "true" and "Z" not in after and len(after) == 19)
        changed = one.get("date_modified_gmt") or ""
        wanted = params.get("status", "any").split(",")
        return (
            (not after or changed > after)
            and ("modified_before" not in params or changed < params["modified_before"])
            and ("include" not in params or str(one["id"]) in params["include"].split(","))
            and ("any" in wanted or one.get("status") in wanted)
            and one.get("status") != "trash"
            and (params.get("role", "customer") in ("all", one.get("role", "customer")))
        )

    def _place(self, one: Json, params: dict[str, str]) -> Any:
        if "token" in one:
            return one["updated_at"], one["token"]
        match params.get("orderby", "date"):
            case "id":
                return one["id"]
            case "modified":
                at = datetime.fromisoformat(one["date_modified_gmt"]).replace(tzinfo=UTC)
                return at.astimezone(self.zone).replace(tzinfo=None), self.tie(one)
        return one["date_created_gmt"], one["id"]


def _only(record: Json, params: dict[str, str]) -> Json:
    wanted = params.get("_fields", "").split(",")
    return record if wanted == [""] else {key: value for key, value in record.items() if key in wanted}


def order(number: int, at: datetime, status: str = "processing", zone: ZoneInfo | None = None, **more: Any) -> Json:
    """An order as REST gives it."""
    local = at.astimezone(zone or UTC)
    return {**ORDER, "id": number, "status": status, "date_modified": f"{local:%Y-%m-%dT%H:%M:%S}", "date_modified_gmt": stamp(at), **more}


def orders(count: int, every: timedelta, status: str = "processing") -> list[Json]:
    """Orders 1000, 1001, …, changed at BASE and after."""
    return [order(1000 + number, BASE + every * number, status) for number in range(count)]


def customer(number: int, at: datetime, **more: Any) -> Json:
    """An account as REST gives it; a subscriber has no date of change."""
    return {"id": number, "email": f"c{number}@courriel.example", "date_created_gmt": stamp(at), "date_modified_gmt": None} | more


def product(number: int, at: datetime = BASE, **more: Any) -> Json:
    """A product as REST gives it."""
    known: Json = {"id": number, "name": f"Bol {number}", "type": "simple", "status": "publish", "price": "12.50", "purchasable": True}
    return known | {"stock_status": "instock", "variations": [], "date_created_gmt": stamp(at), "date_modified_gmt": stamp(at)} | more


def variation(number: int, parent: int, **more: Any) -> Json:
    """A variation as REST gives it."""
    return product(number, type="variation", parent_id=parent, sku=f"S-{number}", attributes=[{"option": "L"}, {"option": "Bleu"}]) | more


def cart(token: str, at: datetime, seq: int = 1, **more: Any) -> Json:
    """A snapshot of the companion plugin."""
    written = f"{at:%Y-%m-%dT%H:%M:%SZ}"
    empty = dict.fromkeys(("phone", "first_name", "last_name", "company", "country", "locale", "restore_url"), "")
    return (
        {"connector": 1, "token": token, "seq": seq, "status": "open", "stage": "checkout", "created_at": written, "updated_at": written}
        | empty
        | {"order_id": 0, "customer_id": 0, "email": "lou@courriel.example", "currency": "EUR", "prices_include_tax": True}
        | {"consents": [], "lines": [], "coupons": [], "fees": [], "shipping": None, "totals": {"total": "10.00"}}
        | more
    )
