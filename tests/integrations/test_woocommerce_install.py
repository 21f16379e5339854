"""Connecting a WooCommerce store: the address typed, the grant, the proof, the profile."""

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest

from connector.canonical import ShopProfile
from connector.config import Settings
from connector.hindrances import InstallHindered
from connector.platforms import Callback, InstallRefused, InstallStart, TransientError
from integrations import connecting
from integrations.transport import Transport
from integrations.woocommerce.adapter import WooCommercePlatform
from integrations.woocommerce.install import StoreAddress, store_address
from integrations.woocommerce.payloads import SiteIndex
from integrations.woocommerce.profile import time_zone
from tests.integrations.woo_installs import CALLBACK, GENERAL, GRANT, INDEX, NOW, RETURN, STATE, STATUS, Store, adapter, finish


def begin(typed: str, state: str = STATE, callback: str = CALLBACK, **settings: Any) -> InstallStart:
    return adapter(**settings).begin_install([("other", "1"), ("store", typed)], state, callback, RETURN, NOW)


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
    assert store_address(typed) == StoreAddress(domain)
    assert store_address(domain).domain == domain


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "   ",
        "x" * 301,
        "ftp://galets.example",
        "http://galets.example",
        "HTTP://galets.example",
        "https://galets.example:22",
        "https://galets.example:8080",
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


def test_a_sandbox_takes_stores_on_this_machine_and_without_https() -> None:
    for domain in ("127.0.0.1:8090", "shop.test", "localhost"):
        start = begin(f"http://{domain}/", sandbox=True)
        assert start.url.startswith(f"http://{domain}/wc-auth/v1/authorize?")
        assert start.remember == {"domain": domain, "scheme": "http"}
    for typed in ("http://10.0.0.8", "http://intranet", "http://192.168.1.1:8090", "http://[::1]:8090"):
        with pytest.raises(InstallRefused):
            begin(typed, sandbox=True)


SHUT = {"code": "rest_not_logged_in", "message": "Log in.", "data": {"status": 401}}


@pytest.mark.spec("C75")
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx2.Response(301, headers={"location": "https://www.galets.example/wp-json/"}), r"redirects to https://www\.galets\.example\."),
        (httpx2.Response(301, headers={"location": "https://galets.example/boutique/wp-json/?x=1"}), "galets.example/boutique"),
        (httpx2.Response(401, text="<html>", headers={"www-authenticate": "Basic"}), "behind a password"),
        (httpx2.Response(404, text="<html>"), "Permalinks are set to Plain"),
        (httpx2.Response(200, json={"namespaces": ["wp/v2"]}), "WooCommerce must be active"),
    ],
)
def test_what_will_stop_the_keys_is_told_before_anybody_is_sent_to_the_store(answer: httpx2.Response, words: str) -> None:
    """Afterwards the store would show an error page of its own, and nobody would read why."""
    store = Store()
    store.failing[INDEX], store.bodies["/"] = answer, {"namespaces": ["wp/v2", "wc/v3"]}
    with pytest.raises(InstallHindered, match=words):
        adapter(store).begin_install([("store", "galets.example")], STATE, CALLBACK, RETURN, NOW)
    assert {way for _, _, way in store.asked} == {""}


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(302, headers={"location": "https://galets.example/wp-login.php?redirect_to=x"}),
        httpx2.Response(302, headers={"location": "/coming-soon/"}),
        httpx2.Response(401, json=SHUT),
        httpx2.Response(403, text="<html>Wordfence"),
        httpx2.Response(404, json={"code": "rest_no_route", "message": "no"}),
        httpx2.Response(404, text="<html>"),
        httpx2.Response(200, json={"namespaces": []}),
        httpx2.Response(200, json={"namespaces": ["wp/v2", "wc/v3"]}),
        httpx2.Response(200, text="<html>"),
        httpx2.Response(500),
        httpx2.Response(429),
    ],
)
def test_what_keys_may_pass_stops_nobody(answer: httpx2.Response) -> None:
    store = Store()
    store.failing[INDEX] = store.failing["/"] = answer
    found = adapter(store).begin_install([("store", "galets.example")], STATE, CALLBACK, RETURN, NOW)
    assert found.url.startswith("https://galets.example/wc-auth/")


def test_a_store_that_does_not_answer_stops_nobody_and_is_waited_for_a_few_seconds_only() -> None:
    waits: list[float] = []

    def stall(request: httpx2.Request) -> httpx2.Response:
        waits.append(connecting._left(None, TimeoutError))
        raise httpx2.ReadTimeout("slow", request=request)

    platform = WooCommercePlatform(Transport(inner=httpx2.MockTransport(stall)), Settings(_env_file=None))
    assert platform.begin_install([("store", "galets.example")], STATE, CALLBACK, RETURN, NOW).url
    (seconds,) = waits
    assert 5 < seconds <= 6


# ---------------------------------------------------------------- the grant


def test_a_proven_grant_gives_keys_scope_and_profile() -> None:
    store = Store()
    found = finish(store)
    assert found.domain == "galets.example"
    assert found.credentials == {"consumer_key": GRANT["consumer_key"], "consumer_secret": GRANT["consumer_secret"], "auth": "header"}
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
    assert store.asked == []


@pytest.mark.parametrize("user_id", ["", "other", STATE + "x", STATE[:-1], 7, "é"])
def test_a_grant_for_another_install_is_refused(user_id: object) -> None:
    store = Store()
    with pytest.raises(InstallRefused, match="does not belong"):
        finish(store, user_id=user_id)
    assert store.asked == []


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
