"""
One call to one store's REST API: how the keys travel, and what each kind of answer means. Only PlatformError leaves.

Source of the three ways: class-wc-rest-authentication.php. Over https the keys go as HTTP Basic or, where a web server strips that
header, as parameters; over plain http WooCommerce takes nothing but OAuth 1.0a, and on `?rest_route=` addresses none of them.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import msgspec
from woocommerce.oauth import OAuth

from connector import decoding
from connector.platforms import Access, AccessLost, NotPermitted, Rejected, ThrottledError, TransientError
from integrations.transport import Answer, Transport, raise_for_status, retry_after
from integrations.woocommerce.pace import pace_of
from integrations.woocommerce.payloads import PLATFORM, ErrorBody

HEADER, QUERY, OAUTH = "header", "query", "oauth"
"""How the keys travel, by `credentials["auth"]`; keys without that word go in the header."""
LONGEST_CLOSED = 60.0
"""WordPress's maintenance page says ten minutes and is gone after seconds: a 503 is asked again after so long at most."""
PAGE_STATUSES = (400, 401, 403, 404, 405, 406, 408, 410)
"""With one of these a body that is not WooCommerce's is a page of a firewall, a proxy, a password wall or the host."""
_OWN = "woocommerce_rest_"
_PRIVATE = re.compile(r"\S+@\S+|\bc[ks]_[0-9a-f]{8,}")
# English words of core; the text is translated with the site, the code is the same as for a wrong secret.
_SCOPE_WORDS = ("write permissions", "read permissions")


@dataclass(frozen=True, slots=True)
class Call:
    """One store as its functions need it: the transport and the opened access."""

    transport: Transport
    access: Access


def send(call: Call, name: str, method: str, path: str, *, params: Mapping[str, str] | None = None, json: Any = None) -> Answer:
    """
    Ask the store at `path` below /wp-json/ ("wc/v3/orders") and return what it answered with 2xx.

    `name` is the call's short name for logs and errors. Raises PlatformError: AccessLost without usable keys, and what `check` says.
    """
    answer = ask(call, name, method, path, params=params, json=json)
    check(answer, name)
    return answer


def ask(call: Call, name: str, method: str, path: str, *, params: Mapping[str, str] | None = None, json: Any = None) -> Answer:
    """As `send`, but errors of the store come back as answers. Waits for its turn: no store is asked much at once."""
    wanted, fields = (params or {}).get("per_page", ""), (params or {}).get("_fields", "")
    return pace_of(call.transport, call.access.domain).run(
        name,
        lambda: _ask(call, name, method, path, params=params, json=json),
        int(wanted) if wanted.isdecimal() else 0,
        kind=f"{name} {fields}",
        is_read=method == "GET",
    )


def check(answer: Answer, call: str) -> None:
    """
    Map what WooCommerce answers to the error tree, where its own code says more than the HTTP status.

    A page instead of JSON with a status of PAGE_STATUSES comes from a firewall, a proxy or a password wall, and `rest_no_route`
    from a store whose WooCommerce is off or being updated: none of these says anything of our record or our keys, so they are
    transient. Only WooCommerce itself can say that the keys are dead; a 401 in the words of a plugin withholds, as its 403 does.
    """
    if 200 <= answer.status < 300:
        return
    error = error_of(answer)
    words = _PRIVATE.sub("…", f"{error.code}: {error.message}")[:300] if error else ""
    if answer.status == 401 and error and any(part in error.message for part in _SCOPE_WORDS):
        raise NotPermitted(words, platform=PLATFORM, call=call, status=401)
    if answer.status == 403 and error and str(error.code).startswith(f"{_OWN}cannot_"):
        raise AccessLost(f"the keys' owner lost the right: {words}", platform=PLATFORM, call=call, status=403)
    if answer.status == 401 and error and not str(error.code).startswith(_OWN):
        raise NotPermitted(words, platform=PLATFORM, call=call, status=401)
    if answer.status in PAGE_STATUSES and error is None:
        raise TransientError(f"answered {answer.status} without WooCommerce's words", platform=PLATFORM, call=call, status=answer.status)
    if error and error.code == "rest_no_route":
        raise TransientError(words, platform=PLATFORM, call=call, status=answer.status)
    if answer.status == 503 and "retry-after" in answer.headers:
        wait = min(retry_after(answer), LONGEST_CLOSED)
        raise ThrottledError(words or "answered 503", platform=PLATFORM, call=call, status=503, retry_after=wait)
    if answer.status == 501 and error:
        raise Rejected(words, platform=PLATFORM, call=call, status=501)
    raise_for_status(answer, platform=PLATFORM, call=call, words=words)


def error_of(answer: Answer) -> ErrorBody | None:
    """The REST error in an answer; None for a page, for other JSON and for nothing."""
    try:
        return decoding.decode(answer.body, ErrorBody)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _ask(call: Call, name: str, method: str, path: str, *, params: Mapping[str, str] | None = None, json: Any = None) -> Answer:
    keys = call.access.credentials
    key, secret = keys.get("consumer_key"), keys.get("consumer_secret")
    if not key or not secret:
        raise AccessLost("no keys are kept for this store", platform=PLATFORM, call=name)
    mode, is_plain = keys.get("auth", HEADER), keys.get("scheme") == "http"
    url = f"{'http' if is_plain else 'https'}://{call.access.domain}/wp-json/{path}"
    # Whoever listens to a plain connection would read the secret itself.
    if mode not in (HEADER, QUERY, OAUTH) or (is_plain and mode != OAUTH):
        raise AccessLost("the keys cannot travel the way that is kept for this store", platform=PLATFORM, call=name)
    if mode == HEADER:
        return call.transport.send(PLATFORM, name, method, url, params=params, json=json, auth=(key, secret))
    if mode == QUERY:
        with_keys = {**(params or {}), "consumer_key": key, "consumer_secret": secret}
        return call.transport.send(PLATFORM, name, method, url, params=with_keys, json=json)
    return call.transport.send(PLATFORM, name, method, url, params=_signed(url, method, params or {}, key, secret), json=json)


def _signed(url: str, method: str, params: Mapping[str, str], key: str, secret: str) -> dict[str, str]:
    """The parameters with those of OAuth 1.0a; a body is not signed."""
    proof = _Signature(url, key, secret, version="v3", method=method)
    given = {"oauth_consumer_key": key, "oauth_timestamp": str(proof.timestamp), "oauth_nonce": secrets.token_hex(16)}
    signed = {**params, **given, "oauth_signature_method": "HMAC-SHA256"}
    return {**signed, "oauth_signature": str(proof.generate_oauth_signature(dict(signed), url))}


class _Signature(OAuth):  # type: ignore[misc]  # the library has no types
    """The library's signature, escaped as the store does it: the library unescapes every value first and lets slashes stand."""

    @staticmethod
    def normalize_parameters(params: Mapping[str, str]) -> dict[str, str]:
        """Names and values, escaped twice over."""
        return {_twice(name): _twice(value) for name, value in params.items()}


def _twice(value: str) -> str:
    return quote(quote(value, safe="~"), safe="~")
