"""Who may use the pretend WooCommerce's REST API: keys as Basic or in the query over https, signed by OAuth 1.0a over http."""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from starlette.responses import Response

from integrations.sandbox.web import Call
from integrations.sandbox.woocommerce_answers import error, object_of
from integrations.sandbox.woocommerce_store import HOST, ApiKey, Store

CANNOT = "woocommerce_rest_cannot_view"
FAILED = "woocommerce_rest_authentication_error"
DIGESTS = {"HMAC-SHA1": hashlib.sha1, "HMAC-SHA256": hashlib.sha256}
WINDOW_SECONDS = 15 * 60
OAUTH = ("oauth_timestamp", "oauth_nonce", "oauth_signature_method", "oauth_signature")


@dataclass(slots=True)
class KeyCheck:
    """
    Looks at the keys of each call. `nonces` has what was used; nothing of a call that fails is kept.

    With `drops_authorization` the web server takes the Authorization header away, as some do.
    """

    store: Store
    drops_authorization: bool = False
    nonces: set[tuple[int, str]] = field(default_factory=set)

    def guard(self, handler: Callable[[Call], Response]) -> Callable[[Call], Response]:
        """The handler behind the check; a body that says it is JSON must be."""

        def guarded(call: Call) -> Response:
            refusal = self.refusal(call)
            if refusal is None and isinstance(fault := object_of(call), Response):
                refusal = fault
            return handler(call) if refusal is None else refusal

        return guarded

    def refusal(self, call: Call) -> Response | None:
        """None if the call carries a living key with the right permission, and its owner may still manage the store."""
        header = "" if self.drops_authorization else call.headers.get("authorization", "")
        signed = _oauth_parameters(call, header)
        name, secret = _plain_keys(call, header) if call.scheme == "https" else (signed.get("oauth_consumer_key", ""), "")
        with self.store.lock:
            key = next((one for one in self.store.keys.values() if one.key == name), None)
        if key is None:
            return _unknown(call)
        words = self._fault_of_signature(call, key, signed) if call.scheme != "https" else ""
        if call.scheme == "https" and not secrets.compare_digest(key.secret.encode(), secret.encode()):
            words = "Consumer secret is invalid."
        needed = "read" if call.method == "GET" else "write"
        if not words and needed not in key.permissions:
            words = f"The API key provided does not have {needed} permissions."
        if words:
            return error(FAILED, words, 401)
        return None if self.store.owner_has_rights else _unknown(call, 403)

    def _fault_of_signature(self, call: Call, key: ApiKey, signed: Mapping[str, str]) -> str:
        """What is wrong with an OAuth 1.0a call, in the store's words and order; empty if nothing is."""
        for name in OAUTH:
            if not signed.get(name):
                return f"Invalid signature - missing parameters: {name}"
        digest = DIGESTS.get(signed["oauth_signature_method"])
        if digest is None:
            return "Invalid signature - signature method is invalid."
        parameters = {**call.query, **signed}
        given = parameters.pop("oauth_signature")
        pairs = "&".join(f"{name}={value}" for name, value in sorted((_escaped(n), _escaped(v)) for n, v in parameters.items()))
        address = f"http://{call.headers.get('host', HOST)}{call.path}"
        base = f"{call.method}&{quote(address, safe='')}&{quote(pairs, safe='')}"
        sealed = base64.b64encode(hmac.new(f"{key.secret}&".encode(), base.encode(), digest).digest()).decode()
        if not hmac.compare_digest(sealed.encode(), given.encode()):
            return "Invalid signature - provided signature does not match."
        return self._fault_of_time(key, signed["oauth_timestamp"], signed["oauth_nonce"])

    def _fault_of_time(self, key: ApiKey, timestamp: str, nonce: str) -> str:
        if not timestamp.isdigit() or abs(self.store.now().timestamp() - int(timestamp)) > WINDOW_SECONDS:
            return "Invalid timestamp."
        with self.store.lock:
            if (key.id, nonce) in self.nonces:
                return "Invalid nonce - nonce has already been used."
            self.nonces.add((key.id, nonce))
        return ""


def _unknown(call: Call, status: int = 401) -> Response:
    """No key, an unknown one, a revoked one: all the same words."""
    what = "list resources" if call.method == "GET" else "create resources"
    return error(CANNOT if call.method == "GET" else "woocommerce_rest_cannot_create", f"Sorry, you cannot {what}.", status)


def _plain_keys(call: Call, header: str) -> tuple[str, str]:
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return call.query.get("consumer_key", ""), call.query.get("consumer_secret", "")
    try:
        name, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, secret


def _oauth_parameters(call: Call, header: str) -> dict[str, str]:
    """From the query, else from the header."""
    if "oauth_consumer_key" in call.query:
        return {name: value for name, value in call.query.items() if name.startswith("oauth_")}
    if not header.lower().startswith("oauth "):
        return {}
    return {name: unquote(value) for name, value in re.findall(r'(oauth_\w+)="([^"]*)"', header)}


def _escaped(text: str) -> str:
    """Percent-escaped once before the whole is escaped again."""
    return quote(text, safe="~-._")
