"""
The companion plugin's own routes: carts that changed, and one cart by its token.

A store without the plugin answers `rest_no_route`; that is remembered for some minutes, so that it is not asked again and again.
"""

import time
from collections.abc import Callable
from datetime import datetime
from threading import Lock
from typing import TypeVar

from connector.platforms import TransientError
from integrations.transport import decode
from integrations.woocommerce import walks
from integrations.woocommerce.calling import Call, send
from integrations.woocommerce.carts import CartBody
from integrations.woocommerce.client import list_records
from integrations.woocommerce.payloads import PLATFORM

CARTS = walks.Source("carts", "wc-connector/v1/carts", key="token", tells="updated_at", is_exact=True)
REMEMBERED_SECONDS = 600.0
_NO_ROUTE = "rest_no_route:"
T = TypeVar("T")


class CartRoutes:
    """The routes of all stores, and which stores lately had none. Thread-safe."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._missing: dict[str, float] = {}
        self._lock = Lock()

    def changed(self, call: Call, since: datetime | None, until: datetime | None, place: walks.Place) -> walks.Step | None:
        """Carts that changed, oldest change first; None if the store has no plugin."""
        return self._asked(call, lambda: walks.by_change(call, CARTS, since, until, place))

    def count(self, call: Call, since: datetime | None) -> int:
        """How many carts changed since; 0 without the plugin."""
        params = walks.span(CARTS, walks.first_instant(CARTS, since), None) | {"per_page": "1", "page": "1"}
        found = self._asked(call, lambda: list_records(call, "carts", CARTS.path, params, key="token"))
        return 0 if found is None else found.pages if found.pages is not None else len(found.ids)

    def one(self, call: Call, token: str) -> CartBody | None:
        """One cart; None if the store has no plugin. Raises Gone if it has, and has no such cart."""

        def ask() -> CartBody:
            answer = send(call, "cart", "GET", f"{CARTS.path}/{token}")
            return decode(answer, CartBody, platform=PLATFORM, call="cart")

        return self._asked(call, ask)

    def _asked(self, call: Call, ask: Callable[[], T]) -> T | None:
        with self._lock:
            if self._missing.get(call.access.domain, 0.0) > self._now():
                return None
        try:
            return ask()
        except TransientError as error:
            # Also the words of a store whose WooCommerce is being updated: whoever needs more than carts hears it from the next call.
            if error.status != 404 or not str(error).startswith(_NO_ROUTE):
                raise
        with self._lock:
            self._missing[call.access.domain] = self._now() + REMEMBERED_SECONDS
        return None
