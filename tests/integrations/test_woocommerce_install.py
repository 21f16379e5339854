"""Connecting a WooCommerce store: the address typed, the grant, the proof, the profile."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest

from connector.canonical import ShopProfile
from connector.config import Settings
from connector.platforms import Callback, Installation, InstallRefused, InstallStart, TransientError
from integrations.transport import Transport
from integrations.woocommerce.adapter import WooCommercePlatform
from integrations.woocommerce.install import store_domain
from integrations.woocommerce.payloads import SiteIndex
from integrations.woocommerce.profile import time_zone

REST = Path(__file__).parents[1] / "payloads" / "woocommerce" / "rest"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
STATE = "s7ate_one-time"
CALLBACK = "https://connector.example/install/woocommerce/callback"
RETURN = "https://connector.example/install/woocommerce/return"
GRANT: dict[str, Any] = {
    "key_id": 3,
    "user_id": STATE,
    "consumer_key": "ck_" + "0a" * 20,
    "consumer_secret": "cs_" + "1b" * 20,
    "key_permissions": "read_write",
}


class Store:
    """A store that answers the five reads of an install; paths may be made to fail, fields to differ."""

    def __init__(self) -> None:
        self.failing: dict[str, httpx2.Response] = {}
        self.files = {
            "/wp-json/": "index",
            "/wp-json/wc/v3/system_status": "system_status",
            "/wp-json/wc/v3/settings/general": "settings_general",
            "/wp-json/wc/v3/settings/tax": "settings_tax",
            "/wp-json/wc/v3/settings/email": "settings_email",
        }
        self.bodies: dict[str, Any] = {path: json.loads((REST / f"{name}.json").read_bytes()) for path, name in self.files.items()}
        self.hosts: set[str] = set()
        self.asked = 0

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.hosts.add(request.url.host)
        self.asked += 1
        path = request.url.path.removeprefix("/boutique")
        if path in self.failing:
            return self.failing[path]
        return httpx2.Response(200, json=self.bodies[path])


def adapter(store: Store | None = None, **settings: Any) -> WooCommercePlatform:
    return WooCommercePlatform(Transport(inner=httpx2.MockTransport(store or Store())), Settings(_env_file=None, **settings))


def begin(typed: str, state: str = STATE, callback: str = CALLBACK, **settings: Any) -> InstallStart:
    return adapter(**settings).begin_install([("other", "1"), ("store", typed)], state, callback, RETURN, NOW)


def finish(store: Store, domain: str = "galets.example", state: str = STATE, body: bytes | None = None, **grant: Any) -> Installation:
    raw = json.dumps({**GRANT, **grant}).encode() if body is None else body
    return adapter(store).finish_install(Callback((), raw), {"domain": domain}, state, CALLBACK, NOW)


# ---------------------------------------------------------------- the first step


def test_the_browser_is_sent_to_the_stores_own_page() -> None:
    start = begin("https://Galets.example/")
    parts = urlsplit(start.url)
    assert (parts.scheme, parts.netloc, parts.path) == ("https", "galets.example", "/wc-auth/v1/authorize")
    assert dict(parse_qsl(parts.query)) == {
        "app_name": "Connector",
        "scope": "read_write",
        "user_id": STATE,
        "return_url": RETURN,
        "callback_url": CALLBACK,
    }
    assert start.remember == {"domain": "galets.example"}


@pytest.mark.parametrize(
    ("typed", "domain"),
    [
        ("galets.example", "galets.example"),
        ("  GALETS.Example  ", "galets.example"),
        ("http://galets.example", "galets.example"),
        ("https://galets.example:8443", "galets.example:8443"),
        ("https://www.galets.example/boutique/", "www.galets.example/boutique"),
        ("galets.example/fr/boutique_2", "galets.example/fr/boutique_2"),
        ("https://galets.example/wp-admin/admin.php", "galets.example"),
        ("https://galets.example/boutique/wp-login.php", "galets.example/boutique"),
        ("https://galets.example/wp-json/wc/v3", "galets.example"),
        ("marée.example", "xn--mare-dpa.example"),
        ("shop.xn--p1ai", "shop.xn--p1ai"),
    ],
)
def test_addresses_are_taken_as_people_type_them(typed: str, domain: str) -> None:
    assert store_domain(typed) == domain
    assert store_domain(domain) == domain


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "   ",
        "x" * 301,
        "ftp://galets.example",
        "javascript://galets.example",
        "https://user:pass@galets.example",
        "user@galets.example",
        "https://galets.example/?store=1",
        "https://galets.example/#top",
        "127.0.0.1",
        "https://10.0.0.8/",
        "http://[::1]/",
        "https://[::1",
        "2130706433",
        "0x7f.1",
        "127.1",
        "１２７.０.０.１",
        "localhost",
        "https://localhost:8443",
        "shop.localhost",
        "printer.local",
        "db.internal",
        "intranet",
        "galets.example.",
        "galets..example",
        "-galets.example",
        "https://galets.example:99999",
        "https://galets.example:port",
        "galets.example\\@evil.example",
        "https://galets.example/a/../b",
        "https://galets.example//b",
        "https://galets.example/bou%20tique",
        "gal ets.example",
        "a." * 130 + "example",
        "x" * 64 + "é.example",
    ],
)
def test_what_is_no_public_store_address_is_refused(typed: str) -> None:
    with pytest.raises(InstallRefused):
        begin(typed)


def test_a_missing_address_is_refused() -> None:
    with pytest.raises(InstallRefused, match="type the address"):
        adapter().begin_install([], STATE, CALLBACK, RETURN, NOW)


@pytest.mark.parametrize("state", ["", "a b", "a%20b", "état", "x" * 201, "a+b"])
def test_a_state_that_would_need_escaping_is_refused(state: str) -> None:
    with pytest.raises(InstallRefused):
        begin("galets.example", state)


def test_our_own_address_must_be_https_but_in_the_sandbox() -> None:
    with pytest.raises(InstallRefused, match="PUBLIC_URL"):
        begin("galets.example", callback="http://127.0.0.1:8000/callback")
    assert begin("galets.example", callback="http://127.0.0.1:8000/callback", sandbox=True).remember == {"domain": "galets.example"}


# ---------------------------------------------------------------- the grant


def test_a_proven_grant_gives_keys_scope_and_profile() -> None:
    store = Store()
    found = finish(store)
    assert found.domain == "galets.example"
    assert found.credentials == {"consumer_key": GRANT["consumer_key"], "consumer_secret": GRANT["consumer_secret"]}
    assert (found.scopes, found.missing_scopes) == (("read_write",), ())
    assert store.hosts == {"galets.example"}
    assert found.profile == ShopProfile(
        name="Galets & Cie",
        currency="EUR",
        timezone="Europe/Paris",
        url="https://galets.example",
        language="fr-FR",
        country="FR",
        contact_email="bonjour@galets.example",
        address="9 cale du Port, Bâtiment C, 29100 Douarnenez, FR",
        taxes_included=True,
        hosts=("galets.example", "www.galets.example"),
    )


def test_a_read_only_key_is_refused_with_the_reason_and_no_call() -> None:
    store = Store()
    with pytest.raises(InstallRefused, match="Read/Write"):
        finish(store, key_permissions="read")
    assert store.asked == 0


@pytest.mark.parametrize("user_id", ["", "other", STATE + "x", STATE[:-1], 7, "é"])
def test_a_grant_for_another_install_is_refused(user_id: object) -> None:
    store = Store()
    with pytest.raises(InstallRefused, match="does not belong"):
        finish(store, user_id=user_id)
    assert store.asked == 0


def test_an_empty_state_matches_nothing() -> None:
    with pytest.raises(InstallRefused, match="does not belong"):
        finish(Store(), state="", user_id="")


@pytest.mark.parametrize(
    "keys",
    [
        {"consumer_key": "ck_short"},
        {"consumer_key": GRANT["consumer_secret"]},
        {"consumer_secret": "cs_" + "1B" * 20},
        {"consumer_secret": ""},
    ],
)
def test_keys_of_another_shape_are_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(InstallRefused, match="no WooCommerce keys"):
        finish(Store(), **keys)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\xff", b"user_id=1&consumer_key=ck_", b'{"user_id":null}'])
def test_an_unreadable_grant_is_refused(body: bytes) -> None:
    with pytest.raises(InstallRefused, match="cannot be read"):
        finish(Store(), body=body)


def test_a_denied_grant_says_so() -> None:
    with pytest.raises(InstallRefused, match="denied"):
        adapter().finish_install(Callback((("success", "0"), ("user_id", STATE))), {"domain": "galets.example"}, STATE, CALLBACK, NOW)


def test_a_forgotten_store_is_refused() -> None:
    with pytest.raises(InstallRefused):
        adapter().finish_install(Callback((), json.dumps(GRANT).encode()), {}, STATE, CALLBACK, NOW)


# ---------------------------------------------------------------- the proof

STATUS, GENERAL, INDEX = "/wp-json/wc/v3/system_status", "/wp-json/wc/v3/settings/general", "/wp-json/"
NO = {"code": "woocommerce_rest_cannot_view", "message": "Sorry.", "data": {"status": 401}}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx2.Response(401, json=NO), "does not accept the keys"),
        (httpx2.Response(403, json={**NO, "data": {"status": 403}}), "does not accept the keys"),
        (httpx2.Response(403, json={"code": "rest_forbidden", "message": "no"}), "does not accept the keys"),
        (httpx2.Response(401, content=b"<html>", headers={"www-authenticate": 'Basic realm="Staging"'}), "behind a password"),
        (httpx2.Response(404, json={"code": "other", "message": "no"}), "REST API does not answer"),
        (httpx2.Response(404, json={"code": "rest_no_route", "message": "no"}), "permalinks"),
        (httpx2.Response(404, content=b"<html>"), "permalinks"),
        (httpx2.Response(400, json={"code": "rest_invalid_param", "message": "no"}), "REST API does not answer"),
        (httpx2.Response(301, headers={"location": "https://www.galets.example/"}), "redirects"),
    ],
)
@pytest.mark.parametrize("path", [STATUS, GENERAL])
def test_keys_that_the_store_does_not_prove_are_refused(answer: httpx2.Response, words: str, path: str) -> None:
    store = Store()
    store.failing[path] = answer
    with pytest.raises(InstallRefused, match=words) as caught:
        finish(store)
    assert caught.value.status == answer.status_code
    assert GRANT["consumer_secret"] not in str(caught.value)


@pytest.mark.parametrize("answer", [httpx2.Response(503), httpx2.Response(200, content=b"<html>"), httpx2.Response(429)])
def test_a_store_that_cannot_answer_now_is_no_refusal(answer: httpx2.Response) -> None:
    store = Store()
    store.failing[STATUS] = answer
    with pytest.raises(TransientError):
        finish(store)


def test_a_store_that_cannot_be_reached_is_no_refusal() -> None:
    def nobody(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectTimeout("no", request=request)

    platform = WooCommercePlatform(Transport(inner=httpx2.MockTransport(nobody)), Settings(_env_file=None))
    with pytest.raises(TransientError):
        platform.finish_install(Callback((), json.dumps(GRANT).encode()), {"domain": "galets.example"}, STATE, CALLBACK, NOW)


# ---------------------------------------------------------------- the profile


def test_withheld_tax_and_email_settings_do_no_harm() -> None:
    store = Store()
    store.failing["/wp-json/wc/v3/settings/tax"] = httpx2.Response(403, json={"code": "rest_forbidden", "message": "no"})
    store.failing["/wp-json/wc/v3/settings/email"] = httpx2.Response(
        404, json={"code": "rest_setting_setting_group_invalid", "message": "no"}
    )
    profile = finish(store).profile
    assert (profile.taxes_included, profile.contact_email) == (False, None)


def test_a_bare_store_in_a_folder_still_has_a_profile() -> None:
    store = Store()
    store.bodies[INDEX] = {"name": "", "url": "https://[broken", "home": None, "gmt_offset": "-3", "timezone_string": ""}
    store.bodies[STATUS] = {"environment": {}, "settings": {"currency": "USD"}}
    store.bodies[GENERAL] = [{"id": "woocommerce_default_country", "value": "US:CA"}]
    profile = finish(store, "galets.example/boutique").profile
    assert profile == ShopProfile(
        name="galets.example/boutique",
        currency="USD",
        timezone="Etc/GMT+3",
        url="https://galets.example/boutique",
        country="US",
        contact_email="bonjour@galets.example",
        address="US:CA",
        taxes_included=True,
        hosts=("galets.example",),
    )


def test_a_store_without_a_currency_cannot_be_connected_now() -> None:
    store = Store()
    store.bodies[STATUS]["settings"] = {}
    store.bodies[GENERAL] = []
    with pytest.raises(TransientError, match="currency"):
        finish(store)


@pytest.mark.parametrize(
    ("named", "offset", "zone"),
    [
        ("America/New_York", -5, "America/New_York"),
        ("Not/AZone", 0, "UTC"),
        ("../etc/passwd", 0, "UTC"),
        ("", 0, "UTC"),
        ("", 1, "Etc/GMT-1"),
        ("", "5.5", "Asia/Kolkata"),
        (None, 5.75, "Asia/Kathmandu"),
        ("", -9.5, "Pacific/Marquesas"),
        ("", 12.75, "UTC"),
        ("", 40, "UTC"),
        ("", "x", "UTC"),
        ("", None, "UTC"),
    ],
)
def test_the_time_zone_is_the_sites_name_or_one_that_keeps_its_offset(named: str | None, offset: Any, zone: str) -> None:
    assert time_zone(SiteIndex(timezone_string=named, gmt_offset=offset)) == zone
