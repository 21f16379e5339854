"""The pretend WooCommerce's key grant: the merchant approves, the store posts fresh keys to the app, then sends the browser back."""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlencode, urljoin, urlsplit, urlunsplit

from starlette.responses import Response
from starlette.routing import Route

from connector.errors import ConnectorError
from integrations.sandbox.delivery import Outgoing
from integrations.sandbox.web import Call, notice, page, redirect, route
from integrations.sandbox.woocommerce_store import ApiKey, Store

PARAMETERS = ("app_name", "user_id", "return_url", "callback_url", "scope")
SCOPES = ("read", "write", "read_write")
RECORDS = ("coupons", "customers", "orders and sales reports", "products")
WANTS = {
    "read": tuple(f"View {what}" for what in RECORDS),
    "write": ("Create webhooks", *(f"Create {what}" for what in ("coupons", "customers", "orders", "products"))),
    "read_write": ("Create webhooks", *(f"View and manage {what}" for what in RECORDS)),
}
MOST_REDIRECTS = 5


@dataclass(slots=True)
class KeyGrant:
    """The grant pages of one store. `for_people` turns the app's address into one that a person's browser can open."""

    store: Store
    outgoing: Outgoing
    for_people: Callable[[str], str]
    nonces: set[str] = field(default_factory=set)

    def routes(self) -> list[Route]:
        """Both steps of the grant."""
        return [
            route("/wc-auth/v1/authorize", self._authorize),
            route("/wc-auth/v1/authorize/", self._authorize),
            route("/wc-auth/v1/access_granted/", self._granted),
        ]

    def _authorize(self, call: Call) -> Response:
        fault = self._fault(call)
        if fault:
            return self._error(fault)
        nonce = secrets.token_hex(5)
        self.nonces.add(nonce)
        asked = {name: _given(call, name) for name in PARAMETERS}
        return page(
            "grant.html",
            store=self.store.name,
            title=f"{asked['app_name']} would like to connect to your store",
            wants=WANTS[asked["scope"]],
            approve="/wc-auth/v1/access_granted/?" + urlencode(asked | {"wc_auth_nonce": nonce}),
            deny=self._return_url(call, success=False),
            yes="Approve",
        )

    def _granted(self, call: Call) -> Response:
        """Make a key and post it. Anything but exactly 200 deletes the key again."""
        fault = self._fault(call)
        if fault or call.query.get("wc_auth_nonce") not in self.nonces:
            return self._error(fault or "Invalid nonce verification")
        with self.store.lock:
            number = next(self.store.numbers)
            key = ApiKey(number, f"ck_{secrets.token_hex(20)}", f"cs_{secrets.token_hex(20)}", _given(call, "scope"))
            self.store.keys[number] = key
        body = {
            "key_id": key.id,
            "user_id": _given(call, "user_id"),
            "consumer_key": key.key,
            "consumer_secret": key.secret,
            "key_permissions": key.permissions,
        }
        headers = {"Content-Type": "application/json;charset=UTF-8", "User-Agent": f"WordPress/{self.store.wordpress}; {self.store.home}"}
        status = self._post(_given(call, "callback_url"), headers, json.dumps(body, separators=(",", ":")).encode())
        if status != 200:
            with self.store.lock:
                del self.store.keys[number]
            return self._error("An error occurred in the request and at the time were unable to send the consumer data")
        return redirect(self._return_url(call, success=True))

    def _post(self, url: str, headers: dict[str, str], body: bytes) -> int:
        """The keys on their way; a redirect is followed, and they are posted there too. 0 if nothing answers."""
        for _ in range(MOST_REDIRECTS):
            try:
                status, location = self.outgoing.ask(url, headers, body)
            except ConnectorError:
                return 0
            if status not in {301, 302, 303, 307, 308} or not location:
                return status
            url = urljoin(url, location)
        return 0

    def _fault(self, call: Call) -> str:
        """What is wrong with the parameters, in the store's words; empty if nothing is."""
        for name in PARAMETERS:
            if not _given(call, name):
                return f"Missing parameter {name}"
        if _given(call, "scope") not in SCOPES:
            return f"Invalid scope {_given(call, 'scope')}"
        for name in ("return_url", "callback_url"):
            url = _given(call, name)
            if not url.isascii() or not urlsplit(url).netloc:
                return f"The {url} is not a valid URL"
        return "" if _given(call, "callback_url").startswith("https://") else "The callback_url needs to be over SSL"

    def _return_url(self, call: Call, *, success: bool) -> str:
        parts = urlsplit(self.for_people(_given(call, "return_url")))
        extra = [("success", "1" if success else "0"), ("user_id", _given(call, "user_id"))]
        return urlunsplit(parts._replace(query=urlencode(parse_qsl(parts.query, keep_blank_values=True) + extra)))

    def _error(self, words: str) -> Response:
        return notice(self.store.name, "Access denied", f"Error: {words}.", 401)


def _given(call: Call, name: str) -> str:
    """A parameter as the store reads it: decoded once more than it should be, on every hop."""
    return unquote(call.query.get(name, ""))
