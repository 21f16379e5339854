"""How keys travel to a store: by header, as parameters, or as a signature; and that they stand nowhere else."""

import base64
import hashlib
import hmac
import json
import logging
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import httpx2
import pytest

from connector.platforms import Access, AccessLost, PlatformError
from integrations.transport import Transport
from integrations.woocommerce import calling
from integrations.woocommerce.calling import Call, ask, send

RECORDED = Path(os.environ["RECORDED_DIR"]) / "woocommerce" / "auth" if "RECORDED_DIR" in os.environ else None
KEY, SECRET = "ck_" + "0a" * 20, "cs_" + "1b" * 20
OAUTH = {"auth": "oauth", "scheme": "http"}


def recorded(first: int, last: int) -> list[Any]:
    """Recorded OAuth exchanges by number, or one skipped parameter."""
    if RECORDED is None:
        return [pytest.param(None, marks=pytest.mark.skip(reason="RECORDED_DIR is not set"))]
    return [
        pytest.param(json.loads(path.read_bytes()), id=path.stem) for n in range(first, last + 1) for path in RECORDED.glob(f"{n:03}-*")
    ]


class Wire:
    """Notes what was sent and answers it."""

    def __init__(self, status: int = 200, body: Any = None) -> None:
        self.sent: list[httpx2.Request] = []
        self.answer = httpx2.Response(status, json=[] if body is None else body)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.sent.append(request)
        return self.answer


def call(wire: Callable[[httpx2.Request], httpx2.Response], domain: str = "galets.example", **more: str) -> Call:
    """A store whose keys travel in some way; http ones are on this machine."""
    credentials = {"consumer_key": KEY, "consumer_secret": SECRET, **more}
    transport = Transport(inner=httpx2.MockTransport(wire), is_closed_world=more.get("scheme") == "http")
    return Call(transport, Access(7, domain, credentials))


def signature(secret: str, method: str, url: str, params: dict[str, str]) -> str:
    """RFC 5849 as WooCommerce does it, written from its text."""
    pairs = "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in sorted(params.items()))
    base = f"{method}&{quote(url, safe='~')}&{quote(pairs, safe='~')}"
    return base64.b64encode(hmac.new(f"{secret}&".encode(), base.encode(), hashlib.sha256).digest()).decode()


@pytest.mark.parametrize("way", [{}, {"auth": "header"}])
def test_keys_go_in_the_header_unless_something_else_is_kept(way: dict[str, str]) -> None:
    wire = Wire()
    ask(call(wire, **way), "orders", "GET", "wc/v3/orders", params={"page": "2"})
    (request,) = wire.sent
    assert str(request.url) == "https://galets.example/wp-json/wc/v3/orders?page=2"
    assert request.headers["authorization"] == "Basic " + base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()


def test_keys_go_as_parameters_where_the_header_is_taken_away() -> None:
    wire = Wire()
    ask(call(wire, auth="query"), "make", "POST", "wc/v3/coupons", params={"force": "true"}, json={"code": "a"})
    (request,) = wire.sent
    assert dict(request.url.params) == {"force": "true", "consumer_key": KEY, "consumer_secret": SECRET}
    assert (request.url.scheme, json.loads(request.content)) == ("https", {"code": "a"})
    assert "authorization" not in request.headers


@pytest.mark.parametrize(
    "params",
    [{}, {"search": "a/b & c%41+é~*'()!", "page": "1"}, {"search": ""}, {"modified_after": "2026-11-22T10:00:00", "include": "1,2"}],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_signature_is_over_exactly_what_is_sent(method: str, params: dict[str, str]) -> None:
    wire = Wire()
    ask(call(wire, "127.0.0.1:8090/boutique", **OAUTH), "orders", method, "wc/v3/orders", params=params)
    (request,) = wire.sent
    sent = dict(parse_qsl(request.url.query.decode(), keep_blank_values=True))
    told = sent.pop("oauth_signature")
    assert told == signature(SECRET, method, "http://127.0.0.1:8090/boutique/wp-json/wc/v3/orders", sent)
    assert {name: value for name, value in sent.items() if not name.startswith("oauth_")} == params
    assert (sent["oauth_consumer_key"], sent["oauth_signature_method"]) == (KEY, "HMAC-SHA256")
    assert SECRET not in str(request.url)


@pytest.mark.parametrize("found", recorded(11, 18))
def test_what_a_store_was_sent_is_what_we_would_sign(found: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours goes by SHA-256 in the query; of the others (SHA-1, header) the parameters that are signed are the same."""
    url = urlsplit(found["request"]["url"])
    keys = found["credentials_deleted_after_recording"]
    base = {quote_less(name): quote_less(value) for name, value in pairs_of(found["signature_base_string"])}
    params = {name: value for name, value in base.items() if not name.startswith("oauth_")}
    monkeypatch.setattr(calling.secrets, "token_hex", lambda _: base["oauth_nonce"])
    monkeypatch.setattr("woocommerce.oauth.time", lambda: int(base["oauth_timestamp"]))
    wire = Wire(found["response"]["status"], found["response"]["json"])
    secret = "cs_" + "0" * 40 if "wrong-secret" in found["case"] else keys["consumer_secret"]
    access = Access(7, url.netloc, {**keys, "consumer_secret": secret, **OAUTH})
    one = Call(Transport({url.hostname or "": "127.0.0.1:9"}, inner=httpx2.MockTransport(wire), is_closed_world=True), access)
    if found["response"]["status"] == 200:
        send(one, "orders", found["request"]["method"], "wc/v3/orders", params=params)
    else:
        # A nonce used twice, an old time and a wrong secret all read like dead keys.
        with pytest.raises(AccessLost, match="authentication_error"):
            send(one, "orders", found["request"]["method"], "wc/v3/orders", params=params)
    sent = dict(parse_qsl(wire.sent[0].url.query.decode()))
    if base["oauth_signature_method"] == "HMAC-SHA256":
        assert {**base, "oauth_signature": sent["oauth_signature"]} == sent
        recorded_signature = dict(parse_qsl(url.query)).get("oauth_signature") or authorized(found)
        assert (sent["oauth_signature"] == recorded_signature) == ("wrong-secret" not in found["case"])


def pairs_of(base_string: str) -> list[tuple[str, str]]:
    """The parameters in a signature's base string, still escaped once."""
    return [(name, value) for name, _, value in (one.partition("=") for one in quote_less(base_string.split("&")[2]).split("&"))]


def quote_less(text: str) -> str:
    return dict(parse_qsl("x=" + text.replace("&", "%26").replace("+", "%2B").replace("=", "%3D"), keep_blank_values=True))["x"]


def authorized(found: dict[str, Any]) -> str:
    """The signature of an Authorization header."""
    return quote_less(found["request"]["authorization"].partition('oauth_signature="')[2].partition('"')[0])


@pytest.mark.parametrize(
    "way", [{"scheme": "http"}, {"auth": "query", "scheme": "http"}, {"auth": "header", "scheme": "http"}, {"auth": "x"}]
)
def test_keys_never_travel_in_the_open_or_in_an_unknown_way(way: dict[str, str]) -> None:
    wire = Wire()
    with pytest.raises(AccessLost):
        ask(call(wire, "127.0.0.1:8090", **way), "orders", "GET", "wc/v3/orders")
    assert wire.sent == []


ECHO = {"code": "woocommerce_rest_cannot_view", "message": f"Sorry: {KEY} {SECRET} gil@courriel.example", "data": {"status": 401}}
LED_ON = {"location": f"https://u:{SECRET}@www.galets.example/x?consumer_secret={SECRET}"}
FAULTS: dict[str, Callable[[httpx2.Request], httpx2.Response]] = {
    "echo": lambda request: httpx2.Response(401, json=ECHO),
    "rejected": lambda request: httpx2.Response(400, json=ECHO),
    "redirect": lambda request: httpx2.Response(301, headers=LED_ON),
    "page": lambda request: httpx2.Response(403, text=f"<html>{request.url}</html>"),
    "server": lambda request: httpx2.Response(500, text=str(request.url)),
}


@pytest.mark.parametrize("way", [{}, {"auth": "query"}, OAUTH])
@pytest.mark.parametrize("fault", [*FAULTS, "no answer"])
def test_keys_stand_in_no_error_and_no_log(fault: str, way: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    def lost(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("gone", request=request)

    # Below this, the library writes whole addresses; log.configure keeps it there.
    caplog.set_level(logging.WARNING)
    with pytest.raises(PlatformError) as caught:
        send(
            call(FAULTS.get(fault, lost), "127.0.0.1", **way) if way == OAUTH else call(FAULTS.get(fault, lost), **way),
            "x",
            "GET",
            "wc/v3/x",
        )
    told = "".join(traceback.format_exception(caught.value)) + caplog.text + repr(caught.value)
    assert KEY not in told
    assert SECRET not in told
    assert "gil@" not in str(caught.value)
