"""A small store of nothing but coupons, served to our codes without a network; it can lose, refuse and spoil answers."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from urllib.parse import parse_qsl

import httpx2

from connector import clock
from connector.codes import CodeKind, DiscountCode
from connector.platforms import Access
from integrations.sandbox import web
from integrations.sandbox.woocommerce_coupon_desk import CouponDesk
from integrations.sandbox.woocommerce_coupons import Coupon, CouponBook
from integrations.transport import Transport
from integrations.woocommerce.calling import Call
from integrations.woocommerce.coupons import WooCodes

TEN_PERCENT = DiscountCode("MERCI-7Q2K", CodeKind.PERCENTAGE, Decimal(10), title="Merci", once_per_customer=True)
ORIGIN = "https://galets.example"
Spoil = Callable[[httpx2.Response], httpx2.Response]


@dataclass
class Ground:
    """
    The store and our codes on it. `calls`: what was asked (`POST /coupons`); `sent`: the topics it fired.

    `after`: by call, what becomes of an answer once; the work is done before. `before`: by call, what happens once before it;
    `instead`: what is answered once and nothing done.
    """

    book: CouponBook
    desk: CouponDesk
    clock: list[datetime]
    currency: str = "EUR"
    calls: list[str] = field(default_factory=list)
    sent: list[tuple[str, int]] = field(default_factory=list)
    after: dict[str, Spoil] = field(default_factory=dict)
    before: dict[str, Callable[[], object]] = field(default_factory=dict)
    instead: dict[str, httpx2.Response] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.transport = Transport(inner=httpx2.MockTransport(self._answer))
        self.access = Access(7, "galets.example", {"consumer_key": "ck_x", "consumer_secret": "cs_y"})
        self.call = Call(self.transport, self.access)
        self.codes = WooCodes(self.transport)

    @property
    def now(self) -> datetime:
        """The store's clock, which is ours."""
        return self.clock[0]

    def only(self) -> Coupon:
        """The one coupon of the store."""
        (coupon,) = self.book
        return coupon

    def asked(self, method: str) -> int:
        """How many calls of a method there were."""
        return sum(call.startswith(f"{method} ") for call in self.calls)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        name = f"{request.method} {re.sub(r'/[0-9]+$', '/N', path.removeprefix('/wp-json/wc/v3'))}"
        self.calls.append(name)
        if happening := self.before.pop(name, None):
            happening()
        if name in self.instead:
            return self.instead.pop(name)
        response = self._serve(request, path)
        spoil = self.after.pop(name, None)
        return spoil(response) if spoil else response

    def _serve(self, request: httpx2.Request, path: str) -> httpx2.Response:
        if path == "/wp-json/wc/v3/settings/general":
            return httpx2.Response(200, json=[{"id": "woocommerce_currency", "value": self.currency}])
        query = dict(parse_qsl(request.url.query.decode(), keep_blank_values=True))
        for pattern, handler, methods in self.desk.endpoints():
            found = re.fullmatch(pattern.replace("{id:int}", "(?P<id>[0-9]+)"), path)
            if found and request.method in methods.split():
                call = web.Call(request.method, "https", path, found.groupdict(), query, {}, request.content)
                told = handler(call)
                return httpx2.Response(told.status_code, content=bytes(told.body), headers=dict(told.headers))
        return httpx2.Response(404, json={"code": "rest_no_route", "message": "No route.", "data": {"status": 404}})


def make_ground() -> Ground:
    """An empty store whose clock stands at this second."""
    at = [clock.now().replace(microsecond=0)]
    book = CouponBook(lambda: at[0], count(100))
    sent: list[tuple[str, int]] = []
    desk = CouponDesk(book, lambda topics, number: sent.extend((topic, number) for topic in topics), ORIGIN)
    return Ground(book, desk, at, sent=sent)


def lost(response: httpx2.Response) -> httpx2.Response:
    """The work was done; its answer never arrives."""
    raise httpx2.ReadTimeout("cut")


def page(response: httpx2.Response) -> httpx2.Response:
    """A page with a 200 instead of the answer."""
    return httpx2.Response(200, html="<html>Briefly unavailable</html>")


def altered(**fields: Any) -> Spoil:
    """The answer with other values in it."""

    def spoil(response: httpx2.Response) -> httpx2.Response:
        return httpx2.Response(response.status_code, json=json.loads(response.content) | fields)

    return spoil


def days(number: float) -> timedelta:
    """So many days."""
    return timedelta(days=number)


def utc(year: int, *rest: int) -> datetime:
    """An instant."""
    return datetime(year, *rest, tzinfo=UTC)  # type: ignore[misc,arg-type]


def numbered(prefix: str, many: int) -> Iterator[str]:
    """So many different codes."""
    return (f"{prefix}-{number:04d}" for number in range(many))
